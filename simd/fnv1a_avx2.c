/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_avx2.h"

#define GROUPS 4
#define ENTRY  ps_fnv1a_avx2
#include "simd/fnv1a_lanes.inc"
