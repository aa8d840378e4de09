/* SPDX-License-Identifier: Apache-2.0
 * Scores each value by how far the values of its series have drifted from their level together: two
 * sums of standardised deviations, up and down, of which each step takes a slack away.
 * Shapes, nulls, warm-up: as kernel ewma; the planes are mean, variance, count, upper sum, lower
 * sum.
 * Units: the larger sum s scores -log10(2 exp(-2 slack s)), at least 0: how often the sums of
 * standard normal values with this slack are that large, by their Brownian limit.
 * State: read once and written once per segment; a segment's series occurs once per call. Mean and
 * variance are those of kernel ewma. A row whose score reaches `reset` is the last of its sums.
 * Agrees: to the bit. A standardised deviation is bounded by PS_CUSUM_Z_MAX, so no input makes a
 * sum infinite.
 * Source: E. S. Page, Continuous inspection schemes (Biometrika 41, 1954); the tail: D. Siegmund,
 * Sequential analysis (1985), section 2.6.
 */
#include "kernels/cusum.h"

#define PS_CUSUM_Z_MAX 1000.0

/* A deviation in standard deviations; what leaves a constant series is as far as can be. */
PS_FN double ps_cusum_z(double deviation, double variance) {
    if (deviation == 0.0) return 0.0;
    const double z = variance > 0.0    ? deviation / ps_sqrt(variance)
                     : deviation > 0.0 ? PS_CUSUM_Z_MAX
                                       : -PS_CUSUM_Z_MAX;
    const double capped = z < PS_CUSUM_Z_MAX ? z : PS_CUSUM_Z_MAX;
    return capped > -PS_CUSUM_Z_MAX ? capped : -PS_CUSUM_Z_MAX;
}

PS_FN float ps_cusum_score(double sum, double slack) {
    const double log10_e = 0.43429448190325182765, log10_2 = 0.30102999566398119521;
    const double score = 2.0 * slack * sum * log10_e - log10_2;
    if (score <= 0.0) return 0.0f;
    return (float)(score < PS_SCORE_MAX ? score : PS_SCORE_MAX);
}

PS_FN void ps_cusum_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                       PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                       PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                       PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                       PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                       PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                       PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image,
                       PS_GLOBAL float *PS_RESTRICT score, ps_cusum_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    const ps_u64 plane = (ps_u64)p.capacity;
    ps_moving m = {0.0, 0.0, 0.0};
    double upper = 0.0, lower = 0.0;
    if (!fresh[segment]) {
        m.mean = at[0];
        m.variance = at[plane];
        m.count = at[plane * 2u];
        upper = at[plane * 3u];
        lower = at[plane * 4u];
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
        float mine = 0.0f;
        if (m.count >= warmup) {
            const double z = ps_cusum_z(d, m.variance);
            const double up = upper + z - p.slack, down = lower - z - p.slack;
            upper = up > 0.0 ? up : 0.0;
            lower = down > 0.0 ? down : 0.0;
            mine = ps_cusum_score(upper > lower ? upper : lower, p.slack);
            if ((double)mine >= p.reset) upper = lower = 0.0;
        }
        score[row] = mine;
        ps_moving_add(&m, x, d, p.alpha);
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_CUSUM_PLANES;
    at[0] = after[0] = m.mean;
    at[plane] = after[1] = m.variance;
    at[plane * 2u] = after[2] = m.count;
    at[plane * 3u] = after[3] = upper;
    at[plane * 4u] = after[4] = lower;
}
PS_ENTRY_9(cusum, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
