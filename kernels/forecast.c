/* SPDX-License-Identifier: Apache-2.0
 * Forecasts each series `horizon` rows ahead: by Holt-Winters with a damped trend and an additive
 * or multiplicative season, or as it was a season before. The bounds are Student's t times the root
 * mean square of the forecasts that came due, so they say how wrong this forecast has been here.
 * Shapes: block[], the batch; table[] of the value and of what is written (kernels/forecast.h);
 * quantile[params.quantiles]; order, first, series, fresh as kernel ewma has them; state and image,
 * a series' planes together.
 * State: a segment's series occurs once per call. A row without a value (null, NaN, beyond the
 * limit; not above 0 where the season multiplies) counts as one of the season's rows, changes
 * nothing else and gets NaN; rows in no segment are not written.
 * Agrees: to the bit.
 * Source: kernels/smoothing.h, kernels/season.h. h-step errors overlap, so n of them count as n /
 * h.
 */
#include "kernels/forecast.h"

#define PS_FORECAST_LIMIT 1e300

PS_FN ps_smoothing ps_forecast_smoothing(PS_GLOBAL const double *m) {
    ps_smoothing s;
    s.level = m[PS_FORECAST_LEVEL];
    s.trend = m[PS_FORECAST_TREND];
    s.count = m[PS_FORECAST_COUNT];
    return s;
}

/* What the rows of the season begin with. */
PS_FN void ps_forecast_begin(PS_GLOBAL double *m, double parts, ps_forecast_params p) {
    const double neutral = p.method == PS_FORECAST_ADDITIVE         ? 0.0
                           : p.method == PS_FORECAST_MULTIPLICATIVE ? 1.0
                                                                    : ps_nan64();
    for (ps_u32 i = 0u; i < PS_FORECAST_PARTS; i++) m[i] = 0.0;
    m[PS_FORECAST_PARTS] = parts;
    m[PS_FORECAST_LEARNED] = -1.0;
    for (ps_u32 i = 0u; i < p.parts; i++) m[PS_FORECAST_PLANES + i] = neutral;
    for (ps_u32 i = 0u; i < p.horizon; i++) m[PS_FORECAST_PLANES + p.parts + i] = ps_nan64();
}

PS_FN void ps_forecast_learn_from(PS_GLOBAL double *m, double x, ps_u32 part,
                                  ps_forecast_params p) {
    PS_GLOBAL double *const season = m + PS_FORECAST_PLANES + part;
    ps_smoothing s = ps_forecast_smoothing(m);
    const double turns = (double)((ps_u64)m[PS_FORECAST_ROWS] / (ps_u64)m[PS_FORECAST_PARTS]);
    const ps_u32 seasonal = m[PS_FORECAST_PARTS] > 1.0;
    double after = *season;
    if (p.method == PS_FORECAST_NAIVE) {
        after = x;
        s.count += 1.0;
    } else if (p.method == PS_FORECAST_MULTIPLICATIVE) {
        after = ps_smoothing_multiply(&s, x, *season, turns, p.weights);
    } else {
        const double expected = ps_smoothing_expected(s, *season, p.weights.damping);
        const double e = s.count == 0.0 ? 0.0 : ps_deviation(x, expected);
        after = ps_smoothing_add(&s, x, e, *season, turns, p.weights);
    }
    if (seasonal || p.method == PS_FORECAST_NAIVE) *season = after;
    m[PS_FORECAST_LEVEL] = ps_bounded(s.level, -PS_SMOOTHING_LEVEL, PS_SMOOTHING_LEVEL);
    m[PS_FORECAST_TREND] = ps_bounded(s.trend, -PS_SMOOTHING_LEVEL, PS_SMOOTHING_LEVEL);
    m[PS_FORECAST_COUNT] = s.count;
}

/* From the rows there were, the last of which was row m[ROWS] - 1. */
PS_FN double ps_forecast_ahead(PS_GLOBAL const double *m, ps_forecast_params p) {
    if (m[PS_FORECAST_COUNT] < (double)p.warmup) return ps_nan64();
    const ps_u64 row = (ps_u64)m[PS_FORECAST_ROWS] - 1u + p.horizon;
    const double part = m[PS_FORECAST_PLANES + (ps_u32)(row % (ps_u64)m[PS_FORECAST_PARTS])];
    const ps_smoothing s = ps_forecast_smoothing(m);
    if (p.method == PS_FORECAST_NAIVE) return part;
    if (p.method == PS_FORECAST_MULTIPLICATIVE) return ps_smoothing_base(s, p.damped) * part;
    return ps_smoothing_expected(s, part, p.damped);
}

/* One row; the forecast from it, whether or not it has a value. */
PS_FN double ps_forecast_step(PS_GLOBAL double *m, double x, ps_u32 usable, ps_forecast_params p) {
    const ps_u64 row = (ps_u64)m[PS_FORECAST_ROWS];
    PS_GLOBAL double *const due =
        m + PS_FORECAST_PLANES + p.parts + (ps_u32)(row % (ps_u64)p.horizon);
    if (usable && *due == *due) {
        const double e = ps_deviation(x, *due);
        const double v = ps_moving_weight(m[PS_FORECAST_ERRORS], p.variance);
        m[PS_FORECAST_SQUARE] = ps_fma(v * e, e, (1.0 - v) * m[PS_FORECAST_SQUARE]);
        m[PS_FORECAST_ERRORS] += 1.0;
    }
    if (usable) ps_forecast_learn_from(m, x, (ps_u32)(row % (ps_u64)m[PS_FORECAST_PARTS]), p);
    m[PS_FORECAST_ROWS] += 1.0;
    *due = ps_forecast_ahead(m, p);
    return *due;
}

/* Keeps a value until there are enough; then finds the season and takes them all in. */
PS_FN double ps_forecast_learning(PS_GLOBAL double *m, double x, ps_u32 usable,
                                  ps_forecast_params p) {
    PS_GLOBAL double *const kept = m + PS_FORECAST_PLANES + p.parts + p.horizon;
    kept[(ps_u32)m[PS_FORECAST_LEARNED]] = usable ? x : ps_nan64();
    m[PS_FORECAST_LEARNED] += 1.0;
    double ahead = ps_nan64();
    if (m[PS_FORECAST_LEARNED] < (double)p.learn) return ahead;
    ps_forecast_begin(m, (double)ps_season_find(kept, p.learn, p.parts), p);
    for (ps_u32 i = 0u; i < p.learn; i++)
        ahead = ps_forecast_step(m, kept[i], kept[i] == kept[i], p);
    return ahead;
}

PS_FN void ps_forecast_row(PS_GLOBAL ps_u8 *block, PS_GLOBAL const ps_u32 *table,
                           PS_GLOBAL const double *quantile, ps_u32 row, PS_GLOBAL double *m,
                           ps_forecast_params p) {
    double x, low = ps_nan64(), high = ps_nan64();
    const double least = p.method == PS_FORECAST_MULTIPLICATIVE ? 0.0 : -PS_FORECAST_LIMIT;
    ps_u32 usable = ps_found(block, table, 0u, row, &x);
    if (p.method == PS_FORECAST_MULTIPLICATIVE && !(x >= 1.0 / PS_FOUND_LIMIT)) usable = 0u;
    double ahead = m[PS_FORECAST_LEARNED] >= 0.0 ? ps_forecast_learning(m, x, usable, p)
                                                 : ps_forecast_step(m, x, usable, p);
    if (!usable) ahead = ps_nan64();
    if (ahead == ahead && m[PS_FORECAST_ERRORS] >= 2.0 * (double)p.horizon) {
        const double memory = 2.0 / p.variance - 1.0, errors = m[PS_FORECAST_ERRORS];
        const double free = (errors < memory ? errors : memory) / (double)p.horizon;
        const ps_u32 last = p.quantiles - 1u;
        const ps_u32 df = free < 2.0 ? 0u : (free > (double)last ? last : (ps_u32)free - 1u);
        const double reach = quantile[df] * ps_sqrt(m[PS_FORECAST_SQUARE]);
        low = ps_bounded(ahead - reach, least, PS_FORECAST_LIMIT);
        high = ps_bounded(ahead + reach, least, PS_FORECAST_LIMIT);
    }
    ps_found_number(block, table[PS_FORECAST_AHEAD], row, ahead);
    ps_found_number(block, table[PS_FORECAST_LOW], row, low);
    ps_found_number(block, table[PS_FORECAST_HIGH], row, high);
}

PS_FN void ps_forecast_at(
    ps_u32 segment, PS_GLOBAL ps_u8 *PS_RESTRICT block, PS_GLOBAL const ps_u32 *PS_RESTRICT table,
    PS_GLOBAL const double *PS_RESTRICT quantile, PS_GLOBAL const ps_u32 *PS_RESTRICT order,
    PS_GLOBAL const ps_u32 *PS_RESTRICT first, PS_GLOBAL const ps_u32 *PS_RESTRICT series,
    PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL double *PS_RESTRICT state,
    PS_GLOBAL double *PS_RESTRICT image, ps_forecast_params p) {
    const ps_u32 planes = PS_FORECAST_PLANES + p.parts + p.horizon + p.learn;
    PS_GLOBAL double *const at = state + (ps_u64)series[segment] * planes;
    PS_GLOBAL double *const m = image + (ps_u64)segment * planes;
    for (ps_u32 i = 0u; i < planes; i++) m[i] = fresh[segment] ? 0.0 : at[i];
    if (fresh[segment] && p.learn == 0u) ps_forecast_begin(m, (double)p.parts, p);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++)
        ps_forecast_row(block, table, quantile, order[i], m, p);
    for (ps_u32 i = 0u; i < planes; i++) at[i] = m[i];
}
PS_ENTRY_9(forecast, ps_u8, const ps_u32, const double, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, double, double)
