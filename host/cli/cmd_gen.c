/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/cli/commands.h"
#include "host/cli/properties.h"
#include "ingest/kafka_feed.h"
#include "ingest/telemetry.h"

typedef struct gen_options {
    int64_t rows, series, bytes, seed;
    double rate, anomalies;
    const char *to;
    ps_string_list properties;
} gen_options;

static const ps_option options[] = {
    {.name = "rows",
     .preset = "1000000",
     .help = "Records to make; 0: for ever.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(gen_options, rows),
     .max = 1e15},
    {.name = "series",
     .preset = "1000",
     .help = "Hosts that report in turn.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(gen_options, series),
     .min = 1,
     .max = PS_TELEMETRY_SERIES_MAX},
    {.name = "rate",
     .preset = "0",
     .help = "Records per second; 0: as fast as they are taken.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(gen_options, rate),
     .max = 1e9},
    {.name = "bytes",
     .preset = "256",
     .help = "Bytes of a record, where its members leave it room.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(gen_options, bytes),
     .min = 1,
     .max = 1 << 20},
    {.name = "anomalies",
     .preset = "0.0005",
     .help = "Share of records whose cpu is a planted spike.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(gen_options, anomalies),
     .max = 1},
    {.name = "seed",
     .preset = "1",
     .help = "The same seed gives the same bytes, everywhere.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(gen_options, seed),
     .max = 9e15},
    {.name = "to",
     .help = "BROKERS/TOPIC: keyed by series into Kafka, instead of NDJSON on stdout.",
     .type = PS_OPTION_STRING,
     .at = offsetof(gen_options, to)},
    {.name = "property",
     .help = "With --to: NAME=VALUE for the Kafka client, such as security.protocol=sasl_ssl; a "
             "secret may be file:/path. Once for each.",
     .type = PS_OPTION_LIST,
     .at = offsetof(gen_options, properties)},
    {.name = NULL}};

static int64_t due_at(int64_t begin_ns, const gen_options *chosen, int64_t row) {
    return begin_ns + (int64_t)((double)row / chosen->rate * 1e9);
}

static void sleep_until(int64_t due_ns) {
    const struct timespec due = {.tv_sec = due_ns / PS_NS_PER_S, .tv_nsec = due_ns % PS_NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) continue;
}

typedef struct out {
    uint8_t *buf;
    size_t used, room;
    bool closed; /* the reader went away */
    int failed;
} out;

static void flush(out *to) {
    const uint8_t *at = to->buf;
    while (to->used > 0) {
        const ssize_t written = write(STDOUT_FILENO, at, to->used);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            to->closed = true;
            to->failed = errno == EPIPE ? 0 : errno;
            break;
        }
        at += written;
        to->used -= (size_t)written;
    }
    to->used = 0;
}

static void write_rows(const ps_telemetry *telemetry, const gen_options *chosen, out *to) {
    const size_t most = ps_telemetry_room(telemetry) + 1;
    ps_telemetry_share share;
    ps_telemetry_share_init(&share, telemetry, 0, 1);
    const int64_t begin_ns = ps_clock_ns();
    for (int64_t row = 0; (chosen->rows == 0 || row < chosen->rows) && !to->closed; row++) {
        uint32_t series = 0;
        uint64_t round = 0;
        if (chosen->rate > 0) {
            const int64_t due_ns = due_at(begin_ns, chosen, row);
            /* What is made must be seen before we sleep on the next one. */
            if (due_ns > ps_clock_ns()) {
                flush(to);
                sleep_until(due_ns);
            }
        }
        ps_telemetry_place(&share, (uint64_t)row, &series, &round);
        to->used += ps_telemetry_write(telemetry, series, round, to->buf + to->used);
        to->buf[to->used++] = '\n';
        if (to->room - to->used < most) flush(to);
    }
    flush(to);
}

static int gen_stdout(const ps_telemetry *telemetry, const gen_options *chosen) {
    enum { BUFFER_BYTES = 1 << 20 };
    out to = {.room = BUFFER_BYTES + ps_telemetry_room(telemetry) + 1};
    to.buf = malloc(to.room);
    if (to.buf == NULL) {
        ps_log(PS_LOG_ERROR, "gen", "no memory for a record of that size");
        return PS_EXIT_FAILED;
    }
    write_rows(telemetry, chosen, &to);
    free(to.buf);
    if (to.failed == 0) return PS_EXIT_OK;
    ps_log(PS_LOG_ERROR, "gen", "cannot write to stdout: %s", strerror(to.failed));
    return PS_EXIT_FAILED;
}

#ifdef PS_HAVE_KAFKA
static ps_status send_rows(const ps_telemetry *telemetry, const gen_options *chosen,
                           ps_kafka_feed *feed, uint8_t *record, ps_error *error) {
    ps_telemetry_share share;
    uint8_t host[PS_TELEMETRY_HOST_BYTES];
    ps_telemetry_share_init(&share, telemetry, 0, 1);
    const int64_t begin_ns = ps_clock_ns();
    for (int64_t row = 0; chosen->rows == 0 || row < chosen->rows; row++) {
        uint32_t series = 0;
        uint64_t round = 0;
        if (chosen->rate > 0) {
            const int64_t due_ns = due_at(begin_ns, chosen, row);
            /* A sleep costs as much as many rows, also one that is over at once. */
            if (due_ns > ps_clock_ns()) sleep_until(due_ns);
        }
        ps_telemetry_place(&share, (uint64_t)row, &series, &round);
        const uint32_t length = ps_telemetry_write(telemetry, series, round, record);
        ps_telemetry_host(series, host);
        /* The broker's clock, not the telemetry's: old timestamps fall under its retention. */
        PS_TRY(ps_kafka_feed_put(feed, (ps_bytes){host, sizeof host}, (ps_bytes){record, length}, 0,
                                 error));
    }
    return ps_kafka_feed_flush(feed, error);
}

static int gen_kafka(const ps_telemetry *telemetry, const gen_options *chosen, ps_pool *pool) {
    ps_error error;
    ps_kafka_feed *feed = NULL;
    ps_string_map properties;
    const char *slash = strrchr(chosen->to, '/');
    if (slash == NULL || slash == chosen->to || slash[1] == '\0') {
        ps_log(PS_LOG_ERROR, "gen", "--to: '%s' is not BROKERS/TOPIC, such as localhost:9092/in",
               chosen->to);
        return PS_EXIT_USAGE;
    }
    const int code = ps_properties_read(&chosen->properties, pool, &properties);
    if (code != PS_EXIT_GO_ON) return code;
    const char *brokers = ps_pool_text(pool, chosen->to, (size_t)(slash - chosen->to));
    uint8_t *record = ps_pool_take(pool, ps_telemetry_room(telemetry));
    ps_status status = ps_kafka_feed_open(brokers, slash + 1, &properties, &feed, &error);
    if (status == PS_OK) status = send_rows(telemetry, chosen, feed, record, &error);
    ps_kafka_feed_close(feed);
    if (status == PS_OK) {
        ps_log(PS_LOG_INFO, "gen", "%lld records sent to %s", (long long)chosen->rows, slash + 1);
        return PS_EXIT_OK;
    }
    ps_log(PS_LOG_ERROR, "gen", "%s", error.message);
    return status == PS_BAD_CONFIG ? PS_EXIT_USAGE : PS_EXIT_FAILED;
}
#endif

static int make(const gen_options *chosen, ps_pool *pool) {
    ps_telemetry telemetry;
    if (chosen->to == NULL && chosen->properties.count > 0) {
        ps_log(PS_LOG_ERROR, "gen", "--property is for the Kafka client: name a topic with --to");
        return PS_EXIT_USAGE;
    }
    ps_telemetry_init(&telemetry, (uint64_t)chosen->seed, (uint32_t)chosen->series,
                      (uint32_t)chosen->bytes, chosen->anomalies);
    if (chosen->to == NULL) return gen_stdout(&telemetry, chosen);
#ifdef PS_HAVE_KAFKA
    return gen_kafka(&telemetry, chosen, pool);
#else
    (void)pool;
    ps_log(PS_LOG_ERROR, "gen", "--to: this build has no Kafka");
    return PS_EXIT_USAGE;
#endif
}

static int gen(int argc, char **argv) {
    gen_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_gen, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = make(&chosen, args.pool);
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_gen = {
    .name = "gen",
    .operands = "",
    .summary = "Makes telemetry with planted anomalies: NDJSON on stdout, or keyed into Kafka.",
    .details =
        "Same seed, same bytes. Which records are anomalies is not in them: the seed knows.\n"
        "A broker that does not answer is waited for, with a warning every 10 s: for 30 s at "
        "the start,\nafter which the exit code is 1, and later until it is back.",
    .options = options,
    .run = gen,
};
