/* SPDX-License-Identifier: Apache-2.0
 * What rows_drive.inc tells the hash that it drives.
 */
#ifndef PS_SIMD_ROWS_H
#define PS_SIMD_ROWS_H

#include <stdint.h>

/* All records that come together are as long as this, in bytes. */
typedef struct sizes {
    uint32_t shortest, longest;
} sizes;

#endif
