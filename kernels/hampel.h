/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel hampel: scores against the median and the median absolute
 * deviation of the last values of a series.
 */
#ifndef PS_KERNELS_HAMPEL_H
#define PS_KERNELS_HAMPEL_H

#include "kernels/dialect.h"

#include "kernels/robust.h"

#define PS_HAMPEL_WINDOW 63u                     /* values at most */
#define PS_HAMPEL_PLANES (PS_HAMPEL_WINDOW + 1u) /* the values, and how many there were */

typedef struct ps_hampel_params {
    ps_u32 window;   /* values to look back, 3 to PS_HAMPEL_WINDOW */
    ps_u32 warmup;   /* values of a series before its scores count; below 3 means 3 */
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
} ps_hampel_params;

#endif
