/* SPDX-License-Identifier: Apache-2.0
 * The oracle keeps the last values' places themselves and counts those in a part of the plane by
 * its borders, from the root down; it keeps no counts of leaves. If it fails, a value's score is
 * not what the trees of the table say about it.
 */
#include "kernels/half_space_trees.h"

#include <math.h>
#include <string.h>

#include "kernels/half_space_table.h"
#include "tests/check_kernels.h"

void ps_check_half_space_trees(ps_check *c);

enum { WINDOW = 1000, TREES = 8, DEPTH = 5, SPAN = 50 };

/* Values of this window and of the one before. */
typedef struct memory {
    long double at[2 * WINDOW][2];
    uint32_t before, now;
} memory;

static long double squash(long double d, long double deviation) {
    if (d == 0) return 0.5L;
    const long double z = deviation > 0 ? d / (8 * deviation) : d > 0 ? 1e9L : -1e9L;
    return 0.5L + z / (1 + fabsl(z)) / 2;
}

/* What holds few, or is a leaf: how many of the asked window lie in it, times 2^its level. */
static long double density(const memory *m, uint32_t tree, const long double *at) {
    const uint32_t first = m->before ? 0 : WINDOW, total = m->before ? WINDOW : m->now;
    long double low[2], high[2];
    for (int k = 0; k < 2; k++) {
        low[k] = -(long double)ps_half_space_ranges[tree][k][0];
        high[k] = low[k] + 65536.0L / (long double)ps_half_space_ranges[tree][k][1];
    }
    for (uint32_t node = 1, level = 0;; level++) {
        uint32_t inside = 0;
        for (uint32_t i = first; i < first + total; i++)
            inside += m->at[i][0] >= low[0] && m->at[i][0] < high[0] && m->at[i][1] >= low[1] &&
                      m->at[i][1] < high[1];
        if (level == DEPTH || inside <= total / 100) return ldexpl(inside, (int)level);
        const uint32_t k = ps_half_space_nodes[tree] >> node & 1;
        const long double middle = (low[k] + high[k]) / 2;
        node = 2 * node + (at[k] >= middle);
        if (at[k] >= middle)
            low[k] = middle;
        else
            high[k] = middle;
    }
}

static long double rarity(memory *m, const long double *at) {
    const uint32_t total = m->before ? WINDOW : m->now;
    long double sum = 0;
    for (uint32_t tree = 0; total > 0 && tree < TREES; tree++) sum += density(m, tree, at);
    memcpy(m->at[WINDOW + m->now++], at, sizeof m->at[0]);
    if (m->now == WINDOW) {
        memcpy(m->at[0], m->at[WINDOW], sizeof m->at / 2);
        m->before = WINDOW;
        m->now = 0;
    }
    return total > 0 ? -logl(sum / TREES / total + 0.02L) : 0;
}

/* Count; mean and variance of the values; mean and variance of the measure; the last value. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    static memory places;
    const long double count = state[0], d = count == 0 ? 0 : x - state[1];
    if (count == 0) memset(&places, 0, sizeof places);
    const long double deviation = sqrtl(state[2]);
    const long double at[2] = {squash(d, deviation),
                               squash(count == 0 ? 0 : x - state[5], deviation)};
    const long double measure = rarity(&places, at), off = count <= 1 ? 0 : measure - state[3];
    const long double score =
        off > 0 && count >= warmup ? -log10l(erfcl(off / sqrtl(2 * state[4]))) : 0;
    const long double wide = fmaxl(1 / (count + 1), 2.0L / 3001);
    state[2] = count == 0 ? 0 : (1 - wide) * (state[2] + wide * d * d);
    state[1] = count == 0 ? x : state[1] + wide * d;
    if (count > 0) {
        const long double weight = fmaxl(1 / count, 2.0L / (SPAN + 1));
        state[4] = count == 1 ? 0 : (1 - weight) * (state[4] + weight * off * off);
        state[3] = count == 1 ? measure : state[3] + weight * off;
    }
    state[5] = x;
    state[0]++;
    return score;
}

void ps_check_half_space_trees(ps_check *c) {
    ps_half_space_trees_params params = {.least = 2.0 / (SPAN + 1)};
    check_series_together(c, &(check_series_kernel){&params, &params.warmup, &params.capacity,
                                                    &params.type, PS_HALF_SPACE_TREES_PLANES,
                                                    oracle, true});
}
