/* SPDX-License-Identifier: Apache-2.0 */
#define ENTRY ps_xxhash_avx512
#include "bench/xxhash_rows.inc"
