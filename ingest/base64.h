/* SPDX-License-Identifier: Apache-2.0
 * Base64 with padding, for dead letters. Source: RFC 4648, section 4.
 */
#ifndef PS_INGEST_BASE64_H
#define PS_INGEST_BASE64_H

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

#endif
