/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel prototype: how far the last values of a series are, together, from the
 * nearest of the shapes that it had lately.
 */
#ifndef PS_KERNELS_PROTOTYPE_H
#define PS_KERNELS_PROTOTYPE_H

#include "kernels/dialect.h"

#include "kernels/measure.h"
#include "kernels/prototype_bank.h"

#define PS_PROTOTYPE_LIMIT 1e30 /* a value beyond it counts as this much */

/* Words of 32 bits: the bank, its uses, the newest shape. Seven doubles follow: what a use adds,
 * how many prototypes there are, mean and mean deviation of the values, mean and variance of the
 * measure, count. */
#define PS_PROTOTYPE_USES   (PS_PROTOTYPE_LENGTH * PS_PROTOTYPES)
#define PS_PROTOTYPE_WINDOW (PS_PROTOTYPE_USES + PS_PROTOTYPES)
#define PS_PROTOTYPE_WORDS  (PS_PROTOTYPE_WINDOW + PS_PROTOTYPE_LENGTH)
#define PS_PROTOTYPE_PLANES (PS_PROTOTYPE_WORDS / 2u + 7u)

typedef struct ps_prototype_params {
    double least;    /* weight of the newest measure in their mean, above 0, below 1 */
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* not used: the planes of a series lie together */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_prototype_params;

#endif
