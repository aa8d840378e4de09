/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/expressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/where.h"

static const ps_field expression_fields[] = {
    {.name = "dc", .path = "dc", .type = PS_FIELD_STRING},
    {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT},
    {.name = "n", .path = "n", .type = PS_FIELD_INT},
    {.name = "up", .path = "up", .type = PS_FIELD_BOOL},
    {.name = "ts", .path = "ts", .type = PS_FIELD_TIMESTAMP},
    {.name = "odd name", .path = "odd", .type = PS_FIELD_INT}};

const char *const expression_labels[] = {"ewma", "zscore"};

static uint32_t expression_column(ps_plan *plan, const char *name, ps_type type,
                                  ps_output_kind kind) {
    ps_output output = {.kind = kind,
                        .of = PS_NOWHERE,
                        .gate = PS_NOWHERE,
                        .labels = expression_labels,
                        .label_count = 2};
    (void)snprintf(output.name, sizeof output.name, "%s", name);
    if (ps_plan_add(plan, name, type, PS_PER_ROW, 0, &output.column, NULL) != PS_OK) abort();
    if (ps_plan_output(plan, &output, NULL) != PS_OK) abort();
    return output.column;
}

/* Not closed: filters may still be added. */
ps_plan *expression_plan(void) {
    ps_plan *plan = malloc(sizeof *plan);
    const ps_field_list fields = {expression_fields,
                                  sizeof expression_fields / sizeof *expression_fields};
    if (ps_plan_init(plan, EXPRESSION_ROWS, 4096, 1, &fields, NULL) != PS_OK) abort();
    (void)expression_column(plan, "sha256", PS_TYPE_DIGEST, PS_OUTPUT_HEX);
    (void)expression_column(plan, "score", PS_TYPE_F32, PS_OUTPUT_SCORE);
    (void)expression_column(plan, "anomaly", PS_TYPE_U8, PS_OUTPUT_FLAG);
    (void)expression_column(plan, "why", PS_TYPE_U8, PS_OUTPUT_LABEL);
    return plan;
}

void expression_plan_free(ps_plan *plan) {
    ps_plan_deinit(plan);
    free(plan);
}

static void *expression_values(ps_batch *batch, const char *name) {
    return ps_batch_values(batch, ps_schema_find(batch->schema, name));
}

static void expression_fill(ps_batch *batch, const char *name, const void *values, size_t width,
                            uint32_t null_row) {
    const ps_column *column = ps_schema_find(batch->schema, name);
    memcpy(ps_batch_values(batch, column), values, width * EXPRESSION_ROWS);
    if (column->validity == PS_NOWHERE) return;
    memset(ps_batch_validity(batch, column), 0xff, EXPRESSION_ROWS / 8);
    if (null_row < EXPRESSION_ROWS) ps_bit_clear(ps_batch_validity(batch, column), null_row);
}

static void expression_text(ps_batch *batch, const char *name, uint32_t row, const char *text) {
    const uint32_t length = text == NULL ? PS_NULL_LENGTH : (uint32_t)strlen(text);
    const uint32_t at = ps_batch_reserve(batch, text == NULL ? 0 : length);
    if (text != NULL) memcpy(ps_batch_arena(batch) + at, text, length);
    ps_batch_text_set(batch, ps_schema_find(batch->schema, name), row, at, length);
}

/* The rows above, as a batch of `schema`, which is closed. */
void expression_batch(ps_batch *batch, const ps_schema *schema) {
    test_batch_memory(batch, schema);
    batch->rows = EXPRESSION_ROWS;
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%u", row);
        expression_text(batch, "dc", row, row_dc[row]);
        expression_text(batch, "key", row, row == 1 ? NULL : key);
        expression_text(batch, "value", row, "{}");
        ((int64_t *)expression_values(batch, "offset"))[row] = 1000 + row;
        ((int64_t *)expression_values(batch, "timestamp"))[row] =
            row == 1 ? -1 : 100 + (int64_t)row;
    }
    expression_fill(batch, "cpu", row_cpu, sizeof *row_cpu, NULL_CPU);
    expression_fill(batch, "n", row_n, sizeof *row_n, NULL_N);
    expression_fill(batch, "up", row_up, sizeof *row_up, NULL_UP);
    expression_fill(batch, "ts", row_ts, sizeof *row_ts, NULL_TS);
    expression_fill(batch, "score", row_score, sizeof *row_score, PS_NOWHERE);
    expression_fill(batch, "anomaly", row_anomaly, sizeof *row_anomaly, PS_NOWHERE);
    expression_fill(batch, "why", row_why, sizeof *row_why, PS_NOWHERE);
    expression_fill(batch, "odd name", row_n, sizeof *row_n, NULL_N);
}

/* Runs the filter calls of a closed plan; bit i of the answer: row i is kept. */
uint32_t expression_run(const ps_plan *plan, const ps_batch *batch) {
    uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    memset(keep, 1, EXPRESSION_ROWS);
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        if (call->kernel != PS_KERNEL_WHERE) continue;
        void *buf[4] = {batch->block.host, plan->constants + call->operand[1].offset,
                        ps_batch_system(batch, PS_COLUMN_REJECT), keep};
        ps_kernels[PS_KERNEL_WHERE].reference(buf, call->params, 0, EXPRESSION_ROWS);
    }
    uint32_t kept = 0;
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) kept |= (uint32_t)keep[row] << row;
    return kept;
}

/* Compiles and runs one expression over the rows above. */
ps_status expression_kept(const char *where, uint32_t *kept, ps_error *error) {
    ps_plan *plan = expression_plan();
    const ps_filter_config config = {where};
    ps_status status = ps_stage_filter.plan(&config, plan, error);
    if (status == PS_OK && ps_plan_close(plan, error) != PS_OK) abort();
    if (status == PS_OK) {
        ps_batch batch = {0};
        expression_batch(&batch, &plan->schema);
        *kept = expression_run(plan, &batch);
        test_batch_free(&batch);
    }
    expression_plan_free(plan);
    return status;
}
