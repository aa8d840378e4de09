/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel zscore: scores against the mean and variance of all earlier values of a
 * series.
 */
#ifndef PS_KERNELS_ZSCORE_H
#define PS_KERNELS_ZSCORE_H

#include "kernels/dialect.h"

#include "kernels/score.h"

#define PS_ZSCORE_PLANES 3u /* mean, sum of squared deviations, count */

typedef struct ps_zscore_params {
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_zscore_params;

#endif
