/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/holt_winters.h"

#include <math.h>

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

void ps_check_holt_winters(ps_check *c) {
    ps_holt_winters_params params = {.level = level,
                                     .trend = trend,
                                     .season = season,
                                     .variance = variance,
                                     .damping = damping,
                                     .parts = PARTS};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_HOLT_WINTERS_PLANES + PARTS, oracle, false});
}
