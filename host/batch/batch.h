/* SPDX-License-Identifier: Apache-2.0
 * A batch: rows of a few partitions in one block, filled by a source, computed on by the plan,
 * written out by a sink.
 *
 * Every record of the source becomes a row, also one that does not decode (its REJECT is not 0), so
 * that accounting and sealing see all of them: rows = out + filtered + rejected.
 */
#ifndef PS_HOST_BATCH_BATCH_H
#define PS_HOST_BATCH_BATCH_H

#include "host/base/bytes.h"
#include "host/base/check.h"
#include "host/batch/bits.h"
#include "host/batch/schema.h"

/* One allocation seen from both sides. */
typedef struct ps_block {
    uint8_t *host;   /* pinned where a device needs it, on the lane's NUMA node */
    uint64_t device; /* its mirror; the same address on the CPU back-end */
    size_t bytes;
} ps_block;

/* Consecutive rows of one partition, as numbered across all source topics (ps_partitions). */
typedef struct ps_run {
    uint32_t partition;
    uint32_t first_row, rows;
    int64_t first_offset;
} ps_run;

/* Where to resume a partition once the batch is safely out. May pass the last row's offset + 1:
 * transaction markers and compacted records take offsets too. */
typedef struct ps_position {
    uint32_t partition;
    int64_t next;
} ps_position;

typedef enum ps_segment_kind {
    PS_SEGMENT_TOUCHED, /* has rows in this batch */
    PS_SEGMENT_SWEPT,   /* has none: rides along so that the sweep slice sees its state */
    PS_SEGMENT_EVICTED, /* had rows, then lost its place: its after-image is void */
    PS_SEGMENT_BOTH,    /* touched, and in the sweep slice: where only that says planes */
    PS_SEGMENT_REPLAYED /* has only rows that were out before: nothing of it is new */
} ps_segment_kind;

/* What identifies a segment beyond the batch: host-side only, one per segment. */
typedef struct ps_segment {
    uint64_t key[2];          /* SipHash-2-4-128 of the series' key bytes */
    int64_t last;             /* source offset of its newest row */
    int64_t born;             /* of its first row, where the series began in this batch; else -1 */
    uint32_t partition, kind; /* ps_segment_kind */
} ps_segment;

/* A series that lost its place in this batch: the state record says so. */
typedef struct ps_eviction {
    uint64_t key[2];
    uint32_t partition;
    uint32_t reserved;
} ps_eviction;

/* A record larger than an empty arena: it is its batch's last row, rejected as too_large, and its
 * bytes stay here. */
typedef struct ps_oversize {
    uint32_t row; /* PS_NOWHERE: none */
    ps_bytes key, value, headers;
    void *owner; /* the source's; it frees what `owner` stands for when the slot is filled again */
} ps_oversize;

typedef struct ps_batch {
    const ps_schema *schema; /* borrowed from the plan; every batch of a pipeline shares it */
    ps_block block;
    uint32_t rows, rows_before;  /* how many of them were out before: these are in no run */
    uint32_t arena_used, enough; /* enough: bytes with which it takes no more; 0: there are none */
    uint32_t arena_owed;    /* of what is free: to be taken by ps_batch_reserve while decoding */
    uint64_t payload_bytes; /* keys and values as they came, of all others: for the metrics */
    uint32_t segment_count, touched_count; /* touched ones first, then the swept ones */
    uint32_t run_count, position_count, eviction_count;
    ps_run *runs;           /* [PS_RUNS_MAX] */
    ps_position *positions; /* [partitions of the source] every partition this batch moved */
    ps_segment *segments;   /* [schema->segments_max] */
    ps_eviction *evictions; /* [schema->rows_max] */
    ps_oversize oversize;
    int64_t filled_ns;   /* monotonic: when its first row was taken */
    int64_t shown_ns;    /* what goes out until then is seen no sooner; 0: it is seen at once */
    int64_t sweep_round; /* which pass over the table its swept segments belong to */
    uint64_t ticket;
} ps_batch;

#define PS_NO_SEGMENT UINT32_MAX

/* A column's elements, typed by the caller: double *cpu = ps_batch_values(batch, column). */
static inline void *ps_batch_values(const ps_batch *batch, const ps_column *column) {
    return batch->block.host + column->values;
}
static inline uint32_t *ps_batch_lengths(const ps_batch *batch, const ps_column *column) {
    return (uint32_t *)(void *)(batch->block.host + column->lengths);
}
static inline uint8_t *ps_batch_validity(const ps_batch *batch, const ps_column *column) {
    return batch->block.host + column->validity;
}
static inline void *ps_batch_system(const ps_batch *batch, ps_system_column column) {
    return batch->block.host + batch->schema->column[column].values;
}
static inline uint8_t *ps_batch_arena(const ps_batch *batch) {
    return batch->block.host + batch->schema->arena;
}

/* The text of one row: key, value, a string field. `data` is NULL where it is null. */
static inline ps_bytes ps_batch_text(const ps_batch *batch, const ps_column *column, uint32_t row) {
    const uint32_t length = ps_batch_lengths(batch, column)[row];
    const uint32_t begin = ((const uint32_t *)ps_batch_values(batch, column))[row];
    const ps_bytes text = {length == PS_NULL_LENGTH ? NULL : ps_batch_arena(batch) + begin, length};
    return text;
}
static inline void ps_batch_text_set(ps_batch *batch, const ps_column *column, uint32_t row,
                                     uint32_t begin, uint32_t length) {
    ((uint32_t *)ps_batch_values(batch, column))[row] = begin;
    ps_batch_lengths(batch, column)[row] = length;
}

/* Empties a batch for its next filling; the block's bytes stay as they are. */
void ps_batch_reset(ps_batch *batch);

/* One record as a source hands it over; `headers` packed (host/batch/headers.h). */
typedef struct ps_record {
    uint32_t partition;
    uint8_t flags;
    int64_t offset, timestamp_ms;
    ps_bytes key, value, headers;
} ps_record;

/* Copies a record in as the batch's next row. AGAIN: the batch has no room, give it the record
 * first next time. A record that does not fit an empty batch is appended with no bytes, as
 * `too_large`: the caller then keeps its bytes alive in batch->oversize (PS_END says so) and closes
 * the batch. */
ps_status ps_batch_append(ps_batch *batch, const ps_record *record) PS_MUST_USE;

/* The row was out before and is read again: the caller takes it out of its run. */
void ps_batch_before(ps_batch *batch, uint32_t row);
/* Says that `partition` may resume at `next` once this batch is out; keeps the newest. */
void ps_batch_position(ps_batch *batch, uint32_t partition, int64_t next);

/* Room for `bytes` more in the arena (decoded strings): its offset, or PS_NOWHERE. */
static inline uint32_t ps_batch_reserve(ps_batch *batch, uint32_t bytes) {
    if (bytes > batch->schema->arena_bytes - batch->arena_used) return PS_NOWHERE;
    const uint32_t at = batch->arena_used;
    batch->arena_used += bytes;
    return at;
}

#endif
