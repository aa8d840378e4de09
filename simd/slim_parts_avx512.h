/* SPDX-License-Identifier: Apache-2.0
 * Two of kernel slim's parts with what they are made of side by side: the envelopes of four moving
 * averages, and the deviations from two levels; and what a row's parts come to. Behind
 * kernels/slim.c.
 * Agrees: to the bit; the same operations in the same order.
 */
#ifndef PS_SIMD_SLIM_PARTS_AVX512_H
#define PS_SIMD_SLIM_PARTS_AVX512_H

#include <immintrin.h>

static inline __m256d slim_four(const ps_u32 *word) {
    return _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)word));
}

/* The logarithms of those that lie outside, which are few. */
static inline double slim_outside(__mmask8 outside, __m256d out, __m256d range) {
    const __m256d far = _mm256_div_pd(_mm256_div_pd(out, range), _mm256_set1_pd(0.03));
    double x[4], sum = 0.0;
    _mm256_storeu_pd(x, _mm256_add_pd(_mm256_set1_pd(1.0), far));
    for (ps_u32 rest = outside; rest != 0u; rest &= rest - 1u)
        sum += ps_log_of(x[__builtin_ctz(rest)]);
    return sum;
}

static inline void slim_put(ps_u32 *word, __mmask8 which, const ps_u32 *bits) {
    for (ps_u32 rest = which; rest != 0u; rest &= rest - 1u) {
        const ps_u32 k = (ps_u32)__builtin_ctz(rest);
        word[k * PS_SLIM_BLOCKS] = bits[k];
    }
}

static inline void slim_envelope(ps_slim_state *s, ps_slim_row *r) {
    const ps_u32 shift = r->block * 4u, seen = s->word[PS_SLIM_SEEN] >> shift & 15u;
    const __m256d weight = _mm256_max_pd(_mm256_loadu_pd(ps_slim_weight), _mm256_set1_pd(r->young));
    const __m256d before = slim_four(s->word + PS_SLIM_AVERAGE);
    const __m256d step = _mm256_mul_pd(weight, _mm256_sub_pd(_mm256_set1_pd(r->v), before));
    const __m128 kept = slim_rounded(_mm256_add_pd(before, step));
    const __m256d e = _mm256_cvtps_pd(kept);
    ps_u32 *const lows = s->word + PS_SLIM_LOW + r->block;
    ps_u32 *const highs = s->word + PS_SLIM_HIGH + r->block;
    const __m128i each = _mm_setr_epi32(0, PS_SLIM_BLOCKS, 2 * PS_SLIM_BLOCKS, 3 * PS_SLIM_BLOCKS);
    const __m256d low = _mm256_cvtps_pd(_mm_i32gather_ps((const float *)(void *)lows, each, 4));
    const __m256d high = _mm256_cvtps_pd(_mm_i32gather_ps((const float *)(void *)highs, each, 4));
    const __m256d least = slim_four(s->word + PS_SLIM_LEAST);
    const __m256d greatest = slim_four(s->word + PS_SLIM_GREATEST);
    const __mmask8 above = _mm256_cmp_pd_mask(e, high, _CMP_GT_OQ);
    const __mmask8 below = _mm256_cmp_pd_mask(e, low, _CMP_LT_OQ);
    ps_u32 bits[4];
    _mm_storeu_ps((float *)(void *)bits, kept);
    _mm_storeu_ps((float *)(void *)(s->word + PS_SLIM_AVERAGE), kept);
    _mm_mask_storeu_ps(s->word + PS_SLIM_GREATEST, _mm256_cmp_pd_mask(e, greatest, _CMP_GT_OQ),
                       kept);
    _mm_mask_storeu_ps(s->word + PS_SLIM_LEAST, _mm256_cmp_pd_mask(e, least, _CMP_LT_OQ), kept);
    r->part[PS_SLIM_ENVELOPE] = 0.0;
    if (seen < 15u) s->word[PS_SLIM_SEEN] += 1u << shift;
    const __mmask8 outside = above | below;
    if (seen != 0u && outside == 0u) return;
    slim_put(lows, seen == 0u ? 0xf : below, bits);
    slim_put(highs, seen == 0u ? 0xf : above, bits);
    if (seen < 6u) return;
    const __m256d out = _mm256_mask_sub_pd(_mm256_sub_pd(low, e), above, e, high);
    const __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), greatest);
    const __m256d range =
        _mm256_add_pd(_mm256_add_pd(_mm256_sub_pd(greatest, least), _mm256_set1_pd(1e-9)),
                      _mm256_mul_pd(_mm256_set1_pd(1e-3), size));
    r->part[PS_SLIM_ENVELOPE] = slim_outside(outside, out, range);
}

/* Weighs the parts; their sum, and which of them is the greatest, the lowest of equals. */
static inline float slim_sum(ps_slim_row *r, const ps_slim_params *p, ps_u8 *channel) {
    const __mmask8 six = (1u << PS_SLIM_CHANNELS) - 1u;
    const __m512d weights = _mm512_setr_pd(p->calibrated, p->calibrated, p->calibrated,
                                           p->calibrated, p->envelope, p->level, 0.0, 0.0);
    const __m512d x = _mm512_mul_pd(_mm512_maskz_loadu_pd(six, r->part), weights);
    const __m512d most = _mm512_set1_pd(_mm512_reduce_max_pd(x));
    double part[8], sum = 0.0;
    _mm512_storeu_pd(part, x);
    for (ps_u32 i = 0; i < PS_SLIM_CHANNELS; i++) sum += part[i];
    *channel = (ps_u8)__builtin_ctz(_mm512_mask_cmp_pd_mask(six, x, most, _CMP_EQ_OQ));
    return (float)(sum < PS_SCORE_MAX ? ps_slim_larger(sum, 0.0) : PS_SCORE_MAX);
}

#endif
