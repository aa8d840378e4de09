/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AArch64: v64 is two 64-bit words. What the words
 * mean stands in vec64_avx2.h.
 */
#ifndef PS_SIMD_VEC64_NEON_H
#define PS_SIMD_VEC64_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#define V64_LANES 2
typedef uint64x2_t v64;
static inline v64 v64_set1(uint64_t x) {
    return vdupq_n_u64(x);
}
static inline v64 v64_load(const void *p) {
    return vreinterpretq_u64_u8(vld1q_u8(p));
}
static inline void v64_store(uint64_t *p, v64 a) {
    vst1q_u64(p, a);
}
static inline v64 v64_add(v64 a, v64 b) {
    return vaddq_u64(a, b);
}
static inline v64 v64_xor(v64 a, v64 b) {
    return veorq_u64(a, b);
}
static inline v64 v64_and(v64 a, v64 b) {
    return vandq_u64(a, b);
}
static inline v64 v64_high(v64 a) {
    return vshrq_n_u64(a, 32);
}
static inline v64 v64_shift_left32(v64 a) {
    return vshlq_n_u64(a, 32);
}
static inline v64 v64_shift_right47(v64 a) {
    return vshrq_n_u64(a, 47);
}
static inline v64 v64_multiply32(v64 a, v64 b) {
    return vmull_u32(vmovn_u64(a), vmovn_u64(b));
}
static inline v64 v64_swap(v64 a) {
    return vextq_u64(a, a, 1);
}

#endif
