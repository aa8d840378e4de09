/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/quickstart.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/cli/term.h"
#include "ingest/kafka_feed.h"
#include "ingest/kafka_tail.h"

enum { SHOWN_MAX = 14, NORMAL_EVERY = 20000, PACE_ROWS = 500, PATIENCE_S = 20, VALUE_MAX = 2048 };

struct ps_quickstart {
    const ps_quickstart_plan *plan;
    pthread_t feeder, reader;
    bool feeding, reading;
    atomic_bool closing;
    ps_status feed_status, read_status;
    ps_error feed_error, read_error;
    ps_quickstart_count count;
    uint32_t shown;
};

static ps_status feed_rows(ps_quickstart *quickstart, ps_kafka_feed *feed, uint8_t *record) {
    const ps_quickstart_plan *plan = quickstart->plan;
    ps_telemetry_share share;
    uint8_t host[PS_TELEMETRY_HOST_BYTES];
    ps_telemetry_share_init(&share, &plan->telemetry, 0, 1);
    const int64_t begin_ns = ps_clock_ns();
    for (uint64_t row = 0; row < plan->rows && !atomic_load(&quickstart->closing); row++) {
        uint32_t series = 0;
        uint64_t round = 0;
        if (row % PACE_ROWS == 0) {
            const int64_t due_ns =
                begin_ns + (int64_t)((double)row / (double)plan->rows * plan->seconds * 1e9);
            const struct timespec due = {.tv_sec = due_ns / PS_NS_PER_S,
                                         .tv_nsec = due_ns % PS_NS_PER_S};
            (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        }
        ps_telemetry_place(&share, row, &series, &round);
        const uint32_t length = ps_telemetry_write(&plan->telemetry, series, round, record);
        ps_telemetry_host(series, host);
        PS_TRY(ps_kafka_feed_put(feed, (ps_bytes){host, sizeof host}, (ps_bytes){record, length}, 0,
                                 &quickstart->feed_error));
    }
    return ps_kafka_feed_flush(feed, &quickstart->feed_error);
}

static void *feed_main(void *argument) {
    ps_quickstart *quickstart = argument;
    const ps_quickstart_plan *plan = quickstart->plan;
    ps_kafka_feed *feed = NULL;
    uint8_t *record = malloc(ps_telemetry_room(&plan->telemetry));
    quickstart->feed_status =
        record == NULL
            ? ps_fail(&quickstart->feed_error, PS_NO_MEMORY, "no memory for a record")
            : ps_kafka_feed_open(plan->brokers, plan->from, NULL, &feed, &quickstart->feed_error);
    if (quickstart->feed_status == PS_OK)
        quickstart->feed_status = feed_rows(quickstart, feed, record);
    ps_kafka_feed_close(feed);
    free(record);
    return NULL;
}

/* A number behind `name` in the record's text; the generator's form is known. */
static double member(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtod(at + strlen(name), NULL);
}

static void show(ps_quickstart *quickstart, const ps_kafka_tailed *record, const char *value,
                 bool alarm) {
    const ps_bytes source = ps_kafka_tail_header(record, "ps-source");
    const ps_bytes score = ps_kafka_tail_header(record, "ps-score");
    const ps_bytes digest = ps_kafka_tail_header(record, "ps-sha256");
    const ps_bytes why = ps_kafka_tail_header(record, "ps-why");
    const char *on = ps_term_on(STDOUT_FILENO, alarm ? PS_STYLE_RED : PS_STYLE_DIM);
    if (alarm && quickstart->shown++ >= SHOWN_MAX) return;
    (void)printf("%s%-7s %.*s cpu %6.2f  score %-6.*s %-14.*s sha256 %.12s…  from %.*s%s\n", on,
                 alarm ? "ANOMALY" : "event", (int)record->key.length,
                 (const char *)record->key.data, member(value, "\"cpu\":"),
                 score.data == NULL ? 0 : (int)(score.length > 5 ? 5 : score.length),
                 (const char *)score.data, why.data == NULL || !alarm ? 0 : (int)why.length,
                 (const char *)why.data, digest.data == NULL ? "" : (const char *)digest.data,
                 source.data == NULL ? 0 : (int)source.length, (const char *)source.data,
                 ps_term_off(STDOUT_FILENO));
    if (alarm && quickstart->shown == SHOWN_MAX)
        (void)printf("        … more are counted, not shown\n");
    (void)fflush(stdout);
}

static void judge(void *context, const ps_kafka_tailed *record) {
    ps_quickstart *quickstart = context;
    ps_quickstart_count *count = &quickstart->count;
    char value[VALUE_MAX];
    (void)snprintf(value, sizeof value, "%.*s", (int)record->value.length,
                   (const char *)record->value.data);
    const uint32_t series = (uint32_t)member(value, "\"host\":\"host-");
    const uint64_t round = (uint64_t)member(value, "\"seq\":");
    const bool planted = ps_telemetry_is_anomaly(&quickstart->plan->telemetry, series, round);
    const ps_bytes flag = ps_kafka_tail_header(record, "ps-anomaly");
    const bool alarm = flag.data != NULL && flag.length == 1 && flag.data[0] == '1';
    count->planted += planted;
    count->found += planted && alarm;
    count->false_alarms += alarm && !planted;
    if (alarm || count->seen % NORMAL_EVERY == 0) show(quickstart, record, value, alarm);
    count->seen++;
}

static ps_status read_rows(ps_quickstart *quickstart, ps_kafka_tail *tail) {
    const ps_quickstart_plan *plan = quickstart->plan;
    int64_t moved_ns = ps_clock_ns();
    while (quickstart->count.seen < plan->rows && !atomic_load(&quickstart->closing)) {
        const int64_t now_ns = ps_clock_ns();
        if (ps_kafka_tail_read(tail, 200, judge, quickstart) > 0)
            moved_ns = now_ns;
        else if (now_ns - moved_ns > PATIENCE_S * PS_NS_PER_S)
            return ps_fail(&quickstart->read_error, PS_IO, "only %llu of %llu events came out",
                           (unsigned long long)quickstart->count.seen,
                           (unsigned long long)plan->rows);
    }
    return PS_OK;
}

static void *read_main(void *argument) {
    ps_quickstart *quickstart = argument;
    const ps_quickstart_plan *plan = quickstart->plan;
    ps_kafka_tail *tail = NULL;
    quickstart->read_status =
        ps_kafka_tail_open(plan->brokers, plan->to, &tail, &quickstart->read_error);
    if (quickstart->read_status == PS_OK) quickstart->read_status = read_rows(quickstart, tail);
    ps_kafka_tail_close(tail);
    plan->finished();
    return NULL;
}

ps_status ps_quickstart_open(const ps_quickstart_plan *plan, ps_quickstart **out, ps_error *error) {
    ps_quickstart *quickstart = calloc(1, sizeof *quickstart);
    if (quickstart == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the quickstart");
    quickstart->plan = plan;
    quickstart->reading = pthread_create(&quickstart->reader, NULL, read_main, quickstart) == 0;
    quickstart->feeding = pthread_create(&quickstart->feeder, NULL, feed_main, quickstart) == 0;
    if (!quickstart->reading || !quickstart->feeding) {
        ps_quickstart_close(quickstart);
        return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
    }
    *out = quickstart;
    return PS_OK;
}

static void join(ps_quickstart *quickstart) {
    if (quickstart->reading) (void)pthread_join(quickstart->reader, NULL);
    if (quickstart->feeding) (void)pthread_join(quickstart->feeder, NULL);
    quickstart->reading = quickstart->feeding = false;
}

ps_status ps_quickstart_finish(ps_quickstart *quickstart, ps_quickstart_count *count,
                               ps_error *error) {
    /* The pipeline has ended: what has not come out by now will not. */
    atomic_store(&quickstart->closing, true);
    join(quickstart);
    *count = quickstart->count;
    if (quickstart->feed_status != PS_OK) {
        *error = quickstart->feed_error;
        return quickstart->feed_status;
    }
    if (quickstart->read_status != PS_OK) *error = quickstart->read_error;
    return quickstart->read_status;
}

void ps_quickstart_close(ps_quickstart *quickstart) {
    if (quickstart == NULL) return;
    atomic_store(&quickstart->closing, true);
    join(quickstart);
    free(quickstart);
}
