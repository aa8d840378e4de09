/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 as notes want it: shortest forms only, no surrogates.
 * Source: RFC 3629.
 */
#ifndef PS_HOST_SEAL_UTF8_H
#define PS_HOST_SEAL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at `text`, and how many bytes it takes; 0: none that is right. */
static inline size_t ps_utf8_next(const uint8_t *text, size_t length, uint32_t *character) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = length > 0 ? text[0] : 0xFF;
    const size_t bytes = first < 0x80   ? 1
                         : first < 0xC0 ? 0
                         : first < 0xE0 ? 2
                         : first < 0xF0 ? 3
                         : first < 0xF8 ? 4
                                        : 0;
    if (bytes == 0 || bytes > length) return 0;
    uint32_t value = bytes == 1 ? first : first & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (text[i] & 0x3F);
    }
    *character = value;
    return value < least[bytes] || value > 0x10FFFF || value >> 11 == 27 ? 0 : bytes;
}

/* White space of Unicode. Source: its property White_Space. */
static inline bool ps_utf8_is_blank(uint32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

#endif
