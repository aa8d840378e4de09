/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel forecast: what a series will be some rows on, and between which bounds.
 */
#ifndef PS_KERNELS_FORECAST_H
#define PS_KERNELS_FORECAST_H

#include "kernels/found.h"
#include "kernels/season.h"
#include "kernels/smoothing.h"

#define PS_FORECAST_ADDITIVE       0u /* Holt-Winters */
#define PS_FORECAST_MULTIPLICATIVE 1u
#define PS_FORECAST_NAIVE          2u /* what was a season before */

/* State of a series: these, `parts` of the season, `horizon` forecasts that are not due yet, and
 * `learn` values from which the season is found. */
#define PS_FORECAST_LEVEL   0u
#define PS_FORECAST_TREND   1u
#define PS_FORECAST_COUNT   2u /* of values */
#define PS_FORECAST_ROWS    3u
#define PS_FORECAST_SQUARE  4u /* mean square of the forecasts' errors */
#define PS_FORECAST_ERRORS  5u /* how many were due */
#define PS_FORECAST_PARTS   6u /* rows of the season, 1: there is none */
#define PS_FORECAST_LEARNED 7u /* values that wait for the season to be found; -1: it is */
#define PS_FORECAST_PLANES  8u

/* What is written, in the order of its words behind the value's: numbers. */
#define PS_FORECAST_AHEAD 3u
#define PS_FORECAST_LOW   4u
#define PS_FORECAST_HIGH  5u

typedef struct ps_forecast_params {
    ps_smoothing_weights weights;
    double damped;    /* damping + damping² + … to the power of the horizon */
    double variance;  /* weight of the newest error */
    ps_u32 horizon;   /* rows, at least 1 */
    ps_u32 parts;     /* rows of the season, or the most that are looked for; at least 1 */
    ps_u32 learn;     /* values from which the season is found; 0: it is `parts` */
    ps_u32 method;    /* PS_FORECAST_… */
    ps_u32 warmup;    /* values of a series before it is forecast */
    ps_u32 quantiles; /* of Student's t, for 1, 2, … degrees of freedom */
} ps_forecast_params;

#endif
