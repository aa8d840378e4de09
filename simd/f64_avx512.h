/* SPDX-License-Identifier: Apache-2.0
 * Doubles on AVX-512: r64 is eight of them. What the words mean stands in f64_avx2.h.
 */
#ifndef PS_SIMD_F64_AVX512_H
#define PS_SIMD_F64_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define R64_LANES    8
#define R64_CONVERTS 1
typedef __m512d r64;
typedef __mmask8 m64;
static inline r64 r64_set1(double x) {
    return _mm512_set1_pd(x);
}
static inline r64 r64_load(const double *p) {
    return _mm512_loadu_pd(p);
}
#define r64_keep(a) __asm__("" : "+v"(a))
static inline r64 r64_load_i64(const void *p) {
    return _mm512_cvtepi64_pd(_mm512_loadu_si512(p));
}
static inline void r64_store(double *p, r64 a) {
    _mm512_storeu_pd(p, a);
}
static inline r64 r64_add(r64 a, r64 b) {
    return _mm512_add_pd(a, b);
}
static inline r64 r64_sub(r64 a, r64 b) {
    return _mm512_sub_pd(a, b);
}
static inline r64 r64_fma(r64 a, r64 b, r64 c) {
    return _mm512_fmadd_pd(a, b, c);
}
static inline r64 r64_min(r64 x, r64 a) {
    return _mm512_min_pd(x, a);
}
static inline r64 r64_max(r64 x, r64 a) {
    return _mm512_max_pd(x, a);
}
static inline r64 r64_xor3(r64 a, r64 b, r64 c) {
    return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(
        _mm512_castpd_si512(a), _mm512_castpd_si512(b), _mm512_castpd_si512(c), 0x96));
}
static inline r64 r64_select(m64 which, r64 a, r64 b) {
    return _mm512_mask_mov_pd(b, which, a);
}
static inline m64 r64_within(r64 x, double limit) {
    return _mm512_cmp_pd_mask(_mm512_abs_pd(x), _mm512_set1_pd(limit), _CMP_LE_OQ);
}
static inline m64 r64_is_nan(r64 x) {
    return _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
}
static inline m64 m64_and(m64 a, m64 b) {
    return a & b;
}
static inline m64 m64_from_bits(uint32_t bits) {
    return (m64)bits;
}
static inline uint32_t m64_to_bits(m64 a) {
    return a;
}

static inline double r64_tree(r64 a) {
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
static inline double r64_least(r64 a) {
    return _mm512_reduce_min_pd(a);
}
static inline double r64_greatest(r64 a) {
    return _mm512_reduce_max_pd(a);
}

#endif
