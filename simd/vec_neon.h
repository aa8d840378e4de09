/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AArch64: v32 is four 32-bit words. What the words
 * mean stands in vec_avx2.h.
 */
#ifndef PS_SIMD_VEC_NEON_H
#define PS_SIMD_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#define V32_LANES 4
typedef uint32x4_t v32;
static inline v32 v32_set1(uint32_t x) {
    return vdupq_n_u32(x);
}
static inline v32 v32_load(const uint32_t *p) {
    return vld1q_u32(p);
}
static inline void v32_store(uint32_t *p, v32 a) {
    vst1q_u32(p, a);
}
static inline v32 v32_add(v32 a, v32 b) {
    return vaddq_u32(a, b);
}
static inline v32 v32_xor(v32 a, v32 b) {
    return veorq_u32(a, b);
}
static inline v32 v32_and(v32 a, v32 b) {
    return vandq_u32(a, b);
}
static inline v32 v32_multiply(v32 a, v32 b) {
    return vmulq_u32(a, b);
}
static inline v32 v32_xor3(v32 a, v32 b, v32 c) {
    return veorq_u32(veorq_u32(a, b), c);
}
static inline v32 v32_choose(v32 which, v32 a, v32 b) {
    return vbslq_u32(which, a, b);
}
static inline v32 v32_majority(v32 a, v32 b, v32 c) {
    return vbslq_u32(veorq_u32(a, b), c, a);
}
#define v32_shift_right(a, n)  vshrq_n_u32(a, n)
#define v32_shift_left(a, n)   vshlq_n_u32(a, n)
#define v32_rotate_right(a, n) vsriq_n_u32(vshlq_n_u32(a, 32 - (n)), a, n)
static inline v32 v32_shift_left_each(v32 a, v32 n) {
    return vshlq_u32(a, vreinterpretq_s32_u32(n));
}

typedef uint32x4_t v32_mask;
static inline v32_mask v32_less(v32 a, v32 b) {
    return vcltq_u32(a, b);
}
static inline v32_mask v32_equal(v32 a, v32 b) {
    return vceqq_u32(a, b);
}
static inline v32 v32_select(v32_mask which, v32 yes, v32 no) {
    return vbslq_u32(which, yes, no);
}

static inline void v32_transpose(v32 r[4]) {
    const uint64x2_t a = vreinterpretq_u64_u32(vtrn1q_u32(r[0], r[1]));
    const uint64x2_t b = vreinterpretq_u64_u32(vtrn2q_u32(r[0], r[1]));
    const uint64x2_t c = vreinterpretq_u64_u32(vtrn1q_u32(r[2], r[3]));
    const uint64x2_t d = vreinterpretq_u64_u32(vtrn2q_u32(r[2], r[3]));
    r[0] = vreinterpretq_u32_u64(vtrn1q_u64(a, c));
    r[1] = vreinterpretq_u32_u64(vtrn1q_u64(b, d));
    r[2] = vreinterpretq_u32_u64(vtrn2q_u64(a, c));
    r[3] = vreinterpretq_u32_u64(vtrn2q_u64(b, d));
}

static inline void v32_load_quad(v32 w[4], const uint8_t *const *p, uint64_t at) {
    for (int i = 0; i < 4; i++) w[i] = vreinterpretq_u32_u8(vld1q_u8(p[i] + at));
    v32_transpose(w);
}

static inline void v32_load_quad_from(v32 w[4], const uint8_t *p, const uint32_t *from) {
    for (int i = 0; i < 4; i++) w[i] = vreinterpretq_u32_u8(vld1q_u8(p + from[i]));
    v32_transpose(w);
}

static inline void v32_load_words(v32 w[16], const uint8_t *const *p, uint64_t at) {
    for (int i = 0; i < 4; i++) v32_load_quad(w + 4 * i, p, at + 16 * (uint64_t)i);
}

static inline void v32_load_words_from(v32 w[16], const uint8_t *p, const uint32_t *from) {
    for (int i = 0; i < 4; i++) v32_load_quad_from(w + 4 * i, p + 16 * i, from);
}

static inline void v32_load_blocks(v32 w[16], const uint8_t *const *p) {
    v32_load_words(w, p, 0);
    for (int i = 0; i < 16; i++)
        w[i] = vreinterpretq_u32_u8(vrev32q_u8(vreinterpretq_u8_u32(w[i])));
}

static inline void v32_store_words(uint8_t *const *p, v32 w[8]) {
    for (int half = 0; half < 2; half++) {
        v32_transpose(w + 4 * half);
        for (int i = 0; i < 4; i++)
            vst1q_u8(p[i] + 16 * half, vreinterpretq_u8_u32(w[4 * half + i]));
    }
}

#endif
