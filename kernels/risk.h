/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel risk: how near the trends of several values of a series bring it to failing.
 */
#ifndef PS_KERNELS_RISK_H
#define PS_KERNELS_RISK_H

#include "kernels/beta.h"
#include "kernels/found.h"
#include "kernels/moment.h"

#define PS_RISK_FIELDS_MAX 8u

/* State: the latest time, its begin; then of each field the count, sum of weights, sum of their
 * squares, mean time and value, and the weighted sums of squares and products about these. */
#define PS_RISK_SECONDS 0u
#define PS_RISK_TIMED   1u /* 1: there was a time */
#define PS_RISK_TRENDS  2u
#define PS_RISK_TREND   8u /* planes of a field */

/* What is written, in the order of its words behind the fields' and the time's. */
#define PS_RISK_RISK       0u /* a float */
#define PS_RISK_LEFT       1u /* seconds */
#define PS_RISK_CONFIDENCE 2u
#define PS_RISK_FACTOR     3u /* a byte: the field that adds most, PS_RISK_NONE */
#define PS_RISK_PARTS      4u /* what each field adds */
#define PS_RISK_NONE       255u

/* Of each field, in the constant: where it fails, 1: above, -1: below, and its weight. */
#define PS_RISK_CONSTANTS 3u

typedef struct ps_risk_params {
    double keep;       /* of a weight, a value on: below 1 */
    double horizon;    /* seconds in which a failure has an urgency of a half */
    double confidence; /* that a trend needs */
    ps_u32 fields, warmup, capacity;
    ps_u32 reserved; /* 0 */
} ps_risk_params;

#endif
