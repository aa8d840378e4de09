/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel suppress: one alert where an anomaly lasts, not one for each of its rows.
 */
#ifndef PS_KERNELS_SUPPRESS_H
#define PS_KERNELS_SUPPRESS_H

#include "kernels/dialect.h"
#include "kernels/moment.h"

/* State: the last alert's score and time, the rows from it on, the time of the last row. */
#define PS_SUPPRESS_PLANES 4u

/* A larger score than this many times the last alert's is heard in any case. */
#define PS_SUPPRESS_RISE 2.0

typedef struct ps_suppress_params {
    double quiet_ms;   /* how long a series is quiet after an alert, by its own clock, … */
    ps_u32 rows_least; /* … but for at least so many rows … */
    ps_u32 rows_most;  /* … and for less than so many, whichever is the larger */
    ps_u32 capacity;   /* series per state plane */
    ps_u32 time;       /* PS_TIME_RECORD_MS or PS_TIME_FIELD_NS */
} ps_suppress_params;

#endif
