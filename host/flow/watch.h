/* SPDX-License-Identifier: Apache-2.0
 * Fields that are summed up batch by batch, for the metrics: where a batch ends is a matter of
 * time, so what it comes to has no place in events. Computed on the lane's thread by the kernels
 * moments and sketch once the batch is safely out, so an abort leaves no trace.
 */
#ifndef PS_HOST_FLOW_WATCH_H
#define PS_HOST_FLOW_WATCH_H

#include "host/flow/metrics.h"
#include "host/flow/plan.h"

/* The bounds of the histogram: powers of four of either sign, and 0. */
double ps_watch_bound(uint32_t index);
extern const double ps_watch_quantile[PS_WATCH_QUANTILES];

/* What ps_watch_batch() works in, on its lane's memory. */
size_t ps_watch_bytes(const ps_plan *plan);

/* `out`: one per watched field of the plan. */
void ps_watch_batch(const ps_plan *plan, const ps_batch *batch, void *memory,
                    ps_watch_metrics *out);

#endif
