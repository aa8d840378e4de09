/* SPDX-License-Identifier: Apache-2.0
 * Kernel drift against its reference, against a test over the values themselves, and its arithmetic
 * against scipy's (tests/golden/statistics). If it fails, a p-value is not what it says it is.
 */
#include "kernels/drift.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_found.h"

enum { BASELINE = 50, PANE = 3, WINDOW = PANE * (int)PS_DRIFT_PANES, OUTPUTS = 6, COUNT = 400 };

void ps_check_drift(ps_check *c);

static const ps_drift_params params = {.score = 6.0,
                                       .effect = 0.25,
                                       .baseline = BASELINE,
                                       .pane = PANE,
                                       .renew = 1,
                                       .capacity = CHECK_FOUND_SERIES};

static ps_welch_sample sample_of(const double *values, uint32_t count) {
    ps_welch_sample s = {0.0, 0.0, 0.0};
    for (uint32_t i = 0; i < count; i++) ps_welch_add(&s, values[i]);
    return s;
}

static bool near(double x, double exact, double part) {
    return fabs(x - exact) <= part * fabs(exact);
}

static bool read_line(FILE *in, double *numbers, uint32_t *count, uint32_t most) {
    static char line[1 << 14];
    do
        if (fgets(line, sizeof line, in) == NULL) return false;
    while (line[0] == '#');
    char *at = line, *end;
    for (*count = 0; *count < most; ++*count, at = end) {
        numbers[*count] = strtod(at, &end);
        if (end == at) break;
    }
    return true;
}

/* Numbers of each line are given to `check`. */
static void check_golden(ps_check *c, const char *name, bool (*check)(const double *numbers)) {
    char path[256];
    double numbers[128];
    uint32_t count, lines = 0, wrong = 0;
    (void)snprintf(path, sizeof path, "tests/golden/statistics/%s", name);
    FILE *in = fopen(path, "re");
    for (; in != NULL && read_line(in, numbers, &count, 128); lines++) wrong += !check(numbers);
    if (in != NULL) (void)fclose(in);
    check_that(c, lines > 40 && wrong == 0, "%u of %u lines of %s are wrong", wrong, lines, name);
}

static bool beta_is(const double *of) {
    const double log_tail = ps_log_beta_tail(of[0], of[1], of[2]);
    return fabs(log_tail - of[3]) <= 1e-10 + 1e-13 * fabs(of[3]);
}

static bool welch_is(const double *of) {
    const uint32_t n = (uint32_t)of[0], m = (uint32_t)of[1];
    const ps_welch w = ps_welch_test(sample_of(of + 2, n), sample_of(of + 2 + n, m));
    const double *expected = of + 2 + n + m;
    return near(w.t, expected[0], 1e-9) && near(w.df, expected[1], 1e-9) &&
           near(ps_tail(w.log_p), expected[2], 1e-8);
}

/* Welch's test over the values themselves, baseline and window being whatever lies there. */
static void check_values(ps_check *c, const check_found_kernel *k) {
    static double values[COUNT], out[OUTPUTS * COUNT];
    uint32_t base = 0, wrong = 0, tests = 0, drifts = 0;
    for (uint32_t row = 0; row < COUNT; row++)
        values[row] = (double)(check_random(c) % 1000) / 100.0 + (row < 200 ? 0.0 : 20.0);
    check_found_series(c, k, COUNT, values, NULL, out);
    for (uint32_t row = 0; row < COUNT; row++) {
        const uint32_t behind = row + 1 - base;
        const double score = out[4 * COUNT + row];
        if (behind < BASELINE + WINDOW || (behind - BASELINE) % PANE != 0) {
            wrong += score == score || out[5 * COUNT + row] != 0.0;
            continue;
        }
        const ps_welch_sample one = sample_of(values + base, BASELINE);
        const ps_welch_sample two = sample_of(values + row + 1 - WINDOW, WINDOW);
        const ps_welch w = ps_welch_test(one, two);
        wrong += !near(out[row], w.t, 1e-9) || !near(out[COUNT + row], w.df, 1e-9);
        wrong += !near(out[2 * COUNT + row], exp(w.log_p), 1e-8);
        wrong += !near(out[3 * COUNT + row], w.change, 1e-9);
        const bool drift = score >= 6.0;
        wrong += out[5 * COUNT + row] != (double)drift;
        tests++, drifts += drift;
        if (drift) base = row + 1;
    }
    check_that(c, wrong == 0 && tests > 40 && drifts == 1, "%u of %u tests, %u drifts", wrong,
               tests, drifts);
}

/* What a baseline and a window without any variance are to each other; and that an effect may be
 * asked for that a significant change has not. */
static void check_edges(ps_check *c, check_found_kernel *k) {
    static double values[COUNT], out[OUTPUTS * COUNT];
    for (uint32_t row = 0; row < COUNT; row++) values[row] = row < 100 ? 7.0 : 7.5;
    check_found_series(c, k, COUNT, values, NULL, out);
    uint32_t row = BASELINE + WINDOW - 1;
    check_that(c, out[row] == 0.0 && out[2 * COUNT + row] == 1.0 && out[4 * COUNT + row] == 0.0,
               "a constant series drifts");
    while (row < COUNT && out[5 * COUNT + row] == 0.0) row++;
    check_that(c, row < COUNT && out[3 * COUNT + row] > 0.0, "no drift of a constant series");
    ps_drift_params large = params;
    large.effect = 100.0;
    k->params = &large;
    for (row = 0; row < COUNT; row++) values[row] = row % 3 + (row < 100 ? 0.0 : 5.0);
    check_found_series(c, k, COUNT, values, NULL, out);
    for (row = 0; row < COUNT; row++)
        check_that(c, out[5 * COUNT + row] == 0.0, "an effect that is too small");
    k->params = &params;
}

void ps_check_drift(ps_check *c) {
    check_found_kernel k = {.params = &params,
                            .inputs = 1,
                            .planes = PS_DRIFT_PLANES,
                            .outputs = OUTPUTS,
                            .width = {8, 8, 8, 8, 4, 1}};
    check_found(c, &k);
    check_values(c, &k);
    check_edges(c, &k);
    check_golden(c, "beta.txt", beta_is);
    check_golden(c, "welch.txt", welch_is);
}
