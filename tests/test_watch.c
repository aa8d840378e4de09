/* SPDX-License-Identifier: Apache-2.0
 * Breaks if: what the metrics tell of a batch is not what its values come to, a null, NaN or row of
 * another batch takes part, or the histogram counts a value in another bucket or not at all.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/batch/rejects.h"
#include "host/flow/watch.h"
#include "host/stages/stages.h"
#include "ml/stage_statistics.h"
#include "tests/plans.h"

enum { ROWS_MAX = 5000 };

static const ps_field fields[] = {{.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT}};

typedef struct world {
    ps_plan *plan;
    ps_batch batch;
    void *memory, *block;
    ps_watch_metrics metrics[PS_WATCHES_MAX];
} world;

static ps_status watch_field(ps_plan *plan, ps_error *error) {
    const ps_statistics_config config = {.field = "cpu", .per = PS_STATISTICS_BATCH};
    return ps_stage_statistics.plan(&config, plan, error);
}

static int open_world(void **state) {
    world *w = calloc(1, sizeof *w);
    ps_error error = {""};
    w->plan = test_plan_open(ROWS_MAX, 32, fields, 1);
    assert_int_equal(watch_field(w->plan, &error), PS_OK);
    assert_int_equal(ps_plan_close(w->plan, &error), PS_OK);
    assert_int_equal(w->plan->call_count, 0); /* nothing runs before the batch is out */
    assert_int_equal(w->plan->output_count, 0);
    w->memory = malloc(ps_watch_bytes(w->plan));
    w->block = aligned_alloc(512, (w->plan->schema.block_bytes + 511) / 512 * 512);
    memset(w->block, 0xff, w->plan->schema.block_bytes); /* all valid, all NaN, where not set */
    w->batch.schema = &w->plan->schema;
    w->batch.block.host = w->block;
    *state = w;
    return 0;
}

static int close_world(void **state) {
    world *w = *state;
    free(w->memory);
    free(w->block);
    ps_plan_deinit(w->plan);
    free(w->plan);
    free(w);
    return 0;
}

static void fill(world *w, const double *values, uint32_t rows, uint32_t null_row) {
    const ps_column *column = ps_schema_find(&w->plan->schema, "cpu");
    memcpy(ps_batch_values(&w->batch, column), values, rows * sizeof *values);
    uint8_t *validity = ps_batch_validity(&w->batch, column);
    memset(validity, 0xff, (rows + 63) / 64 * 8);
    if (null_row < rows) validity[null_row / 8] &= (uint8_t) ~(1u << null_row % 8);
    w->batch.rows = rows;
    ps_watch_batch(w->plan, &w->batch, w->memory, w->metrics);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t up_to(const ps_watch_metrics *m, double bound) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < PS_WATCH_BOUNDS && ps_watch_bound(i) <= bound; i++)
        sum += ps_read(&m->bucket[i]);
    return sum;
}

static void sums_a_batch_up(void **state) {
    world *w = *state;
    double values[ROWS_MAX];
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < 4097; i++) values[i] = (double)(i % 1000) - 100;
    values[7] = 1e9; /* null */
    values[8] = (double)NAN;
    values[9] = (double)INFINITY;
    for (uint32_t i = 0; i < 4097; i++)
        if (i < 7 || i > 9) sum += values[i];
    const double count = 4094, mean = sum / count;
    for (uint32_t i = 0; i < 4097; i++)
        if (i < 7 || i > 9) squares += (values[i] - mean) * (values[i] - mean);
    fill(w, values, 4097, 7);
    const ps_watch_metrics *m = &w->metrics[0];
    assert_true(m->last[PS_WATCH_COUNT] == count && m->last[PS_WATCH_NAN] == 2);
    assert_true(m->last[PS_WATCH_SUM] == sum && m->sum == sum);
    assert_true(m->last[PS_WATCH_LEAST] == -100 && m->last[PS_WATCH_GREATEST] == 899);
    assert_true(fabs(m->last[PS_WATCH_MEAN] - mean) < 1e-9);
    assert_true(fabs(m->last[PS_WATCH_VARIANCE] - squares / (count - 1)) < 1e-5);
    double sorted[ROWS_MAX];
    uint32_t known = 0;
    for (uint32_t i = 0; i < 4097; i++)
        if (i != 7 && i != 8) sorted[known++] = values[i];
    qsort(sorted, known, sizeof *sorted, ascending);
    for (uint32_t k = 0; k < PS_WATCH_QUANTILES; k++) {
        const double exact = sorted[(uint32_t)(ps_watch_quantile[k] * (known - 1))];
        assert_true(fabs(m->quantile[k] - exact) <= fabs(exact) / 64);
    }
    /* Every value is counted where it belongs: 100 negatives and one 0 in each thousand. */
    uint64_t below = 0, all = 0;
    for (uint32_t i = 0; i < 4097; i++) below += i != 7 && i != 8 && i != 9 && values[i] <= 0;
    for (uint32_t b = 0; b <= PS_WATCH_BOUNDS; b++) all += ps_read(&m->bucket[b]);
    assert_int_equal(up_to(m, 0), below);
    assert_int_equal(all, 4095); /* infinity is counted above all bounds */

    const double next[3] = {-4, 3.9, 4};
    fill(w, next, 3, UINT32_MAX);
    assert_true(m->last[PS_WATCH_COUNT] == 3 && m->last[PS_WATCH_LEAST] == -4);
    assert_true(m->sum == sum + 3.9);
    assert_int_equal(up_to(m, 0), below + 1);
}

static void bounds_ascend(void **state) {
    world *w = *state;
    const double values[] = {-4, 3.9, 4};
    for (uint32_t i = 1; i < PS_WATCH_BOUNDS; i++)
        assert_true(ps_watch_bound(i - 1) < ps_watch_bound(i));
    fill(w, values, 3, UINT32_MAX);
    const ps_watch_metrics *m = &w->metrics[0];
    assert_int_equal(up_to(m, -4), 1);
    assert_int_equal(up_to(m, 1), 1);
    assert_int_equal(up_to(m, 4), 2);
    assert_int_equal(up_to(m, 16), 3);
}

static void an_empty_batch_has_no_mean(void **state) {
    world *w = *state;
    const double value = 5;
    fill(w, &value, 1, 0);
    const ps_watch_metrics *m = &w->metrics[0];
    assert_true(m->last[PS_WATCH_COUNT] == 0 && isnan(m->last[PS_WATCH_MEAN]));
    assert_true(isnan(m->quantile[2]) && isnan(m->last[PS_WATCH_LEAST]));
}

/* The entropy of each record, say: NaN is none, and a rejected row's does not count. */
static void sums_up_what_a_stage_made(void **state) {
    (void)state;
    ps_plan *plan = test_plan_open(ROWS_MAX, 32, fields, 1);
    const ps_entropy_config entropy = {.of = "value", .as = "bits"};
    const ps_statistics_config config = {.field = "bits", .per = PS_STATISTICS_BATCH};
    const ps_statistics_config series = {.field = "bits"};
    ps_error error = {""};
    assert_int_equal(ps_stage_entropy.plan(&entropy, plan, &error), PS_OK);
    assert_int_equal(ps_stage_statistics.plan(&series, plan, &error), PS_BAD_CONFIG);
    assert_int_equal(ps_stage_statistics.plan(&config, plan, &error), PS_OK);
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    ps_batch batch = {0};
    test_batch_memory(&batch, &plan->schema);
    static const float bits[] = {1.0f, NAN, 3.0f, 5.0f};
    memcpy(ps_batch_values(&batch, ps_schema_find(&plan->schema, "bits")), bits, sizeof bits);
    ((uint8_t *)ps_batch_system(&batch, PS_COLUMN_REJECT))[3] = PS_REJECT_SYNTAX;
    batch.rows = 4;
    void *memory = malloc(ps_watch_bytes(plan));
    ps_watch_metrics metrics = {0};
    ps_watch_batch(plan, &batch, memory, &metrics);
    assert_true(metrics.last[PS_WATCH_COUNT] == 2 && metrics.last[PS_WATCH_MEAN] == 2);
    assert_true(metrics.last[PS_WATCH_NAN] == 0 && metrics.last[PS_WATCH_GREATEST] == 3);
    free(memory);
    test_batch_free(&batch);
    test_plan_close(plan);
}

static void refuses_what_makes_no_sense(void **state) {
    world *w = *state;
    static const char *const mean[] = {"mean"};
    const ps_statistics_config named = {
        .field = "cpu", .outputs = {mean, 1}, .per = PS_STATISTICS_BATCH};
    ps_error error = {""};
    assert_int_equal(watch_field(w->plan, &error), PS_BAD_CONFIG); /* twice */
    assert_int_equal(ps_stage_statistics.plan(&named, w->plan, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "outputs"));
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(sums_a_batch_up), TEST(bounds_ascend), TEST(an_empty_batch_has_no_mean),
        cmocka_unit_test(sums_up_what_a_stage_made), TEST(refuses_what_makes_no_sense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
