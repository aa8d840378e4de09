/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/placement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"

enum {
    ROW_BYTES = 256,   /* what a row is thought to hold when nobody has seen one */
    AVERAGED = 32,     /* batches that a lane's view of the two places goes back */
    PAUSES_DOUBLED = 8 /* at most */
};

/* A device must promise a fifth less: a prediction that is off by as much still costs nothing. It
 * is left as soon as the processor promises a twentieth less. */
static const double enter = 0.8, leave = 0.95;

/* Of a call that takes less than that, the clock says little. */
#define TELLING_NS 2000.0

static bool reads_text(const ps_call_plan *call) {
    for (uint32_t o = 0; o < call->operand_count; o++)
        if (call->operand[o].home == PS_HOME_BATCH && call->operand[o].column == PS_NOWHERE &&
            call->operand[o].part == PS_PART_LENGTHS)
            return true;
    return false;
}

static double copies_ns(const ps_plan *plan, const ps_traffic *traffic, const ps_costs *costs,
                        uint32_t rows, uint64_t bytes) {
    const double up = (double)ps_traffic_bytes(traffic, &plan->schema, rows, bytes, true);
    const double down = (double)ps_traffic_bytes(traffic, &plan->schema, rows, bytes, false);
    const uint32_t copies = traffic->up_count + traffic->down_count + 1;
    return up * costs->up_byte_ns + down * costs->down_byte_ns + copies * costs->copy_ns;
}

static double call_ns(const ps_call_plan *call, const ps_costs *costs, uint32_t rows,
                      uint64_t bytes) {
    return ps_cost_of(&costs->kernel[call->kernel], rows, reads_text(call) ? (double)bytes : 0.0);
}

double ps_placement_batch_ns(const ps_plan *plan, const ps_traffic *traffic, const ps_costs *costs,
                             uint32_t rows, uint64_t bytes) {
    const bool far = costs->copy_ns > 0.0;
    double sum = far ? copies_ns(plan, traffic, costs, rows, bytes) : 0.0;
    for (uint32_t i = 0; i < plan->call_count; i++) {
        /* One that nobody measured costs the processor nothing, and a device cannot do it. */
        if (costs->kernel[plan->call[i].kernel].known == 0)
            sum += far ? 1e18 : 0.0;
        else
            sum += call_ns(&plan->call[i], costs, rows, bytes);
    }
    return sum;
}

/* The first device of a back-end that is no processor. */
static bool accelerator(const ps_backend *backend, ps_device_about *about) {
    ps_device *device = NULL;
    if (backend->shares_memory || !ps_backend_likely(backend)) return false;
    if (backend->devices(NULL) == 0 || backend->open(0, &device, NULL) != PS_OK) return false;
    backend->about(device, about);
    backend->close(device);
    return !about->processor;
}

static bool load(ps_placement *out) {
    if (!ps_costs_load(&ps_backend_cpu, 0, &out->model.here)) return false;
    return ps_costs_load(out->model.device, 0, &out->model.there);
}

static void compare(const ps_plan *plan, uint32_t lanes, const ps_device_about *about,
                    ps_placement *out) {
    const uint32_t most = plan->schema.arena_bytes / ROW_BYTES;
    const uint32_t rows = plan->schema.rows_max < most ? plan->schema.rows_max : most;
    if (!load(out)) {
        out->unmeasured = true;
        (void)snprintf(out->why, sizeof out->why,
                       "%.80s is there but not measured yet (the first run does that, or `penstock "
                       "devices --calibrate`)",
                       about->name);
        return;
    }
    ps_traffic *traffic = malloc(sizeof *traffic);
    if (traffic == NULL) return;
    ps_traffic_plan(plan, traffic);
    const uint64_t bytes = (uint64_t)rows * ROW_BYTES;
    const double here_ns = ps_placement_batch_ns(plan, traffic, &out->model.here, rows, bytes);
    /* All lanes share the one device. */
    const double there_ns =
        ps_placement_batch_ns(plan, traffic, &out->model.there, rows, bytes) * lanes;
    free(traffic);
    if (there_ns >= 1e18)
        (void)snprintf(out->why, sizeof out->why,
                       "%.60s cannot do every kernel of the plan, or took too long to be measured",
                       about->name);
    else
        (void)snprintf(out->why, sizeof out->why,
                       "a batch of %u rows takes %.0f us on %.60s with copies (%u lane%s), %.0f us "
                       "on the processor; lanes move when batches prove that wrong",
                       rows, there_ns / 1e3, about->name, lanes, lanes == 1 ? "" : "s",
                       here_ns / 1e3);
    if (there_ns < enter * here_ns) out->backend = out->model.device;
    atomic_store(&out->known, &out->model);
}

void ps_placement_choose(const ps_plan *plan, uint32_t lanes, ps_placement *out) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    memset(out, 0, sizeof *out);
    out->backend = &ps_backend_cpu;
    (void)snprintf(out->why, sizeof out->why, "there is no other device");
    if (lanes == 0) lanes = cores > 0 ? (uint32_t)cores : 1;
    for (uint32_t i = 0; ps_backend_at(i) != NULL; i++) {
        ps_device_about about;
        if (!accelerator(ps_backend_at(i), &about)) continue;
        out->model.device = ps_backend_at(i);
        compare(plan, lanes, &about, out);
        return;
    }
}

void ps_placement_measure(ps_placement *placement, const atomic_bool *stop) {
    ps_model *model = &placement->model;
    ps_error error;
    ps_status status = ps_costs_measure(&ps_backend_cpu, 0, stop, &model->here, &error);
    if (status == PS_OK) status = ps_costs_measure(model->device, 0, stop, &model->there, &error);
    if (status == PS_OK)
        atomic_store(&placement->known, model);
    else if (status != PS_AGAIN)
        ps_log(PS_LOG_WARNING, "calibrate", "%s", error.message);
}

void ps_judge_init(ps_judge *judge, const ps_plan *plan, const ps_placement *placement,
                   uint32_t lanes) {
    memset(judge, 0, sizeof *judge);
    judge->plan = plan;
    judge->placement = placement;
    judge->lanes = lanes;
    ps_traffic_plan(plan, &judge->traffic);
}

/* Takes the model over when there is one: the first run on a machine goes on without for a while.
 */
static bool active(ps_judge *judge) {
    if (judge->active || judge->placement == NULL) return judge->active;
    const ps_model *known = atomic_load_explicit(&judge->placement->known, memory_order_acquire);
    if (known != NULL) judge->model = *known;
    judge->active = known != NULL;
    return judge->active;
}

void ps_judge_call(ps_judge *judge, uint32_t call, uint32_t rows, uint64_t bytes, double ns) {
    if (!judge->active) return;
    const ps_call_plan *plan = &judge->plan->call[call];
    const double said = call_ns(plan, &judge->model.here, rows, bytes);
    if (said > TELLING_NS && ns > TELLING_NS)
        ps_cost_correct(&judge->model.here.kernel[plan->kernel], ns / said);
}

void ps_judge_device(ps_judge *judge, uint32_t rows, uint64_t bytes, double low_ns,
                     double high_ns) {
    if (!judge->active) return;
    ps_costs *there = &judge->model.there;
    const double said =
        ps_placement_batch_ns(judge->plan, &judge->traffic, there, rows, bytes) * judge->lanes;
    /* Within what is possible nothing is learned. */
    const double ns = said < low_ns ? low_ns : said > high_ns ? high_ns : said;
    bool corrected[PS_KERNEL_COUNT] = {false};
    if (said >= 1e18 || ns == said) return;
    for (uint32_t i = 0; i < judge->plan->call_count; i++) {
        const ps_kernel_id kernel = judge->plan->call[i].kernel;
        if (!corrected[kernel]) ps_cost_correct(&there->kernel[kernel], ns / said);
        corrected[kernel] = true;
    }
}

const ps_backend *ps_judge_batch(ps_judge *judge, const ps_backend *now, uint32_t rows,
                                 uint64_t bytes, int64_t now_ns) {
    if (!active(judge)) return NULL;
    const double here =
        ps_placement_batch_ns(judge->plan, &judge->traffic, &judge->model.here, rows, bytes);
    const double there =
        ps_placement_batch_ns(judge->plan, &judge->traffic, &judge->model.there, rows, bytes) *
        judge->lanes;
    const double share = judge->batches < AVERAGED ? 1.0 / (judge->batches + 1) : 1.0 / AVERAGED;
    judge->here_ns += (here - judge->here_ns) * share;
    judge->there_ns += (there - judge->there_ns) * share;
    judge->batches++;
    const uint32_t doubled = judge->moves < PAUSES_DOUBLED ? judge->moves : PAUSES_DOUBLED;
    const int64_t pause_ns = ((int64_t)PS_JUDGE_PAUSE_MS << doubled) * PS_NS_PER_MS;
    if (judge->batches < PS_JUDGE_BATCHES_MIN) return NULL;
    if (judge->moves > 0 && now_ns - judge->moved_ns < pause_ns) return NULL;
    if (now == &ps_backend_cpu)
        return judge->there_ns < enter * judge->here_ns ? judge->model.device : NULL;
    return judge->here_ns < leave * judge->there_ns ? &ps_backend_cpu : NULL;
}

void ps_judge_moved(ps_judge *judge, bool could, int64_t now_ns) {
    judge->batches = 0;
    judge->moves++;
    judge->moved_ns = now_ns;
    if (could) return;
    judge->placement = NULL;
    judge->active = false;
}

void ps_judge_keep(const ps_judge *judge) {
    if (!judge->active || judge->batches < PS_JUDGE_BATCHES_MIN) return;
    ps_costs_keep(&judge->model.here);
    ps_costs_keep(&judge->model.there);
}
