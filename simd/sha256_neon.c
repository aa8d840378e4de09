/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/vec_neon.h"

#define ENTRY        ps_sha256_neon
#define MERKLE_ENTRY ps_merkle_neon
#include "simd/sha256_lanes.inc"
