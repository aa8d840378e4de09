/* SPDX-License-Identifier: Apache-2.0
 * A record's headers as one run of bytes, in wire order, duplicates kept: u32 name length, name,
 * u32 value length (PS_NULL_LENGTH: null), value; integers in the host's byte order, unaligned.
 */
#ifndef PS_HOST_BATCH_HEADERS_H
#define PS_HOST_BATCH_HEADERS_H

#include <stdbool.h>
#include <string.h>

#include "host/base/bytes.h"

typedef struct ps_header {
    ps_bytes name, value;
} ps_header;

static inline ps_header ps_header_of(const char *name, const char *text, size_t length) {
    return (ps_header){{(const uint8_t *)name, (uint32_t)strlen(name)},
                       {(const uint8_t *)text, (uint32_t)length}};
}

static inline uint32_t ps_headers_bytes(uint32_t name_length, uint32_t value_length) {
    return 8 + name_length + (value_length == PS_NULL_LENGTH ? 0 : value_length);
}

/* Writes one header at `to`, which has room, and returns the byte behind it. */
static inline uint8_t *ps_headers_put(uint8_t *to, ps_bytes name, ps_bytes value) {
    memcpy(to, &name.length, 4);
    if (name.length > 0) memcpy(to + 4, name.data, name.length);
    to += 4 + name.length;
    memcpy(to, &value.length, 4);
    to += 4;
    if (value.length == PS_NULL_LENGTH || value.length == 0) return to;
    memcpy(to, value.data, value.length);
    return to + value.length;
}

/* Steps through packed headers: `*at` starts at 0; false at the end. */
static inline bool ps_headers_next(ps_bytes packed, uint32_t *at, ps_header *header) {
    if (packed.length == PS_NULL_LENGTH || *at >= packed.length) return false;
    const uint8_t *p = packed.data + *at;
    memcpy(&header->name.length, p, 4);
    header->name.data = p + 4;
    p += 4 + header->name.length;
    memcpy(&header->value.length, p, 4);
    header->value.data = header->value.length == PS_NULL_LENGTH ? NULL : p + 4;
    *at += ps_headers_bytes(header->name.length, header->value.length);
    return true;
}

#endif
