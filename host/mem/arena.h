/* SPDX-License-Identifier: Apache-2.0
 * A lane's memory: one mapping on its NUMA node, handed out at start-up, closed before the first
 * row. Pages are huge where the system grants them, and zero until touched, so a table sized for
 * the worst case costs what is used of it.
 */
#ifndef PS_HOST_MEM_ARENA_H
#define PS_HOST_MEM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_arena {
    uint8_t *base;
    size_t bytes, used;
    int node;    /* the kernel's number, -1: wherever the system likes */
    bool closed; /* nothing more is handed out */
} ps_arena;

/* `node` -1: not bound. A node that refuses is no error: memory comes from elsewhere and `node`
 * says -1. */
ps_status ps_arena_open(ps_arena *arena, size_t bytes, int node, ps_error *error) PS_MUST_USE;
void ps_arena_close(ps_arena *arena);

/* Zeroed, aligned to 4,096 bytes from 64 KiB on (so that a device can pin it), else to 64. Never
 * NULL: asking a closed arena or for more than is left is a programmer's error, since the sum was
 * computed beforehand. */
void *ps_arena_take(ps_arena *arena, size_t bytes);

/* What `take` uses up for `bytes`: terms of the sum. */
size_t ps_arena_size(size_t bytes);

/* Asks for huge pages: for parts that are used whole (slots), not for sparse tables. */
void ps_arena_huge(const ps_arena *arena, void *part, size_t bytes);

/* From now on nothing is handed out. */
void ps_arena_seal(ps_arena *arena);

#endif
