/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/f64_avx2.h"

#define PS_SUFFIX text_avx2
#define ENTRY     ps_moments_avx2
#include "simd/moments_lanes.inc"
