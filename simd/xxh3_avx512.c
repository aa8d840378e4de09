/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_avx512.h"

#define XXH3_EIGHT
#define ENTRY ps_xxh3_avx512
#include "simd/xxh3_lanes.inc"
