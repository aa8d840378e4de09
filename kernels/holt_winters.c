/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against what its series was expected to be: a level, a damped trend, and for
 * each of `parts` rows of a season what it adds to the level.
 * Shapes, units, nulls, warm-up: as kernel ewma; the planes are level, trend, variance of the
 * errors, count, rows, `parts` of the season and, where `learn` is not 0, 2 + `learn` more. `rows`
 * goes on for a row without a value too: the season is one of rows.
 * A season that is to be found: until `learn` rows have come there is none; then all of them are
 * taken in once more, with what was found in them.
 * State: read once and written once per segment, but for the parts of the season that no row of the
 * segment belongs to, which are only read; a segment's series occurs once per call.
 * The first values weigh the same, as in kernel ewma, a part of the season by how often it was met.
 * Agrees: to the bit. Errors are bounded by PS_DEVIATION_MAX, so no input makes the state infinite
 * or NaN.
 * Source: kernels/smoothing.h, kernels/season.h.
 */
#include "kernels/holt_winters.h"

#include "kernels/summary.h"

typedef struct ps_holt_winters_model {
    ps_smoothing s;
    double variance, rows;
} ps_holt_winters_model;

PS_FN ps_holt_winters_model ps_holt_winters_new(void) {
    ps_holt_winters_model h;
    h.s.level = h.s.trend = h.s.count = 0.0;
    h.variance = h.rows = 0.0;
    return h;
}

/* Takes in a row of a series with so many parts; its score. */
PS_FN float ps_holt_winters_row(ps_holt_winters_model *h, PS_GLOBAL double *season, ps_u32 parts,
                                double x, ps_u32 usable, ps_holt_winters_params p) {
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const double turns = parts > 0u ? (double)((ps_u64)h->rows / parts) : 0.0;
    const ps_u32 part = parts > 0u ? (ps_u32)((ps_u64)h->rows % parts) : 0u;
    h->rows += 1.0;
    if (!usable) return ps_nan();
    const ps_smoothing_weights weights = {p.level, p.trend, p.season, p.damping};
    const double adds = parts > 0u ? season[part] : 0.0;
    const double expected = ps_smoothing_expected(h->s, adds, p.damping);
    const double e = h->s.count == 0.0 ? 0.0 : ps_deviation(x, expected);
    const float score = h->s.count < warmup ? 0.0f : ps_score_from_deviation(e, h->variance);
    const double v = ps_moving_weight(h->s.count, p.variance);
    const double then = ps_smoothing_add(&h->s, x, e, adds, turns, weights);
    if (parts > 0u) season[part] = then;
    h->variance = (1.0 - v) * ps_fma(v * e, e, h->variance);
    return score;
}

/* What of the parts that there is room for is a season. */
PS_FN ps_u32 ps_holt_winters_parts(double found) {
    return found > 1.0 ? (ps_u32)found : 0u;
}

/* Finds the season in what was kept, and takes all of it in once more. Returns what was found. */
PS_FN double ps_holt_winters_find(ps_holt_winters_model *h, PS_GLOBAL double *season,
                                  PS_GLOBAL double *kept, ps_holt_winters_params p) {
    for (ps_u32 i = 0u; i < p.learn; i++)
        if (kept[i] == PS_HOLT_WINTERS_NONE) kept[i] = ps_nan64();
    const double found = (double)ps_season_find(kept, p.learn, p.parts);
    *h = ps_holt_winters_new();
    for (ps_u32 i = 0u; i < p.learn; i++)
        (void)ps_holt_winters_row(h, season, ps_holt_winters_parts(found), kept[i],
                                  kept[i] == kept[i], p);
    for (ps_u32 i = 0u; i < p.learn; i++) kept[i] = 0.0;
    return found;
}

PS_FN void ps_holt_winters_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                              PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                              PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                              PS_GLOBAL double *PS_RESTRICT state,
                              PS_GLOBAL double *PS_RESTRICT image,
                              PS_GLOBAL float *PS_RESTRICT score, ps_holt_winters_params p) {
    const ps_u32 more = p.learn > 0u ? PS_HOLT_WINTERS_FOUND : 0u;
    const ps_u32 planes = PS_HOLT_WINTERS_PLANES + p.parts + more; /* but for values that wait */
    PS_GLOBAL double *const at = state + series[segment];
    PS_GLOBAL double *const after = image + (ps_u64)segment * (planes + p.learn);
    PS_GLOBAL double *const season = after + PS_HOLT_WINTERS_PLANES;
    PS_GLOBAL double *const found = season + p.parts; /* and how many wait */
    PS_GLOBAL double *const kept = after + planes;
    const ps_u64 plane = (ps_u64)p.capacity;
    ps_holt_winters_model h = ps_holt_winters_new();
    for (ps_u32 i = 0u; i < planes; i++) after[i] = fresh[segment] ? 0.0 : at[plane * i];
    h.s.level = after[0];
    h.s.trend = after[1];
    h.variance = after[2];
    h.s.count = after[3];
    h.rows = after[4];
    const ps_u32 learns = p.learn > 0u && found[0] == 0.0;
    const ps_u32 waiting = learns ? (ps_u32)found[1] : 0u;
    for (ps_u32 i = 0u; i < p.learn; i++) kept[i] = i < waiting ? at[plane * (planes + i)] : 0.0;
    ps_u32 parts = p.learn > 0u ? ps_holt_winters_parts(found[0]) : p.parts;
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        const ps_u32 usable = ps_usable(validity, row, x);
        score[row] = ps_holt_winters_row(&h, season, parts, x, usable, p);
        if (p.learn == 0u || found[0] != 0.0) continue;
        kept[(ps_u32)found[1]] = usable
                                     ? ps_bounded(x, -PS_HOLT_WINTERS_LARGE, PS_HOLT_WINTERS_LARGE)
                                     : PS_HOLT_WINTERS_NONE;
        found[1] += 1.0;
        if (found[1] < (double)p.learn) continue;
        found[0] = ps_holt_winters_find(&h, season, kept, p);
        found[1] = 0.0;
        parts = ps_holt_winters_parts(found[0]);
    }
    after[0] = h.s.level;
    after[1] = h.s.trend;
    after[2] = h.variance;
    after[3] = h.s.count;
    after[4] = h.rows;
    for (ps_u32 i = 0u; i < planes; i++) at[plane * i] = after[i];
    for (ps_u32 i = 0u; learns && i < p.learn; i++) at[plane * (planes + i)] = kept[i];
}
PS_ENTRY_9(holt_winters, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, double, double, float)
