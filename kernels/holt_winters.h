/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel holt_winters: scores against a forecast of level, trend and
 * season per series.
 */
#ifndef PS_KERNELS_HOLT_WINTERS_H
#define PS_KERNELS_HOLT_WINTERS_H

#include "kernels/dialect.h"

#include "kernels/moving.h"
#include "kernels/score.h"
#include "kernels/season.h"
#include "kernels/smoothing.h"

/* Level, trend, variance, count, rows; behind them the season's parts; and where the season is
 * found, what was found (0: nothing yet), how many values wait for that, and these. */
#define PS_HOLT_WINTERS_PLANES     5u
#define PS_HOLT_WINTERS_FOUND      2u
#define PS_HOLT_WINTERS_SEASON_MAX 192u

/* A value larger than that counts as that where a season is looked for. */
#define PS_HOLT_WINTERS_LARGE 1e100
/* In place of a value that is missing: a state has no NaN. */
#define PS_HOLT_WINTERS_NONE 1e300

typedef struct ps_holt_winters_params {
    double level, trend, season, variance; /* weights of the newest value, above 0, below 1 */
    double damping;                        /* what is left of the trend a step on, at most 1 */
    ps_u32 parts;    /* rows of a season, or the most that are looked for; 0: none,
                        PS_HOLT_WINTERS_SEASON_MAX at most */
    ps_u32 learn;    /* values from which the season is found; 0: it is `parts` */
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
} ps_holt_winters_params;

#endif
