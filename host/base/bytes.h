/* SPDX-License-Identifier: Apache-2.0
 * A borrowed run of bytes. `data` may be NULL only where `length` is 0 or PS_NULL_LENGTH.
 */
#ifndef PS_HOST_BASE_BYTES_H
#define PS_HOST_BASE_BYTES_H

#include <stdint.h>

/* In length columns and in ps_bytes: the value is null, which is not the same as empty. */
#define PS_NULL_LENGTH UINT32_MAX

typedef struct ps_bytes {
    const uint8_t *data;
    uint32_t length;
} ps_bytes;

#endif
