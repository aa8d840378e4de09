/* SPDX-License-Identifier: Apache-2.0
 * Whole runs on Kafka: the worker with each of its clients beside loops that are as lean as their
 * library allows.
 */
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/kafka_runs.h"
#include "bench/topics.h"
#include "host/base/clock.h"

/* A loop beside a case. */
typedef struct rival {
    const char *impl; /* NULL: no more */
    ps_bare_form form;
    bool exactly_once, hash;
    bool wire; /* not librdkafka's: tests/integration/wire_copy.c, which has our own protocol */
} rival;

/* A case on Kafka: what penstock is told, and its rivals. */
typedef struct kafka_case {
    const char *name;
    ps_bench_job job;
    const rival *rivals;
} kafka_case;

#define BARE "bare loop"

static const rival beside_headers[] = {
    {.impl = BARE, .form = PS_BARE_HEADERS, .exactly_once = true, .hash = true},
    {.impl = "bare loop, constant digest", .form = PS_BARE_HEADERS, .exactly_once = true},
    {.impl = NULL}};
static const rival beside_json[] = {
    {.impl = BARE, .form = PS_BARE_JSON, .exactly_once = true, .hash = true}, {.impl = NULL}};
static const rival beside_once[] = {{.impl = BARE, .form = PS_BARE_HEADERS, .hash = true},
                                    {.impl = NULL}};
static const rival beside_plane[] = {{.impl = BARE, .form = PS_BARE_HEADERS, .exactly_once = true},
                                     {.impl = "wire loop", .wire = true},
                                     {.impl = NULL}};

/* Four headers with as little computed for them as a worker can be told: where from, and three
 * hashes of the key. No decoding, no state, no filter. */
static const char plane_stages[] = "stages:\n"
                                   "  - hash: {algorithm: xxh3, of: key, as: first}\n"
                                   "  - hash: {algorithm: xxh3, of: key, as: second}\n"
                                   "  - hash: {algorithm: xxh3, of: key, as: third}\n";

#define COMMITS "commit_interval: 100ms"

static const kafka_case kafka_cases[] = {
    {.name = "headers",
     .job = {.kernel = "kafka_headers_exactly_once", .sink = "form: headers, " COMMITS},
     .rivals = beside_headers},
    {.name = "json",
     .job = {.kernel = "kafka_json_exactly_once", .sink = "form: json, " COMMITS},
     .rivals = beside_json},
    {.name = "at_least_once",
     .job = {.kernel = "kafka_headers_at_least_once", .sink = "delivery: at_least_once, " COMMITS},
     .rivals = beside_once},
    {.name = "plane",
     .job = {.kernel = "kafka_plane_exactly_once",
             .stages = plane_stages,
             .sink = "form: headers, " COMMITS},
     .rivals = beside_plane},
};
enum { KAFKA_CASES = sizeof kafka_cases / sizeof *kafka_cases };

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

static ps_status start_round(ps_bench *b, const char *impl, ps_error *error) {
    const char *const argv[] = {"penstock", "run", b->file, "--until-end", NULL};
    start_probe probe = {argv};
    ps_measure m;
    PS_TRY(ps_measure_child(probe_start, &probe, false, &m, error));
    const double ms = ps_json_number(m.line, "start_ms");
    if (ms < 0) return ps_fail(error, PS_IO, "penstock run never said that it started");
    ps_result *r = ps_result_of(b, "start_to_first_poll", impl, true);
    r->rows = 1;
    ps_samples_add(&r->start_ms, ms);
    return PS_OK;
}

static ps_status penstock_round(ps_bench *b, const kafka_case *c, const ps_bench_client *client,
                                ps_error *error) {
    ps_bench_job job = c->job;
    job.client = client->name;
    PS_TRY(ps_bench_run_job(b, &job, client->impl, error));
    if (ps_bench_wants(b, "start")) PS_TRY(start_round(b, client->impl, error));
    return ps_bench_output_end(b, true, error);
}

/* The program of the acceptance tests, beside this one. */
static bool find_wire_loop(char *path, size_t bytes) {
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return false;
    self[length] = '\0';
    return (size_t)snprintf(path, bytes, "%s/accept_wire_copy", dirname(self)) < bytes &&
           access(path, X_OK) == 0;
}

static int become_wire_loop(void *context) {
    const ps_bench *b = context;
    char path[PATH_MAX];
    if (!find_wire_loop(path, sizeof path)) return 127;
    (void)execl(path, path, "--brokers", b->config->brokers, "--from", b->source, "--to", b->output,
                "--group", b->group, "--id", b->group, (char *)NULL);
    return 127;
}

/* `rows` is what it says itself. */
static ps_status run_rival(ps_bench *b, const rival *r, ps_measure *out, double *rows,
                           ps_error *error) {
    if (r->wire) {
        PS_TRY(ps_measure_child(become_wire_loop, b, false, out, error));
        *rows = ps_json_number(out->line, "records");
        return out->exit_code == 0 ? PS_OK : ps_fail(error, PS_IO, "the wire loop failed");
    }
    ps_bare_config bare = ps_bench_bare(r->form, r->exactly_once);
    bare.hash = r->hash;
    PS_TRY(ps_bench_run_bare(b, &bare, out, error));
    *rows = ps_json_number(out->line, "rows");
    return PS_OK;
}

static ps_status rival_round(ps_bench *b, const kafka_case *c, const rival *r, ps_error *error) {
    ps_measure full, fixed;
    double rows, none;
    char path[PATH_MAX];
    if (r->wire && !find_wire_loop(path, sizeof path)) return PS_OK; /* a program by itself */
    PS_TRY(ps_bench_output_begin(b, PS_BENCH_PARTITIONS, error));
    PS_TRY(run_rival(b, r, &full, &rows, error));
    if (rows != (double)b->config->rows)
        return ps_fail(error, PS_IO, "%s: the %s passed %.0f rows on, not %" PRIu64, c->job.kernel,
                       r->impl, rows, b->config->rows);
    PS_TRY(run_rival(b, r, &fixed, &none, error));
    ps_result_add(ps_result_of(b, c->job.kernel, r->impl, false), &full, fixed.cpu_s,
                  b->config->rows, full.wall_s - fixed.wall_s);
    return ps_bench_output_end(b, false, error);
}

/* All of a case, each round beginning with another one. */
static ps_status kafka_round(ps_bench *b, const kafka_case *c, uint32_t round, ps_error *error) {
    uint32_t rivals = 0;
    while (c->rivals[rivals].impl) rivals++;
    const uint32_t all = rivals + PS_BENCH_CLIENTS;
    for (uint32_t i = 0; i < all; i++) {
        const uint32_t at = (round + i) % all;
        if (at < rivals)
            PS_TRY(rival_round(b, c, &c->rivals[at], error));
        else
            PS_TRY(penstock_round(b, c, &ps_bench_clients[at - rivals], error));
    }
    return PS_OK;
}

static ps_status intervals_round(ps_bench *b, uint32_t round, ps_error *error) {
    enum { INTERVALS = sizeof intervals / sizeof *intervals };
    for (uint32_t i = 0; i < INTERVALS; i++) {
        const uint32_t at = (round + i) % INTERVALS;
        const ps_bench_job job = {.kernel = PS_CASE_INTERVALS, .sink = intervals[at].sink};
        PS_TRY(ps_bench_run_job(b, &job, intervals[at].impl, error));
        PS_TRY(ps_bench_output_end(b, true, error));
    }
    return PS_OK;
}

static bool wants_case(const ps_bench *b, const kafka_case *c) {
    return strcmp(c->name, "plane") == 0 ? ps_bench_names_it(b, c->name)
                                         : ps_bench_wants(b, c->name);
}

static bool any_kafka_case(const ps_bench *b) {
    for (size_t i = 0; i < KAFKA_CASES; i++)
        if (wants_case(b, &kafka_cases[i])) return true;
    return ps_bench_wants(b, "intervals") || ps_bench_names_it(b, "compressed") ||
           ps_bench_names_it(b, "seal");
}

static ps_status fill_source(ps_bench *b, ps_error *error) {
    char rows[32], to[PS_YAML_LINE_MAX];
    ps_measure done;
    (void)snprintf(b->source, sizeof b->source, "%s.in", b->prefix);
    PS_TRY(ps_topic_create(b->config->brokers, b->source, PS_BENCH_PARTITIONS, error));
    (void)snprintf(rows, sizeof rows, "%" PRIu64, b->config->rows);
    (void)snprintf(to, sizeof to, "%s/%s", b->config->brokers, b->source);
    const char *const argv[] = {"penstock", "gen", "--rows", rows, "--to", to, NULL};
    return ps_measure_self(argv, true, &done, error);
}

/* A broker's first seconds go into its own compiler: one bare round that is not counted. */
static ps_status warm_up(ps_bench *b, ps_error *error) {
    ps_measure unused;
    const ps_bare_config bare = ps_bench_bare(PS_BARE_HEADERS, true);
    PS_TRY(ps_bench_output_begin(b, PS_BENCH_PARTITIONS, error));
    PS_TRY(ps_bench_run_bare(b, &bare, &unused, error));
    return ps_bench_output_end(b, false, error);
}

ps_status ps_bench_kafka_begin(ps_bench *b, ps_error *error) {
    if (!any_kafka_case(b)) return PS_OK;
    PS_TRY(fill_source(b, error));
    PS_TRY(warm_up(b, error));
    if (ps_bench_names_it(b, "seal")) PS_TRY(ps_bench_seal_begin(b, error));
    return ps_bench_names_it(b, "compressed") ? ps_bench_compressed_begin(b, error) : PS_OK;
}

ps_status ps_bench_kafka_round(ps_bench *b, uint32_t round, ps_error *error) {
    for (size_t i = 0; i < KAFKA_CASES; i++)
        if (wants_case(b, &kafka_cases[i])) PS_TRY(kafka_round(b, &kafka_cases[i], round, error));
    if (ps_bench_names_it(b, "compressed")) PS_TRY(ps_bench_compressed_round(b, round, error));
    if (ps_bench_names_it(b, "slow")) PS_TRY(ps_bench_slow_round(b, round, error));
    if (ps_bench_names_it(b, "seal")) PS_TRY(ps_bench_seal_round(b, round, error));
    return ps_bench_wants(b, "intervals") ? intervals_round(b, round, error) : PS_OK;
}

ps_status ps_bench_kafka_end(ps_bench *b, ps_error *error) {
    if (ps_bench_names_it(b, "compressed")) PS_TRY(ps_bench_compressed_end(b, error));
    if (ps_bench_names_it(b, "seal")) PS_TRY(ps_bench_seal_end(b, error));
    if (any_kafka_case(b)) PS_TRY(ps_topic_delete(b->config->brokers, b->source, error));
    return ps_bench_names_it(b, "latency") ? ps_bench_latency(b, error) : PS_OK;
}
