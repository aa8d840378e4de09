/* SPDX-License-Identifier: Apache-2.0
 * Integers as logs write them: big-endian.
 */
#ifndef PS_HOST_SEAL_WIDE_H
#define PS_HOST_SEAL_WIDE_H

#include <stddef.h>
#include <stdint.h>

/* The byte behind the `bytes` that `value` now fills. */
static inline uint8_t *ps_wide_put(uint8_t *to, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return to + bytes;
}

static inline uint64_t ps_wide_get(const uint8_t *from, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | from[i];
    return value;
}

#endif
