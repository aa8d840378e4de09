/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *ps_base64_write(const uint8_t *bytes, size_t length, char *out) {
    for (size_t at = 0; at < length; at += 3) {
        const size_t left = length - at;
        const uint32_t group = (uint32_t)bytes[at] << 16 |
                               (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
                               (left > 2 ? bytes[at + 2] : 0);
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    *out = '\0';
    return out;
}

/* 64: no digit. */
static uint32_t digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* The bytes of four characters, 0 where they are none; `group` takes them. */
static size_t read_group(const char *text, bool last, uint32_t *group) {
    uint32_t value[4];
    size_t count = 4;
    if (last && text[3] == '=') count = text[2] == '=' ? 2 : 3;
    for (size_t i = 0; i < 4; i++) {
        value[i] = i < count ? digit_of(text[i]) : 0;
        if (value[i] > 63) return 0;
    }
    *group = value[0] << 18 | value[1] << 12 | value[2] << 6 | value[3];
    const uint32_t unused = count == 4 ? 0 : count == 3 ? 0xFF : 0xFFFF;
    return (*group & unused) != 0 ? 0 : count - 1;
}

bool ps_base64_read(const char *text, size_t length, uint8_t *out, size_t room, size_t *bytes) {
    *bytes = 0;
    if (length % 4 != 0) return false;
    for (size_t at = 0; at < length; at += 4) {
        uint32_t group = 0;
        const size_t count = read_group(text + at, at + 4 == length, &group);
        if (count == 0 || room - *bytes < count) return false;
        for (size_t i = 0; i < count; i++) out[(*bytes)++] = (uint8_t)(group >> (16 - 8 * i));
    }
    return true;
}
