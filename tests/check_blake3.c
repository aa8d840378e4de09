/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blake3.h"

#include "tests/check_kernels.h"

void ps_check_blake3(ps_check *c);

/* Trees of every shape around the powers of two, and around what a SIMD version takes at once. */
static void check_trees(ps_check *c, const void *params) {
    static const uint32_t chunks[] = {2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 255, 1023};
    static uint32_t length[3 * 16 + 8];
    uint32_t n = 0;
    for (uint32_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        for (uint32_t more = 0; more < 3; more++) length[n++] = chunks[i] * 1024 - 1 + more;
    check_lengths(c, params, length, n, 32, "trees");
    static const uint32_t large[] = {1048575, 1048576, 1048577, 2097152, 3200000, 5000001};
    check_lengths(c, params, large, sizeof large / sizeof large[0], 32, "large trees");
}

/* Rows of as many blocks each, which go past the window, and rows of which one is not: what is
 * taken for a full block, or for one of the same number, would show. */
static void check_groups(ps_check *c, const void *params) {
    enum { ROWS = 16 * 4 };
    static const uint32_t odd[] = {0, 1, 64, 65, 1024, 1025, 3000, PS_NULL};
    uint32_t length[16 * ROWS], n = 0;
    for (uint32_t blocks = 1; blocks <= 16; blocks++)
        for (uint32_t i = 0; i < ROWS; i++)
            length[n++] = 64 * (blocks - 1) + (i < 32 ? 1 + (i * 37 + blocks) % 64 : 64);
    check_lengths(c, params, length, n, 32, "groups");
    for (uint32_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        for (uint32_t at = 0; at < 16; at += 5) {
            for (uint32_t k = 0; k < 33; k++) length[k] = k % 16 == at ? odd[i] : 64;
            check_lengths(c, params, length, 33, 32, "groups with another");
        }
}

void ps_check_blake3(ps_check *c) {
    static const uint32_t lengths[] = {20, 64, 256, 1024, 4096, 900000, 0};
    const ps_blake3_params params = {0};
    check_bytes_kernel(c, &params, 32);
    check_groups(c, &params);
    check_trees(c, &params);
    check_vectors(c, &params, "tests/vectors/kernels/blake3.txt", 32);
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        check_bench_bytes(c, &params, lengths[i]);
}
