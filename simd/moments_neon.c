/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/f64_neon.h"

#define PS_SUFFIX text_neon
#define ENTRY     ps_moments_neon
#include "simd/moments_lanes.inc"
