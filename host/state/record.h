/* SPDX-License-Identifier: Apache-2.0
 * The state record: what one batch did to the state of one partition, packed, for the same
 * transaction as its rows.
 *
 * A batch gives every partition that it moved or swept one record, cut into chunks that each stay
 * under a byte limit. A restore applies the records of a partition in order: the newest entry of a
 * series wins, and the newest watermark says which source offset the state stands at. Little-endian
 * throughout.
 *
 *   - header: "PSst", u16 format, u16 reserved, u64 plan fingerprint, i32 partition, u16 chunk,
 *     u16 chunks, i64 watermark, i64 sweep round, u32 planes, u32 evictions, u32 entries,
 *     u16 topic bytes, topic; format 2: u32 touched
 *   - eviction: u64 key[2]
 *   - touched (format 2): u64 key[2], i64 last, i64 offset at which it began, or -1
 *   - entry: u64 key[2], i64 last, f64 planes[]
 *
 * Format 1 is of policy delta: an entry for each series that the batch touched or swept. Format 2
 * is of policy replay: entries are the swept ones only, as of the watermark, the others are
 * touched. Evictions come first: a series that was evicted and came back within the batch is there.
 */
#ifndef PS_HOST_STATE_RECORD_H
#define PS_HOST_STATE_RECORD_H

#include "host/flow/parts.h"

enum { PS_STATE_DELTA = 1, PS_STATE_REPLAY = 2 }; /* formats */

/* What was done to the state: by a batch, or by several (host/state/merge.h). Borrowed. */
typedef struct ps_state_delta {
    const ps_segment *segments;
    const ps_eviction *evictions;
    const ps_position *positions;
    uint32_t segment_count, eviction_count, position_count;
    int64_t sweep_round;
    const double *image[PS_STAGES_MAX]; /* of each state of the plan: [segments][planes] */
} ps_state_delta;

/* Walks the records of one delta; holds no memory beyond the caller's. */
typedef struct ps_state_writer ps_state_writer;

/* Bytes of scratch that a writer needs: it groups segments by partition. */
size_t ps_state_writer_bytes(const ps_plan *plan);

/* Owns: nothing; the writer lives in `memory`. `chunk_bytes`: the most that one chunk may take (1
 * KiB at least). */
ps_state_writer *ps_state_writer_open(void *memory, const ps_plan *plan,
                                      const ps_partitions *partitions, size_t chunk_bytes);

/* Where a partition stands though no batch has moved it yet: as restored. PS_OFFSET_NONE: it left
 * this lane. A partition that was never told and never moved is not swept. */
void ps_state_writer_watermark(ps_state_writer *writer, uint32_t partition, int64_t next);

/* Starts on a batch whose kernels have finished, or on what several did. */
void ps_state_writer_begin(ps_state_writer *writer, const ps_batch *batch);
void ps_state_writer_begin_delta(ps_state_writer *writer, const ps_state_delta *delta);

/* The next chunk into `to` of `chunk_bytes`: false when there is none. `*partition` is the source
 * partition's number. */
bool ps_state_writer_next(ps_state_writer *writer, uint8_t *to, size_t *bytes, uint32_t *partition);

/* Makes a chunk that of a certain origin: partitions that are files have numbers by their place in
 * a list that may change. `origin` is xored to the fingerprint, here and by who compares. */
void ps_state_origin(uint8_t *chunk, uint64_t origin);

/* What all chunks of it take together: for reserving room. Upper bound. */
size_t ps_state_writer_total(const ps_state_writer *writer);

/* What one sweep round of `lanes` lanes, which share the series of one table, writes at most: each
 * step of the sweep is paid for by a series that a batch touched or by a partition that it moved
 * (PS_SWEPT_PER_POSITION), dead places cost an eighth of one. */
size_t ps_state_round_bytes(const ps_plan *plan, uint32_t lanes);

typedef struct ps_state_header {
    uint64_t fingerprint;
    uint16_t format;
    int32_t within; /* the partition, within its topic */
    uint16_t chunk, chunks;
    int64_t watermark, sweep_round;
    uint32_t planes, evictions, touched, entries;
    ps_bytes topic;
    uint32_t header_bytes;
    uint32_t place; /* not in the record: the reader's, for ps_state_entry */
} ps_state_header;

/* The policy that writes a format, as the configuration names it. */
const char *ps_state_policy(uint16_t format);

/* Checks structure and format: an unknown newer format or a broken record is PS_BAD_CONFIG with
 * what to do. */
ps_status ps_state_parse(const uint8_t *data, size_t bytes, ps_state_header *header,
                         ps_error *error) PS_MUST_USE;

/* Gives the entries of one parsed chunk to `apply`, evictions first. */
void ps_state_apply_chunk(const uint8_t *data, const ps_state_header *header, uint32_t partition,
                          ps_state_apply *apply, void *context);

#endif
