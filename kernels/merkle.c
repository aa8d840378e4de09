/* SPDX-License-Identifier: Apache-2.0
 * One level of a Merkle tree: the hash of every pair of neighbours on the level below.
 * Shapes: children[32 …], carried[32 …], parents[32 …], all hashes of 32 bytes. Item i is parent
 * i of the call. Its children lie next to each other, but a call may begin in the middle of a pair:
 * the left half of its first pair then comes from carried[], where a log keeps the roots of its
 * complete subtrees. children[] and parents[] may be one buffer if the ranges are apart.
 * State: none.
 * Agrees: to the bit.
 * Source: RFC 6962, section 2.1: SHA-256(0x01 || left || right).
 */
#include "kernels/merkle.h"

#include "kernels/sha256_block.h"

/* Byte `at` of the padded message without its length. */
PS_FN ps_u32 ps_merkle_byte(PS_GLOBAL const ps_u8 *left, PS_GLOBAL const ps_u8 *right, ps_u32 at) {
    if (at == 0) return PS_MERKLE_NODE;
    if (at <= 32) return left[at - 1];
    if (at <= 64) return right[at - 33];
    return at == 65 ? 0x80u : 0u;
}

#if !defined(PS_PLAIN_C)
/* The same message by whole words, whose arrays stay in registers; a GPU reads bytes no faster. */
PS_FN void ps_merkle_words(PS_GLOBAL const ps_u32 *left, PS_GLOBAL const ps_u32 *right,
                           ps_u32 *state) {
    ps_u32 w[16], before = PS_MERKLE_NODE;
    PS_UNROLLED
    for (ps_u32 i = 0; i < 16; i++) {
        const ps_u32 child = i < 8 ? left[i] : right[i - 8];
        w[i] = before << 24 | ps_swapped(child) >> 8;
        before = child >> 24;
    }
    ps_sha256_block(state, w);
    PS_UNROLLED
    for (ps_u32 i = 1; i < 15; i++) w[i] = 0;
    w[0] = before << 24 | 0x800000u;
    w[15] = 65 * 8;
    ps_sha256_block(state, w);
}
#endif

PS_FN void ps_merkle_at(ps_u32 item, PS_GLOBAL const ps_u8 *PS_RESTRICT children,
                        PS_GLOBAL const ps_u8 *PS_RESTRICT carried,
                        PS_GLOBAL ps_u8 *PS_RESTRICT parents, ps_merkle_params p) {
    const ps_u32 odd = p.carry != PS_NONE;
    PS_GLOBAL const ps_u8 *const right =
        children + ((ps_u64)p.child + (ps_u64)item * 2u + 1u - odd) * 32u;
    PS_GLOBAL const ps_u8 *const left =
        odd && item == 0 ? carried + (ps_u64)p.carry * 32u : right - 32;
    ps_u32 state[8], w[16];
    ps_sha256_start(state);
#if !defined(PS_PLAIN_C)
    PS_GLOBAL ps_u32 *const out = (PS_GLOBAL ps_u32 *)(parents + ((ps_u64)p.parent + item) * 32u);
    if (((PS_ADDRESS(left) | PS_ADDRESS(right) | PS_ADDRESS(out)) & 3u) == 0) {
        ps_merkle_words((PS_GLOBAL const ps_u32 *)left, (PS_GLOBAL const ps_u32 *)right, state);
        for (ps_u32 i = 0; i < 8; i++) out[i] = ps_swapped(state[i]);
        return;
    }
#endif
    for (ps_u32 block = 0; block < 2; block++) {
        for (ps_u32 i = 0; i < 16; i++) {
            const ps_u32 at = block * 64 + i * 4;
            w[i] = ps_merkle_byte(left, right, at) << 24 |
                   ps_merkle_byte(left, right, at + 1) << 16 |
                   ps_merkle_byte(left, right, at + 2) << 8 | ps_merkle_byte(left, right, at + 3);
        }
        if (block == 1) w[15] = 65 * 8;
        ps_sha256_block(state, w);
    }
    ps_sha256_finish(state, parents + ((ps_u64)p.parent + item) * 32u);
}
PS_ENTRY_3(merkle, const ps_u8, const ps_u8, ps_u8)
