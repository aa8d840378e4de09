/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel discord: how unlike the shape of the last values of a series is to every
 * shape that it had lately.
 */
#ifndef PS_KERNELS_DISCORD_H
#define PS_KERNELS_DISCORD_H

#include "kernels/dialect.h"

#include "kernels/measure.h"

#define PS_DISCORD_PAST       512u /* values that are kept */
#define PS_DISCORD_LENGTH_MAX 64u
#define PS_DISCORD_LIMIT      1e100 /* a value beyond it counts as this much */

/* The values, the oldest first; their mean and variance; the measure's; count. */
#define PS_DISCORD_PLANES (PS_DISCORD_PAST + 5u)

typedef struct ps_discord_params {
    double least;  /* weight of the newest value and measure in their means, between 0 and 1 */
    double flat;   /* the a shape counts at least as deviating so much: deviations of the series */
    ps_u32 length; /* values of a shape, 4 to PS_DISCORD_LENGTH_MAX */
    ps_u32 warmup; /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* not used: the planes of a series lie together */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
} ps_discord_params;

#endif
