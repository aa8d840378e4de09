/* SPDX-License-Identifier: Apache-2.0
 * Warm states in a lane: what its first rows bring a series to begin with (host/flow/warm.h).
 */
#ifndef PS_HOST_FLOW_LANE_WARM_H
#define PS_HOST_FLOW_LANE_WARM_H

#include "host/flow/lane.h"

/* On a device with memory of its own, planes that series begin with lie in the host's copy of the
 * state until they are up. Neither may their place go to another series before, nor an after-image
 * from an earlier life of the series come down to it: where a batch that is under way has evicted
 * any, the next one is submitted when the device is through. */
typedef struct ps_lane_warm {
    uint64_t evicted; /* how many had been when nothing was under way */
} ps_lane_warm;

/* Gives series that begin in the batch what they begin with, after its
 * series are resolved and before it is launched; `evicted`: how many had been before. */
ps_status ps_lane_warm_batch(ps_lane *lane, ps_batch *batch, uint64_t evicted,
                             ps_error *error) PS_MUST_USE;
/* Whether no batch may be submitted before the device is further on. */
bool ps_lane_warm_waits(const ps_lane *lane);

#endif
