/* SPDX-License-Identifier: Apache-2.0
 * When each of several values of a series will reach the limit at which it fails, by the straight
 * line through its last values, and what that comes to for the series.
 * Shapes: block[], the batch; table[] of the fields, the time and what is written (kernels/risk.h);
 * limit[fields x PS_RISK_CONSTANTS]; then order, first, series, fresh, state and image as kernel
 * ewma has them.
 * Units: seconds; risk, confidence and parts from 0 to 1.
 * State: read once and written once per segment; a segment's series occurs once per call. The line
 * is that of weighted least squares, in which a value counts `keep` times as much as the one behind
 * it; it is read at the latest time that the series has had, so that one that comes late changes
 * the line and not the clock. A row of which no field has a value, or before the series has a time,
 * gets NaN; rows in no segment are not written.
 * Agrees: to the bit. No NaN and no infinity: values end at 1e140, times at 9e15 ms.
 * Source: weighted sums about their means as T. Finch, Incremental calculation of weighted mean and
 * variance (2009), section 4; the slope's error: D. C. Montgomery, E. A. Peck and G. G. Vining,
 * Introduction to linear regression analysis, 5th edition (2012), 2.3, with (sum w)^2 / (sum w^2)
 * values.
 */
#include "kernels/risk.h"

/* What a field says. */
typedef struct ps_risk_view {
    double part, left, confidence; /* left: NaN if it is not on its way */
} ps_risk_view;

PS_FN void ps_risk_add(PS_GLOBAL double *m, double at, double x, double keep) {
    m[0] += 1.0;
    m[1] = keep * m[1] + 1.0;
    m[2] = keep * keep * m[2] + 1.0;
    const double share = 1.0 / m[1], late = at - m[3], off = ps_deviation(x, m[4]);
    m[3] += share * late;
    m[4] += share * off;
    m[5] = keep * m[5] + (1.0 - share) * late * late;
    m[6] = keep * m[6] + (1.0 - share) * late * off;
    m[7] = keep * m[7] + (1.0 - share) * off * off;
}

/* How sure it is that there is a slope: 1 less the probability of one as steep by chance. */
PS_FN double ps_risk_sure(PS_GLOBAL const double *m, double slope) {
    const double df = m[1] * m[1] / m[2] - 2.0, explained = slope * m[6];
    const double rest = m[7] > explained ? m[7] - explained : 0.0;
    if (!(df >= 1.0)) return 0.0;
    const double error = ps_sqrt(rest / df) / ps_sqrt(m[5]);
    if (!(error > 0.0)) return 1.0;
    return 1.0 - ps_tail(ps_student_log_tail(slope / error, df));
}

PS_FN ps_risk_view ps_risk_look(PS_GLOBAL const double *m, PS_GLOBAL const double *limit,
                                double now, ps_risk_params p) {
    ps_risk_view v = {0.0, ps_nan64(), 0.0};
    if (m[0] < (double)p.warmup) return v;
    const double slope = m[5] > 0.0 ? m[6] / m[5] : 0.0;
    const double gap = (limit[0] - (m[4] + slope * (now - m[3]))) * limit[1];
    const double rate = slope * limit[1];
    if (gap <= 0.0) { /* beyond it in the midst of the values, or only where the line leads */
        v.confidence = (limit[0] - m[4]) * limit[1] <= 0.0 ? 1.0 : ps_risk_sure(m, slope);
        v.left = v.confidence >= p.confidence ? 0.0 : ps_nan64();
    } else if (rate > 0.0 && gap / rate < 1e15) {
        v.confidence = ps_risk_sure(m, slope);
        v.left = v.confidence >= p.confidence ? gap / rate : ps_nan64();
    }
    if (v.left == v.left) v.part = limit[2] * v.confidence * (p.horizon / (p.horizon + v.left));
    return v;
}

/* Takes the row in; whether there is anything to say. */
PS_FN ps_u32 ps_risk_take(PS_GLOBAL const ps_u8 *block, PS_GLOBAL const ps_u32 *table, ps_u32 row,
                          PS_GLOBAL double *m, ps_risk_params p) {
    PS_GLOBAL const ps_u32 *const clock = table + PS_FOUND_WORDS * p.fields;
    const ps_i64 none = -PS_MOMENT_MAX - 1;
    const ps_i64 ms = ps_moment(block + clock[0], block + clock[1], row, clock[2], none);
    ps_u32 values = 0u;
    if (ms == none && m[PS_RISK_TIMED] == 0.0) return 0u;
    const double at = ms == none ? m[PS_RISK_SECONDS] : (double)ms / 1000.0;
    /* Rows may come late; by more than the horizon none does: the clock had run ahead. */
    if (m[PS_RISK_TIMED] == 0.0 || at > m[PS_RISK_SECONDS] || m[PS_RISK_SECONDS] - at > p.horizon)
        m[PS_RISK_SECONDS] = at;
    m[PS_RISK_TIMED] = 1.0;
    for (ps_u32 i = 0u; i < p.fields; i++) {
        double x;
        if (!ps_found(block, table, i, row, &x)) continue;
        ps_risk_add(m + PS_RISK_TRENDS + PS_RISK_TREND * i, at, x, p.keep);
        values++;
    }
    return values > 0u;
}

PS_FN void ps_risk_row(PS_GLOBAL ps_u8 *block, PS_GLOBAL const ps_u32 *table,
                       PS_GLOBAL const double *limit, ps_u32 row, PS_GLOBAL double *m,
                       ps_risk_params p) {
    PS_GLOBAL const ps_u32 *const to = table + PS_FOUND_WORDS * (p.fields + 1u);
    const ps_u32 looks = ps_risk_take(block, table, row, m, p);
    double safe = 1.0, left = ps_nan64(), confidence = ps_nan64(), most = 0.0, known = 0.0;
    ps_u8 factor = (ps_u8)PS_RISK_NONE;
    for (ps_u32 i = 0u; i < p.fields; i++) {
        PS_GLOBAL const double *const trend = m + PS_RISK_TRENDS + PS_RISK_TREND * i;
        double part = ps_nan64();
        if (looks && trend[0] >= (double)p.warmup) {
            const ps_risk_view v =
                ps_risk_look(trend, limit + PS_RISK_CONSTANTS * i, m[PS_RISK_SECONDS], p);
            part = v.part;
            known += 1.0;
            safe *= 1.0 - v.part;
            if (v.left == v.left && !(left <= v.left)) left = v.left;
            if (v.part > most) {
                most = v.part;
                confidence = v.confidence;
                factor = (ps_u8)i;
            }
        }
        ps_found_number(block, to[PS_RISK_PARTS + i], row, part);
    }
    ps_found_score(block, to[PS_RISK_RISK], row, known > 0.0 ? (float)(1.0 - safe) : ps_nan());
    ps_found_number(block, to[PS_RISK_LEFT], row, left);
    ps_found_number(block, to[PS_RISK_CONFIDENCE], row, confidence);
    block[(ps_u64)to[PS_RISK_FACTOR] + row] = factor;
}

PS_FN void ps_risk_at(ps_u32 segment, PS_GLOBAL ps_u8 *PS_RESTRICT block,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT table,
                      PS_GLOBAL const double *PS_RESTRICT limit,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL double *PS_RESTRICT state,
                      PS_GLOBAL double *PS_RESTRICT image, ps_risk_params p) {
    const ps_u32 planes = PS_RISK_TRENDS + PS_RISK_TREND * p.fields;
    PS_GLOBAL double *const at = state + series[segment];
    PS_GLOBAL double *const m = image + (ps_u64)segment * planes;
    const ps_u64 plane = (ps_u64)p.capacity;
    for (ps_u32 i = 0u; i < planes; i++) m[i] = fresh[segment] ? 0.0 : at[plane * i];
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) ps_risk_row(block, table, limit, order[i], m, p);
    for (ps_u32 i = 0u; i < planes; i++) at[plane * i] = m[i];
}
PS_ENTRY_9(risk, ps_u8, const ps_u32, const double, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, double, double)
