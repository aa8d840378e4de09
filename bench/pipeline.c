/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cases.h"
#include "host/base/clock.h"

enum { SYNTHETIC_ROWS = 6000000, TIME_MAX_S = 135 };

static const char names[] =
    "synthetic auto start headers json at_least_once intervals latency slow "
    "compressed plane seal";

const char *ps_bench_pipeline_names(void) {
    return names;
}

bool ps_bench_names_it(const ps_bench *b, const char *name) {
    for (uint32_t i = 0; i < b->config->name_count; i++)
        if (strcmp(b->config->names[i], name) == 0) return true;
    return false;
}

bool ps_bench_wants(const ps_bench *b, const char *name) {
    return b->config->name_count == 0 || ps_bench_names_it(b, name);
}

static const char main_stages[] = "decode:\n"
                                  "  json: {fields: {host: string, cpu: float}}\n"
                                  "  series: $key\n"
                                  "stages:\n"
                                  "  - hash: {algorithm: sha256, of: value}\n"
                                  "  - detect: {field: cpu, detectors: [ewma], threshold: 6}\n";

ps_status ps_bench_write_yaml(const ps_bench *b, const ps_bench_yaml *yaml, ps_error *error) {
    FILE *out = fopen(b->file, "we");
    if (!out) return ps_fail(error, PS_IO, "%s: %s", b->file, strerror(errno));
    (void)fprintf(out, "pipeline: %s\nsource:\n  %s\n%ssink:\n  %s\n", b->group, yaml->source,
                  yaml->stages ? yaml->stages : main_stages, yaml->sink);
    if (yaml->runtime) (void)fprintf(out, "runtime: {%s}\n", yaml->runtime);
    if (fclose(out)) return ps_fail(error, PS_IO, "%s: %s", b->file, strerror(errno));
    return PS_OK;
}

ps_status ps_bench_run_yaml(const ps_bench *b, ps_measure *measure, ps_error *error) {
    const char *const argv[] = {"penstock",  "run",  b->file, "--until-end",
                                "--summary", "json", NULL};
    return ps_measure_self(argv, true, measure, error);
}

static double elapsed(const ps_bench *b) {
    return (double)(ps_clock_ns() - b->begin_ns) / 1e9;
}

static ps_status synthetic_round(ps_bench *b, ps_error *error) {
    char source[PS_YAML_LINE_MAX];
    ps_measure full, fixed;
    const double scale[] = {1, SYNTHETIC_ROWS};
    for (int i = 0; i < 2; i++) {
        (void)snprintf(b->group, sizeof b->group, "%s", b->prefix);
        (void)snprintf(source, sizeof source,
                       "synthetic: {rows: %.0f, series: 1000, bytes: %d, seed: 1}", scale[i],
                       PS_EVENT_BYTES);
        const ps_bench_yaml yaml = {.source = source, .sink = "discard: {}", .runtime = "lanes: 1"};
        PS_TRY(ps_bench_write_yaml(b, &yaml, error));
        PS_TRY(ps_bench_run_yaml(b, i ? &full : &fixed, error));
    }
    ps_result *r = ps_result_of(b, "synthetic_json_sha256_ewma_discard", "penstock", true);
    ps_result_add(r, &full, fixed.cpu_s, SYNTHETIC_ROWS, full.wall_s - fixed.wall_s);
    return PS_OK;
}

/* What is left to `backend: auto` beside the processor by name, drivers looked for even where no
 * device is in sight: what the choice costs, and what it gains. */
static ps_status auto_round(ps_bench *b, ps_error *error) {
    char source[PS_YAML_LINE_MAX];
    static const char *const runtimes[] = {"lanes: 1, backend: cpu", "lanes: 1, backend: auto"};
    static const char *const names_of[] = {PS_IMPL_PROCESSOR, "backend: auto"};
    const uint32_t rows = SYNTHETIC_ROWS / 2;
    ps_measure measure;
    (void)snprintf(b->group, sizeof b->group, "%s", b->prefix);
    (void)snprintf(source, sizeof source, "synthetic: {rows: %u, series: 1000, bytes: %d, seed: 1}",
                   rows, PS_EVENT_BYTES);
    for (int i = 0; i < 2; i++) {
        const ps_bench_yaml yaml = {
            .source = source, .sink = "discard: {}", .runtime = runtimes[i]};
        PS_TRY(ps_bench_write_yaml(b, &yaml, error));
        (void)setenv("PS_GPU", i == 0 ? "ignore" : "look", 1);
        const ps_status status = ps_bench_run_yaml(b, &measure, error);
        (void)unsetenv("PS_GPU");
        PS_TRY(status);
        ps_result *r = ps_result_of(b, "synthetic_backend_auto", names_of[i], true);
        ps_result_add(r, &measure, 0, rows, measure.wall_s);
    }
    return PS_OK;
}

static ps_status run_rounds(ps_bench *b, ps_error *error) {
#ifdef PS_HAVE_KAFKA
    const bool kafka = b->config->brokers != NULL;
    if (kafka) PS_TRY(ps_bench_kafka_begin(b, error));
#else
    if (b->config->brokers != NULL)
        return ps_fail(error, PS_UNSUPPORTED, "this build has no Kafka: leave --brokers out");
#endif
    for (uint32_t round = 0; round < b->config->rounds; round++) {
        /* Interleaved: whatever else the machine does meets all of them alike. */
        if (ps_bench_wants(b, "synthetic")) PS_TRY(synthetic_round(b, error));
        if (ps_bench_wants(b, "auto")) PS_TRY(auto_round(b, error));
#ifdef PS_HAVE_KAFKA
        if (kafka) PS_TRY(ps_bench_kafka_round(b, round, error));
#endif
        /* A slow machine gets fewer rounds, and the results say how many. */
        if (elapsed(b) * (round + 2) / (round + 1) > TIME_MAX_S) break;
    }
#ifdef PS_HAVE_KAFKA
    if (kafka) PS_TRY(ps_bench_kafka_end(b, error));
#endif
    return PS_OK;
}

ps_status ps_bench_pipeline(const ps_bench_config *config, ps_error *error) {
    ps_bench *b = calloc(1, sizeof *b);
    if (!b) return ps_fail(error, PS_NO_MEMORY, "out of memory");
    b->config = config;
    b->begin_ns = ps_clock_ns();
    (void)snprintf(b->folder, sizeof b->folder, "/tmp/penstock-bench.XXXXXX");
    if (!mkdtemp(b->folder)) {
        free(b);
        return ps_fail(error, PS_IO, "no folder in /tmp: %s", strerror(errno));
    }
    (void)snprintf(b->file, sizeof b->file, "%s/pipeline.yaml", b->folder);
    (void)snprintf(b->prefix, sizeof b->prefix, "bench-%d", (int)getpid());
    ps_status status = run_rounds(b, error);
    (void)unlink(b->file);
    (void)rmdir(b->folder);
    ps_results_print(b);
    if (status == PS_OK) status = ps_results_write(b, error);
    free(b);
    return status;
}
