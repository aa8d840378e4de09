/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/holt_winters.h"

#include <math.h>
#include <string.h>

#include "tests/check_kernels.h"

void ps_check_holt_winters(ps_check *c);

enum { PARTS = 7 };
static const double level = 0.1, trend = 0.02, season = 0.2, variance = 0.05, damping = 0.9;

/* The component form: level, trend and season are smoothed by themselves. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    const long double n = state[3], before = state[0], slope = damping * state[1];
    long double *part = &state[4 + (int)n % PARTS];
    if (n == 0.0L) {
        state[0] = x;
        state[3] = 1.0L;
        return 0.0L;
    }
    const long double e = x - (before + slope + *part);
    const long double score =
        n >= warmup ? -log10l(erfcl(fabsl(e) / sqrtl(state[2]) / sqrtl(2.0L))) : 0.0L;
    const long double a = fmaxl(level, 1.0L / (n + 1.0L)), v = fmaxl(variance, 1.0L / (n + 1.0L));
    const long double g = fmaxl(season, 1.0L / (floorl(n / PARTS) + 1.0L));
    state[0] = a * (x - *part) + (1.0L - a) * (before + slope);
    /* What the level moved beyond the trend is a times the error. */
    state[1] = slope + trend * (state[0] - before - slope) / a;
    *part += g * (1.0L - a) * e;
    state[2] = (1.0L - v) * (state[2] + v * e * e);
    state[3]++;
    return score;
}

enum { ROWS = 400, SEASON = 12, LONGEST = 20, LEARN = PS_SEASON_TURNS * LONGEST };

/* A season of 12 rows, some noise, and every 31st value missing; or noise alone. */
static void fill(ps_check *c, uint64_t *value, uint8_t *validity, bool seasonal) {
    memset(validity, 0xff, ROWS / 8);
    for (uint32_t i = 0; i < ROWS; i++) {
        const double x = (seasonal ? 10.0 * sin(2.0 * 3.14159265358979 * i / SEASON) : 0.0) +
                         (double)(check_random(c) % 1000) / 500.0;
        memcpy(&value[i], &x, sizeof x);
        if (i % 31 == 30) validity[i / 8] &= (uint8_t) ~(1u << (i % 8));
    }
}

/* Rows [begin, end) of one series. */
static void score_rows(ps_check *c, const ps_holt_winters_params *p, uint32_t begin, uint32_t end,
                       uint64_t *value, uint8_t *validity, double *state, float *score) {
    uint32_t *order = check_take(c, ROWS * sizeof *order), *first = check_take(c, 8);
    uint32_t *series = check_take(c, 4);
    uint8_t *fresh = check_take(c, 1);
    double *image = check_take(c, 512 * sizeof *image);
    for (uint32_t i = 0; i < ROWS; i++) order[i] = i;
    first[0] = begin;
    first[1] = end;
    series[0] = 0;
    fresh[0] = begin == 0;
    void *const buf[9] = {value, validity, order, first, series, fresh, state, image, score};
    c->fn(buf, p, 0, 1);
}

/* Once the season is found, everything is as if it had been given from the beginning; before, and
 * where there is none, as if there were none. */
static void check_found_season(ps_check *c, bool seasonal) {
    ps_holt_winters_params p = {.level = level,
                                .trend = trend,
                                .season = season,
                                .variance = variance,
                                .damping = damping,
                                .warmup = 10,
                                .capacity = 1,
                                .type = PS_VALUE_F64};
    uint64_t *value = check_take(c, ROWS * sizeof *value);
    uint8_t *validity = check_take(c, ROWS / 8);
    double *state = check_take(c, 512 * sizeof *state);
    float *given = check_take(c, ROWS * sizeof *given), *none = check_take(c, ROWS * sizeof *none);
    float *found = check_take(c, ROWS * sizeof *found);
    fill(c, value, validity, seasonal);
    score_rows(c, &p, 0, ROWS, value, validity, state, none);
    p.parts = seasonal ? SEASON : 0;
    score_rows(c, &p, 0, ROWS, value, validity, state, given);
    p.parts = LONGEST;
    p.learn = LEARN;
    /* Batches end before, at and behind the row at which it is found. */
    const uint32_t ends[] = {0, 1, 33, LEARN - 1, LEARN, LEARN + 1, 200, ROWS};
    for (uint32_t i = 1; i < sizeof ends / sizeof ends[0]; i++)
        score_rows(c, &p, ends[i - 1], ends[i], value, validity, state, found);
    check_that(c, memcmp(found, none, LEARN * sizeof *found) == 0,
               "before a season is found, scores are of none");
    check_that(c, memcmp(found + LEARN, given + LEARN, (ROWS - LEARN) * sizeof *found) == 0,
               "a season that was found is not the one that is there");
    check_that(c, !seasonal || memcmp(found + LEARN, none + LEARN, 64) != 0, "no season is found");
    check_release(c);
}

void ps_check_holt_winters(ps_check *c) {
    ps_holt_winters_params params = {.level = level,
                                     .trend = trend,
                                     .season = season,
                                     .variance = variance,
                                     .damping = damping,
                                     .parts = PARTS};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_HOLT_WINTERS_PLANES + PARTS, oracle, false});
    params.learn = PS_SEASON_TURNS * PARTS;
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_HOLT_WINTERS_PLANES + PARTS + PS_HOLT_WINTERS_FOUND +
                                               params.learn,
                                           NULL, true});
    check_found_season(c, true);
    check_found_season(c, false);
}
