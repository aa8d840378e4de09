/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel entropy: how evenly the bytes of a record are spread.
 */
#ifndef PS_KERNELS_ENTROPY_H
#define PS_KERNELS_ENTROPY_H

#include "kernels/dialect.h"
#include "kernels/logarithm.h"

typedef struct ps_entropy_params {
    ps_u32 reserved; /* 0 */
} ps_entropy_params;

#endif
