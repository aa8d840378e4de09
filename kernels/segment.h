/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel segment: rows grouped by series, stable in time.
 */
#ifndef PS_KERNELS_SEGMENT_H
#define PS_KERNELS_SEGMENT_H

#include "kernels/dialect.h"

typedef struct ps_segment_params {
    ps_u32 reserved; /* 0 */
} ps_segment_params;

#endif
