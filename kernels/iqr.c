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
    ps_quantile lower, upper;
    double mean = 0.0, count = 0.0;
    ps_quantile_clear(&lower);
    ps_quantile_clear(&upper);
    if (!fresh[segment]) {
        ps_quantile_load(&lower, at, plane);
        ps_quantile_load(&upper, at + plane * PS_QUANTILE_PLANES, plane);
        mean = at[plane * 2u * PS_QUANTILE_PLANES];
        count = at[plane * (2u * PS_QUANTILE_PLANES + 1u)];
    }
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
        const ps_u32 seen = count < 5.0 ? (ps_u32)count : 5u;
        const double below = ps_quantile_value(&lower, seen),
                     above = ps_quantile_value(&upper, seen);
        const double d = count == 0.0 ? 0.0 : x - (0.5 * below + 0.5 * above);
        const double range = above - below;
        score[row] =
            count < warmup ? 0.0f : ps_score_robust(d, range / PS_SIGMAS_OF_QUARTILE, mean);
        if (seen < 5u) {
            ps_quantile_begin(&lower, x, seen);
            ps_quantile_begin(&upper, x, seen);
        } else {
            ps_quantile_add(&lower, x, 0.25, p.memory);
            ps_quantile_add(&upper, x, 0.75, p.memory);
        }
        const double kept = count + 1.0 < p.memory ? count + 1.0 : p.memory;
        mean += (ps_fabs(d) - mean) / kept;
        count += 1.0;
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_IQR_PLANES;
    ps_quantile_store(&lower, at, plane, after);
    ps_quantile_store(&upper, at + plane * PS_QUANTILE_PLANES, plane, after + PS_QUANTILE_PLANES);
    at[plane * 2u * PS_QUANTILE_PLANES] = after[2u * PS_QUANTILE_PLANES] = mean;
    at[plane * (2u * PS_QUANTILE_PLANES + 1u)] = after[2u * PS_QUANTILE_PLANES + 1u] = count;
}
PS_ENTRY_9(iqr, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
