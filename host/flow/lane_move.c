/* SPDX-License-Identifier: Apache-2.0
 * From one device to another between two batches: the lane's memory stays where it is, so source
 * and sink hear nothing of it, and state is carried over. What it cannot do leaves all as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/flow/lane_parts.h"

/* All that a lane has of a device: kept until the next one works. */
typedef struct side {
    const ps_backend *backend;
    ps_device *device;
    ps_queue *queue;
    ps_block slot[PS_DEPTH_MAX], state, constants;
    ps_call *call[PS_DEPTH_MAX][PS_CALLS_MAX];
} side;

static void take(ps_lane *lane, side *out) {
    *out = (side){.backend = lane->config.backend,
                  .device = lane->device,
                  .queue = lane->queue,
                  .state = lane->state,
                  .constants = lane->constants};
    memcpy(out->call, lane->call, sizeof out->call);
    for (uint32_t i = 0; i < PS_DEPTH_MAX; i++) {
        out->slot[i] = lane->slot[i].block;
        lane->slot[i].block = (ps_block){.host = NULL};
    }
    lane->state = lane->constants = (ps_block){.host = NULL};
    lane->device = NULL;
    lane->queue = NULL;
}

static void give(ps_lane *lane, const side *from) {
    lane->config.backend = from->backend;
    lane->device = from->device;
    lane->queue = from->queue;
    for (uint32_t i = 0; i < PS_DEPTH_MAX; i++) lane->slot[i].block = from->slot[i];
    lane->state = from->state;
    lane->constants = from->constants;
    memcpy(lane->call, from->call, sizeof lane->call);
    lane->traffic = from->backend->shares_memory ? NULL : &lane->judge->traffic;
    atomic_store(&lane->metrics->backend, from->backend->name);
}

/* The state as the device has it becomes the host's. */
static ps_status fetch_state(ps_lane *lane, ps_error *error) {
    const ps_backend *backend = lane->config.backend;
    if (lane->traffic == NULL || lane->plan->state_bytes == 0) return PS_OK;
    const ps_span state = {&lane->state, 0};
    ps_status status = backend->download(lane->queue, state, lane->plan->state_bytes);
    if (status == PS_OK) status = backend->mark(lane->queue, ++lane->marked);
    if (status == PS_OK) status = ps_backend_wait(backend, lane->queue, lane->marked);
    PS_TRY(ps_lane_device_told(lane, status, error));
    lane->mark_done = lane->marked;
    return PS_OK;
}

/* `old` is what the lane had; on failure it has it again. */
static ps_status change(ps_lane *lane, const ps_backend *to, side *old, ps_error *error) {
    side *tried = calloc(1, sizeof *tried);
    if (tried == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to move a lane");
    take(lane, old);
    lane->config.backend = to;
    const ps_status status = ps_lane_open_device(lane, error);
    if (status == PS_OK) {
        /* The one that is left is closed through the lane, like any other. */
        take(lane, tried);
        give(lane, old);
        ps_lane_close_device(lane);
        give(lane, tried);
    } else {
        ps_lane_close_device(lane);
        give(lane, old);
    }
    free(tried);
    return status;
}

ps_status ps_lane_move(ps_lane *lane, ps_error *error) {
    const ps_backend *to = lane->move_to;
    lane->move_to = NULL;
    if (to == lane->config.backend) return PS_OK;
    PS_TRY(fetch_state(lane, error));
    ps_error why = {""};
    side *old = calloc(1, sizeof *old);
    const ps_status status = old == NULL ? ps_fail(&why, PS_NO_MEMORY, "no memory to move a lane")
                                         : change(lane, to, old, &why);
    free(old);
    ps_judge_moved(lane->judge, status == PS_OK, ps_clock_ns());
    if (status != PS_OK) {
        ps_log(PS_LOG_WARNING, NULL, "staying on %s: %s", lane->config.backend->name, why.message);
        return PS_OK;
    }
    /* A queue counts its tickets from the first. */
    lane->marked = lane->mark_done = lane->mark_state = 0;
    memset(lane->mark_of, 0, sizeof lane->mark_of);
    lane->through_ns = lane->through_early_ns = 0;
    ps_count(&lane->metrics->moves, 1);
    return lane->plan->state_bytes == 0 ? PS_OK : ps_lane_upload_state(lane, error);
}

void ps_lane_move_to(ps_lane *lane, const ps_backend *backend) {
    lane->move_to = backend;
}

const ps_backend *ps_lane_backend(const ps_lane *lane) {
    return lane->config.backend;
}
