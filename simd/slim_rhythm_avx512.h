/* SPDX-License-Identifier: Apache-2.0
 * Kernel slim's rhythms, spread, range and levels of four series; simd/slim_four_avx512.h.
 * Agrees: to the bit; the same operations in the same order.
 */
#ifndef PS_SIMD_SLIM_RHYTHM_AVX512_H
#define PS_SIMD_SLIM_RHYTHM_AVX512_H

#include "simd/slim_four_avx512.h"

/* Values of new bins teach nothing about how far values lie from their means. */
static inline __m256d slim_daily_four(slim_group *g, __m256d *all) {
    slim_bin b;
    ps_u32 *taught_at[4];
    for (ps_u32 i = 0; i < 4u; i++) {
        b.packed[i] = g->s[i]->packed + PS_SLIM_AT_DAILY + g->r[i]->half_hour;
        b.mean[i] = g->s[i]->word + PS_SLIM_MEANS + g->r[i]->half_hour;
        taught_at[i] = g->s[i]->word + PS_SLIM_TAUGHT;
    }
    slim_bin_get(&b, 0.1);
    const __mmask8 met = _mm_test_epi32_mask(b.seen, b.seen);
    const __m128i taught = slim_pick((const ps_u32 *const *)taught_at);
    const __m128i more = _mm_mask_min_epu32(taught, met, _mm_add_epi32(taught, _mm_set1_epi32(1)),
                                            _mm_set1_epi32(500));
    slim_place(taught_at, more);
    const __m256d d = _mm256_sub_pd(g->v, b.kept), spread = slim_half(b.own, *all);
    const __m256d part = slim_off(&b, d, slim_unit(spread, b.kept));
    const __m256d lesson = slim_lesson(&b, d, spread), size = slim_size(lesson);
    const __m256d mean = _mm256_add_pd(b.kept, _mm256_mul_pd(b.weight, lesson));
    slim_bin_put(&b, _mm256_mask_mov_pd(b.own, met, slim_towards(b.own, b.weight, size)),
                 _mm256_mask_mov_pd(g->v, met, mean));
    const __m256d follow = _mm256_max_pd(
        _mm256_set1_pd(0.002), _mm256_div_pd(_mm256_set1_pd(1.0), _mm256_cvtepu32_pd(more)));
    *all = _mm256_mask_mov_pd(*all, met, slim_towards(*all, follow, size));
    return part;
}

/* A level that 24 values in a row ran off by four deviations is taken to where they are. */
static inline void slim_reseat_four(slim_group *g, __m256d off, __m256d *level, __m256d spread,
                                    __m256d *drift) {
    ps_u32 *run_at[4];
    for (ps_u32 i = 0; i < 4u; i++) run_at[i] = g->s[i]->word + PS_SLIM_RUN;
    *drift = slim_towards(*drift, _mm256_set1_pd(2.0 / 13.0), off);
    const __mmask8 far = _mm_cmpgt_epu32_mask(g->t, _mm_set1_epi32(100)) &
                         _mm256_cmp_pd_mask(slim_size(*drift),
                                            _mm256_mul_pd(_mm256_set1_pd(4.0), spread), _CMP_GT_OQ);
    const __m128i before = slim_pick((const ps_u32 *const *)run_at);
    const __m128i run = _mm_maskz_add_epi32(far, before, _mm_set1_epi32(1));
    const __mmask8 moves = _mm_cmpgt_epu32_mask(run, _mm_set1_epi32(23));
    slim_place(run_at, _mm_maskz_mov_epi32((__mmask8)~moves, run));
    const __m256d kept = _mm256_cvtps_pd(slim_rounded(*level));
    *level = _mm256_mask_add_pd(*level, moves, kept, *drift);
    *drift = _mm256_maskz_mov_pd((__mmask8)~moves, *drift);
}

static inline __m256d slim_weekly_four(slim_group *g, __m256d *level, __m256d *all,
                                       __m256d *drift) {
    slim_bin b;
    for (ps_u32 i = 0; i < 4u; i++) {
        b.packed[i] = g->s[i]->packed + PS_SLIM_AT_WEEKLY + g->r[i]->hour;
        b.mean[i] = g->s[i]->word + PS_SLIM_OFFSETS + g->r[i]->hour;
    }
    slim_bin_get(&b, 0.15);
    const __m256d off = _mm256_sub_pd(_mm256_sub_pd(g->v, *level), b.kept);
    const __m256d spread = slim_half(b.own, *all);
    const __m256d part = slim_off(&b, off, slim_unit(spread, *level));
    const __m256d d = slim_lesson(&b, off, spread), size = slim_size(d);
    const __m256d follow = _mm256_max_pd(_mm256_set1_pd(0.01), g->young);
    const __m256d rest = _mm256_mul_pd(d, _mm256_sub_pd(_mm256_set1_pd(1.0), follow));
    slim_bin_put(&b, slim_towards(b.own, b.weight, size),
                 _mm256_add_pd(b.kept, _mm256_mul_pd(b.weight, rest)));
    *level = _mm256_add_pd(*level, _mm256_mul_pd(follow, d));
    *all = slim_towards(*all, _mm256_max_pd(_mm256_set1_pd(0.002), g->young), size);
    slim_reseat_four(g, off, level, *all, drift);
    return part;
}

/* The window of the last values and how far they spread. */
static inline void slim_follow_four(slim_group *g, __m256d *mean, __m256d *spread) {
    const __m256d d = _mm256_sub_pd(g->v, *mean);
    const __mmask8 bound = _mm_cmpgt_epu32_mask(g->t, _mm_set1_epi32(50)) &
                           _mm256_cmp_pd_mask(*spread, _mm256_setzero_pd(), _CMP_GT_OQ);
    const __m256d lesson =
        _mm256_mask_mov_pd(d, bound, slim_within(d, _mm256_mul_pd(_mm256_set1_pd(6.0), *spread)));
    const __m256d a = _mm256_max_pd(_mm256_set1_pd(0.002), g->young);
    *mean = _mm256_add_pd(*mean, _mm256_mul_pd(a, lesson));
    *spread = slim_towards(*spread, a, slim_size(lesson));
    _mm256_storeu_pd(g->unit, slim_unit(*spread, *mean));
    for (ps_u32 i = 0; i < 4u; i++) ps_slim_shift(g->s[i], ps_slim_rounded(g->r[i]->v));
}

static inline __m256d slim_range_four(const slim_group *g, __m256d *low, __m256d *high) {
    const __mmask8 above = _mm256_cmp_pd_mask(g->v, *high, _CMP_GT_OQ);
    const __mmask8 below = _mm256_cmp_pd_mask(g->v, *low, _CMP_LT_OQ) & (__mmask8)~above;
    const __m256d range = _mm256_add_pd(_mm256_sub_pd(*high, *low), _mm256_set1_pd(1e-9));
    const __m256d beyond = _mm256_mask_sub_pd(_mm256_sub_pd(*low, g->v), above, g->v, *high);
    const __m256d border = _mm256_mask_mov_pd(*low, above, *high);
    const __m256d unit =
        _mm256_add_pd(range, _mm256_mul_pd(_mm256_set1_pd(1e-3), slim_size(border)));
    *high = _mm256_mask_mov_pd(*high, above, g->v);
    *low = _mm256_mask_mov_pd(*low, below, g->v);
    return _mm256_maskz_div_pd(above | below, beyond, unit);
}

static inline void slim_start_four(slim_group *g) {
    for (ps_u32 i = 0; i < 4u; i++) {
        g->r[i]->t = g->s[i]->word[PS_SLIM_ROWS];
        g->r[i]->unit = ps_f64_from_bits(ps_slim_get64(g->s[i], PS_SLIM_UNIT)) * 1024.0;
        if (g->r[i]->t == 0u) ps_slim_first(g->s[i], g->r[i]->v);
    }
    g->t = _mm_setr_epi32((int)g->r[0]->t, (int)g->r[1]->t, (int)g->r[2]->t, (int)g->r[3]->t);
    g->v = _mm256_setr_pd(g->r[0]->v, g->r[1]->v, g->r[2]->v, g->r[3]->v);
    const __m256d one = _mm256_set1_pd(1.0);
    double young[4];
    g->young = _mm256_div_pd(one, _mm256_add_pd(_mm256_cvtepu32_pd(g->t), one));
    _mm256_storeu_pd(young, g->young);
    for (ps_u32 i = 0; i < 4u; i++) g->r[i]->young = young[i];
}

/* All of it. */
static inline void slim_rhythm_four(slim_group *g) {
    __m256d x[4], part[4];
    slim_start_four(g);
    slim_turn(g, PS_SLIM_DAY_SPREAD, x);
    part[PS_SLIM_DAILY] = slim_daily_four(g, &x[0]);
    part[PS_SLIM_WEEKLY] = slim_weekly_four(g, &x[1], &x[2], &x[3]);
    slim_turn_back(g, PS_SLIM_DAY_SPREAD, x);
    slim_turn(g, PS_SLIM_SHAPE_MEAN, x);
    slim_follow_four(g, &x[0], &x[1]);
    part[PS_SLIM_SHAPE] = _mm256_setzero_pd();
    part[PS_SLIM_RANGE] = slim_range_four(g, &x[2], &x[3]);
    slim_turn_back(g, PS_SLIM_SHAPE_MEAN, x);
    slim_square(part);
    for (ps_u32 i = 0; i < 4u; i++) _mm256_storeu_pd(g->a[i]->x, part[i]);
    slim_turn(g, PS_SLIM_SHORT, x);
    part[0] = slim_level_four(g, &x[0], &x[1], 2.0 / 289.0);
    part[1] = slim_level_four(g, &x[2], &x[3], 2.0 / 3001.0);
    part[2] = part[3] = _mm256_set1_pd(1.0);
    slim_turn_back(g, PS_SLIM_SHORT, x);
    slim_square(part);
    for (ps_u32 i = 0; i < 4u; i++) _mm256_storeu_pd(g->a[i]->second + 4, part[i]);
}

#endif
