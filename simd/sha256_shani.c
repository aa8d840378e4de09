/* SPDX-License-Identifier: Apache-2.0 */
#define ENTRY ps_sha256_shani
#include "simd/sha256_shani.inc"
