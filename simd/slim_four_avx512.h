/* SPDX-License-Identifier: Apache-2.0
 * What kernel slim does alike for every row, for four series side by side in the lanes of vectors:
 * the daily and the weekly rhythm, how far the last values spread, the range and the two levels.
 * Their numbers lie in fours in a state, which are turned in registers. Behind kernels/slim.c.
 * Agrees: to the bit; the same operations in the same order.
 */
#ifndef PS_SIMD_SLIM_FOUR_AVX512_H
#define PS_SIMD_SLIM_FOUR_AVX512_H

#include <immintrin.h>

#include "simd/slim_parts_avx512.h"

/* One row of each of four series. */
typedef struct slim_group {
    ps_slim_state *s[4];
    ps_slim_row *r[4];
    ps_slim_asked *a[4];
    __m256d v, young;
    __m128i t;
    double unit[4]; /* what distances are measured in */
} slim_group;

static inline __m256d slim_size(__m256d x) {
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
}

/* x where it lies within these borders, which lie above and below 0. */
static inline __m256d slim_within(__m256d x, __m256d limit) {
    const __m256d below = _mm256_min_pd(limit, x);
    return _mm256_max_pd(_mm256_xor_pd(_mm256_set1_pd(-0.0), limit), below);
}

/* old + a (new - old) */
static inline __m256d slim_towards(__m256d old, __m256d a, __m256d to) {
    return _mm256_add_pd(old, _mm256_mul_pd(a, _mm256_sub_pd(to, old)));
}

/* spread + 1e-9 + 1e-6 |mean| */
static inline __m256d slim_unit(__m256d spread, __m256d mean) {
    return _mm256_add_pd(_mm256_add_pd(spread, _mm256_set1_pd(1e-9)),
                         _mm256_mul_pd(_mm256_set1_pd(1e-6), slim_size(mean)));
}

/* Four words of each state from `at` on: the first of all, the second of all and so on. */
static inline void slim_turn(const slim_group *g, ps_u32 at, __m256d *x) {
    __m128 w[4];
    for (ps_u32 i = 0; i < 4u; i++)
        w[i] = _mm_loadu_ps((const float *)(const void *)(g->s[i]->word + at));
    _MM_TRANSPOSE4_PS(w[0], w[1], w[2], w[3]);
    for (ps_u32 i = 0; i < 4u; i++) x[i] = _mm256_cvtps_pd(w[i]);
}

static inline void slim_turn_back(const slim_group *g, ps_u32 at, const __m256d *x) {
    __m128 w[4];
    for (ps_u32 i = 0; i < 4u; i++) w[i] = slim_rounded(x[i]);
    _MM_TRANSPOSE4_PS(w[0], w[1], w[2], w[3]);
    for (ps_u32 i = 0; i < 4u; i++) _mm_storeu_ps((float *)(void *)(g->s[i]->word + at), w[i]);
}

/* Rows into columns. */
static inline void slim_square(__m256d *x) {
    const __m256d a = _mm256_unpacklo_pd(x[0], x[1]), b = _mm256_unpackhi_pd(x[0], x[1]);
    const __m256d c = _mm256_unpacklo_pd(x[2], x[3]), d = _mm256_unpackhi_pd(x[2], x[3]);
    x[0] = _mm256_permute2f128_pd(a, c, 0x20);
    x[1] = _mm256_permute2f128_pd(b, d, 0x20);
    x[2] = _mm256_permute2f128_pd(a, c, 0x31);
    x[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

/* A word or number of each, at a place of its own. */
static inline __m128i slim_pick(const ps_u32 *const *at) {
    return _mm_setr_epi32((int)*at[0], (int)*at[1], (int)*at[2], (int)*at[3]);
}

static inline void slim_place(ps_u32 *const *at, __m128i x) {
    ps_u32 of[4];
    _mm_storeu_si128((__m128i *)of, x);
    for (ps_u32 i = 0; i < 4u; i++) *at[i] = of[i];
}

/* What is known of a bin of a calendar. */
typedef struct slim_bin {
    ps_u32 *packed[4], *mean[4];
    __m128i seen;
    __m256d own, kept, weight; /* its deviation, its mean, and what a value counts in them */
} slim_bin;

static inline void slim_bin_get(slim_bin *b, double least) {
    const __m128i packed = slim_pick((const ps_u32 *const *)b->packed);
    b->seen = _mm_and_si128(packed, _mm_set1_epi32(15));
    b->own = _mm256_cvtps_pd(_mm_castsi128_ps(_mm_slli_epi32(_mm_srli_epi32(packed, 4), 11)));
    b->kept = _mm256_cvtps_pd(_mm_castsi128_ps(slim_pick((const ps_u32 *const *)b->mean)));
    const __m512i at = _mm512_castsi256_si512(_mm256_cvtepu32_epi64(b->seen));
    const __m512d share = _mm512_permutex2var_pd(_mm512_loadu_pd(ps_slim_share), at,
                                                 _mm512_loadu_pd(ps_slim_share + 8));
    b->weight = _mm256_max_pd(_mm256_set1_pd(least), _mm512_castpd512_pd256(share));
}

static inline void slim_bin_put(const slim_bin *b, __m256d own, __m256d mean) {
    const __m128i bits = _mm_castps_si128(slim_rounded(own));
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(bits, 11), _mm_set1_epi32(1));
    const __m128i even =
        _mm_srli_epi32(_mm_add_epi32(_mm_add_epi32(bits, _mm_set1_epi32(0x3ff)), odd), 11);
    const __m128i seen =
        _mm_min_epu32(_mm_add_epi32(b->seen, _mm_set1_epi32(1)), _mm_set1_epi32(15));
    slim_place(b->packed, _mm_or_si128(_mm_slli_epi32(even, 4), seen));
    slim_place(b->mean, _mm_castps_si128(slim_rounded(mean)));
}

/* How far off, in deviations; 0 in bins that hardly anything is known of. */
static inline __m256d slim_off(const slim_bin *b, __m256d d, __m256d unit) {
    const __mmask8 known = _mm_cmpgt_epu32_mask(b->seen, _mm_set1_epi32(1));
    return _mm256_maskz_div_pd(known, slim_size(d), unit);
}

/* What a value teaches: at most five deviations where enough are known. */
static inline __m256d slim_lesson(const slim_bin *b, __m256d d, __m256d spread) {
    const __mmask8 bound = _mm_cmpgt_epu32_mask(b->seen, _mm_set1_epi32(7)) &
                           _mm256_cmp_pd_mask(spread, _mm256_setzero_pd(), _CMP_GT_OQ);
    return _mm256_mask_mov_pd(d, bound, slim_within(d, _mm256_mul_pd(_mm256_set1_pd(5.0), spread)));
}

static inline __m256d slim_half(__m256d a, __m256d b) {
    const __m256d half = _mm256_set1_pd(0.5);
    return _mm256_add_pd(_mm256_mul_pd(half, a), _mm256_mul_pd(half, b));
}

/* Deviations from a level, which follows the values, and one more. */
static inline __m256d slim_level_four(const slim_group *g, __m256d *mean, __m256d *spread,
                                      double weight) {
    const __m256d d = _mm256_sub_pd(g->v, *mean), size = slim_size(d);
    const __mmask8 counts = _mm_cmpgt_epu32_mask(g->t, _mm_set1_epi32(10));
    const __m256d off = _mm256_maskz_div_pd(counts, size, slim_unit(*spread, *mean));
    const __m256d a = _mm256_max_pd(_mm256_set1_pd(weight), g->young);
    *mean = _mm256_add_pd(*mean, _mm256_mul_pd(a, d));
    *spread = slim_towards(*spread, a, size);
    return _mm256_add_pd(_mm256_set1_pd(1.0), off);
}

#endif
