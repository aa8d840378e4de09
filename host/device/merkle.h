/* SPDX-License-Identifier: Apache-2.0
 * Append-only Merkle trees (RFC 6962, section 2.1) over the kernels `sha256` and `merkle`. A log is
 * known by its frontier: the roots of the perfect subtrees that its size is a sum of. Appending
 * hashes every node that becomes complete exactly once, level by level; where each of them lies is
 * arithmetic, done before any hash is there, so a queue can be given all launches at once.
 *
 *   leaf hashes of the new records ──> ps_merkle_plan() ──> ps_merkle_run() on this processor, or
 *   ps_merkle_launch() on a queue, download, ps_merkle_advance() ──> frontier, nodes of each level
 *
 * Units: a node or leaf hash is PS_NODE_BYTES; indices and counts are in hashes.
 */
#ifndef PS_HOST_DEVICE_MERKLE_H
#define PS_HOST_DEVICE_MERKLE_H

#include "host/device/backend.h"

enum {
    PS_NODE_BYTES = 32,
    PS_MERKLE_LEVELS = 64,
    /* Appending k leaves completes at most k + this many inner nodes. */
    PS_MERKLE_NODES_EXTRA = 64
};

/* All zeros is the empty log. node[l] has a meaning where bit l of size is set: it is the root over
 * 2^l leaves, the larger subtrees lying further left. */
typedef struct ps_frontier {
    uint64_t size;
    uint8_t node[PS_MERKLE_LEVELS][PS_NODE_BYTES];
} ps_frontier;

/* The tree hash of the whole log; of the empty log, SHA-256 of nothing. At most 63 nodes, hashed
 * here. */
void ps_frontier_root(const ps_frontier *frontier, uint8_t root[PS_NODE_BYTES]);

/* What an append completes. Level 0 are the leaf hashes, in a buffer of their own; the inner nodes
 * of level l lie at nodes[first[l]] to nodes[first[l] + count[l]], and are the nodes
 * (size_before >> l), … of their level in the tree. */
typedef struct ps_append {
    uint64_t size_before, size_after;
    uint32_t levels; /* with new nodes, level 0 included */
    uint32_t first[PS_MERKLE_LEVELS], count[PS_MERKLE_LEVELS];
} ps_append;

/* Fails never: `leaves` is below 2^31, and logs have less than 2^63. */
void ps_merkle_plan(uint64_t size, uint32_t leaves, ps_append *out);

/* On the calling thread: fills nodes[] and moves the frontier. `leaves` are size_after -
 * size_before hashes, `nodes` has room for that many + PS_MERKLE_NODES_EXTRA. */
void ps_merkle_run(const ps_append *append, const uint8_t *leaves, uint8_t *nodes,
                   ps_frontier *frontier);

/* The same launches on a queue. Both calls are bound to kernel merkle with the operands (children,
 * frontier's node[], nodes): `low` with the leaf hashes as children, beginning at hash
 * `first_leaf`, `high` with the nodes themselves. Blocks nowhere. */
typedef struct ps_merkle_calls {
    const ps_backend *backend;
    ps_queue *queue;
    ps_call *low, *high;
} ps_merkle_calls;
ps_status ps_merkle_launch(const ps_merkle_calls *calls, const ps_append *append,
                           uint32_t first_leaf) PS_MUST_USE;

/* Once leaves and nodes have come down: the frontier after the append. */
void ps_merkle_advance(const ps_append *append, const uint8_t *leaves, const uint8_t *nodes,
                       ps_frontier *frontier);

/* The records of a log that lies in memory, in pieces that stay in the cache: leaf hashes and
 * append, for (bytes, begin, length) as kernel sha256 has them. `scratch` has
 * PS_MERKLE_SCRATCH_BYTES. */
enum {
    PS_MERKLE_PIECE = 4096,
    PS_MERKLE_SCRATCH_BYTES = (2 * PS_MERKLE_PIECE + PS_MERKLE_NODES_EXTRA) * PS_NODE_BYTES
};
void ps_merkle_records(const uint8_t *bytes, const uint32_t *begin, const uint32_t *length,
                       uint32_t records, uint8_t *scratch, ps_frontier *frontier);

#endif
