/* SPDX-License-Identifier: Apache-2.0
 * Counters of lanes and partitions: written by the lane's thread, read by anybody. Names as
 * exported are in docs/metrics.md.
 */
#ifndef PS_HOST_FLOW_METRICS_H
#define PS_HOST_FLOW_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "host/base/limits.h"
#include "host/batch/rejects.h"

typedef _Atomic uint64_t ps_counter;

enum { PS_HISTOGRAM_BUCKETS = 24 };

/* Durations by powers of two from 64 µs up; bucket i counts those below 64 µs << i. */
typedef struct ps_histogram {
    ps_counter bucket[PS_HISTOGRAM_BUCKETS + 1];
    ps_counter sum_ns, count;
} ps_histogram;

/* What of the last batch is told of a watched field. */
enum {
    PS_WATCH_COUNT,
    PS_WATCH_NAN, /* NaN, infinite or beyond 1e140: counted and left out */
    PS_WATCH_SUM,
    PS_WATCH_LEAST,
    PS_WATCH_GREATEST,
    PS_WATCH_MEAN,
    PS_WATCH_VARIANCE,
    PS_WATCH_LAST,
    PS_WATCH_QUANTILES = 5,
    PS_WATCH_BOUNDS = 31
};

/* Each number by itself; a reader may meet two batches. */
typedef struct ps_watch_metrics {
    _Atomic double last[PS_WATCH_LAST], quantile[PS_WATCH_QUANTILES];
    ps_counter bucket[PS_WATCH_BOUNDS + 1]; /* of all batches so far */
    _Atomic double sum;                     /* likewise */
} ps_watch_metrics;

typedef struct ps_lane_metrics {
    ps_counter rows_in, rows_out, rows_filtered, rows_rejected, anomalies;
    ps_counter sink_rows, sink_dead; /* what the sink says it took: checked against the rows */
    ps_counter bytes_in, batches, commits, aborts, restores, rebalances;
    ps_counter replays, rows_replayed; /* partitions, and their rows that were out before */
    ps_counter rejects[PS_REJECT_COUNT];
    ps_counter series, series_evicted, series_warm, state_bytes_written, state_bytes_read;
    ps_counter fill_ns, decode_ns, resolve_ns, emit_ns, idle_ns;
    ps_counter call_ns[PS_CALLS_MAX];
    ps_counter moves;              /* from one back-end to another */
    _Atomic(const char *) backend; /* where the lane computes; NULL: it is not open */
    ps_counter partitions;         /* owned now */
    _Atomic int64_t lag;           /* rows behind the ends, all owned partitions; -1 unknown */
    ps_histogram commit;           /* commit latency */
    ps_watch_metrics watch[PS_WATCHES_MAX];
} ps_lane_metrics;

/* Of a partition's log, where the pipeline seals; signed_* are written by the thread that signs. */
typedef struct ps_log_metrics {
    ps_counter mine;             /* 1: this worker seals it now */
    ps_counter size, sealed;     /* entries: of what is committed; committed by this process */
    ps_counter faults;           /* times it has stopped its lane */
    ps_counter signed_size;      /* of the checkpoint that was signed last … */
    _Atomic int64_t signed_ns;   /* … and when; before that: since when it is `mine` */
    _Atomic int64_t behind_ns;   /* since when some entries are not signed */
    _Atomic int64_t interval_ns; /* between two signatures, at least */
} ps_log_metrics;

/* Of one source partition: written by the lane that owns it, and so by one at a time. */
typedef struct ps_partition_metrics {
    ps_counter rows_in, rows_out, rows_filtered, rows_rejected;
    ps_log_metrics log;
} ps_partition_metrics;

/* Of the log of the logs' checkpoints. */
typedef struct ps_roll_metrics {
    ps_counter size, published; /* entries that are signed; that are shown, with their quorum */
    ps_counter cosignatures, rounds_without_quorum, refused, errors;
} ps_roll_metrics;

/* One writer: a relaxed load and store is enough and costs no bus lock. */
static inline void ps_count(ps_counter *counter, uint64_t n) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}
static inline uint64_t ps_read(const ps_counter *counter) {
    return atomic_load_explicit((ps_counter *)(uintptr_t)counter, memory_order_relaxed);
}

static inline int64_t ps_read_time(const _Atomic int64_t *at) {
    return atomic_load_explicit((_Atomic int64_t *)(uintptr_t)at, memory_order_relaxed);
}
static inline void ps_set(ps_counter *counter, uint64_t value) {
    atomic_store_explicit(counter, value, memory_order_relaxed);
}
static inline void ps_set_time(_Atomic int64_t *at, int64_t ns) {
    atomic_store_explicit(at, ns, memory_order_relaxed);
}

static inline void ps_histogram_add(ps_histogram *histogram, int64_t ns) {
    uint32_t i = 0;
    while (i < PS_HISTOGRAM_BUCKETS && ns >= INT64_C(64000) << i) i++;
    ps_count(&histogram->bucket[i], 1);
    ps_count(&histogram->sum_ns, (uint64_t)(ns < 0 ? 0 : ns));
    ps_count(&histogram->count, 1);
}

#endif
