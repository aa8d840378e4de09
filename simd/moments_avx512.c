/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/f64_avx512.h"

#define PS_SUFFIX text_avx512
#define ENTRY     ps_moments_avx512
#include "simd/moments_lanes.inc"
