/* SPDX-License-Identifier: Apache-2.0
 * Loops over lanes and rounds whose arrays live in registers only if the loop is gone.
 */
#ifndef PS_SIMD_UNROLL_H
#define PS_SIMD_UNROLL_H

#if defined(__clang__)
#define PS_UNROLL _Pragma("unroll")
#else
#define PS_UNROLL _Pragma("GCC unroll 64")
#endif

#endif
