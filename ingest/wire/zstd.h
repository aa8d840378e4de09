/* SPDX-License-Identifier: Apache-2.0
 * A zstd context that never takes memory again, for who compresses frames or record batches.
 */
#ifndef PS_INGEST_WIRE_ZSTD_H
#define PS_INGEST_WIRE_ZSTD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <zstd.h>

/* zstd sizes its memory by what it is given, and not only upward: one of each class of lengths that
 * has parameters of its own, and nothing later needs more. NULL: no memory. */
static inline ZSTD_CCtx *ps_zstd_open(size_t bytes_max, int level) {
    static const size_t classes[] = {16 << 10, 128 << 10, 256 << 10, SIZE_MAX};
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    const size_t room = ZSTD_compressBound(bytes_max);
    void *from = calloc(1, bytes_max + 1), *to = malloc(room);
    bool warm = zstd != NULL && from != NULL && to != NULL;
    for (size_t i = 0; warm && i < sizeof classes / sizeof classes[0]; i++) {
        const size_t bytes = classes[i] < bytes_max ? classes[i] : bytes_max;
        warm = !ZSTD_isError(ZSTD_compressCCtx(zstd, to, room, from, bytes, level));
    }
    free(from);
    free(to);
    if (warm) return zstd;
    (void)ZSTD_freeCCtx(zstd);
    return NULL;
}

#endif
