/* SPDX-License-Identifier: Apache-2.0
 * Latency of single events: a producer that keeps to a timetable, a worker, and a consumer of its
 * output that counts from when each event should have left, so that a stall of the producer or the
 * worker is charged to every event that it held up.
 */
#ifndef PS_BENCH_LATENCY_H
#define PS_BENCH_LATENCY_H

#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_latency_config {
    const char *brokers, *source, *output; /* equal: no worker between them */
    const char *pipeline_file;             /* what `penstock run` gets; NULL: no worker */
    double rate, warmup_s, measure_s;
} ps_latency_config;

/* Runs in a child: prints one line of JSON with p50_ms, p99_ms, p999_ms, max_ms, events; the exit
 * code. */
int ps_latency_child(void *config);

#endif
