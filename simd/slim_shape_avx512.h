/* SPDX-License-Identifier: Apache-2.0
 * What kernel slim does with its prototypes, in AVX-512.
 * Agrees: to the bit.
 */
#ifndef PS_SIMD_SLIM_SHAPE_AVX512_H
#define PS_SIMD_SLIM_SHAPE_AVX512_H

#include <immintrin.h>

#define PS_SLIM_SEARCHES
#include "kernels/slim_state.h"

/* Distances as floats, which are right to a part in a million, say which prototypes may be the
 * nearest: mostly one. */
static inline ps_u32 slim_near(const ps_slim_state *s) {
    const __m512 far = _mm512_set1_ps(__builtin_inff());
    __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
    for (ps_u32 k = 0; k < 4u; k++) {
        const ps_u32 *const bank = s->word + PS_SLIM_BANK + k * PS_SLIM_PROTOTYPES;
        const __m512 w = _mm512_set1_ps(ps_f32_from_bits(s->word[PS_SLIM_WINDOW + k]));
        const __m512 a = _mm512_sub_ps(w, _mm512_loadu_ps(bank));
        const __m512 b = _mm512_sub_ps(w, _mm512_loadu_ps(bank + 16));
        low = _mm512_fmadd_ps(a, a, low);
        high = _mm512_fmadd_ps(b, b, high);
    }
    const ps_u32 there = (ps_u32)(((ps_u64)1 << s->word[PS_SLIM_BANKED]) - 1u);
    low = _mm512_mask_mov_ps(far, (__mmask16)there, low);
    high = _mm512_mask_mov_ps(far, (__mmask16)(there >> 16), high);
    const float least = _mm512_reduce_min_ps(_mm512_min_ps(low, high));
    if (!(least < 1e30f)) return there; /* squares may be infinite */
    const float margin = least * 1.00001f;
    const __m512 limit = _mm512_set1_ps(margin > 1e-30f ? margin : 1e-30f);
    return (ps_u32)_mm512_cmp_ps_mask(low, limit, _CMP_LE_OQ) |
           (ps_u32)_mm512_cmp_ps_mask(high, limit, _CMP_LE_OQ) << 16;
}

/* As they are kept: ps_slim_rounded(). */
static inline __m128 slim_rounded(__m256d x) {
    const __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
    const __mmask8 counts =
        _mm256_cmp_pd_mask(size, _mm256_set1_pd(1.1754943508222875e-38), _CMP_NLT_UQ);
    return _mm_maskz_mov_ps(counts, _mm256_cvtpd_ps(x));
}

static inline __m256d slim_prototype(const ps_u32 *at) {
    return _mm256_cvtps_pd(_mm_castsi128_ps(_mm_setr_epi32((int)at[0], (int)at[PS_SLIM_PROTOTYPES],
                                                           (int)at[2 * PS_SLIM_PROTOTYPES],
                                                           (int)at[3 * PS_SLIM_PROTOTYPES])));
}

/* The reference's own keys, of these few. */
static inline ps_u32 slim_nearest(const ps_slim_state *s, ps_u32 near, double scale,
                                  double *distance) {
    const __m256d w =
        _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)(s->word + PS_SLIM_WINDOW)));
    ps_u64 least = 0x7ff0000000000000u;
    for (; near != 0u; near &= near - 1u) {
        const ps_u32 i = (ps_u32)__builtin_ctz(near);
        const __m256d p = slim_prototype(s->word + PS_SLIM_BANK + i);
        const __m256d a = _mm256_mul_pd(_mm256_sub_pd(w, p), _mm256_set1_pd(scale));
        const __m256d squares = _mm256_mul_pd(a, a);
        const __m256d pairs = _mm256_hadd_pd(squares, squares);
        const __m128d far =
            _mm_add_pd(_mm256_castpd256_pd128(pairs), _mm256_extractf128_pd(pairs, 1));
        const ps_u64 key = (ps_f64_to_bits(_mm_cvtsd_f64(far)) & ~(ps_u64)31u) | i;
        least = key < least ? key : least;
    }
    *distance = ps_sqrt(ps_f64_from_bits(least & ~(ps_u64)31u) * 0.25);
    return (ps_u32)least & 31u;
}

static inline ps_u32 ps_slim_nearest(const ps_slim_state *s, double scale, double *distance) {
    return slim_nearest(s, slim_near(s), scale, distance);
}

/* One store: what is written in parts and read as a whole is waited for. */
static inline void ps_slim_shift(ps_slim_state *s, ps_u32 newest) {
    __m128i *const window = (__m128i *)(void *)(s->word + PS_SLIM_WINDOW);
    const __m128i last = _mm_cvtsi32_si128((int)newest);
    _mm_storeu_si128(window, _mm_alignr_epi8(last, _mm_loadu_si128(window), 4));
}

static inline void ps_slim_draw(ps_slim_state *s, ps_u32 to, ps_u32 known) {
    ps_u32 *const at = s->word + PS_SLIM_BANK + to;
    const __m256d w =
        _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)(s->word + PS_SLIM_WINDOW)));
    const __m256d p = slim_prototype(at);
    const __m256d step = _mm256_mul_pd(_mm256_set1_pd(0.05), _mm256_sub_pd(w, p));
    const __m256d to_be = known ? _mm256_add_pd(p, step) : w;
    ps_u32 bits[4];
    _mm_storeu_ps((float *)(void *)bits, slim_rounded(to_be));
    for (ps_u32 k = 0; k < 4u; k++) at[k * PS_SLIM_PROTOTYPES] = bits[k];
}

static inline ps_u32 ps_slim_least_used(const ps_slim_state *s) {
    const __m512i low = _mm512_loadu_si512(s->word + PS_SLIM_USES);
    const __m512i high = _mm512_loadu_si512(s->word + PS_SLIM_USES + 16);
    const __m512i least =
        _mm512_set1_epi32((int)_mm512_reduce_min_epu32(_mm512_min_epu32(low, high)));
    return (ps_u32)__builtin_ctz((ps_u32)_mm512_cmpeq_epi32_mask(low, least) |
                                 (ps_u32)_mm512_cmpeq_epi32_mask(high, least) << 16);
}

#endif
