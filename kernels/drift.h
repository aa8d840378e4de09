/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel drift: whether the mean of a series' last values is another one than that of
 * its baseline.
 */
#ifndef PS_KERNELS_DRIFT_H
#define PS_KERNELS_DRIFT_H

#include "kernels/found.h"
#include "kernels/welch.h"

#define PS_DRIFT_PANES 8u /* of a window */

/* State: count, mean and squares of the baseline and of the pane that is being filled; the panes
 * that were; mean and squares of the last PS_DRIFT_PANES. */
#define PS_DRIFT_TURN   6u
#define PS_DRIFT_RING   7u
#define PS_DRIFT_PLANES (PS_DRIFT_RING + 2u * PS_DRIFT_PANES)

/* What is written, in the order of its words behind the value's. */
#define PS_DRIFT_T       3u
#define PS_DRIFT_DF      4u
#define PS_DRIFT_P       5u
#define PS_DRIFT_CHANGE  6u
#define PS_DRIFT_SCORE   7u /* a float */
#define PS_DRIFT_VERDICT 8u /* a byte */

typedef struct ps_drift_params {
    double score;    /* from which it is a drift … */
    double effect;   /* … if the means differ by so many deviations of the baseline */
    ps_u32 baseline; /* values of the baseline, at least 2 */
    ps_u32 pane;     /* values of an eighth of the window, at least 1 */
    ps_u32 renew;    /* whether a drift begins a new baseline */
    ps_u32 capacity; /* series per state plane */
} ps_drift_params;

#endif
