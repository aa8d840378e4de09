/* SPDX-License-Identifier: Apache-2.0
 * Scores each value by the distance of the shape that it ends (the last `length` values about their
 * mean, in their deviation) from the nearest of all shapes among the PS_DISCORD_PAST last values
 * that share no value with it: the left matrix profile, over a bounded past.
 * Shapes, units, nulls, warm-up: as kernel ewma, but that the planes of a series lie together:
 * state[series x PS_DISCORD_PLANES]. A young series was its first value before.
 * State: read once and written once per segment; a segment's series occurs once per call.
 * Agrees: to the bit. Distances are sums in a fixed order, computed anew for every value: no
 * rounding adds up from row to row. No input makes the state infinite or NaN; deviations below
 * 1e-100 are none.
 * Source: C.-C. M. Yeh et al., Matrix profile I (ICDM 2016), definitions 4 to 6; its left one: Y.
 * Zhu et al., Matrix profile VII (ICDM 2017).
 */
#include "kernels/discord.h"

#define PS_DISCORD_LANES 16u /* shapes that are compared at a time */

/* The newest shape: its values about their mean. */
typedef struct ps_discord_shape {
    double at[PS_DISCORD_LENGTH_MAX];
    double mean, variance, inverse; /* 1 / deviation, 0 of a flat shape */
} ps_discord_shape;

PS_FN double ps_discord_inverse(double variance, double flat) {
    const double own = ps_sqrt(variance), deviation = own > flat ? own : flat;
    return deviation > 1e-100 ? 1.0 / deviation : 0.0;
}

PS_FN void ps_discord_newest(PS_GLOBAL const double *past, ps_u32 length, double flat,
                             ps_discord_shape *shape) {
    PS_GLOBAL const double *const from = past + (PS_DISCORD_PAST - length);
    double sum = 0.0, squares = 0.0;
    for (ps_u32 j = 0u; j < length; j++) sum += from[j] - from[0];
    shape->mean = from[0] + sum / (double)length;
    for (ps_u32 j = 0u; j < length; j++) {
        shape->at[j] = from[j] - shape->mean;
        squares += shape->at[j] * shape->at[j];
    }
    shape->variance = squares / (double)length;
    shape->inverse = ps_discord_inverse(shape->variance, flat);
}

/* The least squared distance from the shapes that begin at PS_DISCORD_LANES places from `from` on.
 */
PS_FN double ps_discord_nearest(PS_GLOBAL const double *from, ps_u32 length, double flat,
                                const ps_discord_shape *shape, double best) {
    double sum[PS_DISCORD_LANES], squares[PS_DISCORD_LANES], product[PS_DISCORD_LANES];
    for (ps_u32 i = 0u; i < PS_DISCORD_LANES; i++) sum[i] = squares[i] = product[i] = 0.0;
    for (ps_u32 j = 0u; j < length; j++)
        for (ps_u32 i = 0u; i < PS_DISCORD_LANES; i++) {
            const double v = from[j + i] - shape->mean;
            sum[i] += v;
            squares[i] += v * v;
            product[i] += v * shape->at[j];
        }
    const double share = 1.0 / (double)length;
    for (ps_u32 i = 0u; i < PS_DISCORD_LANES; i++) {
        /* What is lost in the difference is no deviation: of a flat shape nothing else is there. */
        const double mean = sum[i] * share, square = squares[i] * share;
        const double raw = square - mean * mean;
        const double variance = raw > 1e-13 * square ? raw : 0.0;
        const double inverse = ps_discord_inverse(variance, flat);
        const double alike = product[i] * share * shape->inverse * inverse;
        const double distance = shape->variance * shape->inverse * shape->inverse +
                                variance * inverse * inverse - 2.0 * alike;
        best = distance < best ? distance : best;
    }
    return best;
}

/* In deviations, 0 to 2. The last lot of shapes begins where it fits. */
PS_FN double ps_discord_measure(PS_GLOBAL const double *past, ps_u32 length, double flat) {
    ps_discord_shape shape;
    ps_discord_newest(past, length, flat, &shape);
    const ps_u32 last = PS_DISCORD_PAST - 2u * length + 1u - PS_DISCORD_LANES;
    double best = 4.0;
    for (ps_u32 k = 0u; k < last; k += PS_DISCORD_LANES)
        best = ps_discord_nearest(past + k, length, flat, &shape, best);
    best = ps_discord_nearest(past + last, length, flat, &shape, best);
    return ps_sqrt(best > 0.0 ? best : 0.0);
}

PS_FN double ps_discord_bounded(double x) {
    const double capped = x < PS_DISCORD_LIMIT ? x : PS_DISCORD_LIMIT;
    return capped > -PS_DISCORD_LIMIT ? capped : -PS_DISCORD_LIMIT;
}

PS_FN void ps_discord_push(PS_GLOBAL double *past, double x, ps_u32 fresh) {
    for (ps_u32 k = 0u; k + 1u < PS_DISCORD_PAST; k++) past[k] = fresh ? x : past[k + 1u];
    past[PS_DISCORD_PAST - 1u] = x;
}

PS_FN void ps_discord_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                         PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                         PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                         PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                         PS_GLOBAL double *PS_RESTRICT state, PS_GLOBAL double *PS_RESTRICT image,
                         PS_GLOBAL float *PS_RESTRICT score, ps_discord_params p) {
    PS_GLOBAL double *const at = state + (ps_u64)series[segment] * PS_DISCORD_PLANES;
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_DISCORD_PLANES;
    PS_GLOBAL double *const rest = after + PS_DISCORD_PAST;
    for (ps_u32 i = 0u; i < PS_DISCORD_PLANES; i++) after[i] = fresh[segment] ? 0.0 : at[i];
    ps_moving values = {rest[0], rest[1], rest[4]}, measures = {rest[2], rest[3], rest[4]};
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double raw = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, raw)) {
            score[row] = ps_nan();
            continue;
        }
        const double x = ps_discord_bounded(raw), count = values.count;
        const double flat = p.flat * ps_sqrt(values.variance);
        ps_moving_add(&values, x, count == 0.0 ? 0.0 : x - values.mean, p.least);
        ps_discord_push(after, x, (ps_u32)(count == 0.0));
        const double measure = ps_discord_measure(after, p.length, flat);
        const float s = ps_measure_score(&measures, measure, p.least);
        score[row] = count < warmup ? 0.0f : s;
    }
    rest[0] = values.mean;
    rest[1] = values.variance;
    rest[2] = measures.mean;
    rest[3] = measures.variance;
    rest[4] = values.count;
    for (ps_u32 i = 0u; i < PS_DISCORD_PLANES; i++) at[i] = after[i];
}
PS_ENTRY_9(discord, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double, float)
