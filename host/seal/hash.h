/* SPDX-License-Identifier: Apache-2.0
 * One hash of a Merkle tree (RFC 6962, section 2.1), and the few that are made one at a time: many
 * of them go through host/device/merkle.h.
 */
#ifndef PS_HOST_SEAL_HASH_H
#define PS_HOST_SEAL_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "host/device/merkle.h"

typedef struct ps_hash {
    uint8_t byte[PS_NODE_BYTES];
} ps_hash;

static inline bool ps_hash_is(const ps_hash *a, const ps_hash *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

/* SHA-256 of `length` bytes; of a leaf: of 0x00 and them; of a node: of 0x01 and two hashes.
 * `length` is below 2^32 - 1. */
void ps_hash_bytes(const uint8_t *bytes, size_t length, ps_hash *out);
void ps_hash_leaf(const uint8_t *entry, size_t length, ps_hash *out);
void ps_hash_node(const ps_hash *left, const ps_hash *right, ps_hash *out);

/* The root of the empty tree. */
void ps_hash_empty(ps_hash *out);

#endif
