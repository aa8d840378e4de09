/* SPDX-License-Identifier: Apache-2.0
 * A detect stage that weighs its detectors, and one that tells what each of them said: against
 * stages of one detector.
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

#include "kernels/score.h"
#include "kernels/vote.h"
#include "ml/detector.h"
#include "tests/plans.h"

enum { ROWS_MAX = 64, ROWS = 2000, SERIES = 7, SERIES_MAX = 32 };

static const ps_field fields[] = {
    {.name = "host", .path = "host", .type = PS_FIELD_STRING},
    {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT},
    {.name = "n", .path = "n", .type = PS_FIELD_INT},
    {.name = "ts", .path = "ts", .type = PS_FIELD_TIMESTAMP},
};
static const char *const names[] = {"slim", "ewma"};

static ps_detect_config config_of(uint32_t first, uint32_t count) {
    ps_detect_config config = {0};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.field = "cpu";
    config.detectors = (ps_string_list){names + first, count};
    config.threshold = 4.0; /* the same for both: nothing is scaled */
    return config;
}

static ps_plan *plan_of(const ps_detect_config *config) {
    ps_plan *plan = test_plan_open(ROWS_MAX, SERIES_MAX, fields, sizeof fields / sizeof *fields);
    assert_int_equal(ps_stage_detect.plan(config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    return plan;
}

/* Now and then a value leaps, and one in twenty is null. */
static void append(const ps_plan *plan, ps_batch *batch, uint32_t at, void *context) {
    (void)context;
    const double value = at % 97 == 0 ? 60.0 + at % 3 : at * 11 % 17;
    test_plan_append(plan, batch, at % SERIES, value, at % 20 == 19, false);
    int64_t *time = ps_batch_values(batch, &plan->schema.column[PS_COLUMN_TIMESTAMP]);
    time[batch->rows - 1] = (int64_t)at * 60000;
}

/* What a column of floats held, row by row, and why. */
typedef struct told {
    const char *column;
    float score[ROWS];
    uint8_t why[ROWS];
} told;

static void keep(const ps_plan *plan, ps_batch *batch, uint32_t first, void *context) {
    told *const t = context;
    const float *score = ps_batch_values(batch, ps_schema_find(&plan->schema, t->column));
    const uint8_t *why = ps_batch_values(batch, ps_schema_find(&plan->schema, "why"));
    memcpy(t->score + first, score, batch->rows * sizeof *score);
    memcpy(t->why + first, why, batch->rows);
}

static told *told_by(const ps_detect_config *config, const char *column) {
    told *t = calloc(1, sizeof *t);
    ps_plan *plan = plan_of(config);
    t->column = column;
    const test_rows all = {ROWS, append, keep, t};
    test_plan_feed(plan, &all, 50, true);
    test_plan_close(plan);
    return t;
}

static double squared(float score) {
    const double bounded = fmin((double)score, 20.0);
    return bounded * bounded;
}

static float mean(float slim, float ewma) {
    if (slim != slim) return ps_nan();
    return (float)sqrt((5.0 * squared(slim) + 2.0 * squared(ewma)) / 7.0);
}

/* If this fails, weights are others' or a detector's own score is not what it says. */
static void weights_make_a_mean(void **unused) {
    (void)unused;
    static const ps_string_pair weights[] = {{"ewma", "2"}, {"slim", "5"}};
    const ps_detect_config slim = config_of(0, 1), ewma = config_of(1, 1);
    ps_detect_config both = config_of(0, 2);
    both.weights = (ps_string_map){weights, 2};
    told *weighed = told_by(&both, "score");
    both.scores = true;
    told *alone[2] = {told_by(&slim, "score"), told_by(&ewma, "score")};
    told *own[2] = {told_by(&both, "score_slim"), told_by(&both, "score_ewma")};
    told *again = told_by(&both, "score");
    uint32_t found = 0;
    for (uint32_t i = 0; i < 2; i++)
        assert_memory_equal(own[i]->score, alone[i]->score, sizeof own[i]->score);
    for (uint32_t row = 0; row < ROWS; row++) {
        const float expected = mean(alone[0]->score[row], alone[1]->score[row]);
        assert_memory_equal(&weighed->score[row], &expected, sizeof expected);
        found += expected >= 4.0f;
        assert_true((expected >= 4.0f) == (weighed->why[row] != PS_WHY_NONE));
    }
    assert_true(found > 5 && found < 200);
    assert_memory_equal(again->score, weighed->score, sizeof again->score);
    assert_memory_equal(again->why, weighed->why, sizeof again->why);
    free(weighed);
    free(again);
    for (uint32_t i = 0; i < 2; i++) {
        free(alone[i]);
        free(own[i]);
    }
}

/* If this fails, severity is counted from another threshold than the first detector's, or goes out
 * unasked. */
static void severity_begins_at_the_threshold(void **unused) {
    (void)unused;
    ps_detect_config config = config_of(0, 2);
    config.severity = true;
    config.threshold = 0.0;
    config.sensitivity = "high";
    ps_plan *plan = plan_of(&config);
    assert_int_equal(plan->output_count, 4);
    const ps_output *output = &plan->output[3];
    assert_string_equal(output->name, "severity");
    assert_int_equal(output->kind, PS_OUTPUT_LEVEL);
    assert_int_equal(output->column, plan->output[1].column); /* anomaly */
    assert_int_equal(output->gate, plan->output[0].column);   /* score */
    assert_true(output->levels.first == (float)(6.5 / 1.5) && output->levels.step == 3.0f);
    assert_string_equal(output->labels[3], "critical");
    assert_int_equal(output->label_count, 4);
    test_plan_close(plan);
    config.severity = false;
    plan = plan_of(&config);
    assert_int_equal(plan->output_count, 3);
    test_plan_close(plan);
}

/* If this fails, a detector's own score does not go out, or under another name. */
static void own_scores_go_out(void **unused) {
    (void)unused;
    ps_detect_config config = config_of(0, 2);
    config.scores = true;
    config.as = "cpu";
    ps_plan *plan = plan_of(&config);
    static const char *const outputs[] = {"cpu_score", "cpu_anomaly", "cpu_why", "cpu_score_slim",
                                          "cpu_score_ewma"};
    assert_int_equal(plan->output_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const ps_output *output = &plan->output[i];
        assert_string_equal(output->name, outputs[i]);
        assert_string_equal(plan->schema.column[output->column].name, outputs[i]);
    }
    test_plan_close(plan);
}

static void refuses(const ps_detect_config *config, const char *message) {
    ps_plan *plan = test_plan_open(ROWS_MAX, SERIES_MAX, fields, sizeof fields / sizeof *fields);
    ps_error error = {{0}};
    assert_int_equal(ps_stage_detect.plan(config, plan, &error), PS_BAD_CONFIG);
    assert_string_equal(error.message, message);
    test_plan_close(plan);
}

/* If this fails, a weight that is not one is taken for one. */
static void faults_of_weights(void **unused) {
    (void)unused;
    static const ps_string_pair odd[][1] = {
        {{"slim", "1"}}, {{"ewma", "256"}}, {{"ewma", "-1"}}, {{"ewma", "0"}}};
    static const char *const said_of[] = {
        "weights: 'slim' is not among the detectors",
        "weights: '256' of ewma is not a whole number from 0 to 255",
        "weights: '-1' of ewma is not a whole number from 0 to 255",
        "weights: all are 0, so no detector has a say"};
    for (uint32_t i = 0; i < 4; i++) {
        ps_detect_config config = config_of(1, 1);
        config.weights = (ps_string_map){odd[i], 1};
        refuses(&config, said_of[i]);
    }
    ps_detect_config config = config_of(0, 2);
    config.vote = 2;
    config.weights = (ps_string_map){odd[3], 1};
    refuses(&config, "vote and weights exclude each other: leave one out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_make_a_mean), cmocka_unit_test(severity_begins_at_the_threshold),
        cmocka_unit_test(own_scores_go_out), cmocka_unit_test(faults_of_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
