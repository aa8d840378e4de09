/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec64_neon.h"
#include "simd/vec_neon.h"

#define ENTRY ps_blake3_neon
#include "simd/blake3_lanes.inc"
