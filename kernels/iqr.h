/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel iqr: scores against the quartiles of a series.
 */
#ifndef PS_KERNELS_IQR_H
#define PS_KERNELS_IQR_H

#include "kernels/dialect.h"

#include "kernels/quantile.h"

/* The lower quartile, the upper one, the mean distance from their middle, count. */
#define PS_IQR_PLANES PS_QUANTILES_PLANES

typedef struct ps_iqr_params {
    double memory;   /* values after which the weight of all before is halved, 64 or more */
    ps_u32 warmup;   /* values of a series before its scores count; below 5 means 5 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_iqr_params;

#endif
