/* SPDX-License-Identifier: Apache-2.0
 * The stages whose kernels find their columns by themselves: what they put into a plan, that a
 * plan's columns do not depend on how rows are cut into batches, and what they refuse. If it fails,
 * an event says one thing or another depending on who was busy, or a device computes with a column
 * that was never brought up.
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
#include "kernels/forecast.h"
#include "kernels/multivariate.h"
#include "ml/stage_drift.h"
#include "ml/stage_forecast.h"
#include "ml/stage_multivariate.h"
#include "ml/stage_risk.h"
#include "tests/plans.h"

enum { ROWS_MAX = 64, ROWS = 6000, SERIES = 5, SERIES_MAX = 32 };

static const ps_field fields[] = {
    {.name = "host", .path = "host", .type = PS_FIELD_STRING},
    {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT},
    {.name = "mem", .path = "mem", .type = PS_FIELD_INT},
    {.name = "ts", .path = "ts", .type = PS_FIELD_TIMESTAMP},
};

static ps_plan *open_plan(void) {
    return test_plan_open(ROWS_MAX, SERIES_MAX, fields, sizeof fields / sizeof *fields);
}

/* A stage with a configuration that learns within some hundred rows. */
typedef struct stage_case {
    const ps_stage *stage;
    const void *config;
    const char *outputs; /* names, in their order, a blank behind each */
    const char *read;    /* a field that it reads */
} stage_case;

static const ps_drift_config drift = {.field = "cpu",
                                      .baseline = 100,
                                      .window = 48,
                                      .threshold = 6,
                                      .effect = 0.25,
                                      .renew = true,
                                      .as = "cpu"};

static const ps_forecast_config forecast = {.field = "mem",
                                            .method = PS_FORECAST_MULTIPLICATIVE,
                                            .horizon = 3,
                                            .level = 0.9,
                                            .season_max = 30,
                                            .level_span = 20,
                                            .span = 100,
                                            .warmup = 10,
                                            .damping = 0.95};

static const char *const watched[] = {"cpu", "mem"};
static const ps_string_pair limits[] = {{"mem", "< 100"}, {"cpu", "90"}};
static const ps_risk_config risk = {.fields = {watched, 2},
                                    .limits = {limits, 2},
                                    .horizon_ns = 600000000000,
                                    .span = 50,
                                    .warmup = 10,
                                    .confidence = 0.9,
                                    .time = "ts"};

static const ps_multivariate_config joint = {.fields = {watched, 2},
                                             .method = PS_MULTIVARIATE_PCA,
                                             .threshold = 6,
                                             .explained = 0.6,
                                             .shrinkage = 0.01,
                                             .span = 200,
                                             .warmup = 50,
                                             .refit = 37,
                                             .as = "a"};

static const stage_case cases[] = {
    {&ps_stage_drift, &drift,
     "cpu_drift_t cpu_drift_df cpu_drift_p cpu_drift_change cpu_drift_score cpu_drift ", "cpu"},
    {&ps_stage_forecast, &forecast, "forecast forecast_low forecast_high ", "mem"},
    {&ps_stage_risk, &risk, "risk risk_seconds risk_confidence risk_factor risk_cpu risk_mem ",
     "ts"},
    {&ps_stage_multivariate, &joint,
     "a_joint_score a_joint_t2 a_joint_q a_joint_anomaly a_joint_why ", "mem"},
};
enum { CASES = sizeof cases / sizeof *cases };

/* What a row holds follows from its number alone: a daily shape that climbs and steps. */
static double cpu_of(uint32_t at) {
    const double noise = (double)(at * 2654435761u >> 16 & 1023) / 512.0;
    return 50.0 + noise + 10.0 * sin(at / 5 * 0.2617993877991494) + at / 400.0 +
           (at > ROWS / 2 ? 20.0 : 0.0);
}

typedef struct split {
    uint64_t hash, numbers;
} split;

static void append(const ps_plan *plan, ps_batch *batch, uint32_t at, void *context) {
    const uint32_t row = batch->rows;
    (void)context;
    test_plan_append(plan, batch, at % SERIES, at % 211 == 7 ? (double)NAN : cpu_of(at),
                     at % 97 == 3, false);
    const ps_column *mem = ps_schema_find(&plan->schema, "mem");
    const ps_column *ts = ps_schema_find(&plan->schema, "ts");
    ((int64_t *)ps_batch_values(batch, mem))[row] = 1000 + (int64_t)(3.0 * cpu_of(at + 3));
    ((int64_t *)ps_batch_values(batch, ts))[row] = (int64_t)at * 1000000000;
    ps_bit_set(ps_batch_validity(batch, mem), row);
    ps_bit_set(ps_batch_validity(batch, ts), row);
}

static void check(const ps_plan *plan, ps_batch *batch, uint32_t first, void *context) {
    split *const s = context;
    for (uint32_t i = 0; i < plan->output_count; i++) {
        const ps_column *column = &plan->schema.column[plan->output[i].column];
        const uint8_t *values = ps_batch_values(batch, column);
        for (uint32_t row = 0; row < batch->rows; row++) {
            uint64_t bits = 0;
            memcpy(&bits, values + (size_t)row * column->width, column->width);
            s->hash += (bits + 1) * ((uint64_t)(first + row) * 1000003 + i + 1);
            s->numbers += column->type == PS_TYPE_NUMBER && bits != UINT64_C(0x7ff8000000000000);
        }
    }
}

static split run_split(const stage_case *of, uint32_t batch_rows) {
    ps_plan *plan = open_plan();
    split context = {0, 0};
    assert_int_equal(of->stage->plan(of->config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    const test_rows all = {ROWS, append, check, &context};
    test_plan_feed(plan, &all, batch_rows, false);
    test_plan_close(plan);
    return context;
}

static void columns_do_not_depend_on_batches(void **unused) {
    (void)unused;
    for (uint32_t i = 0; i < CASES; i++) {
        const split whole = run_split(&cases[i], ROWS_MAX);
        assert_true(whole.numbers > 100);
        assert_true(whole.hash == run_split(&cases[i], 1).hash);
        assert_true(whole.hash == run_split(&cases[i], 7).hash);
    }
}

static bool goes_up(const ps_traffic *traffic, uint32_t begin) {
    bool found = traffic->whole;
    for (uint32_t i = 0; i < traffic->up_count; i++) found |= traffic->up[i].begin == begin;
    return found;
}

/* Names, what goes to a device and what comes back: the kernel finds its columns by itself. */
static void what_a_plan_gets(void **unused) {
    (void)unused;
    for (uint32_t i = 0; i < CASES; i++) {
        ps_plan *plan = open_plan();
        ps_traffic *traffic = calloc(1, sizeof *traffic);
        char names[1024] = "";
        assert_int_equal(cases[i].stage->plan(cases[i].config, plan, NULL), PS_OK);
        assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
        ps_traffic_plan(plan, traffic);
        uint32_t back = 0;
        for (uint32_t k = 0; k < plan->output_count; k++) {
            const uint32_t begin = plan->schema.column[plan->output[k].column].values;
            (void)strncat(names, plan->output[k].name, sizeof names - strlen(names) - 2);
            (void)strncat(names, " ", 2);
            for (uint32_t d = 0; d < traffic->down_count; d++)
                back += traffic->down[d].begin == begin;
        }
        assert_string_equal(names, cases[i].outputs);
        assert_int_equal(back, plan->output_count);
        const ps_column *read = ps_schema_find(&plan->schema, cases[i].read);
        assert_true(goes_up(traffic, read->values) && goes_up(traffic, read->validity));
        assert_int_equal(plan->state_count, 1);
        free(traffic);
        test_plan_close(plan);
    }
}

static void refuses(const ps_stage *stage, const void *config, const char *message) {
    ps_plan *plan = open_plan();
    ps_error error = {{0}};
    assert_int_equal(stage->plan(config, plan, &error), PS_BAD_CONFIG);
    assert_string_equal(error.message, message);
    test_plan_close(plan);
}

static void what_drift_refuses(void **unused) {
    (void)unused;
    ps_drift_config wrong = drift;
    wrong.window = 50;
    refuses(&ps_stage_drift, &wrong, "window: 50 is not a multiple of 8");
    wrong = drift;
    wrong.field = "ts";
    refuses(&ps_stage_drift, &wrong,
            "field: 'ts' is not a number: declare it under decode as float or int");
}

static void what_risk_refuses(void **unused) {
    (void)unused;
    static const ps_string_pair other[] = {{"disk", "1"}}, word[] = {{"mem", "x"}, {"cpu", "1"}};
    static const ps_string_pair heavy[] = {{"cpu", "1.5"}};
    ps_risk_config wrong = risk;
    wrong.limits = (ps_string_map){limits, 1};
    refuses(&ps_stage_risk, &wrong, "limits: there is none of 'cpu'");
    wrong.limits = (ps_string_map){other, 1};
    refuses(&ps_stage_risk, &wrong, "limits: 'disk' is not one of fields");
    wrong.limits = (ps_string_map){word, 2};
    refuses(&ps_stage_risk, &wrong, "limits: 'x' of mem is not a number, or one behind < or >");
    wrong = risk;
    wrong.weights = (ps_string_map){heavy, 1};
    refuses(&ps_stage_risk, &wrong, "weights: '1.5' of cpu is not from 0 to 1");
    wrong = risk;
    wrong.time = "mem";
    refuses(&ps_stage_risk, &wrong, "time: 'mem' is not declared as timestamp");
    wrong = risk;
    wrong.fields.count = 0;
    refuses(&ps_stage_risk, &wrong, "fields: name 1 to 8, not 0");
    static const char *const twice[] = {"cpu", "mem", "cpu"};
    wrong.fields = (ps_string_list){twice, 3};
    refuses(&ps_stage_risk, &wrong, "fields: 'cpu' is listed twice");
}

static void what_multivariate_refuses(void **unused) {
    (void)unused;
    static const char *const twice[] = {"cpu", "cpu"}, *const text[] = {"cpu", "host"};
    ps_multivariate_config wrong = joint;
    wrong.fields.count = 1;
    refuses(&ps_stage_multivariate, &wrong, "fields: name 2 to 8, not 1");
    wrong.fields = (ps_string_list){twice, 2};
    refuses(&ps_stage_multivariate, &wrong, "fields: 'cpu' is listed twice");
    wrong.fields = (ps_string_list){text, 2};
    refuses(&ps_stage_multivariate, &wrong,
            "fields: 'host' is not a number: declare it under decode as float or int");
}

/* Quantiles as the tables have them, the last one's degrees of freedom for all beyond; and the
 * state of a season that is found. */
static void what_forecast_plans(void **unused) {
    (void)unused;
    static const double expected[][3] = {/* df, 90 % and 95 % within */
                                         {1, 6.313751514675043, 12.706204736432095},
                                         {2, 2.919985580353725, 4.302652729911275},
                                         {10, 1.812461122811676, 2.2281388519649385},
                                         {128, 1.6568452260814925, 1.978670849837835}};
    for (uint32_t wide = 0; wide < 2; wide++) {
        ps_plan *plan = open_plan();
        ps_forecast_config config = forecast;
        config.level = wide ? 0.95 : 0.9;
        assert_int_equal(ps_stage_forecast.plan(&config, plan, NULL), PS_OK);
        assert_int_equal(plan->state[0].planes, PS_FORECAST_PLANES + 30 + 3 + 120);
        assert_true(plan->state[0].together);
        const ps_call_plan *call = &plan->call[plan->call_count - 1];
        const double *quantile = (const double *)(plan->constants + call->operand[2].offset);
        for (uint32_t i = 0; i < sizeof expected / sizeof *expected; i++) {
            const double of = quantile[(uint32_t)expected[i][0] - 1];
            assert_true(fabs(of - expected[i][1 + wide]) < 1e-9 * of);
        }
        test_plan_close(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_do_not_depend_on_batches),
                                       cmocka_unit_test(what_a_plan_gets),
                                       cmocka_unit_test(what_drift_refuses),
                                       cmocka_unit_test(what_risk_refuses),
                                       cmocka_unit_test(what_multivariate_refuses),
                                       cmocka_unit_test(what_forecast_plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
