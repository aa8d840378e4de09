/* SPDX-License-Identifier: Apache-2.0
 * Breaks if: what several rounds say together is not what they say: a median or a spread is
 * another number, a ratio is taken across rounds, or what starting and stopping cost counts as an
 * event's; if a row's ratio is to something else than what stands beside it; or if the file of
 * results says what was not measured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/cases.h"
#include "bench/compare.h"

static ps_samples samples_of(uint32_t count, const double *values) {
    ps_samples samples = {.count = 0};
    for (uint32_t i = 0; i < count; i++) ps_samples_add(&samples, values[i]);
    return samples;
}
#define SAMPLES(...) \
    samples_of(sizeof(double[]){__VA_ARGS__} / sizeof(double), (const double[]){__VA_ARGS__})

static void test_median_and_spread(void **state) {
    (void)state;
    const ps_samples none = {.count = 0}, odd = SAMPLES(9, 1, 5), even = SAMPLES(8, 2, 6, 4);
    assert_true(ps_samples_median(&none) == 0 && ps_samples_spread(&none) == 0);
    assert_true(ps_samples_median(&odd) == 5 && ps_samples_spread(&odd) == 8.0 / 5);
    assert_true(ps_samples_median(&even) == 5 && ps_samples_spread(&even) == 6.0 / 5);
}

static void test_no_more_samples_than_fit(void **state) {
    (void)state;
    ps_samples all = {.count = 0};
    for (int i = 0; i < 2 * PS_SAMPLES_MAX; i++) ps_samples_add(&all, 1);
    assert_int_equal(all.count, PS_SAMPLES_MAX);
}

/* The machine was four times as slow in the second round: the ratio is what it was. */
static void test_a_ratio_is_of_one_round(void **state) {
    (void)state;
    double spread = -1;
    const ps_samples own = SAMPLES(10, 40, 10), other = SAMPLES(20, 80, 20);
    assert_true(ps_samples_ratio(&own, &other, NULL, &spread) == 0.5);
    assert_true(spread == 0);
}

static void test_a_ratio_to_two_that_come_together(void **state) {
    (void)state;
    const ps_samples own = SAMPLES(33, 66), plain = SAMPLES(20, 40), codec = SAMPLES(10, 20);
    assert_true(ps_samples_ratio(&own, &plain, &codec, NULL) == 33.0 / 30);
}

/* A run that was cut off has rounds of the one and not of the other; a clock that stood still
 * divides by nothing. */
static void test_a_ratio_of_rounds_that_all_have(void **state) {
    (void)state;
    const ps_samples own = SAMPLES(10, 30, 1000), other = SAMPLES(20, 0), none = {.count = 0};
    assert_true(ps_samples_ratio(&own, &other, NULL, NULL) == 0.5);
    assert_true(ps_samples_ratio(&own, &none, NULL, NULL) == 0);
    assert_true(ps_samples_ratio(&own, &other, &none, NULL) == 0);
}

static void test_starting_and_stopping_is_no_events(void **state) {
    (void)state;
    ps_result result = {.kernel = "k"};
    const ps_measure full = {.cpu_s = 3, .rss_mib = 7};
    ps_result_add(&result, &full, 1, 1000, 4);
    ps_result_add(&result, &full, 5, 1000, 4); /* noise: not less than nothing */
    assert_true(result.cpu_ns.at[0] == 2e6 && result.cpu_ns.at[1] == 0);
    assert_true(result.wall_ns.at[0] == 4e6 && result.rss_mib.at[0] == 7);
    assert_true(result.fixed_cpu_ms.at[0] == 1000);
}

static void test_a_number_of_a_line(void **state) {
    (void)state;
    static const char line[] = "{\"rows_in\":12,\"rows\":3.5}";
    assert_true(ps_json_number(line, "rows") == 3.5 && ps_json_number(line, "rows_in") == 12);
    assert_true(ps_json_number(line, "lost") == -1);
}

/* ---- rows ---- */

typedef struct fixture {
    ps_bench bench;
    ps_bench_config config;
    char path[32], text[1 << 14];
} fixture;

static int open_fixture(void **state) {
    fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    (void)snprintf(f->path, sizeof f->path, "/tmp/bench.XXXXXX");
    const int file = mkstemp(f->path);
    if (file < 0) return -1;
    (void)close(file);
    f->config.json = f->path;
    f->bench.config = &f->config;
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    fixture *f = *state;
    (void)unlink(f->path);
    free(f);
    return 0;
}

static ps_result *add_row(fixture *f, const char *impl, bool own, double cpu_ns) {
    ps_result *r = ps_result_of(&f->bench, "case", impl, own);
    const ps_measure m = {.cpu_s = cpu_ns * 1e-9};
    ps_result_add(r, &m, 0, 1, 1e-6);
    return r;
}

/* The row of that implementation as the file has it. */
static const char *row_of(fixture *f, const char *impl) {
    ps_error error;
    char name[64], *at;
    ps_results_print(&f->bench);
    assert_int_equal(ps_results_write(&f->bench, &error), PS_OK);
    FILE *in = fopen(f->path, "re");
    assert_non_null(in);
    f->text[fread(f->text, 1, sizeof f->text - 1, in)] = '\0';
    (void)fclose(in);
    (void)snprintf(name, sizeof name, "\"impl\":\"%s\"", impl);
    at = strstr(f->text, name);
    assert_non_null(at);
    at[strcspn(at, "\n")] = '\0';
    return at;
}

static void test_each_client_beside_the_bare_loop(void **state) {
    fixture *f = *state;
    (void)add_row(f, "bare loop", false, 2000);
    (void)add_row(f, "penstock (native)", true, 500);
    (void)add_row(f, "penstock (librdkafka)", true, 1500);
    assert_true(ps_json_number(row_of(f, "penstock (native)"), "ratio_to_bare") == 0.25);
    assert_true(ps_json_number(row_of(f, "penstock (librdkafka)"), "ratio_to_bare") == 0.75);
    assert_true(ps_json_number(row_of(f, "bare loop"), "ratio_to_bare") == 0);
}

static void test_the_file_says_what_was_measured(void **state) {
    fixture *f = *state;
    (void)add_row(f, "plain", true, 500);
    assert_null(strstr(row_of(f, "plain"), "idle"));
    assert_null(strstr(row_of(f, "plain"), "ratio_to_plain"));
    ps_samples_add(&add_row(f, "slow", true, 700)->idle_us, 1250);
    assert_true(ps_json_number(row_of(f, "slow"), "idle_us_per_s") == 1250);
    add_row(f, "lz4", true, 700)->ratio_to_plain = 1.25;
    assert_true(ps_json_number(row_of(f, "lz4"), "ratio_to_plain") == 1.25);
}

static void test_a_case_that_takes_long_is_asked_for(void **state) {
    fixture *f = *state;
    static const char *const names[] = {"slow"};
    assert_true(ps_bench_wants(&f->bench, "headers"));
    assert_false(ps_bench_names_it(&f->bench, "slow"));
    f->config.names = names;
    f->config.name_count = 1;
    assert_false(ps_bench_wants(&f->bench, "headers"));
    assert_true(ps_bench_wants(&f->bench, "slow") && ps_bench_names_it(&f->bench, "slow"));
}

/* ---- two results ---- */

/* Writes one row of `rounds` rounds with that median, mean and deviation. */
static void write_result(const char *path, double ns, double deviation, int rounds) {
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    (void)fprintf(out,
                  "{\n\"rows\":[\n{\"kernel\":\"k\",\"case\":\"64\",\"impl\":\"scalar\","
                  "\"ns_per_record\":%g,\"spread\":0.01,\"rounds\":%d,\"mean_ns\":%g,"
                  "\"deviation_ns\":%g}\n]}\n",
                  ns, rounds, ns, deviation);
    (void)fclose(out);
}

static uint32_t slower_of(fixture *f, double ns, double deviation, int rounds) {
    char before[40];
    ps_error error;
    uint32_t slower = 99;
    (void)snprintf(before, sizeof before, "%s.before", f->path);
    write_result(before, 100, deviation, rounds);
    write_result(f->path, ns, deviation, rounds);
    const ps_compare_config config = {.before = before, .after = f->path, .band = 5, .p = 0.001};
    assert_int_equal(ps_bench_compare(&config, &slower, &error), PS_OK);
    (void)unlink(before);
    return slower;
}

/* 10 ns of 100 with a deviation of 10: t is 3.87 over 31 rounds each, p 0.00027; over 5 it is 1.58,
 * p 0.15. 4 ns are within the band, however sure. */
static void test_slower_is_what_chance_does_not_explain(void **state) {
    fixture *f = *state;
    assert_int_equal(slower_of(f, 110, 10.0, 31), 1);
    assert_int_equal(slower_of(f, 110, 10.0, 5), 0);
    assert_int_equal(slower_of(f, 104, 0.1, 31), 0);
    assert_int_equal(slower_of(f, 90, 0.1, 31), 0);
    assert_int_equal(slower_of(f, 110, -1.0, 1), 1); /* a file that does not say how rounds lay */
}

static void test_what_is_no_result_is_refused(void **state) {
    fixture *f = *state;
    uint32_t slower;
    ps_error error;
    const ps_compare_config config = {.before = f->path, .after = f->path};
    assert_int_equal(ps_bench_compare(&config, &slower, &error), PS_IO);
}

/* Breaks if rows that do not fit are left out and nobody is told. */
static void test_more_rows_than_fit_are_refused(void **state) {
    fixture *f = *state;
    uint32_t slower;
    ps_error error;
    const ps_compare_config config = {.before = f->path, .after = f->path, .band = 5, .p = 0.001};
    for (uint32_t rows = 4096; rows <= 4097; rows++) {
        FILE *out = fopen(f->path, "we");
        assert_non_null(out);
        for (uint32_t i = 0; i < rows; i++)
            (void)fprintf(out, "{\"kernel\":\"k\",\"case\":\"64\",\"ns_per_record\":1}\n");
        (void)fclose(out);
        assert_int_equal(ps_bench_compare(&config, &slower, &error), rows > 4096 ? PS_IO : PS_OK);
    }
    assert_non_null(strstr(error.message, "4097 rows, and 4096 can be compared"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median_and_spread),
        cmocka_unit_test(test_no_more_samples_than_fit),
        cmocka_unit_test(test_a_ratio_is_of_one_round),
        cmocka_unit_test(test_a_ratio_to_two_that_come_together),
        cmocka_unit_test(test_a_ratio_of_rounds_that_all_have),
        cmocka_unit_test(test_starting_and_stopping_is_no_events),
        cmocka_unit_test(test_a_number_of_a_line),
        cmocka_unit_test_setup_teardown(test_each_client_beside_the_bare_loop, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_the_file_says_what_was_measured, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_a_case_that_takes_long_is_asked_for, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_slower_is_what_chance_does_not_explain, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_what_is_no_result_is_refused, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_more_rows_than_fit_are_refused, open_fixture,
                                        close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
