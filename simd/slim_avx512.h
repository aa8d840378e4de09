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

static inline void ps_slim_stream(ps_u64 *to, const ps_u64 *from, ps_u32 count) {
    for (ps_u32 i = 0; i < count; i++) _mm_stream_si64((long long *)(to + i), (long long)from[i]);
}
static inline void ps_slim_streamed(void) {
    _mm_sfence();
}

#endif
