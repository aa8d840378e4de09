/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kafka_runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/topics.h"
#include "host/base/clock.h"

const ps_bench_client ps_bench_clients[PS_BENCH_CLIENTS] = {
    {"native", "penstock (native)"},
    {"librdkafka", "penstock (librdkafka)"},
};

ps_status ps_bench_output_begin(ps_bench *b, int partitions, ps_error *error) {
    b->runs++;
    (void)snprintf(b->output, sizeof b->output, "%s.out-%u", b->prefix, b->runs);
    (void)snprintf(b->group, sizeof b->group, "%s.%u", b->prefix, b->runs);
    return ps_topic_create(b->config->brokers, b->output, partitions, error);
}

ps_status ps_bench_output_end(ps_bench *b, bool state, ps_error *error) {
    char name[96];
    PS_TRY(ps_topic_delete(b->config->brokers, b->output, error));
    if (!state) return PS_OK;
    (void)snprintf(name, sizeof name, "%s.state", b->group);
    /* A pipeline without state has no such topic. */
    const ps_status gone = ps_topic_delete(b->config->brokers, name, NULL);
    return gone == PS_IO ? PS_OK : gone;
}

ps_status ps_bench_write_job(const ps_bench *b, const ps_bench_job *job, ps_error *error) {
    char source[PS_YAML_LINE_MAX], sink[PS_YAML_LINE_MAX], runtime[128];
    (void)snprintf(source, sizeof source, "kafka: {brokers: \"%s\", topics: [%s]}",
                   b->config->brokers, b->source);
    (void)snprintf(sink, sizeof sink, "kafka: {topic: %s, %s}", b->output, job->sink);
    (void)snprintf(runtime, sizeof runtime, "client: %s, linger: %s",
                   job->client ? job->client : "auto", job->linger ? job->linger : "5ms");
    const ps_bench_yaml yaml = {
        .source = source, .sink = sink, .stages = job->stages, .runtime = runtime};
    return ps_bench_write_yaml(b, &yaml, error);
}

ps_status ps_bench_run_job(ps_bench *b, const ps_bench_job *job, const char *impl,
                           ps_error *error) {
    ps_measure full, fixed;
    PS_TRY(ps_bench_output_begin(b, PS_BENCH_PARTITIONS, error));
    PS_TRY(ps_bench_write_job(b, job, error));
    PS_TRY(ps_bench_run_yaml(b, &full, error));
    const double rows = ps_json_number(full.line, "rows_in");
    if (rows != (double)b->config->rows)
        return ps_fail(error, PS_IO, "%s: %.0f rows went through, not %" PRIu64, job->kernel, rows,
                       b->config->rows);
    PS_TRY(ps_bench_run_yaml(b, &fixed, error));
    ps_result_add(ps_result_of(b, job->kernel, impl, true), &full, fixed.cpu_s, b->config->rows,
                  full.wall_s - fixed.wall_s);
    return PS_OK;
}

static int bare_child(void *context) {
    uint64_t rows = 0;
    ps_error error = {0};
    const ps_status status = ps_bare_loop(context, &rows, &error);
    (void)printf("{\"rows\":%" PRIu64 "}\n", rows);
    if (status != PS_OK) (void)fprintf(stderr, "%s\n", error.message);
    return status != PS_OK;
}

ps_status ps_bench_run_bare(const ps_bench *b, const ps_bare_config *bare, ps_measure *measure,
                            ps_error *error) {
    ps_bare_config config = *bare;
    config.brokers = b->config->brokers;
    config.source = b->source;
    config.output = b->output;
    config.group = b->group;
    PS_TRY(ps_measure_child(bare_child, &config, false, measure, error));
    if (measure->exit_code == 0) return PS_OK;
    return ps_fail(error, PS_IO, "the bare loop failed");
}

ps_bare_config ps_bench_bare(ps_bare_form form, bool exactly_once) {
    return (ps_bare_config){.threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
                            .form = form,
                            .exactly_once = exactly_once,
                            .commit_interval_ns = 100 * PS_NS_PER_MS,
                            .linger_ms = 5};
}
