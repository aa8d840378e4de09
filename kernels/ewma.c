/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against an exponentially weighted mean and variance of its own series.
 * Shapes: value[rows] (double or int64 by params.type), validity[rows / 8], order[] and
 * first[segments + 1] as kernel segment made them, series[segments] (index into the state planes),
 * fresh[segments] (1: start anew, do not read the state), state[planes x capacity] (mean,
 * variance, count), image[segments x planes] (the state afterwards, written for a segment without
 * rows too), score[rows].
 * Units: score is -log10 of a probability (kernels/score.h).
 * State: read once and written once per segment; a segment's series occurs once per call. A row is
 * scored against the state before it, 0 until the series has max(warmup, 2) values. A null, NaN or
 * infinite value scores NaN and leaves the state alone. Rows in no segment are not written.
 * The first values weigh the same (kernels/moving.h), or every second value of a young series would
 * be an alarm.
 * Agrees: to the bit. Deviations are bounded by PS_DEVIATION_MAX, so no input makes the state
 * infinite or NaN.
 */
#include "kernels/ewma.h"

PS_FN void ps_ewma_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL double *PS_RESTRICT state,
                      PS_GLOBAL double *PS_RESTRICT image, PS_GLOBAL float *PS_RESTRICT score,
                      ps_ewma_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    ps_moving m = {0.0, 0.0, 0.0};
    if (!fresh[segment]) {
        m.mean = at[0];
        m.variance = at[(ps_u64)p.capacity];
        m.count = at[(ps_u64)p.capacity * 2u];
    }
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        const double d = ps_deviation(x, m.mean);
        score[row] = m.count < warmup ? 0.0f : ps_score_from_deviation(d, m.variance);
        ps_moving_add(&m, x, d, p.alpha);
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_EWMA_PLANES;
    at[0] = after[0] = m.mean;
    at[(ps_u64)p.capacity] = after[1] = m.variance;
    at[(ps_u64)p.capacity * 2u] = after[2] = m.count;
}
PS_ENTRY_9(ewma, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
