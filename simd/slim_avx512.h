/* SPDX-License-Identifier: Apache-2.0
 * Eight logarithms at a time, in AVX-512, and stores past the caches.
 * Agrees: to the bit; the same operations in the same order.
 */
#ifndef PS_SIMD_SLIM_AVX512_H
#define PS_SIMD_SLIM_AVX512_H

#include <immintrin.h>

#define PS_LOG_OF_EIGHT
#include "kernels/log_table.h"
#include "simd/slim_pack_avx512.h"
#include "simd/slim_shape_avx512.h"

static inline __m512d ps_slim_logs(__m512d x) {
    const __m512i bits = _mm512_castpd_si512(x);
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
    return _mm512_add_pd(whole, rest);
}
static inline void ps_log_of_eight(double *x) {
    _mm512_storeu_pd(x, ps_slim_logs(_mm512_loadu_pd(x)));
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

#endif
