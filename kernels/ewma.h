/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel ewma: scores against an exponentially weighted mean and variance per
 * series.
 */
#ifndef PS_KERNELS_EWMA_H
#define PS_KERNELS_EWMA_H

#include "kernels/dialect.h"

#include "kernels/moving.h"
#include "kernels/score.h"

#define PS_EWMA_PLANES 3u /* mean, variance, count */

typedef struct ps_ewma_params {
    double alpha;    /* weight of the newest value, 0 < alpha < 1 */
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_ewma_params;

#endif
