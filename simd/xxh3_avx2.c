/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_avx2.h"

#define ENTRY ps_xxh3_avx2
#include "simd/xxh3_lanes.inc"
