/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/tiler.h"

#include <stdlib.h>

#include "host/base/check.h"

struct ps_tiler {
    uint64_t size, flushed;
    uint32_t entry_bytes_max;
    size_t bundle_bytes, bundle_room;
    uint8_t tile[PS_TILE_LEVELS][PS_TILE_BYTES];
    uint8_t bundle[];
};

ps_status ps_tiler_open(uint32_t entry_bytes_max, ps_tiler **out, ps_error *error) {
    PS_CHECK_OP(entry_bytes_max, <=, PS_ENTRY_BYTES_MAX);
    const size_t room = PS_TILE_WIDTH * (2 + (size_t)entry_bytes_max);
    *out = malloc(sizeof **out + room);
    if (*out == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a log's tiles");
    (*out)->size = (*out)->flushed = 0;
    (*out)->entry_bytes_max = entry_bytes_max;
    (*out)->bundle_bytes = 0;
    (*out)->bundle_room = room;
    return PS_OK;
}

void ps_tiler_close(ps_tiler *tiler) {
    free(tiler);
}

uint64_t ps_tiler_size(const ps_tiler *tiler) {
    return tiler->size;
}

/* The entries that go on into the next bundle are those that the tile has the hashes of. */
static ps_status check_bundle(const ps_tiler *tiler, const ps_tile *last, ps_error *error) {
    char path[PS_TILE_PATH_MAX];
    size_t at = 0;
    ps_bytes entry;
    for (uint32_t i = 0; i < last->width; i++) {
        ps_hash leaf;
        if (!ps_bundle_next(tiler->bundle, tiler->bundle_bytes, &at, &entry))
            return ps_fail(error, PS_TAMPERED, "%s: ends in entry %u of %u",
                           ps_tile_path(last, path), i, last->width);
        ps_hash_leaf(entry.data, entry.length, &leaf);
        if (memcmp(&leaf, tiler->tile[0] + (size_t)i * PS_NODE_BYTES, sizeof leaf) != 0)
            return ps_fail(error, PS_TAMPERED, "%s: entry %u has another hash than its tile has",
                           ps_tile_path(last, path), i);
    }
    if (at == tiler->bundle_bytes) return PS_OK;
    return ps_fail(error, PS_TAMPERED, "%s: goes on behind its last entry",
                   ps_tile_path(last, path));
}

ps_status ps_tiler_restore(ps_tiler *tiler, const ps_tile_source *source, uint64_t size,
                           ps_error *error) {
    size_t length = 0;
    tiler->bundle_bytes = 0;
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        const bool entries = level == PS_TILE_ENTRIES;
        const ps_tile last = ps_tile_of(level, ps_tile_nodes(level, size) / PS_TILE_WIDTH, size);
        if (last.width == 0) continue;
        PS_TRY(ps_tile_load(source, &last, entries ? tiler->bundle : tiler->tile[level],
                            entries ? tiler->bundle_room : PS_TILE_BYTES, &length, error));
        if (entries) tiler->bundle_bytes = length;
    }
    tiler->size = tiler->flushed = size;
    const ps_tile last = ps_tile_of(PS_TILE_ENTRIES, size / PS_TILE_WIDTH, size);
    return last.width == 0 ? PS_OK : check_bundle(tiler, &last, error);
}

static ps_status put_bundle(ps_tiler *tiler, uint64_t size, const ps_tile_sink *sink,
                            ps_error *error) {
    const uint32_t width = (uint32_t)(size % PS_TILE_WIDTH);
    const ps_tile bundle = {PS_TILE_ENTRIES, width == 0 ? PS_TILE_WIDTH : width,
                            (size - 1) / PS_TILE_WIDTH};
    return sink->put(sink->context, &bundle, tiler->bundle, tiler->bundle_bytes, error);
}

static ps_status append_entries(ps_tiler *tiler, const ps_tiler_batch *batch,
                                const ps_tile_sink *sink, ps_error *error) {
    const ps_bytes *entry = batch->entries;
    for (uint64_t at = tiler->size; at < batch->append->size_after; at++, entry++) {
        if (entry->length > tiler->entry_bytes_max)
            return ps_fail(error, PS_BAD_CONFIG, "an entry of %u bytes; at most %u", entry->length,
                           tiler->entry_bytes_max);
        uint8_t *const to = tiler->bundle + tiler->bundle_bytes;
        tiler->bundle_bytes += (size_t)(ps_bundle_put(to, *entry) - to);
        if ((at + 1) % PS_TILE_WIDTH != 0) continue;
        PS_TRY(put_bundle(tiler, at + 1, sink, error));
        tiler->bundle_bytes = 0;
    }
    return PS_OK;
}

/* What the append adds to level `level` of the tiles, from the nodes of the tree's. */
static ps_status append_level(ps_tiler *tiler, int32_t level, const ps_tiler_batch *batch,
                              const ps_tile_sink *sink, ps_error *error) {
    const ps_append *const append = batch->append;
    const uint32_t tree_level = (uint32_t)level * PS_TILE_HEIGHT;
    const uint64_t end = append->size_after >> tree_level;
    const uint8_t *from = batch->leaves;
    if (level > 0) from = batch->nodes + (size_t)append->first[tree_level] * PS_NODE_BYTES;
    for (uint64_t first = append->size_before >> tree_level; first < end;) {
        const uint64_t at = first % PS_TILE_WIDTH, left = end - first;
        const uint64_t count = left < PS_TILE_WIDTH - at ? left : PS_TILE_WIDTH - at;
        memcpy(tiler->tile[level] + at * PS_NODE_BYTES, from, count * PS_NODE_BYTES);
        from += count * PS_NODE_BYTES;
        first += count;
        if (first % PS_TILE_WIDTH != 0) continue;
        const ps_tile full = {level, PS_TILE_WIDTH, first / PS_TILE_WIDTH - 1};
        PS_TRY(sink->put(sink->context, &full, tiler->tile[level], PS_TILE_BYTES, error));
    }
    return PS_OK;
}

ps_status ps_tiler_append(ps_tiler *tiler, const ps_tiler_batch *batch, const ps_tile_sink *sink,
                          ps_error *error) {
    const ps_append *const append = batch->append;
    PS_CHECK_OP(tiler->size, ==, append->size_before);
    if (batch->entries != NULL) PS_TRY(append_entries(tiler, batch, sink, error));
    for (uint32_t level = 0; level * PS_TILE_HEIGHT < append->levels; level++)
        PS_TRY(append_level(tiler, (int32_t)level, batch, sink, error));
    tiler->size = append->size_after;
    return PS_OK;
}

bool ps_tiler_partial(const ps_tiler *tiler, int32_t level, uint64_t size, ps_tile *out,
                      ps_bytes *bytes) {
    const uint64_t index = ps_tile_nodes(level, size) / PS_TILE_WIDTH;
    PS_CHECK_OP(size, <=, tiler->size);
    *out = ps_tile_of(level, index, size);
    if (out->width == 0 || index != ps_tile_nodes(level, tiler->size) / PS_TILE_WIDTH) return false;
    if (level != PS_TILE_ENTRIES) {
        *bytes = (ps_bytes){tiler->tile[level], out->width * PS_NODE_BYTES};
        return true;
    }
    size_t at = 0;
    ps_bytes entry;
    for (uint32_t i = 0; i < out->width; i++)
        PS_CHECK(ps_bundle_next(tiler->bundle, tiler->bundle_bytes, &at, &entry));
    *bytes = (ps_bytes){tiler->bundle, (uint32_t)at};
    return true;
}

ps_status ps_tiler_flush(ps_tiler *tiler, const ps_tile_sink *sink, ps_error *error) {
    ps_growth growth = ps_growth_of(tiler->flushed, tiler->size);
    for (ps_tile tile; ps_growth_next(&growth, &tile);) {
        if (tile.width == PS_TILE_WIDTH) continue;
        if (tile.level == PS_TILE_ENTRIES)
            PS_TRY(put_bundle(tiler, tiler->size, sink, error));
        else
            PS_TRY(sink->put(sink->context, &tile, tiler->tile[tile.level],
                             (size_t)tile.width * PS_NODE_BYTES, error));
    }
    tiler->flushed = tiler->size;
    return PS_OK;
}
