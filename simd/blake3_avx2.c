/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_avx2.h"
#include "simd/vec_avx2.h"

#define ENTRY ps_blake3_avx2
#include "simd/blake3_lanes.inc"
