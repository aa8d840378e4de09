/* SPDX-License-Identifier: Apache-2.0
 * Where a log's hashes and entries lie: files of up to 256 of them, named as C2SP's tlog-tiles
 * names them, so that any web server serves a log and any client reads it. Level l of tiles holds
 * the tree's nodes of level 8 l, each the root of a full tile one level down.
 *
 *   tile/<level>/<index>, tile/entries/<index>     full: 256
 *   ….p/<width>                                     partial: the first <width> of it
 *
 * Units: an index in groups of three digits, all but the last behind an x (1234067: x001/x234/067).
 * Source: c2sp.org/tlog-tiles, sections "Merkle Tree" and "Log entries".
 */
#ifndef PS_HOST_SEAL_TILE_H
#define PS_HOST_SEAL_TILE_H

#include "host/base/bytes.h"
#include "host/seal/hash.h"

enum {
    PS_TILE_WIDTH = 256,
    PS_TILE_HEIGHT = 8,
    PS_TILE_BYTES = PS_TILE_WIDTH * PS_NODE_BYTES,
    PS_TILE_LEVELS = 8,   /* of 2^63 entries, with the one that has their root's children */
    PS_TILE_ENTRIES = -1, /* in place of a level */
    PS_TILE_PATH_MAX = 80,
    PS_ENTRY_BYTES_MAX = 65535
};

typedef struct ps_tile {
    int32_t level;  /* or PS_TILE_ENTRIES */
    uint32_t width; /* 1 to PS_TILE_WIDTH */
    uint64_t index;
} ps_tile;

/* The path, which is returned; and back: false for what names no tile. */
const char *ps_tile_path(const ps_tile *tile, char path[PS_TILE_PATH_MAX]);
bool ps_tile_parse(const char *path, ps_tile *out);

/* How many nodes level `level` of tiles has in a tree of that size; entries count as level 0. */
uint64_t ps_tile_nodes(int32_t level, uint64_t size);

/* The tile of that index as a tree of `size` has it; its width is 0 where there is none. */
ps_tile ps_tile_of(int32_t level, uint64_t index, uint64_t size);

/* What a log that grows has to write, one tile a step: all that became full, and at the end of each
 * level the partial one. Begins with the entries; false at the end. A level's tiles come in order.
 */
typedef struct ps_growth {
    uint64_t size_before, size_after, next;
    int32_t level;
} ps_growth;
ps_growth ps_growth_of(uint64_t size_before, uint64_t size_after);
bool ps_growth_next(ps_growth *growth, ps_tile *out);

/* Entry bundles: u16 length, big-endian, and the entry. `*at` begins at 0. False: no entry is left,
 * which is the end where `*at` is `length` and a torn bundle elsewhere. */
bool ps_bundle_next(const uint8_t *bytes, size_t length, size_t *at, ps_bytes *entry);
/* The byte behind what it writes: 2 + length bytes. */
uint8_t *ps_bundle_put(uint8_t *to, ps_bytes entry);

#endif
