/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel merkle: one level of a Merkle tree from the level below. The leaves are
 * kernel sha256's with prefix PS_MERKLE_LEAF.
 */
#ifndef PS_KERNELS_MERKLE_H
#define PS_KERNELS_MERKLE_H

#include "kernels/dialect.h"

#define PS_MERKLE_LEAF 0u /* hashed in front of a record */
#define PS_MERKLE_NODE 1u /* hashed in front of two children */

typedef struct ps_merkle_params {
    ps_u32 child;  /* index of the first hash in children[] that has no parent yet */
    ps_u32 carry;  /* index in carried[] of the hash to the left of that one, or PS_NONE: the first
                      pair is then children[child], children[child + 1] */
    ps_u32 parent; /* index in parents[] of what item 0 writes */
} ps_merkle_params;

#endif
