/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/siphash.h"
#include "host/batch/series.h"
#include "kernels/score.h"
#include "kernels/segment.h"
#include "kernels/sha256.h"

enum { STATE_ALIGNMENT = 512 };

static ps_type type_of(ps_field_type type) {
    switch (type) {
    case PS_FIELD_STRING:
        return PS_TYPE_TEXT;
    case PS_FIELD_FLOAT:
        return PS_TYPE_F64;
    case PS_FIELD_BOOL:
        return PS_TYPE_BOOL;
    case PS_FIELD_INT:
    case PS_FIELD_TIMESTAMP:
        break;
    }
    return PS_TYPE_I64;
}

/* State from before a change of the plan must not be mistaken for state of this one. */
static void fingerprint_add(ps_plan *plan, const void *bytes, size_t count) {
    const uint64_t key[2] = {plan->fingerprint, UINT64_C(0x70656e73746f636b)};
    uint64_t out[2];
    ps_siphash128(bytes, (uint32_t)count, key, out);
    plan->fingerprint = out[0];
}

ps_status ps_plan_init(ps_plan *plan, uint32_t rows_max, uint32_t arena_bytes, uint32_t series_max,
                       const ps_field_list *fields, ps_error *error) {
    memset(plan, 0, sizeof *plan);
    plan->series_max = series_max;
    plan->series_capacity = ps_series_capacity(series_max, rows_max);
    plan->anomaly_column = PS_NOWHERE;
    ps_schema_init(&plan->schema, rows_max, arena_bytes);
    const uint32_t count = fields == NULL ? 0 : fields->count;
    if (count > PS_FIELDS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "more than %d fields", PS_FIELDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index;
        const ps_field *field = &fields->at[i];
        PS_TRY(ps_schema_add(&plan->schema, field->name, type_of(field->type), PS_PER_ROW, 0,
                             &index, error));
        plan->schema.column[index].time = field->type == PS_FIELD_TIMESTAMP;
    }
    plan->schema.field_count = count;
    return PS_OK;
}

void ps_plan_deinit(ps_plan *plan) {
    free(plan->constants);
    plan->constants = NULL;
}

ps_status ps_plan_read(ps_plan *plan, const char *name, uint32_t *column, ps_error *error) {
    const ps_column *found = ps_schema_find(&plan->schema, name);
    if (found == NULL || name[0] == '$')
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "there is no field '%s': declare it under decode, or use value or key",
                       name);
    *column = (uint32_t)(found - plan->schema.column);
    return PS_OK;
}

ps_status ps_plan_add(ps_plan *plan, const char *name, ps_type type, ps_extent extent,
                      uint32_t width, uint32_t *column, ps_error *error) {
    return ps_schema_add(&plan->schema, name, type, extent, width, column, error);
}

ps_status ps_plan_state(ps_plan *plan, const char *name, uint32_t planes, ps_operand *state,
                        ps_operand *image, ps_error *error) {
    if (plan->state_count == PS_STAGES_MAX)
        return ps_fail(error, PS_BAD_CONFIG,
                       "more than %d parts of stages keep state: use fewer detectors",
                       PS_STAGES_MAX);
    if (plan->plane_count + planes > PS_STATE_PLANES_MAX)
        return ps_fail(
            error, PS_BAD_CONFIG,
            "the stages keep more than %d numbers of each series: use fewer detectors or fields",
            PS_STATE_PLANES_MAX);
    plan->plane_count += planes;
    char column_name[PS_NAME_MAX];
    (void)snprintf(column_name, sizeof column_name, "$image-%u", plan->state_count);
    ps_state_plan *kept = &plan->state[plan->state_count];
    PS_TRY(ps_plan_add(plan, column_name, PS_TYPE_SCRATCH, PS_PER_SEGMENT, planes * 8, &kept->image,
                       error));
    kept->planes = planes;
    kept->offset = plan->state_bytes;
    const size_t bytes = (size_t)planes * plan->series_capacity * sizeof(double);
    plan->state_bytes += (bytes + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
    plan->state_count++;
    *state = (ps_operand){PS_HOME_STATE, PS_NOWHERE, PS_PART_VALUES, kept->offset};
    *image = ps_operand_values(kept->image);
    fingerprint_add(plan, name, strlen(name));
    fingerprint_add(plan, &planes, sizeof planes);
    return PS_OK;
}

void ps_plan_together(ps_plan *plan) {
    PS_CHECK(plan->state_count > 0);
    plan->state[plan->state_count - 1].together = true;
}

ps_status ps_plan_constant(ps_plan *plan, const void *bytes, size_t count, ps_operand *operand,
                           ps_error *error) {
    const size_t begin =
        (plan->constant_bytes + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
    uint8_t *grown = realloc(plan->constants, begin + count);
    if (grown == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for %zu bytes of constants", count);
    memset(grown + plan->constant_bytes, 0, begin - plan->constant_bytes);
    memcpy(grown + begin, bytes, count);
    plan->constants = grown;
    plan->constant_bytes = begin + count;
    *operand = (ps_operand){PS_HOME_CONSTANT, PS_NOWHERE, PS_PART_VALUES, begin};
    return PS_OK;
}

ps_status ps_plan_relocate(ps_plan *plan, const ps_operand *constant, size_t at,
                           const ps_operand *target, bool written, ps_error *error) {
    if (plan->relocation_count == PS_RELOCATIONS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "the filters name columns more than %d times",
                       PS_RELOCATIONS_MAX);
    PS_CHECK(constant->home == PS_HOME_CONSTANT && target->home == PS_HOME_BATCH);
    PS_CHECK_OP(constant->offset + at + sizeof(uint32_t), <=, plan->constant_bytes);
    plan->relocation[plan->relocation_count++] =
        (ps_relocation){constant->offset + at, target->column, target->part, written};
    return PS_OK;
}

static uint32_t place_of(const ps_schema *schema, const ps_relocation *relocation) {
    if (relocation->column == PS_NOWHERE)
        return relocation->part == PS_PART_LENGTHS ? schema->arena : 0;
    const ps_column *column = &schema->column[relocation->column];
    if (relocation->part == PS_PART_LENGTHS) return column->lengths;
    return relocation->part == PS_PART_VALIDITY ? column->validity : column->values;
}

static void relocate(ps_plan *plan) {
    for (uint32_t i = 0; i < plan->relocation_count; i++) {
        const uint32_t place = place_of(&plan->schema, &plan->relocation[i]);
        memcpy(plan->constants + plan->relocation[i].at, &place, sizeof place);
    }
}

ps_status ps_plan_call(ps_plan *plan, ps_kernel_id kernel, ps_extent extent,
                       const ps_operand *operands, const void *params, size_t params_bytes,
                       ps_error *error) {
    if (plan->call_count == PS_CALLS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "more than %d kernel calls: use fewer stages",
                       PS_CALLS_MAX);
    PS_CHECK_OP(ps_kernels[kernel].buffers, <=, PS_OPERANDS_MAX);
    PS_CHECK_OP(ps_kernels[kernel].params_bytes, ==, params_bytes);
    PS_CHECK_OP(params_bytes, <=, (size_t)PS_PARAMS_MAX);
    ps_call_plan *call = &plan->call[plan->call_count++];
    call->kernel = kernel;
    call->extent = extent;
    call->operand_count = ps_kernels[kernel].buffers;
    memcpy(call->operand, operands, call->operand_count * sizeof *operands);
    call->params_bytes = (uint32_t)params_bytes;
    memcpy(call->params, params, params_bytes);
    return PS_OK;
}

ps_status ps_plan_output(ps_plan *plan, const ps_output *output, ps_error *error) {
    if (plan->output_count == PS_OUTPUTS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "more than %d outputs: use fewer stages",
                       PS_OUTPUTS_MAX);
    for (uint32_t i = 0; i < plan->output_count; i++)
        if (strcmp(plan->output[i].name, output->name) == 0)
            return ps_fail(error, PS_BAD_CONFIG,
                           "two outputs are called '%s': give one another name with `as`",
                           output->name);
    plan->output[plan->output_count++] = *output;
    return PS_OK;
}

ps_status ps_plan_watch(ps_plan *plan, uint32_t column, ps_error *error) {
    const ps_type type = plan->schema.column[column].type;
    PS_CHECK(type == PS_TYPE_F64 || type == PS_TYPE_I64 || type == PS_TYPE_F32);
    for (uint32_t i = 0; i < plan->watch_count; i++)
        if (plan->watch[i].column == column)
            return ps_fail(error, PS_BAD_CONFIG, "field: '%s' is summed up per batch twice",
                           plan->schema.column[column].name);
    if (plan->watch_count == PS_WATCHES_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "more than %d fields are summed up per batch",
                       PS_WATCHES_MAX);
    plan->watch[plan->watch_count++] =
        (ps_watch_plan){column, type == PS_TYPE_I64 ? PS_VALUE_I64 : PS_VALUE_F64};
    return PS_OK;
}

ps_status ps_plan_nan(ps_plan *plan, uint32_t column, ps_error *error) {
    if (plan->nan_count == PS_OUTPUTS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "more than %d columns of scores and statistics",
                       PS_OUTPUTS_MAX);
    plan->nan_column[plan->nan_count++] = column;
    return PS_OK;
}

ps_status ps_plan_group(ps_plan *plan, ps_error *error) {
    if (plan->groups) return PS_OK;
    plan->groups = true;
    const ps_operand operands[4] = {
        ps_operand_values(PS_COLUMN_LOCAL), ps_operand_values(PS_COLUMN_RANK),
        ps_operand_values(PS_COLUMN_FIRST), ps_operand_values(PS_COLUMN_ORDER)};
    const ps_segment_params params = {0};
    return ps_plan_call(plan, PS_KERNEL_SEGMENT, PS_PER_ROW, operands, &params, sizeof params,
                        error);
}

static bool is_sha256_of(const ps_call_plan *call, uint32_t of) {
    ps_sha256_params params;
    if (call->kernel != PS_KERNEL_SHA256) return false;
    memcpy(&params, call->params, sizeof params);
    return params.prefix == PS_SHA256_PLAIN && call->operand[1].column == of &&
           call->operand[1].part == PS_PART_VALUES;
}

ps_status ps_plan_sha256(ps_plan *plan, uint32_t of, const char *name, uint32_t *column,
                         ps_error *error) {
    const ps_sha256_params params = {PS_SHA256_PLAIN};
    for (uint32_t i = 0; i < plan->call_count; i++) {
        if (!is_sha256_of(&plan->call[i], of)) continue;
        *column = plan->call[i].operand[3].column;
        return PS_OK;
    }
    PS_TRY(ps_plan_add(plan, name, PS_TYPE_DIGEST, PS_PER_ROW, 0, column, error));
    const ps_operand operands[] = {ps_operand_arena(), ps_operand_values(of),
                                   ps_operand_lengths(of), ps_operand_values(*column)};
    return ps_plan_call(plan, PS_KERNEL_SHA256, PS_PER_ROW, operands, &params, sizeof params,
                        error);
}

ps_operand ps_operand_arena(void) {
    return (ps_operand){PS_HOME_BATCH, PS_NOWHERE, PS_PART_LENGTHS, 0};
}

/* A series that is only swept costs an after-image like one that has rows, and of heavy state these
 * are most of a batch. There, fewer are swept than have rows: those that rows and positions pay
 * for. */
static void bound_segments(ps_plan *plan) {
    ps_schema *schema = &plan->schema;
    const uint64_t paid = 2 * (uint64_t)schema->rows_max * PS_REPLAY_ROW_BYTES;
    const uint64_t swept = paid / ps_policy_entry_bytes(plan) + 1;
    if (plan->replays && swept < schema->rows_max)
        schema->segments_max = schema->rows_max + (uint32_t)swept;
}

ps_status ps_plan_close(ps_plan *plan, ps_error *error) {
    fingerprint_add(plan, plan->series_field, strlen(plan->series_field));
    const bool heavy = plan->plane_count * sizeof(double) >= PS_REPLAY_FROM_BYTES;
    plan->replays = plan->state_count > 0 &&
                    (plan->policy == PS_POLICY_REPLAY || (plan->policy == PS_POLICY_AUTO && heavy));
    const uint64_t delta = plan->fingerprint;
    fingerprint_add(plan, "replay", 6);
    plan->other_policy = plan->replays ? delta : plan->fingerprint;
    if (!plan->replays) plan->fingerprint = delta;
    bound_segments(plan);
    PS_TRY(ps_schema_close(&plan->schema, error));
    relocate(plan);
    return PS_OK;
}
