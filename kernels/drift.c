/* SPDX-License-Identifier: Apache-2.0
 * Tests every eighth of a window whether the mean of a series' last values differs from that of its
 * baseline: the first values that it had, or those behind the last drift.
 * Shapes: block[], the batch; table[] of the value and of what is written (kernels/drift.h); then
 * order, first, series, fresh, state and image as kernel ewma has them, with PS_DRIFT_PLANES.
 * State: read once and written once per segment; a segment's series occurs once per call. A value
 * that is null, NaN or beyond the limit takes part in nothing. Rows without a test get NaN and 0,
 * rows in no segment are not written.
 * Agrees: to the bit: a series' values are taken one by one. The window is kept as the sums of its
 * eighths, so that no value is taken off again and none need be kept.
 * Source: kernels/welch.h.
 */
#include "kernels/drift.h"

PS_FN ps_welch_sample ps_drift_sample(PS_GLOBAL const double *m) {
    ps_welch_sample s;
    s.count = m[0];
    s.mean = m[1];
    s.squares = m[2];
    return s;
}

PS_FN void ps_drift_keep(PS_GLOBAL double *m, ps_welch_sample s) {
    m[0] = s.count;
    m[1] = s.mean;
    m[2] = s.squares;
}

PS_FN void ps_drift_clear(PS_GLOBAL double *m) {
    for (ps_u32 i = 0u; i < PS_DRIFT_PLANES; i++) m[i] = 0.0;
}

/* Whether a window is complete with this value. */
PS_FN ps_u32 ps_drift_take(PS_GLOBAL double *m, double x, ps_drift_params p) {
    PS_GLOBAL double *const sample = m[0] < (double)p.baseline ? m : m + 3;
    ps_welch_sample s = ps_drift_sample(sample);
    ps_welch_add(&s, x);
    ps_drift_keep(sample, s);
    if (m[3] < (double)p.pane) return 0u;
    const ps_u32 place = (ps_u32)((ps_u64)m[PS_DRIFT_TURN] % PS_DRIFT_PANES);
    m[PS_DRIFT_RING + 2u * place] = m[4];
    m[PS_DRIFT_RING + 2u * place + 1u] = m[5];
    m[PS_DRIFT_TURN] += 1.0;
    m[3] = m[4] = m[5] = 0.0;
    return m[PS_DRIFT_TURN] >= (double)PS_DRIFT_PANES;
}

/* All panes together, the oldest first. */
PS_FN ps_welch_sample ps_drift_window(PS_GLOBAL const double *m, ps_drift_params p) {
    const ps_u64 turn = (ps_u64)m[PS_DRIFT_TURN];
    ps_welch_sample all;
    all.count = all.mean = all.squares = 0.0;
    for (ps_u32 i = 0u; i < PS_DRIFT_PANES; i++) {
        PS_GLOBAL const double *const pane =
            m + PS_DRIFT_RING + 2u * (ps_u32)((turn + i) % PS_DRIFT_PANES);
        ps_welch_merge(&all, (double)p.pane, pane[0], pane[1]);
    }
    return all;
}

PS_FN void ps_drift_row(PS_GLOBAL ps_u8 *block, PS_GLOBAL const ps_u32 *table, ps_u32 row,
                        PS_GLOBAL double *m, ps_drift_params p) {
    double x;
    const ps_u32 tested = ps_found(block, table, 0u, row, &x) && ps_drift_take(m, x, p);
    double t = ps_nan64(), df = ps_nan64(), tail = ps_nan64(), change = ps_nan64();
    float score = ps_nan();
    ps_u8 drift = 0u;
    if (tested) {
        const ps_welch_sample base = ps_drift_sample(m);
        const ps_welch w = ps_welch_test(base, ps_drift_window(m, p));
        const double deviation = ps_sqrt(base.squares / (base.count - 1.0));
        t = w.t;
        df = w.df;
        tail = ps_tail(w.log_p);
        change = w.change;
        score = (float)ps_score_from_log_tail(w.log_p);
        drift = (double)score >= p.score && ps_fabs(change) >= p.effect * deviation;
        if (drift && p.renew) ps_drift_clear(m);
    }
    ps_found_number(block, table[PS_DRIFT_T], row, t);
    ps_found_number(block, table[PS_DRIFT_DF], row, df);
    ps_found_number(block, table[PS_DRIFT_P], row, tail);
    ps_found_number(block, table[PS_DRIFT_CHANGE], row, change);
    ps_found_score(block, table[PS_DRIFT_SCORE], row, score);
    block[(ps_u64)table[PS_DRIFT_VERDICT] + row] = drift;
}

PS_FN void
ps_drift_at(ps_u32 segment, PS_GLOBAL ps_u8 *PS_RESTRICT block,
            PS_GLOBAL const ps_u32 *PS_RESTRICT table, PS_GLOBAL const ps_u32 *PS_RESTRICT order,
            PS_GLOBAL const ps_u32 *PS_RESTRICT first, PS_GLOBAL const ps_u32 *PS_RESTRICT series,
            PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL double *PS_RESTRICT state,
            PS_GLOBAL double *PS_RESTRICT image, ps_drift_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    PS_GLOBAL double *const m = image + (ps_u64)segment * PS_DRIFT_PLANES;
    const ps_u64 plane = (ps_u64)p.capacity;
    for (ps_u32 i = 0u; i < PS_DRIFT_PLANES; i++) m[i] = fresh[segment] ? 0.0 : at[plane * i];
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) ps_drift_row(block, table, order[i], m, p);
    for (ps_u32 i = 0u; i < PS_DRIFT_PLANES; i++) at[plane * i] = m[i];
}
PS_ENTRY_8(drift, ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double)
