/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AVX2: v32 is eight 32-bit words, v64 is four 64-bit words. Rotations
 * are macros because the instruction wants a constant even in a debug build. vec_avx512.h and
 * vec_neon.h say the same words.
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
static inline v32 v32_xor3(v32 a, v32 b, v32 c) {
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}
/* Bit by bit: where `which` is 1 the bit of a, else of b. */
static inline v32 v32_choose(v32 which, v32 a, v32 b) {
    return _mm256_xor_si256(b, _mm256_and_si256(which, _mm256_xor_si256(a, b)));
}
static inline v32 v32_majority(v32 a, v32 b, v32 c) {
    return _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)));
}
#define v32_shift_right(a, n) _mm256_srli_epi32(a, n)
#define v32_rotate_right(a, n) \
    _mm256_or_si256(_mm256_srli_epi32(a, n), _mm256_slli_epi32(a, 32 - (n)))

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

/* The sixteen big-endian words of one block per lane, word i of all lanes in w[i]. */
static inline void v32_load_blocks(v32 w[16], const uint8_t *const *p) {
    const v32 swap =
        _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 8; i++)
            w[8 * half + i] = _mm256_loadu_si256((const __m256i *)(p[i] + 32 * half));
        v32_transpose(w + 8 * half);
        for (int i = 0; i < 8; i++) w[8 * half + i] = _mm256_shuffle_epi8(w[8 * half + i], swap);
    }
}

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

#endif
