/* SPDX-License-Identifier: Apache-2.0
 * Kernel risk against its reference, and its trends against weighted sums over all values at once
 * (tests/golden/statistics). If it fails, a machine fails sooner than somebody was told.
 */
#include "kernels/risk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_found.h"

enum { COUNT = 220, FIELDS_MOST = 3, OUTPUTS_MOST = (int)PS_RISK_PARTS + FIELDS_MOST };

void ps_check_risk(ps_check *c);

static double values[FIELDS_MOST * COUNT], out[OUTPUTS_MOST * COUNT];
static int64_t time_ms[COUNT];

static const ps_risk_params base = {.keep = 1.0 - 2.0 / 41.0,
                                    .horizon = 600.0,
                                    .confidence = 0.95,
                                    .fields = 1,
                                    .warmup = 5,
                                    .capacity = CHECK_FOUND_SERIES};

static bool is_nan(double x) {
    return x != x;
}

static check_found_kernel kernel_of(const ps_risk_params *p, const double *limit) {
    check_found_kernel k = {.params = p,
                            .inputs = p->fields,
                            .timed = true,
                            .planes = PS_RISK_TRENDS + PS_RISK_TREND * p->fields,
                            .outputs = PS_RISK_PARTS + p->fields,
                            .width = {4, 8, 8, 1},
                            .constant = limit,
                            .constant_bytes = p->fields * PS_RISK_CONSTANTS * sizeof *limit};
    memset(k.width + PS_RISK_PARTS, 8, p->fields);
    return k;
}

static bool same(double x, double exact) {
    if (is_nan(x) || is_nan(exact)) return is_nan(x) == is_nan(exact);
    return fabs(x - exact) <= 1e-7 * fabs(exact) + 1e-9;
}

static void check_golden(ps_check *c) {
    static const double limit[] = {100.0, 1.0, 1.0};
    static double seconds[COUNT], sure[COUNT];
    const check_found_kernel k = kernel_of(&base, limit);
    char line[256], left[64], likely[64];
    uint32_t count = 0, wrong = 0, known = 0;
    FILE *in = fopen("tests/golden/statistics/risk.txt", "re");
    while (in != NULL && count < COUNT && fgets(line, sizeof line, in) != NULL) {
        long long ms;
        if (sscanf(line, "%lld %lf %63s %63s", &ms, &values[count], left, likely) != 4) continue;
        time_ms[count] = ms;
        seconds[count] = strtod(left, NULL);
        sure[count++] = strtod(likely, NULL);
    }
    if (in != NULL) (void)fclose(in);
    if (count == COUNT) check_found_series(c, &k, COUNT, values, time_ms, out);
    for (uint32_t row = 0; row < count; row++) {
        const double part = is_nan(seconds[row]) ? 0.0 : sure[row] * 600.0 / (600.0 + seconds[row]);
        wrong += !same(out[COUNT * PS_RISK_LEFT + row], seconds[row]);
        wrong += row >= 4 && !same(out[COUNT * PS_RISK_PARTS + row], part);
        if (part > 0.0) wrong += !same(out[COUNT * PS_RISK_CONFIDENCE + row], sure[row]);
        wrong += row >= 4 ? fabs(out[row] - part) > 1e-6 : out[row] == out[row];
        known += part > 0.0;
    }
    check_that(c, count == COUNT && known > 50 && wrong == 0, "%u of %u rows, %u with a trend",
               wrong, count, known);
}

/* A line up, one down and a constant: what each adds, what they come to, which one it is. */
static void check_factors(ps_check *c) {
    static const double limit[] = {1000.0, 1.0, 0.5, 0.0, -1.0, 1.0, 50.0, 1.0, 1.0};
    ps_risk_params p = base;
    p.fields = FIELDS_MOST;
    const check_found_kernel k = kernel_of(&p, limit);
    for (uint32_t row = 0; row < COUNT; row++) {
        time_ms[row] = (int64_t)row * 1000;
        values[row] = row;                         /* reaches its limit after 1000 s */
        values[COUNT + row] = 300.0 - (double)row; /* and falls to its own after 300 s */
        values[2 * COUNT + row] = 7.0;
    }
    check_found_series(c, &k, COUNT, values, time_ms, out);
    uint32_t wrong = 0;
    for (uint32_t row = 4; row < COUNT; row++) {
        const double up = 0.5 * 600.0 / (600.0 + 1000.0 - row), down = 600.0 / (900.0 - row);
        const double *parts = out + COUNT * PS_RISK_PARTS + row;
        wrong += !same(parts[0], up) || !same(parts[COUNT], down) || parts[2 * COUNT] != 0.0;
        wrong += fabs(out[row] - (1.0 - (1.0 - up) * (1.0 - down))) > 1e-6;
        wrong += out[COUNT * PS_RISK_FACTOR + row] != 1.0;
        wrong += !same(out[COUNT * PS_RISK_LEFT + row], 300.0 - row);
    }
    check_that(c, wrong == 0, "%u rows of three fields are wrong", wrong);
}

/* Beyond the limit there is no time left; without a time there is nothing to say; one that comes
 * late does not turn the clock back. */
static void check_edges(ps_check *c) {
    static const double limit[] = {5.0, 1.0, 1.0};
    const check_found_kernel k = kernel_of(&base, limit);
    for (uint32_t row = 0; row < COUNT; row++) values[row] = 7.0, time_ms[row] = 5000;
    check_found_series(c, &k, COUNT, values, time_ms, out);
    check_that(c, out[100] == 1.0 && out[COUNT * PS_RISK_LEFT + 100] == 0.0, "beyond the limit");
    for (uint32_t row = 0; row < COUNT; row++) time_ms[row] = -1;
    check_found_series(c, &k, COUNT, values, time_ms, out);
    check_that(c, is_nan(out[100]), "no time");
    for (uint32_t row = 0; row < COUNT; row++) {
        time_ms[row] = (row % 10 == 9 ? row - 5 : row) * 1000;
        values[row] = (double)time_ms[row] / 1e6;
    }
    check_found_series(c, &k, COUNT, values, time_ms, out);
    const double late = out[COUNT * PS_RISK_LEFT + 99], before = out[COUNT * PS_RISK_LEFT + 98];
    check_that(c, fabs(late - before) < 1e-6 * before, "%g s left, %g before", late, before);
}

void ps_check_risk(ps_check *c) {
    static const double limit[] = {45.0, 1.0, 1.0, 30.0, -1.0, 0.5};
    ps_risk_params two = base;
    two.fields = 2;
    two.confidence = 0.1;
    const check_found_kernel k = kernel_of(&two, limit);
    check_found(c, &k);
    check_golden(c);
    check_factors(c);
    check_edges(c);
}
