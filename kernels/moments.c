/* SPDX-License-Identifier: Apache-2.0
 * Count, sum, mean, variance and extremes of every block of a column.
 * Shapes: value[rows] (double or int64 by params.type), validity[rows / 8], record[8 x blocks]
 * (kernels/moments.h). Item i is block i: rows [2048 i, 2048 (i + 1)) as far as there are any.
 * State: none.
 * Agrees: to the bit, because the shape of every sum depends on the row numbers alone: sixteen sums
 * of every sixteenth row, then a tree. Deviations are taken from the block's first value: plain
 * squares would lose every digit of a variance that is small beside the mean. Where that value is
 * far out, the block, now in the cache, is read once more around its mean.
 */
#include "kernels/moments.h"

PS_FN ps_u32 ps_moments_takes(PS_GLOBAL const ps_u8 *validity, ps_u32 row, double x) {
    return ps_bit(validity, row) != 0u && ps_fabs(x) <= PS_MOMENTS_LIMIT;
}

/* Counts, extremes and the pivot, which is the first value that takes part. */
PS_FN double ps_moments_count(PS_GLOBAL const ps_u8 *value, PS_GLOBAL const ps_u8 *validity,
                              ps_u32 begin, ps_u32 end, ps_u32 type, double *m) {
    double pivot = 0.0;
    for (ps_u32 row = begin; row < end; row++) {
        const double x = ps_value(value, row, type);
        if (ps_bit(validity, row) == 0u) continue;
        if (!ps_moments_takes(validity, row, x)) {
            m[x != x ? PS_MOMENTS_NAN : PS_MOMENTS_BEYOND] += 1.0;
            continue;
        }
        if (m[PS_MOMENTS_COUNT] == 0.0) pivot = x;
        m[PS_MOMENTS_COUNT] += 1.0;
        if (x < m[PS_MOMENTS_LEAST]) m[PS_MOMENTS_LEAST] = x;
        if (x > m[PS_MOMENTS_GREATEST]) m[PS_MOMENTS_GREATEST] = x;
    }
    return pivot;
}

PS_FN ps_moments_pass ps_moments_sums(PS_GLOBAL const ps_u8 *value, PS_GLOBAL const ps_u8 *validity,
                                      ps_u32 begin, ps_u32 end, ps_u32 type, double pivot) {
    double sum[PS_MOMENTS_LANES], squares[PS_MOMENTS_LANES];
    for (ps_u32 i = 0; i < PS_MOMENTS_LANES; i++) sum[i] = squares[i] = 0.0;
    for (ps_u32 row = begin; row < end; row++) {
        const double x = ps_value(value, row, type);
        if (!ps_moments_takes(validity, row, x)) continue;
        const ps_u32 lane = row % PS_MOMENTS_LANES;
        const double d = x - pivot;
        sum[lane] += d;
        squares[lane] = ps_fma(d, d, squares[lane]);
    }
    ps_moments_pass pass;
    pass.pivot = pivot;
    pass.sum = ps_moments_tree(sum);
    pass.squares = ps_moments_tree(squares);
    return pass;
}

PS_FN void ps_moments_at(ps_u32 block, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                         PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                         PS_GLOBAL double *PS_RESTRICT record, ps_moments_params p) {
    const ps_u32 begin = block * PS_MOMENTS_ROWS;
    const ps_u32 left = p.rows - begin;
    const ps_u32 end = begin + (left < PS_MOMENTS_ROWS ? left : PS_MOMENTS_ROWS);
    double m[PS_MOMENTS_WIDTH];
    ps_moments_clear(m);
    const double pivot = ps_moments_count(value, validity, begin, end, p.type, m);
    const double count = m[PS_MOMENTS_COUNT];
    if (count > 0.0) {
        ps_moments_pass pass = ps_moments_sums(value, validity, begin, end, p.type, pivot);
        if (ps_moments_is_far(pass, count))
            pass =
                ps_moments_sums(value, validity, begin, end, p.type, ps_moments_mean(pass, count));
        ps_moments_finish(m, pass);
    }
    PS_GLOBAL double *const out = record + (ps_u64)block * PS_MOMENTS_WIDTH;
    for (ps_u32 i = 0; i < PS_MOMENTS_WIDTH; i++) out[i] = ps_moments_plain(m[i]);
}
PS_ENTRY_3(moments, const ps_u8, const ps_u8, double)
