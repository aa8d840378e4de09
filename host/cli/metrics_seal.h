/* SPDX-License-Identifier: Apache-2.0
 * What /metrics and the live line tell of sealed logs.
 */
#ifndef PS_HOST_CLI_METRICS_SEAL_H
#define PS_HOST_CLI_METRICS_SEAL_H

#include <stdio.h>

#include "host/flow/pipeline.h"

typedef enum ps_log_number {
    PS_LOG_SIZE,
    PS_LOG_SIGNED,
    PS_LOG_UNSIGNED,
    PS_LOG_SEALED,
    PS_LOG_AGE,
    PS_LOG_FAULTS
} ps_log_number;

/* A sample for each partition that this process seals; of the counters, that it ever has. */
void ps_metrics_write_logs(FILE *out, const char *name, ps_log_number which,
                           const ps_pipeline *pipeline);

/* Likewise, of the roll-up: the counter that lies at `at` in its metrics. */
void ps_metrics_write_roll(FILE *out, const char *name, size_t at, const ps_pipeline *pipeline);

/* name{topic="…",partition="…"} and a blank. */
void ps_metrics_write_partition(FILE *out, const char *name, const ps_partitions *partitions,
                                uint32_t partition);

/* What somebody at the terminal must know of `count` partitions' logs, "" where nothing: that some
 * have stopped, or since when entries wait for their signature. */
enum { PS_METRICS_TROUBLE_MAX = 64 };
void ps_metrics_trouble(const ps_partition_metrics *partitions, uint32_t count, int64_t now_ns,
                        char text[PS_METRICS_TROUBLE_MAX]);

#endif
