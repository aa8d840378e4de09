/* SPDX-License-Identifier: Apache-2.0
 * The counters in Prometheus' text format, from one table that also makes docs/metrics.md.
 */
#ifndef PS_HOST_CLI_METRICS_TEXT_H
#define PS_HOST_CLI_METRICS_TEXT_H

#include <stdio.h>

#include "host/flow/pipeline.h"

typedef struct ps_metrics_source {
    const ps_pipeline *pipeline; /* NULL: not open yet, then only what the process itself knows */
    const ps_plan *plan;
    const char *name, *backend, *isa;
} ps_metrics_source;

void ps_metrics_write(FILE *out, const ps_metrics_source *source);

/* docs/metrics.md, to stdout. */
void ps_metrics_markdown(void);

#endif
