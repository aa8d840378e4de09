/* SPDX-License-Identifier: Apache-2.0
 * Doubles on AArch64: r64 is two of them. What the words mean stands in f64_avx2.h.
 */
#ifndef PS_SIMD_F64_NEON_H
#define PS_SIMD_F64_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#define R64_LANES    2
#define R64_CONVERTS 1
typedef float64x2_t r64;
typedef uint64x2_t m64;
static inline r64 r64_set1(double x) {
    return vdupq_n_f64(x);
}
static inline r64 r64_load(const double *p) {
    return vld1q_f64(p);
}
#define r64_keep(a) __asm__("" : "+w"(a))
static inline r64 r64_load_i64(const void *p) {
    return vcvtq_f64_s64(vreinterpretq_s64_u8(vld1q_u8(p)));
}
static inline void r64_store(double *p, r64 a) {
    vst1q_f64(p, a);
}
static inline r64 r64_add(r64 a, r64 b) {
    return vaddq_f64(a, b);
}
static inline r64 r64_sub(r64 a, r64 b) {
    return vsubq_f64(a, b);
}
static inline r64 r64_fma(r64 a, r64 b, r64 c) {
    return vfmaq_f64(c, a, b);
}
static inline r64 r64_min(r64 x, r64 a) {
    return vminnmq_f64(x, a);
}
static inline r64 r64_max(r64 x, r64 a) {
    return vmaxnmq_f64(x, a);
}
static inline r64 r64_xor3(r64 a, r64 b, r64 c) {
    return vreinterpretq_f64_u64(veorq_u64(
        veorq_u64(vreinterpretq_u64_f64(a), vreinterpretq_u64_f64(b)), vreinterpretq_u64_f64(c)));
}
static inline r64 r64_select(m64 which, r64 a, r64 b) {
    return vbslq_f64(which, a, b);
}
static inline m64 r64_within(r64 x, double limit) {
    return vcaleq_f64(x, vdupq_n_f64(limit));
}
static inline m64 r64_is_nan(r64 x) {
    return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(x, x))));
}
static inline m64 m64_and(m64 a, m64 b) {
    return vandq_u64(a, b);
}
static inline m64 m64_from_bits(uint32_t bits) {
    const uint64x2_t lane = {1, 2};
    return vtstq_u64(vdupq_n_u64(bits), lane);
}
static inline uint32_t m64_to_bits(m64 a) {
    return (uint32_t)(vgetq_lane_u64(a, 0) & 1) | (uint32_t)(vgetq_lane_u64(a, 1) & 2);
}

static inline double r64_tree(r64 a) {
    return vgetq_lane_f64(a, 0) + vgetq_lane_f64(a, 1);
}
static inline double r64_least(r64 a) {
    return vminnmvq_f64(a);
}
static inline double r64_greatest(r64 a) {
    return vmaxnmvq_f64(a);
}

#endif
