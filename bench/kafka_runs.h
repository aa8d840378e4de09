/* SPDX-License-Identifier: Apache-2.0
 * What the cases on Kafka share: the topics of a run, and a pipeline between them with one of the
 * worker's Kafka clients.
 */
#ifndef PS_BENCH_KAFKA_RUNS_H
#define PS_BENCH_KAFKA_RUNS_H

#include "bench/bare_loop.h"
#include "bench/cases.h"

enum { PS_BENCH_PARTITIONS = 8, PS_BENCH_CLIENTS = 2 };

/* A Kafka client that the worker can be told to use, and the row that is its. */
typedef struct ps_bench_client {
    const char *name, *impl;
} ps_bench_client;

/* Each round of a case has one run of each. */
extern const ps_bench_client ps_bench_clients[PS_BENCH_CLIENTS];

typedef struct ps_bench_job {
    const char *kernel;
    const char *stages; /* NULL: the main job's */
    const char *sink;   /* what `kafka: {topic: …}` has beside the topic */
    const char *client; /* runtime.client; NULL: what the worker has by default */
    const char *linger; /* runtime.linger; NULL: what the worker has by default */
} ps_bench_job;

/* A topic of its own for what comes out, and a group that has read nothing; both go in the end,
 * with what the job kept in Kafka where it keeps `state`. */
ps_status ps_bench_output_begin(ps_bench *bench, int partitions, ps_error *error) PS_MUST_USE;
ps_status ps_bench_output_end(ps_bench *bench, bool state, ps_error *error) PS_MUST_USE;

/* The job from bench->source to bench->output, into bench->file. */
ps_status ps_bench_write_job(const ps_bench *bench, const ps_bench_job *job,
                             ps_error *error) PS_MUST_USE;

/* A run, then one that finds nothing left to do: its CPU is what starting and stopping cost. */
ps_status ps_bench_run_job(ps_bench *bench, const ps_bench_job *job, const char *impl,
                           ps_error *error) PS_MUST_USE;

/* The loop that the others are measured against: threads, commit interval and linger are theirs. */
ps_bare_config ps_bench_bare(ps_bare_form form, bool exactly_once);

/* It, in a child, from bench->source to bench->output: prints how many `rows` went through. */
ps_status ps_bench_run_bare(const ps_bench *bench, const ps_bare_config *bare, ps_measure *measure,
                            ps_error *error) PS_MUST_USE;

/* Cases with files of their own. Latency has its own rounds; what is compressed has topics that
 * are made before the first round and go after the last; what seals has a key. */
ps_status ps_bench_latency(ps_bench *bench, ps_error *error) PS_MUST_USE;
ps_status ps_bench_slow_round(ps_bench *bench, uint32_t round, ps_error *error) PS_MUST_USE;
ps_status ps_bench_compressed_begin(ps_bench *bench, ps_error *error) PS_MUST_USE;
ps_status ps_bench_compressed_round(ps_bench *bench, uint32_t round, ps_error *error) PS_MUST_USE;
ps_status ps_bench_compressed_end(ps_bench *bench, ps_error *error) PS_MUST_USE;
ps_status ps_bench_seal_begin(ps_bench *bench, ps_error *error) PS_MUST_USE;
ps_status ps_bench_seal_round(ps_bench *bench, uint32_t round, ps_error *error) PS_MUST_USE;
ps_status ps_bench_seal_end(ps_bench *bench, ps_error *error) PS_MUST_USE;

#endif
