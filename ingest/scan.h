/* SPDX-License-Identifier: Apache-2.0
 * Bytes inside a JSON string: finds the first that is not plain, sixteen at a time. SSE2 and NEON
 * are part of every x86-64 and AArch64, so there is nothing to dispatch.
 */
#ifndef PS_INGEST_SCAN_H
#define PS_INGEST_SCAN_H

#include <stdint.h>

#include "host/base/limits.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* Ends a run of plain text: a quote, a backslash, a control character, a byte beyond ASCII. */
static inline int ps_scan_special(uint8_t byte) {
    return byte == '"' || byte == '\\' || byte < 0x20 || byte >= 0x80;
}

/* The first special byte from `p` on, or any place at or behind `end`. Reads up to 15 bytes behind
 * `end`. */
static inline const uint8_t *ps_scan_plain(const uint8_t *p, const uint8_t *end) {
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    for (; p < end; p += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, control), v);
        const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), low),
                                           _mm_or_si128(_mm_cmpeq_epi8(v, slash), v));
        const unsigned mask = (unsigned)_mm_movemask_epi8(found);
        if (mask != 0) return p + __builtin_ctz(mask);
    }
#elif defined(__ARM_NEON)
    for (; p < end; p += 16) {
        const uint8x16_t v = vld1q_u8(p);
        const uint8x16_t found =
            vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\'))),
                     vorrq_u8(vcltq_u8(v, vdupq_n_u8(0x20)), vcgeq_u8(v, vdupq_n_u8(0x80))));
        /* Four bits a byte: NEON has no movemask. */
        const uint64_t mask =
            vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(found), 4)), 0);
        if (mask != 0) return p + (__builtin_ctzll(mask) >> 2);
    }
#else
    while (p < end && !ps_scan_special(*p)) p++;
#endif
    return p;
}

/* Which of 16 bytes are digits, one bit each. */
static inline uint32_t ps_scan_digits(const uint8_t *p) {
#if defined(__SSE2__)
    const __m128i v =
        _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_set1_epi8('0'));
    const __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v);
    return (uint32_t)_mm_movemask_epi8(digit);
#else
    uint32_t digits = 0;
    for (uint32_t i = 0; i < 16; i++) digits |= (uint32_t)((uint8_t)(p[i] - '0') <= 9) << i;
    return digits;
#endif
}

/* Which of 32 bytes are equal, one bit each. */
static inline uint32_t ps_scan_equal(const uint8_t *a, const uint8_t *b) {
#if defined(__SSE2__)
    const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)a),
                                       _mm_loadu_si128((const __m128i *)(const void *)b));
    const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(a + 16)),
                                        _mm_loadu_si128((const __m128i *)(const void *)(b + 16)));
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
#else
    uint32_t equal = 0;
    for (uint32_t i = 0; i < 32; i++) equal |= (uint32_t)(a[i] == b[i]) << i;
    return equal;
#endif
}

/* Bytes of the UTF-8 sequence at `p`, 1 to 4; 0: not UTF-8; -1: `end` cuts one that began well.
 * Source: Unicode 15, table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF. */
static inline int ps_scan_utf8(const uint8_t *p, const uint8_t *end) {
    const uint8_t lead = *p;
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    const int length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint8_t low = 0x80, high = 0xbf;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    for (int i = 1; i < length; i++) {
        if (p + i >= end) return -1;
        if (p[i] < low || p[i] > high) return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

#endif
