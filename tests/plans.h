/* SPDX-License-Identifier: Apache-2.0
 * A plan of its own for a test of stages: opened over declared fields, and run on the reference
 * kernels as the CPU back-end would.
 */
#ifndef PS_TESTS_PLANS_H
#define PS_TESTS_PLANS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/batch/series.h"
#include "host/flow/columns.h"
#include "host/flow/plan.h"
#include "kernels/score.h"
#include "tests/batches.h"

static inline ps_plan *test_plan_open(uint32_t rows_max, uint32_t series_max,
                                      const ps_field *fields, uint32_t count) {
    ps_plan *plan = malloc(sizeof *plan);
    const ps_field_list list = {fields, count};
    assert_int_equal(ps_plan_init(plan, rows_max, 65536, series_max, &list, NULL), PS_OK);
    return plan;
}

static inline void test_plan_close(ps_plan *plan) {
    ps_plan_deinit(plan);
    free(plan);
}

static inline void *test_plan_address(const ps_plan *plan, const ps_batch *batch, uint8_t *state,
                                      const ps_operand *operand) {
    if (operand->home == PS_HOME_STATE) return state + operand->offset;
    if (operand->home == PS_HOME_CONSTANT) return plan->constants + operand->offset;
    return batch->block.host + ps_columns_at(&plan->schema, operand);
}

/* Columns that no kernel has to fill for every row begin as NaN. */
static inline void test_plan_preset(const ps_plan *plan, ps_batch *batch) {
    for (uint32_t i = 0; i < plan->nan_count; i++) {
        const ps_column *column = &plan->schema.column[plan->nan_column[i]];
        float *values = ps_batch_values(batch, column);
        for (uint32_t k = 0; k < plan->schema.rows_max * column->width / 4; k++)
            values[k] = ps_nan();
    }
}

/* All calls of a closed plan. */
static inline void test_plan_run(const ps_plan *plan, ps_batch *batch, uint8_t *state) {
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        void *buf[PS_OPERANDS_MAX];
        for (uint32_t k = 0; k < call->operand_count; k++)
            buf[k] = test_plan_address(plan, batch, state, &call->operand[k]);
        const uint32_t n = call->extent == PS_PER_ROW ? batch->rows : batch->segment_count;
        ps_kernels[call->kernel].reference(buf, call->params, 0, n);
    }
}

/* One record of a series, its key made from the number, with `value` in field `cpu`. `null`: the
 * field is null. `tombstone`: the record's value is. */
static inline void test_plan_append(const ps_plan *plan, ps_batch *batch, uint32_t series,
                                    double value, bool null, bool tombstone) {
    const uint32_t row = batch->rows;
    char key[16];
    (void)snprintf(key, sizeof key, "host-%u", series);
    const ps_record record = {
        .offset = row,
        .timestamp_ms = row,
        .key = {(const uint8_t *)key, (uint32_t)strlen(key)},
        .value = {(const uint8_t *)"{}", tombstone ? PS_NULL_LENGTH : 2},
        .headers = {NULL, PS_NULL_LENGTH},
    };
    assert_int_equal(ps_batch_append(batch, &record), PS_OK);
    const ps_column *cpu = ps_schema_find(&plan->schema, "cpu");
    ((double *)ps_batch_values(batch, cpu))[row] = value;
    if (null)
        ps_bit_clear(ps_batch_validity(batch, cpu), row);
    else
        ps_bit_set(ps_batch_validity(batch, cpu), row);
}

/* A number below `n`, the next of a sequence. */
static inline uint32_t test_pick(uint64_t *random, uint32_t n) {
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*random >> 33) % n);
}

/* What a test does with rows `first` and on of its own: add one to the batch, look at the batch. */
typedef struct test_rows {
    uint32_t count;
    void (*append)(const ps_plan *plan, ps_batch *batch, uint32_t row, void *context);
    void (*check)(const ps_plan *plan, ps_batch *batch, uint32_t first, void *context);
    void *context;
} test_rows;

/* All rows through the closed plan, in batches of random sizes up to `batch_rows`. `preset`: as
 * test_plan_preset; else columns hold what an earlier batch left there. */
static inline void test_plan_feed(const ps_plan *plan, const test_rows *rows, uint32_t batch_rows,
                                  bool preset) {
    const uint32_t series_max = plan->series_max, rows_max = plan->schema.rows_max;
    const size_t bytes = (ps_series_bytes(series_max, rows_max) + 63) / 64 * 64;
    void *memory = memset(aligned_alloc(64, bytes), 0, bytes);
    ps_series *series = ps_series_open(memory, series_max, rows_max, 1);
    uint8_t *state = malloc(plan->state_bytes);
    memset(state, 0xff, plan->state_bytes); /* what is fresh must not be read */
    ps_batch batch = {0};
    test_batch_memory(&batch, &plan->schema);
    uint64_t random = batch_rows;
    for (uint32_t done = 0; done < rows->count; done += batch.rows) {
        uint32_t count = 1 + test_pick(&random, batch_rows);
        if (count > rows->count - done) count = rows->count - done;
        ps_batch_reset(&batch);
        for (uint32_t i = 0; i < count; i++) rows->append(plan, &batch, done + i, rows->context);
        ps_series_resolve(series, &batch, &plan->schema.column[PS_COLUMN_KEY]);
        if (preset) test_plan_preset(plan, &batch);
        test_plan_run(plan, &batch, state);
        rows->check(plan, &batch, done, rows->context);
    }
    test_batch_free(&batch);
    free(state);
    free(memory);
}

#endif
