/* SPDX-License-Identifier: Apache-2.0
 * Proofs that a few hashes carry: that an entry is in a tree, and that a tree is the beginning of a
 * later one.
 *
 * Units: sizes and indices in entries.
 * Source: RFC 9162, sections 2.1.3 and 2.1.4; RFC 6962, sections 2.1.1 and 2.1.2, has the same.
 */
#ifndef PS_HOST_SEAL_PROOF_H
#define PS_HOST_SEAL_PROOF_H

#include "host/seal/tiles.h"

enum { PS_PROOF_MAX = 64 }; /* hashes, in a log below 2^63 */

typedef struct ps_proof {
    uint32_t count;
    ps_hash hash[PS_PROOF_MAX];
} ps_proof;

/* Both from the tiles of a log at least as large as `size`, whose earlier trees they hold too.
 * Fails: PS_BAD_CONFIG: no such entry or size; else as the tiles' source does. */
ps_status ps_proof_inclusion(ps_tiles *tiles, uint64_t index, uint64_t size, ps_proof *out,
                             ps_error *error) PS_MUST_USE;
ps_status ps_proof_consistency(ps_tiles *tiles, uint64_t size_before, uint64_t size_after,
                               ps_proof *out, ps_error *error) PS_MUST_USE;

/* Is this leaf hash entry `index` of the tree with that root? */
bool ps_proof_includes(const ps_proof *proof, const ps_hash *leaf, uint64_t index, uint64_t size,
                       const ps_hash *root);

/* A tree of which a root is known. */
typedef struct ps_tree {
    uint64_t size;
    ps_hash root;
} ps_tree;

/* Is the one tree the beginning of the other? Nothing is proved of an empty tree: false. */
bool ps_proof_extends(const ps_proof *proof, const ps_tree *before, const ps_tree *after);

#endif
