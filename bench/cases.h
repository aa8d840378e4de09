/* SPDX-License-Identifier: Apache-2.0
 * What the files of the pipeline bench share: the run, its results, and how one is measured.
 */
#ifndef PS_BENCH_CASES_H
#define PS_BENCH_CASES_H

#include <stdbool.h>

#include "bench/measure.h"
#include "bench/pipeline.h"

enum { PS_EVENT_BYTES = 256, PS_RESULTS_MAX = 64, PS_YAML_LINE_MAX = 512 };

/* What one implementation of a case did, over all rounds. */
typedef struct ps_result {
    const char *kernel, *impl;
    bool own;
    double ratio_to_bare;  /* of CPU, to a bare loop or the processor; 0: neither is beside it */
    double ratio_to_least; /* of throughput, to at least once; 0: not beside it */
    double ratio_spread;   /* of that ratio over the rounds, (largest - smallest) / median */
    double ratio_to_plain; /* of CPU, to what it is without a codec plus the codec's own; 0: none */
    uint64_t rows;
    ps_samples cpu_ns, wall_ns, rss_mib, fixed_cpu_ms;
    double p50_ms, p99_ms, p999_ms, max_ms; /* latency cases: medians of so many runs */
    uint32_t late_runs;
    ps_samples start_ms;
    ps_samples idle_us; /* CPU of a second with nothing to do */
} ps_result;

typedef struct ps_bench {
    const ps_bench_config *config;
    int64_t begin_ns;
    char folder[64], file[96], prefix[48];
    char source[64], output[64], group[64];
    uint32_t runs; /* makes groups and topics unique */
    ps_result results[PS_RESULTS_MAX];
    uint32_t count;
} ps_bench;

/* What exactly once costs, by how often it commits: its rows are compared with each other. */
#define PS_CASE_INTERVALS "kafka_headers_by_commit_interval"
#define PS_IMPL_LEAST     "at least once"

/* What `backend: auto` is compared with. */
#define PS_IMPL_PROCESSOR "backend: cpu"

/* Whether it was asked for, or nothing was. */
bool ps_bench_wants(const ps_bench *bench, const char *name);
/* Whether it was asked for: what takes too long to be one of all. */
bool ps_bench_names_it(const ps_bench *bench, const char *name);

/* The row of that name, made on first use. */
ps_result *ps_result_of(ps_bench *bench, const char *kernel, const char *impl, bool own);

/* One run: its CPU less what starting and stopping cost. */
void ps_result_add(ps_result *result, const ps_measure *measure, double fixed_cpu_s, uint64_t rows,
                   double wall_s);

void ps_results_print(ps_bench *bench);
ps_status ps_results_write(const ps_bench *bench, ps_error *error) PS_MUST_USE;

/* A pipeline file but for its name. */
typedef struct ps_bench_yaml {
    const char *source, *sink;
    const char *stages;  /* NULL: the main job's */
    const char *runtime; /* of `runtime: {…}`; NULL: none */
} ps_bench_yaml;

/* Into bench->file. */
ps_status ps_bench_write_yaml(const ps_bench *bench, const ps_bench_yaml *yaml,
                              ps_error *error) PS_MUST_USE;

/* `penstock run` on bench->file, to its end. */
ps_status ps_bench_run_yaml(const ps_bench *bench, ps_measure *measure,
                            ps_error *error) PS_MUST_USE;

/* On Kafka: what comes before the first round, one round of every case, what comes after the last.
 */
ps_status ps_bench_kafka_begin(ps_bench *bench, ps_error *error) PS_MUST_USE;
ps_status ps_bench_kafka_round(ps_bench *bench, uint32_t round, ps_error *error) PS_MUST_USE;
ps_status ps_bench_kafka_end(ps_bench *bench, ps_error *error) PS_MUST_USE;

#endif
