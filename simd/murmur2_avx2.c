/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec_avx2.h"

#define ENTRY ps_murmur2_avx2
#include "simd/murmur2_lanes.inc"
