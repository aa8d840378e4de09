/* SPDX-License-Identifier: Apache-2.0
 * The same events in the same batches, uncompressed and compressed: what a codec costs a worker,
 * beside what its library takes for the same batches by itself.
 */
#include <stdio.h>
#include <string.h>

#include "bench/codec_time.h"
#include "bench/kafka_runs.h"
#include "bench/topics.h"

enum { BATCH_BYTES = 128 << 10 };

static const struct {
    const char *codec, *kernel, *library; /* library: NULL where nothing is unpacked */
} inputs[] = {{"none", "kafka_input_plain", NULL},
              {"lz4", "kafka_input_lz4", "liblz4"},
              {"zstd", "kafka_input_zstd", "libzstd"}};
enum { INPUTS = sizeof inputs / sizeof *inputs };

static void topic_of(const ps_bench *b, uint32_t input, char *out, size_t bytes) {
    (void)snprintf(out, bytes, "%s.%s", b->prefix, inputs[input].codec);
}

/* A bare loop copies the events that all cases have. */
static ps_status fill(ps_bench *b, uint32_t input, ps_error *error) {
    ps_measure done;
    ps_bare_config copy = ps_bench_bare(PS_BARE_PLAIN, false);
    copy.codec = inputs[input].codec;
    copy.batch_bytes = BATCH_BYTES;
    copy.linger_ms = 100; /* whole batches */
    b->runs++;
    topic_of(b, input, b->output, sizeof b->output);
    (void)snprintf(b->group, sizeof b->group, "%s.%u", b->prefix, b->runs);
    PS_TRY(ps_topic_create(b->config->brokers, b->output, PS_BENCH_PARTITIONS, error));
    PS_TRY(ps_bench_run_bare(b, &copy, &done, error));
    if (ps_json_number(done.line, "rows") == (double)b->config->rows) return PS_OK;
    return ps_fail(error, PS_IO, "%s: not every event was copied", inputs[input].kernel);
}

ps_status ps_bench_compressed_begin(ps_bench *b, ps_error *error) {
    for (uint32_t i = 0; i < INPUTS; i++) PS_TRY(fill(b, i, error));
    return PS_OK;
}

/* From this input instead of b->source. */
static ps_status run_from(ps_bench *b, uint32_t input, const ps_bench_client *client,
                          ps_error *error) {
    char all[sizeof b->source];
    const ps_bench_job job = {.kernel = inputs[input].kernel,
                              .sink = "form: headers, commit_interval: 100ms",
                              .client = client->name};
    memcpy(all, b->source, sizeof all);
    topic_of(b, input, b->source, sizeof b->source);
    const ps_status status = ps_bench_run_job(b, &job, client->impl, error);
    memcpy(b->source, all, sizeof all);
    PS_TRY(status);
    return ps_bench_output_end(b, true, error);
}

static ps_status time_library(ps_bench *b, uint32_t input, ps_error *error) {
    char topic[sizeof b->source];
    ps_measure done;
    topic_of(b, input, topic, sizeof topic);
    ps_codec_time_config config = {b->config->brokers, topic, PS_BENCH_PARTITIONS};
    PS_TRY(ps_measure_child(ps_codec_time_child, &config, false, &done, error));
    const double rows = ps_json_number(done.line, "rows");
    if (done.exit_code != 0 || rows != (double)b->config->rows)
        return ps_fail(error, PS_IO, "%s: the batches could not be read back",
                       inputs[input].kernel);
    ps_result *r = ps_result_of(b, inputs[input].kernel, inputs[input].library, false);
    r->rows = b->config->rows;
    ps_samples_add(&r->cpu_ns, ps_json_number(done.line, "codec_ns") / rows);
    ps_samples_add(&r->wall_ns, ps_json_number(done.line, "codec_ns") / rows);
    ps_samples_add(&r->rss_mib, done.rss_mib);
    return PS_OK;
}

ps_status ps_bench_compressed_round(ps_bench *b, uint32_t round, ps_error *error) {
    for (uint32_t i = 0; i < INPUTS * PS_BENCH_CLIENTS; i++) {
        const uint32_t at = (round + i) % (INPUTS * PS_BENCH_CLIENTS);
        PS_TRY(run_from(b, at / PS_BENCH_CLIENTS, &ps_bench_clients[at % PS_BENCH_CLIENTS], error));
    }
    for (uint32_t i = 0; i < INPUTS; i++)
        if (inputs[i].library) PS_TRY(time_library(b, i, error));
    return PS_OK;
}

ps_status ps_bench_compressed_end(ps_bench *b, ps_error *error) {
    char topic[sizeof b->source];
    for (uint32_t i = 0; i < INPUTS; i++) {
        topic_of(b, i, topic, sizeof topic);
        PS_TRY(ps_topic_delete(b->config->brokers, topic, error));
        if (!inputs[i].library) continue;
        const ps_result *library = ps_result_of(b, inputs[i].kernel, inputs[i].library, false);
        for (uint32_t k = 0; k < PS_BENCH_CLIENTS; k++) {
            const char *impl = ps_bench_clients[k].impl;
            const ps_result *plain = ps_result_of(b, inputs[0].kernel, impl, true);
            ps_result *own = ps_result_of(b, inputs[i].kernel, impl, true);
            own->ratio_to_plain =
                ps_samples_ratio(&own->cpu_ns, &plain->cpu_ns, &library->cpu_ns, NULL);
        }
    }
    return PS_OK;
}
