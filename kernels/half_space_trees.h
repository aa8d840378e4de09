/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel half_space_trees: how empty the place is where a value and its step from the
 * last one lie, among those that the series had.
 */
#ifndef PS_KERNELS_HALF_SPACE_TREES_H
#define PS_KERNELS_HALF_SPACE_TREES_H

#include "kernels/dialect.h"

#include "kernels/measure.h"

#define PS_HALF_SPACE_TREES  8u
#define PS_HALF_SPACE_DEPTH  5u
#define PS_HALF_SPACE_LEAVES (1u << PS_HALF_SPACE_DEPTH)
#define PS_HALF_SPACE_WINDOW 1000u /* values whose places a profile counts */

/* A word of 32 bits for every leaf of every tree; six doubles: mean and variance of the values, the
 * last value, mean and variance of the measure, count. */
#define PS_HALF_SPACE_WORDS        (PS_HALF_SPACE_TREES * PS_HALF_SPACE_LEAVES)
#define PS_HALF_SPACE_TREES_PLANES (PS_HALF_SPACE_WORDS / 2u + 6u)

typedef struct ps_half_space_trees_params {
    double least;    /* weight of the newest measure in their mean, above 0, below 1 */
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* not used: the planes of a series lie together */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_half_space_trees_params;

#endif
