/* SPDX-License-Identifier: Apache-2.0
 * A mean and a variance in which old values fade. The first values weigh the same, 1 / n, until
 * that falls to the least weight: with that from the start the variance of a young series would be
 * a fraction of the true one.
 * Agrees: to the bit.
 * Source: the incremental form of T. Finch, Incremental calculation of weighted mean and variance
 * (2009), section 9.
 */
#ifndef PS_KERNELS_MOVING_H
#define PS_KERNELS_MOVING_H

#include "kernels/dialect.h"

/* Of the value behind `count` others. */
PS_FN double ps_moving_weight(double count, double least) {
    const double equal = 1.0 / (count + 1.0);
    return equal > least ? equal : least;
}

typedef struct ps_moving {
    double mean, variance, count;
} ps_moving;

/* `d`: x - mean, bounded (ps_deviation). */
PS_FN void ps_moving_add(ps_moving *m, double x, double d, double least) {
    const double weight = ps_moving_weight(m->count, least);
    m->variance = m->count == 0.0 ? 0.0 : (1.0 - weight) * ps_fma(weight * d, d, m->variance);
    m->mean = m->count == 0.0 ? x : ps_fma(weight, d, m->mean);
    m->count += 1.0;
}

#endif
