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

/* The window in ascending order, private to a work-item; what is not filled lies beyond all. */
typedef struct ps_hampel_sorted {
    double at[PS_HAMPEL_PLANES];
    ps_u32 count;
} ps_hampel_sorted;

/* How many are less: counted without a branch, because where a value goes cannot be foreseen. */
PS_FN ps_u32 ps_hampel_place(const ps_hampel_sorted *sorted, double x) {
    ps_u64 less[8] = {0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u};
    for (ps_u32 from = 0u; from < sorted->count; from += 8u)
        for (ps_u32 i = 0u; i < 8u; i++) less[i] += sorted->at[from + i] < x ? 1u : 0u;
    return (ps_u32)(((less[0] + less[1]) + (less[2] + less[3])) +
                    ((less[4] + less[5]) + (less[6] + less[7])));
}

PS_FN void ps_hampel_begin(ps_hampel_sorted *sorted) {
    sorted->count = 0u;
    for (ps_u32 i = 0u; i < PS_HAMPEL_PLANES; i++)
        sorted->at[i] = ps_f64_from_bits(0x7ff0000000000000u);
}

PS_FN void ps_hampel_insert(ps_hampel_sorted *sorted, double x) {
    const ps_u32 to = ps_hampel_place(sorted, x);
    for (ps_u32 i = sorted->count++; i > to; i--) sorted->at[i] = sorted->at[i - 1u];
    sorted->at[to] = x;
}

/* x in the place of `old`, which is there: only what lies between them moves. */
PS_FN void ps_hampel_replace(ps_hampel_sorted *sorted, double old, double x) {
    ps_u32 i = ps_hampel_place(sorted, old);
    const ps_u32 to = ps_hampel_place(sorted, x);
    for (; i + 1u < to; i++) sorted->at[i] = sorted->at[i + 1u];
    for (; i > to; i--) sorted->at[i] = sorted->at[i - 1u];
    sorted->at[i] = x;
}

PS_FN double ps_hampel_median(const ps_hampel_sorted *sorted) {
    const ps_u32 middle = sorted->count / 2u;
    if (sorted->count % 2u != 0u) return sorted->at[middle];
    const double low = sorted->at[middle - 1u], high = sorted->at[middle];
    return low == high ? low : 0.5 * low + 0.5 * high; /* the least numbers have no half */
}

/* How far the i-th value below `border` lies below the median, and the i-th from it on above. */
PS_FN double ps_hampel_below(const ps_hampel_sorted *sorted, double median, ps_u32 border,
                             ps_u32 i) {
    return ps_deviation(median, sorted->at[border - 1u - i]);
}

PS_FN double ps_hampel_above(const ps_hampel_sorted *sorted, double median, ps_u32 border,
                             ps_u32 i) {
    return ps_deviation(sorted->at[border + i], median);
}

/* The largest of the nearest `low` below and the nearest `high` above. */
PS_FN double ps_hampel_farthest(const ps_hampel_sorted *sorted, double median, ps_u32 border,
                                ps_u32 low, ps_u32 high) {
    const double below = low > 0u ? ps_hampel_below(sorted, median, border, low - 1u) : 0.0;
    const double above = high > 0u ? ps_hampel_above(sorted, median, border, high - 1u) : 0.0;
    return below > above ? below : above;
}

/* The median of |value - median|: deviations grow towards both ends, so how many of the nearest
 * half lie below is found by halving. */
PS_FN double ps_hampel_mad(const ps_hampel_sorted *sorted, double median) {
    const ps_u32 n = sorted->count, nearest = n / 2u + 1u;
    ps_u32 border = n / 2u;
    while (border < n && sorted->at[border] < median) border++;
    while (border > 0u && sorted->at[border - 1u] > median) border--;
    ps_u32 low = nearest > n - border ? nearest - (n - border) : 0u;
    ps_u32 high = nearest < border ? nearest : border;
    while (low < high) {
        const ps_u32 i = (low + high) / 2u;
        const ps_u32 more = ps_hampel_below(sorted, median, border, i) <
                            ps_hampel_above(sorted, median, border, nearest - 1u - i);
        low = more ? i + 1u : low;
        high = more ? high : i;
    }
    const ps_u32 rest = nearest - low;
    const double d = ps_hampel_farthest(sorted, median, border, low, rest);
    if (n % 2u != 0u) return d;
    /* The one before it: without the one that it is. */
    const ps_u32 last =
        low > 0u && (rest == 0u || ps_hampel_below(sorted, median, border, low - 1u) == d);
    const double before =
        ps_hampel_farthest(sorted, median, border, low - last, rest - (1u - last));
    return 0.5 * before + 0.5 * d;
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
    ps_hampel_begin(&sorted);
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
        if (sorted.count == p.window)
            ps_hampel_replace(&sorted, ring[place], x);
        else
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
