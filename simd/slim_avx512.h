/* SPDX-License-Identifier: Apache-2.0
 * What kernel slim takes most of its time for, in AVX-512: eight logarithms at a time, and numbers
 * of 24 bits in and out of their planes, sixteen at a time.
 * Agrees: to the bit; the same operations in the same order.
 */
#ifndef PS_SIMD_SLIM_AVX512_H
#define PS_SIMD_SLIM_AVX512_H

#include <immintrin.h>

#define PS_LOG_OF_EIGHT
#define PS_SLIM_PACKS
#define PS_SLIM_SEARCHES
#include "kernels/log_table.h"
#include "kernels/slim_state.h"

static inline void ps_log_of_eight(double *x) {
    const __m512i bits = _mm512_loadu_si512(x);
    const __m512i at =
        _mm512_and_si512(_mm512_srli_epi64(bits, 45), _mm512_set1_epi64(126)); /* pairs */
    const __m512d e =
        _mm512_cvtepi64_pd(_mm512_sub_epi64(_mm512_srli_epi64(bits, 52), _mm512_set1_epi64(1023)));
    const __m512d m = _mm512_castsi512_pd(
        _mm512_or_si512(_mm512_and_si512(bits, _mm512_set1_epi64(0x000fffffffffffff)),
                        _mm512_set1_epi64(0x3ff0000000000000)));
    const __m512d reciprocal = _mm512_i64gather_pd(at, &ps_log_reciprocals[0][0], 8);
    const __m512d minus_log = _mm512_i64gather_pd(at, &ps_log_reciprocals[0][1], 8);
    const __m512d r = _mm512_sub_pd(_mm512_mul_pd(m, reciprocal), _mm512_set1_pd(1.0));
    const __m512d r2 = _mm512_mul_pd(r, r);
    const __m512d low = _mm512_sub_pd(r, _mm512_mul_pd(_mm512_set1_pd(0.5), r2));
    const __m512d third =
        _mm512_sub_pd(_mm512_set1_pd(1.0 / 3.0), _mm512_mul_pd(_mm512_set1_pd(0.25), r));
    const __m512d fifth =
        _mm512_sub_pd(_mm512_set1_pd(0.2), _mm512_mul_pd(r, _mm512_set1_pd(1.0 / 6.0)));
    const __m512d high = _mm512_add_pd(third, _mm512_mul_pd(r2, fifth));
    const __m512d whole =
        _mm512_add_pd(_mm512_mul_pd(e, _mm512_set1_pd(0.6931471805599453)), minus_log);
    const __m512d rest = _mm512_add_pd(low, _mm512_mul_pd(_mm512_mul_pd(r, r2), high));
    _mm512_storeu_pd(x, _mm512_add_pd(whole, rest));
}

/* Four numbers are twelve bytes, a quarter of a vector. The last eight are half a vector; what is
 * read behind them are the words of the state. */
static inline void ps_slim_unpack(ps_u32 *to, const ps_u64 *from) {
    const __m512i quarters = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
    const __m512i spread =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
    const ps_u8 *const bytes = (const ps_u8 *)from;
    for (ps_u32 i = 0; i < PS_SLIM_PACKED; i += 16u) {
        const __m512i packed = _mm512_loadu_si512(bytes + 3u * i);
        const __m512i x = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, packed), spread);
        const __mmask16 there = PS_SLIM_PACKED - i < 16u ? 0x00ff : 0xffff;
        _mm512_mask_storeu_epi32(to + i, there, x);
    }
}

static inline void ps_slim_pack(ps_u64 *to, const ps_u32 *from) {
    const __m512i quarters =
        _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
    const __m512i close = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    ps_u8 *const bytes = (ps_u8 *)to;
    for (ps_u32 i = 0; i < PS_SLIM_PACKED; i += 16u) {
        const __mmask16 there = PS_SLIM_PACKED - i < 16u ? 0x00ff : 0xffff;
        const __m512i x = _mm512_maskz_loadu_epi32(there, from + i);
        const __m512i packed = _mm512_permutexvar_epi32(quarters, _mm512_shuffle_epi8(x, close));
        const __mmask16 full = PS_SLIM_PACKED - i < 16u ? 0x003f : 0x0fff;
        _mm512_mask_storeu_epi32(bytes + 3u * i, full, packed);
    }
}

/* A histogram's octaves' sums, in its first twelve lanes: sums of numbers two lanes apart, of four
 * registers, then of neighbours, then of the halves of octaves. */
static inline __m512i ps_slim_octaves(const ps_u32 *h) {
    __m512i two[3], four[2];
    for (ps_u32 i = 0; i < 3u; i++) {
        const __m512i a = _mm512_loadu_si512(h + 32u * i), b = _mm512_loadu_si512(h + 32u * i + 16);
        two[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    }
    const __m512i none = _mm512_setzero_si512();
    four[0] = _mm512_add_epi32(_mm512_unpacklo_epi64(two[0], two[1]),
                               _mm512_unpackhi_epi64(two[0], two[1]));
    four[1] =
        _mm512_add_epi32(_mm512_unpacklo_epi64(two[2], none), _mm512_unpackhi_epi64(two[2], none));
    for (ps_u32 i = 0; i < 2u; i++)
        four[i] = _mm512_add_epi32(four[i], _mm512_shuffle_i64x2(four[i], four[i], 0xb1));
    const __m512i order =
        _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 18, 18, 18);
    return _mm512_permutex2var_epi32(four[0], order, four[1]);
}

/* Each lane's sum with all lanes above it. */
static inline __m512i ps_slim_from_here_on(__m512i x) {
    const __m512i none = _mm512_setzero_si512();
    x = _mm512_add_epi32(x, _mm512_alignr_epi32(none, x, 1));
    x = _mm512_add_epi32(x, _mm512_alignr_epi32(none, x, 2));
    x = _mm512_add_epi32(x, _mm512_alignr_epi32(none, x, 4));
    return _mm512_add_epi32(x, _mm512_alignr_epi32(none, x, 8));
}

/* How many of the lanes are less than a twentieth of `total`. */
static inline ps_u32 ps_slim_lesser(__mmask16 of, __m512i x, ps_u32 total) {
    const __m512i twenty = _mm512_mullo_epi32(x, _mm512_set1_epi32(20));
    const __mmask16 less = _mm512_mask_cmplt_epu32_mask(of, twenty, _mm512_set1_epi32((int)total));
    return (ps_u32)__builtin_popcount(less);
}

/* Sums from each bin on grow downwards, so the border, the last bin from which on there is a
 * twentieth, is found by counting those that have less: octaves, then bins of one. */
static inline void ps_slim_count(ps_slim_state *s) {
    for (ps_u32 c = 0; c < 4u; c++) {
        const ps_u32 *const h = s->packed + c * PS_SLIM_BINS;
        const __m512i octaves = ps_slim_octaves(h);
        const __m512i sums = ps_slim_from_here_on(octaves);
        const ps_u32 filled = _mm512_test_epi32_mask(octaves, octaves);
        const ps_u32 total = (ps_u32)_mm_cvtsi128_si32(_mm512_castsi512_si128(sums));
        _mm512_storeu_si512(s->higher[c], _mm512_alignr_epi32(_mm512_setzero_si512(), sums, 1));
        s->total[c] = total;
        s->top[c] = filled ? (31u - (ps_u32)__builtin_clz(filled)) * 8u + 7u : 7u;
        const ps_u32 at = 11u - ps_slim_lesser(0xffe, sums, total);
        const ps_u32 beyond = s->higher[c][at];
        const __m512i bins = _mm512_maskz_loadu_epi32(0x00ff, h + 8u * at);
        const __m512i from =
            _mm512_add_epi32(ps_slim_from_here_on(bins), _mm512_set1_epi32((int)beyond));
        const ps_u32 bin = 7u - ps_slim_lesser(at ? 0xff : 0xfe, from, total);
        s->tail[c] = 8u * at + bin;
        s->above[c] = (ps_u32)_mm_cvtsi128_si32(_mm512_castsi512_si128(
            _mm512_permutexvar_epi32(_mm512_set1_epi32((int)bin + 1), from)));
    }
}

/* Past the caches, but for what is in front of the first whole line and behind the last. */
static inline void ps_slim_stream(ps_u64 *to, const ps_u64 *from, ps_u32 count) {
    ps_u32 i = 0;
    for (; i < count && ((uintptr_t)(to + i) & 63u) != 0u; i++) to[i] = from[i];
    for (; i + 8u <= count; i += 8u)
        _mm512_stream_si512((__m512i *)(void *)(to + i), _mm512_loadu_si512(from + i));
    for (; i < count; i++) to[i] = from[i];
}
static inline void ps_slim_streamed(void) {
    _mm_sfence();
}

/* Distances as floats, which are right to a part in a million, say which prototypes may be the
 * nearest: mostly one. */
static inline ps_u32 ps_slim_near(const ps_slim_state *s, ps_u32 banked) {
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
    const ps_u32 there = (ps_u32)(((ps_u64)1 << banked) - 1u);
    low = _mm512_mask_mov_ps(far, (__mmask16)there, low);
    high = _mm512_mask_mov_ps(far, (__mmask16)(there >> 16), high);
    const float least = _mm512_reduce_min_ps(_mm512_min_ps(low, high));
    if (!(least < 1e30f)) return there; /* squares may be infinite */
    const float margin = least * 1.00001f;
    const __m512 limit = _mm512_set1_ps(margin > 1e-30f ? margin : 1e-30f);
    return (ps_u32)_mm512_cmp_ps_mask(low, limit, _CMP_LE_OQ) |
           (ps_u32)_mm512_cmp_ps_mask(high, limit, _CMP_LE_OQ) << 16;
}

/* The reference's own keys, of these few. */
static inline ps_u32 ps_slim_nearest(const ps_slim_state *s, double scale, double *distance) {
    ps_u64 least = 0x7ff0000000000000u;
    ps_u32 near = ps_slim_near(s, s->word[PS_SLIM_BANKED]);
    for (; near != 0u; near &= near - 1u) {
        const ps_u32 i = (ps_u32)__builtin_ctz(near), at = PS_SLIM_BANK + i;
        double square[4];
        for (ps_u32 k = 0; k < 4u; k++) {
            const double w = ps_slim_get(s, PS_SLIM_WINDOW + k);
            const double a = (w - ps_slim_get(s, at + k * PS_SLIM_PROTOTYPES)) * scale;
            square[k] = a * a;
        }
        const double far = (square[0] + square[1]) + (square[2] + square[3]);
        const ps_u64 key = (ps_f64_to_bits(far) & ~(ps_u64)31u) | i;
        least = key < least ? key : least;
    }
    *distance = ps_sqrt(ps_f64_from_bits(least & ~(ps_u64)31u) * 0.25);
    return (ps_u32)least & 31u;
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
