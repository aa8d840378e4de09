/* SPDX-License-Identifier: Apache-2.0 */
#define ENTRY        ps_sha256_shani512
#define MERKLE_ENTRY ps_merkle_shani512
#include "simd/sha256_shani.inc"
