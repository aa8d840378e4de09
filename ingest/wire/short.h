/* SPDX-License-Identifier: Apache-2.0
 * What a record is made of: numbers of one or two bytes and runs of a few. Both ways they are
 * inline, and the rest is a call.
 */
#ifndef PS_INGEST_WIRE_SHORT_H
#define PS_INGEST_WIRE_SHORT_H

#include "ingest/wire/bytes.h"

/* Bytes that do not overlap; no byte outside them is touched. */
static inline void ps_wire_copy(uint8_t *to, const uint8_t *from, size_t bytes) {
    if (bytes > 32) {
        memcpy(to, from, bytes);
    } else if (bytes >= 16) {
        memcpy(to, from, 16);
        memcpy(to + bytes - 16, from + bytes - 16, 16);
    } else if (bytes >= 8) {
        memcpy(to, from, 8);
        memcpy(to + bytes - 8, from + bytes - 8, 8);
    } else if (bytes >= 4) {
        memcpy(to, from, 4);
        memcpy(to + bytes - 4, from + bytes - 4, 4);
    } else if (bytes > 0) {
        to[0] = from[0];
        to[bytes / 2] = from[bytes / 2];
        to[bytes - 1] = from[bytes - 1];
    }
}

static inline int64_t ps_wire_unzigzag(uint64_t value) {
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* A VARINT or VARLONG of any length; NULL where it does not end before `end`. */
static __attribute__((noinline, unused)) const uint8_t *
ps_wire_long_signed(const uint8_t *at, const uint8_t *end, int64_t *value) {
    ps_wire_cursor cursor = {at, end, false};
    *value = ps_wire_take_varlong(&cursor);
    return cursor.bad ? NULL : cursor.at;
}

/* The byte behind the VARINT or VARLONG at `at`; NULL where it does not end before `end`. */
static inline const uint8_t *ps_wire_signed(const uint8_t *at, const uint8_t *end, int64_t *value) {
    if (__builtin_expect(end - at < 2, 0)) return ps_wire_long_signed(at, end, value);
    if (at[0] < 128) {
        *value = ps_wire_unzigzag(at[0]);
        return at + 1;
    }
    if (__builtin_expect(at[1] >= 128, 0)) return ps_wire_long_signed(at, end, value);
    *value = ps_wire_unzigzag((uint64_t)at[1] << 7 | (at[0] & 127));
    return at + 2;
}

/* Writes at `to`, which has room for ten bytes, and returns the byte behind it. */
static inline uint8_t *ps_wire_put_signed(uint8_t *to, int64_t value) {
    return ps_wire_put_unsigned(to, ps_wire_zigzag(value));
}

static inline uint32_t ps_wire_signed_bytes(int64_t value) {
    return ps_wire_unsigned_bytes(ps_wire_zigzag(value));
}

#endif
