/* SPDX-License-Identifier: Apache-2.0
 * Looks at a running pipeline from outside: draws the live line, and notices a lane that has work
 * and makes no progress.
 */
#ifndef PS_HOST_CLI_MONITOR_H
#define PS_HOST_CLI_MONITOR_H

#include "host/flow/pipeline.h"

typedef struct ps_monitor ps_monitor;

/* `live`: draw on stderr five times a second. The pipeline is borrowed until close. */
ps_status ps_monitor_open(const ps_pipeline *pipeline, bool live, ps_monitor **out,
                          ps_error *error) PS_MUST_USE;
void ps_monitor_close(ps_monitor *monitor);

/* Seconds since that lane last moved while it had something to do; 0: it is fine. Threads: any. */
uint32_t ps_monitor_stalled_s(const ps_monitor *monitor, uint32_t lane);

#endif
