/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_neon.h"

#define ENTRY ps_xxh3_neon
#include "simd/xxh3_lanes.inc"
