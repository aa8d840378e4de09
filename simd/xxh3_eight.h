/* SPDX-License-Identifier: Apache-2.0
 * XXH3 of records of 9 to 128 bytes, eight side by side with AVX-512. Such a record is 16 bytes
 * from its begin and 16 up to its end, then the next 16 from either side, as long as they meet;
 * what a shorter record has too much is masked, so that no row branches on its length. Included by
 * xxh3_lanes.inc behind hash_row().
 * Agrees: to the bit.
 */
#ifndef PS_SIMD_XXH3_EIGHT_H
#define PS_SIMD_XXH3_EIGHT_H

#include <immintrin.h>

#include "kernels/xxh3_short.h"
#include "simd/unroll.h"
#include "simd/vec_avx512.h"

enum { EIGHT = 8, EIGHT_LEAST = 17, EIGHT_MOST = 128, EIGHT_BEFORE = 64 };

static inline __m512i eight_of(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}

/* The lower half of each 128-bit product, added without carry to the upper. */
static inline __m512i fold_eight(__m512i a, __m512i b) {
    const __m512i a_high = _mm512_srli_epi64(a, 32), b_high = _mm512_srli_epi64(b, 32);
    const __m512i low = _mm512_mul_epu32(a, b), high = _mm512_mul_epu32(a_high, b_high);
    const __m512i first = _mm512_add_epi64(_mm512_mul_epu32(a, b_high), _mm512_srli_epi64(low, 32));
    const __m512i second = _mm512_add_epi64(_mm512_mul_epu32(a_high, b),
                                            _mm512_and_si512(first, eight_of(0xFFFFFFFF)));
    const __m512i carried =
        _mm512_add_epi64(_mm512_srli_epi64(first, 32), _mm512_srli_epi64(second, 32));
    /* The product's lower half: the lower words of `low` and of `second`. */
    const __m512i lower = _mm512_mask_shuffle_epi32(low, 0xAAAA, second, (_MM_PERM_ENUM)0xA0);
    return _mm512_xor_si512(_mm512_add_epi64(high, carried), lower);
}

/* 16 bytes of each row, at[i] behind `from`, as two words. */
static inline __attribute__((always_inline)) void load_eight(__m512i word[2], const uint8_t *from,
                                                             const uint64_t *at) {
    /* Read again every time: kept, the places would take more registers than there are. */
    __asm__("" : "+r"(at));
    const __m512i even = v32_parts(from + at[0], from + at[2], from + at[4], from + at[6]);
    const __m512i odd = v32_parts(from + at[1], from + at[3], from + at[5], from + at[7]);
    word[0] = _mm512_unpacklo_epi64(even, odd);
    word[1] = _mm512_unpackhi_epi64(even, odd);
}

/* ps_xxh3_mix16() of two words. */
static inline __attribute__((always_inline)) __m512i mix_eight(const __m512i word[2],
                                                               const uint8_t *secret) {
    return fold_eight(_mm512_xor_si512(word[0], eight_of(ps_read64(secret))),
                      _mm512_xor_si512(word[1], eight_of(ps_read64(secret + 8))));
}

/* Rows of EIGHT_LEAST to 32 * pairs bytes which end EIGHT_BEFORE bytes or more behind `bytes`. */
static inline __attribute__((always_inline)) void hash_eight(uint64_t *out, const uint8_t *bytes,
                                                             const uint32_t *begin,
                                                             const uint32_t *length, int pairs) {
    uint64_t at[EIGHT] __attribute__((aligned(64))), ends[EIGHT] __attribute__((aligned(64)));
    const uint8_t *secret = ps_xxh3_secret;
    const __m512i size = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)length));
    const __m512i from = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)begin));
    __m512i hash = _mm512_mullo_epi64(size, eight_of(PS_XXH_PRIME64_1));
    _mm512_store_si512(at, from);
    _mm512_store_si512(ends, _mm512_add_epi64(from, size));
    /* Places and keys are read from memory again and again: there are not registers enough. */
    __asm__("" : "+r"(secret) : "r"(at), "r"(ends) : "memory");
    PS_UNROLL for (int i = 0; i < pairs; i++) {
        __m512i first[2], last[2];
        load_eight(first, bytes + 16 * i, at);
        load_eight(last, bytes - 16 * (i + 1), ends);
        const __mmask8 has = _mm512_cmpgt_epu64_mask(size, eight_of(32 * (uint64_t)i));
        const __m512i sum = _mm512_add_epi64(mix_eight(first, secret + 32 * i),
                                             mix_eight(last, secret + 32 * i + 16));
        hash = _mm512_mask_add_epi64(hash, has, hash, sum);
    }
    hash = _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 37));
    hash = _mm512_mullo_epi64(hash, eight_of(PS_XXH_MIX_1));
    _mm512_storeu_si512(out, _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 32)));
}

static inline __attribute__((always_inline)) uint32_t hash_groups(const rows *r, uint32_t count,
                                                                  int pairs) {
    uint32_t i = 0;
    for (; i + EIGHT <= count; i += EIGHT)
        hash_eight(r->out + i, r->bytes, r->begin + i, r->length + i, pairs);
    return i;
}

static inline bool some_differ(const rows *r, uint32_t count, uint32_t *most) {
    uint32_t others = 0, longest = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t length = r->length[i];
        longest = length > longest ? length : longest;
        others |= (length < EIGHT_LEAST) | (r->begin[i] + length < EIGHT_BEFORE);
    }
    *most = longest;
    return others != 0 || longest > EIGHT_MOST;
}

/* How many of the rows are hashed side by side: none where one of them does not fit. */
static __attribute__((noinline)) uint32_t hash_together(const rows *r, uint32_t count) {
    uint32_t most = 0;
    /* The first few rows mostly show it. */
    if (count < EIGHT || some_differ(r, EIGHT, &most) || some_differ(r, count, &most)) return 0;
    if (most <= 32) return hash_groups(r, count, 1);
    if (most <= 64) return hash_groups(r, count, 2);
    return most <= 96 ? hash_groups(r, count, 3) : hash_groups(r, count, 4);
}

#endif
