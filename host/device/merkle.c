/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/merkle.h"

#include <string.h>

#include "host/base/check.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

void ps_frontier_root(const ps_frontier *frontier, uint8_t root[PS_NODE_BYTES]) {
    ps_kernel_fn *const merkle = ps_dispatch(PS_KERNEL_MERKLE);
    uint8_t pair[2][PS_NODE_BYTES] = {{0}};
    uint64_t left = frontier->size;
    if (left == 0) {
        const uint32_t begin = 0, length = 0;
        const uint8_t nothing[PS_ARENA_PADDING] = {0};
        const ps_sha256_params plain = {PS_SHA256_PLAIN};
        ps_dispatch(PS_KERNEL_SHA256)(
            (void *const[]){(void *)nothing, (void *)&begin, (void *)&length, root}, &plain, 0, 1);
        return;
    }
    /* From the smallest subtree, which is the rightmost, to the left. */
    const ps_merkle_params params = {.child = 0, .carry = PS_NONE, .parent = 0};
    memcpy(pair[1], frontier->node[__builtin_ctzll(left)], PS_NODE_BYTES);
    for (left &= left - 1; left != 0; left &= left - 1) {
        memcpy(pair[0], frontier->node[__builtin_ctzll(left)], PS_NODE_BYTES);
        merkle((void *const[]){pair, pair, root}, &params, 0, 1);
        memcpy(pair[1], root, PS_NODE_BYTES);
    }
    memcpy(root, pair[1], PS_NODE_BYTES);
}

void ps_merkle_plan(uint64_t size, uint32_t leaves, ps_append *out) {
    PS_CHECK_OP(leaves, <, UINT32_C(1) << 31);
    PS_CHECK_OP(size, <, UINT64_C(1) << 63);
    memset(out, 0, sizeof *out);
    out->size_before = size;
    out->size_after = size + leaves;
    uint32_t next = 0;
    for (uint32_t level = 0; level < PS_MERKLE_LEVELS; level++) {
        const uint32_t count = (uint32_t)((out->size_after >> level) - (size >> level));
        if (count == 0) break; /* above it, none either */
        out->count[level] = count;
        out->first[level] = next;
        if (level > 0) next += count;
        out->levels = level + 1;
    }
}

/* How level `level` > 0 of the append is computed from the one below. */
static ps_merkle_params level_params(const ps_append *append, uint32_t level, uint32_t first_leaf) {
    const uint32_t below = level - 1;
    return (ps_merkle_params){.child = below == 0 ? first_leaf : append->first[below],
                              .carry = append->size_before >> below & 1 ? below : PS_NONE,
                              .parent = append->first[level]};
}

void ps_merkle_run(const ps_append *append, const uint8_t *leaves, uint8_t *nodes,
                   ps_frontier *frontier) {
    ps_kernel_fn *const merkle = ps_dispatch(PS_KERNEL_MERKLE);
    PS_CHECK_OP(frontier->size, ==, append->size_before);
    for (uint32_t level = 1; level < append->levels; level++) {
        const ps_merkle_params params = level_params(append, level, 0);
        void *const children = level == 1 ? (void *)leaves : nodes;
        merkle((void *const[]){children, frontier->node, nodes}, &params, 0, append->count[level]);
    }
    ps_merkle_advance(append, leaves, nodes, frontier);
}

ps_status ps_merkle_launch(const ps_merkle_calls *calls, const ps_append *append,
                           uint32_t first_leaf) {
    for (uint32_t level = 1; level < append->levels; level++) {
        const ps_merkle_params params = level_params(append, level, first_leaf);
        ps_call *const call = level == 1 ? calls->low : calls->high;
        PS_TRY(calls->backend->launch(calls->queue, call, &params, 0, append->count[level]));
    }
    return PS_OK;
}

void ps_merkle_advance(const ps_append *append, const uint8_t *leaves, const uint8_t *nodes,
                       ps_frontier *frontier) {
    PS_CHECK_OP(frontier->size, ==, append->size_before);
    for (uint32_t level = 0; level < append->levels; level++) {
        if ((append->size_after >> level & 1) == 0) continue;
        const uint8_t *const all = level == 0 ? leaves : nodes;
        const uint64_t last = (uint64_t)append->first[level] + append->count[level] - 1;
        memcpy(frontier->node[level], all + last * PS_NODE_BYTES, PS_NODE_BYTES);
    }
    frontier->size = append->size_after;
}

void ps_merkle_records(const uint8_t *bytes, const uint32_t *begin, const uint32_t *length,
                       uint32_t records, uint8_t *scratch, ps_frontier *frontier) {
    ps_kernel_fn *const sha256 = ps_dispatch(PS_KERNEL_SHA256);
    const ps_sha256_params leaf = {PS_MERKLE_LEAF};
    uint8_t *const nodes = scratch + (size_t)PS_MERKLE_PIECE * PS_NODE_BYTES;
    for (uint32_t at = 0; at < records; at += PS_MERKLE_PIECE) {
        const uint32_t count = records - at < PS_MERKLE_PIECE ? records - at : PS_MERKLE_PIECE;
        ps_append append;
        sha256((void *const[]){(void *)bytes, (void *)(begin + at), (void *)(length + at), scratch},
               &leaf, 0, count);
        ps_merkle_plan(frontier->size, count, &append);
        ps_merkle_run(&append, scratch, nodes, frontier);
    }
}
