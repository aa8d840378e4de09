/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AVX-512: v32 is sixteen 32-bit words, v64 is eight 64-bit words. What
 * the words mean stands in vec_avx2.h.
 */
#ifndef PS_SIMD_VEC_AVX512_H
#define PS_SIMD_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define V32_LANES 16
typedef __m512i v32;
static inline v32 v32_set1(uint32_t x) {
    return _mm512_set1_epi32((int)x);
}
static inline v32 v32_load(const uint32_t *p) {
    return _mm512_loadu_si512(p);
}
static inline void v32_store(uint32_t *p, v32 a) {
    _mm512_storeu_si512(p, a);
}
static inline v32 v32_add(v32 a, v32 b) {
    return _mm512_add_epi32(a, b);
}
/* The third operand is a truth table of the three inputs. */
static inline v32 v32_xor3(v32 a, v32 b, v32 c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}
static inline v32 v32_choose(v32 which, v32 a, v32 b) {
    return _mm512_ternarylogic_epi32(which, a, b, 0xca);
}
static inline v32 v32_majority(v32 a, v32 b, v32 c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0xe8);
}
#define v32_shift_right(a, n)  _mm512_srli_epi32(a, n)
#define v32_rotate_right(a, n) _mm512_ror_epi32(a, n)

static inline void v32_transpose(v32 r[16]) {
    v32 t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

static inline void v32_load_blocks(v32 w[16], const uint8_t *const *p) {
    const v32 swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    for (int i = 0; i < 16; i++) w[i] = _mm512_loadu_si512(p[i]);
    v32_transpose(w);
    for (int i = 0; i < 16; i++) w[i] = _mm512_shuffle_epi8(w[i], swap);
}

#define V64_LANES 8
typedef __m512i v64;
static inline v64 v64_set1(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}
static inline v64 v64_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline void v64_store(uint64_t *p, v64 a) {
    _mm512_storeu_si512(p, a);
}
static inline v64 v64_add(v64 a, v64 b) {
    return _mm512_add_epi64(a, b);
}
static inline v64 v64_xor(v64 a, v64 b) {
    return _mm512_xor_si512(a, b);
}
static inline v64 v64_high(v64 a) {
    return _mm512_srli_epi64(a, 32);
}
static inline v64 v64_shift_left32(v64 a) {
    return _mm512_slli_epi64(a, 32);
}
static inline v64 v64_shift_right47(v64 a) {
    return _mm512_srli_epi64(a, 47);
}
static inline v64 v64_multiply32(v64 a, v64 b) {
    return _mm512_mul_epu32(a, b);
}
static inline v64 v64_swap(v64 a) {
    return _mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0x4e);
}

#endif
