/* SPDX-License-Identifier: Apache-2.0
 * SipHash-2-4 with 128-bit output: names a series by its key bytes.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and its 128-bit variant.
 * The key is fixed, so the names are the same in every worker and may be stored; it is no secret,
 * but structured keys do not collide by chance.
 */
#ifndef PS_HOST_BASE_SIPHASH_H
#define PS_HOST_BASE_SIPHASH_H

#include <stdint.h>
#include <string.h>

#define PS_SIPHASH_KEY0 UINT64_C(0x70656e73746f636b)
#define PS_SIPHASH_KEY1 UINT64_C(0x7365726965732031)

static inline uint64_t ps_rotate_left(uint64_t x, unsigned bits) {
    return x << bits | x >> (64 - bits);
}

static inline void ps_siphash_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = ps_rotate_left(v[1], 13) ^ v[0];
    v[0] = ps_rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = ps_rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ps_rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ps_rotate_left(v[1], 17) ^ v[2];
    v[2] = ps_rotate_left(v[2], 32);
}

static inline uint64_t ps_siphash_finish(uint64_t v[4]) {
    for (int i = 0; i < 4; i++) ps_siphash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Little-endian machines only, as all of penstock. */
static inline void ps_siphash128(const uint8_t *data, uint32_t length, const uint64_t key[2],
                                 uint64_t out[2]) {
    uint64_t v[4] = {UINT64_C(0x736f6d6570736575) ^ key[0],
                     UINT64_C(0x646f72616e646f6d) ^ key[1] ^ 0xee,
                     UINT64_C(0x6c7967656e657261) ^ key[0], UINT64_C(0x7465646279746573) ^ key[1]};
    uint32_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, 8);
        v[3] ^= word;
        ps_siphash_round(v);
        ps_siphash_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)length << 56;
    for (uint32_t i = 0; at + i < length; i++) last |= (uint64_t)data[at + i] << (8 * i);
    v[3] ^= last;
    ps_siphash_round(v);
    ps_siphash_round(v);
    v[0] ^= last;
    v[2] ^= 0xee;
    out[0] = ps_siphash_finish(v);
    v[1] ^= 0xdd;
    out[1] = ps_siphash_finish(v);
}

#endif
