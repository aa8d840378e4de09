/* SPDX-License-Identifier: Apache-2.0
 * The memory ceiling: a sum with a name per term, and the number of lanes that keeps it under
 * memory_max.
 */
#include <stdio.h>
#include <string.h>

#include "host/flow/pipeline.h"

/* The program itself: its pages, shared libraries, thread stacks as touched, allocator slack. About
 * twice what a worker with nothing to do has resident on x86-64; that the sum as a whole is enough,
 * the scenario `memory` asks, whose workers run in a control group of its size. */
#define PROCESS_BYTES ((size_t)24 << 20)

/* Queues shorter than this starve a fast lane, longer ones only hide a slow broker. */
#define PART_BYTES_MIN  ((int64_t)8 << 20)
#define PART_BYTES_MAX  ((int64_t)16 << 20)
#define PART_BYTES_STEP ((int64_t)1 << 20)

enum { WAYS_BYTES = 192 };

static void term(ps_ceiling *ceiling, const char *what, uint32_t times, size_t bytes) {
    if (bytes == 0) return;
    PS_CHECK_OP(ceiling->count, <, (uint32_t)PS_MEMORY_TERMS_MAX);
    ps_memory_term *at = &ceiling->term[ceiling->count++];
    (void)snprintf(at->what, sizeof at->what, "%s", what);
    at->times = times;
    at->bytes = bytes;
    ceiling->total += times * bytes;
}

/* A driver's memory is neither asked for nor shrunk here: whoever wants a device takes it as it is.
 */
static void device(ps_ceiling *ceiling, const char *what, uint32_t times, size_t bytes) {
    term(ceiling, what, times, bytes);
    if (bytes == 0) return;
    ceiling->term[ceiling->count - 1].beside = true;
    ceiling->beside += times * bytes;
}

static const ps_memory_term *largest_of(const ps_ceiling *ceiling) {
    const ps_memory_term *largest = &ceiling->term[0];
    for (uint32_t i = 1; i < ceiling->count; i++) {
        const ps_memory_term *term = &ceiling->term[i];
        if (!term->beside && term->times * term->bytes > largest->times * largest->bytes)
            largest = term;
    }
    return largest;
}

/* With so much for each part's queues: a part may need several times that, and says its own sum. */
static void add_up(const ps_pipeline_config *config, uint32_t lanes, int64_t part,
                   ps_ceiling *ceiling) {
    memset(ceiling, 0, sizeof *ceiling);
    ceiling->lanes = lanes;
    ceiling->part_bytes = part;
    const size_t lane_bytes = ps_lane_bytes(config->plan, config->depth);
    const ps_lane_env env = {.pipeline = config->name,
                             .instance = config->instance,
                             .lanes = lanes,
                             .depth = config->depth,
                             .linger_ns = config->linger_ns,
                             .memory_bytes = part,
                             .native = config->native,
                             .plan = config->plan,
                             .source = config->source,
                             .dead = config->dead};
    term(ceiling, "process", 1, PROCESS_BYTES);
    const size_t state_bytes = config->plan->state_bytes;
    const size_t fixed_bytes = ps_lane_bytes(config->plan, 0);
    term(ceiling, "batches in flight (depth x slot)", lanes, lane_bytes - fixed_bytes);
    term(ceiling, "detector state (series_max)", lanes, state_bytes);
    term(ceiling, "series table and lane tables", lanes, fixed_bytes - state_bytes);
    term(ceiling, "warm states (warm_state), read into memory", 1,
         ps_plan_warm_bytes(config->plan));
    device(ceiling, "driver of a device, in the host's memory", 1, config->driver_bytes);
    if (config->backend != NULL && config->backend->host_mirrors)
        device(ceiling, "mirrors, where the device is a processor", lanes,
               lane_bytes - fixed_bytes + state_bytes);
    if (config->codec != NULL && config->codec->memory != NULL)
        term(ceiling, "decoder", lanes,
             config->codec->memory(config->codec_config, &config->plan->schema));
    if (config->source->memory != NULL)
        term(ceiling, "source queues (an answer of one broker, unpacked)", lanes,
             config->source->memory(config->source_config, &env));
    if (config->sink->memory != NULL)
        term(ceiling, "sink queues", lanes, config->sink->memory(config->sink_config, &env));
    if (config->plan->seal.sealer != NULL)
        term(ceiling, "logs of stage seal (logs_max)", lanes,
             config->plan->seal.sealer->memory(config->plan));
    if (config->plan->seal.sealer != NULL)
        term(ceiling, "roll-up of stage seal", 1,
             config->plan->seal.sealer->shared_memory(config->plan));
    ceiling->replay_rows = ps_policy_replay_rows(config->plan, lanes);
    ceiling->restore_bytes = config->sink->restores == NULL ? 0 : config->sink->restores(&env);
}

bool ps_ceiling_fits(const ps_ceiling *ceiling, int64_t memory_max) {
    return ceiling->total - ceiling->beside <= (size_t)memory_max;
}

/* The longest queues that fit under memory_max, or the shortest that there are. */
static bool fit(const ps_pipeline_config *config, uint32_t lanes, ps_ceiling *ceiling) {
    int64_t part = PART_BYTES_MAX;
    for (;; part -= PART_BYTES_STEP) {
        add_up(config, lanes, part, ceiling);
        if (ps_ceiling_fits(ceiling, config->memory_max)) return true;
        if (part <= PART_BYTES_MIN) return false;
    }
}

static uint32_t lanes_wanted(const ps_pipeline_config *config) {
    if (config->lanes > 0) return config->lanes;
    ps_topology *topology;
    if (ps_topology_open(NULL, &topology, NULL) != PS_OK) return 1;
    const uint32_t cores = ps_topology_cores(topology);
    ps_topology_close(topology);
    return cores > PS_LANES_MAX ? PS_LANES_MAX : cores;
}

size_t ps_pipeline_bytes(const ps_pipeline_config *config, uint32_t lanes) {
    ps_ceiling ceiling;
    add_up(config, lanes, PART_BYTES_MAX, &ceiling);
    return ceiling.total - ceiling.beside;
}

/* How many series less would do, and what else to do about their state: "" where they have none. */
static const char *ways_out(const ps_pipeline_config *config, const ps_ceiling *ceiling,
                            char text[WAYS_BYTES]) {
    const ps_plan *plan = config->plan;
    const size_t over = ceiling->total - ceiling->beside - (size_t)config->memory_max;
    const size_t state = plan->plane_count * sizeof(double);
    char series[WAYS_BYTES / 2] = "";
    if (state == 0) return "";
    const size_t excess = over / ceiling->lanes / state + 1;
    if (plan->series_max > excess)
        (void)snprintf(series, sizeof series, "lower series_max from %u to %zu, ", plan->series_max,
                       plan->series_max - excess);
    (void)snprintf(text, WAYS_BYTES, "%suse fewer detectors, which keep %zu bytes of a series, ",
                   series, state);
    return text;
}

ps_status ps_pipeline_ceiling(const ps_pipeline_config *config, ps_ceiling *out, ps_error *error) {
    uint32_t lanes = lanes_wanted(config);
    bool fits = fit(config, lanes, out);
    while (config->lanes == 0 && lanes > 1 && !fits) fits = fit(config, --lanes, out);
    if (fits) return PS_OK;
    const ps_memory_term *largest = largest_of(out);
    const char *options = config->source->memory_options;
    char ways[WAYS_BYTES];
    const size_t mib = (out->total - out->beside) >> 20;
    return ps_fail(
        error, PS_BAD_CONFIG,
        "the memory ceiling is %zu MiB with %u lane%s, above runtime.memory_max of %zu MiB; the "
        "largest term is %s with %zu MiB: raise memory_max to %zuMiB, %sor lower batch_rows, "
        "batch_bytes, depth%s%s",
        mib, lanes, lanes == 1 ? "" : "s", (size_t)config->memory_max >> 20, largest->what,
        (largest->times * largest->bytes) >> 20, mib + 1, ways_out(config, out, ways),
        options == NULL ? "" : " or ", options == NULL ? "" : options);
}
