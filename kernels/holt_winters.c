/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against what its series was expected to be: a level, a damped trend, and for
 * each of `parts` rows of a season what it adds to the level.
 * Shapes, units, nulls, warm-up: as kernel ewma; the planes are level, trend, variance of the
 * errors, count, rows, and `parts` of the season. `rows` goes on for a row without a value too: the
 * season is one of rows.
 * State: read once and written once per segment, but for the parts of the season that no row of the
 * segment belongs to, which are only read; a segment's series occurs once per call.
 * The first values weigh the same, as in kernel ewma, a part of the season by how often it was met.
 * Agrees: to the bit. Errors are bounded by PS_DEVIATION_MAX, so no input makes the state infinite
 * or NaN.
 * Source: kernels/smoothing.h.
 */
#include "kernels/holt_winters.h"

PS_FN void ps_holt_winters_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                              PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                              PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                              PS_GLOBAL double *PS_RESTRICT state,
                              PS_GLOBAL double *PS_RESTRICT image,
                              PS_GLOBAL float *PS_RESTRICT score, ps_holt_winters_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    PS_GLOBAL double *const after = image + (ps_u64)segment * (PS_HOLT_WINTERS_PLANES + p.parts);
    const ps_u64 plane = (ps_u64)p.capacity;
    ps_smoothing s = {0.0, 0.0, 0.0};
    double variance = 0.0, rows = 0.0;
    if (!fresh[segment]) {
        s.level = at[0];
        s.trend = at[plane];
        variance = at[plane * 2u];
        s.count = at[plane * 3u];
        rows = at[plane * 4u];
    }
    PS_GLOBAL double *const season = after + PS_HOLT_WINTERS_PLANES;
    for (ps_u32 i = 0u; i < p.parts; i++)
        season[i] = fresh[segment] ? 0.0 : at[plane * (PS_HOLT_WINTERS_PLANES + i)];
    const ps_smoothing_weights weights = {p.level, p.trend, p.season, p.damping};
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        const double turns = p.parts > 0u ? (double)((ps_u64)rows / p.parts) : 0.0;
        const ps_u32 part = p.parts > 0u ? (ps_u32)((ps_u64)rows % p.parts) : 0u;
        rows += 1.0;
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        const double adds = p.parts > 0u ? season[part] : 0.0;
        const double expected = ps_smoothing_expected(s, adds, p.damping);
        const double e = s.count == 0.0 ? 0.0 : ps_deviation(x, expected);
        score[row] = s.count < warmup ? 0.0f : ps_score_from_deviation(e, variance);
        const double v = ps_moving_weight(s.count, p.variance);
        const double then = ps_smoothing_add(&s, x, e, adds, turns, weights);
        if (p.parts > 0u) season[part] = then;
        variance = (1.0 - v) * ps_fma(v * e, e, variance);
    }
    for (ps_u32 i = 0u; i < p.parts; i++) at[plane * (PS_HOLT_WINTERS_PLANES + i)] = season[i];
    at[0] = after[0] = s.level;
    at[plane] = after[1] = s.trend;
    at[plane * 2u] = after[2] = variance;
    at[plane * 3u] = after[3] = s.count;
    at[plane * 4u] = after[4] = rows;
}
PS_ENTRY_9(holt_winters, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, double, double, float)
