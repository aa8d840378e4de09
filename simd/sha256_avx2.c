/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec_avx2.h"

#define ENTRY        ps_sha256_avx2
#define MERKLE_ENTRY ps_merkle_avx2
#include "simd/sha256_lanes.inc"
