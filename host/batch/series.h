/* SPDX-License-Identifier: Apache-2.0
 * Series: the key bytes of each row become a dense index into the detectors' state, bounded by
 * `series_max`.
 *
 * Each partition has the same fixed share of the table, so which series is evicted depends on that
 * partition's records alone: not on batches, lanes, or which worker has it. The one evicted is the
 * one whose newest row is the oldest. A series is identified by SipHash-2-4-128 of its key: two
 * keys that collide would share a state (2^-128 each pair).
 */
#ifndef PS_HOST_BATCH_SERIES_H
#define PS_HOST_BATCH_SERIES_H

#include "host/base/status.h"
#include "host/batch/batch.h"

/* Bytes of sweep slice that a row pays for under policy replay. */
enum { PS_REPLAY_ROW_BYTES = 256 };

/* Series that are swept for each partition that a batch moved: they pay for its record's header. */
enum { PS_SWEPT_PER_POSITION = 4 };

typedef struct ps_series ps_series;

/* Bytes that ps_series_open takes, for the memory ceiling. */
size_t ps_series_bytes(uint32_t series_max, uint32_t rows_max);

/* Owns: nothing; the table lives in `memory` of ps_series_bytes() bytes, zeroed and aligned to 64.
 * `partitions` is at most series_max. */
ps_series *ps_series_open(void *memory, uint32_t series_max, uint32_t rows_max,
                          uint32_t partitions);

/* States that the planes must have room for: series_max plus what one batch may retire. */
uint32_t ps_series_capacity(uint32_t series_max, uint32_t rows_max);

/* Gives every row of the batch its segment (LOCAL, RANK, FIRST, SERIES, FRESH, segments, evictions)
 * by the text of `key`; rejected rows and rows whose key is null belong to none. Then appends up to
 * as many swept segments as were touched, and a few for each partition that moved, so that their
 * state rides along unchanged. */
void ps_series_resolve(ps_series *series, ps_batch *batch, const ps_column *key);

/* A key that is about to be restored: asks for its place in the table, then for its entry. Doing
 * each for several keys before the next hides the latency of memory. */
void ps_series_fetch_place(const ps_series *series, uint32_t partition, const uint64_t key[2]);
void ps_series_fetch_entry(const ps_series *series, uint32_t partition, const uint64_t key[2]);

/* One entry of a restored state record: its index, to write the state to; the newest call for a key
 * wins. A share that is full (the record was written under a larger series_max) loses its oldest
 * series, as always; PS_NOWHERE: that is this one. */
uint32_t ps_series_restore(ps_series *series, uint32_t partition, const uint64_t key[2],
                           int64_t last);
/* Notes where the record lies that told a restored series last, as a number that grows from record
 * to record, and of which sweep round it is; and the least place of a partition's, as long as no
 * row has touched it. UINT32_MAX: it has no series. */
void ps_series_place(ps_series *series, uint32_t id, uint32_t place, int64_t round);
uint32_t ps_series_oldest(const ps_series *series, uint32_t partition);

void ps_series_forget(ps_series *series, uint32_t partition, const uint64_t key[2]);

/* Policy replay: rows that are read again bring restored series up to date, and the sweep says the
 * planes of touched series too, at some `PS_REPLAY_ROW_BYTES` a row. `memory`: as ps_series_open's.
 */
size_t ps_series_replay_bytes(uint32_t series_max, uint32_t rows_max);
void ps_series_replays(ps_series *series, void *memory, uint32_t entry_bytes);

/* So many series of the batch that was resolved last are in the slice too, and paid for by later
 * rows. */
void ps_series_told(ps_series *series, uint32_t count);

/* Its rows from offset `mark` on are not in the restored planes; `born`: there are no planes, the
 * first of these rows began the series. -1: nothing has told its planes yet. */
void ps_series_mark(ps_series *series, uint32_t id, int64_t mark, bool born);

/* Forgets restored series whose planes nothing has told. False: some are among the newest that the
 * table has room for, but were not when they were told: its share was larger then. */
bool ps_series_whole(ps_series *series, uint32_t partition);

/* The id, PS_NOWHERE: no such series. */
uint32_t ps_series_find(const ps_series *series, uint32_t partition, const uint64_t key[2]);

/* From which row the partition must be read again so that all its series are as of `until`, and
 * that rows before this are to be taken so; `until`: none. */
int64_t ps_series_replay(ps_series *series, uint32_t partition, int64_t until);

/* Whether the partition's series are kept out of the sweep: while its state is being restored, what
 * the table holds of it is neither whole nor on the device. */
void ps_series_hold(ps_series *series, uint32_t partition, bool held);

/* Drops all series of a partition: it was revoked, or its state is about to be restored. */
void ps_series_drop(ps_series *series, uint32_t partition);

/* Whether `id` is still the index of the series of this segment, or was given to another since. */
bool ps_series_holds(const ps_series *series, uint32_t id, const ps_segment *segment);

uint32_t ps_series_count(const ps_series *series);   /* live now */
uint64_t ps_series_evicted(const ps_series *series); /* since start */

#endif
