/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel fnv1a: the 64-bit FNV-1a hash of every record.
 */
#ifndef PS_KERNELS_FNV1A_H
#define PS_KERNELS_FNV1A_H

#include "kernels/dialect.h"

#define PS_FNV1A_START 0xcbf29ce484222325u
#define PS_FNV1A_PRIME 0x100000001b3u

typedef struct ps_fnv1a_params {
    ps_u32 reserved; /* 0 */
} ps_fnv1a_params;

#endif
