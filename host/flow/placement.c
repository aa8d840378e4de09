/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/placement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/flow/traffic.h"

/* What a row is thought to hold when nobody has seen one. */
enum { ROW_BYTES = 256 };

/* A device must promise a fifth less: a prediction that is off by as much still costs nothing. */
static const double margin = 0.8;

static bool reads_text(const ps_call_plan *call) {
    for (uint32_t o = 0; o < call->operand_count; o++)
        if (call->operand[o].home == PS_HOME_BATCH && call->operand[o].column == PS_NOWHERE)
            return true;
    return false;
}

static double copies_ns(const ps_plan *plan, const ps_costs *costs, uint32_t rows, uint64_t bytes) {
    if (costs->copy_ns == 0.0) return 0.0;
    ps_traffic *traffic = malloc(sizeof *traffic);
    if (traffic == NULL) return 1e18;
    ps_traffic_plan(plan, traffic);
    const double up = (double)ps_traffic_bytes(traffic, &plan->schema, rows, bytes, true);
    const double down = (double)ps_traffic_bytes(traffic, &plan->schema, rows, bytes, false);
    const uint32_t copies = traffic->up_count + traffic->down_count + 1;
    free(traffic);
    return up * costs->up_byte_ns + down * costs->down_byte_ns + copies * costs->copy_ns;
}

double ps_placement_batch_ns(const ps_plan *plan, const ps_costs *costs, uint32_t rows,
                             uint64_t bytes) {
    double sum = copies_ns(plan, costs, rows, bytes);
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        const double text = reads_text(call) ? (double)bytes : 0.0;
        /* One that nobody measured costs a device a launch and the processor nothing. */
        sum += costs->kernel[call->kernel].known
                   ? ps_cost_of(&costs->kernel[call->kernel], rows, text)
                   : costs->copy_ns;
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

static void compare(const ps_plan *plan, uint32_t lanes, const ps_backend *backend,
                    const ps_device_about *about, ps_placement *out) {
    ps_costs here, there;
    const uint32_t most = plan->schema.arena_bytes / ROW_BYTES;
    const uint32_t rows = plan->schema.rows_max < most ? plan->schema.rows_max : most;
    if (!ps_costs_load(&ps_backend_cpu, 0, &here) || !ps_costs_load(backend, 0, &there)) {
        out->unmeasured = true;
        (void)snprintf(out->why, sizeof out->why,
                       "%.80s is there but not measured yet (the first run does that, or `penstock "
                       "devices --calibrate`)",
                       about->name);
        return;
    }
    const uint64_t bytes = (uint64_t)rows * ROW_BYTES;
    const double here_ns = ps_placement_batch_ns(plan, &here, rows, bytes);
    /* All lanes share the one device. */
    const double there_ns = ps_placement_batch_ns(plan, &there, rows, bytes) * lanes;
    const bool worth = there_ns < margin * here_ns;
    (void)snprintf(out->why, sizeof out->why,
                   "a batch of %u rows takes %.0f us on %.60s with copies (%u lane%s), %.0f us on "
                   "the processor",
                   rows, there_ns / 1e3, about->name, lanes, lanes == 1 ? "" : "s", here_ns / 1e3);
    if (worth) out->backend = backend;
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
        compare(plan, lanes, ps_backend_at(i), &about, out);
        return;
    }
}

void ps_placement_measure(void) {
    ps_costs costs;
    ps_error error;
    for (uint32_t i = 0; ps_backend_at(i) != NULL; i++) {
        const ps_backend *backend = ps_backend_at(i);
        ps_device_about about;
        if (!backend->shares_memory && !accelerator(backend, &about)) continue;
        if (ps_costs_measure(backend, 0, &costs, &error) != PS_OK)
            ps_log(PS_LOG_WARNING, "calibrate", "%s", error.message);
    }
}
