/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against the median of the last `window` values of its own series, in median
 * absolute deviations or mean ones (kernels/robust.h): what half of the window has not done yet
 * moves the median little.
 * Shapes, units, nulls, warm-up: as kernel ewma; the planes are the window's values, in the place
 * of the value that they followed by `window`, and the count of all values.
 * State: read once and written once per segment; a segment's series occurs once per call.
 * Agrees: to the bit; it compares and selects, so the order in which values are sorted in does not
 * show.
 * Source: F. R. Hampel, The influence curve and its role in robust estimation (JASA 69, 1974).
 */
#include "kernels/hampel.h"

/* The window in ascending order, private to a work-item. */
typedef struct ps_hampel_sorted {
    double at[PS_HAMPEL_WINDOW];
    ps_u32 count;
} ps_hampel_sorted;

PS_FN void ps_hampel_insert(ps_hampel_sorted *sorted, double x) {
    ps_u32 i = sorted->count++;
    for (; i > 0u && sorted->at[i - 1u] > x; i--) sorted->at[i] = sorted->at[i - 1u];
    sorted->at[i] = x;
}

PS_FN void ps_hampel_remove(ps_hampel_sorted *sorted, double x) {
    ps_u32 i = 0u;
    while (sorted->at[i] != x) i++;
    sorted->count--;
    for (; i < sorted->count; i++) sorted->at[i] = sorted->at[i + 1u];
}

PS_FN double ps_hampel_median(const ps_hampel_sorted *sorted) {
    const ps_u32 middle = sorted->count / 2u;
    if (sorted->count % 2u != 0u) return sorted->at[middle];
    return 0.5 * sorted->at[middle - 1u] + 0.5 * sorted->at[middle];
}

/* The median of |value - median|: deviations grow towards both ends, so the least of the two sides
 * is taken off until the middle. */
PS_FN double ps_hampel_mad(const ps_hampel_sorted *sorted, double median) {
    const ps_u32 n = sorted->count, wanted = n / 2u;
    ps_u32 right = 0u;
    while (right < n && sorted->at[right] < median) right++;
    ps_u32 left = right; /* the side below is [0, left) */
    double before = 0.0, d = 0.0;
    for (ps_u32 k = 0u; k <= wanted; k++) {
        const double below = left > 0u ? ps_deviation(median, sorted->at[left - 1u]) : 0.0;
        const double above = right < n ? ps_deviation(sorted->at[right], median) : 0.0;
        const ps_u32 take_below = (ps_u32)(right == n || (left > 0u && below < above));
        left -= take_below;
        right += 1u - take_below;
        before = d;
        d = take_below ? below : above;
    }
    return n % 2u != 0u ? d : 0.5 * before + 0.5 * d;
}

PS_FN double ps_hampel_mean(const ps_hampel_sorted *sorted, double median) {
    double sum = 0.0;
    for (ps_u32 i = 0u; i < sorted->count; i++) sum += ps_fabs(ps_deviation(sorted->at[i], median));
    return sum / (double)sorted->count;
}

PS_FN float ps_hampel_score(const ps_hampel_sorted *sorted, double x) {
    const double median = ps_hampel_median(sorted);
    const double mad = ps_hampel_mad(sorted, median);
    return ps_score_robust(ps_deviation(x, median), mad * PS_SIGMA_OF_MEDIAN,
                           ps_hampel_mean(sorted, median));
}

PS_FN void ps_hampel_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                        PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                        PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                        PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image,
                        PS_GLOBAL float *PS_RESTRICT score, ps_hampel_params p) {
    PS_GLOBAL double *const at = state + series[segment];
    const ps_u64 plane = (ps_u64)p.capacity;
    double ring[PS_HAMPEL_WINDOW];
    ps_hampel_sorted sorted;
    double count = 0.0;
    sorted.count = 0u;
    if (!fresh[segment]) count = at[plane * PS_HAMPEL_WINDOW];
    const ps_u32 filled = count < (double)p.window ? (ps_u32)count : p.window;
    for (ps_u32 i = 0u; i < PS_HAMPEL_WINDOW; i++) {
        ring[i] = i < filled ? at[plane * i] : 0.0;
        if (i < filled) ps_hampel_insert(&sorted, ring[i]);
    }
    ps_u32 place = (ps_u32)(ps_u64)count % p.window;
    const double warmup = (double)(p.warmup < 3u ? 3u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        score[row] = count < warmup ? 0.0f : ps_hampel_score(&sorted, x);
        if (sorted.count == p.window) ps_hampel_remove(&sorted, ring[place]);
        ps_hampel_insert(&sorted, x);
        ring[place] = x;
        place = place + 1u == p.window ? 0u : place + 1u;
        count += 1.0;
    }
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_HAMPEL_PLANES;
    for (ps_u32 i = 0u; i < PS_HAMPEL_WINDOW; i++) at[plane * i] = after[i] = ring[i];
    at[plane * PS_HAMPEL_WINDOW] = after[PS_HAMPEL_WINDOW] = count;
}
PS_ENTRY_9(hampel, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
