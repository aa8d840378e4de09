/* SPDX-License-Identifier: Apache-2.0
 * How a lane gets its parts, its memory and its bindings. Everything is taken here; the step takes
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "host/flow/columns.h"
#include "host/flow/lane_parts.h"
#include "host/flow/watch.h"

static size_t slot_bytes(const ps_plan *plan) {
    return ps_arena_size(plan->schema.block_bytes) + ps_arena_size(PS_RUNS_MAX * sizeof(ps_run)) +
           ps_arena_size(PS_PARTITIONS_MAX * sizeof(ps_position)) +
           ps_arena_size(plan->schema.segments_max * sizeof(ps_segment)) +
           ps_arena_size(plan->schema.rows_max * sizeof(ps_eviction));
}

size_t ps_lane_bytes(const ps_plan *plan, uint32_t depth) {
    size_t bytes = depth * slot_bytes(plan);                      /* the ring */
    bytes += ps_arena_size(plan->state_bytes);                    /* detectors' planes */
    bytes += ps_arena_size(plan->constant_bytes);                 /* what kernels read */
    bytes += ps_arena_size(PS_PARTITIONS_MAX * sizeof(ps_owned)); /* who owns what */
    bytes += ps_arena_size(PS_PARTITIONS_MAX * sizeof(ps_tally)); /* how their rows ended */
    bytes += ps_arena_size(sizeof(ps_judge));                     /* what crosses to a device */
    bytes += ps_arena_size(ps_watch_bytes(plan));                 /* statistics per batch */
    if (plan->groups)
        bytes += ps_arena_size(ps_series_bytes(plan->series_max, plan->schema.rows_max));
    if (plan->replays)
        bytes += ps_arena_size(ps_series_replay_bytes(plan->series_max, plan->schema.rows_max));
    return bytes;
}

static ps_status open_memory(ps_lane *lane, ps_error *error) {
    const ps_plan *plan = lane->plan;
    const ps_schema *schema = &plan->schema;
    ps_arena *arena = &lane->arena;
    PS_TRY(
        ps_arena_open(arena, ps_lane_bytes(plan, lane->config.depth), lane->config.os_node, error));
    lane->owned = ps_arena_take(arena, PS_PARTITIONS_MAX * sizeof(ps_owned));
    lane->account.of = ps_arena_take(arena, PS_PARTITIONS_MAX * sizeof(ps_tally));
    lane->watch = ps_arena_take(arena, ps_watch_bytes(plan));
    lane->judge = ps_arena_take(arena, sizeof *lane->judge);
    ps_judge_init(lane->judge, plan, lane->config.placement, lane->config.env.lanes);
    for (uint32_t i = 0; i < lane->config.depth; i++) {
        ps_batch *batch = &lane->slot[i];
        batch->schema = schema;
        batch->runs = ps_arena_take(arena, PS_RUNS_MAX * sizeof(ps_run));
        batch->positions = ps_arena_take(arena, PS_PARTITIONS_MAX * sizeof(ps_position));
        batch->segments = ps_arena_take(arena, schema->segments_max * sizeof(ps_segment));
        batch->evictions = ps_arena_take(arena, schema->rows_max * sizeof(ps_eviction));
        lane->memory[i] = ps_arena_take(arena, schema->block_bytes);
        /* A processor walks them from end to end, and few of them to the end: whole huge pages
         * would be cleared, and resident, for what is never written. */
        if (!lane->config.backend->shares_memory)
            ps_arena_huge(arena, lane->memory[i], schema->block_bytes);
        ps_batch_reset(batch);
    }
    lane->memory[PS_DEPTH_MAX] = ps_arena_take(arena, plan->state_bytes);
    uint8_t *constants = ps_arena_take(arena, plan->constant_bytes);
    if (plan->constant_bytes > 0) memcpy(constants, plan->constants, plan->constant_bytes);
    lane->memory[PS_DEPTH_MAX + 1] = constants;
    if (plan->groups) {
        void *memory = ps_arena_take(arena, ps_series_bytes(plan->series_max, schema->rows_max));
        lane->series = ps_series_open(memory, plan->series_max, schema->rows_max,
                                      lane->config.env.partitions->count);
    }
    if (plan->replays)
        ps_series_replays(
            lane->series,
            ps_arena_take(arena, ps_series_replay_bytes(plan->series_max, schema->rows_max)),
            (uint32_t)ps_policy_entry_bytes(plan));
    ps_arena_seal(arena);
    return PS_OK;
}

static ps_span span_of(const ps_lane *lane, const ps_batch *batch, const ps_operand *operand) {
    if (operand->home == PS_HOME_STATE) return (ps_span){&lane->state, operand->offset};
    if (operand->home == PS_HOME_CONSTANT) return (ps_span){&lane->constants, operand->offset};
    return (ps_span){&batch->block, ps_columns_at(&lane->plan->schema, operand)};
}

static ps_status bind_calls(ps_lane *lane, ps_error *error) {
    ps_span span[PS_OPERANDS_MAX];
    for (uint32_t slot = 0; slot < lane->config.depth; slot++) {
        for (uint32_t i = 0; i < lane->plan->call_count; i++) {
            const ps_call_plan *call = &lane->plan->call[i];
            for (uint32_t o = 0; o < call->operand_count; o++)
                span[o] = span_of(lane, &lane->slot[slot], &call->operand[o]);
            PS_TRY(lane->config.backend->bind(lane->queue, call->kernel, span, &lane->call[slot][i],
                                              error));
        }
    }
    return PS_OK;
}

/* Told at start, so that a file without the declared columns stops the job before its first row. */
static ps_status tell_headings(ps_lane *lane, ps_error *error) {
    const ps_source *source = lane->config.source;
    const ps_codec *codec = lane->config.codec;
    if (codec == NULL || codec->heading == NULL || source->heading == NULL) return PS_OK;
    for (uint32_t p = 0; p < lane->config.env.partitions->count; p++) {
        ps_heading heading;
        const ps_status status = source->heading(lane->source, p, &heading, error);
        if (status == PS_END) continue;
        PS_TRY(status);
        PS_TRY(codec->heading(lane->codec, p, &heading, error));
    }
    return PS_OK;
}

/* A device gets no data before it has given the known answers of the kernels that it will run. */
static ps_status test_device(ps_lane *lane, ps_error *error) {
    bool tested[PS_KERNEL_COUNT] = {false};
    for (uint32_t i = 0; i < lane->plan->call_count; i++) {
        const ps_kernel_id kernel = lane->plan->call[i].kernel;
        if (!tested[kernel])
            PS_TRY(ps_device_self_test(lane->config.backend, lane->device, kernel, error));
        tested[kernel] = true;
    }
    return PS_OK;
}

static ps_status open_blocks(ps_lane *lane, ps_error *error) {
    const ps_backend *backend = lane->config.backend;
    const ps_plan *plan = lane->plan;
    uint8_t *const *memory = lane->memory;
    for (uint32_t i = 0; i < lane->config.depth; i++)
        PS_TRY(backend->block_open(lane->device, memory[i], plan->schema.block_bytes,
                                   &lane->slot[i].block, error));
    PS_TRY(backend->block_open(lane->device, memory[PS_DEPTH_MAX], plan->state_bytes, &lane->state,
                               error));
    return backend->block_open(lane->device, memory[PS_DEPTH_MAX + 1], plan->constant_bytes,
                               &lane->constants, error);
}

ps_status ps_lane_open_device(ps_lane *lane, ps_error *error) {
    const ps_lane_config *config = &lane->config;
    lane->traffic = config->backend->shares_memory ? NULL : &lane->judge->traffic;
    PS_TRY(config->backend->open(0, &lane->device, error));
    if (!config->backend->shares_memory) PS_TRY(test_device(lane, error));
    PS_TRY(config->backend->queue_open(lane->device, config->env.wake, &lane->queue, error));
    PS_TRY(open_blocks(lane, error));
    PS_TRY(bind_calls(lane, error));
    atomic_store(&lane->metrics->backend, config->backend->name);
    const ps_span constants = {&lane->constants, 0};
    if (config->backend->upload(lane->queue, constants, lane->plan->constant_bytes) != PS_OK)
        return ps_fail(error, PS_DEVICE, "the %s device failed: %s", config->backend->name,
                       config->backend->fault(lane->queue));
    return PS_OK;
}

static ps_status open_parts(ps_lane *lane, ps_error *error) {
    ps_lane_config *config = &lane->config;
    PS_TRY(open_memory(lane, error));
    PS_TRY(ps_lane_open_device(lane, error));
    if (config->codec != NULL)
        PS_TRY(config->codec->open(config->codec_config, &lane->plan->schema, &lane->codec, error));
    PS_TRY(config->source->open(config->source_config, &config->env, &lane->source, error));
    config->env.source_self = lane->source;
    PS_TRY(tell_headings(lane, error));
    const ps_sealer *sealer = lane->plan->seal.sealer;
    if (sealer != NULL) PS_TRY(sealer->open(&config->env, &lane->sealer, error));
    config->env.sealer_self = lane->sealer;
    return config->sink->open(config->sink_config, &config->env, &lane->sink, error);
}

ps_status ps_lane_open(const ps_lane_config *config, ps_lane **out, ps_error *error) {
    PS_CHECK(config->depth > 0 && config->depth <= PS_DEPTH_MAX);
    ps_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a lane");
    lane->config = *config;
    lane->config.env.source = config->source;
    lane->plan = config->env.plan;
    lane->metrics = config->env.metrics;
    /* The counters may be those of a lane before this one, whose device was lost. */
    lane->sink_rows = ps_read(&lane->metrics->sink_rows);
    lane->sink_dead = ps_read(&lane->metrics->sink_dead);
    /* Statistics read a batch once it is safely out, and so does who keeps its positions. */
    lane->frees = config->sink->copies != NULL &&
                  config->sink->copies(config->sink_config, &lane->config.env) &&
                  lane->plan->watch_count == 0 && config->sink->commits &&
                  !config->sink->keeps_positions;
    if (lane->plan->groups) {
        const char *name = lane->plan->series_field;
        const ps_schema *schema = &lane->plan->schema;
        lane->key = name[0] == '\0' ? &schema->column[PS_COLUMN_KEY] : ps_schema_find(schema, name);
        PS_CHECK(lane->key != NULL);
    }
    const ps_status status = open_parts(lane, error);
    if (status != PS_OK) {
        ps_lane_close(lane);
        return status;
    }
    *out = lane;
    return PS_OK;
}

void ps_lane_close_device(ps_lane *lane) {
    const ps_backend *backend = lane->config.backend;
    if (lane->queue != NULL) backend->queue_close(lane->queue);
    for (uint32_t i = 0; i < PS_DEPTH_MAX; i++)
        if (lane->slot[i].block.host != NULL)
            backend->block_close(lane->device, &lane->slot[i].block);
    if (lane->state.host != NULL) backend->block_close(lane->device, &lane->state);
    if (lane->constants.host != NULL) backend->block_close(lane->device, &lane->constants);
    if (lane->device != NULL) backend->close(lane->device);
}

void ps_lane_close(ps_lane *lane) {
    if (lane == NULL) return;
    /* The sink first: its clients may still send out of the slots. */
    if (lane->sink != NULL) lane->config.sink->close(lane->sink);
    if (lane->sealer != NULL) lane->plan->seal.sealer->close(lane->sealer);
    if (lane->source != NULL) {
        ps_lane_give_back(lane, lane->freed, lane->submitted + (lane->filling ? 1 : 0));
        lane->config.source->close(lane->source);
    }
    if (lane->codec != NULL) lane->config.codec->close(lane->codec);
    ps_lane_close_device(lane);
    /* One lane's word is enough. */
    if (lane->judge != NULL && lane->config.env.lane == 0) ps_judge_keep(lane->judge);
    ps_arena_close(&lane->arena);
    free(lane);
}
