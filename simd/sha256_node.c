/* SPDX-License-Identifier: Apache-2.0
 * Source: FIPS 180-4, section 6.2.2, step 1.
 */
#include "simd/sha256_node.h"

#include "kernels/dialect.h"
#include "simd/sha256_rounds.h"

uint32_t ps_sha256_node_schedule[256][64] __attribute__((aligned(64)));

static uint32_t mix(uint32_t x, uint32_t n1, uint32_t n2, uint32_t n3) {
    return ps_rotate_right(x, n1) ^ ps_rotate_right(x, n2) ^ x >> n3;
}

/* The schedule of a block, whose words come first in w, with the round constants added. */
static void schedule_block(uint32_t w[64], uint32_t *out) {
    for (uint32_t i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + mix(w[i - 15], 7, 18, 3) + mix(w[i - 2], 17, 19, 10);
    for (uint32_t i = 0; i < 64; i++) out[i] = w[i] + ps_sha256_k[i];
}

void ps_sha256_node_init(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t w[64] = {byte << 24 | 0x800000};
        w[15] = 65 * 8;
        schedule_block(w, ps_sha256_node_schedule[byte]);
    }
}

void ps_sha256_padding(uint32_t schedule[64], uint64_t bytes) {
    uint32_t w[64] = {0x80000000};
    w[14] = (uint32_t)(bytes >> 29);
    w[15] = (uint32_t)(bytes << 3);
    schedule_block(w, schedule);
}
