/* SPDX-License-Identifier: Apache-2.0
 * Doubles on AVX2: r64 is four of them, m64 says which. f64_avx512.h and f64_neon.h say the same
 * words.
 */
#ifndef PS_SIMD_F64_AVX2_H
#define PS_SIMD_F64_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define R64_LANES    4
#define R64_CONVERTS 0 /* whether integers of 64 bits become doubles in one instruction */
typedef __m256d r64, m64;
static inline r64 r64_set1(double x) {
    return _mm256_set1_pd(x);
}
static inline r64 r64_load(const double *p) {
    return _mm256_loadu_pd(p);
}
/* Stays in its register; a compiler loads it once for each use. */
#define r64_keep(a) __asm__("" : "+x"(a))
static inline void r64_store(double *p, r64 a) {
    _mm256_storeu_pd(p, a);
}
static inline r64 r64_add(r64 a, r64 b) {
    return _mm256_add_pd(a, b);
}
static inline r64 r64_sub(r64 a, r64 b) {
    return _mm256_sub_pd(a, b);
}
static inline r64 r64_fma(r64 a, r64 b, r64 c) {
    return _mm256_fmadd_pd(a, b, c);
}
/* Where x is NaN the accumulator a. */
static inline r64 r64_min(r64 x, r64 a) {
    return _mm256_min_pd(x, a);
}
static inline r64 r64_max(r64 x, r64 a) {
    return _mm256_max_pd(x, a);
}
/* Bit by bit. */
static inline r64 r64_xor3(r64 a, r64 b, r64 c) {
    return _mm256_xor_pd(_mm256_xor_pd(a, b), c);
}
/* Where `which` the value of a, else of b. */
static inline r64 r64_select(m64 which, r64 a, r64 b) {
    return _mm256_blendv_pd(b, a, which);
}
/* |x| <= limit, false for NaN. */
static inline m64 r64_within(r64 x, double limit) {
    const r64 magnitude = _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
    return _mm256_cmp_pd(magnitude, _mm256_set1_pd(limit), _CMP_LE_OQ);
}
static inline m64 r64_is_nan(r64 x) {
    return _mm256_cmp_pd(x, x, _CMP_UNORD_Q);
}
static inline m64 m64_and(m64 a, m64 b) {
    return _mm256_and_pd(a, b);
}
/* Lane i from bit i and back; bits above the lanes are ignored. */
static inline m64 m64_from_bits(uint32_t bits) {
    const __m256i lane = _mm256_set_epi64x(8, 4, 2, 1);
    const __m256i all = _mm256_set1_epi64x((long long)bits);
    return _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, lane), lane));
}
static inline uint32_t m64_to_bits(m64 a) {
    return (uint32_t)_mm256_movemask_pd(a);
}

/* The upper half onto the lower one, until one is left. */
static inline double r64_tree(r64 a) {
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
/* Of numbers. */
static inline double r64_least(r64 a) {
    const __m128d two = _mm_min_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_min_sd(two, _mm_unpackhi_pd(two, two)));
}
static inline double r64_greatest(r64 a) {
    const __m128d two = _mm_max_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
