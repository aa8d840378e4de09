/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 with Armv8's cryptographic extension, four messages interleaved: a round instruction
 * takes four cycles on the cores that matter and a chain waits for each. Agrees: to the bit.
 * Source: FIPS 180-4; Arm Architecture Reference Manual, C7.2 (SHA256H, SHA256SU0).
 */
#include <arm_neon.h>

#include "kernels/merkle.h"
#include "kernels/table.h"
#include "simd/sha256_batch.h"
#include "simd/sha256_node.h"
#include "simd/sha256_rounds.h"
#include "simd/unroll.h"

#define LANES 4

typedef struct chain {
    uint32x4_t abcd[LANES], efgh[LANES];
} chain;

/* One block of every lane; its sixteen words are used up. */
static inline __attribute__((always_inline)) void
chain_rounds(uint32x4_t abcd[LANES], uint32x4_t efgh[LANES], uint32x4_t w[LANES][4], int lanes) {
    uint32x4_t abcd_before[LANES], efgh_before[LANES];
    PS_UNROLL for (int s = 0; s < lanes; s++) {
        abcd_before[s] = abcd[s];
        efgh_before[s] = efgh[s];
    }
    PS_UNROLL for (int g = 0; g < 16; g++) {
        const uint32x4_t k = vld1q_u32(&ps_sha256_k[4 * g]);
        PS_UNROLL for (int s = 0; s < lanes; s++) {
            const uint32x4_t wk = vaddq_u32(w[s][g & 3], k), before = abcd[s];
            abcd[s] = vsha256hq_u32(abcd[s], efgh[s], wk);
            efgh[s] = vsha256h2q_u32(efgh[s], before, wk);
            if (g >= 12) continue;
            const uint32x4_t next = vsha256su0q_u32(w[s][g & 3], w[s][(g + 1) & 3]);
            w[s][g & 3] = vsha256su1q_u32(next, w[s][(g + 2) & 3], w[s][(g + 3) & 3]);
        }
    }
    PS_UNROLL for (int s = 0; s < lanes; s++) {
        abcd[s] = vaddq_u32(abcd[s], abcd_before[s]);
        efgh[s] = vaddq_u32(efgh[s], efgh_before[s]);
    }
}

static inline __attribute__((always_inline)) void chain_blocks(chain *c, const uint8_t *const *from,
                                                               uint32_t blocks, int lanes) {
    uint32x4_t abcd[LANES], efgh[LANES];
    const uint8_t *p[LANES];
    PS_UNROLL for (int s = 0; s < lanes; s++) {
        abcd[s] = c->abcd[s];
        efgh[s] = c->efgh[s];
        p[s] = from[s];
    }
    for (; blocks > 0; blocks--) {
        uint32x4_t w[LANES][4];
        PS_UNROLL for (int s = 0; s < lanes; s++) {
            PS_UNROLL for (int j = 0; j < 4; j++) w[s][j] =
                vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p[s] + 16 * j)));
            p[s] += 64;
        }
        chain_rounds(abcd, efgh, w, lanes);
    }
    PS_UNROLL for (int s = 0; s < lanes; s++) {
        c->abcd[s] = abcd[s];
        c->efgh[s] = efgh[s];
    }
}

static inline __attribute__((always_inline)) chain chain_start(void) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    chain c;
    PS_UNROLL for (int s = 0; s < LANES; s++) {
        c.abcd[s] = vld1q_u32(start);
        c.efgh[s] = vld1q_u32(start + 4);
    }
    return c;
}

static inline void put_chain(uint8_t *digest, uint32x4_t abcd, uint32x4_t efgh) {
    vst1q_u8(digest, vrev32q_u8(vreinterpretq_u8_u32(abcd)));
    vst1q_u8(digest + 16, vrev32q_u8(vreinterpretq_u8_u32(efgh)));
}

static void hash_group(const ps_message *m) {
    chain c = chain_start();
    for (int part = 0; part < PS_MESSAGE_PARTS; part++) {
        if (m[0].blocks[part] == 0) continue;
        const uint8_t *from[LANES];
        PS_UNROLL for (int s = 0; s < LANES; s++) from[s] = m[s].part[part];
        chain_blocks(&c, from, m[0].blocks[part], LANES);
    }
    PS_UNROLL for (int s = 0; s < LANES; s++) put_chain(m[s].digest, c.abcd[s], c.efgh[s]);
}

/* Byte i of a node's message is byte i - 1 of the pair, so only the first quarter of the first
 * block is not loaded from where it lies, and of the second block only one byte varies. */
#define HASH_PAIRS
static void hash_pairs(const uint8_t *const *pair, uint8_t *const *parent) {
    const uint32_t *schedule[LANES];
    uint32x4_t w[LANES][4], abcd[LANES], efgh[LANES];
    chain c = chain_start();
    PS_UNROLL for (int s = 0; s < LANES; s++) {
        const uint8x16_t first = vextq_u8(vdupq_n_u8(PS_MERKLE_NODE), vld1q_u8(pair[s]), 15);
        w[s][0] = vreinterpretq_u32_u8(vrev32q_u8(first));
        PS_UNROLL for (int j = 1; j < 4; j++) w[s][j] =
            vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(pair[s] + 16 * j - 1)));
        schedule[s] = ps_sha256_node_schedule[pair[s][63]];
    }
    chain_rounds(c.abcd, c.efgh, w, LANES);
    PS_UNROLL for (int s = 0; s < LANES; s++) {
        abcd[s] = c.abcd[s];
        efgh[s] = c.efgh[s];
    }
    PS_UNROLL for (int g = 0; g < 16; g++) {
        PS_UNROLL for (int s = 0; s < LANES; s++) {
            const uint32x4_t wk = vld1q_u32(&schedule[s][4 * g]), before = abcd[s];
            abcd[s] = vsha256hq_u32(abcd[s], efgh[s], wk);
            efgh[s] = vsha256h2q_u32(efgh[s], before, wk);
        }
    }
    PS_UNROLL for (int s = 0; s < LANES; s++)
        put_chain(parent[s], vaddq_u32(abcd[s], c.abcd[s]), vaddq_u32(efgh[s], c.efgh[s]));
}

static inline __attribute__((always_inline)) void
hash_lanes(uint32_t (*state)[8], const uint8_t *const *from, uint32_t blocks, int lanes) {
    chain c;
    PS_UNROLL for (int s = 0; s < lanes; s++) {
        c.abcd[s] = vld1q_u32(&state[s][0]);
        c.efgh[s] = vld1q_u32(&state[s][4]);
    }
    chain_blocks(&c, from, blocks, lanes);
    PS_UNROLL for (int s = 0; s < lanes; s++) {
        vst1q_u32(&state[s][0], c.abcd[s]);
        vst1q_u32(&state[s][4], c.efgh[s]);
    }
}

static void hash_blocks(uint32_t (*state)[8], const uint8_t *const *from, uint32_t blocks) {
    hash_lanes(state, from, blocks, LANES);
}

/* A message that is alone does not wait for three others. */
#define HASH_ONE
static void hash_one(uint32_t (*state)[8], const uint8_t *const *from, uint32_t blocks) {
    hash_lanes(state, from, blocks, 1);
}

#define ENTRY        ps_sha256_sha2
#define MERKLE_ENTRY ps_merkle_sha2
#include "simd/merkle_drive.inc"
#include "simd/sha256_drive.inc"
