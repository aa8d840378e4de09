/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AVX-512: v32 is sixteen 32-bit words. What
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
static inline v32 v32_xor(v32 a, v32 b) {
    return _mm512_xor_si512(a, b);
}
static inline v32 v32_and(v32 a, v32 b) {
    return _mm512_and_si512(a, b);
}
static inline v32 v32_multiply(v32 a, v32 b) {
    return _mm512_mullo_epi32(a, b);
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
#define v32_shift_left(a, n)   _mm512_slli_epi32(a, n)
#define v32_rotate_right(a, n) _mm512_ror_epi32(a, n)
static inline v32 v32_shift_left_each(v32 a, v32 n) {
    return _mm512_sllv_epi32(a, n);
}

typedef __mmask16 v32_mask;
static inline v32_mask v32_less(v32 a, v32 b) {
    return _mm512_cmplt_epi32_mask(a, b);
}
static inline v32_mask v32_equal(v32 a, v32 b) {
    return _mm512_cmpeq_epi32_mask(a, b);
}
static inline v32 v32_select(v32_mask which, v32 yes, v32 no) {
    return _mm512_mask_mov_epi32(no, which, yes);
}

/* Rows 4 b + i as part b of r[i]: word i of all rows in w[i]. */
static inline void v32_transpose_parts(v32 w[4], const v32 r[4]) {
    v32 t[4];
    for (int i = 0; i < 2; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        w[2 * i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        w[2 * i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    }
}

/* Two halves put together as they are loaded: on Zen 4 faster than three masked broadcasts. */
static inline v32 v32_parts(const uint8_t *a, const uint8_t *b, const uint8_t *c,
                            const uint8_t *d) {
    const __m256i low =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)a)),
                                _mm_loadu_si128((const __m128i *)b), 1);
    const __m256i high =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)c)),
                                _mm_loadu_si128((const __m128i *)d), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline void v32_load_quad(v32 w[4], const uint8_t *const *p, uint64_t at) {
    v32 r[4];
    for (int i = 0; i < 4; i++)
        r[i] = v32_parts(p[i] + at, p[i + 4] + at, p[i + 8] + at, p[i + 12] + at);
    v32_transpose_parts(w, r);
}

static inline void v32_load_quad_from(v32 w[4], const uint8_t *p, const uint32_t *from) {
    v32 r[4];
    for (int i = 0; i < 4; i++)
        r[i] = v32_parts(p + from[i], p + from[i + 4], p + from[i + 8], p + from[i + 12]);
    v32_transpose_parts(w, r);
}

static inline void v32_load_words(v32 w[16], const uint8_t *const *p, uint64_t at) {
    for (int i = 0; i < 4; i++) v32_load_quad(w + 4 * i, p, at + 16 * (uint64_t)i);
}

static inline void v32_load_words_from(v32 w[16], const uint8_t *p, const uint32_t *from) {
    for (int i = 0; i < 4; i++) v32_load_quad_from(w + 4 * i, p + 16 * i, from);
}

static inline void v32_load_blocks(v32 w[16], const uint8_t *const *p) {
    const v32 swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    v32_load_words(w, p, 0);
    for (int i = 0; i < 16; i++) w[i] = _mm512_shuffle_epi8(w[i], swap);
}

/* After two rounds of pairing, 16 bytes of lane 4 b + i stand in part b of low[i] and high[i]. */
static inline void v32_store_words(uint8_t *const *p, v32 w[8]) {
    v32 low[4], high[4];
    for (int i = 0; i < 2; i++) {
        v32 *const to = i == 0 ? low : high;
        const v32 a = _mm512_unpacklo_epi32(w[4 * i], w[4 * i + 1]);
        const v32 b = _mm512_unpacklo_epi32(w[4 * i + 2], w[4 * i + 3]);
        const v32 c = _mm512_unpackhi_epi32(w[4 * i], w[4 * i + 1]);
        const v32 d = _mm512_unpackhi_epi32(w[4 * i + 2], w[4 * i + 3]);
        to[0] = _mm512_unpacklo_epi64(a, b);
        to[1] = _mm512_unpackhi_epi64(a, b);
        to[2] = _mm512_unpacklo_epi64(c, d);
        to[3] = _mm512_unpackhi_epi64(c, d);
    }
    for (int i = 0; i < 4; i++) {
        const v32 near =
            _mm512_permutex2var_epi64(low[i], _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), high[i]);
        const v32 far = _mm512_permutex2var_epi64(
            low[i], _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4), high[i]);
        _mm256_storeu_si256((__m256i *)p[i], _mm512_castsi512_si256(near));
        _mm256_storeu_si256((__m256i *)p[i + 4], _mm512_extracti64x4_epi64(near, 1));
        _mm256_storeu_si256((__m256i *)p[i + 8], _mm512_castsi512_si256(far));
        _mm256_storeu_si256((__m256i *)p[i + 12], _mm512_extracti64x4_epi64(far, 1));
    }
}

#endif
