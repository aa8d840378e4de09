/* SPDX-License-Identifier: Apache-2.0
 * The two ends of the quickstart: what feeds the pipeline, and what looks at its output and
 * compares it with what was planted.
 */
#ifndef PS_HOST_CLI_QUICKSTART_H
#define PS_HOST_CLI_QUICKSTART_H

#include <stdint.h>

#include "host/base/status.h"
#include "ingest/telemetry.h"

typedef struct ps_quickstart_plan {
    const char *brokers, *from, *to; /* topics */
    ps_telemetry telemetry;
    uint64_t rows;
    double seconds; /* that the feed is spread over */
    void (*finished)(
        void); /* called once every row has been seen, or nothing more is to be hoped for */
} ps_quickstart_plan;

typedef struct ps_quickstart_count {
    uint64_t seen, planted, found, false_alarms;
} ps_quickstart_count;

typedef struct ps_quickstart ps_quickstart;

/* Starts both threads. `plan` is borrowed until close. */
ps_status ps_quickstart_open(const ps_quickstart_plan *plan, ps_quickstart **out,
                             ps_error *error) PS_MUST_USE;

/* Waits for both, then says what was counted; fails with what either of them met. */
ps_status ps_quickstart_finish(ps_quickstart *quickstart, ps_quickstart_count *count,
                               ps_error *error) PS_MUST_USE;
void ps_quickstart_close(ps_quickstart *quickstart);

#endif
