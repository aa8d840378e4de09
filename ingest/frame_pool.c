/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/frame_pool.h"

#include <stdlib.h>
#include <string.h>

/* Compressors gain little from more than this at once, and lose much below it. */
enum { CHUNK_BYTES = 64 << 10, CHUNKS_MAX = 64 };

/* Lines of one partition that wait. */
typedef struct chunk {
    ps_partfile *file; /* NULL: it is free */
    uint32_t partition;
    int64_t first;
    size_t used;
    uint8_t *lines; /* [CHUNK_BYTES] */
} chunk;

struct ps_frame_pool {
    ps_frame_codec codec;
    ps_framer *framer;
    uint8_t *frame; /* the one being written */
    uint8_t *lines; /* of all chunks */
    uint32_t chunk_count;
    chunk chunks[CHUNKS_MAX];
    uint8_t *chunk_of; /* [partitions] index + 1, 0: none of it waits */
};

static uint32_t chunks_for(uint32_t partitions) {
    return partitions < CHUNKS_MAX ? partitions : CHUNKS_MAX;
}

static size_t frame_bytes_max(size_t bytes_max) {
    return bytes_max > CHUNK_BYTES ? bytes_max : CHUNK_BYTES;
}

size_t ps_frame_pool_bytes(ps_frame_codec codec, uint32_t partitions, size_t bytes_max) {
    const size_t most = frame_bytes_max(bytes_max);
    return sizeof(ps_frame_pool) + partitions + chunks_for(partitions) * (size_t)CHUNK_BYTES +
           ps_frame_bound(codec, most) + ps_framer_bytes(codec, most);
}

void ps_frame_pool_close(ps_frame_pool *pool) {
    if (pool == NULL) return;
    ps_framer_close(pool->framer);
    free(pool->frame);
    free(pool->lines);
    free(pool->chunk_of);
    free(pool);
}

ps_status ps_frame_pool_open(ps_frame_codec codec, uint32_t partitions, size_t bytes_max,
                             ps_frame_pool **out, ps_error *error) {
    const size_t most = frame_bytes_max(bytes_max);
    ps_frame_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to compress files");
    pool->codec = codec;
    pool->chunk_count = chunks_for(partitions);
    pool->frame = malloc(ps_frame_bound(codec, most));
    pool->lines = malloc(pool->chunk_count * (size_t)CHUNK_BYTES);
    pool->chunk_of = calloc(partitions, 1);
    ps_status status = PS_OK;
    if (pool->frame == NULL || pool->lines == NULL || pool->chunk_of == NULL)
        status = ps_fail(error, PS_NO_MEMORY, "no memory to compress files");
    if (status == PS_OK) status = ps_framer_open(codec, most, &pool->framer, error);
    if (status != PS_OK) {
        ps_frame_pool_close(pool);
        return status;
    }
    for (uint32_t i = 0; i < pool->chunk_count; i++)
        pool->chunks[i].lines = pool->lines + i * (size_t)CHUNK_BYTES;
    *out = pool;
    return PS_OK;
}

static ps_status write_frame(ps_frame_pool *pool, const ps_frame_lines *of, ps_error *error) {
    const size_t bytes = ps_frame_write(pool->framer, of->lines, of->bytes, pool->frame);
    return ps_partfile_write(of->file, of->first, pool->frame, bytes, of->bytes, error);
}

static void set_free(ps_frame_pool *pool, chunk *one) {
    pool->chunk_of[one->partition] = 0;
    one->file = NULL;
    one->used = 0;
}

static ps_status flush(ps_frame_pool *pool, chunk *one, ps_error *error) {
    const ps_frame_lines all = {one->file, one->partition, one->first, one->lines, one->used};
    PS_TRY(write_frame(pool, &all, error));
    set_free(pool, one);
    return PS_OK;
}

static chunk *waiting(ps_frame_pool *pool, uint32_t partition) {
    const uint32_t index = pool->chunk_of[partition];
    return index == 0 ? NULL : &pool->chunks[index - 1];
}

/* A chunk of its own for a partition that has none. */
static ps_status take(ps_frame_pool *pool, const ps_frame_lines *of, chunk **out, ps_error *error) {
    chunk *best = &pool->chunks[0];
    for (uint32_t i = 0; i < pool->chunk_count && best->file != NULL; i++) {
        chunk *one = &pool->chunks[i];
        if (one->file == NULL || one->used > best->used) best = one;
    }
    if (best->file != NULL) PS_TRY(flush(pool, best, error));
    best->file = of->file;
    best->partition = of->partition;
    best->first = of->first;
    pool->chunk_of[of->partition] = (uint8_t)(best - pool->chunks + 1);
    *out = best;
    return PS_OK;
}

ps_status ps_frame_pool_put(ps_frame_pool *pool, const ps_frame_lines *lines, ps_error *error) {
    chunk *one = waiting(pool, lines->partition);
    if (one != NULL && one->used + lines->bytes > CHUNK_BYTES) {
        PS_TRY(flush(pool, one, error));
        one = NULL;
    }
    if (lines->bytes >= CHUNK_BYTES) return write_frame(pool, lines, error);
    if (one == NULL) PS_TRY(take(pool, lines, &one, error));
    memcpy(one->lines + one->used, lines->lines, lines->bytes);
    one->used += lines->bytes;
    return PS_OK;
}

size_t ps_frame_pool_waiting(const ps_frame_pool *pool, uint32_t partition) {
    const uint32_t index = pool->chunk_of[partition];
    return index == 0 ? 0 : pool->chunks[index - 1].used;
}

ps_status ps_frame_pool_flush(ps_frame_pool *pool, uint32_t partition, ps_error *error) {
    chunk *one = waiting(pool, partition);
    return one == NULL ? PS_OK : flush(pool, one, error);
}

void ps_frame_pool_drop(ps_frame_pool *pool, uint32_t partition) {
    chunk *one = waiting(pool, partition);
    if (one != NULL) set_free(pool, one);
}
