/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/leaves.h"

#include <stdlib.h>

#include "host/base/check.h"
#include "host/base/limits.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

struct ps_leaves {
    ps_append append;
    uint8_t *bytes; /* the entries side by side, as the kernel wants them */
    size_t room;
    uint32_t begin[PS_LEAVES_MAX], length[PS_LEAVES_MAX];
    uint8_t leaf[PS_LEAVES_MAX * PS_NODE_BYTES];
    uint8_t node[(PS_LEAVES_MAX + PS_MERKLE_NODES_EXTRA) * PS_NODE_BYTES];
};

ps_status ps_leaves_open(ps_leaves **out, ps_error *error) {
    *out = malloc(sizeof **out);
    if (*out == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for leaf hashes");
    (*out)->bytes = NULL;
    (*out)->room = 0;
    return PS_OK;
}

void ps_leaves_close(ps_leaves *leaves) {
    if (leaves == NULL) return;
    free(leaves->bytes);
    free(leaves);
}

static ps_status gather(ps_leaves *leaves, const ps_bytes *entries, uint32_t count,
                        ps_error *error) {
    size_t total = PS_ARENA_PADDING, at = 0;
    for (uint32_t i = 0; i < count; i++) total += entries[i].length;
    if (total > leaves->room) {
        uint8_t *const more = realloc(leaves->bytes, total);
        if (more == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for %u entries", count);
        leaves->bytes = more;
        leaves->room = total;
    }
    for (uint32_t i = 0; i < count; i++) {
        PS_CHECK_OP(entries[i].length, <=, PS_ENTRY_BYTES_MAX);
        leaves->begin[i] = (uint32_t)at;
        leaves->length[i] = entries[i].length;
        if (entries[i].length > 0) memcpy(leaves->bytes + at, entries[i].data, entries[i].length);
        at += entries[i].length;
    }
    memset(leaves->bytes + at, 0, PS_ARENA_PADDING);
    return PS_OK;
}

ps_status ps_leaves_hash(ps_leaves *leaves, const ps_bytes *entries, uint32_t count, uint8_t *out,
                         ps_error *error) {
    const ps_sha256_params params = {PS_MERKLE_LEAF};
    PS_CHECK_OP(count, <=, PS_LEAVES_MAX);
    PS_TRY(gather(leaves, entries, count, error));
    ps_dispatch(PS_KERNEL_SHA256)(
        (void *const[]){leaves->bytes, leaves->begin, leaves->length, out}, &params, 0, count);
    return PS_OK;
}

void ps_leaves_take(ps_leaves *leaves, const uint8_t *hashes, uint32_t count, ps_frontier *frontier,
                    ps_tiler_batch *out) {
    PS_CHECK_OP(count, <=, PS_LEAVES_MAX);
    ps_merkle_plan(frontier->size, count, &leaves->append);
    ps_merkle_run(&leaves->append, hashes, leaves->node, frontier);
    *out = (ps_tiler_batch){&leaves->append, hashes, leaves->node, NULL};
}

ps_status ps_leaves_append(ps_leaves *leaves, const ps_bytes *entries, uint32_t count,
                           ps_frontier *frontier, ps_tiler_batch *out, ps_error *error) {
    PS_TRY(ps_leaves_hash(leaves, entries, count, leaves->leaf, error));
    ps_leaves_take(leaves, leaves->leaf, count, frontier, out);
    out->entries = entries;
    return PS_OK;
}
