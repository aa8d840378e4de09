/* SPDX-License-Identifier: Apache-2.0
 * Numbers of 24 bits in and out of their planes, sixteen at a time, and what lies in the tails of
 * the histograms they make up, in AVX-512.
 * Agrees: to the bit.
 */
#ifndef PS_SIMD_SLIM_PACK_AVX512_H
#define PS_SIMD_SLIM_PACK_AVX512_H

#include <immintrin.h>

#define PS_SLIM_PACKS
#include "kernels/slim_state.h"

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
        const ps_u32 bin = 7u - ps_slim_lesser(0xff, from, total);
        s->tail[c] = 8u * at + bin;
        s->above[c] = (ps_u32)_mm_cvtsi128_si32(_mm512_castsi512_si128(
            _mm512_permutexvar_epi32(_mm512_set1_epi32((int)bin + 1), from)));
    }
}

#endif
