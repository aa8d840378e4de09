/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec_avx512.h"

#define ENTRY        ps_sha256_avx512
#define MERKLE_ENTRY ps_merkle_avx512
#include "simd/sha256_lanes.inc"
