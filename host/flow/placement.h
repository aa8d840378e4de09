/* SPDX-License-Identifier: Apache-2.0
 * Which back-end a job gets where its file leaves that open: the processor, unless what was
 * measured on this machine says that a device does the plan's calls, copies included, in clearly
 * less time.
 */
#ifndef PS_HOST_FLOW_PLACEMENT_H
#define PS_HOST_FLOW_PLACEMENT_H

#include "host/device/calibrate.h"
#include "host/flow/plan.h"

typedef struct ps_placement {
    const ps_backend *backend;
    char why[256];   /* one clause for people */
    bool unmeasured; /* a device is there of which nothing is known yet */
} ps_placement;

/* What a batch of `rows` rows with `bytes` bytes of text takes. */
double ps_placement_batch_ns(const ps_plan *plan, const ps_costs *costs, uint32_t rows,
                             uint64_t bytes);

/* `plan` is closed; `lanes` 0: one per core. Loads no driver where no device is in sight. */
void ps_placement_choose(const ps_plan *plan, uint32_t lanes, ps_placement *out);

/* Measures what ps_placement_choose() found unmeasured, and the processor beside it. Blocks. */
void ps_placement_measure(void);

#endif
