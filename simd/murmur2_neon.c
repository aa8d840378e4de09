/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec_neon.h"

#define ENTRY ps_murmur2_neon
#include "simd/murmur2_lanes.inc"
