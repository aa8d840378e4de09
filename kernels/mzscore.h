/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel mzscore: scores against the running median and the median
 * absolute deviation of a series.
 */
#ifndef PS_KERNELS_MZSCORE_H
#define PS_KERNELS_MZSCORE_H

#include "kernels/dialect.h"

#include "kernels/quantile.h"

/* The median, the median of the deviations, their mean, count. */
#define PS_MZSCORE_PLANES PS_QUANTILES_PLANES

typedef struct ps_mzscore_params {
    double memory;   /* values after which the weight of all before is halved, 64 or more */
    ps_u32 warmup;   /* values of a series before its scores count; below 5 means 5 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_mzscore_params;

#endif
