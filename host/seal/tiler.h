/* SPDX-License-Identifier: Apache-2.0
 * Makes the tiles of a log that grows: keeps the one tile of each level that is not full yet, hands
 * out those that become full, and at a checkpoint the partial ones. The hashes are the ones that
 * host/device/merkle.h has made for the append; none is made twice.
 *
 *   ps_append, leaf hashes, nodes, entries ──> ps_tiler_append() ──> full tiles and bundles
 *                                              ps_tiler_flush()  ──> partial ones, before a
 * checkpoint
 *
 * Owns: 64 KiB of tiles and one bundle of 256 entries; nothing is allocated after it is open.
 */
#ifndef PS_HOST_SEAL_TILER_H
#define PS_HOST_SEAL_TILER_H

#include "host/seal/tiles.h"

/* Takes one tile or bundle; `bytes` are borrowed for the call. */
typedef struct ps_tile_sink {
    ps_status (*put)(void *context, const ps_tile *tile, const uint8_t *bytes, size_t length,
                     ps_error *error);
    void *context; /* borrowed */
} ps_tile_sink;

typedef struct ps_tiler ps_tiler;

/* An empty log, of entries up to `entry_bytes_max` (at most PS_ENTRY_BYTES_MAX) each. */
ps_status ps_tiler_open(uint32_t entry_bytes_max, ps_tiler **out, ps_error *error) PS_MUST_USE;
void ps_tiler_close(ps_tiler *tiler);

/* Goes on where a log of `size` ended: reads its last tiles, one a level, and its last bundle.
 * Fails: PS_TAMPERED: the bundle is not what its tile has the hashes of; else as the source does.
 */
ps_status ps_tiler_restore(ps_tiler *tiler, const ps_tile_source *source, uint64_t size,
                           ps_error *error) PS_MUST_USE;

uint64_t ps_tiler_size(const ps_tiler *tiler);

/* What was appended, as ps_merkle_run() or a device has left it. */
typedef struct ps_tiler_batch {
    const ps_append *append;
    const uint8_t *leaves, *nodes;
    const ps_bytes *entries; /* NULL: no bundles are made */
} ps_tiler_batch;

/* Fails: PS_BAD_CONFIG: an entry is too long; else as the sink does. Then it must be restored. */
ps_status ps_tiler_append(ps_tiler *tiler, const ps_tiler_batch *batch, const ps_tile_sink *sink,
                          ps_error *error) PS_MUST_USE;

/* The partial tiles that have changed since the last time. */
ps_status ps_tiler_flush(ps_tiler *tiler, const ps_tile_sink *sink, ps_error *error) PS_MUST_USE;

/* The partial tile of that level (or PS_TILE_ENTRIES) as a log of `size`, at most the tiler's, has
 * it: the beginning of what is held, borrowed until the next append. False: there is none, or it
 * has become full since. */
bool ps_tiler_partial(const ps_tiler *tiler, int32_t level, uint64_t size, ps_tile *out,
                      ps_bytes *bytes);

#endif
