/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_loop.h"
#include "bench/cases.h"
#include "bench/latency.h"
#include "bench/topics.h"
#include "host/base/clock.h"

enum {
    PARTITIONS = 8,
    /* 20,000 events/s of one millisecond's linger are a thousand requests a second and partition.
     */
    LATENCY_PARTITIONS = 2,
    LATENCY_ROUNDS = 5
};

/* A bare loop beside a case. */
typedef struct rival {
    const char *impl; /* NULL: no more */
    ps_bare_form form;
    bool exactly_once, hash;
} rival;

/* A case on Kafka: what penstock's sink is told, and its rivals. */
typedef struct kafka_case {
    const char *name, *kernel, *sink;
    const rival *rivals;
} kafka_case;

static const rival beside_headers[] = {{"bare loop", PS_BARE_HEADERS, true, true},
                                       {"bare loop, constant digest", PS_BARE_HEADERS, true, false},
                                       {.impl = NULL}};
static const rival beside_json[] = {{"bare loop", PS_BARE_JSON, true, true}, {.impl = NULL}};
static const rival beside_once[] = {{"bare loop", PS_BARE_HEADERS, false, true}, {.impl = NULL}};

static const kafka_case headers_case = {.name = "headers",
                                        .kernel = "kafka_headers_exactly_once",
                                        .sink = "form: headers, commit_interval: 100ms",
                                        .rivals = beside_headers};
static const kafka_case json_case = {.name = "json",
                                     .kernel = "kafka_json_exactly_once",
                                     .sink = "form: json, commit_interval: 100ms",
                                     .rivals = beside_json};
static const kafka_case once_case = {.name = "at_least_once",
                                     .kernel = "kafka_headers_at_least_once",
                                     .sink = "delivery: at_least_once, commit_interval: 100ms",
                                     .rivals = beside_once};
static const kafka_case *const kafka_cases[] = {&headers_case, &json_case, &once_case};

/* Each round begins with the next of them, so that no one always runs on what the one before it
 * left (a broker that is busy, a processor that is hot). `impl` of the first is PS_IMPL_LEAST. */
static const struct {
    const char *impl, *sink;
} intervals[] = {
    {PS_IMPL_LEAST, "form: headers, delivery: at_least_once, commit_interval: 100ms"},
    {"exactly once, 10 ms", "form: headers, commit_interval: 10ms"},
    {"exactly once, 50 ms", "form: headers, commit_interval: 50ms"},
    {"exactly once, 100 ms", "form: headers, commit_interval: 100ms"},
    {"exactly once, 500 ms", "form: headers, commit_interval: 500ms"},
};

/* From the fork until the worker says that its lanes have started: what follows is the first poll.
 */
typedef struct start_probe {
    const char *const *argv;
} start_probe;

static int probe_start(void *context) {
    const start_probe *probe = context;
    int ends[2];
    char line[1024];
    if (pipe(ends)) return 1;
    const int64_t begin = ps_clock_ns();
    const pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)execv("/proc/self/exe", (char *const *)(uintptr_t)probe->argv);
        _exit(127);
    }
    (void)close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    while (in && fgets(line, sizeof line, in)) {
        if (!strstr(line, "started:")) continue;
        (void)printf("{\"start_ms\":%.3f}\n", (double)(ps_clock_ns() - begin) / 1e6);
        break;
    }
    while (in && fgets(line, sizeof line, in)) continue;
    if (in) (void)fclose(in);
    return 0;
}

static ps_status start_round(ps_bench *b, ps_error *error) {
    const char *const argv[] = {"penstock", "run", b->file, "--until-end", NULL};
    start_probe probe = {argv};
    ps_measure m;
    PS_TRY(ps_measure_child(probe_start, &probe, false, &m, error));
    const double ms = ps_json_number(m.line, "start_ms");
    if (ms < 0) return ps_fail(error, PS_IO, "penstock run never said that it started");
    ps_result *r = ps_result_of(b, "start_to_first_poll", "penstock", true);
    r->rows = 1;
    ps_samples_add(&r->start_ms, ms);
    return PS_OK;
}

static void kafka_source(const ps_bench *b, char *out, size_t bytes) {
    (void)snprintf(out, bytes, "kafka: {brokers: \"%s\", topics: [%s]}", b->config->brokers,
                   b->source);
}

static ps_status new_output(ps_bench *b, int partitions, ps_error *error) {
    b->runs++;
    (void)snprintf(b->output, sizeof b->output, "%s.out-%u", b->prefix, b->runs);
    (void)snprintf(b->group, sizeof b->group, "%s.%u", b->prefix, b->runs);
    return ps_topic_create(b->config->brokers, b->output, partitions, error);
}

static ps_status old_output(ps_bench *b, bool state, ps_error *error) {
    char name[96];
    PS_TRY(ps_topic_delete(b->config->brokers, b->output, error));
    if (!state) return PS_OK;
    (void)snprintf(name, sizeof name, "%s.state", b->group);
    /* A pipeline without state has no such topic. */
    const ps_status gone = ps_topic_delete(b->config->brokers, name, NULL);
    return gone == PS_IO ? PS_OK : gone;
}

/* A run, then one that finds nothing left to do: its CPU is what starting and stopping cost. */
static ps_status penstock_round(ps_bench *b, const kafka_case *c, const char *impl,
                                ps_error *error) {
    char source[PS_YAML_LINE_MAX], sink[PS_YAML_LINE_MAX];
    ps_measure full, fixed;
    PS_TRY(new_output(b, PARTITIONS, error));
    kafka_source(b, source, sizeof source);
    (void)snprintf(sink, sizeof sink, "kafka: {topic: %s, %s}", b->output, c->sink);
    PS_TRY(ps_bench_write_yaml(b, source, sink, "", error));
    PS_TRY(ps_bench_run_yaml(b, &full, error));
    const double rows = ps_json_number(full.line, "rows_in");
    if (rows != (double)b->config->rows)
        return ps_fail(error, PS_IO, "%s: %.0f rows went through, not %" PRIu64, c->kernel, rows,
                       b->config->rows);
    PS_TRY(ps_bench_run_yaml(b, &fixed, error));
    ps_result_add(ps_result_of(b, c->kernel, impl, true), &full, fixed.cpu_s, b->config->rows,
                  full.wall_s - fixed.wall_s);
    if (ps_bench_wants(b, "start")) PS_TRY(start_round(b, error));
    return old_output(b, true, error);
}

static int bare_child(void *context) {
    uint64_t rows = 0;
    ps_error error = {0};
    const ps_status status = ps_bare_loop(context, &rows, &error);
    (void)printf("{\"rows\":%" PRIu64 "}\n", rows);
    if (status != PS_OK) (void)fprintf(stderr, "%s\n", error.message);
    return status != PS_OK;
}

static ps_bare_config bare_of(const ps_bench *b, const rival *r) {
    return (ps_bare_config){.brokers = b->config->brokers,
                            .source = b->source,
                            .output = b->output,
                            .group = b->group,
                            .threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
                            .form = r->form,
                            .exactly_once = r->exactly_once,
                            .hash = r->hash,
                            .commit_interval_ns = 100 * PS_NS_PER_MS,
                            .linger_ms = 5};
}

static ps_status bare_round(ps_bench *b, const kafka_case *c, const rival *r, ps_error *error) {
    ps_measure full, fixed;
    PS_TRY(new_output(b, PARTITIONS, error));
    ps_bare_config bare = bare_of(b, r);
    PS_TRY(ps_measure_child(bare_child, &bare, false, &full, error));
    const double rows = ps_json_number(full.line, "rows");
    if (full.exit_code != 0 || rows != (double)b->config->rows)
        return ps_fail(error, PS_IO, "%s: the bare loop passed %.0f rows on, not %" PRIu64,
                       c->kernel, rows, b->config->rows);
    PS_TRY(ps_measure_child(bare_child, &bare, false, &fixed, error));
    ps_result_add(ps_result_of(b, c->kernel, r->impl, false), &full, fixed.cpu_s, b->config->rows,
                  full.wall_s - fixed.wall_s);
    return old_output(b, false, error);
}

static ps_status kafka_round(ps_bench *b, const kafka_case *c, ps_error *error) {
    for (const rival *r = c->rivals; r->impl; r++) PS_TRY(bare_round(b, c, r, error));
    return penstock_round(b, c, "penstock", error);
}

static ps_status intervals_round(ps_bench *b, uint32_t round, ps_error *error) {
    enum { INTERVALS = sizeof intervals / sizeof *intervals };
    for (uint32_t i = 0; i < INTERVALS; i++) {
        const uint32_t at = (round + i) % INTERVALS;
        const kafka_case one = {
            .name = "intervals", .kernel = PS_CASE_INTERVALS, .sink = intervals[at].sink};
        PS_TRY(penstock_round(b, &one, intervals[at].impl, error));
    }
    return PS_OK;
}

static bool any_kafka_case(const ps_bench *b) {
    for (size_t i = 0; i < sizeof kafka_cases / sizeof *kafka_cases; i++)
        if (ps_bench_wants(b, kafka_cases[i]->name)) return true;
    return ps_bench_wants(b, "intervals");
}

static ps_status fill_source(ps_bench *b, ps_error *error) {
    char rows[32], to[PS_YAML_LINE_MAX];
    ps_measure done;
    (void)snprintf(b->source, sizeof b->source, "%s.in", b->prefix);
    PS_TRY(ps_topic_create(b->config->brokers, b->source, PARTITIONS, error));
    (void)snprintf(rows, sizeof rows, "%" PRIu64, b->config->rows);
    (void)snprintf(to, sizeof to, "%s/%s", b->config->brokers, b->source);
    const char *const argv[] = {"penstock", "gen", "--rows", rows, "--to", to, NULL};
    return ps_measure_self(argv, true, &done, error);
}

/* ---------------------------------------------------------------- latency */

/* p50, p99, p99.9 and the largest, in ms. */
enum { LATE_FIGURES = 4 };
typedef struct late_round {
    double ms[LATE_FIGURES], events;
} late_round;

static ps_status latency_round(ps_bench *b, bool worker, late_round *out, ps_error *error) {
    char source[PS_YAML_LINE_MAX], sink[PS_YAML_LINE_MAX];
    ps_measure done;
    (void)snprintf(b->source, sizeof b->source, "%s.latency-%d", b->prefix, worker);
    PS_TRY(ps_topic_create(b->config->brokers, b->source, LATENCY_PARTITIONS, error));
    PS_TRY(new_output(b, LATENCY_PARTITIONS, error));
    kafka_source(b, source, sizeof source);
    (void)snprintf(sink, sizeof sink, "kafka: {topic: %s, delivery: at_least_once}", b->output);
    PS_TRY(ps_bench_write_yaml(b, source, sink, "runtime: {linger: 1ms}\n", error));
    ps_latency_config config = {.brokers = b->config->brokers,
                                .source = b->source,
                                .output = worker ? b->output : b->source,
                                .pipeline_file = worker ? b->file : NULL,
                                .rate = 20000,
                                .warmup_s = 3,
                                .measure_s = 6};
    PS_TRY(ps_measure_child(ps_latency_child, &config, false, &done, error));
    if (done.exit_code != 0) return ps_fail(error, PS_IO, "latency: the measurement failed");
    static const char *const names[LATE_FIGURES] = {"p50_ms", "p99_ms", "p999_ms", "max_ms"};
    for (int i = 0; i < LATE_FIGURES; i++) out->ms[i] = ps_json_number(done.line, names[i]);
    out->events = ps_json_number(done.line, "events");
    PS_TRY(ps_topic_delete(b->config->brokers, b->source, error));
    return old_output(b, worker, error);
}

/* One stall of the machine must not be the figure: medians of the rounds' figures. */
static void latency_result(ps_bench *b, bool worker, const late_round *rounds) {
    double median[LATE_FIGURES];
    ps_result *r = ps_result_of(b, "latency_20000_per_s_at_least_once",
                                worker ? "penstock" : "no worker", worker);
    for (int i = 0; i < LATE_FIGURES; i++) {
        ps_samples all = {.count = 0};
        for (int k = 0; k < LATENCY_ROUNDS; k++) ps_samples_add(&all, rounds[k].ms[i]);
        median[i] = ps_samples_median(&all);
    }
    r->p50_ms = median[0];
    r->p99_ms = median[1];
    r->p999_ms = median[2];
    r->max_ms = median[3];
    for (int k = 0; k < LATENCY_ROUNDS; k++) r->rows += (uint64_t)rounds[k].events;
}

static ps_status latency(ps_bench *b, ps_error *error) {
    late_round rounds[2][LATENCY_ROUNDS];
    for (int k = 0; k < LATENCY_ROUNDS; k++)
        for (int worker = 0; worker < 2; worker++)
            PS_TRY(latency_round(b, worker == 1, &rounds[worker][k], error));
    latency_result(b, false, rounds[0]);
    latency_result(b, true, rounds[1]);
    return PS_OK;
}

/* A broker's first seconds go into its own compiler: one bare round that is not counted. */
static ps_status warm_up(ps_bench *b, ps_error *error) {
    ps_measure unused;
    PS_TRY(new_output(b, PARTITIONS, error));
    ps_bare_config bare = bare_of(b, &beside_headers[1]);
    PS_TRY(ps_measure_child(bare_child, &bare, false, &unused, error));
    return old_output(b, false, error);
}

ps_status ps_bench_kafka_begin(ps_bench *b, ps_error *error) {
    if (!any_kafka_case(b)) return PS_OK;
    PS_TRY(fill_source(b, error));
    return warm_up(b, error);
}

ps_status ps_bench_kafka_round(ps_bench *b, uint32_t round, ps_error *error) {
    for (size_t i = 0; i < sizeof kafka_cases / sizeof *kafka_cases; i++)
        if (ps_bench_wants(b, kafka_cases[i]->name)) PS_TRY(kafka_round(b, kafka_cases[i], error));
    return ps_bench_wants(b, "intervals") ? intervals_round(b, round, error) : PS_OK;
}

ps_status ps_bench_kafka_end(ps_bench *b, ps_error *error) {
    if (any_kafka_case(b)) PS_TRY(ps_topic_delete(b->config->brokers, b->source, error));
    if (!ps_bench_wants(b, "latency")) return PS_OK;
    return latency(b, error);
}
