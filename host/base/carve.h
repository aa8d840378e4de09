/* SPDX-License-Identifier: Apache-2.0
 * Several tables in one piece of memory, each on a cache line of its own: the sum of
 * ps_carve_size() is what it takes.
 */
#ifndef PS_HOST_BASE_CARVE_H
#define PS_HOST_BASE_CARVE_H

#include <stddef.h>
#include <stdint.h>

static inline size_t ps_carve_size(size_t bytes) {
    return (bytes + 63) & ~(size_t)63;
}

/* The next `bytes` of `*memory`, which moves on. */
static inline void *ps_carve(uint8_t **memory, size_t bytes) {
    void *const part = *memory;
    *memory += ps_carve_size(bytes);
    return part;
}

#endif
