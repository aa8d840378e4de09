/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/pool.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"

typedef struct chunk {
    struct chunk *next;
    size_t bytes, used;
    max_align_t data[];
} chunk;

struct ps_pool {
    chunk *first;
};

enum { CHUNK_BYTES = 16384 };

ps_pool *ps_pool_open(void) {
    ps_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) ps_no_memory_for("the pipeline file");
    return pool;
}

void *ps_pool_take(ps_pool *pool, size_t bytes) {
    bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    chunk *at = pool->first;
    if (at == NULL || at->bytes - at->used < bytes) {
        const size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        at = calloc(1, sizeof *at + room);
        if (at == NULL) ps_no_memory_for("the pipeline file");
        at->bytes = room;
        at->next = pool->first;
        pool->first = at;
    }
    void *taken = (uint8_t *)at->data + at->used;
    at->used += bytes;
    return taken;
}

void ps_pool_close(ps_pool *pool) {
    if (pool == NULL) return;
    while (pool->first != NULL) {
        chunk *at = pool->first;
        pool->first = at->next;
        free(at);
    }
    free(pool);
}

char *ps_pool_text(ps_pool *pool, const char *text, size_t length) {
    char *copy = ps_pool_take(pool, length + 1);
    if (length > 0) memcpy(copy, text, length);
    return copy;
}

char *ps_pool_format(ps_pool *pool, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    PS_CHECK_OP(length, >=, 0);
    char *text = ps_pool_take(pool, (size_t)length + 1);
    (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
