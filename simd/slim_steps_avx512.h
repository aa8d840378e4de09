/* SPDX-License-Identifier: Apache-2.0
 * Two steps of kernel slim with its four channels in the lanes of a vector: looking up in the
 * histograms, and concluding and learning. Behind kernels/slim.c, whose parts they call where a
 * channel goes its own way.
 * Agrees: to the bit; the same operations in the same order.
 */
#ifndef PS_SIMD_SLIM_STEPS_AVX512_H
#define PS_SIMD_SLIM_STEPS_AVX512_H

#include <immintrin.h>

/* A number out of each histogram. */
static inline __m128i slim_at(const ps_slim_state *s, __m128i bins) {
    const __m128i begins = _mm_setr_epi32(0, PS_SLIM_BINS, 2 * PS_SLIM_BINS, 3 * PS_SLIM_BINS);
    return _mm_i32gather_epi32((const int *)s->packed, _mm_add_epi32(begins, bins), 4);
}

/* The counts of each bin's octave above the bin. */
static inline __m128i slim_octaves_above(const ps_slim_state *s, const ps_u32 *bin) {
    __m256i part[4];
    for (ps_u32 c = 0; c < 4u; c++) {
        const __mmask8 above = (__mmask8)(0xfeu << (bin[c] & 7u));
        part[c] = _mm256_maskz_loadu_epi32(above, s->packed + c * PS_SLIM_BINS + (bin[c] & ~7u));
    }
    const __m256i low = _mm256_hadd_epi32(part[0], part[1]);
    const __m256i high = _mm256_hadd_epi32(part[2], part[3]);
    const __m256i sums = _mm256_hadd_epi32(low, high);
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

/* Channels whose deviation lies beyond the border of the histogram's tail. */
static inline __mmask8 slim_beyond(const ps_slim_state *s, __m256d v) {
    const __m128i edges = _mm_slli_epi32(_mm_loadu_si128((const __m128i *)s->tail), 1);
    const __m256d eighth =
        _mm256_i32gather_pd(ps_slim_eighth, _mm_and_si128(edges, _mm_set1_epi32(7)), 8);
    const __m256i power =
        _mm256_cvtepu32_epi64(_mm_add_epi32(_mm_srli_epi32(edges, 3), _mm_set1_epi32(1015)));
    const __m256d edge = _mm256_mul_pd(eighth, _mm256_castsi256_pd(_mm256_slli_epi64(power, 52)));
    return _mm256_cmp_pd_mask(v, edge, _CMP_GT_OQ);
}

static inline __m512d slim_halves(__m256d low, __m256d high) {
    return _mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1);
}

/* Vectors are put together in registers: one that lies in memory in parts that were just written
 * is waited for. */
static inline void slim_ask(ps_slim_row *r, ps_slim_asked *a) {
    const __m256d shape = _mm256_set1_pd(r->part[PS_SLIM_SHAPE]);
    const __m256d v = _mm256_blend_pd(_mm256_loadu_pd(a->x), shape, 1 << PS_SLIM_SHAPE);
    _mm256_storeu_pd(r->part, v);
    const __m512d of =
        slim_halves(_mm256_add_pd(v, _mm256_set1_pd(1e-12)), _mm256_add_pd(_mm256_set1_pd(1.0), v));
    _mm512_storeu_pd(a->first, ps_slim_logs(of));
}

static inline void slim_answer(ps_slim_asked *a) {
    const __m256d low = _mm256_loadu_pd(a->second), high = _mm256_loadu_pd(a->second + 4);
    _mm512_storeu_pd(a->second, ps_slim_logs(slim_halves(low, high)));
}

static inline void slim_look(const ps_slim_state *s, const ps_slim_row *r, ps_slim_asked *a) {
    const __m256d v = _mm256_loadu_pd(r->part), unit = _mm256_set1_pd(r->unit);
    const __m256d log_v = _mm256_loadu_pd(a->first);
    const __m256d eighths =
        _mm256_mul_pd(_mm256_add_pd(_mm256_mul_pd(log_v, _mm256_set1_pd(1.4426950408889634)),
                                    _mm256_set1_pd(8.0)),
                      _mm256_set1_pd(4.0));
    const __mmask8 counts = _mm256_cmp_pd_mask(v, _mm256_set1_pd(0.00390624), _CMP_GT_OQ);
    const __m256d low = _mm256_maskz_max_pd(counts, eighths, _mm256_setzero_pd());
    const __m256d x = _mm256_min_pd(_mm256_set1_pd(94.999), low);
    _mm256_storeu_pd(a->x, x);
    _mm256_storeu_pd(a->second, _mm256_set1_pd(1.0));
    if (r->t < 30u) return;
    const __m128i bins = _mm256_cvttpd_epi32(x);
    ps_u32 bin[4];
    _mm_storeu_si128((__m128i *)bin, bins);
    const __m128i higher =
        _mm_setr_epi32((int)s->higher[0][bin[0] >> 3], (int)s->higher[1][bin[1] >> 3],
                       (int)s->higher[2][bin[2] >> 3], (int)s->higher[3][bin[3] >> 3]);
    const __m256d above = _mm256_cvtepu32_pd(_mm_add_epi32(slim_octaves_above(s, bin), higher));
    const __m256d rest =
        _mm256_sub_pd(_mm256_set1_pd(1.0), _mm256_sub_pd(x, _mm256_cvtepi32_pd(bins)));
    const __m256d more =
        _mm256_add_pd(above, _mm256_mul_pd(_mm256_cvtepu32_pd(slim_at(s, bins)), rest));
    const __m256d total = _mm256_cvtepu32_pd(_mm_loadu_si128((const __m128i *)s->total));
    const __m256d p = _mm256_div_pd(_mm256_add_pd(more, _mm256_mul_pd(unit, _mm256_set1_pd(0.5))),
                                    _mm256_add_pd(total, unit));
    __m256d best = p;
    double plain[4];
    _mm256_storeu_pd(plain, p);
    for (ps_u32 beyond = slim_beyond(s, v); beyond != 0u; beyond &= beyond - 1u) {
        const ps_u32 c = (ps_u32)__builtin_ctz(beyond);
        const double own = ps_slim_beyond(s, c, r->part[c], plain[c]);
        best = _mm256_mask_mov_pd(best, (__mmask8)(1u << c), _mm256_set1_pd(own));
    }
    _mm256_storeu_pd(a->second, _mm256_max_pd(best, _mm256_set1_pd(1e-20)));
}

static inline void slim_learn(ps_slim_state *s, const ps_slim_row *r, const ps_slim_asked *a) {
    const __m128i bins = _mm256_cvttpd_epi32(_mm256_loadu_pd(a->x));
    const ps_u32 unit = (ps_u32)(r->unit + 0.5);
    const __m128i units = _mm_set1_epi32((int)unit);
    ps_u32 bin[4];
    _mm_storeu_si128((__m128i *)bin, bins);
    for (ps_u32 c = 0; c < 4u; c++) {
        const __mmask16 lower = (__mmask16)((1u << (bin[c] >> 3)) - 1u);
        const __m512i higher = _mm512_loadu_si512(s->higher[c]);
        s->packed[c * PS_SLIM_BINS + bin[c]] += unit;
        _mm512_storeu_si512(s->higher[c], _mm512_mask_add_epi32(higher, lower, higher,
                                                                _mm512_set1_epi32((int)unit)));
    }
    const __m128i tail = _mm_loadu_si128((const __m128i *)s->tail);
    const __m128i total = _mm_add_epi32(_mm_loadu_si128((const __m128i *)s->total), units);
    const __m128i before = _mm_loadu_si128((const __m128i *)s->above);
    const __m128i above =
        _mm_mask_add_epi32(before, _mm_cmpgt_epu32_mask(bins, tail), before, units);
    const __m128i top = _mm_max_epu32(_mm_loadu_si128((const __m128i *)s->top), bins);
    _mm_storeu_si128((__m128i *)s->total, total);
    _mm_storeu_si128((__m128i *)s->above, above);
    _mm_storeu_si128((__m128i *)s->top, top);
    /* Whether a border moves: the two conditions of ps_slim_settle(), but for its ends. */
    const __m128i twenty = _mm_set1_epi32(20);
    const __m128i with = _mm_mullo_epi32(_mm_add_epi32(above, slim_at(s, tail)), twenty);
    const ps_u32 moves = (ps_u32)_mm_cmplt_epu32_mask(with, total) |
                         (ps_u32)_mm_cmpge_epu32_mask(_mm_mullo_epi32(above, twenty), total);
    for (ps_u32 c = 0; c < 4u && moves != 0u; c++) ps_slim_settle(s, c);
}

static inline void slim_conclude(ps_slim_state *s, ps_slim_row *r, const ps_slim_asked *a) {
    const __m256d total = _mm256_cvtepu32_pd(_mm_loadu_si128((const __m128i *)s->total));
    const __m256d prior =
        _mm256_mul_pd(_mm256_set1_pd(-900.0 * r->unit), _mm256_loadu_pd(a->first + 4));
    const __m256d blend =
        _mm256_div_pd(_mm256_add_pd(prior, _mm256_mul_pd(total, _mm256_loadu_pd(a->second))),
                      _mm256_add_pd(_mm256_set1_pd(300.0 * r->unit), total));
    const __m256d u = _mm256_max_pd(_mm256_mul_pd(blend, _mm256_set1_pd(-0.4342944819032518)),
                                    _mm256_setzero_pd());
    const __mmask8 counts = r->t >= 30u ? 0xf : 0;
    _mm256_storeu_pd(r->part, _mm256_maskz_min_pd(counts, u, _mm256_set1_pd(20.0)));
    r->part[PS_SLIM_LEVEL] = a->second[4] * 0.4342944819032518 + a->second[5] * 0.4342944819032518;
    slim_learn(s, r, a);
}

#endif
