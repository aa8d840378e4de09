/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/segment.h"

#include <string.h>

#include "tests/check_kernels.h"

void ps_check_segment(ps_check *c);

/* Random rows: the result is a permutation of the rows with a series, grouped, and upward within a
 * group. */
static void check_rows(ps_check *c, uint32_t n, uint32_t segments) {
    uint32_t *index = check_take(c, n * sizeof(uint32_t)),
             *rank = check_take(c, n * sizeof(uint32_t));
    uint32_t *first = check_take(c, (segments + 1) * sizeof(uint32_t));
    const ps_segment_params params = {0};
    memset(first, 0, (segments + 1) * sizeof(uint32_t));
    for (uint32_t row = 0; row < n; row++) {
        const uint32_t s = (uint32_t)(check_random(c) % (segments + 1));
        index[row] = s < segments ? s : PS_NONE;
        rank[row] = s < segments ? first[s + 1]++ : 0;
    }
    for (uint32_t s = 0; s < segments; s++) first[s + 1] += first[s];
    uint32_t *order = check_take(c, first[segments] * sizeof(uint32_t));
    void *const buf[4] = {index, rank, first, order};
    memset(order, 0xee, first[segments] * sizeof(uint32_t));
    const uint32_t cut = n ? (uint32_t)(check_random(c) % n) : 0;
    c->fn(buf, &params, cut, n); /* the later rows first: the order of execution does not matter */
    c->fn(buf, &params, 0, cut);
    bool right = true;
    for (uint32_t s = 0; s < segments; s++)
        for (uint32_t i = first[s]; i < first[s + 1]; i++) {
            right &= order[i] < n && index[order[i]] == s;
            right &= i == first[s] || order[i - 1] < order[i];
        }
    check_that(c, right, "%u rows in %u segments", n, segments);
    if (c->bench && n == 4096 && segments == 700)
        check_bench(c, "700 segments", buf, &params, n, 0);
    check_release(c);
}

void ps_check_segment(ps_check *c) {
    static const uint32_t counts[] = {0, 1, 2, 15, 16, 17, 255, 4095, 4096, 4097};
    static const uint32_t segments[] = {0, 1, 2, 16, 700, 5000};
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (uint32_t s = 0; s < sizeof segments / sizeof segments[0]; s++)
            check_rows(c, counts[i], segments[s]);
}
