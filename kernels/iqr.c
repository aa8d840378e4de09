/* SPDX-License-Identifier: Apache-2.0
 * Scores each value by how far it lies from the middle of the quartiles of the earlier values of
 * its own series, in ranges between them: Tukey's fences, at 1.5 ranges beyond a quartile, are a
 * score of 1.45. The quartiles are sketches of kernels/quantile.h.
 * Shapes, units, nulls, warm-up: as kernel ewma; the planes are the sketch of the lower quartile,
 * of the upper one, the mean distance from their middle, count.
 * State: read once and written once per segment; a segment's series occurs once per call.
 * Agrees: to the bit.
 * Source: J. W. Tukey, Exploratory data analysis (1977), chapter 2.
 */
#include "kernels/iqr.h"

PS_FN void ps_iqr_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                     PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                     PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                     PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                     PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                     PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL double *PS_RESTRICT state,
                     PS_GLOBAL double *PS_RESTRICT image, PS_GLOBAL float *PS_RESTRICT score,
                     ps_iqr_params p) {
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
        const double below = ps_quantile_value(&q.first, seen),
                     above = ps_quantile_value(&q.second, seen);
        /* The least numbers have no half. */
        const double middle = below == above ? below : 0.5 * below + 0.5 * above;
        const double d = q.count == 0.0 ? 0.0 : x - middle;
        const double range = above - below;
        score[row] =
            q.count < warmup ? 0.0f : ps_score_robust(d, range / PS_SIGMAS_OF_QUARTILE, q.mean);
        ps_quantiles_add(&q, x, x, ps_fabs(d), 0.25, 0.75, p.memory);
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_IQR_PLANES;
    ps_quantiles_store(&q, at, plane, after);
}
PS_ENTRY_9(iqr, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
