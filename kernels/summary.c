/* SPDX-License-Identifier: Apache-2.0
 * Count, sum, mean, variance and extremes of each series, up to and with each of its values.
 * Shapes: block[], the batch, into which the columns are written; column[2 x params.outputs], pairs
 * of what (kernels/summary.h) and the byte at which the column of doubles lies in the block; then
 * value, validity, order, first, series, fresh, state and image as kernel ewma has them, with
 * PS_SUMMARY_PLANES planes.
 * State: read once and written once per segment; a segment's series occurs once per call. A null,
 * NaN or value beyond the limit writes NaN to every column; the last two are counted. Rows in no
 * segment are not written.
 * Agrees: to the bit: the values of a series are taken one by one in their order, however they are
 * cut into batches.
 * Source: B. P. Welford, Note on a method for calculating corrected sums of squares and products
 * (1962).
 */
#include "kernels/summary.h"

PS_FN void ps_summary_add(double *m, double x) {
    const double count = m[PS_SUMMARY_COUNT] + 1.0;
    const double d = x - m[PS_SUMMARY_MEAN];
    m[PS_SUMMARY_MEAN] = count == 1.0 ? x : m[PS_SUMMARY_MEAN] + d / count;
    m[PS_SUMMARY_SQUARES] =
        count == 1.0 ? 0.0 : ps_fma(d, x - m[PS_SUMMARY_MEAN], m[PS_SUMMARY_SQUARES]);
    m[PS_SUMMARY_SUM] += x;
    m[PS_SUMMARY_COUNT] = count;
    if (x < m[PS_SUMMARY_LEAST] || count == 1.0) m[PS_SUMMARY_LEAST] = x + 0.0;
    if (x > m[PS_SUMMARY_GREATEST] || count == 1.0) m[PS_SUMMARY_GREATEST] = x + 0.0;
}

PS_FN double ps_summary_of(const double *m, ps_u32 what) {
    if (what < PS_SUMMARY_PLANES) return m[what];
    if (m[PS_SUMMARY_COUNT] < 2.0) return ps_nan64();
    const double variance = m[PS_SUMMARY_SQUARES] / (m[PS_SUMMARY_COUNT] - 1.0);
    return what == PS_SUMMARY_VARIANCE ? variance : ps_sqrt(variance);
}

PS_FN void ps_summary_at(
    ps_u32 segment, PS_GLOBAL ps_u8 *PS_RESTRICT block, PS_GLOBAL const ps_u32 *PS_RESTRICT column,
    PS_GLOBAL const ps_u8 *PS_RESTRICT value, PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
    PS_GLOBAL const ps_u32 *PS_RESTRICT order, PS_GLOBAL const ps_u32 *PS_RESTRICT first,
    PS_GLOBAL const ps_u32 *PS_RESTRICT series, PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
    PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image, ps_summary_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    double m[PS_SUMMARY_PLANES];
    for (ps_u32 i = 0; i < PS_SUMMARY_PLANES; i++)
        m[i] = fresh[segment] ? 0.0 : at[(ps_u64)p.capacity * i];
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        const ps_u32 valid = ps_bit(validity, row);
        const ps_u32 takes = valid && ps_fabs(x) <= PS_SUMMARY_LIMIT;
        if (takes) ps_summary_add(m, x);
        if (valid && !takes) m[PS_SUMMARY_NAN] += 1.0;
        for (ps_u32 k = 0; k < p.outputs; k++) {
            PS_GLOBAL double *const to =
                (PS_GLOBAL double *)(PS_GLOBAL void *)(block + column[2 * k + 1]);
            to[row] = takes ? ps_summary_of(m, column[2 * k]) : ps_nan64();
        }
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_SUMMARY_PLANES;
    for (ps_u32 i = 0; i < PS_SUMMARY_PLANES; i++) at[(ps_u64)p.capacity * i] = after[i] = m[i];
}
PS_ENTRY_10(summary, ps_u8, const ps_u32, const ps_u8, const ps_u8, const ps_u32, const ps_u32,
            const ps_u32, const ps_u8, double, double)
