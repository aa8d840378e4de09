/* SPDX-License-Identifier: Apache-2.0
 * The compression function of SHA-256, for every kernel that hashes.
 * Source: FIPS 180-4, sections 4.2.2, 5.3.3 and 6.2.2.
 */
#ifndef PS_KERNELS_SHA256_BLOCK_H
#define PS_KERNELS_SHA256_BLOCK_H

#include "kernels/dialect.h"

PS_TABLE ps_u32 ps_sha256_round[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* The bytes of a word the other way round. */
PS_FN ps_u32 ps_swapped(ps_u32 x) {
    return (x & 255u) << 24 | (x & 0xFF00u) << 8 | (x >> 8 & 0xFF00u) | x >> 24;
}

/* Folds the sixteen words `w` into the state; `w` is used up. */
PS_FN void ps_sha256_block(ps_u32 *state, ps_u32 *w) {
    ps_u32 a = state[0], b = state[1], c = state[2], d = state[3];
    ps_u32 e = state[4], f = state[5], g = state[6], h = state[7];
    /* Sixteen rounds at a time, so that a GPU keeps the words in registers. */
    for (ps_u32 first = 0; first < 64; first += 16) {
        PS_UNROLLED
        for (ps_u32 at = 0; at < 16; at++) {
            if (first > 0) {
                const ps_u32 near = w[(at + 1) & 15u], far = w[(at + 14) & 15u];
                w[at] += w[(at + 9) & 15u] +
                         (ps_rotate_right(near, 7) ^ ps_rotate_right(near, 18) ^ (near >> 3)) +
                         (ps_rotate_right(far, 17) ^ ps_rotate_right(far, 19) ^ (far >> 10));
            }
            const ps_u32 t =
                h + (ps_rotate_right(e, 6) ^ ps_rotate_right(e, 11) ^ ps_rotate_right(e, 25)) +
                ((e & f) ^ (~e & g)) + ps_sha256_round[first + at] + w[at];
            const ps_u32 u =
                (ps_rotate_right(a, 2) ^ ps_rotate_right(a, 13) ^ ps_rotate_right(a, 22)) +
                ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
        }
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

PS_FN void ps_sha256_start(ps_u32 *state) {
    state[0] = 0x6a09e667, state[1] = 0xbb67ae85, state[2] = 0x3c6ef372, state[3] = 0xa54ff53a;
    state[4] = 0x510e527f, state[5] = 0x9b05688c, state[6] = 0x1f83d9ab, state[7] = 0x5be0cd19;
}

PS_FN void ps_sha256_finish(const ps_u32 *state, PS_GLOBAL ps_u8 *digest) {
    for (ps_u32 i = 0; i < 32; i++) digest[i] = (ps_u8)(state[i / 4] >> (24 - i % 4 * 8));
}

#endif
