/* SPDX-License-Identifier: Apache-2.0
 * The part of kernel slim that knows shapes: how far the last four values lie from the nearest of
 * 32 prototypes, and what the prototypes learn from them.
 */
#ifndef PS_KERNELS_SLIM_SHAPE_H
#define PS_KERNELS_SLIM_SHAPE_H

#include "kernels/slim_state.h"

/* Who has instructions for them brings its own of these. */
#if !defined(PS_SLIM_SEARCHES)
/* The prototype that has been of least use, the lowest of equals. */
PS_FN ps_u32 ps_slim_least_used(const ps_slim_state *s) {
    ps_i64 least = 0x7fffffffffffffff; /* bits of positive floats are in their order */
    for (ps_u32 i = 0; i < PS_SLIM_PROTOTYPES; i++) {
        const ps_i64 key = (ps_i64)((ps_u64)s->word[PS_SLIM_USES + i] << 5 | i);
        least = key < least ? key : least;
    }
    return (ps_u32)least & 31u;
}

/* Distances are positive, so their order is that of their bits; the last five of these make room
 * for the prototype's number. */
PS_FN ps_u32 ps_slim_nearest(const ps_slim_state *s, double scale, double *distance) {
    const ps_u32 banked = s->word[PS_SLIM_BANKED];
    double w[4];
    for (ps_u32 k = 0; k < 4u; k++) w[k] = ps_slim_get(s, PS_SLIM_WINDOW + k);
    ps_i64 key[PS_SLIM_PROTOTYPES];
    for (ps_u32 i = 0; i < PS_SLIM_PROTOTYPES; i++) {
        const ps_u32 at = PS_SLIM_BANK + i;
        const double a = (w[0] - ps_slim_get(s, at)) * scale;
        const double b = (w[1] - ps_slim_get(s, at + PS_SLIM_PROTOTYPES)) * scale;
        const double c = (w[2] - ps_slim_get(s, at + 2u * PS_SLIM_PROTOTYPES)) * scale;
        const double d = (w[3] - ps_slim_get(s, at + 3u * PS_SLIM_PROTOTYPES)) * scale;
        const double far = (a * a + b * b) + (c * c + d * d);
        const ps_u64 none = (0 - (ps_u64)(i >= banked)) & 0x7ff0000000000000u; /* beyond all */
        key[i] = (ps_i64)((ps_f64_to_bits(far) & ~(ps_u64)31u) | i | none);
    }
    ps_i64 least = key[0];
    for (ps_u32 i = 0; i < PS_SLIM_PROTOTYPES; i++) least = key[i] < least ? key[i] : least;
    *distance = ps_sqrt(ps_f64_from_bits((ps_u64)least & ~(ps_u64)31u) * 0.25);
    return (ps_u32)least & 31u;
}

PS_FN void ps_slim_shift(ps_slim_state *s, ps_u32 newest) {
    for (ps_u32 k = 0; k < 3u; k++) s->word[PS_SLIM_WINDOW + k] = s->word[PS_SLIM_WINDOW + k + 1u];
    s->word[PS_SLIM_WINDOW + 3u] = newest;
}

/* A prototype that is known follows the window; else it becomes it. */
PS_FN void ps_slim_draw(ps_slim_state *s, ps_u32 to, ps_u32 known) {
    for (ps_u32 k = 0; k < 4u; k++) {
        const ps_u32 at = PS_SLIM_BANK + k * PS_SLIM_PROTOTYPES + to;
        const double w = ps_slim_get(s, PS_SLIM_WINDOW + k), p = ps_slim_get(s, at);
        ps_slim_put(s, at, known ? p + 0.05 * (w - p) : w);
    }
}
#endif

/* It gives way. */
PS_FN ps_u32 ps_slim_room(ps_slim_state *s) {
    const ps_u32 banked = s->word[PS_SLIM_BANKED];
    if (banked >= PS_SLIM_PROTOTYPES) return ps_slim_least_used(s);
    s->word[PS_SLIM_BANKED] = banked + 1u;
    return banked;
}

/* Uses lose a thousandth of their weight with every value, as counts do in ps_slim_age(). */
PS_FN double ps_slim_use(ps_slim_state *s) {
    double use = ps_f64_from_bits(ps_slim_get64(s, PS_SLIM_USE)) * 1.001001001001001;
    if (use >= 1048576.0) {
        use *= 1.0 / 1048576.0;
        for (ps_u32 i = 0; i < PS_SLIM_PROTOTYPES; i++)
            ps_slim_put(s, PS_SLIM_USES + i, ps_slim_get(s, PS_SLIM_USES + i) * (1.0 / 1048576.0));
    }
    ps_slim_put64(s, PS_SLIM_USE, ps_f64_to_bits(use));
    return use;
}

/* `best` is the prototype that is nearest, `distance` how near. */
PS_FN void ps_slim_match(ps_slim_state *s, ps_slim_row *r, ps_u32 best, double distance) {
    const ps_u32 any = s->word[PS_SLIM_BANKED] > 1u;
    const double use = ps_slim_use(s);
    r->part[PS_SLIM_SHAPE] = any ? distance : 0.0;
    const ps_u32 known = any && distance < 0.35;
    const ps_u32 to = known ? best : ps_slim_room(s);
    ps_slim_draw(s, to, known);
    const double before = known ? ps_slim_get(s, PS_SLIM_USES + to) : use;
    ps_slim_put(s, PS_SLIM_USES + to, before + use);
}

/* The window of the last values and how far they spread; what distances are measured in. */
PS_FN double ps_slim_follow(ps_slim_state *s, const ps_slim_row *r) {
    double mean = ps_slim_get(s, PS_SLIM_SHAPE_MEAN), spread = ps_slim_get(s, PS_SLIM_SHAPE_SPREAD);
    double d = r->v - mean;
    if (r->t > 50u && spread > 0.0) d = ps_slim_within(d, 6.0 * spread);
    const double a = ps_slim_larger(0.002, r->young);
    mean += a * d;
    spread += a * (ps_fabs(d) - spread);
    ps_slim_put(s, PS_SLIM_SHAPE_MEAN, mean);
    ps_slim_put(s, PS_SLIM_SHAPE_SPREAD, spread);
    ps_slim_shift(s, ps_slim_rounded(r->v));
    return spread + 1e-9 + 1e-6 * ps_fabs(mean);
}

PS_FN void ps_slim_shape(ps_slim_state *s, ps_slim_row *r) {
    const double unit = ps_slim_follow(s, r);
    r->part[PS_SLIM_SHAPE] = 0.0;
    if (r->t < 3u) return;
    double distance;
    const ps_u32 best = ps_slim_nearest(s, 1.0 / unit, &distance);
    ps_slim_match(s, r, best, distance);
}

#endif
