/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel slim: how unlike a series' daily and weekly rhythm, its recent shapes and
 * its range a value is.
 */
#ifndef PS_KERNELS_SLIM_H
#define PS_KERNELS_SLIM_H

#include "kernels/dialect.h"
#include "kernels/moment.h"
#include "kernels/score.h"

#define PS_SLIM_PLANES 457u /* of 8 bytes: 3,656 a series; kernels/slim_state.h */
#define PS_SLIM_LIMIT  1e30 /* a value beyond it counts as this much */

/* What a row's score owes most to, in the channel column. */
#define PS_SLIM_DAILY    0u
#define PS_SLIM_WEEKLY   1u
#define PS_SLIM_SHAPE    2u
#define PS_SLIM_RANGE    3u
#define PS_SLIM_ENVELOPE 4u
#define PS_SLIM_LEVEL    5u
#define PS_SLIM_CHANNELS 6u

typedef struct ps_slim_params {
    double envelope, calibrated, level; /* weights in the sum */
    ps_u32 warmup;                      /* values of a series before its scores count */
    ps_u32 type;                        /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 time;                        /* PS_TIME_RECORD_MS or PS_TIME_FIELD_NS */
    ps_u32 reserved;                    /* 0 */
} ps_slim_params;

#endif
