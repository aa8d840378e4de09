/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AVX2: v32 is eight 32-bit words; vec64_avx2.h has the 64-bit ones.
 * Rotations are macros because the instruction wants a constant even in a debug build. vec_avx512.h
 * and vec_neon.h say the same words.
 */
#ifndef PS_SIMD_VEC_AVX2_H
#define PS_SIMD_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define V32_LANES 8
typedef __m256i v32;
static inline v32 v32_set1(uint32_t x) {
    return _mm256_set1_epi32((int)x);
}
static inline v32 v32_load(const uint32_t *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void v32_store(uint32_t *p, v32 a) {
    _mm256_storeu_si256((__m256i *)p, a);
}
static inline v32 v32_add(v32 a, v32 b) {
    return _mm256_add_epi32(a, b);
}
static inline v32 v32_xor(v32 a, v32 b) {
    return _mm256_xor_si256(a, b);
}
static inline v32 v32_xor3(v32 a, v32 b, v32 c) {
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}
static inline v32 v32_and(v32 a, v32 b) {
    return _mm256_and_si256(a, b);
}
/* The lower 32 bits of the product. */
static inline v32 v32_multiply(v32 a, v32 b) {
    return _mm256_mullo_epi32(a, b);
}
/* Bit by bit: where `which` is 1 the bit of a, else of b. */
static inline v32 v32_choose(v32 which, v32 a, v32 b) {
    return _mm256_xor_si256(b, _mm256_and_si256(which, _mm256_xor_si256(a, b)));
}
static inline v32 v32_majority(v32 a, v32 b, v32 c) {
    return _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)));
}
#define v32_shift_right(a, n) _mm256_srli_epi32(a, n)
#define v32_shift_left(a, n)  _mm256_slli_epi32(a, n)
/* Whole bytes move in one instruction. */
#define v32_rotate_right(a, n)                                                              \
    ((n) == 16  ? _mm256_shuffle_epi8(a, v32_bytes(0x0d0c0f0e09080b0a, 0x0504070601000302)) \
     : (n) == 8 ? _mm256_shuffle_epi8(a, v32_bytes(0x0c0f0e0d080b0a09, 0x0407060500030201)) \
                : _mm256_or_si256(_mm256_srli_epi32(a, n), _mm256_slli_epi32(a, 32 - (n))))
static inline v32 v32_bytes(uint64_t high, uint64_t low) {
    return _mm256_broadcastsi128_si256(_mm_set_epi64x((long long)high, (long long)low));
}
/* Every word by its own number of bits, below 32. */
static inline v32 v32_shift_left_each(v32 a, v32 n) {
    return _mm256_sllv_epi32(a, n);
}

/* A truth value for each word. Numbers that are compared are below 2^31. */
typedef __m256i v32_mask;
static inline v32_mask v32_less(v32 a, v32 b) {
    return _mm256_cmpgt_epi32(b, a);
}
static inline v32_mask v32_equal(v32 a, v32 b) {
    return _mm256_cmpeq_epi32(a, b);
}
static inline v32 v32_select(v32_mask which, v32 yes, v32 no) {
    return _mm256_blendv_epi8(no, yes, which);
}

/* Eight rows of eight words become eight columns. */
static inline void v32_transpose(v32 r[8]) {
    v32 t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}

/* Rows i and i + 4 as the halves of r[i]: word i of all rows in w[i]. */
static inline void v32_transpose_parts(v32 w[4], const v32 r[4]) {
    v32 t[4];
    for (int i = 0; i < 2; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        w[2 * i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        w[2 * i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    }
}
static inline v32 v32_pair(const uint8_t *low, const uint8_t *high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

/* Four little-endian words of every lane, `at` bytes behind its pointer: word i of all lanes in
 * w[i]. Rows that end up in one register are paired as they are loaded, which takes no shuffle. */
static inline void v32_load_quad(v32 w[4], const uint8_t *const *p, uint64_t at) {
    v32 r[4];
    for (int i = 0; i < 4; i++) r[i] = v32_pair(p[i] + at, p[i + 4] + at);
    v32_transpose_parts(w, r);
}

/* The same where lane i begins from[i] bytes behind p. */
static inline void v32_load_quad_from(v32 w[4], const uint8_t *p, const uint32_t *from) {
    v32 r[4];
    for (int i = 0; i < 4; i++) r[i] = v32_pair(p + from[i], p + from[i + 4]);
    v32_transpose_parts(w, r);
}

/* The sixteen words of one block of 64 bytes. */
static inline void v32_load_words(v32 w[16], const uint8_t *const *p, uint64_t at) {
    for (int i = 0; i < 4; i++) v32_load_quad(w + 4 * i, p, at + 16 * (uint64_t)i);
}

/* The same where lane i begins from[i] bytes behind p. */
static inline void v32_load_words_from(v32 w[16], const uint8_t *p, const uint32_t *from) {
    for (int i = 0; i < 4; i++) v32_load_quad_from(w + 4 * i, p + 16 * i, from);
}

/* The same, big-endian. */
static inline void v32_load_blocks(v32 w[16], const uint8_t *const *p) {
    const v32 swap = v32_bytes(0x0c0d0e0f08090a0b, 0x0405060700010203);
    v32_load_words(w, p, 0);
    for (int i = 0; i < 16; i++) w[i] = _mm256_shuffle_epi8(w[i], swap);
}

/* Eight words of every lane to 32 bytes of its own; `w` is used up. */
static inline void v32_store_words(uint8_t *const *p, v32 w[8]) {
    v32_transpose(w);
    for (int i = 0; i < 8; i++) _mm256_storeu_si256((__m256i *)p[i], w[i]);
}

#endif
