/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel cusum: scores against cumulative sums of standardised
 * deviations per series.
 */
#ifndef PS_KERNELS_CUSUM_H
#define PS_KERNELS_CUSUM_H

#include "kernels/dialect.h"

#include "kernels/moving.h"
#include "kernels/score.h"

#define PS_CUSUM_PLANES 5u /* mean, variance, count, upper sum, lower sum */

typedef struct ps_cusum_params {
    double alpha;    /* of the mean and variance that standardise a value, 0 < alpha < 1 */
    double slack;    /* deviations that are no change, above 0 */
    double reset;    /* the score at which both sums begin anew */
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_cusum_params;

#endif
