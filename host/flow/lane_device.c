/* SPDX-License-Identifier: Apache-2.0
 * What a lane asks of its device: copies and calls of a batch, and which batches are through. On a
 * processor the copies are nothing and every call is done when it returns.
 */
#include <string.h>

#include "host/base/clock.h"
#include "host/flow/lane_parts.h"

static ps_status failed(const ps_lane *lane, ps_status status, ps_error *error) {
    if (status == PS_OK) return PS_OK;
    const ps_backend *backend = lane->config.backend;
    return ps_fail(error, status, "the %s device failed: %s", backend->name,
                   backend->fault(lane->queue));
}

static ps_status launch(ps_lane *lane, const ps_batch *batch) {
    const ps_backend *backend = lane->config.backend;
    if (lane->traffic != NULL) PS_TRY(ps_traffic_up(lane->traffic, backend, lane->queue, batch));
    int64_t since_ns = ps_clock_ns();
    for (uint32_t i = 0; i < lane->plan->call_count; i++) {
        const ps_call_plan *call = &lane->plan->call[i];
        const uint32_t n = call->extent == PS_PER_SEGMENT ? batch->segment_count
                           : call->extent == PS_PER_ROW   ? batch->rows
                                                          : 1;
        PS_TRY(backend->launch(lane->queue, lane->call[batch->ticket % lane->config.depth][i],
                               call->params, 0, n));
        const int64_t now_ns = ps_clock_ns();
        ps_count(&lane->metrics->call_ns[i], (uint64_t)(now_ns - since_ns));
        since_ns = now_ns;
    }
    if (lane->traffic != NULL) PS_TRY(ps_traffic_down(lane->traffic, backend, lane->queue, batch));
    lane->mark_of[batch->ticket % lane->config.depth] = ++lane->marked;
    return backend->mark(lane->queue, lane->marked);
}

ps_status ps_lane_launch(ps_lane *lane, const ps_batch *batch, ps_error *error) {
    return failed(lane, launch(lane, batch), error);
}

ps_status ps_lane_upload_state(ps_lane *lane, ps_error *error) {
    const ps_backend *backend = lane->config.backend;
    const ps_span state = {&lane->state, 0};
    if (lane->traffic == NULL) return PS_OK;
    PS_TRY(failed(lane, backend->upload(lane->queue, state, lane->plan->state_bytes), error));
    /* Until it is through, the host's copy must stay as it is: no other restore begins before. */
    lane->mark_state = ++lane->marked;
    return failed(lane, backend->mark(lane->queue, lane->mark_state), error);
}

/* The host's copy of the state follows the device's by the after-images that came down: when a
 * partition joins and its restored state is uploaded, that of the others must be what it is. */
static void follow(ps_lane *lane, const ps_batch *batch) {
    const ps_plan *plan = lane->plan;
    const uint32_t *series = ps_batch_system(batch, PS_COLUMN_SERIES);
    for (uint32_t i = 0; i < plan->state_count; i++) {
        const ps_state_plan *state = &plan->state[i];
        double *values = (double *)(void *)(lane->state.host + state->offset);
        const double *image = ps_batch_values(batch, &plan->schema.column[state->image]);
        for (uint32_t s = 0; s < batch->touched_count; s++) {
            /* Evicted since, and its place perhaps restored to another: not to be overwritten. */
            if (!ps_series_holds(lane->series, series[s], &batch->segments[s])) continue;
            for (uint32_t p = 0; p < state->planes; p++)
                values[(size_t)p * plan->series_capacity + series[s]] =
                    image[(size_t)s * state->planes + p];
        }
    }
}

ps_status ps_lane_compute(ps_lane *lane, ps_error *error) {
    PS_TRY(failed(lane, lane->config.backend->done(lane->queue, &lane->mark_done), error));
    while (lane->computed < lane->submitted &&
           lane->mark_of[(lane->computed + 1) % lane->config.depth] <= lane->mark_done)
        lane->computed++;
    if (lane->computed <= lane->finished) return PS_OK;
    /* Only partitions that come and go are ever restored beside others. */
    const bool follows = lane->traffic != NULL && lane->config.source->event != NULL;
    while (lane->finished < lane->computed) {
        lane->finished++;
        if (follows) follow(lane, ps_lane_slot(lane, lane->finished));
    }
    return PS_OK;
}
