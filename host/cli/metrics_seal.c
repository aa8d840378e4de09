/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/metrics_seal.h"

#include <inttypes.h>

#include "host/base/clock.h"

enum { LATE_S = 5 /* a signature that is so late is told */ };

static void write_label(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') (void)fputc('\\', out);
        if (*text == '\n') (void)fputs("\\n", out);
        if (*text != '\n') (void)fputc(*text, out);
    }
}

void ps_metrics_write_partition(FILE *out, const char *name, const ps_partitions *partitions,
                                uint32_t partition) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(partitions, partition, &within);
    (void)fprintf(out, "%s{topic=\"", name);
    write_label(out, partitions->topic[topic].name);
    (void)fprintf(out, "\",partition=\"%" PRIu32 "\"} ", within);
}

static const ps_log_metrics *log_of(const ps_pipeline *pipeline, uint32_t partition) {
    return &ps_pipeline_partition_metrics(pipeline, partition)->log;
}

static uint64_t unsigned_entries(const ps_log_metrics *log) {
    const uint64_t is_signed = ps_read(&log->signed_size), size = ps_read(&log->size);
    return size > is_signed ? size - is_signed : 0;
}

static void write_log(FILE *out, const ps_log_metrics *log, ps_log_number which) {
    uint64_t value = 0;
    switch (which) {
    case PS_LOG_SIZE:
        value = ps_read(&log->size);
        break;
    case PS_LOG_SIGNED:
        value = ps_read(&log->signed_size);
        break;
    case PS_LOG_UNSIGNED:
        value = unsigned_entries(log);
        break;
    case PS_LOG_SEALED:
        value = ps_read(&log->sealed);
        break;
    case PS_LOG_FAULTS:
        value = ps_read(&log->faults);
        break;
    case PS_LOG_AGE:
        (void)fprintf(out, "%.3f\n", (double)(ps_clock_ns() - ps_read_time(&log->signed_ns)) / 1e9);
        return;
    }
    (void)fprintf(out, "%" PRIu64 "\n", value);
}

void ps_metrics_write_logs(FILE *out, const char *name, ps_log_number which,
                           const ps_pipeline *pipeline) {
    const ps_partitions *partitions = ps_pipeline_partitions(pipeline);
    const bool counts = which == PS_LOG_SEALED || which == PS_LOG_FAULTS;
    for (uint32_t i = 0; i < partitions->count; i++) {
        const ps_log_metrics *log = log_of(pipeline, i);
        const bool ever = ps_read(&log->sealed) > 0 || ps_read(&log->faults) > 0;
        if (ps_read(&log->mine) == 0 && !(counts && ever)) continue;
        ps_metrics_write_partition(out, name, partitions, i);
        write_log(out, log, which);
    }
}

void ps_metrics_write_roll(FILE *out, const char *name, size_t at, const ps_pipeline *pipeline) {
    const ps_roll_metrics *roll = ps_pipeline_rolled(pipeline);
    if (roll == NULL) return;
    const void *const counter = (const uint8_t *)roll + at;
    (void)fprintf(out, "%s %" PRIu64 "\n", name, ps_read((const ps_counter *)counter));
}

void ps_metrics_trouble(const ps_partition_metrics *partitions, uint32_t count, int64_t now_ns,
                        char text[PS_METRICS_TROUBLE_MAX]) {
    uint32_t stopped = 0;
    int64_t late_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        const ps_log_metrics *log = &partitions[i].log;
        stopped += ps_read(&log->faults) > 0;
        if (ps_read(&log->mine) == 0 || unsigned_entries(log) == 0) continue;
        const int64_t next_ns = ps_read_time(&log->signed_ns) + ps_read_time(&log->interval_ns);
        const int64_t behind_ns = ps_read_time(&log->behind_ns);
        const int64_t waits_ns = now_ns - (next_ns > behind_ns ? next_ns : behind_ns);
        if (waits_ns > late_ns) late_ns = waits_ns;
    }
    text[0] = '\0';
    if (stopped > 0)
        (void)snprintf(text, PS_METRICS_TROUBLE_MAX, "ALARM: %" PRIu32 " log%s stopped  ", stopped,
                       stopped == 1 ? "" : "s");
    else if (late_ns > LATE_S * PS_NS_PER_S)
        (void)snprintf(text, PS_METRICS_TROUBLE_MAX, "not signed for %" PRId64 " s  ",
                       late_ns / PS_NS_PER_S);
}
