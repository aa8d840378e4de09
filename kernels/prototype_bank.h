/* SPDX-License-Identifier: Apache-2.0
 * A bank of shapes that a series had, PS_PROTOTYPES of PS_PROTOTYPE_LENGTH values each, and how far
 * the newest shape is from the nearest of them. A shape that is near one moves it a little; another
 * one becomes a prototype itself, in the place of the one of least use. Numbers are kept as floats.
 * Agrees: to the bit.
 */
#ifndef PS_KERNELS_PROTOTYPE_BANK_H
#define PS_KERNELS_PROTOTYPE_BANK_H

#include "kernels/dialect.h"

#define PS_PROTOTYPES       32u
#define PS_PROTOTYPE_LENGTH 4u

/* Where a kernel keeps it: bits of floats, and two numbers more. */
typedef struct ps_prototype_bank {
    ps_u32 *at;     /* [PS_PROTOTYPE_LENGTH][PS_PROTOTYPES] */
    ps_u32 *uses;   /* [PS_PROTOTYPES]; never negative */
    ps_u32 *window; /* the newest shape, the oldest value first */
    ps_u32 banked;  /* prototypes that there are */
    double use;     /* what a use adds; it grows, instead of all others fading */
} ps_prototype_bank;

PS_FN double ps_float_get(ps_u32 bits) {
    return (double)ps_f32_from_bits(bits);
}

/* As a float, which is not denormal: some devices do not know these. */
PS_FN ps_u32 ps_float_kept(double x) {
    return ps_fabs(x) < 1.1754943508222875e-38 ? 0u : ps_f32_to_bits((float)x);
}

/* The prototype that has been of least use gives way. */
PS_FN ps_u32 ps_prototype_room(ps_prototype_bank *b) {
    if (b->banked < PS_PROTOTYPES) return b->banked++;
    ps_i64 least = 0x7fffffffffffffff; /* bits of positive floats are in their order */
    for (ps_u32 i = 0; i < PS_PROTOTYPES; i++) {
        const ps_i64 key = (ps_i64)((ps_u64)b->uses[i] << 5 | i);
        least = key < least ? key : least;
    }
    return (ps_u32)least & 31u;
}

/* Distances are positive, so their order is that of their bits; the last five of these make room
 * for the prototype's number. */
PS_FN ps_u32 ps_prototype_nearest(const ps_prototype_bank *b, double scale, double *distance) {
    double w[PS_PROTOTYPE_LENGTH];
    for (ps_u32 k = 0; k < PS_PROTOTYPE_LENGTH; k++) w[k] = ps_float_get(b->window[k]);
    ps_i64 key[PS_PROTOTYPES];
    for (ps_u32 i = 0; i < PS_PROTOTYPES; i++) {
        const double x = (w[0] - ps_float_get(b->at[i])) * scale;
        const double y = (w[1] - ps_float_get(b->at[i + PS_PROTOTYPES])) * scale;
        const double z = (w[2] - ps_float_get(b->at[i + 2u * PS_PROTOTYPES])) * scale;
        const double u = (w[3] - ps_float_get(b->at[i + 3u * PS_PROTOTYPES])) * scale;
        const double far = (x * x + y * y) + (z * z + u * u);
        const ps_u64 none = (0 - (ps_u64)(i >= b->banked)) & 0x7ff0000000000000u; /* beyond all */
        key[i] = (ps_i64)((ps_f64_to_bits(far) & ~(ps_u64)31u) | i | none);
    }
    ps_i64 least = key[0];
    for (ps_u32 i = 0; i < PS_PROTOTYPES; i++) least = key[i] < least ? key[i] : least;
    *distance = ps_sqrt(ps_f64_from_bits((ps_u64)least & ~(ps_u64)31u) * 0.25);
    return (ps_u32)least & 31u;
}

/* Uses lose a thousandth of their weight with every value. */
PS_FN void ps_prototype_age(ps_prototype_bank *b) {
    b->use *= 1.001001001001001;
    if (b->use < 1048576.0) return;
    b->use *= 1.0 / 1048576.0;
    for (ps_u32 i = 0; i < PS_PROTOTYPES; i++)
        b->uses[i] = ps_float_kept(ps_float_get(b->uses[i]) * (1.0 / 1048576.0));
}

/* How far the window is from the nearest prototype, in `spread` per value; 0 while there are not
 * two. Then the bank learns it. */
PS_FN double ps_prototype_match(ps_prototype_bank *b, double spread) {
    double distance;
    const ps_u32 best = ps_prototype_nearest(b, 1.0 / spread, &distance);
    const ps_u32 any = b->banked > 1u;
    ps_prototype_age(b);
    const ps_u32 known = any && distance < 0.35;
    const ps_u32 to = known ? best : ps_prototype_room(b);
    for (ps_u32 k = 0; k < PS_PROTOTYPE_LENGTH; k++) {
        ps_u32 *const at = &b->at[k * PS_PROTOTYPES + to];
        const double w = ps_float_get(b->window[k]), p = ps_float_get(*at);
        *at = ps_float_kept(known ? p + 0.05 * (w - p) : w);
    }
    const double before = known ? ps_float_get(b->uses[to]) : b->use;
    b->uses[to] = ps_float_kept(before + b->use);
    return any ? distance : 0.0;
}

/* The mean and the mean deviation of a series' values, `t` of them before `v`, of which distances
 * are the measure; `young`: 1 / (t + 1). */
PS_FN void ps_prototype_scale(double v, ps_u32 t, double young, double *mean, double *spread) {
    const double limit = 6.0 * *spread, raw = v - *mean;
    double d = raw;
    if (t > 50u && *spread > 0.0) d = raw > limit ? limit : raw < -limit ? -limit : raw;
    const double a = young > 0.002 ? young : 0.002;
    *mean += a * d;
    *spread += a * (ps_fabs(d) - *spread);
}

#endif
