/* SPDX-License-Identifier: Apache-2.0
 * What stage statistics puts into a plan, and that a plan's columns are those of a plain loop over
 * each series, however the rows are cut into batches. If it fails, events carry wrong numbers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/batch/series.h"
#include "host/flow/traffic.h"
#include "host/stages/stages.h"
#include "kernels/score.h"
#include "ml/stage_statistics.h"
#include "tests/batches.h"

enum { ROWS_MAX = 64, ROWS = 2000, SERIES = 13, SERIES_MAX = 32, USUAL = 5 };

static const ps_field fields[] = {
    {.name = "host", .path = "host", .type = PS_FIELD_STRING},
    {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT},
};
static const char *const usual[USUAL] = {"cpu_count", "cpu_mean", "cpu_deviation", "cpu_min",
                                         "cpu_max"};

static ps_plan *open_plan(void) {
    ps_plan *plan = malloc(sizeof *plan);
    const ps_field_list list = {fields, sizeof fields / sizeof *fields};
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 65536, SERIES_MAX, &list, NULL), PS_OK);
    return plan;
}

static void close_plan(ps_plan *plan) {
    ps_plan_deinit(plan);
    free(plan);
}

static void *address(const ps_plan *plan, const ps_batch *batch, uint8_t *state,
                     const ps_operand *operand) {
    if (operand->home == PS_HOME_STATE) return state + operand->offset;
    if (operand->home == PS_HOME_CONSTANT) return plan->constants + operand->offset;
    uint8_t *const base = batch->block.host + operand->offset;
    if (operand->column == PS_NOWHERE)
        return operand->part == PS_PART_LENGTHS ? base + plan->schema.arena : base;
    const ps_column *column = &plan->schema.column[operand->column];
    return base + (operand->part == PS_PART_VALUES    ? column->values
                   : operand->part == PS_PART_LENGTHS ? column->lengths
                                                      : column->validity);
}

/* A closed plan on the reference kernels. Columns hold what an earlier batch left there. */
static void run(const ps_plan *plan, ps_batch *batch, uint8_t *state) {
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        void *buf[PS_OPERANDS_MAX];
        for (uint32_t k = 0; k < call->operand_count; k++)
            buf[k] = address(plan, batch, state, &call->operand[k]);
        const uint32_t n = call->extent == PS_PER_ROW ? batch->rows : batch->segment_count;
        ps_kernels[call->kernel].reference(buf, call->params, 0, n);
    }
}

typedef struct row {
    uint32_t series;
    bool null;
    double cpu;
    double expected[USUAL];
} row;

static uint32_t pick(uint64_t *random, uint32_t n) {
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*random >> 33) % n);
}

static void make_rows(row *rows) {
    uint64_t random = 5;
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i] = (row){.series = pick(&random, SERIES), .null = pick(&random, 9) == 0};
        rows[i].cpu = pick(&random, 40) == 0 ? (double)NAN : (double)pick(&random, 1000) / 8.0;
    }
    for (uint32_t series = 0; series < SERIES; series++) {
        double count = 0, sum = 0, squares = 0, least = 0, greatest = 0;
        for (uint32_t i = 0; i < ROWS; i++) {
            row *const r = &rows[i];
            if (r->series != series) continue;
            for (uint32_t k = 0; k < USUAL; k++) r->expected[k] = (double)NAN;
            if (r->null || isnan(r->cpu)) continue;
            least = count == 0 || r->cpu < least ? r->cpu : least;
            greatest = count == 0 || r->cpu > greatest ? r->cpu : greatest;
            count += 1, sum += r->cpu, squares += r->cpu * r->cpu;
            const double variance = (squares - sum * sum / count) / (count - 1.0);
            const double expected[USUAL] = {
                count, sum / count, count < 2 ? (double)NAN : sqrt(variance), least, greatest};
            memcpy(r->expected, expected, sizeof expected);
        }
    }
}

static void append(const ps_plan *plan, ps_batch *batch, const row *r, int64_t offset) {
    char key[16];
    (void)snprintf(key, sizeof key, "host-%u", r->series);
    const ps_record record = {.offset = offset,
                              .timestamp_ms = offset,
                              .key = {(const uint8_t *)key, (uint32_t)strlen(key)},
                              .value = {(const uint8_t *)"{}", 2},
                              .headers = {NULL, PS_NULL_LENGTH}};
    const uint32_t at = batch->rows;
    assert_int_equal(ps_batch_append(batch, &record), PS_OK);
    const ps_column *cpu = ps_schema_find(&plan->schema, "cpu");
    ((double *)ps_batch_values(batch, cpu))[at] = r->cpu;
    if (r->null)
        ps_bit_clear(ps_batch_validity(batch, cpu), at);
    else
        ps_bit_set(ps_batch_validity(batch, cpu), at);
}

static void compare(const ps_plan *plan, const ps_batch *batch, const row *rows) {
    for (uint32_t k = 0; k < USUAL; k++) {
        const double *values = ps_batch_values(batch, ps_schema_find(&plan->schema, usual[k]));
        for (uint32_t i = 0; i < batch->rows; i++) {
            const double expected = rows[i].expected[k];
            if (isnan(expected) ? !isnan(values[i])
                                : !(fabs(values[i] - expected) <= 1e-9 * (1.0 + fabs(expected))))
                fail_msg("%s %.17g, not %.17g", usual[k], values[i], expected);
        }
    }
}

/* All rows in batches of random sizes up to `rows_max`; a hash of all columns' bits. */
static uint64_t check_split(const row *rows, uint32_t rows_max) {
    ps_plan *plan = open_plan();
    const ps_statistics_config config = {.field = "cpu"};
    assert_int_equal(ps_stage_statistics.plan(&config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    const size_t bytes = (ps_series_bytes(SERIES_MAX, ROWS_MAX) + 63) / 64 * 64;
    void *memory = memset(aligned_alloc(64, bytes), 0, bytes);
    ps_series *series = ps_series_open(memory, SERIES_MAX, ROWS_MAX, 1);
    uint8_t *state = malloc(plan->state_bytes);
    memset(state, 0xff, plan->state_bytes); /* what is fresh must not be read */
    ps_batch batch = {0};
    test_batch_memory(&batch, &plan->schema);
    uint64_t random = rows_max, hash = 0;
    for (uint32_t done = 0; done < ROWS;) {
        uint32_t count = 1 + pick(&random, rows_max);
        if (count > ROWS - done) count = ROWS - done;
        ps_batch_reset(&batch);
        for (uint32_t i = 0; i < count; i++) append(plan, &batch, &rows[done + i], done + i);
        ps_series_resolve(series, &batch, &plan->schema.column[PS_COLUMN_KEY]);
        run(plan, &batch, state);
        compare(plan, &batch, rows + done);
        for (uint32_t k = 0; k < USUAL; k++) {
            const uint64_t *bits = ps_batch_values(&batch, ps_schema_find(&plan->schema, usual[k]));
            for (uint32_t i = 0; i < count; i++) hash += bits[i] * ((done + i) * USUAL + k + 1);
        }
        done += count;
    }
    test_batch_free(&batch);
    free(state);
    free(memory);
    close_plan(plan);
    return hash;
}

static void columns_do_not_depend_on_batches(void **unused) {
    (void)unused;
    row *rows = calloc(ROWS, sizeof *rows);
    make_rows(rows);
    const uint64_t hash = check_split(rows, ROWS_MAX);
    assert_true(hash == check_split(rows, 1));
    assert_true(hash == check_split(rows, 7));
    free(rows);
}

/* Names, what is read back by filters, and what comes back from a device: the kernel finds its
 * columns by itself. */
static void a_plan_with_statistics(void **unused) {
    (void)unused;
    static const char *const list[] = {"max", "nan"};
    ps_plan *plan = open_plan();
    ps_statistics_config config = {.field = "cpu", .outputs = {list, 2}, .as = "c"};
    ps_filter_config filter = {.where = "c_max > 1.5 and c_nan is not null"};
    assert_int_equal(ps_stage_statistics.plan(&config, plan, NULL), PS_OK);
    assert_int_equal(ps_stage_filter.plan(&filter, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    assert_int_equal(plan->output_count, 2);
    assert_string_equal(plan->output[0].name, "c_max");
    assert_string_equal(plan->output[1].name, "c_nan");
    assert_int_equal(plan->nan_count, 2);
    ps_traffic *traffic = calloc(1, sizeof *traffic);
    ps_traffic_plan(plan, traffic);
    uint32_t found = 0;
    for (uint32_t i = 0; i < traffic->down_count; i++)
        for (uint32_t k = 0; k < 2; k++)
            found += traffic->down[i].begin == plan->schema.column[plan->output[k].column].values;
    assert_int_equal(found, 2);
    free(traffic);
    close_plan(plan);
}

static void refuses(ps_statistics_config config, const char *message) {
    ps_plan *plan = open_plan();
    ps_error error = {{0}};
    assert_int_equal(ps_stage_statistics.plan(&config, plan, &error), PS_BAD_CONFIG);
    assert_string_equal(error.message, message);
    close_plan(plan);
}

static void faults(void **unused) {
    (void)unused;
    static const char *const wrong[] = {"median"}, *const twice[] = {"min", "min"};
    refuses((ps_statistics_config){.field = "host"},
            "field: 'host' is not a number: declare it under decode as float or int");
    refuses((ps_statistics_config){.field = "cpu", .outputs = {wrong, 1}},
            "outputs: 'median' is not one of "
            "count|sum|mean|variance|deviation|min|max|nan");
    ps_plan *plan = open_plan();
    const ps_statistics_config config = {.field = "cpu", .outputs = {twice, 2}};
    assert_int_equal(ps_stage_statistics.plan(&config, plan, NULL), PS_BAD_CONFIG);
    close_plan(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_do_not_depend_on_batches),
                                       cmocka_unit_test(a_plan_with_statistics),
                                       cmocka_unit_test(faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
