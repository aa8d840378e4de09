/* SPDX-License-Identifier: Apache-2.0
 * What hash and detect put into a plan, and that the scores of a plan are those of a plain loop
 * over the series, to the last bit, however the rows are cut into batches.
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

#include "host/stages/stages.h"
#include "kernels/score.h"
#include "kernels/slim.h"
#include "kernels/suppress.h"
#include "kernels/vote.h"
#include "ml/detector.h"
#include "tests/plans.h"

enum { ROWS_MAX = 64, ROWS = 3000, SERIES = 17, SERIES_MAX = 32, SPAN = 20, WARMUP = 5 };

static const ps_field fields[] = {
    {.name = "host", .path = "host", .type = PS_FIELD_STRING},
    {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT},
    {.name = "n", .path = "n", .type = PS_FIELD_INT},
    {.name = "ts", .path = "ts", .type = PS_FIELD_TIMESTAMP},
};

static ps_plan *open_plan(void) {
    return test_plan_open(ROWS_MAX, SERIES_MAX, fields, sizeof fields / sizeof *fields);
}

static const char *const both[] = {"ewma", "zscore"};

/* As the command line fills it: presets first. */
static ps_detect_config detect_config(const char *field, uint32_t detectors) {
    ps_detect_config config = {0};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.field = field;
    config.detectors = (ps_string_list){both, detectors};
    return config;
}

static const ps_output *find_output(const ps_plan *plan, const char *name) {
    for (uint32_t i = 0; i < plan->output_count; i++)
        if (strcmp(plan->output[i].name, name) == 0) return &plan->output[i];
    fail_msg("no output %s", name);
    return NULL;
}

/* One row of input and what is expected of it. */
typedef struct row {
    uint32_t series;
    bool null;
    double cpu;
    float ewma, zscore;
} row;

/* The formulas of the two detectors once more, over one series at a time. */
static void expect(row *rows) {
    const double alpha = 2.0 / (SPAN + 1.0);
    for (uint32_t series = 0; series < SERIES; series++) {
        double mean = 0.0, variance = 0.0, all_mean = 0.0, squares = 0.0, count = 0.0;
        for (uint32_t i = 0; i < ROWS; i++) {
            row *r = &rows[i];
            if (r->series != series) continue;
            r->ewma = r->zscore = ps_nan();
            if (r->null) continue;
            const double d = r->cpu - mean, all_d = count == 0.0 ? 0.0 : r->cpu - all_mean;
            r->ewma = count < WARMUP ? 0.0f : ps_score_from_deviation(d, variance);
            r->zscore = count < WARMUP
                            ? 0.0f
                            : ps_score_from_deviation(all_d, squares * (1.0 / (count - 1.0)));
            const double weight = 1.0 / (count + 1.0) > alpha ? 1.0 / (count + 1.0) : alpha;
            variance = count == 0.0 ? 0.0 : (1.0 - weight) * fma(weight * d, d, variance);
            mean = count == 0.0 ? r->cpu : fma(weight, d, mean);
            if (count == 0.0) all_mean = r->cpu;
            count += 1.0;
            all_mean = fma(all_d, 1.0 / count, all_mean);
            squares = fma(all_d * all_d, 1.0 - 1.0 / count, squares);
        }
    }
}

static void make_rows(row *rows) {
    uint64_t random = 3;
    for (uint32_t i = 0; i < ROWS; i++) {
        const double noise = (double)test_pick(&random, 1000) / 1000.0;
        rows[i] = (row){.series = test_pick(&random, SERIES), .null = test_pick(&random, 10) == 0};
        rows[i].cpu = 50.0 + noise + (test_pick(&random, 100) == 0 ? 30.0 : 0.0);
    }
}

/* What the vote of `vote` makes of the two scores of a row. */
static float voted(const row *r, uint32_t vote) {
    if (r->null) return ps_nan();
    const float larger = r->ewma > r->zscore ? r->ewma : r->zscore;
    const float smaller = r->ewma > r->zscore ? r->zscore : r->ewma;
    return vote == 1 ? larger : smaller;
}

static uint32_t compare(const ps_plan *plan, const ps_batch *batch, const row *rows,
                        uint32_t vote) {
    const float *score = ps_batch_values(batch, ps_schema_find(&plan->schema, "score"));
    const uint8_t *anomaly = ps_batch_values(batch, ps_schema_find(&plan->schema, "anomaly"));
    const uint8_t *why = ps_batch_values(batch, ps_schema_find(&plan->schema, "why"));
    uint32_t anomalies = 0;
    for (uint32_t i = 0; i < batch->rows; i++) {
        const float expected = voted(&rows[i], vote);
        if (memcmp(&score[i], &expected, sizeof expected) != 0)
            fail_msg("score %a, not %a", (double)score[i], (double)expected);
        assert_int_equal(anomaly[i], expected >= 4.0f);
        assert_int_equal(why[i], !anomaly[i] ? 255 : rows[i].zscore > rows[i].ewma);
        anomalies += anomaly[i];
    }
    return anomalies;
}

/* What check_split gives its callbacks. */
typedef struct split {
    const row *rows;
    uint32_t vote, anomalies;
} split;

static void append(const ps_plan *plan, ps_batch *batch, uint32_t at, void *context) {
    const row *const r = &((const split *)context)->rows[at];
    test_plan_append(plan, batch, r->series, r->cpu, r->null, r->null);
}

static void check(const ps_plan *plan, ps_batch *batch, uint32_t first, void *context) {
    split *const s = context;
    s->anomalies += compare(plan, batch, s->rows + first, s->vote);
}

/* All rows in batches of random sizes up to `rows_max`. */
static uint32_t check_split(const row *rows, uint32_t rows_max, uint32_t vote) {
    ps_plan *plan = open_plan();
    ps_detect_config config = detect_config("cpu", 2);
    config.span = SPAN;
    config.warmup = WARMUP;
    config.vote = vote;
    config.threshold = 4.0;
    assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    assert_true(plan->groups);
    split context = {rows, vote, 0};
    const test_rows all = {ROWS, append, check, &context};
    test_plan_feed(plan, &all, rows_max, true);
    test_plan_close(plan);
    return context.anomalies;
}

static void scores_do_not_depend_on_batches(void **unused) {
    (void)unused;
    row *rows = calloc(ROWS, sizeof *rows);
    make_rows(rows);
    expect(rows);
    for (uint32_t vote = 1; vote <= 2; vote++) {
        const uint32_t anomalies = check_split(rows, ROWS_MAX, vote);
        assert_true(anomalies > 5 && anomalies < 200);
        assert_int_equal(check_split(rows, 1, vote), anomalies);
        assert_int_equal(check_split(rows, 7, vote), anomalies);
    }
    free(rows);
}

static void detect_adds_what_it_says(void **unused) {
    (void)unused;
    ps_plan *plan = open_plan();
    ps_detect_config config = detect_config("n", 2);
    config.time = "ts";
    assert_int_equal(config.span, 288);
    assert_int_equal(config.warmup, 30);
    assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
    ps_detect_config second = detect_config("cpu", 1);
    second.as = "cpu";
    second.sensitivity = "low";
    assert_int_equal(ps_stage_detect.plan(&second, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    static const ps_kernel_id kernels[] = {PS_KERNEL_SEGMENT, PS_KERNEL_EWMA, PS_KERNEL_ZSCORE,
                                           PS_KERNEL_VOTE,    PS_KERNEL_EWMA, PS_KERNEL_VOTE};
    assert_int_equal(plan->call_count, 6);
    for (uint32_t i = 0; i < 6; i++) assert_int_equal(plan->call[i].kernel, kernels[i]);
    assert_int_equal(plan->state_count, 3);
    assert_int_equal(plan->nan_count, 2);
    assert_int_equal(plan->output_count, 6);
    const ps_output *why = find_output(plan, "why"), *score = find_output(plan, "cpu_score");
    assert_string_equal(why->labels[1], "zscore");
    assert_int_equal(why->gate, find_output(plan, "score")->column);
    assert_int_equal(find_output(plan, "cpu_anomaly")->gate, score->column);
    assert_int_equal(find_output(plan, "cpu_why")->label_count, ps_detector_reason_count);
    assert_int_equal(plan->anomaly_column, find_output(plan, "cpu_anomaly")->column);
    test_plan_close(plan);
}

static ps_detect_config slim_config(void) {
    static const char *const all[] = {"slim", "ewma"};
    ps_detect_config config = detect_config("cpu", 0);
    config.detectors = (ps_string_list){all, 2};
    return config;
}

static const ps_call_plan *find_call(const ps_plan *plan, ps_kernel_id kernel) {
    for (uint32_t i = 0; i < plan->call_count; i++)
        if (plan->call[i].kernel == kernel) return &plan->call[i];
    fail_msg("no call of %s", ps_kernels[kernel].name);
    return NULL;
}

static const ps_vote_params *vote_of(ps_plan *plan, const ps_detect_config *config) {
    static ps_vote_params params;
    assert_int_equal(ps_stage_detect.plan(config, plan, NULL), PS_OK);
    memcpy(&params, find_call(plan, PS_KERNEL_VOTE)->params, sizeof params);
    test_plan_close(plan);
    return &params;
}

/* If this fails, a detector is held to another one's threshold. */
static void thresholds_are_each_detectors_own(void **unused) {
    (void)unused;
    ps_detect_config config = slim_config();
    const ps_vote_params *params = vote_of(open_plan(), &config);
    assert_true(params->threshold == 6.5f && params->scale[0] == 1.0f);
    assert_true(params->scale[1] == (float)(6.5 / 6.0));
    assert_int_equal(params->channels, 1);
    config.preset = PS_DETECT_EVENTS;
    config.sensitivity = "high";
    params = vote_of(open_plan(), &config);
    assert_true(params->threshold == (float)(8.0 / 1.5) && params->scale[1] == (float)(8.0 / 6.0));
    config.sensitivity = "0.5";
    assert_true(vote_of(open_plan(), &config)->threshold == 16.0f);
    config.sensitivity = "auto";
    config.threshold = 5.0;
    params = vote_of(open_plan(), &config);
    assert_true(params->threshold == 5.0f && params->scale[1] == 1.0f);
    config = detect_config("cpu", 2);
    assert_true(vote_of(open_plan(), &config)->threshold == 6.0f);
    config.sensitivity = "low";
    assert_true(vote_of(open_plan(), &config)->threshold == 9.0f);
    config.sensitivity = "high";
    assert_true(vote_of(open_plan(), &config)->threshold == 4.0f);
}

/* If this fails, slim takes the hour from the wrong clock, or `quiet` does. */
static void slim_knows_the_time(void **unused) {
    (void)unused;
    for (uint32_t i = 0; i < 2; i++) {
        ps_plan *plan = open_plan();
        ps_detect_config config = slim_config();
        config.quiet_ns = INT64_C(43200000000000);
        config.time = i == 0 ? NULL : "ts";
        assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
        const ps_call_plan *slim = find_call(plan, PS_KERNEL_SLIM);
        const ps_call_plan *suppress = find_call(plan, PS_KERNEL_SUPPRESS);
        const uint32_t ts = (uint32_t)(ps_schema_find(&plan->schema, "ts") - plan->schema.column);
        const uint32_t time = i == 0 ? PS_COLUMN_TIMESTAMP : ts;
        ps_slim_params slim_params;
        ps_suppress_params quiet;
        memcpy(&slim_params, slim->params, sizeof slim_params);
        memcpy(&quiet, suppress->params, sizeof quiet);
        assert_int_equal(slim->operand[9].column, time);
        assert_int_equal(suppress->operand[9].column, time);
        assert_int_equal(slim_params.time, i == 0 ? PS_TIME_RECORD_MS : PS_TIME_FIELD_NS);
        assert_int_equal(quiet.time, slim_params.time);
        assert_true(quiet.quiet_ms == 43200000.0 && quiet.rows_least == 12);
        assert_int_equal(quiet.rows_most, 160);
        if (i == 1) assert_int_equal(slim->operand[10].part, PS_PART_VALIDITY);
        if (i == 1) assert_int_equal(slim->operand[10].column, ts);
        assert_true(plan->state[0].together && !plan->state[1].together);
        test_plan_close(plan);
    }
}

/* Rows of a few series that leap once an hour, through slim and `quiet`. */
static void append_leap(const ps_plan *plan, ps_batch *batch, uint32_t at, void *context) {
    (void)context;
    test_plan_append(plan, batch, at % 5, at % 300 == 299 ? 90.0 : at * 7 % 13, at % 41 == 0,
                     false);
    int64_t *time = ps_batch_values(batch, &plan->schema.column[PS_COLUMN_TIMESTAMP]);
    time[batch->rows - 1] = (int64_t)at * 12000;
}

typedef struct leaps {
    float score[ROWS];
    uint8_t anomaly[ROWS], why[ROWS];
    uint32_t alerts, loud;
} leaps;

static void keep_leap(const ps_plan *plan, ps_batch *batch, uint32_t first, void *context) {
    leaps *const l = context;
    memcpy(l->score + first, ps_batch_values(batch, ps_schema_find(&plan->schema, "score")),
           batch->rows * sizeof *l->score);
    memcpy(l->anomaly + first, ps_batch_values(batch, ps_schema_find(&plan->schema, "anomaly")),
           batch->rows);
    memcpy(l->why + first, ps_batch_values(batch, ps_schema_find(&plan->schema, "why")),
           batch->rows);
    for (uint32_t i = first; i < first + batch->rows; i++) {
        l->alerts += l->anomaly[i];
        l->loud += l->score[i] >= 6.5f;
        assert_true(l->anomaly[i] == (l->why[i] < ps_detector_reason_count));
    }
}

static leaps *leaps_in(uint32_t batch_rows, int64_t quiet_ns) {
    leaps *l = calloc(1, sizeof *l);
    ps_plan *plan = open_plan();
    ps_detect_config config = slim_config();
    config.quiet_ns = quiet_ns;
    assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    assert_true(plan->replays); /* by itself: more than a kilobyte */
    const test_rows all = {ROWS, append_leap, keep_leap, l};
    test_plan_feed(plan, &all, batch_rows, true);
    test_plan_close(plan);
    return l;
}

/* If this fails, what slim or `quiet` say depends on where batches end. */
static void slim_does_not_depend_on_batches(void **unused) {
    (void)unused;
    leaps *whole = leaps_in(ROWS_MAX, INT64_C(20000000000000)), *ones = leaps_in(1, 0);
    leaps *parts = leaps_in(7, INT64_C(20000000000000));
    assert_memory_equal(whole, parts, sizeof *whole);
    assert_memory_equal(whole->score, ones->score, sizeof whole->score); /* quiet is no score */
    assert_int_equal(ones->alerts, ones->loud);
    assert_true(whole->alerts > 0 && whole->alerts < ones->alerts);
    free(whole);
    free(ones);
    free(parts);
}

/* State of other parameters must not be read as state of these; the threshold is no state. */
static uint64_t fingerprint(int64_t span, int64_t warmup, double threshold, const char *field) {
    ps_plan *plan = open_plan();
    ps_detect_config config = detect_config(field, 1);
    config.span = span;
    config.warmup = warmup;
    config.threshold = threshold;
    assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    const uint64_t print = plan->fingerprint;
    test_plan_close(plan);
    return print;
}

static void fingerprint_tells_states_apart(void **unused) {
    (void)unused;
    const uint64_t print = fingerprint(100, 30, 6.0, "cpu");
    assert_true(print == fingerprint(100, 50, 3.0, "cpu"));
    assert_true(print != fingerprint(101, 30, 6.0, "cpu"));
    assert_true(print != fingerprint(100, 30, 6.0, "n"));
}

/* If this fails, state that another policy kept is taken for another pipeline's. */
static void policies_know_each_other(void **unused) {
    (void)unused;
    uint64_t print[2], other[2];
    for (uint32_t i = 0; i < 2; i++) {
        ps_plan *plan = open_plan();
        const ps_detect_config config = detect_config("cpu", 1);
        plan->policy = i == 0 ? PS_POLICY_DELTA : PS_POLICY_REPLAY;
        assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
        assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
        print[i] = plan->fingerprint;
        other[i] = plan->other_policy;
        test_plan_close(plan);
    }
    assert_true(print[0] != print[1]);
    assert_true(print[0] == other[1]);
    assert_true(print[1] == other[0]);
}

static void detect_refuses(ps_detect_config config, const char *message) {
    ps_plan *plan = open_plan();
    ps_error error = {{0}};
    assert_int_equal(ps_stage_detect.plan(&config, plan, &error), PS_BAD_CONFIG);
    assert_string_equal(error.message, message);
    test_plan_close(plan);
}

static void faults_of_detect(void **unused) {
    (void)unused;
    static const char *const twice[] = {"ewma", "ewma"}, *const wrong[] = {"slime"};
    detect_refuses(detect_config("host", 1),
                   "field: 'host' is not a number: declare it under decode as float or int");
    detect_refuses(detect_config("offset", 1),
                   "field: 'offset' is not a number: declare it under decode as float or int");
    ps_detect_config config = detect_config("cpu", 0);
    char message[512];
    (void)snprintf(message, sizeof message, "detectors: name 1 to 16 of %s", ps_detector_names + 1);
    detect_refuses(config, message);
    config.detectors = (ps_string_list){twice, 2};
    detect_refuses(config, "detectors: 'ewma' is listed twice");
    config.detectors = (ps_string_list){wrong, 1};
    (void)snprintf(message, sizeof message, "detectors: 'slime' is not one of %s",
                   ps_detector_names + 1);
    detect_refuses(config, message);
    static const ps_string_pair only[] = {{"ewma", "2"}};
    config = detect_config("cpu", 1);
    config.weights = (ps_string_map){only, 1};
    detect_refuses(config, "weights: ewma is the only detector, so there is nothing to weigh: "
                           "leave weights out, or add detectors");
    config = detect_config("cpu", 1);
    config.vote = 2;
    detect_refuses(config, "vote: 2 is not between 1 and the 1 detectors");
    config = detect_config("cpu", 1);
    config.threshold = 5.0;
    static const char *const said[] = {"low", "medium", "high", "1"};
    for (uint32_t i = 0; i < 4; i++) {
        config.sensitivity = said[i];
        detect_refuses(config, "threshold and sensitivity exclude each other: leave one out");
    }
    static const char *const not_said[] = {"0.09", "10.1", "highest", "", "-1", "nan"};
    for (uint32_t i = 0; i < 6; i++) {
        config = detect_config("cpu", 1);
        config.sensitivity = not_said[i];
        (void)snprintf(
            message, sizeof message,
            "sensitivity: '%s' is not low, medium, high, auto or a number from 0.1 to 10",
            not_said[i]);
        detect_refuses(config, message);
    }
    config = detect_config("cpu", 1);
    config.time = "n";
    detect_refuses(config, "time: 'n' is not declared as timestamp");
}

static ps_hash_config hash_config(const char *algorithm, const char *of, const char *as) {
    ps_hash_config config = {0};
    const ps_option *options = ps_stage_hash.about.options;
    ps_options_preset(options, &config);
    assert_int_equal(ps_option_parse(options, algorithm, &config, NULL), PS_OK);
    config.of = of;
    config.as = as;
    return config;
}

static void hashes_end_up_in_columns(void **unused) {
    (void)unused;
    ps_plan *plan = open_plan();
    const ps_hash_config sha256 = hash_config("sha256", "value", NULL);
    const ps_hash_config xxh3 = hash_config("xxh3", "key", "key_hash");
    const ps_hash_config crc32c = hash_config("crc32c", "host", NULL);
    assert_int_equal(ps_stage_hash.plan(&sha256, plan, NULL), PS_OK);
    assert_int_equal(ps_stage_hash.plan(&xxh3, plan, NULL), PS_OK);
    assert_int_equal(ps_stage_hash.plan(&crc32c, plan, NULL), PS_OK);
    ps_error error;
    const ps_hash_config again = hash_config("sha256", "key", NULL);
    assert_int_equal(ps_stage_hash.plan(&again, plan, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "give one another name with `as`"));
    const ps_hash_config number = hash_config("sha256", "cpu", "x");
    assert_int_equal(ps_stage_hash.plan(&number, plan, &error), PS_BAD_CONFIG);
    assert_string_equal(error.message,
                        "of: 'cpu' is not a string: hash takes value, key or a string field");
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    ps_batch batch = {0};
    test_batch_memory(&batch, &plan->schema);
    const ps_record record = {.key = {(const uint8_t *)"abc", 3},
                              .value = {(const uint8_t *)"abc", 3},
                              .headers = {NULL, PS_NULL_LENGTH}};
    assert_int_equal(ps_batch_append(&batch, &record), PS_OK);
    ps_batch_text_set(&batch, ps_schema_find(&plan->schema, "host"), 0, 0, PS_NULL_LENGTH);
    test_plan_run(plan, &batch, NULL);
    const uint8_t *digest = ps_batch_values(&batch, ps_schema_find(&plan->schema, "sha256"));
    const uint64_t *hash = ps_batch_values(&batch, ps_schema_find(&plan->schema, "key_hash"));
    assert_memory_equal(digest, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8);
    assert_true(*hash == UINT64_C(0x78af5f94892f3950));
    const uint32_t host = (uint32_t)(ps_schema_find(&plan->schema, "host") - plan->schema.column);
    assert_int_equal(find_output(plan, "crc32c")->of, host);
    test_batch_free(&batch);
    test_plan_close(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scores_do_not_depend_on_batches),
                                       cmocka_unit_test(detect_adds_what_it_says),
                                       cmocka_unit_test(thresholds_are_each_detectors_own),
                                       cmocka_unit_test(slim_knows_the_time),
                                       cmocka_unit_test(slim_does_not_depend_on_batches),
                                       cmocka_unit_test(fingerprint_tells_states_apart),
                                       cmocka_unit_test(policies_know_each_other),
                                       cmocka_unit_test(faults_of_detect),
                                       cmocka_unit_test(hashes_end_up_in_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
