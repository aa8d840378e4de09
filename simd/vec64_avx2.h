/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AVX2: v64 is four 64-bit words.
 */
#ifndef PS_SIMD_VEC64_AVX2_H
#define PS_SIMD_VEC64_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define V64_LANES 4
typedef __m256i v64;
static inline v64 v64_set1(uint64_t x) {
    return _mm256_set1_epi64x((long long)x);
}
static inline v64 v64_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void v64_store(uint64_t *p, v64 a) {
    _mm256_storeu_si256((__m256i *)p, a);
}
static inline v64 v64_add(v64 a, v64 b) {
    return _mm256_add_epi64(a, b);
}
static inline v64 v64_xor(v64 a, v64 b) {
    return _mm256_xor_si256(a, b);
}
static inline v64 v64_and(v64 a, v64 b) {
    return _mm256_and_si256(a, b);
}
static inline v64 v64_high(v64 a) {
    return _mm256_srli_epi64(a, 32);
}
static inline v64 v64_shift_left32(v64 a) {
    return _mm256_slli_epi64(a, 32);
}
static inline v64 v64_shift_right47(v64 a) {
    return _mm256_srli_epi64(a, 47);
}
/* The lower halves of both, multiplied to 64 bits. */
static inline v64 v64_multiply32(v64 a, v64 b) {
    return _mm256_mul_epu32(a, b);
}
/* Neighbours exchanged: lanes 1, 0, 3, 2. */
static inline v64 v64_swap(v64 a) {
    return _mm256_shuffle_epi32(a, 0x4e);
}

#define v64_shift_left(a, n)  _mm256_slli_epi64(a, n)
#define v64_shift_right(a, n) _mm256_srli_epi64(a, n)

/* As for words of 32 bits. */
typedef __m256i v64_mask;
static inline v64_mask v64_less(v64 a, v64 b) {
    return _mm256_cmpgt_epi64(b, a);
}
static inline v64 v64_select(v64_mask which, v64 yes, v64 no) {
    return _mm256_blendv_epi8(no, yes, which);
}

/* V64_LANES little-endian words of every lane, word i of all lanes in w[i]. */
static inline void v64_load_words(v64 w[4], const uint8_t *const *p) {
    v64 r[4], t[4];
    for (int i = 0; i < 4; i++) r[i] = v64_load(p[i]);
    for (int i = 0; i < 2; i++) {
        t[2 * i] = _mm256_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        w[i] = _mm256_permute2x128_si256(t[i], t[i + 2], 0x20);
        w[i + 2] = _mm256_permute2x128_si256(t[i], t[i + 2], 0x31);
    }
}

#endif
