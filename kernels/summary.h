/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel summary: what each series' values come to so far.
 */
#ifndef PS_KERNELS_SUMMARY_H
#define PS_KERNELS_SUMMARY_H

#include "kernels/dialect.h"
#include "kernels/score.h"

/* State: a value takes part within +-PS_SUMMARY_LIMIT, so nothing overflows. */
#define PS_SUMMARY_COUNT    0u
#define PS_SUMMARY_NAN      1u /* values that are NaN, infinite or beyond the limit */
#define PS_SUMMARY_SUM      2u
#define PS_SUMMARY_MEAN     3u
#define PS_SUMMARY_SQUARES  4u /* of the deviations from the mean */
#define PS_SUMMARY_LEAST    5u
#define PS_SUMMARY_GREATEST 6u
#define PS_SUMMARY_PLANES   7u
#define PS_SUMMARY_LIMIT    1e140

/* What a column is told besides the planes above, by their number. */
#define PS_SUMMARY_VARIANCE  16u /* of a sample: squares / (count - 1); null for the first value */
#define PS_SUMMARY_DEVIATION 17u /* its square root */

/* Like ps_nan(), as a double. */
PS_FN double ps_nan64(void) {
    return ps_f64_from_bits(0x7ff8000000000000u);
}

typedef struct ps_summary_params {
    ps_u32 capacity; /* series per state plane */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 outputs;  /* columns that are written */
    ps_u32 reserved; /* 0 */
} ps_summary_params;

#endif
