/* SPDX-License-Identifier: Apache-2.0 */
#define ENTRY        ps_sha256_shani
#define MERKLE_ENTRY ps_merkle_shani
#include "simd/sha256_shani.inc"
