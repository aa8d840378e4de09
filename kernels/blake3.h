/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel blake3: the 32-byte BLAKE3 hash (mode `hash`) of every record.
 */
#ifndef PS_KERNELS_BLAKE3_H
#define PS_KERNELS_BLAKE3_H

#include "kernels/dialect.h"

typedef struct ps_blake3_params {
    ps_u32 reserved; /* 0 */
} ps_blake3_params;

#endif
