/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel crc32c: the Castagnoli check sum of every record.
 */
#ifndef PS_KERNELS_CRC32C_H
#define PS_KERNELS_CRC32C_H

#include "kernels/dialect.h"

typedef struct ps_crc32c_params {
    ps_u32 reserved; /* 0 */
} ps_crc32c_params;

#endif
