/* SPDX-License-Identifier: Apache-2.0
 * The inside of what seals a lane's rows, shared by sealer.c (what the lane calls), sealer_rows.c
 * (rows become entries), sealer_records.c (what goes into the transaction), sealer_restore.c (a log
 * comes back) and sealer_share.c (what lanes have together). Nobody else includes this.
 */
#ifndef PS_HOST_SEAL_SEALER_PARTS_H
#define PS_HOST_SEAL_SEALER_PARTS_H

#include <stdatomic.h>

#include "host/base/limits.h"
#include "host/seal/leaves.h"
#include "host/seal/log_record.h"
#include "host/seal/projector.h"

enum {
    PS_SEALER_HEADERS = 1 << 20, /* bytes of headers that are hashed together */
    PS_SEALER_KEY_MAX = 256 + 16 + PS_TILE_PATH_MAX
};

/* Of one source partition. */
typedef struct ps_sealed_log {
    atomic_bool given;       /* restored: its rows may come */
    bool moved, grown;       /* since the last commit */
    bool cleared;            /* while it is restored: nothing lies beyond its checkpoint … */
    uint64_t said;           /* … but tiles of so many entries, from the topic */
    int64_t watermark, last; /* where it stands, and its highest offset; PS_OFFSET_NONE: empty */
    ps_frontier frontier;    /* with what is not committed yet */
    ps_frontier committed;
    uint64_t published;   /* size of the tree that was last given to the projector to sign … */
    int64_t published_ns; /* … and when */
    ps_tiler *tiler;
} ps_sealed_log;

/* Rows whose leaf hashes are there, of the batch at hand. */
typedef struct ps_sealed_chunk {
    uint64_t ticket; /* of the batch, 0: none */
    uint32_t run, row, begin, end;
    bool done;
} ps_sealed_chunk;

/* The newest tile of each level, the entries last; width 0: none. */
typedef struct ps_gathered_tiles {
    ps_tile tile[PS_TILE_LEVELS + 1];
    uint8_t bytes[PS_TILE_LEVELS][PS_TILE_BYTES];
    uint8_t bundle[PS_SEALED_BUNDLE];
} ps_gathered_tiles;

/* What a restore has found of one log; the other thread's. Without transactions a worker that dies
 * leaves tiles behind that no log speaks of: those behind the newest record of the log. */
typedef struct ps_gathered {
    bool found;
    char origin[PS_ORIGIN_MAX];
    ps_log_record record;
    uint64_t lowest[PS_TILE_LEVELS + 1]; /* full tile of each level that was written to its file */
    ps_gathered_tiles said, behind;
} ps_gathered;

/* Of up to PS_LEAVES_MAX rows. */
typedef struct ps_sealer_space {
    uint32_t entry_begin[PS_LEAVES_MAX], entry_length[PS_LEAVES_MAX];
    ps_bytes entry[PS_LEAVES_MAX]; /* into `entries`, as leaves and tiles take them */
    uint8_t entries[PS_LEAVES_MAX * PS_SEALED_BYTES + PS_ARENA_PADDING]; /* as bundles have them */
    uint32_t header_begin[PS_LEAVES_MAX], header_length[PS_LEAVES_MAX];
    ps_hash header_hash[PS_LEAVES_MAX];
    uint8_t headers[PS_SEALER_HEADERS + PS_ARENA_PADDING];
} ps_sealer_space;

typedef struct ps_lane_sealer {
    const ps_lane_env *env;
    const ps_seal_config *config;
    const ps_seal_plan *plan;
    uint32_t count; /* logs: one a partition */
    ps_sealed_log *log;
    ps_projected *projected;
    ps_projector *projector;
    ps_leaves *leaves;
    ps_sealer_space *space;
    ps_hash no_headers;
    void *stream; /* OpenSSL's, for what does not fit the space */
    ps_sealed_chunk chunk;
    _Atomic int64_t due_ns; /* when some log is to be published, INT64_MAX: none */

    uint32_t *dirty; /* logs that moved since the last commit */
    uint32_t dirty_count, dirty_at;
    int32_t level;  /* of the dirty log at hand: its tiles, from PS_TILE_ENTRIES; then its record */
    bool from_ring; /* what `next` gave last */
    char key[PS_SEALER_KEY_MAX];
    uint8_t record[PS_LOG_RECORD_MAX];

    ps_gathered *gathered;
    ps_tiles *tiles; /* the other thread's, too */
} ps_lane_sealer;

/* sealer.c. Before every message about a log: its topic and partition. */
ps_status ps_sealer_fail(const ps_lane_sealer *sealer, uint32_t partition, ps_status status,
                         ps_error *error, const char *format, ...) PS_PRINTF(5, 6);
/* Gives what is committed to the projector. False: it has no room. */
bool ps_sealer_publish(ps_lane_sealer *sealer, uint32_t partition, int64_t now_ns);

/* The logs are looked at no later than that. */
void ps_sealer_due(ps_lane_sealer *sealer, int64_t at_ns);

/* What the lanes share; its roller, which is NULL where nothing is rolled up. */
ps_roller *ps_sealer_roller(const void *shared);

/* The ps_sealer functions of the other files. */
ps_status ps_sealer_share(const ps_plan *plan, void **shared, ps_error *error) PS_MUST_USE;
void ps_sealer_unshare(void *shared);
size_t ps_sealer_shared_memory(const ps_plan *plan);
const ps_roll_metrics *ps_sealer_rolled(const void *shared);
ps_status ps_sealer_rows(void *self, const ps_batch *batch, ps_error *error) PS_MUST_USE;
bool ps_sealer_next(void *self, bool closing, ps_sealed *out);
void ps_sealer_taken(void *self);
void ps_sealer_committed(void *self);
void ps_sealer_undo(void *self);
ps_status ps_sealer_begin(void *self, uint32_t partition, ps_error *error) PS_MUST_USE;
void ps_sealer_gather(void *self, uint32_t partition);
ps_status ps_sealer_apply(void *self, uint32_t partition, ps_bytes key, ps_bytes value,
                          ps_error *error) PS_MUST_USE;
ps_status ps_sealer_restored(void *self, uint32_t partition, bool all, ps_error *error) PS_MUST_USE;

#endif
