/* SPDX-License-Identifier: Apache-2.0
 * Series that begin with a warm state: their planes go into the host's copy of the state, and up in
 * front of the batch that has their first rows. No step waits: where a place might change hands
 * while its planes are on their way, the next batch is submitted later.
 */
#include "host/flow/lane_parts.h"
#include "host/flow/planes.h"
#include "host/flow/warm.h"

/* Where planes go, and what came of it. */
typedef struct warming {
    ps_lane *lane;
    ps_status status;
} warming;

static void put(void *context, const ps_state_plan *state, uint32_t id, const double *planes) {
    warming *w = context;
    ps_lane *lane = w->lane;
    const ps_backend *backend = lane->config.backend;
    ps_lane_put_planes(lane, state, id, planes);
    const uint32_t pieces = state->together ? 1 : state->planes;
    const size_t bytes = state->planes / pieces * sizeof *planes;
    if (lane->traffic == NULL) return;
    for (uint32_t p = 0; p < pieces && w->status == PS_OK; p++) {
        const uint8_t *at =
            (const uint8_t *)ps_planes_at(lane->plan, state, lane->state.host, id, p);
        const ps_span span = {&lane->state, (size_t)(at - lane->state.host)};
        w->status = backend->upload(lane->queue, span, bytes);
    }
}

ps_status ps_lane_warm_batch(ps_lane *lane, ps_batch *batch, uint64_t evicted, ps_error *error) {
    warming w = {lane, PS_OK};
    PS_CHECK_OP(lane->plan->warm.use_count > 0, ==, lane->config.warm != NULL);
    if (lane->config.warm == NULL) return PS_OK;
    if (lane->finished == lane->submitted) lane->warm.evicted = evicted;
    const uint32_t begun = ps_warm_batch(lane->config.warm, lane->plan, batch, put, &w);
    if (begun == 0) return PS_OK;
    ps_count(&lane->metrics->series_warm, begun);
    if (lane->plan->replays) ps_series_told(lane->series, begun);
    return ps_lane_device_told(lane, w.status, error);
}

bool ps_lane_warm_waits(const ps_lane *lane) {
    return lane->config.warm != NULL && lane->traffic != NULL && lane->finished < lane->submitted &&
           ps_series_evicted(lane->series) != lane->warm.evicted;
}
