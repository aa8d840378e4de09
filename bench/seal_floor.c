/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/seal_floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/seal/entry.h"
#include "host/seal/folder.h"
#include "host/seal/leaves.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

enum { KEY_BYTES = 24, ENTRY_BYTES = 2 + PS_SEAL_ENTRY_BYTES };

/* Bytes that no two records share. */
static void vary(uint8_t *bytes, size_t length) {
    uint32_t state = 1;
    for (size_t i = 0; i < length; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

typedef struct records {
    uint8_t key[PS_LEAVES_MAX * KEY_BYTES + PS_ARENA_PADDING];
    uint8_t entry[PS_LEAVES_MAX * ENTRY_BYTES + PS_ARENA_PADDING];
    uint32_t key_begin[PS_LEAVES_MAX], key_length[PS_LEAVES_MAX];
    uint32_t entry_begin[PS_LEAVES_MAX], entry_length[PS_LEAVES_MAX];
    uint8_t hash[PS_LEAVES_MAX * PS_NODE_BYTES], leaf[PS_LEAVES_MAX * PS_NODE_BYTES];
} records;

static void prepare(records *all) {
    vary(all->key, sizeof all->key);
    vary(all->entry, sizeof all->entry);
    for (uint32_t i = 0; i < PS_LEAVES_MAX; i++) {
        all->key_begin[i] = i * KEY_BYTES;
        all->key_length[i] = KEY_BYTES;
        all->entry_begin[i] = i * ENTRY_BYTES + 2;
        all->entry_length[i] = PS_SEAL_ENTRY_BYTES;
    }
}

int ps_seal_floor_hashes(void *context) {
    const ps_seal_floor *floor = context;
    const ps_sha256_params plain = {PS_SHA256_PLAIN}, leaf = {PS_MERKLE_LEAF};
    ps_error error = {0};
    records *all = malloc(sizeof *all);
    ps_frontier frontier = {0};
    ps_leaves *leaves = NULL;
    ps_tiler_batch unused;
    if (all == NULL || ps_dispatch_init(&error) != PS_OK ||
        ps_leaves_open(&leaves, &error) != PS_OK)
        return 1;
    prepare(all);
    ps_kernel_fn *const sha256 = ps_dispatch(PS_KERNEL_SHA256);
    for (uint64_t row = 0; row < floor->rows; row += PS_LEAVES_MAX) {
        sha256((void *const[]){all->key, all->key_begin, all->key_length, all->hash}, &plain, 0,
               PS_LEAVES_MAX);
        sha256((void *const[]){all->entry, all->entry_begin, all->entry_length, all->leaf}, &leaf,
               0, PS_LEAVES_MAX);
        ps_leaves_take(leaves, all->leaf, PS_LEAVES_MAX, &frontier, &unused);
    }
    ps_leaves_close(leaves);
    free(all);
    return frontier.size < floor->rows;
}

static ps_status write_log(const ps_seal_floor *floor, uint32_t log, ps_error *error) {
    static uint8_t bundle[PS_TILE_WIDTH * ENTRY_BYTES];
    char path[160];
    ps_seal_folder *folder;
    (void)snprintf(path, sizeof path, "%s/%u", floor->folder, log);
    PS_TRY(ps_seal_folder_open(path, true, &folder, error));
    const ps_tile_sink sink = ps_seal_folder_sink(folder);
    ps_status status = PS_OK;
    vary(bundle, sizeof bundle);
    for (uint64_t i = 0; status == PS_OK && i < floor->rows / floor->logs / PS_TILE_WIDTH; i++) {
        const ps_tile entries = {PS_TILE_ENTRIES, PS_TILE_WIDTH, i}, tile = {0, PS_TILE_WIDTH, i};
        status = sink.put(sink.context, &entries, bundle, sizeof bundle, error);
        if (status == PS_OK) status = sink.put(sink.context, &tile, bundle, PS_TILE_BYTES, error);
    }
    ps_seal_folder_close(folder);
    return status;
}

int ps_seal_floor_files(void *context) {
    const ps_seal_floor *floor = context;
    ps_error error;
    for (uint32_t log = 0; log < floor->logs; log++) {
        if (write_log(floor, log, &error) == PS_OK) continue;
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    return 0;
}
