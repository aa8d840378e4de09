/* SPDX-License-Identifier: Apache-2.0
 * Which back-end a job gets where its file leaves that open: the processor, unless what was
 * measured on this machine says that a device does the plan's calls, copies included, in clearly
 * less time. A lane that runs corrects the figures by what its batches take, and moves when they
 * say so. Results never depend on it: all back-ends agree to the bit.
 */
#ifndef PS_HOST_FLOW_PLACEMENT_H
#define PS_HOST_FLOW_PLACEMENT_H

#include "host/device/calibrate.h"
#include "host/flow/traffic.h"

/* The two places there are, and what they cost. */
typedef struct ps_model {
    const ps_backend *device; /* that is no processor */
    ps_costs here, there;     /* on the processor, on the device */
} ps_model;

typedef struct ps_placement {
    const ps_backend *backend;
    char why[256];   /* one clause for people */
    bool unmeasured; /* a device is there of which nothing is known yet */
    ps_model model;
    _Atomic(const ps_model *) known; /* `model`, once it holds something; NULL before */
} ps_placement;

/* `plan` is closed; `lanes` 0: one per core. Loads no driver where no device is in sight. */
void ps_placement_choose(const ps_plan *plan, uint32_t lanes, ps_placement *out);

/* Measures what ps_placement_choose() found unmeasured, and the processor beside it: the lanes that
 * run hear of it. Blocks; ends soon after `stop` became true. */
void ps_placement_measure(ps_placement *placement, const atomic_bool *stop);

/* What a batch of `rows` rows with `bytes` bytes of text takes. */
double ps_placement_batch_ns(const ps_plan *plan, const ps_traffic *traffic, const ps_costs *costs,
                             uint32_t rows, uint64_t bytes);

/* One lane's view: its own copy of the model, corrected by its own batches. */
typedef struct ps_judge {
    const ps_plan *plan;
    const ps_placement *placement; /* NULL: the back-end was asked for, nothing is judged */
    ps_traffic traffic;
    ps_model model; /* once `active` */
    bool active;
    uint32_t lanes;   /* that share the device */
    uint32_t batches; /* since the last move */
    uint32_t moves;
    double here_ns, there_ns; /* of a batch, as the model says now: averages over the last ones */
    int64_t moved_ns;
} ps_judge;

enum {
    PS_JUDGE_BATCHES_MIN = 64, /* before anything is decided */
    PS_JUDGE_PAUSE_MS = 2000   /* between moves, doubled by each */
};

void ps_judge_init(ps_judge *judge, const ps_plan *plan, const ps_placement *placement,
                   uint32_t lanes);

/* What one call took on the processor. */
void ps_judge_call(ps_judge *judge, uint32_t call, uint32_t rows, uint64_t bytes, double ns);

/* What a batch took on the device, copies included: somewhere between the two. */
void ps_judge_device(ps_judge *judge, uint32_t rows, uint64_t bytes, double low_ns, double high_ns);

/* A batch has been computed on `now`. The back-end to move to; NULL: stay. */
const ps_backend *ps_judge_batch(ps_judge *judge, const ps_backend *now, uint32_t rows,
                                 uint64_t bytes, int64_t now_ns);

/* The lane has moved, or could not (`device` is then out of the question). */
void ps_judge_moved(ps_judge *judge, bool could, int64_t now_ns);

/* Keeps what was learned for the next start. */
void ps_judge_keep(const ps_judge *judge);

#endif
