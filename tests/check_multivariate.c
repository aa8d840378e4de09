/* SPDX-License-Identifier: Apache-2.0
 * Kernel multivariate against its reference, and its distances and scores against numpy's, which
 * are LAPACK's (tests/golden/statistics). If it fails, what is odd only together is not seen.
 */
#include "kernels/multivariate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_found.h"

enum { COUNT = 260, FIELDS = 3, OUTPUTS = 5, SCORE = 0, T2, Q, ANOMALY, WHY };

void ps_check_multivariate(ps_check *c);

static double values[FIELDS * COUNT], out[OUTPUTS * COUNT];

static ps_multivariate_params params_of(uint32_t method, uint32_t fields) {
    return (ps_multivariate_params){.alpha = 2.0 / 81.0,
                                    .shrinkage = 0.05,
                                    .explained = 0.7,
                                    .threshold = 5.0,
                                    .fields = fields,
                                    .method = method,
                                    .warmup = 30,
                                    .refit = 16};
}

static check_found_kernel kernel_of(const ps_multivariate_params *p) {
    return (check_found_kernel){.params = p,
                                .inputs = p->fields,
                                .planes = ps_multivariate_planes(p->fields, p->method),
                                .together = true,
                                .outputs = OUTPUTS,
                                .width = {4, 8, 8, 1, 1}};
}

static bool same(double x, double exact, double part) {
    if (x != x || exact != exact) return x != x && exact != exact;
    return fabs(x - exact) <= part * fabs(exact) + 1e-9;
}

/* One method's rows of the file. */
static void check_golden(ps_check *c, uint32_t method) {
    static double expected[4][COUNT];
    ps_multivariate_params p = params_of(method, FIELDS);
    const check_found_kernel k = kernel_of(&p);
    char line[512], text[4][64];
    uint32_t count = 0, wrong = 0, anomalies = 0, of;
    FILE *in = fopen("tests/golden/statistics/multivariate.txt", "re");
    while (in != NULL && count < COUNT && fgets(line, sizeof line, in) != NULL) {
        double x[FIELDS];
        if (sscanf(line, "%u %lf %lf %lf %63s %63s %63s %63s", &of, &x[0], &x[1], &x[2], text[0],
                   text[1], text[2], text[3]) != 8 ||
            of != method)
            continue;
        for (uint32_t i = 0; i < FIELDS; i++) values[i * COUNT + count] = x[i];
        for (uint32_t i = 0; i < 4; i++) expected[i][count] = strtod(text[i], NULL);
        count++;
    }
    if (in != NULL) (void)fclose(in);
    if (count == COUNT) check_found_series(c, &k, COUNT, values, NULL, out);
    for (uint32_t row = 0; row < count; row++) {
        wrong += !same(out[T2 * COUNT + row], expected[0][row], 1e-9);
        wrong += !same(out[Q * COUNT + row], expected[1][row], 1e-9);
        wrong += !same(out[row], expected[2][row], 1e-6);
        anomalies += out[ANOMALY * COUNT + row] != 0.0;
    }
    check_that(c,
               count == COUNT && wrong == 0 && anomalies == 1 && out[ANOMALY * COUNT + 150] == 1.0,
               "method %u: %u numbers of %u rows, %u anomalies", method, wrong, count, anomalies);
    p.threshold = 0.0; /* then every row says why */
    if (count == COUNT) check_found_series(c, &k, COUNT, values, NULL, out);
    for (uint32_t row = 0; row < count; row++) wrong += out[WHY * COUNT + row] != expected[3][row];
    check_that(c, wrong == 0, "method %u: %u rows name another field", method, wrong);
}

/* Fields that agree up to noise, until one goes its own way within its usual range: no detector of
 * single fields could know. A constant field that stays so says nothing. */
static void check_together(ps_check *c, uint32_t method) {
    const ps_multivariate_params p = params_of(method, FIELDS);
    const check_found_kernel k = kernel_of(&p);
    for (uint32_t row = 0; row < COUNT; row++) {
        const double noise = (double)(check_random(c) % 1000) / 10000.0;
        values[row] = sin(row * 0.7);
        values[COUNT + row] = (row == 200 ? -1.0 : 1.0) * sin(row * 0.7) + noise;
        values[2 * COUNT + row] = 3.0;
    }
    values[2 * COUNT + 100] = (double)NAN; /* and takes the row with it */
    values[100] = 1e6;
    check_found_series(c, &k, COUNT, values, NULL, out);
    uint32_t alarms = 0;
    for (uint32_t row = 0; row < COUNT; row++) alarms += out[ANOMALY * COUNT + row] != 0.0;
    check_that(c, alarms == 1 && out[ANOMALY * COUNT + 200] == 1.0, "method %u: %u alarms", method,
               alarms);
    check_that(c, out[100] != out[100] && out[101] < 5.0, "a row that lacks a value");
    check_that(c, out[WHY * COUNT + 200] < 2.0 && out[WHY * COUNT + 199] == 255.0, "why");
    for (uint32_t i = 0; i < FIELDS * COUNT; i++) values[i] = 7.0;
    values[2 * COUNT + 200] = 8.0;
    check_found_series(c, &k, COUNT, values, NULL, out);
    check_that(c, out[199] < 0.5 && out[200] > 30.0 && out[WHY * COUNT + 200] == 2.0,
               "method %u: a constant that changes scores %g behind %g", method, out[200],
               out[199]);
}

void ps_check_multivariate(ps_check *c) {
    for (uint32_t method = 0; method < 2; method++) {
        const ps_multivariate_params two = params_of(method, 2);
        const ps_multivariate_params most = params_of(method, PS_MULTIVARIATE_FIELDS_MAX);
        const check_found_kernel one = kernel_of(&two), other = kernel_of(&most);
        check_found(c, &one);
        check_found(c, &other);
        check_golden(c, method);
        check_together(c, method);
    }
}
