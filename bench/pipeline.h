/* SPDX-License-Identifier: Apache-2.0
 * `penstock bench pipeline`: whole pipelines beside the leanest loop that does the same,
 * interleaved in one run. Every run is a process of its own, so that CPU and memory are its own.
 */
#ifndef PS_BENCH_PIPELINE_H
#define PS_BENCH_PIPELINE_H

#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_bench_config {
    const char *const *names; /* cases to run; none: all but latency, slow, compressed and plane */
    uint32_t name_count;
    const char *json;    /* file for the results, NULL: none */
    const char *brokers; /* NULL: only what needs no Kafka */
    uint64_t rows;       /* of a run on Kafka */
    uint32_t rounds;
} ps_bench_config;

/* Prints a table to stdout as it goes and writes the JSON at the end. */
ps_status ps_bench_pipeline(const ps_bench_config *config, ps_error *error) PS_MUST_USE;

/* The cases by name, separated by blanks, for messages. */
const char *ps_bench_pipeline_names(void);

#endif
