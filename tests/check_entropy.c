/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/entropy.h"

#include <math.h>
#include <string.h>

#include "host/base/limits.h"
#include "tests/check_kernels.h"

void ps_check_entropy(ps_check *c);

/* Records of known entropy: one byte value, 2^k values equally often, none at all. */
static void check_known(ps_check *c) {
    enum { ROWS = 11 };
    uint32_t length[ROWS] = {0, 1, 3, 7, 1000, PS_NULL, 512, 512, 512, 512, 300};
    const float expected[ROWS] = {0, 0, 0, 0, 0, 0, 1, 3, 8, 8, 0};
    const check_records r = check_records_take(c, length, ROWS);
    float *entropy = check_take(c, ROWS * sizeof *entropy);
    uint32_t wrong = 0;
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t i = 0; length[row] != PS_NULL && i < length[row]; i++)
            r.bytes[r.begin[row] + i] = (uint8_t)(row == 6               ? i % 2
                                                  : row == 7             ? i % 8 * 31
                                                  : row >= 8 && row < 10 ? i
                                                                         : 65);
    const ps_entropy_params params = {0};
    c->fn((void *const[]){r.bytes, r.begin, r.length, entropy}, &params, 0, ROWS);
    for (uint32_t row = 0; row < ROWS; row++)
        wrong += row == 5 ? entropy[row] == entropy[row] : entropy[row] != expected[row];
    check_that(c, wrong == 0, "%u of %u records of known entropy", wrong, ROWS);
    check_release(c);
}

/* Shannon's sum over probabilities, in long double. */
static void check_sums(ps_check *c) {
    enum { ROWS = 200 };
    uint32_t length[ROWS], wrong = 0;
    for (uint32_t row = 0; row < ROWS; row++) length[row] = 1 + (uint32_t)(check_random(c) % 2000);
    const check_records r = check_records_take(c, length, ROWS);
    float *entropy = check_take(c, ROWS * sizeof *entropy);
    const ps_entropy_params params = {0};
    c->fn((void *const[]){r.bytes, r.begin, r.length, entropy}, &params, 0, ROWS);
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t count[256] = {0};
        long double sum = 0;
        for (uint32_t i = 0; i < length[row]; i++) count[r.bytes[r.begin[row] + i]]++;
        for (uint32_t i = 0; i < 256; i++)
            if (count[i] > 0) {
                const long double p = (long double)count[i] / length[row];
                sum -= p * log2l(p);
            }
        wrong += !(fabsl((long double)entropy[row] - sum) <= 1e-6L * (sum + 1e-3L));
    }
    check_that(c, wrong == 0, "%u of %u records differ from the sum", wrong, ROWS);
    check_release(c);
}

void ps_check_entropy(ps_check *c) {
    static const uint32_t lengths[] = {64, 256, 1024};
    const ps_entropy_params params = {0};
    check_bytes_kernel(c, &params, sizeof(float));
    check_known(c);
    check_sums(c);
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        check_bench_bytes(c, &params, lengths[i]);
}
