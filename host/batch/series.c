/* SPDX-License-Identifier: Apache-2.0 */
#include "host/batch/series.h"

#include <string.h>

#include "host/base/carve.h"
#include "host/base/siphash.h"
#include "host/batch/eviction.h"
#include "host/batch/sweep.h"

enum {
    AHEAD =
        32 /* rows whose table lines are fetched together: hides memory latency in large tables */
};

typedef struct ps_series {
    uint32_t quota;    /* series per partition */
    uint32_t capacity; /* ids */
    uint32_t bucket_mask;
    uint32_t partitions;
    uint32_t unused; /* ids from here on were never handed out */
    uint32_t free_count;
    uint32_t retired_count; /* evicted in the current batch: their ids return when it ends */
    uint32_t live;
    uint32_t batch; /* number of the current batch, for the marks */
    uint64_t evicted;
    uint32_t *bucket;         /* id + 1, 0: empty; linear probing */
    ps_series_entry *entry;   /* [capacity] */
    uint32_t *free_id;        /* [capacity] stack */
    uint32_t *retired;        /* [rows_max] */
    uint32_t *rows_of;        /* [rows_max] rows of each segment of the current batch */
    uint32_t *count_of;       /* [partitions] live series */
    uint8_t *held;            /* [partitions] not swept */
    ps_eviction_queue *queue; /* [partitions] */
    ps_sweep sweep;
    /* Policy replay; NULL and 0 else. */
    int64_t *mark;        /* [capacity] twice the offset, plus 1: it began there */
    int64_t *until;       /* [partitions] rows before it were out before */
    uint8_t *overfull;    /* [partitions] a restore gave it more series than its share */
    uint32_t entry_bytes; /* of one series in the sweep slice */
    uint64_t credit;      /* bytes of slice that rows have paid for */
    uint32_t again;       /* rows of the current batch that were out before */
} ps_series;

static uint32_t bucket_count(uint32_t capacity) {
    uint32_t n = 64;
    while (n < 2 * (uint64_t)capacity) n *= 2;
    return n;
}

static uint32_t quota_of(uint32_t series_max, uint32_t partitions) {
    const uint32_t quota = series_max / (partitions > 0 ? partitions : 1);
    return quota > 0 ? quota : 1;
}

uint32_t ps_series_capacity(uint32_t series_max, uint32_t rows_max) {
    return series_max + rows_max;
}

/* Sized for any number of partitions: the memory ceiling is told without asking the source. */
size_t ps_series_bytes(uint32_t series_max, uint32_t rows_max) {
    const size_t capacity = ps_series_capacity(series_max, rows_max);
    const size_t candidates = (size_t)series_max / 16 + PS_PARTITIONS_MAX;
    return ps_carve_size(sizeof(ps_series)) +
           ps_carve_size(4 * (size_t)bucket_count((uint32_t)capacity)) +
           ps_carve_size(capacity * sizeof(ps_series_entry)) + ps_carve_size(4 * capacity) +
           2 * ps_carve_size(4 * (size_t)rows_max) + ps_carve_size(4 * (size_t)PS_PARTITIONS_MAX) +
           ps_sweep_bytes((uint32_t)capacity) + ps_carve_size(PS_PARTITIONS_MAX) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(ps_eviction_queue)) +
           ps_carve_size(candidates * sizeof(ps_eviction_candidate));
}

ps_series *ps_series_open(void *memory, uint32_t series_max, uint32_t rows_max,
                          uint32_t partitions) {
    uint8_t *at = memory;
    ps_series *series = ps_carve(&at, sizeof *series);
    series->quota = quota_of(series_max, partitions);
    PS_CHECK_OP(partitions, <=, series_max);
    series->capacity = ps_series_capacity(series_max, rows_max);
    series->partitions = partitions;
    series->bucket_mask = bucket_count(series->capacity) - 1;
    series->bucket = ps_carve(&at, 4 * ((size_t)series->bucket_mask + 1));
    series->entry = ps_carve(&at, series->capacity * sizeof(ps_series_entry));
    series->free_id = ps_carve(&at, 4 * (size_t)series->capacity);
    series->retired = ps_carve(&at, 4 * (size_t)rows_max);
    series->rows_of = ps_carve(&at, 4 * (size_t)rows_max);
    series->count_of = ps_carve(&at, 4 * (size_t)PS_PARTITIONS_MAX);
    series->held = ps_carve(&at, PS_PARTITIONS_MAX);
    series->queue = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(ps_eviction_queue));
    ps_sweep_open(&series->sweep, &at, series->capacity);
    const uint32_t length = ps_eviction_queue_max(series->quota);
    ps_eviction_candidate *candidates = (ps_eviction_candidate *)(void *)at;
    for (uint32_t p = 0; p < partitions; p++)
        series->queue[p].candidate = candidates + (size_t)p * length;
    return series;
}

static uint32_t home_of(const ps_series *series, uint32_t partition, const uint64_t key[2]) {
    return (uint32_t)(key[0] ^ partition * UINT64_C(0x9e3779b97f4a7c15)) & series->bucket_mask;
}

static bool is(const ps_series_entry *entry, uint32_t partition, const uint64_t key[2]) {
    return entry->key[0] == key[0] && entry->key[1] == key[1] && entry->partition == partition;
}

/* The bucket that holds the series, or the empty one where it would go. */
static uint32_t probe(const ps_series *series, uint32_t partition, const uint64_t key[2]) {
    uint32_t at = home_of(series, partition, key);
    while (series->bucket[at] != 0 && !is(&series->entry[series->bucket[at] - 1], partition, key))
        at = (at + 1) & series->bucket_mask;
    return at;
}

/* Empties a bucket and moves up what probed past it: a table without tombstones never fills with
 * them. */
static void bucket_remove(ps_series *series, uint32_t hole) {
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & series->bucket_mask;
        if (series->bucket[at] == 0) break;
        const ps_series_entry *entry = &series->entry[series->bucket[at] - 1];
        const uint32_t home = home_of(series, entry->partition, entry->key);
        if (((at - home) & series->bucket_mask) < ((at - hole) & series->bucket_mask)) continue;
        series->bucket[hole] = series->bucket[at];
        hole = at;
    }
    series->bucket[hole] = 0;
}

/* Takes a series out of the table; its id is the caller's to hand back. */
static uint32_t detach(ps_series *series, uint32_t bucket) {
    const uint32_t id = series->bucket[bucket] - 1;
    ps_series_entry *entry = &series->entry[id];
    bucket_remove(series, bucket);
    series->count_of[entry->partition]--;
    series->live--;
    entry->live = 0;
    return id;
}

static uint32_t attach(ps_series *series, uint32_t bucket, uint32_t partition,
                       const uint64_t key[2]) {
    const uint32_t id =
        series->free_count > 0 ? series->free_id[--series->free_count] : series->unused++;
    PS_CHECK_OP(id, <, series->capacity);
    series->entry[id] =
        (ps_series_entry){.key = {key[0], key[1]}, .partition = partition, .live = 1};
    series->bucket[bucket] = id + 1;
    ps_sweep_born(&series->sweep, id);
    series->count_of[partition]++;
    series->live++;
    return id;
}

/* Makes room in a full partition: the series whose newest row is the oldest goes. */
static void evict_one(ps_series *series, ps_batch *batch, uint32_t partition) {
    const ps_eviction_scope scope = {series->entry, series->unused, partition, series->quota};
    const uint32_t victim = ps_eviction_next(&series->queue[partition], &scope);
    const ps_series_entry *entry = &series->entry[victim];
    ps_eviction *eviction = &batch->evictions[batch->eviction_count++];
    *eviction = (ps_eviction){{entry->key[0], entry->key[1]}, partition, 0};
    if (entry->batch == series->batch) batch->segments[entry->local].kind = PS_SEGMENT_EVICTED;
    const uint32_t id = detach(series, probe(series, partition, entry->key));
    /* Not reused within this batch: two segments of one batch must not share a state. */
    series->retired[series->retired_count++] = id;
    series->evicted++;
}

static uint32_t new_segment(ps_series *series, ps_batch *batch, uint32_t id, bool fresh) {
    const uint32_t local = batch->touched_count++;
    ps_series_entry *entry = &series->entry[id];
    entry->batch = series->batch;
    entry->local = local;
    series->rows_of[local] = 0;
    batch->segments[local] =
        (ps_segment){{entry->key[0], entry->key[1]}, 0, -1, entry->partition, PS_SEGMENT_TOUCHED};
    ((uint32_t *)ps_batch_system(batch, PS_COLUMN_SERIES))[local] = id;
    ((uint8_t *)ps_batch_system(batch, PS_COLUMN_FRESH))[local] = fresh;
    return local;
}

/* The segment of one row. */
static uint32_t touch(ps_series *series, ps_batch *batch, uint32_t partition, const uint64_t key[2],
                      int64_t offset) {
    uint32_t bucket = probe(series, partition, key);
    uint32_t local;
    if (series->bucket[bucket] == 0) {
        if (series->count_of[partition] >= series->quota) {
            evict_one(series, batch, partition);
            bucket = probe(series, partition, key); /* the eviction moved buckets */
        }
        local = new_segment(series, batch, attach(series, bucket, partition, key), true);
        batch->segments[local].born = offset;
    } else {
        const uint32_t id = series->bucket[bucket] - 1;
        const ps_series_entry *entry = &series->entry[id];
        local =
            entry->batch == series->batch ? entry->local : new_segment(series, batch, id, false);
        if (batch->segments[local].kind == PS_SEGMENT_REPLAYED)
            batch->segments[local].kind = PS_SEGMENT_TOUCHED;
    }
    series->entry[((uint32_t *)ps_batch_system(batch, PS_COLUMN_SERIES))[local]].last = offset;
    batch->segments[local].last = offset;
    return local;
}

/* The segment of a row that was out before: the table is as of later, so what is not there does not
 * matter any more, and what is there knows from which row on its planes miss something, and up to
 * which one it has seen: a row past that was never its own. */
static uint32_t touch_again(ps_series *series, ps_batch *batch, uint32_t partition,
                            const uint64_t key[2], int64_t offset) {
    const uint32_t id = ps_series_find(series, partition, key);
    if (id == PS_NOWHERE || offset < series->mark[id] >> 1) return PS_NO_SEGMENT;
    const ps_series_entry *entry = &series->entry[id];
    if (offset > entry->last) return PS_NO_SEGMENT;
    if (entry->batch == series->batch) return entry->local;
    const uint32_t local = new_segment(series, batch, id, (series->mark[id] & 1) != 0);
    series->mark[id] &= ~INT64_C(1);
    batch->segments[local].last = entry->last;
    batch->segments[local].kind = PS_SEGMENT_REPLAYED;
    return local;
}

/* The keys of the next few rows: a batch is larger than the caches near the core. */
static void fetch_keys(const ps_batch *batch, const ps_column *key, uint32_t begin, uint32_t end) {
    const uint32_t *at = ps_batch_values(batch, key);
    for (uint32_t row = begin; row < end && row < batch->rows; row++)
        __builtin_prefetch(ps_batch_arena(batch) + at[row]);
}

/* A few rows: hash all keys, ask for all table lines, only then look. */
static void resolve_rows(ps_series *series, ps_batch *batch, const ps_column *key,
                         const ps_run *run, uint32_t begin, uint32_t end) {
    static const uint64_t sip_key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    uint32_t *local = ps_batch_system(batch, PS_COLUMN_LOCAL);
    uint32_t *rank = ps_batch_system(batch, PS_COLUMN_RANK);
    uint64_t hash[AHEAD][2];
    fetch_keys(batch, key, end, end + AHEAD);
    for (uint32_t row = begin; row < end; row++) {
        const ps_bytes text = ps_batch_text(batch, key, row);
        local[row] = reject[row] == 0 && text.data != NULL ? 0 : PS_NO_SEGMENT;
        if (local[row] == PS_NO_SEGMENT) continue;
        ps_siphash128(text.data, text.length, sip_key, hash[row - begin]);
        __builtin_prefetch(&series->bucket[home_of(series, run->partition, hash[row - begin])]);
    }
    for (uint32_t row = begin; row < end; row++) {
        if (local[row] == PS_NO_SEGMENT) continue;
        const uint32_t id = series->bucket[home_of(series, run->partition, hash[row - begin])];
        if (id != 0) __builtin_prefetch(&series->entry[id - 1], 1);
    }
    for (uint32_t row = begin; row < end; row++) {
        rank[row] = 0;
        if (local[row] == PS_NO_SEGMENT) continue;
        const bool again = series->until != NULL && offset[row] < series->until[run->partition];
        series->again += again;
        local[row] = (again ? touch_again : touch)(series, batch, run->partition, hash[row - begin],
                                                   offset[row]);
        if (local[row] == PS_NO_SEGMENT) continue;
        rank[row] = series->rows_of[local[row]]++;
    }
}

/* How many series the slice takes, of those that there is room for. What was paid for and found
 * none is there for the next batch. */
static uint32_t slice_of(ps_series *series, const ps_batch *batch) {
    const uint32_t room = batch->schema->segments_max - batch->touched_count;
    if (series->mark == NULL) {
        const uint32_t want = batch->touched_count + PS_SWEPT_PER_POSITION * batch->position_count;
        return want < room ? want : room;
    }
    const uint64_t news = (uint64_t)batch->rows - series->again + batch->position_count;
    series->credit += news * PS_REPLAY_ROW_BYTES;
    const uint64_t most = (uint64_t)batch->schema->rows_max * series->entry_bytes;
    if (series->credit > most) series->credit = most;
    const uint64_t paid = series->credit / series->entry_bytes;
    const uint32_t count = paid < room ? (uint32_t)paid : room;
    series->credit -= (uint64_t)count * series->entry_bytes;
    return count;
}

/* Appends the next slice of the whole table as segments without rows, as long as the slice that was
 * touched, and a few for each partition that moved: each of these writes a record, and rounds go on
 * though no row belongs to a series. */
static void sweep(ps_series *series, ps_batch *batch) {
    uint32_t *id_of = ps_batch_system(batch, PS_COLUMN_SERIES);
    uint8_t *fresh = ps_batch_system(batch, PS_COLUMN_FRESH);
    const ps_sweep_scope scope = {series->entry, series->unused, series->held};
    batch->sweep_round = series->sweep.round;
    uint32_t want = slice_of(series, batch);
    uint32_t looks = 8 * want;
    for (; want > 0; want--) {
        const uint32_t id = ps_sweep_next(&series->sweep, &scope, &looks);
        if (id == PS_NOWHERE) break;
        const ps_series_entry *entry = &series->entry[id];
        if (entry->batch == series->batch) { /* touched: it is in the slice already */
            if (series->mark != NULL) batch->segments[entry->local].kind = PS_SEGMENT_BOTH;
            continue;
        }
        const uint32_t segment = batch->segment_count++;
        batch->segments[segment] = (ps_segment){
            {entry->key[0], entry->key[1]}, entry->last, -1, entry->partition, PS_SEGMENT_SWEPT};
        id_of[segment] = id;
        fresh[segment] = 0;
    }
    ps_sweep_turn(&series->sweep, &scope);
}

static void prefix_sums(const ps_series *series, ps_batch *batch) {
    uint32_t *first = ps_batch_system(batch, PS_COLUMN_FIRST);
    uint32_t sum = 0;
    for (uint32_t s = 0; s < batch->touched_count; s++) {
        first[s] = sum;
        sum += series->rows_of[s];
    }
    for (uint32_t s = batch->touched_count; s <= batch->segment_count; s++) first[s] = sum;
}

void ps_series_resolve(ps_series *series, ps_batch *batch, const ps_column *key) {
    series->again = 0;
    if (++series->batch == 0) series->batch = 1; /* 0 marks what no batch has touched */
    for (uint32_t r = 0; r < batch->run_count; r++) {
        const ps_run *run = &batch->runs[r];
        const uint32_t end = run->first_row + run->rows;
        for (uint32_t row = run->first_row; row < end; row += AHEAD)
            resolve_rows(series, batch, key, run, row, row + AHEAD < end ? row + AHEAD : end);
    }
    batch->segment_count = batch->touched_count;
    sweep(series, batch);
    prefix_sums(series, batch);
    while (series->retired_count > 0)
        series->free_id[series->free_count++] = series->retired[--series->retired_count];
}

void ps_series_fetch_place(const ps_series *series, uint32_t partition, const uint64_t key[2]) {
    __builtin_prefetch(&series->bucket[home_of(series, partition, key)], 1);
}

void ps_series_fetch_entry(const ps_series *series, uint32_t partition, const uint64_t key[2]) {
    const uint32_t id = series->bucket[home_of(series, partition, key)];
    if (id == 0) return;
    __builtin_prefetch(&series->entry[id - 1], 1);
    __builtin_prefetch(&series->sweep.told[id - 1], 1);
}

uint32_t ps_series_restore(ps_series *series, uint32_t partition, const uint64_t key[2],
                           int64_t last) {
    const uint32_t bucket = probe(series, partition, key);
    if (series->bucket[bucket] == 0) (void)attach(series, bucket, partition, key);
    const uint32_t id = series->bucket[bucket] - 1;
    series->entry[id].last = last;
    ps_eviction_note(&series->queue[partition], id, last, series->quota);
    if (series->count_of[partition] <= series->quota) return id;
    const ps_eviction_scope scope = {series->entry, series->unused, partition, series->quota};
    const uint32_t victim = ps_eviction_next(&series->queue[partition], &scope);
    const uint64_t gone[2] = {series->entry[victim].key[0], series->entry[victim].key[1]};
    ps_series_forget(series, partition, gone);
    series->evicted++;
    if (series->overfull != NULL) series->overfull[partition] = 1;
    return victim == id ? PS_NOWHERE : id;
}

/* What has not been touched has no segment, so its number is free to say this. */
void ps_series_place(ps_series *series, uint32_t id, uint32_t place, int64_t round) {
    series->entry[id].local = place;
    ps_sweep_restored(&series->sweep, id, round);
}

uint32_t ps_series_oldest(const ps_series *series, uint32_t partition) {
    uint32_t oldest = UINT32_MAX;
    for (uint32_t id = 0; id < series->unused; id++) {
        const ps_series_entry *entry = &series->entry[id];
        if (entry->live != 0 && entry->partition == partition && entry->local < oldest)
            oldest = entry->local;
    }
    return oldest;
}

void ps_series_forget(ps_series *series, uint32_t partition, const uint64_t key[2]) {
    const uint32_t bucket = probe(series, partition, key);
    if (series->bucket[bucket] == 0) return;
    const uint32_t id = detach(series, bucket);
    series->free_id[series->free_count++] = id;
}

size_t ps_series_replay_bytes(uint32_t series_max, uint32_t rows_max) {
    return ps_carve_size(sizeof(int64_t) * ps_series_capacity(series_max, rows_max)) +
           ps_carve_size(sizeof(int64_t) * PS_PARTITIONS_MAX) + ps_carve_size(PS_PARTITIONS_MAX);
}

void ps_series_replays(ps_series *series, void *memory, uint32_t entry_bytes) {
    uint8_t *at = memory;
    series->mark = ps_carve(&at, sizeof(int64_t) * series->capacity);
    series->until = ps_carve(&at, sizeof(int64_t) * PS_PARTITIONS_MAX);
    series->overfull = ps_carve(&at, PS_PARTITIONS_MAX);
    series->entry_bytes = entry_bytes;
    series->credit = entry_bytes; /* or lives of a few rows would tell nothing */
}

void ps_series_told(ps_series *series, uint32_t count) {
    const uint64_t bytes = (uint64_t)count * series->entry_bytes;
    series->credit -= bytes < series->credit ? bytes : series->credit;
}

void ps_series_mark(ps_series *series, uint32_t id, int64_t mark, bool born) {
    series->mark[id] = 2 * mark + born;
}

uint32_t ps_series_find(const ps_series *series, uint32_t partition, const uint64_t key[2]) {
    return series->bucket[probe(series, partition, key)] - 1; /* PS_NOWHERE is 0 - 1 */
}

bool ps_series_whole(ps_series *series, uint32_t partition) {
    bool whole = true;
    for (uint32_t id = 0; id < series->unused; id++) {
        const ps_series_entry *entry = &series->entry[id];
        if (entry->live == 0 || entry->partition != partition || series->mark[id] >= 0) continue;
        const uint64_t key[2] = {entry->key[0], entry->key[1]};
        ps_series_forget(series, partition, key);
        whole = false;
    }
    return whole || series->overfull[partition] == 0;
}

int64_t ps_series_replay(ps_series *series, uint32_t partition, int64_t until) {
    int64_t from = until;
    for (uint32_t id = 0; id < series->unused; id++) {
        const ps_series_entry *entry = &series->entry[id];
        if (entry->live == 0 || entry->partition != partition) continue;
        const int64_t mark = series->mark[id] >> 1;
        if (entry->last >= mark && mark < from) from = mark;
    }
    series->until[partition] = until;
    return from;
}

void ps_series_hold(ps_series *series, uint32_t partition, bool held) {
    series->held[partition] = held;
    if (!held) ps_sweep_wake(&series->sweep);
}

void ps_series_drop(ps_series *series, uint32_t partition) {
    ps_eviction_reset(&series->queue[partition]);
    if (series->until != NULL) series->until[partition] = series->overfull[partition] = 0;
    for (uint32_t id = 0; id < series->unused && series->count_of[partition] > 0; id++) {
        const ps_series_entry *entry = &series->entry[id];
        if (entry->live == 0 || entry->partition != partition) continue;
        const uint64_t key[2] = {entry->key[0], entry->key[1]};
        ps_series_forget(series, partition, key);
    }
}

bool ps_series_holds(const ps_series *series, uint32_t id, const ps_segment *segment) {
    const ps_series_entry *entry = &series->entry[id];
    return entry->live != 0 && is(entry, segment->partition, segment->key);
}

uint32_t ps_series_count(const ps_series *series) {
    return series->live;
}
uint64_t ps_series_evicted(const ps_series *series) {
    return series->evicted;
}
