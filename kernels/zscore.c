/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against the mean and variance of all earlier values of its own series.
 * Shapes, units, nulls, warm-up: as kernel ewma; the planes are mean, sum of squared deviations,
 * count.
 * State: read once and written once per segment; a segment's series occurs once per call.
 * Agrees: to the bit. Deviations are bounded by PS_DEVIATION_MAX, so no input makes the state
 * infinite or NaN.
 * Source: B. P. Welford, Note on a method for calculating corrected sums of squares (Technometrics
 * 4, 1962), with the new term written d^2 (n - 1) / n, which needs one division a row and cannot
 * become negative.
 */
#include "kernels/zscore.h"

PS_FN void ps_zscore_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                        PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                        PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                        PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image,
                        PS_GLOBAL float *PS_RESTRICT score, ps_zscore_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    double mean = 0.0, squares = 0.0, count = 0.0;
    if (!fresh[segment]) {
        mean = at[0];
        squares = at[(ps_u64)p.capacity];
        count = at[(ps_u64)p.capacity * 2u];
    }
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    double before = 1.0 / (count - 1.0), share = 1.0 / count; /* unused while they are infinite */
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        const double d = count == 0.0 ? 0.0 : ps_deviation(x, mean);
        score[row] = count < warmup ? 0.0f : ps_score_from_deviation(d, squares * before);
        mean = count == 0.0 ? x : mean;
        count += 1.0;
        before = share;
        share = 1.0 / count;
        mean = ps_fma(d, share, mean);
        squares = ps_fma(d * d, 1.0 - share, squares);
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_ZSCORE_PLANES;
    at[0] = after[0] = mean;
    at[(ps_u64)p.capacity] = after[1] = squares;
    at[(ps_u64)p.capacity * 2u] = after[2] = count;
}
PS_ENTRY_9(zscore, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
