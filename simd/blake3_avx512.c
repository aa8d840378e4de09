/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_avx512.h"
#include "simd/vec_avx512.h"

#define ENTRY ps_blake3_avx512
#include "simd/blake3_lanes.inc"
