/* SPDX-License-Identifier: Apache-2.0
 * Kernel forecast against its reference, its forecasts against those of statsmodels
 * (tests/golden/statistics), its bounds against the errors that they promise to hold. If it fails,
 * somebody plans with a wrong number.
 */
#include "kernels/forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_found.h"

enum { COUNT = 1400, OUTPUTS = 3, QUANTILES = 40, GOLDEN_ROWS = 160 };

void ps_check_forecast(ps_check *c);

static bool is_nan(double x) {
    return x != x;
}

/* Near enough to Student's at 95 %: what they are is the stage's business. */
static double quantile[QUANTILES];
static double values[COUNT], out[OUTPUTS * COUNT];

static ps_forecast_params params_of(uint32_t method, uint32_t parts, uint32_t horizon,
                                    uint32_t learn) {
    ps_forecast_params p = {.weights = {0.2, 0.02, 0.25, 0.9},
                            .variance = 0.05,
                            .horizon = horizon,
                            .parts = parts,
                            .learn = learn,
                            .method = method,
                            .warmup = 6,
                            .quantiles = QUANTILES};
    for (uint32_t i = 1; i <= horizon; i++) p.damped += pow(0.9, i);
    return p;
}

static check_found_kernel kernel_of(const ps_forecast_params *p) {
    return (check_found_kernel){.params = p,
                                .inputs = 1,
                                .planes = PS_FORECAST_PLANES + p->parts + p->horizon + p->learn,
                                .together = true,
                                .outputs = OUTPUTS,
                                .width = {8, 8, 8},
                                .constant = quantile,
                                .constant_bytes = sizeof quantile};
}

static void forecast(ps_check *c, const ps_forecast_params *p, uint32_t count) {
    const check_found_kernel k = kernel_of(p);
    check_found_series(c, &k, count, values, NULL, out);
}

static void check_golden(ps_check *c) {
    static double expected[2][GOLDEN_ROWS], x[2][GOLDEN_ROWS];
    uint32_t count[2] = {0, 0}, wrong = 0, compared = 0, method;
    char line[128], number[64];
    FILE *in = fopen("tests/golden/statistics/forecast.txt", "re");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        double value;
        if (sscanf(line, "%u %lf %63s", &method, &value, number) != 3 || method > 1) continue;
        x[method][count[method]] = value;
        expected[method][count[method]++] = strtod(number, NULL);
    }
    if (in != NULL) (void)fclose(in);
    for (method = 0; method < 2; method++) {
        const ps_forecast_params p = params_of(method, 4, 3, 0);
        memcpy(values, x[method], sizeof x[method]);
        forecast(c, &p, GOLDEN_ROWS);
        for (uint32_t row = 0; row < count[method]; row++) {
            if (is_nan(expected[method][row])) continue;
            wrong += !(fabs(out[row] - expected[method][row]) <= 1e-9 * fabs(out[row]));
            compared++;
        }
    }
    check_that(c, compared > 200 && wrong == 0, "%u of %u forecasts are not statsmodels'", wrong,
               compared);
}

/* The bounds once more, in long double, from the forecasts themselves. */
static void check_bounds(ps_check *c) {
    const ps_forecast_params p = params_of(PS_FORECAST_ADDITIVE, 1, 2, 0);
    long double square = 0, errors = 0;
    uint32_t wrong = 0, inside = 0, all = 0;
    for (uint32_t row = 0; row < COUNT; row++) {
        double sum = 0;
        for (int i = 0; i < 12; i++) sum += (double)(check_random(c) >> 11) / 9007199254740992.0;
        values[row] = 100.0 + sum;
    }
    forecast(c, &p, COUNT);
    for (uint32_t row = 0; row < COUNT; row++) {
        const double *low = out + COUNT, *high = out + 2 * COUNT;
        if (row >= 2 && !is_nan(out[row - 2])) {
            const long double e = values[row] - out[row - 2];
            const long double v = fmaxl(p.variance, 1.0L / (errors + 1.0L));
            square += v * (e * e - square);
            errors++;
        }
        if (row >= 2 && !is_nan(low[row - 2])) {
            inside += values[row] >= low[row - 2] && values[row] <= high[row - 2];
            all++;
        }
        wrong += errors < 4 ? !is_nan(low[row]) : is_nan(low[row]);
        if (is_nan(low[row])) continue;
        const uint32_t df = (uint32_t)fminl(errors, 2.0L / p.variance - 1.0L) / 2;
        const long double half = quantile[df - 1] * sqrtl(square);
        wrong +=
            fabsl(out[row] - low[row] - half) > 1e-9L || fabsl(high[row] - out[row] - half) > 1e-9L;
    }
    check_that(c, wrong == 0, "%u bounds are not what the errors say", wrong);
    check_that(c, inside > all * 92 / 100 && inside < all * 99 / 100, "%u of %u values inside",
               inside, all);
}

/* Naive forecasts are the values of a season before, so they say which season was found. A ripple
 * of three rows makes peaks of the autocorrelation long before the season's. */
static void check_season(ps_check *c, uint32_t season, double noise, double ripple) {
    enum { LEARN = 192, MOST = 48 };
    const ps_forecast_params p = params_of(PS_FORECAST_NAIVE, MOST, 1, LEARN);
    uint32_t wrong = 0;
    for (uint32_t row = 0; row < COUNT; row++)
        values[row] = 5.0 + 0.03 * row + noise * (double)(check_random(c) % 1000) / 1000.0 +
                      (season > 1 ? 3.0 * cos(6.283185307179586 * row / season) : 0.0) +
                      ripple * cos(2.0943951023931953 * row);
    forecast(c, &p, COUNT);
    for (uint32_t row = 0; row < LEARN - 1; row++) wrong += !is_nan(out[row]);
    for (uint32_t row = LEARN - 1; row < COUNT; row++)
        wrong += out[row] != values[row + 1 - season];
    check_that(c, wrong == 0, "season %u, noise %g: %u forecasts are not of a season before",
               season, noise, wrong);
}

/* A row without a value is one of the season's rows, and where a season multiplies, so is 0. */
static void check_gaps(ps_check *c) {
    for (uint32_t method = 0; method < 3; method++) {
        const ps_forecast_params p = params_of(method, 3, 1, 0);
        uint32_t wrong = 0;
        for (uint32_t row = 0; row < 300; row++)
            values[row] = row % 17 == 5 ? (double)NAN : 10.0 * (1 + row % 3);
        forecast(c, &p, 300);
        for (uint32_t row = 90; row < 299; row++)
            wrong += row % 17 == 5 ? !is_nan(out[row])
                                   : !(fabs(out[row] - 10.0 * (1 + (row + 1) % 3)) < 0.5);
        check_that(c, wrong == 0, "method %u: %u rows around gaps", method, wrong);
    }
    const ps_forecast_params p = params_of(PS_FORECAST_MULTIPLICATIVE, 3, 1, 0);
    for (uint32_t row = 0; row < 60; row++) values[row] = row == 50 ? 0.0 : row == 51 ? -1.0 : 4.0;
    forecast(c, &p, 60);
    check_that(c, is_nan(out[50]) && is_nan(out[51]) && out[52] == 4.0, "0 multiplies");
}

void ps_check_forecast(ps_check *c) {
    for (uint32_t i = 0; i < QUANTILES; i++) quantile[i] = 2.0 + 10.0 / ((i + 1.0) * (i + 1.0));
    for (uint32_t method = 0; method < 3; method++) {
        const ps_forecast_params given = params_of(method, 5, 3, 0);
        const ps_forecast_params found = params_of(method, 8, 1, 32);
        const check_found_kernel one = kernel_of(&given), other = kernel_of(&found);
        check_found(c, &one);
        check_found(c, &other);
    }
    check_golden(c);
    check_bounds(c);
    check_season(c, 7, 0.2, 0.0);
    check_season(c, 12, 1.0, 0.0);
    check_season(c, 24, 3.0, 0.0);
    check_season(c, 2, 0.5, 0.0);
    check_season(c, 1, 1.0, 0.0);
    check_season(c, 48, 0.1, 1.0);
    check_gaps(c);
}
