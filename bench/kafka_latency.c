/* SPDX-License-Identifier: Apache-2.0
 * Latency without a worker and with each of its clients, in turn.
 */
#include <stdio.h>

#include "bench/kafka_runs.h"
#include "bench/latency.h"
#include "bench/topics.h"

enum {
    /* 20,000 events/s of one millisecond's linger are a thousand requests a second and partition.
     */
    PARTITIONS = 2,
    ROUNDS = 4,
    WAYS = 1 + PS_BENCH_CLIENTS, /* the first has no worker */
    FIGURES = 4                  /* p50, p99, p99.9 and the largest, in ms */
};

typedef struct late_round {
    double ms[FIGURES], events;
} late_round;

static ps_status latency_round(ps_bench *b, const char *client, late_round *out, ps_error *error) {
    ps_measure done;
    (void)snprintf(b->source, sizeof b->source, "%s.latency-%u", b->prefix, b->runs);
    PS_TRY(ps_topic_create(b->config->brokers, b->source, PARTITIONS, error));
    PS_TRY(ps_bench_output_begin(b, PARTITIONS, error));
    const ps_bench_job job = {.sink = "delivery: at_least_once", .client = client, .linger = "1ms"};
    PS_TRY(ps_bench_write_job(b, &job, error));
    ps_latency_config config = {.brokers = b->config->brokers,
                                .source = b->source,
                                .output = client ? b->output : b->source,
                                .pipeline_file = client ? b->file : NULL,
                                .rate = 20000,
                                .warmup_s = 3,
                                .measure_s = 6};
    PS_TRY(ps_measure_child(ps_latency_child, &config, false, &done, error));
    if (done.exit_code != 0) return ps_fail(error, PS_IO, "latency: the measurement failed");
    static const char *const names[FIGURES] = {"p50_ms", "p99_ms", "p999_ms", "max_ms"};
    for (int i = 0; i < FIGURES; i++) out->ms[i] = ps_json_number(done.line, names[i]);
    out->events = ps_json_number(done.line, "events");
    PS_TRY(ps_topic_delete(b->config->brokers, b->source, error));
    return ps_bench_output_end(b, client != NULL, error);
}

/* One stall of the machine must not be the figure: medians of the rounds' figures. */
static void latency_result(ps_bench *b, const ps_bench_client *client, const late_round *rounds) {
    double median[FIGURES];
    ps_result *r = ps_result_of(b, "latency_20000_per_s_at_least_once",
                                client ? client->impl : "no worker", client != NULL);
    for (int i = 0; i < FIGURES; i++) {
        ps_samples all = {.count = 0};
        for (int k = 0; k < ROUNDS; k++) ps_samples_add(&all, rounds[k].ms[i]);
        median[i] = ps_samples_median(&all);
    }
    r->p50_ms = median[0];
    r->p99_ms = median[1];
    r->p999_ms = median[2];
    r->max_ms = median[3];
    r->late_runs = ROUNDS;
    for (int k = 0; k < ROUNDS; k++) r->rows += (uint64_t)rounds[k].events;
}

static const ps_bench_client *client_of(int way) {
    return way == 0 ? NULL : &ps_bench_clients[way - 1];
}

ps_status ps_bench_latency(ps_bench *b, ps_error *error) {
    late_round rounds[WAYS][ROUNDS];
    for (int k = 0; k < ROUNDS; k++)
        for (int i = 0; i < WAYS; i++) {
            const int way = (k + i) % WAYS;
            const char *client = way == 0 ? NULL : client_of(way)->name;
            PS_TRY(latency_round(b, client, &rounds[way][k], error));
        }
    for (int way = 0; way < WAYS; way++) latency_result(b, client_of(way), rounds[way]);
    return PS_OK;
}
