/* SPDX-License-Identifier: Apache-2.0
 * Series with every kind of value and of time, whole and cut into batches, against the reference
 * to the bit; and the reference against another program's scores of two real series.
 */
#include "kernels/slim.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/check_kernels.h"

enum { ROWS = 4000, SERIES = 40, PLANES = PS_SLIM_PLANES, BUFFERS = 12, BENCH_SERIES = 10000 };

void ps_check_slim(ps_check *c);

typedef struct rows {
    uint32_t n, segments;
    uint64_t *value;
    int64_t *time;
    uint8_t *validity, *timed, *fresh;
    uint32_t *order, *first, *series;
} rows;

typedef struct result {
    uint64_t *state, *image;
    float *score;
    uint8_t *channel;
} result;

static rows rows_take(ps_check *c, uint32_t n, uint32_t segments) {
    return (rows){.n = n,
                  .segments = segments,
                  .value = check_take(c, n * sizeof(uint64_t)),
                  .time = check_take(c, n * sizeof(int64_t)),
                  .validity = check_take(c, (n + 7) / 8),
                  .timed = check_take(c, (n + 7) / 8),
                  .fresh = check_take(c, segments),
                  .order = check_take(c, n * sizeof(uint32_t)),
                  .first = check_take(c, (segments + 1) * sizeof(uint32_t)),
                  .series = check_take(c, segments * sizeof(uint32_t))};
}

static result result_take(ps_check *c, uint32_t n, uint32_t segments, uint32_t capacity) {
    const size_t planes = PLANES * sizeof(uint64_t);
    const result to = {check_take(c, capacity * planes), check_take(c, segments * planes),
                       check_take(c, n * sizeof(float)), check_take(c, n)};
    memset(to.state, 0xff, capacity * planes); /* what is fresh must not be read */
    memset(to.image, 0x77, segments * planes);
    memset(to.score, 0xff, n * sizeof(float));
    memset(to.channel, 0x55, n);
    return to;
}

static double value_of(ps_check *c, uint32_t row, bool wild) {
    static const double values[] = {
        0.0,  -0.0,  1e300, -1e300, 1e-300, 5e-324,      DBL_MAX,          -DBL_MAX,
        1e30, -1e30, 1e-38, 3e38,   1e17,   (double)NAN, (double)INFINITY, -(double)INFINITY};
    if (wild && check_random(c) % 8 == 0) return values[check_random(c) % 16];
    if (check_random(c) % 6 == 0) return 100.0;
    return 100.0 + 20.0 * sin(row / 40.0) + (double)(check_random(c) % 2000) / 1000.0;
}

static int64_t time_of(ps_check *c, uint32_t row, uint32_t how, bool wild) {
    static const int64_t values[] = {-1,        0, INT64_MIN, INT64_MAX,
                                     -86400000, 1, -2,        253402300800000};
    if (wild && check_random(c) % 8 == 0) return values[check_random(c) % 8];
    const int64_t ms = INT64_C(1400000000000) + (int64_t)row * 300000;
    return how == PS_TIME_FIELD_NS ? ms * 1000000 : ms;
}

static void rows_fill(ps_check *c, rows *r, const ps_slim_params *p, bool wild) {
    static uint32_t segment_of[ROWS], at[SERIES];
    memset(r->first, 0, (r->segments + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < (r->n + 7) / 8; i++) {
        r->validity[i] = (uint8_t)(check_random(c) | check_random(c) | check_random(c));
        r->timed[i] = (uint8_t)(check_random(c) | check_random(c) | check_random(c));
    }
    for (uint32_t row = 0; row < r->n; row++) {
        const double x = value_of(c, row, wild);
        memcpy(&r->value[row], &x, sizeof x);
        if (p->type == PS_VALUE_I64) r->value[row] = check_random(c) >> (wild ? row % 60 : 50);
        r->time[row] = time_of(c, row, p->time, wild);
        segment_of[row] = (uint32_t)(check_random(c) % (r->segments + 1)); /* some in none */
        if (r->segments && check_random(c) % 2) segment_of[row] = 0;
        if (segment_of[row] < r->segments) r->first[segment_of[row] + 1]++;
    }
    for (uint32_t s = 0; s < r->segments; s++) {
        r->first[s + 1] += r->first[s];
        r->series[s] = (s * 7 + 3) % SERIES;
    }
    memcpy(at, r->first, r->segments * sizeof at[0]);
    for (uint32_t row = 0; row < r->n; row++)
        if (segment_of[row] < r->segments) r->order[at[segment_of[row]]++] = row;
}

static void run(ps_kernel_fn *fn, const rows *r, const result *to, const ps_slim_params *p,
                uint32_t begin, uint32_t end) {
    void *const buf[BUFFERS] = {r->value,  r->validity, r->order,  r->first,
                                r->series, r->fresh,    to->state, to->image,
                                to->score, r->time,     r->timed,  to->channel};
    fn(buf, p, begin, end);
}

static bool usable(const rows *r, uint32_t row, uint32_t type) {
    double x;
    memcpy(&x, &r->value[row], sizeof x);
    return (r->validity[row / 8] >> row % 8 & 1) && (type == PS_VALUE_I64 || isfinite(x));
}

/* Scores are the one NaN where there is no value, else on the scale, and the floats of the state
 * are numbers. */
static bool sane(const rows *r, const result *to, uint32_t type) {
    const float nan = ps_nan();
    bool right = true;
    for (uint32_t i = 0; i < r->first[r->segments]; i++) {
        const float x = to->score[r->order[i]];
        right &= usable(r, r->order[i], type) ? x >= 0.0f && x <= (float)PS_SCORE_MAX
                                              : memcmp(&x, &nan, sizeof x) == 0;
        right &= to->channel[r->order[i]] < PS_SLIM_CHANNELS;
    }
    for (uint32_t s = 0; s < r->segments; s++)
        for (uint32_t i = 225; i < 225 + 226; i++) { /* the planes between packed and counters */
            float two[2];
            memcpy(two, &to->image[(size_t)s * PLANES + i], sizeof two);
            right &= isfinite(two[0]) && isfinite(two[1]);
        }
    return right;
}

/* Three batches after each other, the later ones in two ranges of segments. */
static void check_equal(ps_check *c, uint32_t n, uint32_t segments, ps_slim_params p, bool wild) {
    rows r = rows_take(c, n, segments);
    const result expected = result_take(c, n, segments, SERIES);
    const result actual = result_take(c, n, segments, SERIES);
    for (int batch = 0; batch < 3; batch++) {
        rows_fill(c, &r, &p, wild);
        for (uint32_t s = 0; s < segments; s++)
            r.fresh[s] = batch == 0 || check_random(c) % 16 == 0;
        const uint32_t cut = batch ? (uint32_t)(check_random(c) % (segments + 1)) : 0;
        run(c->kernel->reference, &r, &expected, &p, 0, segments);
        run(c->fn, &r, &actual, &p, cut, segments);
        run(c->fn, &r, &actual, &p, 0, cut);
        const char *const name = wild ? "wild" : "tame";
        check_that(c, !memcmp(expected.score, actual.score, n * sizeof(float)),
                   "%s scores of %u rows in %u differ", name, n, segments);
        check_that(c, !memcmp(expected.channel, actual.channel, n), "%s channels differ", name);
        check_that(c, !memcmp(expected.state, actual.state, SERIES * PLANES * 8),
                   "%s state of %u rows in %u differs", name, n, segments);
        check_that(c, !memcmp(expected.image, actual.image, (size_t)segments * PLANES * 8),
                   "%s image of %u rows in %u differs", name, n, segments);
        check_that(c, sane(&r, &actual, p.type), "%s: not a number, or outside the scale", name);
    }
    check_release(c);
}

/* One series in one call, and in calls of 1 to 30 rows: what comes later changes nothing, and the
 * state carries everything. */
static void check_cut(ps_check *c, bool wild) {
    const ps_slim_params p = {.envelope = 1.5, .calibrated = 0.5, .level = 2.0};
    rows r = rows_take(c, ROWS, 1);
    const result whole = result_take(c, ROWS, 1, 1), parts = result_take(c, ROWS, 1, 1);
    rows_fill(c, &r, &p, wild);
    const uint32_t all = r.first[1];
    r.series[0] = 0;
    r.fresh[0] = 1;
    run(c->fn, &r, &whole, &p, 0, 1);
    for (r.first[1] = 0; r.first[1] < all; r.fresh[0] = 0) {
        r.first[0] = r.first[1];
        r.first[1] += 1 + (uint32_t)(check_random(c) % 30);
        if (r.first[1] > all) r.first[1] = all;
        run(c->fn, &r, &parts, &p, 0, 1);
    }
    check_that(c, !memcmp(whole.score, parts.score, ROWS * sizeof(float)),
               "scores depend on where batches end");
    check_that(c, !memcmp(whole.image, parts.image, PLANES * 8), "state depends on batches");
    check_that(c, !memcmp(parts.state, parts.image, PLANES * 8), "image is not the state");
    check_release(c);
}

/* A series of its own in row order, from the beginning. */
static void series_of(rows *r, uint32_t n) {
    memset(r->validity, 0xff, (r->n + 7) / 8);
    memset(r->timed, 0xff, (r->n + 7) / 8);
    for (uint32_t row = 0; row < n; row++) r->order[row] = row;
    r->first[0] = r->series[0] = 0;
    r->first[1] = n;
    r->fresh[0] = 1;
}

/* The same moments in milliseconds and in nanoseconds, before 1970 too, where they round down. If
 * this fails, one of the two clocks is wrong. */
static void check_clocks(ps_check *c) {
    ps_slim_params p = {.envelope = 1.0, .calibrated = 0.25, .level = 2.0};
    rows r = rows_take(c, 1000, 1);
    const result ms = result_take(c, 1000, 1, 1), ns = result_take(c, 1000, 1, 1);
    for (uint32_t row = 0; row < 1000; row++) {
        const double x = value_of(c, row, false);
        memcpy(&r.value[row], &x, sizeof x);
        r.time[row] = ((int64_t)row - 1200) * 1800000 - 1;
    }
    series_of(&r, 1000);
    run(c->fn, &r, &ms, &p, 0, 1);
    for (uint32_t row = 0; row < 1000; row++) r.time[row] = r.time[row] * 1000000 + row * 1000;
    p.time = PS_TIME_FIELD_NS;
    run(c->fn, &r, &ns, &p, 0, 1);
    check_that(c,
               !memcmp(ms.score, ns.score, 1000 * sizeof(float)) &&
                   !memcmp(ms.image, ns.image, PLANES * 8),
               "nanoseconds are not milliseconds");
    check_release(c);
}

/* A constant scores 0 in parts that are not calibrated; then it leaps, and comes back. */
static void check_constant(ps_check *c) {
    const ps_slim_params p = {.envelope = 1.0, .calibrated = 0.0, .level = 2.0, .warmup = 5};
    rows r = rows_take(c, 200, 1);
    const result to = result_take(c, 200, 1, 1);
    for (uint32_t row = 0; row < 200; row++) {
        const double x = row == 150 ? 0.2 : 0.1;
        memcpy(&r.value[row], &x, sizeof x);
        r.time[row] = INT64_C(1400000000000);
    }
    series_of(&r, 200);
    run(c->fn, &r, &to, &p, 0, 1);
    bool right = to.score[150] > 20.0f && to.channel[150] >= PS_SLIM_ENVELOPE;
    for (uint32_t row = 0; row < 150; row++) right &= to.score[row] == 0.0f;
    check_that(c, right, "a constant series that changes");
    check_release(c);
}

/* If this fails, the level of the week is not moved after a leap as the reference moves it. */
static void check_leap(ps_check *c) {
    const ps_slim_params p = {.envelope = 1.0, .calibrated = 0.25, .level = 2.0};
    rows r = rows_take(c, 400, 1);
    const result expected = result_take(c, 400, 1, 1), actual = result_take(c, 400, 1, 1);
    for (uint32_t row = 0; row < 400; row++) {
        const double x = (row < 300 ? 100.0 : 1000.0) + (double)(check_random(c) % 1000) / 1000.0;
        memcpy(&r.value[row], &x, sizeof x);
        r.time[row] = INT64_C(1400000000000) + row;
    }
    series_of(&r, 400);
    run(c->kernel->reference, &r, &expected, &p, 0, 1);
    run(c->fn, &r, &actual, &p, 0, 1);
    check_that(c,
               !memcmp(expected.score, actual.score, 400 * sizeof(float)) &&
                   !memcmp(expected.image, actual.image, PLANES * 8),
               "a series that leaps and stays there");
    check_release(c);
}

/* Another program's scores, in doubles all the way: the state is floats, hence the tolerance. */
static void check_golden(ps_check *c, uint32_t column) {
    static const ps_slim_params presets[2] = {{.envelope = 1.5, .calibrated = 0.5},
                                              {.envelope = 1.0, .calibrated = 0.25, .level = 2.0}};
    const char *const file = "tests/vectors/kernels/slim.csv";
    rows r = rows_take(c, 600, 1);
    const result to = result_take(c, 600, 1, 1);
    static double expected[600];
    FILE *in = fopen(file, "r");
    char line[512];
    uint32_t n = 0, all = 0, wrong = 0;
    for (bool more = in != NULL; more;) {
        more = fgets(line, sizeof line, in) != NULL;
        long long ms;
        double x, of[2];
        if (more && sscanf(line, "%lld,%lf,%lf,%lf", &ms, &x, &of[0], &of[1]) == 4 && n < 600) {
            memcpy(&r.value[n], &x, sizeof x);
            r.time[n] = ms;
            expected[n++] = of[column];
        } else if (n > 0) {
            series_of(&r, n);
            run(c->fn, &r, &to, &presets[column], 0, 1);
            for (uint32_t i = 0; i < n; i++)
                wrong += fabs((double)to.score[i] - expected[i]) > 1e-3 + 1e-4 * expected[i];
            all += n;
            n = 0;
        }
    }
    check_that(c, all == 900 && wrong == 0, "%s: %u of %u scores are others", file, wrong, all);
    if (in) fclose(in);
    check_release(c);
}

/* Sixteen rows of every series, as a batch of many of them has; `warm` batches of it first. */
static void bench(ps_check *c, uint32_t segments, const char *what) {
    const ps_slim_params p = {.envelope = 1.0, .calibrated = 0.25, .level = 2.0};
    const uint32_t n = segments * 16;
    rows r = rows_take(c, n, segments);
    const result to = result_take(c, n, segments, segments);
    memset(r.validity, 0xff, (n + 7) / 8);
    for (uint32_t s = 0; s < segments; s++) {
        r.fresh[s] = 1;
        r.series[s] = s;
        r.first[s] = s * 16;
        for (uint32_t i = 0; i < 16; i++) r.order[s * 16 + i] = i * segments + s;
    }
    r.first[segments] = n;
    for (int batch = 0; batch < 40; batch++) {
        for (uint32_t row = 0; row < n; row++) {
            const double x = value_of(c, (uint32_t)batch * 16 + row / segments, false);
            memcpy(&r.value[row], &x, sizeof x);
            r.time[row] = ((int64_t)batch * 16 + row / segments) * 300000;
        }
        run(c->fn, &r, &to, &p, 0, segments);
        memset(r.fresh, 0, segments);
    }
    void *const buf[BUFFERS] = {r.value,  r.validity, r.order,  r.first, r.series, r.fresh,
                                to.state, to.image,   to.score, r.time,  r.timed,  to.channel};
    printf("  16 rows an item: ");
    check_bench(c, what, buf, &p, segments, 0);
    check_release(c);
}

void ps_check_slim(ps_check *c) {
    static const uint32_t counts[] = {0, 1, 3, 64, 1000, ROWS}, segments[] = {0, 1, 2, 17, SERIES};
    for (uint32_t i = 0; i < 30; i++)
        for (uint32_t how = 0; how < 4; how++) {
            const ps_slim_params p = {.envelope = how % 2 ? 1.5 : 1.0,
                                      .calibrated = how % 2 ? 0.5 : 0.25,
                                      .level = how % 2 ? 0.0 : 2.0,
                                      .warmup = how * 7,
                                      .type = i % 3 == 2 ? PS_VALUE_I64 : PS_VALUE_F64,
                                      .time = how % 2 ? PS_TIME_FIELD_NS : PS_TIME_RECORD_MS};
            check_equal(c, counts[i % 6], segments[i / 6], p, how >= 2);
        }
    check_cut(c, false);
    check_cut(c, true);
    check_clocks(c);
    check_constant(c);
    check_leap(c);
    check_golden(c, 0);
    check_golden(c, 1);
    if (!c->bench || c->failed) return;
    bench(c, 64, "64 series");
    if (!c->device) bench(c, BENCH_SERIES, "10000 series");
}
