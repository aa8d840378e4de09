/* SPDX-License-Identifier: Apache-2.0
 * Kafka's primitive types in a buffer: big-endian integers, and the variable-length ones, of which
 * the signed are zigzag-coded (Kafka's protocol guide, "Protocol Primitive Types"; Protocol
 * Buffers' varints).
 */
#ifndef PS_INGEST_WIRE_BYTES_H
#define PS_INGEST_WIRE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host/base/bytes.h"

/* NULL: null. */
static inline ps_bytes ps_wire_text(const char *text) {
    if (text == NULL) return (ps_bytes){NULL, PS_NULL_LENGTH};
    return (ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static inline uint16_t ps_wire_swap16(uint16_t value) {
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(value) : value;
}
static inline uint32_t ps_wire_swap32(uint32_t value) {
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(value) : value;
}
static inline uint64_t ps_wire_swap64(uint64_t value) {
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(value) : value;
}

static inline int16_t ps_wire_get16(const uint8_t *from) {
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return (int16_t)ps_wire_swap16(value);
}
static inline int32_t ps_wire_get32(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return (int32_t)ps_wire_swap32(value);
}
static inline int64_t ps_wire_get64(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return (int64_t)ps_wire_swap64(value);
}
static inline void ps_wire_put16(uint8_t *to, int16_t value) {
    const uint16_t swapped = ps_wire_swap16((uint16_t)value);
    memcpy(to, &swapped, sizeof swapped);
}
static inline void ps_wire_put32(uint8_t *to, int32_t value) {
    const uint32_t swapped = ps_wire_swap32((uint32_t)value);
    memcpy(to, &swapped, sizeof swapped);
}
static inline void ps_wire_put64(uint8_t *to, int64_t value) {
    const uint64_t swapped = ps_wire_swap64((uint64_t)value);
    memcpy(to, &swapped, sizeof swapped);
}

/* Something that is read from its beginning. What is not there reads as 0 and makes it bad: whoever
 * reads looks once, at the end. */
typedef struct ps_wire_cursor {
    const uint8_t *at, *end;
    bool bad;
} ps_wire_cursor;

static inline ps_wire_cursor ps_wire_cursor_of(ps_bytes bytes) {
    return (ps_wire_cursor){bytes.data, bytes.data + bytes.length, false};
}

/* The next `bytes`; NULL where they are not there. */
static inline const uint8_t *ps_wire_take(ps_wire_cursor *cursor, size_t bytes) {
    const uint8_t *const from = cursor->at;
    if ((size_t)(cursor->end - from) < bytes) {
        cursor->bad = true;
        cursor->at = cursor->end;
        return NULL;
    }
    cursor->at += bytes;
    return from;
}

static inline int8_t ps_wire_take8(ps_wire_cursor *cursor) {
    const uint8_t *from = ps_wire_take(cursor, 1);
    return from == NULL ? 0 : (int8_t)*from;
}
static inline int16_t ps_wire_take16(ps_wire_cursor *cursor) {
    const uint8_t *from = ps_wire_take(cursor, 2);
    return from == NULL ? 0 : ps_wire_get16(from);
}
static inline int32_t ps_wire_take32(ps_wire_cursor *cursor) {
    const uint8_t *from = ps_wire_take(cursor, 4);
    return from == NULL ? 0 : ps_wire_get32(from);
}
static inline int64_t ps_wire_take64(ps_wire_cursor *cursor) {
    const uint8_t *from = ps_wire_take(cursor, 8);
    return from == NULL ? 0 : ps_wire_get64(from);
}

/* UNSIGNED_VARINT: at most five bytes. */
static inline uint32_t ps_wire_take_unsigned(ps_wire_cursor *cursor) {
    uint32_t value = 0;
    for (uint32_t shift = 0; shift < 35; shift += 7) {
        const uint8_t *from = ps_wire_take(cursor, 1);
        if (from == NULL) return 0;
        value |= (uint32_t)(*from & 127) << shift;
        if (*from < 128) return value;
    }
    cursor->bad = true;
    return 0;
}

/* VARLONG: at most ten bytes, zigzag. VARINT is one whose value fits 32 bits. */
static inline int64_t ps_wire_take_varlong(ps_wire_cursor *cursor) {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 70; shift += 7) {
        const uint8_t *from = ps_wire_take(cursor, 1);
        if (from == NULL) return 0;
        value |= (uint64_t)(*from & 127) << shift;
        if (*from < 128) return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
    cursor->bad = true;
    return 0;
}

static inline uint64_t ps_wire_zigzag(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

/* Writes at `to`, which has room for ten bytes, and returns the byte behind it. */
static inline uint8_t *ps_wire_put_unsigned(uint8_t *to, uint64_t value) {
    for (; value > 127; value >>= 7) *to++ = (uint8_t)(value | 128);
    *to++ = (uint8_t)value;
    return to;
}

static inline uint32_t ps_wire_unsigned_bytes(uint64_t value) {
    return (70 - (uint32_t)__builtin_clzll(value | 1)) / 7;
}

#endif
