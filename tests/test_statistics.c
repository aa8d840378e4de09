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

#include "host/flow/traffic.h"
#include "host/stages/stages.h"
#include "ml/stage_statistics.h"
#include "tests/plans.h"

enum { ROWS_MAX = 64, ROWS = 2000, SERIES = 13, SERIES_MAX = 32, USUAL = 5 };

static const ps_field fields[] = {
    {.name = "host", .path = "host", .type = PS_FIELD_STRING},
    {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT},
};
static const char *const usual[USUAL] = {"cpu_count", "cpu_mean", "cpu_deviation", "cpu_min",
                                         "cpu_max"};

static ps_plan *open_plan(void) {
    return test_plan_open(ROWS_MAX, SERIES_MAX, fields, sizeof fields / sizeof *fields);
}

typedef struct row {
    uint32_t series;
    bool null;
    double cpu;
    double expected[USUAL];
} row;

static void make_rows(row *rows) {
    uint64_t random = 5;
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i] = (row){.series = test_pick(&random, SERIES), .null = test_pick(&random, 9) == 0};
        rows[i].cpu =
            test_pick(&random, 40) == 0 ? (double)NAN : (double)test_pick(&random, 1000) / 8.0;
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

/* What check_split gives its callbacks. */
typedef struct split {
    const row *rows;
    uint64_t hash;
} split;

static void append(const ps_plan *plan, ps_batch *batch, uint32_t at, void *context) {
    const row *const r = &((const split *)context)->rows[at];
    test_plan_append(plan, batch, r->series, r->cpu, r->null, false);
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

static void check(const ps_plan *plan, ps_batch *batch, uint32_t first, void *context) {
    split *const s = context;
    compare(plan, batch, s->rows + first);
    for (uint32_t k = 0; k < USUAL; k++) {
        const uint64_t *bits = ps_batch_values(batch, ps_schema_find(&plan->schema, usual[k]));
        for (uint32_t i = 0; i < batch->rows; i++)
            s->hash += bits[i] * ((first + i) * USUAL + k + 1);
    }
}

/* All rows in batches of random sizes up to `rows_max`; a hash of all columns' bits. */
static uint64_t check_split(const row *rows, uint32_t rows_max) {
    ps_plan *plan = open_plan();
    const ps_statistics_config config = {.field = "cpu"};
    assert_int_equal(ps_stage_statistics.plan(&config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    split context = {rows, 0};
    const test_rows all = {ROWS, append, check, &context};
    test_plan_feed(plan, &all, rows_max, false);
    test_plan_close(plan);
    return context.hash;
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
    test_plan_close(plan);
}

static void refuses(ps_statistics_config config, const char *message) {
    ps_plan *plan = open_plan();
    ps_error error = {{0}};
    assert_int_equal(ps_stage_statistics.plan(&config, plan, &error), PS_BAD_CONFIG);
    assert_string_equal(error.message, message);
    test_plan_close(plan);
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
    test_plan_close(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_do_not_depend_on_batches),
                                       cmocka_unit_test(a_plan_with_statistics),
                                       cmocka_unit_test(faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
