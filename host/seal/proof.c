/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/proof.h"

#include <inttypes.h>

#include "host/base/check.h"

/* The largest power of two below `count`, which is 2 or more. */
static uint64_t split(uint64_t count) {
    return UINT64_C(1) << (63 - __builtin_clzll(count - 1));
}

static ps_status put_range(ps_tiles *tiles, uint64_t begin, uint64_t end, ps_proof *proof,
                           ps_error *error) {
    PS_CHECK_OP(proof->count, <, PS_PROOF_MAX);
    PS_TRY(ps_tiles_range(tiles, begin, end, &proof->hash[proof->count], error));
    proof->count++;
    return PS_OK;
}

/* Found from the root to the leaf, written from the leaf to the root. */
static void turn(ps_proof *proof) {
    for (uint32_t i = 0; i < proof->count / 2; i++) {
        const ps_hash first = proof->hash[i];
        proof->hash[i] = proof->hash[proof->count - 1 - i];
        proof->hash[proof->count - 1 - i] = first;
    }
}

ps_status ps_proof_inclusion(ps_tiles *tiles, uint64_t index, uint64_t size, ps_proof *out,
                             ps_error *error) {
    uint64_t begin = 0, end = size;
    out->count = 0;
    if (index >= size || size > tiles->size)
        return ps_fail(error, PS_BAD_CONFIG, "entry %" PRIu64 " is not in a log of %" PRIu64, index,
                       size < tiles->size ? size : tiles->size);
    while (end - begin > 1) {
        const uint64_t middle = begin + split(end - begin);
        if (index < middle) {
            PS_TRY(put_range(tiles, middle, end, out, error));
            end = middle;
        } else {
            PS_TRY(put_range(tiles, begin, middle, out, error));
            begin = middle;
        }
    }
    turn(out);
    return PS_OK;
}

ps_status ps_proof_consistency(ps_tiles *tiles, uint64_t size_before, uint64_t size_after,
                               ps_proof *out, ps_error *error) {
    uint64_t begin = 0, end = size_after;
    out->count = 0;
    if (size_before > size_after || size_after > tiles->size)
        return ps_fail(error, PS_BAD_CONFIG,
                       "no proof from %" PRIu64 " to %" PRIu64 " entries in a log of %" PRIu64,
                       size_before, size_after, tiles->size);
    if (size_before == 0 || size_before == size_after) return PS_OK;
    while (size_before != end) {
        const uint64_t middle = begin + split(end - begin);
        if (size_before <= middle) {
            PS_TRY(put_range(tiles, middle, end, out, error));
            end = middle;
        } else {
            PS_TRY(put_range(tiles, begin, middle, out, error));
            begin = middle;
        }
    }
    /* What is left is a subtree of both; where it is all of the first, the verifier has its hash.
     */
    if (begin > 0) PS_TRY(put_range(tiles, begin, end, out, error));
    turn(out);
    return PS_OK;
}

bool ps_proof_includes(const ps_proof *proof, const ps_hash *leaf, uint64_t index, uint64_t size,
                       const ps_hash *root) {
    if (index >= size || proof->count > PS_PROOF_MAX) return false;
    uint64_t node = index, last = size - 1; /* on each level on the way up */
    ps_hash hash = *leaf;
    for (uint32_t i = 0; i < proof->count; i++) {
        if (last == 0) return false;
        if ((node & 1) == 0 && node != last) {
            ps_hash_node(&hash, &proof->hash[i], &hash);
        } else {
            ps_hash_node(&proof->hash[i], &hash, &hash);
            for (; (node & 1) == 0 && node != 0; last >>= 1) node >>= 1;
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && ps_hash_is(&hash, root);
}

/* The rule for 0 < before < after, and at least one hash in the proof. */
static bool extends(const ps_proof *proof, const ps_tree *before, const ps_tree *after) {
    uint64_t node = before->size - 1, last = after->size - 1;
    for (; (node & 1) != 0; last >>= 1) node >>= 1;
    /* A perfect tree is a node of the later one, and its own first hash. */
    uint32_t i = node != 0;
    ps_hash old_root = i == 0 ? before->root : proof->hash[0], new_root = old_root;
    for (; i < proof->count; i++) {
        if (last == 0) return false;
        if ((node & 1) != 0 || node == last) {
            ps_hash_node(&proof->hash[i], &old_root, &old_root);
            ps_hash_node(&proof->hash[i], &new_root, &new_root);
            for (; (node & 1) == 0 && node != 0; last >>= 1) node >>= 1;
        } else {
            ps_hash_node(&new_root, &proof->hash[i], &new_root);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && ps_hash_is(&old_root, &before->root) && ps_hash_is(&new_root, &after->root);
}

bool ps_proof_extends(const ps_proof *proof, const ps_tree *before, const ps_tree *after) {
    if (before->size == 0 || before->size > after->size || proof->count > PS_PROOF_MAX)
        return false;
    if (before->size == after->size)
        return proof->count == 0 && ps_hash_is(&before->root, &after->root);
    return proof->count > 0 && extends(proof, before, after);
}
