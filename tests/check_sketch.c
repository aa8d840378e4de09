/* SPDX-License-Identifier: Apache-2.0
 * Counts and their fold against the reference, buckets against their definition, quantiles against
 * sorted values.
 */
#include "kernels/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_kernels.h"

enum { BUCKETS = PS_SKETCH_BUCKETS };

void ps_check_sketch(ps_check *c);
void ps_check_sketch_fold(ps_check *c);

static double any_value(ps_check *c) {
    static const double odd[] = {
        0.0,    -0.0,    (double)NAN, (double)INFINITY, (double)-INFINITY,   1e300, -1e300,
        5e-324, 0x1p-64, -0x1p-64,    0x1p64,           0x1.fffffffffffffp63};
    if (check_random(c) % 10 == 0) return odd[check_random(c) % (sizeof odd / sizeof odd[0])];
    const double x =
        ldexp(1.0 + (double)(check_random(c) % 4096) / 4096.0, (int)(check_random(c) % 60) - 30);
    return check_random(c) % 2 ? x : -x;
}

static void check_counts(ps_check *c, uint32_t rows, uint32_t lanes, uint32_t type) {
    uint64_t *value = check_take(c, rows * sizeof *value);
    uint8_t *validity = check_take(c, (rows + 7) / 8);
    const size_t bytes = (size_t)lanes * BUCKETS * sizeof(uint32_t);
    uint32_t *expected = check_take(c, bytes), *actual = check_take(c, bytes);
    for (uint32_t i = 0; i < rows; i++) {
        const double x = any_value(c);
        memcpy(&value[i], &x, sizeof x);
        if (type == PS_VALUE_I64) value[i] = check_random(c) >> (check_random(c) % 64);
    }
    for (uint32_t i = 0; i < (rows + 7) / 8; i++) validity[i] = (uint8_t)check_random(c);
    memset(actual, 0x77, bytes);
    const ps_sketch_params params = {rows, type, lanes, 0};
    const uint32_t cut = (uint32_t)(check_random(c) % (lanes + 1));
    c->kernel->reference((void *const[]){value, validity, expected}, &params, 0, lanes);
    c->fn((void *const[]){value, validity, actual}, &params, cut, lanes);
    c->fn((void *const[]){value, validity, actual}, &params, 0, cut);
    check_that(c, !memcmp(expected, actual, bytes), "%u rows in %u lanes differ", rows, lanes);
    check_release(c);
}

/* Every value lies in a bucket whose middle is near it, and buckets ascend. */
static void check_buckets(ps_check *c) {
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < BUCKETS; i++) wrong += ps_sketch_bucket(ps_sketch_value(i)) != i;
    for (uint32_t i = 1; i < BUCKETS; i++) wrong += !(ps_sketch_value(i - 1) < ps_sketch_value(i));
    for (uint32_t i = 0; i < 20000; i++) {
        const double x = any_value(c);
        if (isnan(x) || fabs(x) < 0x1p-64 || fabs(x) >= 0x1p64) continue;
        wrong += !(fabs(ps_sketch_value(ps_sketch_bucket(x)) - x) <= fabs(x) / 64);
    }
    wrong += ps_sketch_bucket(-0.0) != PS_SKETCH_ZERO || ps_sketch_bucket(5e-324) != PS_SKETCH_ZERO;
    wrong += ps_sketch_bucket((double)INFINITY) != BUCKETS - 1 || ps_sketch_bucket(-1e300) != 0;
    check_that(c, wrong == 0, "%u buckets are not what they stand for", wrong);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_quantiles(ps_check *c) {
    enum { ROWS = 5000, LANES = 4 };
    static double sorted[ROWS];
    static uint64_t total[BUCKETS];
    double *value = check_take(c, ROWS * sizeof *value);
    uint8_t *validity = check_take(c, ROWS / 8);
    uint32_t *counts = check_take(c, LANES * BUCKETS * sizeof *counts), wrong = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        sorted[i] = value[i] = pow((double)(check_random(c) % 1000) / 500.0 - 0.8, 3.0);
    memset(validity, 0xff, ROWS / 8);
    const ps_sketch_params params = {ROWS, PS_VALUE_F64, LANES, 0};
    const ps_sketch_fold_params fold = {LANES, 0};
    c->fn((void *const[]){value, validity, counts}, &params, 0, LANES);
    ps_kernels[PS_KERNEL_SKETCH_FOLD].reference((void *const[]){counts, total}, &fold, 0, BUCKETS);
    qsort(sorted, ROWS, sizeof sorted[0], ascending);
    for (uint32_t i = 0; i <= 100; i++) {
        const double q = (double)i / 100.0, exact = sorted[(uint32_t)(q * (ROWS - 1))];
        wrong += !(fabs(ps_sketch_quantile(total, q) - exact) <= fabs(exact) / 64);
    }
    check_that(c, wrong == 0, "%u of 101 quantiles are too far off", wrong);
    check_release(c);
}

void ps_check_sketch(ps_check *c) {
    static const uint32_t rows[] = {0, 1, 7, 8, 9, 100, 4097};
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t lanes = 1; lanes <= 8; lanes += 3) {
            check_counts(c, rows[i], lanes, PS_VALUE_F64);
            check_counts(c, rows[i], lanes, PS_VALUE_I64);
        }
    check_buckets(c);
    check_quantiles(c);
    if (!c->bench || c->failed) return;
    enum { ROWS = 65536, LANES = 4 };
    double *value = check_take(c, ROWS * sizeof *value);
    uint8_t *validity = check_take(c, ROWS / 8);
    uint32_t *counts = check_take(c, LANES * BUCKETS * sizeof *counts);
    for (uint32_t i = 0; i < ROWS; i++) value[i] = 50.0 + (double)(check_random(c) % 1000) / 10.0;
    memset(validity, 0xff, ROWS / 8);
    const ps_sketch_params params = {ROWS, PS_VALUE_F64, LANES, 0};
    check_bench(c, "4 lanes of 16384", (void *const[]){value, validity, counts}, &params, LANES,
                ROWS * 8);
    check_release(c);
}

void ps_check_sketch_fold(ps_check *c) {
    for (uint32_t lanes = 0; lanes <= 5; lanes++)
        for (uint32_t merge = 0; merge < 2; merge++) {
            uint32_t *counts = check_take(c, (size_t)lanes * BUCKETS * sizeof *counts);
            uint64_t *expected = check_take(c, BUCKETS * sizeof *expected);
            uint64_t *actual = check_take(c, BUCKETS * sizeof *actual);
            for (size_t i = 0; i < (size_t)lanes * BUCKETS; i++)
                counts[i] = (uint32_t)check_random(c);
            for (uint32_t i = 0; i < BUCKETS; i++) {
                actual[i] = expected[i] = check_random(c) >> 8;
                if (!merge) expected[i] = 0;
                for (uint32_t lane = 0; lane < lanes; lane++)
                    expected[i] += counts[(size_t)lane * BUCKETS + i];
            }
            const ps_sketch_fold_params params = {lanes, merge};
            const uint32_t cut = (uint32_t)(check_random(c) % (BUCKETS + 1));
            c->fn((void *const[]){counts, actual}, &params, 0, cut);
            c->fn((void *const[]){counts, actual}, &params, cut, BUCKETS);
            check_that(c, !memcmp(expected, actual, BUCKETS * sizeof *actual),
                       "the sum of %u lanes, merge %u", lanes, merge);
            check_release(c);
        }
}
