/* SPDX-License-Identifier: Apache-2.0
 * Where the numbers of one series lie in a state block: who restores, saves or begins them needs to
 * know, kernels have their own way.
 */
#ifndef PS_HOST_FLOW_PLANES_H
#define PS_HOST_FLOW_PLANES_H

#include <string.h>

#include "host/flow/plan.h"

static inline double *ps_planes_at(const ps_plan *plan, const ps_state_plan *state, uint8_t *block,
                                   uint32_t id, uint32_t plane) {
    double *const values = (double *)(void *)(block + state->offset);
    return values + (state->together ? (size_t)id * state->planes + plane
                                     : (size_t)plane * plan->series_capacity + id);
}

/* Bits, not numbers: some kernels keep other things than doubles in them. */
static inline void ps_planes_put(const ps_plan *plan, const ps_state_plan *state, uint8_t *block,
                                 uint32_t id, const double *planes) {
    for (uint32_t p = 0; p < state->planes; p++)
        memcpy(ps_planes_at(plan, state, block, id, p), &planes[p], sizeof *planes);
}

static inline void ps_planes_get(const ps_plan *plan, const ps_state_plan *state, uint8_t *block,
                                 uint32_t id, double *planes) {
    for (uint32_t p = 0; p < state->planes; p++)
        memcpy(&planes[p], ps_planes_at(plan, state, block, id, p), sizeof *planes);
}

#endif
