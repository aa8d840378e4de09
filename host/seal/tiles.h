/* SPDX-License-Identifier: Apache-2.0
 * A log's tree, read from its tiles wherever they lie: any node takes one tile, a root or a proof
 * about two a level.
 *
 * Units: sizes and indices in entries; a node of tree level l is the root over 2^l entries.
 */
#ifndef PS_HOST_SEAL_TILES_H
#define PS_HOST_SEAL_TILES_H

#include "host/base/status.h"
#include "host/seal/tile.h"

/* Hands out a file of the log. Fails: PS_UNKNOWN_NAME: there is no such file; PS_TAMPERED: it has
 * more than `room` bytes. */
typedef struct ps_tile_source {
    ps_status (*read)(void *context, const char *path, uint8_t *to, size_t room, size_t *length,
                      ps_error *error);
    void *context; /* borrowed */
} ps_tile_source;

/* The caller's, too large for a stack; it keeps the tile of each level that was read last. */
typedef struct ps_tiles {
    ps_tile_source source;
    uint64_t size;
    ps_tile held[PS_TILE_LEVELS]; /* width 0: none */
    uint8_t bytes[PS_TILE_LEVELS][PS_TILE_BYTES];
} ps_tiles;

void ps_tiles_init(ps_tiles *tiles, const ps_tile_source *source, uint64_t size);

/* One file of the log of `size`: `*length` bytes of the tile. Where a partial one is gone because
 * the full one is there, it is the beginning of that.
 * Fails: PS_UNKNOWN_NAME: neither is there; PS_TAMPERED: hashes of another length. */
ps_status ps_tile_load(const ps_tile_source *source, const ps_tile *tile, uint8_t *to, size_t room,
                       size_t *length, ps_error *error) PS_MUST_USE;

/* Fails, all of these: as the source does. The node (level, index) is complete in the tree. */
ps_status ps_tiles_node(ps_tiles *tiles, uint32_t level, uint64_t index, ps_hash *out,
                        ps_error *error) PS_MUST_USE;

/* The tree hash over the entries [begin, end), which a tree has as one subtree: `begin` is a
 * multiple of the least power of two that is not below end - begin. */
ps_status ps_tiles_range(ps_tiles *tiles, uint64_t begin, uint64_t end, ps_hash *out,
                         ps_error *error) PS_MUST_USE;

/* Of the first `size` entries, 0 included. */
ps_status ps_tiles_root(ps_tiles *tiles, uint64_t size, ps_hash *out, ps_error *error) PS_MUST_USE;

/* What goes on growing from here. Reads at most two tiles a level, however large the log is. */
ps_status ps_tiles_frontier(ps_tiles *tiles, ps_frontier *out, ps_error *error) PS_MUST_USE;

#endif
