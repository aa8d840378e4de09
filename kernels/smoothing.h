/* SPDX-License-Identifier: Apache-2.0
 * One step of exponential smoothing with a damped trend and a season, additive or multiplicative:
 * what kernel holt_winters scores against and kernel forecast goes on from.
 * Agrees: to the bit.
 * Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: principles and practice (2021), section
 * 8.3, in error correction form.
 */
#ifndef PS_KERNELS_SMOOTHING_H
#define PS_KERNELS_SMOOTHING_H

#include "kernels/moving.h"
#include "kernels/score.h"

/* Of a multiplicative season: no level is less than this part of what it was, no factor is further
 * from 1. */
#define PS_SMOOTHING_FALL   0.001
#define PS_SMOOTHING_FACTOR 1e100
#define PS_SMOOTHING_LEVEL  1e150

typedef struct ps_smoothing {
    double level, trend, count;
} ps_smoothing;

/* Weights of the newest value, above 0, below 1, and what is left of the trend a step on. The
 * first values weigh the same (kernels/moving.h), a part of the season by how often it was met. */
typedef struct ps_smoothing_weights {
    double level, trend, season, damping;
} ps_smoothing_weights;

/* `part`: what this row of the season adds. */
PS_FN double ps_smoothing_expected(ps_smoothing s, double part, double damping) {
    return s.level + damping * s.trend + part;
}

/* `e`: the error of what was expected, bounded. Returns what the part of the season is then. */
PS_FN double ps_smoothing_add(ps_smoothing *s, double x, double e, double part, double turns,
                              ps_smoothing_weights w) {
    const double a = ps_moving_weight(s->count, w.level);
    s->level = s->count == 0.0 ? x : s->level + w.damping * s->trend + a * e;
    s->trend = w.damping * s->trend + w.trend * e;
    s->count += 1.0;
    return part + ps_moving_weight(turns, w.season) * (1.0 - a) * e;
}

PS_FN double ps_bounded(double x, double low, double high) {
    return x < low ? low : (x > high ? high : x);
}

/* The level that the season multiplies, `damped` trends on: positive where the level is. */
PS_FN double ps_smoothing_base(ps_smoothing s, double damped) {
    const double base = s.level + damped * s.trend, least = PS_SMOOTHING_FALL * s.level;
    return base > least ? base : least;
}

/* The same where the season multiplies; x > 0. */
PS_FN double ps_smoothing_multiply(ps_smoothing *s, double x, double part, double turns,
                                   ps_smoothing_weights w) {
    const double base = ps_smoothing_base(*s, w.damping);
    const double e = s->count == 0.0 ? 0.0 : ps_deviation(x, base * part);
    const double a = ps_moving_weight(s->count, w.level);
    const double level = s->count == 0.0 ? x : base + a * (e / part);
    const double trend = w.damping * s->trend + w.trend * (e / part);
    const double g = ps_moving_weight(turns, w.season) * (1.0 - a);
    const double after = s->count == 0.0 ? part : part + g * (e / base);
    s->level = ps_bounded(level, 1.0 / PS_SMOOTHING_LEVEL, PS_SMOOTHING_LEVEL);
    s->trend = ps_bounded(trend, -PS_SMOOTHING_LEVEL, PS_SMOOTHING_LEVEL);
    s->count += 1.0;
    return ps_bounded(after, 1.0 / PS_SMOOTHING_FACTOR, PS_SMOOTHING_FACTOR);
}

#endif
