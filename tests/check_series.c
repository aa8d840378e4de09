/* SPDX-License-Identifier: Apache-2.0
 * The kernels that walk the segments of a batch with a state per series: random batches with every
 * kind of value, state carried from batch to batch, and a recomputation in long double.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/score.h"
#include "tests/check_kernels.h"

/* An Arm makes its long double by software, and is itself emulated in CI: seconds become minutes.
 */
enum { EMULATED = LDBL_MANT_DIG > 64 };
enum { PLANES_MAX = 1024, SERIES = 700, CAPACITY = 750, ROWS_MAX = 4097, SEGMENTS_MAX = SERIES };

typedef struct rows {
    uint32_t n, planes, segments;
    uint64_t *value;
    uint8_t *validity, *fresh;
    uint32_t *order, *first, *series;
    double *state, *image;
    float *score;
} rows;

static rows rows_take(ps_check *c, uint32_t n, uint32_t planes) {
    return (rows){.n = n,
                  .planes = planes,
                  .value = check_take(c, n * sizeof(uint64_t)),
                  .validity = check_take(c, (n + 7) / 8),
                  .fresh = check_take(c, SEGMENTS_MAX),
                  .order = check_take(c, n * sizeof(uint32_t)),
                  .first = check_take(c, (SEGMENTS_MAX + 1) * sizeof(uint32_t)),
                  .series = check_take(c, SEGMENTS_MAX * sizeof(uint32_t)),
                  .state = check_take(c, planes * CAPACITY * sizeof(double)),
                  .image = check_take(c, SEGMENTS_MAX * planes * sizeof(double)),
                  .score = check_take(c, n * sizeof(float))};
}

/* Mostly near 100; now and then what breaks arithmetic. */
static double special(ps_check *c, bool wild) {
    static const double wild_values[] = {
        0.0,         -0.0,     1e300,   -1e300, 1e-300, 5e-324,           -5e-324,
        DBL_MAX,     -DBL_MAX, DBL_MIN, 1e150,  -1e150, (double)INFINITY, -(double)INFINITY,
        (double)NAN, 1e17};
    if (wild && check_random(c) % 8 == 0) return wild_values[check_random(c) % 16];
    if (check_random(c) % 6 == 0) return 100.0;
    return 100.0 + (double)(check_random(c) % 20000) / 1000.0 - 10.0;
}

/* Rows spread over `segments` series, so that some stay empty; a few rows belong to none. */
static void rows_fill(ps_check *c, rows *r, uint32_t segments, uint32_t type, bool wild) {
    static uint32_t segment_of[ROWS_MAX];
    r->segments = segments;
    memset(r->first, 0, (SEGMENTS_MAX + 1) * sizeof(uint32_t));
    memset(r->validity, 0, (r->n + 7) / 8);
    for (uint32_t row = 0; row < r->n; row++) {
        const double x = special(c, wild);
        memcpy(&r->value[row], &x, sizeof x);
        if (type == PS_VALUE_I64) r->value[row] = (uint64_t)(int64_t)(check_random(c) >> 40);
        if (type == PS_VALUE_I64 && wild && row % 9 == 0) r->value[row] = check_random(c);
        if (check_random(c) % 10) r->validity[row / 8] |= (uint8_t)(1u << (row % 8));
        segment_of[row] = segments ? (uint32_t)(check_random(c) % (segments + 1)) : 0;
        if (segments && check_random(c) % 2) segment_of[row] = segment_of[row] % 3 % segments;
        if (segment_of[row] < segments) r->first[segment_of[row] + 1]++;
    }
    for (uint32_t s = 0; s < segments; s++) r->first[s + 1] += r->first[s];
    static uint32_t at[SEGMENTS_MAX];
    memcpy(at, r->first, sizeof at);
    for (uint32_t row = 0; row < r->n; row++)
        if (segment_of[row] < segments) r->order[at[segment_of[row]]++] = row;
    for (uint32_t s = 0; s < segments; s++) r->series[s] = (s * 37 + 11) % SERIES;
}

static void run(ps_kernel_fn *fn, const rows *r, double *state, double *image, float *score,
                const void *params, uint32_t begin, uint32_t end) {
    void *const buf[9] = {r->value, r->validity, r->order, r->first, r->series,
                          r->fresh, state,       image,    score};
    fn(buf, params, begin, end);
}

/* Whether scores are numbers of the scale or the one NaN, and the state is finite. */
static bool sane(const rows *r, const float *score, const double *image) {
    bool right = true;
    for (uint32_t i = 0; i < r->first[r->segments]; i++) {
        const float x = score[r->order[i]];
        const float nan = ps_nan();
        right &= memcmp(&x, &nan, sizeof x) == 0 || (x >= 0.0f && x <= (float)PS_SCORE_MAX);
    }
    for (uint32_t i = 0; i < r->segments * r->planes; i++) right &= isfinite(image[i]) != 0;
    return right;
}

/* Where a plane of a series lies in the state. */
static size_t place_of(bool together, uint32_t planes, uint32_t series, uint32_t plane) {
    return together ? (size_t)series * planes + plane : (size_t)plane * CAPACITY + series;
}

/* Two batches after each other; the second in two ranges of segments. Everything must be equal to
 * the bit. */
static void check_batches(ps_check *c, const check_series_kernel *k, uint32_t n, uint32_t segments,
                          uint32_t type, bool wild) {
    const uint32_t planes = k->planes;
    rows r = rows_take(c, n, planes);
    double *state = check_take(c, planes * CAPACITY * sizeof(double));
    double *image = check_take(c, SEGMENTS_MAX * planes * sizeof(double));
    float *score = check_take(c, n * sizeof(float));
    *k->type = type;
    *k->capacity = CAPACITY;
    *k->warmup = (uint32_t)(check_random(c) % 6);
    memset(r.state, 0xff, planes * CAPACITY * sizeof(double));
    memset(state, 0xff, planes * CAPACITY * sizeof(double));
    memset(r.image, 0x77, SEGMENTS_MAX * planes * sizeof(double));
    memset(image, 0x77, SEGMENTS_MAX * planes * sizeof(double));
    for (int batch = 0; batch < 3; batch++) {
        rows_fill(c, &r, segments, type, wild);
        if (batch == 1 && n % 3 == 0) memset(r.validity, 0, (n + 7) / 8); /* nothing but nulls */
        for (uint32_t s = 0; s < segments; s++)
            r.fresh[s] = batch == 0 || check_random(c) % 16 == 0;
        memset(r.score, 0xff, n * sizeof(float));
        memset(score, 0xff, n * sizeof(float));
        const uint32_t cut = batch ? (uint32_t)(check_random(c) % (segments + 1)) : 0;
        run(c->kernel->reference, &r, r.state, r.image, r.score, k->params, 0, segments);
        run(c->fn, &r, state, image, score, k->params, 0, cut);
        run(c->fn, &r, state, image, score, k->params, cut, segments);
        const char *const name = wild ? "wild" : "tame";
        check_that(c, !memcmp(score, r.score, n * sizeof(float)),
                   "%s scores of %u rows in %u differ", name, n, segments);
        check_that(c, !memcmp(state, r.state, planes * CAPACITY * sizeof(double)),
                   "%s state of %u rows in %u differs", name, n, segments);
        check_that(c, !memcmp(image, r.image, SEGMENTS_MAX * planes * sizeof(double)),
                   "%s image of %u rows in %u differs", name, n, segments);
        check_that(c, sane(&r, score, image), "%s: not a number, or outside the scale", name);
        for (uint32_t s = 0; s < segments; s++)
            for (uint32_t p = 0; p < planes; p++)
                if (memcmp(&state[place_of(c->together, planes, r.series[s], p)],
                           &image[s * planes + p], 8))
                    check_that(c, false, "image and state of segment %u differ", s);
    }
    check_release(c);
}

/* One series of a normal-looking signal with steps, against the oracle: rounding apart, the same
 * scores. */
static void check_oracle(ps_check *c, const check_series_kernel *k) {
    enum { N = EMULATED ? 1536 : 4096, STEP = EMULATED ? 700 : 2000 };
    rows r = rows_take(c, N, k->planes);
    long double state[PLANES_MAX] = {0};
    uint32_t wrong = 0;
    *k->type = PS_VALUE_F64;
    *k->capacity = CAPACITY;
    *k->warmup = 10;
    for (uint32_t row = 0; row < N; row++) {
        double sum = 0.0;
        for (int i = 0; i < 12; i++) sum += (double)(check_random(c) >> 11) / 9007199254740992.0;
        const double x = sum - 6.0 + (row > STEP ? 20.0 : 0.0);
        memcpy(&r.value[row], &x, sizeof x);
        r.order[row] = row;
    }
    memset(r.validity, 0xff, N / 8);
    r.first[0] = 0;
    r.first[1] = N;
    r.series[0] = 5;
    r.fresh[0] = 1;
    run(c->fn, &r, r.state, r.image, r.score, k->params, 0, 1);
    for (uint32_t row = 0; row < N; row++) {
        double x;
        memcpy(&x, &r.value[row], sizeof x);
        long double expected = k->oracle(state, x, 10);
        if (expected > 300.0L) expected = 300.0L;
        wrong += fabsl((long double)r.score[row] - expected) > 1e-6L * expected + 1e-9L;
    }
    check_that(c, wrong == 0, "%u of %u scores are not the oracle's", wrong, N);
    check_release(c);
}

/* A constant series that changes scores the cap, at once and not before. */
static void check_constant(ps_check *c, const check_series_kernel *k) {
    rows r = rows_take(c, 8, k->planes);
    const double values[8] = {7, 7, 7, 7, 7, 7, 8, 7};
    *k->type = PS_VALUE_F64;
    *k->capacity = CAPACITY;
    *k->warmup = 0;
    memcpy(r.value, values, sizeof values);
    for (uint32_t row = 0; row < 8; row++) r.order[row] = row;
    r.validity[0] = 0xff;
    r.first[0] = 0;
    r.first[1] = 8;
    r.series[0] = 1;
    r.fresh[0] = 1;
    run(c->fn, &r, r.state, r.image, r.score, k->params, 0, 1);
    bool right = r.score[6] == (float)PS_SCORE_MAX && r.score[7] < 10.0f;
    for (uint32_t row = 0; row < 6; row++) right &= r.score[row] == 0.0f;
    check_that(c, right, "a constant series that changes");
    check_release(c);
}

static void bench(ps_check *c, const check_series_kernel *k, uint32_t segments, const char *what) {
    rows r = rows_take(c, ROWS_MAX, k->planes);
    *k->type = PS_VALUE_F64;
    *k->capacity = CAPACITY;
    *k->warmup = 10;
    rows_fill(c, &r, segments, PS_VALUE_F64, false);
    for (uint32_t s = 0; s < segments; s++) r.fresh[s] = 1;
    run(c->fn, &r, r.state, r.image, r.score, k->params, 0, segments);
    for (uint32_t s = 0; s < segments; s++) r.fresh[s] = 0;
    void *const buf[9] = {r.value, r.validity, r.order, r.first, r.series,
                          r.fresh, r.state,    r.image, r.score};
    printf("  %u rows in ", r.first[segments]);
    check_bench(c, what, buf, k->params, segments, 0);
    check_release(c);
}

void check_series(ps_check *c, const check_series_kernel *k) {
    check_that(c, k->planes <= PLANES_MAX, "%u planes", k->planes);
    enum { UP_TO_65 = 9, UP_TO_1000 = 10, SLOW = EMULATED ? UP_TO_65 : UP_TO_1000 };
    static const uint32_t counts[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 1000, 4095, 4096, 4097};
    static const uint32_t segments[] = {0, 1, 3, 7, 8, 9, 16, 17, 100, SEGMENTS_MAX};
    const uint32_t tried = k->slow ? SLOW : sizeof counts / sizeof counts[0];
    for (uint32_t i = 0; i < tried; i++) {
        /* Large batches take their time: each number of segments in one of them. */
        const uint32_t step = c->together ? 5 : counts[i] < 1000 ? 1 : 3;
        for (uint32_t s = i % step; s < sizeof segments / sizeof segments[0]; s += step)
            for (uint32_t type = PS_VALUE_F64; type <= PS_VALUE_I64; type++) {
                check_batches(c, k, counts[i], segments[s], type, false);
                check_batches(c, k, counts[i], segments[s], type, true);
            }
    }
    if (k->oracle != NULL) check_oracle(c, k);
    check_constant(c, k);
    if (!c->bench || c->failed) return;
    bench(c, k, SEGMENTS_MAX, "700 segments");
    bench(c, k, 16, "16 segments");
}

void check_series_together(ps_check *c, const check_series_kernel *k) {
    c->together = true;
    check_series(c, k);
}
