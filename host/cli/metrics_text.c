/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/metrics_text.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/cli/metrics_seal.h"
#include "host/flow/watch.h"

typedef struct metric metric;
typedef void write_fn(FILE *out, const metric *row, const ps_metrics_source *source);

/* One metric family. The counters of a lane are found by their offset; the rest have a function. */
struct metric {
    const char *name, *type, *labels, *help;
    size_t at;
    write_fn *write;
};

/* Of a lane, or of a partition. */
static const ps_counter *counter_at(const void *metrics, size_t at) {
    return (const ps_counter *)(const void *)((const uint8_t *)metrics + at);
}

static void write_counter(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        (void)fprintf(out, "%s{lane=\"%u\"} %" PRIu64 "\n", row->name, i,
                      ps_read(counter_at(ps_pipeline_metrics(source->pipeline, i), row->at)));
}

/* Only partitions of which this process has seen anything: a group's other workers tell the rest.
 */
static void write_partitions(FILE *out, const metric *row, const ps_metrics_source *source) {
    const ps_partitions *partitions = ps_pipeline_partitions(source->pipeline);
    for (uint32_t i = 0; i < partitions->count; i++) {
        const ps_partition_metrics *counts = ps_pipeline_partition_metrics(source->pipeline, i);
        if (ps_read(&counts->rows_in) == 0) continue;
        ps_metrics_write_partition(out, row->name, partitions, i);
        (void)fprintf(out, "%" PRIu64 "\n", ps_read(counter_at(counts, row->at)));
    }
}

static void write_logs(FILE *out, const metric *row, const ps_metrics_source *source) {
    ps_metrics_write_logs(out, row->name, (ps_log_number)row->at, source->pipeline);
}

static void write_roll(FILE *out, const metric *row, const ps_metrics_source *source) {
    if (source->pipeline != NULL) ps_metrics_write_roll(out, row->name, row->at, source->pipeline);
}

static void write_rejects(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        for (int code = PS_REJECT_NONE + 1; code < PS_REJECT_COUNT; code++)
            (void)fprintf(out, "%s{lane=\"%u\",code=\"%s\"} %" PRIu64 "\n", row->name, i,
                          ps_reject_code((ps_reject)code),
                          ps_read(&ps_pipeline_metrics(source->pipeline, i)->rejects[code]));
}

static void write_lag(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++) {
        const ps_lane_metrics *lane = ps_pipeline_metrics(source->pipeline, i);
        const int64_t lag =
            atomic_load_explicit((_Atomic int64_t *)(uintptr_t)&lane->lag, memory_order_relaxed);
        if (lag >= 0)
            (void)fprintf(out, "%s{lane=\"%u\"} %" PRId64 "\n", row->name, i, lag);
        else
            (void)fprintf(out, "%s{lane=\"%u\"} NaN\n", row->name, i);
    }
}

static void write_state(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        (void)fprintf(out, "%s{lane=\"%u\"} %zu\n", row->name, i, source->plan->state_bytes);
}

static void write_ready(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        (void)fprintf(out, "%s{lane=\"%u\"} %d\n", row->name, i,
                      ps_pipeline_health(source->pipeline, i) == PS_HEALTH_READY);
}

static void write_backend(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++) {
        const ps_lane_metrics *lane = ps_pipeline_metrics(source->pipeline, i);
        const char *name = atomic_load((_Atomic(const char *) *)(uintptr_t)&lane->backend);
        if (name != NULL)
            (void)fprintf(out, "%s{lane=\"%u\",backend=\"%s\"} 1\n", row->name, i, name);
    }
}

static void write_phases(FILE *out, const metric *row, const ps_metrics_source *source) {
    static const struct {
        const char *name;
        size_t at;
    } phases[] = {{"fill", offsetof(ps_lane_metrics, fill_ns)},
                  {"decode", offsetof(ps_lane_metrics, decode_ns)},
                  {"resolve", offsetof(ps_lane_metrics, resolve_ns)},
                  {"emit", offsetof(ps_lane_metrics, emit_ns)},
                  {"idle", offsetof(ps_lane_metrics, idle_ns)}};
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        for (size_t p = 0; p < sizeof phases / sizeof phases[0]; p++)
            (void)fprintf(out, "%s{lane=\"%u\",phase=\"%s\"} %.6f\n", row->name, i, phases[p].name,
                          (double)ps_read(
                              counter_at(ps_pipeline_metrics(source->pipeline, i), phases[p].at)) /
                              1e9);
}

static void write_calls(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        for (uint32_t c = 0; c < source->plan->call_count; c++)
            (void)fprintf(out, "%s{lane=\"%u\",call=\"%u\",kernel=\"%s\"} %.6f\n", row->name, i, c,
                          ps_kernels[source->plan->call[c].kernel].name,
                          (double)ps_read(&ps_pipeline_metrics(source->pipeline, i)->call_ns[c]) /
                              1e9);
}

static void write_commit(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++) {
        const ps_histogram *commit = &ps_pipeline_metrics(source->pipeline, i)->commit;
        uint64_t sum = 0;
        for (int b = 0; b < PS_HISTOGRAM_BUCKETS; b++) {
            sum += ps_read(&commit->bucket[b]);
            (void)fprintf(out, "%s_bucket{lane=\"%u\",le=\"%.9g\"} %" PRIu64 "\n", row->name, i,
                          64e-6 * (double)(UINT64_C(1) << b), sum);
        }
        /* Not `count`: it may be a step ahead of the buckets, and the two must agree. */
        sum += ps_read(&commit->bucket[PS_HISTOGRAM_BUCKETS]);
        (void)fprintf(out, "%s_bucket{lane=\"%u\",le=\"+Inf\"} %" PRIu64 "\n", row->name, i, sum);
        (void)fprintf(out, "%s_sum{lane=\"%u\"} %.6f\n%s_count{lane=\"%u\"} %" PRIu64 "\n",
                      row->name, i, (double)ps_read(&commit->sum_ns) / 1e9, row->name, i, sum);
    }
}

static const char *watched(const ps_metrics_source *source, uint32_t watch) {
    return source->plan->schema.column[source->plan->watch[watch].column].name;
}

static const ps_watch_metrics *watch_of(const ps_metrics_source *source, uint32_t lane,
                                        uint32_t watch) {
    return &ps_pipeline_metrics(source->pipeline, lane)->watch[watch];
}

/* NaN has no sign there. */
static void write_number(FILE *out, const _Atomic double *at) {
    const double value =
        atomic_load_explicit((_Atomic double *)(uintptr_t)at, memory_order_relaxed);
    if (value != value)
        (void)fprintf(out, "NaN\n");
    else
        (void)fprintf(out, "%.17g\n", value);
}

static void write_last(FILE *out, const metric *row, const ps_metrics_source *source) {
    static const char *const names[PS_WATCH_LAST] = {"count", "nan",  "sum",     "min",
                                                     "max",   "mean", "variance"};
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        for (uint32_t w = 0; w < source->plan->watch_count; w++)
            for (uint32_t k = 0; k < PS_WATCH_LAST; k++) {
                (void)fprintf(out, "%s{lane=\"%u\",field=\"%s\",of=\"%s\"} ", row->name, i,
                              watched(source, w), names[k]);
                write_number(out, &watch_of(source, i, w)->last[k]);
            }
}

static void write_quantiles(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        for (uint32_t w = 0; w < source->plan->watch_count; w++)
            for (uint32_t k = 0; k < PS_WATCH_QUANTILES; k++) {
                (void)fprintf(out, "%s{lane=\"%u\",field=\"%s\",quantile=\"%g\"} ", row->name, i,
                              watched(source, w), ps_watch_quantile[k]);
                write_number(out, &watch_of(source, i, w)->quantile[k]);
            }
}

static void write_value(FILE *out, const char *name, uint32_t lane, const char *field,
                        const ps_watch_metrics *watch) {
    uint64_t sum = 0;
    for (uint32_t b = 0; b < PS_WATCH_BOUNDS; b++) {
        sum += ps_read(&watch->bucket[b]);
        (void)fprintf(out, "%s_bucket{lane=\"%u\",field=\"%s\",le=\"%.9g\"} %" PRIu64 "\n", name,
                      lane, field, ps_watch_bound(b), sum);
    }
    sum += ps_read(&watch->bucket[PS_WATCH_BOUNDS]);
    (void)fprintf(out, "%s_bucket{lane=\"%u\",field=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, lane,
                  field, sum);
    (void)fprintf(out, "%s_count{lane=\"%u\",field=\"%s\"} %" PRIu64 "\n", name, lane, field, sum);
    (void)fprintf(out, "%s_sum{lane=\"%u\",field=\"%s\"} ", name, lane, field);
    write_number(out, &watch->sum);
}

static void write_values(FILE *out, const metric *row, const ps_metrics_source *source) {
    for (uint32_t i = 0; i < ps_pipeline_lanes(source->pipeline); i++)
        for (uint32_t w = 0; w < source->plan->watch_count; w++)
            write_value(out, row->name, i, watched(source, w), watch_of(source, i, w));
}

static void write_build(FILE *out, const metric *row, const ps_metrics_source *source) {
    (void)fprintf(out, "%s{version=\"%s\",pipeline=\"%s\",backend=\"%s\",isa=\"%s\"} 1\n",
                  row->name, PS_VERSION, source->name, source->backend, source->isa);
}

static void write_resident(FILE *out, const metric *row, const ps_metrics_source *source) {
    (void)source;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL) return;
    if (fscanf(statm, "%*u %lu", &pages) != 1) pages = 0;
    (void)fclose(statm);
    (void)fprintf(out, "%s %llu\n", row->name,
                  (unsigned long long)pages * (unsigned long long)sysconf(_SC_PAGESIZE));
}

static void write_cpu(FILE *out, const metric *row, const ps_metrics_source *source) {
    (void)source;
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0) return;
    (void)fprintf(out, "%s %.6f\n", row->name,
                  (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                      (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

#define METRIC(name, type, labels, write, help) \
    { name, type, labels, help, 0, write }
#define LANE_COUNTER(member, name, help) \
    { "penstock_" name, "counter", "lane", help, offsetof(ps_lane_metrics, member), write_counter }
#define PARTITION_COUNTER(member, name, help)                            \
    {                                                                    \
        "penstock_partition_" name, "counter", "topic, partition", help, \
            offsetof(ps_partition_metrics, member), write_partitions     \
    }
#define LOG_METRIC(number, name, type, help) \
    { "penstock_log_" name, type, "topic, partition", help, number, write_logs }
#define ROLL_METRIC(member, name, type, help) \
    { "penstock_rollup_" name, type, "", help, offsetof(ps_roll_metrics, member), write_roll }
#define LANE_GAUGE(member, name, help) \
    { "penstock_" name, "gauge", "lane", help, offsetof(ps_lane_metrics, member), write_counter }

static const metric metrics[] = {
    METRIC("penstock_build_info", "gauge", "version, pipeline, backend, isa", write_build,
           "Always 1; the labels say what runs."),
    LANE_COUNTER(rows_in, "rows_in_total", "Records taken from the source."),
    LANE_COUNTER(rows_out, "rows_out_total",
                 "Rows that went out enriched. in = out + filtered + rejected at every commit."),
    LANE_COUNTER(rows_filtered, "rows_filtered_total", "Rows that a filter dropped."),
    LANE_COUNTER(rows_rejected, "rows_rejected_total",
                 "Records that did not decode, or whose output was refused."),
    PARTITION_COUNTER(rows_in, "rows_in_total",
                      "Records taken from a source partition; a file counts as one. Partitions "
                      "that this process has not seen are left out."),
    PARTITION_COUNTER(rows_out, "rows_out_total", "Rows of it that went out enriched."),
    PARTITION_COUNTER(rows_filtered, "rows_filtered_total", "Rows of it that a filter dropped."),
    PARTITION_COUNTER(rows_rejected, "rows_rejected_total",
                      "Records of it that were rejected. in = out + filtered + rejected at every "
                      "commit, for each partition."),
    LOG_METRIC(PS_LOG_SIZE, "entries", "gauge",
               "Entries of the sealed log of a source partition that are committed. Partitions "
               "that this worker does not seal now are left out, here and below."),
    LOG_METRIC(PS_LOG_SIGNED, "signed_entries", "gauge",
               "Entries of the tree that was signed last."),
    LOG_METRIC(PS_LOG_UNSIGNED, "unsigned_entries", "gauge",
               "Entries that no checkpoint speaks of yet. Alert where this stays above 0 while "
               "the next one grows: nothing can be signed."),
    LOG_METRIC(PS_LOG_AGE, "checkpoint_age_seconds", "gauge",
               "Since the log was signed last; since this worker took it over where it has not "
               "signed it. A log that does not grow is not signed."),
    LOG_METRIC(PS_LOG_SEALED, "sealed_total", "counter", "Entries that this process has sealed."),
    LOG_METRIC(PS_LOG_FAULTS, "faults_total", "counter",
               "Times the log has stopped its lane: what came is not what was sealed, or its "
               "files could not be written. The message says which; `ALARM` means tampering."),
    ROLL_METRIC(size, "entries", "gauge",
                "Checkpoints in the roll-up, where there is one, that are signed."),
    ROLL_METRIC(published, "published_entries", "gauge",
                "Of these, those that the published checkpoint speaks of."),
    ROLL_METRIC(cosignatures, "cosignatures_total", "counter",
                "Cosignatures that witnesses have given."),
    ROLL_METRIC(rounds_without_quorum, "quorum_missing_total", "counter",
                "Times witnesses were asked and too few had cosigned afterwards."),
    ROLL_METRIC(refused, "refused_total", "counter",
                "Checkpoints that the roll-up did not take: they do not extend what it has."),
    ROLL_METRIC(errors, "errors_total", "counter",
                "Times it could not be written, or a witness had seen another history."),
    METRIC("penstock_rejects_total", "counter", "lane, code", write_rejects,
           "Rejected records by reason."),
    LANE_COUNTER(
        anomalies, "anomalies_total",
        "Rows that the last stage detect voted an anomaly, or multivariate where there is none."),
    LANE_COUNTER(bytes_in, "bytes_in_total", "Bytes of keys and values taken from the source."),
    METRIC("penstock_lag_rows", "gauge", "lane", write_lag,
           "Rows behind the ends of the lane's partitions; NaN while unknown."),
    LANE_COUNTER(batches, "batches_total", "Batches that were computed."),
    LANE_COUNTER(commits, "commits_total", "Commits that succeeded."),
    LANE_COUNTER(aborts, "aborts_total", "Transactions that were aborted and done again."),
    METRIC("penstock_commit_seconds", "histogram", "lane, le", write_commit,
           "How long a commit took."),
    LANE_COUNTER(restores, "restores_total", "Partitions whose state was restored."),
    LANE_COUNTER(replays, "replays_total",
                 "Partitions whose heavy state was rebuilt from the source's records."),
    LANE_COUNTER(rows_replayed, "rows_replayed_total",
                 "Rows that were read again for that; they count nowhere else."),
    LANE_COUNTER(rebalances, "rebalances_total", "Times the lane's partitions changed."),
    LANE_GAUGE(partitions, "partitions", "Partitions that the lane owns now."),
    LANE_GAUGE(series, "series", "Series that have state now."),
    LANE_COUNTER(series_evicted, "series_evicted_total",
                 "Series that lost their state because of series_max."),
    LANE_COUNTER(series_warm, "series_warm_total",
                 "Series that began with a warm state (warm_state of stage detect)."),
    METRIC("penstock_state_bytes", "gauge", "lane", write_state,
           "Memory reserved for detector state."),
    LANE_COUNTER(state_bytes_written, "state_written_bytes_total",
                 "Bytes of state records written."),
    LANE_COUNTER(state_bytes_read, "state_read_bytes_total",
                 "Bytes of state records read to restore partitions."),
    METRIC("penstock_phase_seconds_total", "counter", "lane, phase", write_phases,
           "Time of the lane's thread in `fill` (source), `decode`, `resolve` (series), `emit` "
           "(sink) and `idle`."),
    METRIC("penstock_call_seconds_total", "counter", "lane, call, kernel", write_calls,
           "Time per kernel call of the plan; `penstock explain` lists the calls."),
    METRIC("penstock_lane_backend", "gauge", "lane, backend", write_backend,
           "1; the label says where the lane computes now."),
    LANE_COUNTER(moves, "lane_moves_total",
                 "Times a lane went to another back-end because batches said that it is faster."),
    METRIC("penstock_lane_ready", "gauge", "lane", write_ready,
           "1 once the lane is open and past its restore."),
    METRIC(
        "penstock_batch_value", "gauge", "lane, field, of", write_last,
        "Of the last batch that was committed, for fields of a stage `statistics: {per: batch}`: "
        "`count`, `nan`, `sum`, `min`, `max`, `mean`, `variance`."),
    METRIC("penstock_batch_quantile", "gauge", "lane, field, quantile", write_quantiles,
           "Likewise, each within 1/64 of the value it stands for."),
    METRIC("penstock_values", "histogram", "lane, field, le", write_values,
           "The values of all batches so far; one that equals a bound above 0 counts in the next "
           "bucket."),
    METRIC("process_resident_memory_bytes", "gauge", "", write_resident,
           "Resident memory of the process."),
    METRIC("process_cpu_seconds_total", "counter", "", write_cpu,
           "User and system time of the process."),
};
enum { METRIC_COUNT = sizeof metrics / sizeof metrics[0] };

static bool needs_pipeline(const metric *row) {
    return strncmp(row->labels, "lane", 4) == 0 || strncmp(row->labels, "topic", 5) == 0;
}

void ps_metrics_write(FILE *out, const ps_metrics_source *source) {
    for (int i = 0; i < METRIC_COUNT; i++) {
        const metric *row = &metrics[i];
        if (needs_pipeline(row) && source->pipeline == NULL) continue;
        (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                      row->type);
        row->write(out, row, source);
    }
}

void ps_metrics_markdown(void) {
    (void)printf("<!-- Generated by `penstock help --metrics`; a test compares. Edit "
                 "host/cli/metrics_text.c instead. -->\n"
                 "# Metrics\n\n"
                 "`metrics: {listen: \"127.0.0.1:9464\"}` in a pipeline file serves, over HTTP:\n\n"
                 "- `/metrics`: the table below, in Prometheus' text format;\n"
                 "- `/health`: 200 while every lane makes progress; 503 when one failed, or has "
                 "had work for a minute\n"
                 "  and done none of it, with a line that says which;\n"
                 "- `/ready`: 200 once every lane is open and past the restore of its state, or "
                 "owns no partition.\n\n"
                 "| metric | type | labels | |\n|---|---|---|---|\n");
    for (int i = 0; i < METRIC_COUNT; i++)
        (void)printf("| `%s` | %s | %s | %s |\n", metrics[i].name, metrics[i].type,
                     metrics[i].labels, metrics[i].help);
}
