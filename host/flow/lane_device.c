/* SPDX-License-Identifier: Apache-2.0
 * What a lane asks of its device: copies and calls of a batch, and which batches are through. On a
 * processor the copies are nothing and every call is done when it returns.
 */
#include <string.h>

#include "host/base/clock.h"
#include "host/flow/lane_parts.h"
#include "host/flow/planes.h"

ps_status ps_lane_device_told(const ps_lane *lane, ps_status status, ps_error *error) {
    if (status == PS_OK) return PS_OK;
    const ps_backend *backend = lane->config.backend;
    return ps_fail(error, status, "the %s device failed: %s", backend->name,
                   backend->fault(lane->queue));
}

static ps_status launch(ps_lane *lane, const ps_batch *batch) {
    const ps_backend *backend = lane->config.backend;
    const uint64_t slot = batch->ticket % lane->config.depth;
    int64_t since_ns = ps_clock_ns();
    lane->launched_ns[slot] = since_ns;
    if (lane->traffic != NULL) {
        PS_TRY(ps_traffic_up(lane->traffic, backend, lane->queue, batch));
        since_ns = ps_clock_ns();
    }
    for (uint32_t i = 0; i < lane->plan->call_count; i++) {
        const ps_call_plan *call = &lane->plan->call[i];
        const uint32_t n = call->extent == PS_PER_SEGMENT ? batch->segment_count
                           : call->extent == PS_PER_ROW   ? batch->rows
                                                          : 1;
        PS_TRY(backend->launch(lane->queue, lane->call[slot][i], call->params, 0, n));
        const int64_t now_ns = ps_clock_ns();
        ps_count(&lane->metrics->call_ns[i], (uint64_t)(now_ns - since_ns));
        if (lane->traffic == NULL)
            ps_judge_call(lane->judge, i, batch->rows, batch->arena_used,
                          (double)(now_ns - since_ns));
        since_ns = now_ns;
    }
    if (lane->traffic != NULL) PS_TRY(ps_traffic_down(lane->traffic, backend, lane->queue, batch));
    lane->mark_of[slot] = ++lane->marked;
    lane->spent_ns[slot] = ps_clock_ns() - lane->launched_ns[slot];
    return backend->mark(lane->queue, lane->marked);
}

ps_status ps_lane_launch(ps_lane *lane, const ps_batch *batch, ps_error *error) {
    return ps_lane_device_told(lane, launch(lane, batch), error);
}

ps_status ps_lane_upload_state(ps_lane *lane, ps_error *error) {
    const ps_backend *backend = lane->config.backend;
    const ps_span state = {&lane->state, 0};
    if (lane->traffic == NULL) return PS_OK;
    PS_TRY(ps_lane_device_told(lane, backend->upload(lane->queue, state, lane->plan->state_bytes),
                               error));
    /* Until it is through, the host's copy must stay as it is: no other restore begins before. */
    lane->mark_state = ++lane->marked;
    return ps_lane_device_told(lane, backend->mark(lane->queue, lane->mark_state), error);
}

void ps_lane_put_planes(ps_lane *lane, const ps_state_plan *state, uint32_t id,
                        const double *planes) {
    ps_planes_put(lane->plan, state, lane->state.host, id, planes);
}

/* The host's copy of the state follows the device's by the after-images that came down: when a
 * partition joins and its restored state is uploaded, that of the others must be what it is. */
static void follow(ps_lane *lane, const ps_batch *batch) {
    const ps_plan *plan = lane->plan;
    const uint32_t *series = ps_batch_system(batch, PS_COLUMN_SERIES);
    for (uint32_t i = 0; i < plan->state_count; i++) {
        const ps_state_plan *state = &plan->state[i];
        const double *image = ps_batch_values(batch, &plan->schema.column[state->image]);
        for (uint32_t s = 0; s < batch->touched_count; s++) {
            /* Evicted since, and its place perhaps restored to another: not to be overwritten. */
            if (!ps_series_holds(lane->series, series[s], &batch->segments[s])) continue;
            ps_lane_put_planes(lane, state, series[s], image + (size_t)s * state->planes);
        }
    }
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The model of what batches take follows what they take. A device's batch ended between the last
 * look, the lane's sleep not counted, since the device would have woken it, and this one; it began
 * when it was launched and the one before it had ended. */
static void judge(ps_lane *lane, const ps_batch *batch, int64_t now_ns) {
    const int64_t launched_ns = lane->launched_ns[batch->ticket % lane->config.depth];
    const int64_t spent_ns = lane->spent_ns[batch->ticket % lane->config.depth];
    const int64_t idle_ns = (int64_t)(ps_read(&lane->metrics->idle_ns) - lane->looked_idle_ns);
    int64_t early_ns = later(lane->looked_ns + idle_ns, launched_ns + spent_ns);
    if (early_ns > now_ns) early_ns = now_ns;
    if (lane->traffic != NULL) {
        const int64_t low_ns = later(early_ns - later(launched_ns, lane->through_ns), spent_ns);
        const int64_t high_ns = later(now_ns - later(launched_ns, lane->through_early_ns), low_ns);
        ps_judge_device(lane->judge, batch->rows, batch->arena_used, (double)low_ns,
                        (double)high_ns);
    }
    lane->through_ns = now_ns;
    lane->through_early_ns = later(early_ns, lane->through_early_ns);
    const ps_backend *to =
        ps_judge_batch(lane->judge, lane->config.backend, batch->rows, batch->arena_used, now_ns);
    if (to != NULL && lane->move_to == NULL) ps_lane_move_to(lane, to);
}

ps_status ps_lane_compute(ps_lane *lane, ps_error *error) {
    const int64_t now_ns = ps_clock_ns();
    PS_TRY(ps_lane_device_told(lane, lane->config.backend->done(lane->queue, &lane->mark_done),
                               error));
    while (lane->computed < lane->submitted &&
           lane->mark_of[(lane->computed + 1) % lane->config.depth] <= lane->mark_done)
        lane->computed++;
    /* Only partitions that come and go are ever restored beside others. */
    const bool follows = lane->traffic != NULL && lane->config.source->event != NULL;
    while (lane->finished < lane->computed) {
        lane->finished++;
        judge(lane, ps_lane_slot(lane, lane->finished), now_ns);
        if (follows) follow(lane, ps_lane_slot(lane, lane->finished));
    }
    lane->looked_ns = now_ns;
    lane->looked_idle_ns = ps_read(&lane->metrics->idle_ns);
    return PS_OK;
}
