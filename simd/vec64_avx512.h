/* SPDX-License-Identifier: Apache-2.0
 * The vector vocabulary on AVX-512: v64 is eight 64-bit words. What the words
 * mean stands in vec64_avx2.h.
 */
#ifndef PS_SIMD_VEC64_AVX512_H
#define PS_SIMD_VEC64_AVX512_H

#include <immintrin.h>
#include <stdint.h>

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
static inline v64 v64_and(v64 a, v64 b) {
    return _mm512_and_si512(a, b);
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

#define v64_shift_left(a, n)  _mm512_slli_epi64(a, n)
#define v64_shift_right(a, n) _mm512_srli_epi64(a, n)

typedef __mmask8 v64_mask;
static inline v64_mask v64_less(v64 a, v64 b) {
    return _mm512_cmplt_epi64_mask(a, b);
}
static inline v64 v64_select(v64_mask which, v64 yes, v64 no) {
    return _mm512_mask_mov_epi64(no, which, yes);
}

static inline void v64_load_words(v64 w[8], const uint8_t *const *p) {
    v64 r[8], t[8];
    for (int i = 0; i < 8; i++) r[i] = v64_load(p[i]);
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            r[4 * k + i] = _mm512_shuffle_i64x2(t[4 * k + i], t[4 * k + i + 2], 0x88);
            r[4 * k + i + 2] = _mm512_shuffle_i64x2(t[4 * k + i], t[4 * k + i + 2], 0xdd);
        }
    for (int i = 0; i < 4; i++) {
        w[i] = _mm512_shuffle_i64x2(r[i], r[i + 4], 0x88);
        w[i + 4] = _mm512_shuffle_i64x2(r[i], r[i + 4], 0xdd);
    }
}

#endif
