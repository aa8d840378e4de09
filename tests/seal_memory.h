/* SPDX-License-Identifier: Apache-2.0
 * A log whose tiles lie in memory: what a test of trees and proofs needs, without files.
 */
#ifndef TESTS_SEAL_MEMORY_H
#define TESTS_SEAL_MEMORY_H

#include "host/seal/leaves.h"
#include "tests/seal_golden.h"

enum { MEMORY_FILES = 4096 };

typedef struct memory_file {
    char path[PS_TILE_PATH_MAX];
    uint8_t *bytes;
    size_t length;
} memory_file;

typedef struct memory_log {
    ps_tiler *tiler;
    ps_leaves *leaves;
    ps_frontier frontier;
    ps_tiles tiles;
    uint32_t files, reads;
    memory_file file[MEMORY_FILES];
} memory_log;

static inline memory_file *memory_find(memory_log *log, const char *path) {
    for (uint32_t i = 0; i < log->files; i++)
        if (strcmp(log->file[i].path, path) == 0) return &log->file[i];
    return NULL;
}

static inline ps_status memory_read(void *context, const char *path, uint8_t *to, size_t room,
                                    size_t *length, ps_error *error) {
    memory_log *const log = context;
    const memory_file *const file = memory_find(log, path);
    log->reads++;
    if (file == NULL) return ps_fail(error, PS_UNKNOWN_NAME, "%s: is missing", path);
    assert_true(file->length <= room);
    memcpy(to, file->bytes, file->length);
    *length = file->length;
    return PS_OK;
}

static inline ps_status memory_put(void *context, const ps_tile *tile, const uint8_t *bytes,
                                   size_t length, ps_error *error) {
    memory_log *const log = context;
    char path[PS_TILE_PATH_MAX];
    (void)error;
    assert_null(memory_find(log, ps_tile_path(tile, path))); /* nothing is written twice */
    assert_true(log->files < MEMORY_FILES);
    memory_file *const file = &log->file[log->files++];
    memcpy(file->path, path, sizeof path);
    file->bytes = malloc(length);
    memcpy(file->bytes, bytes, length);
    file->length = length;
    return PS_OK;
}

static inline ps_tile_source memory_source(memory_log *log) {
    return (ps_tile_source){memory_read, log};
}

static inline memory_log *memory_log_open(uint32_t entry_bytes_max) {
    memory_log *const log = calloc(1, sizeof *log);
    assert_int_equal(ps_tiler_open(entry_bytes_max, &log->tiler, NULL), PS_OK);
    assert_int_equal(ps_leaves_open(&log->leaves, NULL), PS_OK);
    return log;
}

/* Adds, and publishes the partial tiles. */
static inline void memory_log_add(memory_log *log, const ps_bytes *entries, uint32_t count) {
    ps_tiler_batch batch;
    const ps_tile_sink sink = {memory_put, log};
    assert_int_equal(ps_leaves_append(log->leaves, entries, count, &log->frontier, &batch, NULL),
                     PS_OK);
    assert_int_equal(ps_tiler_append(log->tiler, &batch, &sink, NULL), PS_OK);
    assert_int_equal(ps_tiler_flush(log->tiler, &sink, NULL), PS_OK);
}

static inline const ps_frontier *memory_log_frontier(const memory_log *log) {
    return &log->frontier;
}

static inline ps_tiles *memory_log_tiles(memory_log *log) {
    const ps_tile_source source = memory_source(log);
    ps_tiles_init(&log->tiles, &source, log->frontier.size);
    return &log->tiles;
}

static inline void memory_log_close(memory_log *log) {
    for (uint32_t i = 0; i < log->files; i++) free(log->file[i].bytes);
    ps_tiler_close(log->tiler);
    ps_leaves_close(log->leaves);
    free(log);
}

#endif
