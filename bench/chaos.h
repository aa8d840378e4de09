/* SPDX-License-Identifier: Apache-2.0
 * `penstock bench chaos`: hands over to tests/chaos/run, which breaks brokers, network and workers
 * and lets a checker judge. Both need the source tree and the build folder that the program lies
 * in: a program that was copied elsewhere has neither.
 */
#ifndef PS_BENCH_CHAOS_H
#define PS_BENCH_CHAOS_H

#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_chaos_config {
    double minutes;
    int64_t seed, rate; /* rate: events a second; 0: by the minutes */
    const char *state;  /* runtime.state of the workers' pipeline */
    const char *json;   /* NULL: none */
} ps_chaos_config;

/* Does not return where the script was found: its exit code is this program's. */
ps_status ps_bench_chaos(const ps_chaos_config *config, ps_error *error) PS_MUST_USE;

#endif
