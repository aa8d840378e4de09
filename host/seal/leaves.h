/* SPDX-License-Identifier: Apache-2.0
 * Appends entries to a frontier on the calling thread: leaf hashes and the nodes that become
 * complete, a batch at a time, on the kernels of this processor.
 */
#ifndef PS_HOST_SEAL_LEAVES_H
#define PS_HOST_SEAL_LEAVES_H

#include "host/seal/tiler.h"

enum { PS_LEAVES_MAX = 4096 };

typedef struct ps_leaves ps_leaves;

ps_status ps_leaves_open(ps_leaves **out, ps_error *error) PS_MUST_USE;
void ps_leaves_close(ps_leaves *leaves);

/* Moves the frontier over `count` entries, at most PS_LEAVES_MAX, each at most PS_ENTRY_BYTES_MAX.
 * `out`, whose entries are these, stays until the next call.
 * Fails: PS_NO_MEMORY: a batch of entries larger than any before. */
ps_status ps_leaves_append(ps_leaves *leaves, const ps_bytes *entries, uint32_t count,
                           ps_frontier *frontier, ps_tiler_batch *out, ps_error *error) PS_MUST_USE;

/* The two halves of that: the leaf hashes alone, into 32 bytes each; and an append of leaf hashes,
 * which are borrowed as long as `out`, and which has no entries. */
ps_status ps_leaves_hash(ps_leaves *leaves, const ps_bytes *entries, uint32_t count, uint8_t *out,
                         ps_error *error) PS_MUST_USE;
void ps_leaves_take(ps_leaves *leaves, const uint8_t *hashes, uint32_t count, ps_frontier *frontier,
                    ps_tiler_batch *out);

#endif
