/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "host/flow/shortest.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "68697071727374757677787980818283848586878889909192939495969798"
                            "99";

static uint32_t digit_count(uint64_t value) {
    uint32_t count = 1;
    for (;;) {
        if (value < 10) return count;
        if (value < 100) return count + 1;
        if (value < 1000) return count + 2;
        if (value < 10000) return count + 3;
        value /= 10000;
        count += 4;
    }
}

uint32_t ps_decimal_i64(int64_t value, char *text) {
    const bool negative = value < 0;
    uint64_t rest = negative ? 0 - (uint64_t)value : (uint64_t)value;
    if (negative) *text = '-';
    const uint32_t length = digit_count(rest) + negative;
    char *at = text + length;
    while (rest >= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (rest % 100), 2);
        rest /= 100;
    }
    if (rest >= 10)
        memcpy(at - 2, pairs + 2 * rest, 2);
    else
        at[-1] = (char)('0' + rest);
    return length;
}

/* Nine digits or fewer, with the zeros in front. */
static void put_digits(uint64_t value, uint32_t count, char *text) {
    char *at = text + count;
    for (; count >= 2; count -= 2) {
        at -= 2;
        memcpy(at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (count == 1) at[-1] = (char)('0' + value);
}

/* significand / 10^places, without zeros at the end. */
static uint32_t put_fixed(uint64_t significand, uint32_t places, uint64_t power, char *text) {
    const uint64_t whole = significand / power, fraction = significand % power;
    uint32_t length = ps_decimal_i64((int64_t)whole, text);
    if (fraction == 0) return length;
    text[length] = '.';
    put_digits(fraction, places, text + length + 1);
    length += 1 + places;
    while (text[length - 1] == '0') length--;
    return length;
}

/* The shortest decimal within half a step of c * 2^q, where q is -33 to -14: there 4c * 10^places
 * fits 64 bits, so every comparison is exact. Source: R. Giulietti, The Schubfach way to render
 * doubles (2021), with whole numbers in place of its rounded products. */
static uint32_t shortest_near_one(uint32_t c, int32_t q, char *text) {
    static const uint64_t powers[] = {1,       10,       100,       1000,       10000,      100000,
                                      1000000, 10000000, 100000000, 1000000000, 10000000000};
    /* 1262611 / 2^22 is log10 2: steps of 10^-places are the largest not wider than 2^q. */
    const uint32_t places = (uint32_t) - ((q * 1262611) >> 22);
    const uint64_t power = powers[places];
    const uint32_t shift = (uint32_t)(2 - q);
    const uint64_t even = (c & 1) == 0; /* a tie reads back as the even neighbour */
    const uint64_t value = 4 * (uint64_t)c * power;
    const uint64_t lower = value - 2 * power + !even, upper = value + 2 * power - !even;
    const uint64_t below = value >> shift, tens = below / 10;
    const bool tens_fit = lower <= (tens * 10) << shift;
    const bool next_tens_fit = (tens * 10 + 10) << shift <= upper;
    if (tens_fit != next_tens_fit)
        return put_fixed(tens + next_tens_fit, places - 1, powers[places - 1], text);
    const bool below_fits = lower <= below << shift, above_fits = (below + 1) << shift <= upper;
    if (below_fits != above_fits) return put_fixed(below + above_fits, places, power, text);
    const uint64_t middle = (2 * below + 1) << (shift - 1);
    const bool up = value > middle || (value == middle && (below & 1) != 0);
    return put_fixed(below + up, places, power, text);
}

uint32_t ps_shortest_f32(float value, char *text) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits == 0) {
        *text = '0'; /* a warm-up's score, and that of a value that is its own mean */
        return 1;
    }
    const uint32_t c = bits & 0x7fffff;
    /* A power of two has a nearer neighbour below; others outside may want an exponent. */
    if (c == 0 || !(value >= 0.001f && value < 1000.0f)) return ps_shortest_f32_any(value, text);
    return shortest_near_one(c | 0x800000, (int32_t)(bits >> 23) - 150, text);
}

#if defined(__SSE2__)
/* Sixteen half bytes as digits: those above 9 are 39 further on, at 'a'. */
static __m128i digits_of(__m128i halves) {
    const __m128i letters =
        _mm_and_si128(_mm_cmpgt_epi8(halves, _mm_set1_epi8(9)), _mm_set1_epi8(39));
    return _mm_add_epi8(_mm_add_epi8(halves, _mm_set1_epi8('0')), letters);
}

static void hex_16(const uint8_t *bytes, char *text) {
    const __m128i in = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    const __m128i low_mask = _mm_set1_epi8(15);
    const __m128i high = digits_of(_mm_and_si128(_mm_srli_epi16(in, 4), low_mask));
    const __m128i low = digits_of(_mm_and_si128(in, low_mask));
    _mm_storeu_si128((__m128i *)(void *)text, _mm_unpacklo_epi8(high, low));
    _mm_storeu_si128((__m128i *)(void *)(text + 16), _mm_unpackhi_epi8(high, low));
}

/* What was written a moment ago in eight pieces and is read as one would wait for the processor's
 * stores. */
void ps_hex_u64(uint64_t value, char *text) {
    const uint64_t swapped = __builtin_bswap64(value);
    const __m128i in = _mm_loadl_epi64((const __m128i *)(const void *)&swapped);
    const __m128i halves = _mm_unpacklo_epi8(_mm_srli_epi16(in, 4), in);
    const __m128i digits = digits_of(_mm_and_si128(halves, _mm_set1_epi8(15)));
    _mm_storeu_si128((__m128i *)(void *)text, digits);
}
#else
static void hex_16(const uint8_t *bytes, char *text) {
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < 16; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void ps_hex_u64(uint64_t value, char *text) {
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < 16; i++) text[i] = digits[value >> (60 - 4 * i) & 15];
}
#endif

void ps_hex_bytes(const uint8_t *bytes, uint32_t count, char *text) {
    uint32_t at = 0;
    for (; at + 16 <= count; at += 16) hex_16(bytes + at, text + 2 * at);
    if (at == count) return;
    uint8_t rest[16] = {0};
    char digits[32];
    memcpy(rest, bytes + at, count - at);
    hex_16(rest, digits);
    memcpy(text + 2 * at, digits, 2 * (count - at));
}

void ps_hex_u32(uint32_t value, char *text) {
    char digits[16];
    ps_hex_u64(value, digits);
    memcpy(text, digits + 8, 8);
}
