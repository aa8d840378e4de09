/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_avx512.h"

#define GROUPS 4
#define ENTRY  ps_fnv1a_avx512
#include "simd/fnv1a_lanes.inc"
