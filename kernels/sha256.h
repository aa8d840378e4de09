/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel sha256: the FIPS 180-4 digest of every record.
 */
#ifndef PS_KERNELS_SHA256_H
#define PS_KERNELS_SHA256_H

#include "kernels/dialect.h"

#define PS_SHA256_PLAIN 0xFFFFFFFFu

typedef struct ps_sha256_params {
    ps_u32 prefix; /* PS_SHA256_PLAIN, or one byte hashed in front of every record (RFC 6962: a leaf
                      is 0) */
} ps_sha256_params;

#endif
