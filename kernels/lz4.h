/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel lz4: an LZ4 block of every chunk of bytes.
 */
#ifndef PS_KERNELS_LZ4_H
#define PS_KERNELS_LZ4_H

#include "kernels/dialect.h"

#define PS_LZ4_TABLE_BITS 12u
#define PS_LZ4_TABLE      (1u << PS_LZ4_TABLE_BITS) /* words of scratch that a chunk takes */

/* The most that a chunk of `bytes` can become: its literals, and a byte of length for 255 of them.
 */
#define PS_LZ4_BOUND(bytes) ((bytes) + (bytes) / 255u + 16u)

typedef struct ps_lz4_params {
    ps_u32 stride; /* from one block to the next in out[]: PS_LZ4_BOUND of the longest chunk */
} ps_lz4_params;

#endif
