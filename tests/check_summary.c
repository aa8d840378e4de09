/* SPDX-License-Identifier: Apache-2.0
 * Series with every kind of value, in one batch and cut in two, against the reference; and the
 * reference against sums in long double.
 */
#include "kernels/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/check_kernels.h"

enum { ROWS = 3000, SERIES = 60, CAPACITY = 64, OUTPUTS = 9, PLANES = PS_SUMMARY_PLANES };

void ps_check_summary(ps_check *c);

static const uint32_t what[OUTPUTS] = {
    PS_SUMMARY_COUNT,    PS_SUMMARY_NAN,      PS_SUMMARY_SUM,
    PS_SUMMARY_MEAN,     PS_SUMMARY_SQUARES,  PS_SUMMARY_LEAST,
    PS_SUMMARY_GREATEST, PS_SUMMARY_VARIANCE, PS_SUMMARY_DEVIATION};

typedef struct rows {
    uint32_t segments;
    uint64_t *value;
    uint8_t *validity, *fresh;
    uint32_t *column, *order, *first, *series, *segment_of;
} rows;

typedef struct result {
    double *block, *state, *image;
} result;

static rows rows_take(ps_check *c, uint32_t segments, uint32_t type) {
    static const double wild[] = {0.0,   -0.0,   1e300,  (double)INFINITY, (double)-INFINITY,
                                  1e140, -1e140, 5e-324, (double)NAN};
    rows r = {.segments = segments,
              .value = check_take(c, ROWS * 8),
              .validity = check_take(c, (ROWS + 7) / 8),
              .fresh = check_take(c, segments),
              .column = check_take(c, OUTPUTS * 2 * sizeof(uint32_t)),
              .order = check_take(c, ROWS * sizeof(uint32_t)),
              .first = check_take(c, (segments + 1) * sizeof(uint32_t)),
              .series = check_take(c, segments * sizeof(uint32_t)),
              .segment_of = check_take(c, ROWS * sizeof(uint32_t))};
    uint32_t at[SERIES + 1] = {0};
    memset(r.validity, 0xff, (ROWS + 7) / 8);
    memset(r.first, 0, (segments + 1) * sizeof(uint32_t));
    for (uint32_t row = 0; row < ROWS; row++) {
        double x = 1e6 + (double)(check_random(c) % 100000) / 1000.0;
        if (check_random(c) % 12 == 0) x = wild[check_random(c) % 9];
        memcpy(&r.value[row], &x, sizeof x);
        if (type == PS_VALUE_I64) r.value[row] = check_random(c) >> 20;
        if (check_random(c) % 9 == 0) r.validity[row / 8] &= (uint8_t) ~(1u << row % 8);
        r.segment_of[row] = (uint32_t)(check_random(c) % (segments + 1)); /* some in none */
        if (r.segment_of[row] < segments) r.first[r.segment_of[row] + 1]++;
    }
    for (uint32_t s = 0; s < segments; s++) {
        r.first[s + 1] += r.first[s];
        r.series[s] = (s * 7 + 3) % CAPACITY;
        r.fresh[s] = s % 5 != 0;
    }
    memcpy(at, r.first, segments * sizeof at[0]);
    for (uint32_t row = 0; row < ROWS; row++)
        if (r.segment_of[row] < segments) r.order[at[r.segment_of[row]]++] = row;
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        r.column[2 * i] = what[i];
        r.column[2 * i + 1] = i * ROWS * 8;
    }
    return r;
}

static result result_take(ps_check *c, uint32_t segments) {
    const result to = {check_take(c, OUTPUTS * ROWS * sizeof(double)),
                       check_take(c, PLANES * CAPACITY * sizeof(double)),
                       check_take(c, segments * PLANES * sizeof(double))};
    memset(to.block, 0x55, OUTPUTS * ROWS * sizeof(double));
    for (uint32_t i = 0; i < PLANES * CAPACITY; i++) to.state[i] = 3.0;
    memset(to.image, 0x66, segments * PLANES * sizeof(double));
    return to;
}

static void run(ps_kernel_fn *fn, const rows *r, const result *to, uint32_t type, uint32_t begin,
                uint32_t end) {
    const ps_summary_params params = {CAPACITY, type, OUTPUTS, 0};
    fn((void *const[]){to->block, r->column, r->value, r->validity, r->order, r->first, r->series,
                       r->fresh, to->state, to->image},
       &params, begin, end);
}

static void check_equal(ps_check *c, uint32_t segments, uint32_t type, bool all_null) {
    const rows r = rows_take(c, segments, type);
    if (all_null) memset(r.validity, 0, (ROWS + 7) / 8);
    const result expected = result_take(c, segments), actual = result_take(c, segments);
    const uint32_t cut = (uint32_t)(check_random(c) % (segments + 1));
    run(c->kernel->reference, &r, &expected, type, 0, segments);
    run(c->fn, &r, &actual, type, cut, segments);
    run(c->fn, &r, &actual, type, 0, cut);
    check_that(c, !memcmp(expected.block, actual.block, OUTPUTS * ROWS * sizeof(double)),
               "columns of %u segments differ", segments);
    check_that(c, !memcmp(expected.state, actual.state, PLANES * CAPACITY * sizeof(double)),
               "state of %u segments differs", segments);
    check_that(c, !memcmp(expected.image, actual.image, segments * PLANES * sizeof(double)),
               "image of %u segments differs", segments);
    check_release(c);
}

/* One series, once in a batch of its own and once in two: the state carries everything. */
static void check_cut(ps_check *c) {
    rows r = rows_take(c, 1, PS_VALUE_F64);
    const result whole = result_take(c, 1), parts = result_take(c, 1);
    const uint32_t all = r.first[1], half = all / 3;
    r.fresh[0] = 1;
    run(c->fn, &r, &whole, PS_VALUE_F64, 0, 1);
    r.first[1] = half;
    run(c->fn, &r, &parts, PS_VALUE_F64, 0, 1);
    r.fresh[0] = 0;
    r.first[0] = half;
    r.first[1] = all;
    run(c->fn, &r, &parts, PS_VALUE_F64, 0, 1);
    check_that(c,
               !memcmp(whole.block, parts.block, OUTPUTS * ROWS * sizeof(double)) &&
                   !memcmp(whole.image, parts.image, PLANES * sizeof(double)),
               "a cut after %u of %u rows shows", half, all);
    check_release(c);
}

static bool near(double x, long double exact, long double scale) {
    return fabsl((long double)x - exact) <= 1e-12L * scale;
}

/* Against plain sums over the rows before and at each row. Values are near 1e6, with a spread of
 * 100. */
static void check_sums(ps_check *c) {
    rows r = rows_take(c, 1, PS_VALUE_F64);
    const result to = result_take(c, 1);
    long double count = 0, nan = 0, sum = 0, squares = 0;
    double least = 0, greatest = 0;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ROWS; i++) { /* what is far larger than the rest hides errors */
        double x;
        memcpy(&x, &r.value[i], sizeof x);
        if (fabs(x) == 1e140) r.value[i] = 0;
    }
    r.fresh[0] = 1;
    run(c->fn, &r, &to, PS_VALUE_F64, 0, 1);
    for (uint32_t i = 0; i < r.first[1]; i++) {
        const uint32_t row = r.order[i];
        const uint32_t valid = (uint32_t)r.validity[row / 8] >> row % 8 & 1;
        double x, out[OUTPUTS];
        memcpy(&x, &r.value[row], sizeof x);
        for (uint32_t k = 0; k < OUTPUTS; k++) out[k] = to.block[k * ROWS + row];
        if (!valid || !(fabs(x) <= PS_SUMMARY_LIMIT)) {
            nan += valid;
            for (uint32_t k = 0; k < OUTPUTS; k++) wrong += out[k] == out[k];
            continue;
        }
        least = count == 0 || x < least ? x : least;
        greatest = count == 0 || x > greatest ? x : greatest;
        count++, sum += x, squares += (long double)x * x;
        const long double mean = sum / count, rest = squares - sum * mean;
        wrong += (long double)out[0] != count || (long double)out[1] != nan;
        wrong += !near(out[2], sum, sum) || !near(out[3], mean, mean);
        wrong += !near(out[4], rest, rest + squares * 1e-3L);
        wrong += out[5] != least || out[6] != greatest;
        wrong += count < 2 ? !isnan(out[7]) || !isnan(out[8])
                           : !near(out[7], rest / (count - 1), rest + squares * 1e-3L) ||
                                 out[8] != sqrt(out[7]);
    }
    check_that(c, wrong == 0, "%u columns are not what the sums say", wrong);
    check_release(c);
}

static void bench(ps_check *c, uint32_t segments, const char *what_is_run) {
    const rows r = rows_take(c, segments, PS_VALUE_F64);
    const result to = result_take(c, segments);
    const ps_summary_params params = {CAPACITY, PS_VALUE_F64, 5, 0};
    printf("  %u rows, 5 outputs: ", r.first[segments]);
    check_bench(c, what_is_run,
                (void *const[]){to.block, r.column, r.value, r.validity, r.order, r.first, r.series,
                                r.fresh, to.state, to.image},
                &params, segments, 0);
    check_release(c);
}

void ps_check_summary(ps_check *c) {
    for (uint32_t segments = 1; segments <= SERIES; segments += 1 + segments / 4)
        for (uint32_t type = PS_VALUE_F64; type <= PS_VALUE_I64; type++)
            for (uint32_t all_null = 0; all_null < 2; all_null++)
                check_equal(c, segments, type, all_null);
    check_cut(c);
    check_sums(c);
    if (c->bench && !c->failed) bench(c, SERIES, "60 segments");
}
