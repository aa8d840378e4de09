/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/found_call.h"

#include <stdio.h>
#include <string.h>

#include "kernels/found.h"
#include "kernels/moment.h"

static void add_word(ps_found_call *call, uint32_t word) {
    PS_CHECK_OP(call->words, <, (uint32_t)PS_FOUND_CALL_WORDS);
    call->word[call->words++] = word;
}

static void add_place(ps_found_call *call, ps_operand target, bool written) {
    call->place[call->places++] = (struct ps_found_place){call->words, target, written};
    add_word(call, 0);
}

ps_status ps_found_call_field(ps_found_call *call, const char *option, const char *name) {
    const ps_schema *schema = &call->plan->schema;
    uint32_t field;
    PS_TRY(ps_plan_read(call->plan, name, &field, call->error));
    const ps_type type = schema->column[field].type;
    const bool declared =
        field >= schema->field_first && field - schema->field_first < schema->field_count;
    if (!declared || schema->column[field].time || (type != PS_TYPE_F64 && type != PS_TYPE_I64))
        return ps_fail(call->error, PS_BAD_CONFIG,
                       "%s: '%s' is not a number: declare it under decode as float or int", option,
                       name);
    add_place(call, ps_operand_values(field), false);
    add_place(call, ps_operand_validity(field), false);
    add_word(call, type == PS_TYPE_I64 ? PS_VALUE_I64 : PS_VALUE_F64);
    return PS_OK;
}

ps_status ps_found_call_time(ps_found_call *call, const char *name) {
    uint32_t time = PS_COLUMN_TIMESTAMP;
    if (name != NULL) {
        PS_TRY(ps_plan_read(call->plan, name, &time, call->error));
        if (!call->plan->schema.column[time].time)
            return ps_fail(call->error, PS_BAD_CONFIG, "time: '%s' is not declared as timestamp",
                           name);
    }
    add_place(call, ps_operand_values(time), false);
    /* The record's has none, and no kernel looks. */
    if (name != NULL)
        add_place(call, ps_operand_validity(time), false);
    else
        add_word(call, 0);
    add_word(call, name != NULL ? PS_TIME_FIELD_NS : PS_TIME_RECORD_MS);
    return PS_OK;
}

static ps_type type_of(ps_output_kind kind) {
    return kind == PS_OUTPUT_SCORE    ? PS_TYPE_F32
           : kind == PS_OUTPUT_NUMBER ? PS_TYPE_NUMBER
                                      : PS_TYPE_U8;
}

ps_status ps_found_call_output(ps_found_call *call, const char *what, ps_output_kind kind,
                               const char *const *labels, uint32_t label_count) {
    ps_output output = {.kind = kind,
                        .of = PS_NOWHERE,
                        .gate = PS_NOWHERE,
                        .labels = labels,
                        .label_count = label_count};
    const char *as = call->as;
    if (snprintf(output.name, sizeof output.name, "%s%s%s", as == NULL ? "" : as,
                 as == NULL ? "" : "_", what) >= (int)sizeof output.name)
        return ps_fail(call->error, PS_BAD_CONFIG, "as: '%s' is too long a name", as);
    PS_TRY(ps_plan_add(call->plan, output.name, type_of(kind), PS_PER_ROW, 0, &output.column,
                       call->error));
    /* Rows of no series are not written. */
    PS_TRY(ps_plan_nan(call->plan, output.column, call->error));
    if (kind == PS_OUTPUT_SCORE && call->gate == 0) call->gate = output.column;
    if (kind == PS_OUTPUT_FLAG || kind == PS_OUTPUT_LABEL) {
        PS_CHECK(call->gate != 0);
        output.gate = call->gate;
    }
    add_place(call, ps_operand_values(output.column), true);
    return ps_plan_output(call->plan, &output, call->error);
}

static ps_status add_table(ps_found_call *call, ps_operand *table) {
    PS_TRY(ps_plan_constant(call->plan, call->word, call->words * sizeof call->word[0], table,
                            call->error));
    for (uint32_t i = 0; i < call->places; i++)
        PS_TRY(ps_plan_relocate(call->plan, table, call->place[i].at * sizeof call->word[0],
                                &call->place[i].target, call->place[i].written, call->error));
    return PS_OK;
}

ps_status ps_found_call_add(ps_found_call *call, const ps_found_kernel *kernel) {
    ps_plan *plan = call->plan;
    ps_operand operand[PS_OPERANDS_MAX], table, state, image;
    uint32_t count = 0;
    PS_TRY(ps_plan_group(plan, call->error));
    PS_TRY(add_table(call, &table));
    PS_TRY(ps_plan_state(plan, kernel->meaning, kernel->planes, &state, &image, call->error));
    if (kernel->together) ps_plan_together(plan);
    operand[count++] = (ps_operand){PS_HOME_BATCH, PS_NOWHERE, PS_PART_VALUES, 0};
    operand[count++] = table;
    if (kernel->constant != NULL) operand[count++] = *kernel->constant;
    operand[count++] = ps_operand_values(PS_COLUMN_ORDER);
    operand[count++] = ps_operand_values(PS_COLUMN_FIRST);
    operand[count++] = ps_operand_values(PS_COLUMN_SERIES);
    operand[count++] = ps_operand_values(PS_COLUMN_FRESH);
    operand[count++] = state;
    operand[count++] = image;
    PS_CHECK_OP(count, ==, (uint32_t)ps_kernels[kernel->kernel].buffers);
    return ps_plan_call(plan, kernel->kernel, PS_PER_SEGMENT, operand, kernel->params,
                        kernel->params_bytes, call->error);
}
