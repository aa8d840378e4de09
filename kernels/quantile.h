/* SPDX-License-Identifier: Apache-2.0
 * A running quantile of a series in eight numbers: five markers at the least value, the greatest,
 * the quantile and halfway to it, which move along a parabola as values pass by.
 * Agrees: to the bit. Values beyond PS_DEVIATION_MAX count as that much, so no height overflows.
 * Source: R. Jain and I. Chlamtac, The P2 algorithm for dynamic calculation of quantiles and
 * histograms without storing observations (CACM 28, 1985). Beyond it: when a marker set has seen
 * `memory` values, places are halved, so that a value counts the less the older it is.
 */
#ifndef PS_KERNELS_QUANTILE_H
#define PS_KERNELS_QUANTILE_H

#include "kernels/robust.h"

#define PS_QUANTILE_PLANES 9u /* five heights, four places; the first marker's place is 1 */

typedef struct ps_quantile {
    double height[5], place[5];
} ps_quantile;

PS_FN void ps_quantile_load(ps_quantile *q, PS_GLOBAL const double *at, ps_u64 plane) {
    for (ps_u32 i = 0u; i < 5u; i++) q->height[i] = at[plane * i];
    q->place[0] = 1.0;
    for (ps_u32 i = 1u; i < 5u; i++) q->place[i] = at[plane * (4u + i)];
}

PS_FN void ps_quantile_store(const ps_quantile *q, PS_GLOBAL double *at, ps_u64 plane,
                             PS_GLOBAL double *after) {
    for (ps_u32 i = 0u; i < 5u; i++) at[plane * i] = after[i] = q->height[i];
    for (ps_u32 i = 1u; i < 5u; i++) at[plane * (4u + i)] = after[4u + i] = q->place[i];
}

PS_FN void ps_quantile_clear(ps_quantile *q) {
    for (ps_u32 i = 0u; i < 5u; i++) q->height[i] = q->place[i] = 0.0;
    q->place[0] = 1.0;
}

PS_FN double ps_quantile_bounded(double x) {
    return ps_deviation(x, 0.0);
}

/* The first five values are the markers, in order; `count` of them are there. */
PS_FN void ps_quantile_begin(ps_quantile *q, double x, ps_u32 count) {
    ps_u32 i = count;
    for (; i > 0u && q->height[i - 1u] > x; i--) q->height[i] = q->height[i - 1u];
    q->height[i] = x;
    q->place[count] = (double)(count + 1u);
}

/* Marker i by one place up or down: along the parabola through it and its neighbours, or the line
 * to the nearer one where that would pass a neighbour. */
PS_FN void ps_quantile_move(ps_quantile *q, ps_u32 i, double by) {
    const double left = q->place[i] - q->place[i - 1u], right = q->place[i + 1u] - q->place[i];
    const double up = (q->height[i + 1u] - q->height[i]) / right;
    const double down = (q->height[i] - q->height[i - 1u]) / left;
    const double bent =
        q->height[i] + by / (left + right) * ((left + by) * up + (right - by) * down);
    const double straight = q->height[i] + (by > 0.0 ? up : -down);
    q->height[i] = bent > q->height[i - 1u] && bent < q->height[i + 1u] ? bent : straight;
    q->place[i] += by;
}

/* One more value after the first five. `share`: of the quantile, 0 to 1. */
PS_FN void ps_quantile_add(ps_quantile *q, double x, double share, double memory) {
    if (x < q->height[0]) q->height[0] = x;
    if (x > q->height[4]) q->height[4] = x;
    for (ps_u32 i = 1u; i < 4u; i++) q->place[i] += x < q->height[i] ? 1.0 : 0.0;
    q->place[4] += 1.0;
    for (ps_u32 i = 1u; i < 4u; i++) {
        const double part = i == 1u ? 0.5 * share : i == 2u ? share : 0.5 + 0.5 * share;
        const double off = 1.0 + (q->place[4] - 1.0) * part - q->place[i];
        if (off >= 1.0 && q->place[i + 1u] - q->place[i] > 1.0)
            ps_quantile_move(q, i, 1.0);
        else if (off <= -1.0 && q->place[i] - q->place[i - 1u] > 1.0)
            ps_quantile_move(q, i, -1.0);
    }
    if (q->place[4] < memory) return;
    for (ps_u32 i = 1u; i < 5u; i++) q->place[i] = 0.5 + 0.5 * q->place[i];
}

/* The quantile, or before there are markers the middle of what there is. */
PS_FN double ps_quantile_value(const ps_quantile *q, ps_u32 count) {
    return q->height[count >= 5u ? 2u : count / 2u];
}

/* What a detector by quantiles keeps: two of them, the mean distance from their middle, count. */
#define PS_QUANTILES_PLANES (2u * PS_QUANTILE_PLANES + 2u)

typedef struct ps_quantiles {
    ps_quantile first, second;
    double mean, count;
} ps_quantiles;

PS_FN void ps_quantiles_load(ps_quantiles *q, PS_GLOBAL const double *at, ps_u64 plane,
                             ps_u32 fresh) {
    q->mean = q->count = 0.0;
    ps_quantile_clear(&q->first);
    ps_quantile_clear(&q->second);
    if (fresh) return;
    ps_quantile_load(&q->first, at, plane);
    ps_quantile_load(&q->second, at + plane * PS_QUANTILE_PLANES, plane);
    q->mean = at[plane * 2u * PS_QUANTILE_PLANES];
    q->count = at[plane * (2u * PS_QUANTILE_PLANES + 1u)];
}

PS_FN void ps_quantiles_store(const ps_quantiles *q, PS_GLOBAL double *at, ps_u64 plane,
                              PS_GLOBAL double *after) {
    const ps_u32 second = PS_QUANTILE_PLANES, mean = 2u * PS_QUANTILE_PLANES;
    ps_quantile_store(&q->first, at, plane, after);
    ps_quantile_store(&q->second, at + plane * second, plane, after + second);
    at[plane * mean] = after[mean] = q->mean;
    at[plane * (mean + 1u)] = after[mean + 1u] = q->count;
}

/* How many of the markers there are. */
PS_FN ps_u32 ps_quantiles_seen(const ps_quantiles *q) {
    return q->count < 5.0 ? (ps_u32)q->count : 5u;
}

/* One more value of either, and its distance. */
PS_FN void ps_quantiles_add(ps_quantiles *q, double first, double second, double distance,
                            double first_share, double second_share, double memory) {
    const ps_u32 seen = ps_quantiles_seen(q);
    if (seen < 5u) {
        ps_quantile_begin(&q->first, first, seen);
        ps_quantile_begin(&q->second, second, seen);
    } else {
        ps_quantile_add(&q->first, first, first_share, memory);
        ps_quantile_add(&q->second, second, second_share, memory);
    }
    const double kept = q->count + 1.0 < memory ? q->count + 1.0 : memory;
    q->mean += (distance - q->mean) / kept;
    q->count += 1.0;
}

#endif
