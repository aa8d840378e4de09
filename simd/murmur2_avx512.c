/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec_avx512.h"

#define ENTRY ps_murmur2_avx512
#include "simd/murmur2_lanes.inc"
