/* SPDX-License-Identifier: Apache-2.0
 * Kernel slim with AVX-512, four series in turn.
 */
#define PS_SUFFIX     avx512_code
#define PS_SLIM_LANES 4
#define ENTRY         ps_slim_avx512
#include "simd/slim_avx512.h"
#include "simd/slim_lanes.inc"
