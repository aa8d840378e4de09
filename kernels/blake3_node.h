/* SPDX-License-Identifier: Apache-2.0
 * The nodes of BLAKE3's tree: chunks of up to 1024 bytes, and parents of two chaining values.
 * Source: J. O'Connor et al., BLAKE3: one function, fast everywhere, sections 2.1 to 2.5.
 */
#ifndef PS_KERNELS_BLAKE3_NODE_H
#define PS_KERNELS_BLAKE3_NODE_H

#include "kernels/dialect.h"

#define PS_BLAKE3_CHUNK 1024u

#define PS_BLAKE3_CHUNK_START 1u
#define PS_BLAKE3_CHUNK_END   2u
#define PS_BLAKE3_PARENT      4u
#define PS_BLAKE3_ROOT        8u

/* The same words that SHA-256 starts from. */
#define PS_BLAKE3_START \
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19

/* Which words each round takes: every line is the one before it, permuted (table 2). */
PS_TABLE ps_u8 ps_blake3_schedule[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

PS_FN void ps_blake3_quarter(ps_u32 *v, ps_u32 column, ps_u32 turn, ps_u32 x, ps_u32 y) {
    const ps_u32 a = column, b = 4u + ((column + turn) & 3u), c = 8u + ((column + 2u * turn) & 3u),
                 d = 12u + ((column + 3u * turn) & 3u);
    v[a] += v[b] + x;
    v[d] = ps_rotate_right(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = ps_rotate_right(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = ps_rotate_right(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = ps_rotate_right(v[b] ^ v[c], 7);
}

/* Folds the block `w`, of which `bytes` count, into the chaining value. A record has less than
 * 2^32 bytes, so the number of a chunk fits in one word. */
PS_FN void ps_blake3_block(ps_u32 *cv, const ps_u32 *w, ps_u32 chunk, ps_u32 bytes, ps_u32 flags) {
    const ps_u32 start[8] = {PS_BLAKE3_START};
    ps_u32 v[16];
    for (ps_u32 i = 0; i < 8; i++) v[i] = cv[i];
    for (ps_u32 i = 0; i < 4; i++) v[8 + i] = start[i];
    v[12] = chunk, v[13] = 0, v[14] = bytes, v[15] = flags;
    PS_UNROLLED
    for (ps_u32 round = 0; round < 7; round++) PS_UNROLLED
    for (ps_u32 i = 0; i < 8; i++)
        ps_blake3_quarter(v, i & 3u, i >> 2, w[ps_blake3_schedule[round][2 * i]],
                          w[ps_blake3_schedule[round][2 * i + 1]]);
    for (ps_u32 i = 0; i < 8; i++) cv[i] = v[i] ^ v[i + 8];
}

/* `flags` holds PS_BLAKE3_ROOT where the chunk is the whole record. */
PS_FN void ps_blake3_chunk(ps_u32 *cv, PS_GLOBAL const ps_u8 *at, ps_u32 length, ps_u32 chunk,
                           ps_u32 flags) {
    const ps_u32 start[8] = {PS_BLAKE3_START};
    const ps_u32 last = length == 0 ? 0 : (length - 1) / 64;
    ps_u32 w[16];
    for (ps_u32 i = 0; i < 8; i++) cv[i] = start[i];
    for (ps_u32 block = 0; block <= last; block++) {
        const ps_u32 bytes = block < last ? 64 : length - 64 * last;
        if (bytes == 64)
            for (ps_u32 i = 0; i < 16; i++) w[i] = ps_read32(at + 64 * block + 4 * i);
        else {
            for (ps_u32 i = 0; i < 16; i++) w[i] = 0;
            for (ps_u32 i = 0; i < bytes; i++)
                w[i >> 2] |= (ps_u32)at[64 * block + i] << (8 * (i & 3u));
        }
        ps_blake3_block(cv, w, chunk, bytes,
                        (block == 0 ? PS_BLAKE3_CHUNK_START : 0u) |
                            (block == last ? PS_BLAKE3_CHUNK_END | flags : 0u));
    }
}

/* The chaining value of two neighbours, into the right one. */
PS_FN void ps_blake3_parent(const ps_u32 *left, ps_u32 *right, ps_u32 flags) {
    const ps_u32 start[8] = {PS_BLAKE3_START};
    ps_u32 w[16];
    for (ps_u32 i = 0; i < 8; i++) {
        w[i] = left[i];
        w[8 + i] = right[i];
        right[i] = start[i];
    }
    ps_blake3_block(right, w, 0, 64, PS_BLAKE3_PARENT | flags);
}

#endif
