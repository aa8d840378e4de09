/* SPDX-License-Identifier: Apache-2.0
 * Silences anomalies that follow an alert of the same series.
 * An anomaly is an alert unless the series is quiet; after an alert it is quiet for
 * params.quiet_ms, for at least params.rows_least and less than params.rows_most rows. A score
 * larger than PS_SUPPRESS_RISE times the last alert's is an alert in any case.
 * Shapes: score[rows] and, of each row, anomaly[rows] and why[rows], as kernel vote made them: a
 * silenced row's become 0 and PS_WHY_NONE. order, first, series, fresh, state (planes: the last
 * alert's score, its time, the rows from it on, the time of the last row) and image as kernel ewma
 * has them; time[rows] and time_validity by params.time.
 * Units: milliseconds since 1970.
 * State: read once and written once per segment; a segment's series occurs once per call. A row
 * whose score is NaN is none of the series' rows. Where time goes back a series stays quiet, but
 * not for more rows than params.rows_most. Rows in no segment are left as they are.
 * Agrees: to the bit; the state is finite.
 */
#include "kernels/suppress.h"

#include "kernels/vote.h"

#define PS_SUPPRESS_ROWS_MAX 4294967296.0 /* where rows are not counted any further */

typedef struct ps_suppress_state {
    double peak, alert_ms, rows, last_ms; /* rows 0: there was no alert */
} ps_suppress_state;

PS_FN ps_u32 ps_suppress_quiet(const ps_suppress_state *s, double now, ps_suppress_params p) {
    if (s->rows == 0.0) return 0u;
    if (s->rows < (double)p.rows_least) return 1u;
    return s->rows < (double)p.rows_most && now - s->alert_ms < p.quiet_ms;
}

/* Whether the row is an alert. */
PS_FN ps_u32 ps_suppress_row(ps_suppress_state *s, double score, ps_u32 anomaly,
                             ps_suppress_params p) {
    const ps_u32 quiet = ps_suppress_quiet(s, s->last_ms, p) && score <= PS_SUPPRESS_RISE * s->peak;
    const ps_u32 alert = anomaly != 0u && !quiet;
    if (alert) {
        s->peak = score;
        s->alert_ms = s->last_ms;
        s->rows = 1.0;
    } else if (s->rows > 0.0 && s->rows < PS_SUPPRESS_ROWS_MAX) {
        s->rows += 1.0;
    }
    return alert;
}

PS_FN void ps_suppress_at(ps_u32 segment, PS_GLOBAL const float *PS_RESTRICT score,
                          PS_GLOBAL ps_u8 *PS_RESTRICT anomaly, PS_GLOBAL ps_u8 *PS_RESTRICT why,
                          PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                          PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                          PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                          PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                          PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image,
                          PS_GLOBAL const ps_u8 *PS_RESTRICT time,
                          PS_GLOBAL const ps_u8 *PS_RESTRICT time_validity, ps_suppress_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    ps_suppress_state s = {0.0, 0.0, 0.0, 0.0};
    if (!fresh[segment]) {
        s.peak = at[0];
        s.alert_ms = at[(ps_u64)p.capacity];
        s.rows = at[(ps_u64)p.capacity * 2u];
        s.last_ms = at[(ps_u64)p.capacity * 3u];
    }
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const float mine = score[row];
        if (mine != mine) continue;
        s.last_ms = (double)ps_moment(time, time_validity, row, p.time, (ps_i64)s.last_ms);
        if (ps_suppress_row(&s, (double)mine, anomaly[row], p)) continue;
        anomaly[row] = 0;
        why[row] = (ps_u8)PS_WHY_NONE;
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_SUPPRESS_PLANES;
    at[0] = after[0] = s.peak;
    at[(ps_u64)p.capacity] = after[1] = s.alert_ms;
    at[(ps_u64)p.capacity * 2u] = after[2] = s.rows;
    at[(ps_u64)p.capacity * 3u] = after[3] = s.last_ms;
}
PS_ENTRY_11(suppress, const float, ps_u8, ps_u8, const ps_u32, const ps_u32, const ps_u32,
            const ps_u8, double, double, const ps_u8, const ps_u8)
