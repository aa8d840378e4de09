/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel xxh3: the 64-bit XXH3 hash, seed 0, of every record.
 */
#ifndef PS_KERNELS_XXH3_H
#define PS_KERNELS_XXH3_H

#include "kernels/dialect.h"

typedef struct ps_xxh3_params {
    ps_u32 reserved; /* 0 */
} ps_xxh3_params;

#endif
