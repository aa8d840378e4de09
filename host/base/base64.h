/* SPDX-License-Identifier: Apache-2.0
 * Base64 with padding. Source: RFC 4648, section 4.
 */
#ifndef PS_HOST_BASE_BASE64_H
#define PS_HOST_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 4 bytes for each 3, rounded up; returns the byte behind them. */
static inline char *ps_base64_encode(char *to, const uint8_t *data, size_t length) {
    static const char digits[65] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        const size_t have = length - i < 3 ? length - i : 3;
        uint32_t group = (uint32_t)data[i] << 16;
        if (have > 1) group |= (uint32_t)data[i + 1] << 8;
        if (have > 2) group |= data[i + 2];
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = have > 1 ? digits[group >> 6 & 63] : '=';
        *to++ = have > 2 ? digits[group & 63] : '=';
    }
    return to;
}

static inline int ps_base64_digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Writes at most 3 bytes for each 4 and says how many; padding must be there. False: not base64. */
static inline bool ps_base64_decode(const uint8_t *text, size_t length, uint8_t *to,
                                    size_t *written) {
    uint8_t *const begin = to;
    if (length % 4 != 0) return false;
    for (size_t i = 0; i < length; i += 4) {
        const bool last = i + 4 == length;
        const int pad = last && text[i + 3] == '=' ? 1 + (text[i + 2] == '=') : 0;
        uint32_t group = 0;
        for (int d = 0; d < 4; d++) {
            const int digit = d >= 4 - pad ? 0 : ps_base64_digit(text[i + (size_t)d]);
            if (digit < 0) return false;
            group = group << 6 | (uint32_t)digit;
        }
        *to++ = (uint8_t)(group >> 16);
        if (pad < 2) *to++ = (uint8_t)(group >> 8);
        if (pad < 1) *to++ = (uint8_t)group;
    }
    *written = (size_t)(to - begin);
    return true;
}

#endif
