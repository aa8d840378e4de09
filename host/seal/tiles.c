/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/tiles.h"

#include <stdlib.h>

#include "host/base/check.h"

void ps_tiles_init(ps_tiles *tiles, const ps_tile_source *source, uint64_t size) {
    tiles->source = *source;
    tiles->size = size;
    memset(tiles->held, 0, sizeof tiles->held);
}

/* The bytes of the first `width` entries of a bundle; 0: it has fewer. */
static size_t bundle_prefix(const uint8_t *bytes, size_t length, uint32_t width) {
    size_t at = 0;
    ps_bytes entry;
    for (uint32_t i = 0; i < width; i++)
        if (!ps_bundle_next(bytes, length, &at, &entry)) return 0;
    return at;
}

static ps_status load_full(const ps_tile_source *source, const ps_tile *tile, uint8_t *to,
                           size_t room, size_t *length, ps_error *error) {
    char path[PS_TILE_PATH_MAX];
    const ps_tile full = {tile->level, PS_TILE_WIDTH, tile->index};
    if (tile->level == PS_TILE_ENTRIES) {
        PS_TRY(source->read(source->context, ps_tile_path(&full, path), to, room, length, error));
        *length = bundle_prefix(to, *length, tile->width);
        if (*length > 0) return PS_OK;
        return ps_fail(error, PS_TAMPERED, "%s: has no %u entries", path, tile->width);
    }
    uint8_t *const bytes = malloc(PS_TILE_BYTES);
    if (bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a tile");
    const ps_status status = source->read(source->context, ps_tile_path(&full, path), bytes,
                                          PS_TILE_BYTES, length, error);
    if (status == PS_OK && *length == PS_TILE_BYTES) {
        *length = (size_t)tile->width * PS_NODE_BYTES;
        memcpy(to, bytes, *length);
    }
    free(bytes);
    return status;
}

ps_status ps_tile_load(const ps_tile_source *source, const ps_tile *tile, uint8_t *to, size_t room,
                       size_t *length, ps_error *error) {
    char path[PS_TILE_PATH_MAX];
    ps_error instead;
    const size_t wanted = (size_t)tile->width * PS_NODE_BYTES;
    ps_status status =
        source->read(source->context, ps_tile_path(tile, path), to, room, length, error);
    if (status == PS_UNKNOWN_NAME && tile->width < PS_TILE_WIDTH) {
        const ps_status full = load_full(source, tile, to, room, length, &instead);
        if (full == PS_UNKNOWN_NAME) return status; /* the one that is asked for is named */
        if (full != PS_OK && error != NULL) *error = instead;
        status = full;
    }
    if (status != PS_OK || tile->level == PS_TILE_ENTRIES || *length == wanted) return status;
    return ps_fail(error, PS_TAMPERED, "%s: has %zu bytes instead of %zu", path, *length, wanted);
}

static ps_status hold(ps_tiles *tiles, uint32_t level, uint64_t index, ps_error *error) {
    ps_tile *const held = &tiles->held[level];
    size_t length = 0;
    if (held->width > 0 && held->index == index) return PS_OK;
    const ps_tile wanted = ps_tile_of((int32_t)level, index, tiles->size);
    PS_CHECK(wanted.width > 0);
    held->width = 0;
    PS_TRY(
        ps_tile_load(&tiles->source, &wanted, tiles->bytes[level], PS_TILE_BYTES, &length, error));
    *held = wanted;
    return PS_OK;
}

/* The root over 2^height of the hashes at `from`. */
static void fold(const uint8_t *from, uint32_t height, ps_hash *out) {
    ps_hash node[PS_TILE_WIDTH / 2];
    uint32_t count = 1u << height;
    memcpy(node, from, (size_t)count * PS_NODE_BYTES);
    for (; count > 1; count /= 2)
        for (uint32_t i = 0; i < count / 2; i++)
            ps_hash_node(&node[2 * i], &node[2 * i + 1], &node[i]);
    *out = node[0];
}

ps_status ps_tiles_node(ps_tiles *tiles, uint32_t level, uint64_t index, ps_hash *out,
                        ps_error *error) {
    const uint32_t up = level / PS_TILE_HEIGHT, height = level % PS_TILE_HEIGHT;
    const uint64_t first = index << height; /* of the tile level's nodes below it */
    PS_CHECK(level < PS_MERKLE_LEVELS && index < tiles->size >> level);
    PS_TRY(hold(tiles, up, first / PS_TILE_WIDTH, error));
    fold(tiles->bytes[up] + first % PS_TILE_WIDTH * PS_NODE_BYTES, height, out);
    return PS_OK;
}

ps_status ps_tiles_range(ps_tiles *tiles, uint64_t begin, uint64_t end, ps_hash *out,
                         ps_error *error) {
    ps_hash left;
    uint64_t rest = end - begin;
    PS_CHECK(begin < end && end <= tiles->size);
    /* From the smallest perfect subtree, which is the rightmost. */
    for (bool first = true; rest != 0; first = false) {
        const uint32_t level = (uint32_t)__builtin_ctzll(rest);
        rest &= rest - 1;
        const uint64_t at = begin + rest;
        PS_TRY(ps_tiles_node(tiles, level, at >> level, first ? out : &left, error));
        if (!first) ps_hash_node(&left, out, out);
    }
    return PS_OK;
}

ps_status ps_tiles_root(ps_tiles *tiles, uint64_t size, ps_hash *out, ps_error *error) {
    if (size > 0) return ps_tiles_range(tiles, 0, size, out, error);
    ps_hash_empty(out);
    return PS_OK;
}

ps_status ps_tiles_frontier(ps_tiles *tiles, ps_frontier *out, ps_error *error) {
    memset(out, 0, sizeof *out);
    for (uint32_t level = 0; level < PS_MERKLE_LEVELS; level++) {
        ps_hash node;
        if ((tiles->size >> level & 1) == 0) continue;
        PS_TRY(ps_tiles_node(tiles, level, (tiles->size >> level) - 1, &node, error));
        memcpy(out->node[level], &node, sizeof node);
    }
    out->size = tiles->size;
    return PS_OK;
}
