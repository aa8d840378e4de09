/* SPDX-License-Identifier: Apache-2.0
 * Scores each value by how few of the series' last ones lay where it and its step from the value
 * before it lie: the mean, over eight trees that halve the plane of the two in different orders
 * and at different places, of how densely the leaf was filled in the last full window of
 * PS_HALF_SPACE_WINDOW values. Where a leaf had few, the largest part of the tree about it that had
 * few stands for it.
 * Shapes, units, nulls, warm-up: as kernel ewma, but that the planes of a series lie together and
 * are words: state[series x 2 PS_HALF_SPACE_TREES_PLANES]. Each leaf has one: in its upper half the
 * count of the last full window, in its lower half that of the window that fills. Doubles follow
 * (kernels/half_space_trees.h), their lower word first.
 * State: read once and written once per segment; a segment's series occurs once per call. Until the
 * first window is full, it is the one that is asked.
 * Agrees: to the bit. The trees are the same everywhere (kernels/half_space_table.h). Deviations
 * are bounded and their places lie between 0 and 1, so no input makes the state infinite or NaN.
 * Source: S. C. Tan, K. M. Ting and F. T. Liu, Fast anomaly detection for streaming data (IJCAI
 * 2011). There the range of the data is known; here values are taken in deviations from their
 * moving mean, about 8 of them to a quarter of the range.
 */
#include "kernels/half_space_trees.h"

#include "kernels/half_space_table.h"
#include "kernels/log_table.h"

#define PS_HALF_SPACE_SPAN   3000.0 /* values that mean and deviation remember */
#define PS_HALF_SPACE_REACH  8.0    /* deviations at which half of a side of the range is used */
#define PS_HALF_SPACE_FEW    100u   /* a part that holds 1 / so many of a window has few */
#define PS_HALF_SPACE_ALWAYS 0.02   /* density that is there anyway: an end for the logarithm */

/* What is asked and counted for one value. */
typedef struct ps_half_space_place {
    double at[2];        /* the value's and its step's place, 0 to 1 */
    ps_u32 shift, total; /* of the profile that is asked: where its count is, and of how many */
} ps_half_space_place;

PS_FN double ps_half_space_get(PS_GLOBAL const ps_u32 *words, ps_u32 i) {
    const ps_u64 low = words[2u * i], high = words[2u * i + 1u];
    return ps_f64_from_bits(high << 32 | low);
}

PS_FN void ps_half_space_put(PS_GLOBAL ps_u32 *words, ps_u32 i, double x) {
    const ps_u64 bits = ps_f64_to_bits(x);
    words[2u * i] = (ps_u32)bits;
    words[2u * i + 1u] = (ps_u32)(bits >> 32);
}

/* A deviation's place: 0 at one half, an infinite one at an end. */
PS_FN double ps_half_space_squash(double d, double deviation) {
    const double far = d == 0.0 ? 0.0 : d > 0.0 ? 1e9 : -1e9; /* out of a constant series */
    const double z = deviation > 0.0 ? d / (deviation * PS_HALF_SPACE_REACH) : far;
    return 0.5 + 0.5 * z / (1.0 + ps_fabs(z));
}

/* The leaf of a tree: at every node one coordinate's next half, which is its next bit. */
PS_FN ps_u32 ps_half_space_leaf(ps_u32 tree, const double *at) {
    ps_u32 value =
        (ps_u32)((at[0] + ps_half_space_ranges[tree][0][0]) * ps_half_space_ranges[tree][0][1]);
    ps_u32 step =
        (ps_u32)((at[1] + ps_half_space_ranges[tree][1][0]) * ps_half_space_ranges[tree][1][1]);
    ps_u32 node = 1u;
    for (ps_u32 level = 0u; level < PS_HALF_SPACE_DEPTH; level++) {
        const ps_u32 second = ps_half_space_nodes[tree] >> node & 1u;
        node = 2u * node + ((second ? step : value) >> 15 & 1u);
        step <<= second;
        value <<= 1u - second;
    }
    return node - PS_HALF_SPACE_LEAVES;
}

/* How often the part of the tree that stands for the leaf was met, times how many such parts there
 * are. */
PS_FN ps_u32 ps_half_space_density(PS_GLOBAL const ps_u32 *tree, ps_u32 leaf,
                                   const ps_half_space_place *place) {
    const ps_u32 few = place->total / PS_HALF_SPACE_FEW;
    ps_u32 count = tree[leaf] >> place->shift & 0xffffu, width = 1u;
    while (width < PS_HALF_SPACE_LEAVES) {
        const ps_u32 beside = (leaf & ~(width - 1u)) ^ width;
        ps_u32 both = count;
        for (ps_u32 i = 0u; i < width; i++) both += tree[beside + i] >> place->shift & 0xffffu;
        if (both > few) break;
        count = both;
        width *= 2u;
    }
    return count * (PS_HALF_SPACE_LEAVES / width);
}

/* Asks all trees and counts the value in all of them. */
PS_FN double ps_half_space_measure(PS_GLOBAL ps_u32 *words, const ps_half_space_place *place) {
    ps_u32 sum = 0u;
    for (ps_u32 t = 0u; t < PS_HALF_SPACE_TREES; t++) {
        PS_GLOBAL ps_u32 *const tree = words + t * PS_HALF_SPACE_LEAVES;
        const ps_u32 leaf = ps_half_space_leaf(t, place->at);
        sum += ps_half_space_density(tree, leaf, place);
        tree[leaf] += 1u;
    }
    const double all = (double)(PS_HALF_SPACE_TREES * place->total);
    return place->total == 0u ? 0.0 : -ps_log_of((double)sum / all + PS_HALF_SPACE_ALWAYS);
}

/* A full window is the next one's reference. */
PS_FN void ps_half_space_turn(PS_GLOBAL ps_u32 *words) {
    for (ps_u32 i = 0u; i < PS_HALF_SPACE_WORDS; i++) words[i] <<= 16;
}

PS_FN void ps_half_space_trees_at(
    ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
    PS_GLOBAL const ps_u8 *PS_RESTRICT validity, PS_GLOBAL const ps_u32 *PS_RESTRICT order,
    PS_GLOBAL const ps_u32 *PS_RESTRICT first, PS_GLOBAL const ps_u32 *PS_RESTRICT series,
    PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL ps_u32 *PS_RESTRICT state,
    PS_GLOBAL ps_u32 *PS_RESTRICT image, PS_GLOBAL float *PS_RESTRICT score,
    ps_half_space_trees_params p) {
    const ps_u32 words = 2u * PS_HALF_SPACE_TREES_PLANES;
    PS_GLOBAL ps_u32 *const at = state + (ps_u64)series[segment] * words;
    PS_GLOBAL ps_u32 *const after = image + (ps_u64)segment * words;
    PS_GLOBAL ps_u32 *const rest = after + PS_HALF_SPACE_WORDS;
    for (ps_u32 i = 0u; i < words; i++) after[i] = fresh[segment] ? 0u : at[i];
    double count = ps_half_space_get(rest, 5u), last = ps_half_space_get(rest, 2u);
    ps_moving values = {ps_half_space_get(rest, 0u), ps_half_space_get(rest, 1u), count};
    /* The first value has nothing to be compared with. */
    ps_moving measures = {ps_half_space_get(rest, 3u), ps_half_space_get(rest, 4u),
                          count > 0.0 ? count - 1.0 : 0.0};
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        const double d = count == 0.0 ? 0.0 : ps_deviation(x, values.mean);
        const double step = count == 0.0 ? 0.0 : ps_deviation(x, last);
        const double deviation = ps_sqrt(values.variance);
        const ps_u32 filled = (ps_u32)((ps_u64)count % PS_HALF_SPACE_WINDOW);
        const ps_u32 turned = count >= (double)PS_HALF_SPACE_WINDOW;
        const ps_half_space_place place = {
            {ps_half_space_squash(d, deviation), ps_half_space_squash(step, deviation)},
            turned ? 16u : 0u,
            turned ? PS_HALF_SPACE_WINDOW : filled};
        const double measure = ps_half_space_measure(after, &place);
        const float s = count == 0.0 ? 0.0f : ps_measure_score(&measures, measure, p.least);
        score[row] = count < warmup ? 0.0f : s;
        if (filled + 1u == PS_HALF_SPACE_WINDOW) ps_half_space_turn(after);
        ps_moving_add(&values, x, d, 2.0 / (PS_HALF_SPACE_SPAN + 1.0));
        last = x;
        count += 1.0;
    }
    ps_half_space_put(rest, 0u, values.mean);
    ps_half_space_put(rest, 1u, values.variance);
    ps_half_space_put(rest, 2u, last);
    ps_half_space_put(rest, 3u, measures.mean);
    ps_half_space_put(rest, 4u, measures.variance);
    ps_half_space_put(rest, 5u, count);
    for (ps_u32 i = 0u; i < words; i++) at[i] = after[i];
}
PS_ENTRY_9(half_space_trees, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, ps_u32, ps_u32, float)
