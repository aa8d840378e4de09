/* SPDX-License-Identifier: Apache-2.0
 * Which rows an expression keeps: SQL's logic, order of evaluation, arithmetic, every column type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "tests/expressions.h"

typedef struct kept_case {
    const char *where;
    uint32_t kept; /* bit i: row i */
} kept_case;

static void check_cases(const kept_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t kept = 0;
        ps_error error = {{0}};
        if (expression_kept(cases[i].where, &kept, &error) != PS_OK)
            fail_msg("%s: %s", cases[i].where, error.message);
        if (kept != cases[i].kept)
            fail_msg("%s keeps 0x%02x, not 0x%02x", cases[i].where, kept, cases[i].kept);
    }
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof *(cases))

static void columns_of_every_type(void **state) {
    (void)state;
    static const kept_case cases[] = {
        {"dc = 'eu'", 0x41},
        {"dc <> 'eu'", 0xb6},
        {"dc != ''", 0xf3},
        {"dc < 'f'", 0x55},
        {"dc >= 'eu' and dc <= 'it''s'", 0x71},
        {"dc = '\xc3\x9cn\xc3\xaf'", 0x80},
        {"dc in ('us', 'eu')", 0x43},
        {"dc not in ('us', 'eu')", 0xb4},
        {"cpu > 1", 0xd2},
        {"cpu <= 0", 0x24},
        {"cpu = 99.5", 0x02},
        {"n = 3", 0x80},
        {"n < 0", 0x44},
        {"n = 9223372036854775807", 0x20},
        {"n in (1, 2, 3.0)", 0x82},
        {"up", 0x95},
        {"not up", 0x4a},
        {"up = true", 0x95},
        {"up <> false", 0x95},
        {"up = 1", 0x95},
        {"up < 0.5", 0x4a},
        {"ts = 5", 0x08},
        {"ts < 0", 0x04},
        {"ts >= 1000", 0x22},
        {"score > 3", 0xda},
        {"score = 6.25", 0x08},
        {"score is null", 0x04},
        {"anomaly", 0x58},
        {"not anomaly", 0xa7},
        {"anomaly = 1", 0x58},
        {"why = 'ewma'", 0x50},
        {"why is null", 0xa7},
        {"why in ('zscore', 'none')", 0x08},
        {"key = 'k2'", 0x04},
        {"key is null", 0x02},
        {"value = '{}'", 0xff},
        {"timestamp = 103", 0x08},
        {"timestamp is null", 0x02},
        {"offset < 1002", 0x03},
        {"\"odd name\" = 3", 0x80},
        {"\"dc\" = 'us'", 0x02},
        {"score > 3 and dc = 'eu'", 0x40},
    };
    CHECK(cases);
}

/* true, false and null: AND and OR both ways round, NOT, and what a filter makes of the three. */
static void three_values(void **state) {
    (void)state;
    static const char *const names[] = {"true", "false", "null"};
    static const uint32_t conjunction[3][3] = {{0, 1, 2}, {1, 1, 1}, {2, 1, 2}};
    static const uint32_t disjunction[3][3] = {{0, 0, 0}, {0, 1, 2}, {0, 2, 2}};
    static const uint32_t negation[3] = {1, 0, 2};
    char where[100];
    for (uint32_t a = 0; a < 3; a++)
        for (uint32_t b = 0; b < 3; b++)
            for (uint32_t answer = 0; answer < 3; answer++) {
                static const char *const asks[] = {"(%s %s %s) = true", "(%s %s %s) = false",
                                                   "(%s %s %s) is null"};
                (void)snprintf(where, sizeof where, asks[answer], names[a], "and", names[b]);
                const kept_case both = {where, conjunction[a][b] == answer ? 0xff : 0};
                check_cases(&both, 1);
                (void)snprintf(where, sizeof where, asks[answer], names[a], "or", names[b]);
                const kept_case either = {where, disjunction[a][b] == answer ? 0xff : 0};
                check_cases(&either, 1);
                static const char *const nots[] = {"(not %s) = true", "(not %s) = false",
                                                   "(not %s) is null"};
                (void)snprintf(where, sizeof where, nots[answer], names[a]);
                const kept_case opposite = {where, negation[a] == answer ? 0xff : 0};
                check_cases(&opposite, 1);
            }
    static const kept_case cases[] = {
        {"up and cpu > 0", 0x91},
        {"up or cpu > 0", 0xd7},
        {"not (up and cpu > 0)", 0x6e},
        {"up is null", 0x20},
        {"up is not null", 0xdf},
        {"cpu = null or true", 0xff},
        {"cpu = null", 0},
        {"cpu <> null", 0},
        {"null is null", 0xff},
        {"n in (null, 3)", 0x80},
        {"n not in (null, 3)", 0},
        {"n not in (0, 3)", 0x6e},
        {"null in (1, 2) is null", 0xff},
        {"dc = 'eu' is null", 0x08},
        {"not dc = 'eu'", 0xb6},
        {"dc is null or dc = ''", 0x0c},
    };
    CHECK(cases);
}

static void precedence(void **state) {
    (void)state;
    static const kept_case cases[] = {
        {"1 + 2 * 3 = 7", 0xff},
        {"(1 + 2) * 3 = 9", 0xff},
        {"10 - 4 - 3 = 3", 0xff},
        {"20 / 2 / 5 = 2", 0xff},
        {"2 * -3 = -6", 0xff},
        {"- -3 = 3", 0xff},
        {"-(1 + 2) = -3", 0xff},
        {"+5 = 5", 0xff},
        {"true or false and false", 0xff},
        {"(true or false) and false", 0},
        {"not false and false", 0},
        {"not (false and false)", 0xff},
        {"not 1 = 2", 0xff},
        {"not not true", 0xff},
        {"1 + 1 in (2, 3)", 0xff},
        {"1 < 2 is not null", 0xff},
        {"NOT FALSE AND True Or nuLL", 0xff},
        {"1=1 and 2=2 or 3=4", 0xff},
        {"  (\t( 1\n= 1 ) )\r\n", 0xff},
        {"'a' = 'a' and 'it''s' = dc", 0x20},
    };
    CHECK(cases);
}

static void arithmetic(void **state) {
    (void)state;
    static const kept_case cases[] = {
        {"7 / 2 = 3", 0xff},
        {"-7 / 2 = -3", 0xff},
        {"7 / -2 = -3", 0xff},
        {"7 / 2.0 = 3.5", 0xff},
        {"1 / 0 is null", 0xff},
        {"1 / 0.0 is null", 0xff},
        {"0.0 / 0 is null", 0xff},
        {"0.1 + 0.2 = 0.3", 0},
        {"0.5 + 0.25 = 0.75", 0xff},
        {"9223372036854775807 + 1 is null", 0xff},
        {"-9223372036854775807 - 2 is null", 0xff},
        {"4611686018427387904 * 2 is null", 0xff},
        {"4611686018427387904 * -2 = -9223372036854775807 - 1", 0xff},
        {"4294967296 * 4294967296 is null", 0xff},
        {"9223372036854775808 > 9223372036854775807", 0},
        {"9223372036854775808 = 9223372036854775807 + 1.0", 0xff},
        {"n + 1 is null", 0x30},
        {"n - 1 is null", 0x50},
        {"-n is null", 0x50},
        {"n / -1 is null", 0x50},
        {"n * 2 is null", 0x70},
        {"6 / n is null", 0x11},
        {"cpu * 2 = 1", 0x01},
        {"cpu + n = 0.5", 0x01},
        {"cpu * 1e300 is null", 0x08},
        {"cpu * cpu - cpu * cpu is null", 0x18},
        {"1e300 * 1e300 > 1e308", 0xff},
        {"n / 2 * 2 = n", 0x49},
        {"-0.0 = 0", 0xff},
        {".5 = 0.5 and 5e-1 = 0.5 and 5E+1 = 50", 0xff},
    };
    CHECK(cases);
}

/* Each line of the manual's block: an expression, #, the rows that it keeps. */
static void examples_of_the_manual(void **state) {
    (void)state;
    FILE *manual = fopen("docs/expressions.md", "r");
    assert_non_null(manual);
    char line[256];
    uint32_t examples = 0;
    while (fgets(line, sizeof line, manual) != NULL) {
        char *rows = strstr(line, " # ");
        if (rows == NULL) continue;
        *rows = '\0';
        kept_case example = {line, 0};
        for (rows += 3; *rows >= ' '; rows++)
            if (*rows != ' ') example.kept |= 1u << (*rows - '0');
        check_cases(&example, 1);
        examples++;
    }
    (void)fclose(manual);
    assert_true(examples >= 7);
}

/* Several filters keep what all of them keep; rejects are left alone. */
static void filters_join(void **state) {
    (void)state;
    ps_plan *plan = expression_plan();
    const ps_filter_config first = {"cpu > 0"}, second = {"up"};
    assert_false(plan->filters);
    assert_int_equal(ps_stage_filter.plan(&first, plan, NULL), PS_OK);
    assert_int_equal(ps_stage_filter.plan(&second, plan, NULL), PS_OK);
    assert_true(plan->filters);
    assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
    ps_batch batch = {0};
    expression_batch(&batch, &plan->schema);
    assert_int_equal(expression_run(plan, &batch), 0x91);
    ((uint8_t *)ps_batch_system(&batch, PS_COLUMN_REJECT))[1] = 3;
    assert_int_equal(expression_run(plan, &batch), 0x93);
    test_batch_free(&batch);
    expression_plan_free(plan);
}

/* Not a verdict, a figure: PS_TEST_BENCH=1 prints it. */
static void cost_of_a_row(void **state) {
    (void)state;
    if (getenv("PS_TEST_BENCH") == NULL) skip();
    static const char *const cases[] = {"cpu > -1e9", "dc <> 'eus'", "n > -100 and cpu > -1e9",
                                        "score > 3 and dc = 'eu'", "cpu * 2 + 1 > n"};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ps_plan *plan = expression_plan();
        const ps_filter_config config = {cases[i]};
        assert_int_equal(ps_stage_filter.plan(&config, plan, NULL), PS_OK);
        assert_int_equal(ps_plan_close(plan, NULL), PS_OK);
        ps_batch batch = {0};
        expression_batch(&batch, &plan->schema);
        uint32_t sum = 0;
        int64_t best_ns = INT64_MAX;
        for (uint32_t round = 0; round < 1000; round++) {
            const int64_t from_ns = ps_clock_ns();
            for (uint32_t k = 0; k < 100; k++) sum += expression_run(plan, &batch);
            const int64_t took_ns = ps_clock_ns() - from_ns;
            if (took_ns < best_ns) best_ns = took_ns;
        }
        printf("%-28s %5.1f ns a row (%u)\n", cases[i], (double)best_ns / 100 / EXPRESSION_ROWS,
               sum & 1);
        test_batch_free(&batch);
        expression_plan_free(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_of_every_type),
                                       cmocka_unit_test(three_values),
                                       cmocka_unit_test(precedence),
                                       cmocka_unit_test(arithmetic),
                                       cmocka_unit_test(examples_of_the_manual),
                                       cmocka_unit_test(filters_join),
                                       cmocka_unit_test(cost_of_a_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
