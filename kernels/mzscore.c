/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against the median of the earlier values of its own series, in median absolute
 * deviations or mean ones (kernels/robust.h): the modified z-score, with both medians by the sketch
 * of kernels/quantile.h. The deviations are from the median of their time. Shapes, units, nulls,
 * warm-up: as kernel ewma; the planes are the sketch of the values, the sketch of their deviations,
 * the mean of the deviations, count. State: read once and written once per segment; a segment's
 * series occurs once per call. Agrees: to the bit. Source: B. Iglewicz and D. Hoaglin, How to
 * detect and handle outliers (1993), section 3.
 */
#include "kernels/mzscore.h"

PS_FN void ps_mzscore_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                         PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                         PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                         PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image,
                         PS_GLOBAL float *PS_RESTRICT score, ps_mzscore_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    const ps_u64 plane = (ps_u64)p.capacity;
    ps_quantiles q;
    ps_quantiles_load(&q, at, plane, fresh[segment]);
    const double warmup = (double)(p.warmup < 5u ? 5u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double raw = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, raw)) {
            score[row] = ps_nan();
            continue;
        }
        const double x = ps_quantile_bounded(raw);
        const ps_u32 seen = ps_quantiles_seen(&q);
        const double median = q.count == 0.0 ? x : ps_quantile_value(&q.first, seen);
        const double d = x - median, size = ps_fabs(d);
        const double mad = ps_quantile_value(&q.second, seen);
        score[row] = q.count < warmup ? 0.0f : ps_score_robust(d, mad * PS_SIGMA_OF_MEDIAN, q.mean);
        ps_quantiles_add(&q, x, size, size, 0.5, 0.5, p.memory);
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_MZSCORE_PLANES;
    ps_quantiles_store(&q, at, plane, after);
}
PS_ENTRY_9(mzscore, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
