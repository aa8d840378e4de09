/* SPDX-License-Identifier: Apache-2.0
 * The oracle keeps shapes as rows, searches them one by one and lets the uses fade. If it fails, a
 * value's score is not its shape's distance from the nearest one.
 */
#include "kernels/prototype.h"

#include <math.h>
#include <string.h>

#include "tests/check_kernels.h"

void ps_check_prototype(ps_check *c);

enum { SHAPES = 32, LENGTH = 4, SPAN = 50 };

/* What is kept is floats, as in the kernel: all else is computed in long double. */
typedef struct bank {
    float shape[SHAPES][LENGTH], window[LENGTH];
    long double used[SHAPES];
    int count;
} bank;

static long double far_from(const bank *b, const float *shape, long double spread) {
    long double sum = 0;
    for (int k = 0; k < LENGTH; k++) {
        const long double d = ((long double)b->window[k] - (long double)shape[k]) / spread;
        sum += d * d / LENGTH;
    }
    return sqrtl(sum);
}

static long double match(bank *b, long double spread) {
    int best = 0, least = 0;
    for (int i = 0; i < b->count; i++) {
        b->used[i] *= 0.999L;
        if (b->used[i] < b->used[least]) least = i;
        if (far_from(b, b->shape[i], spread) < far_from(b, b->shape[best], spread)) best = i;
    }
    const long double distance = b->count > 1 ? far_from(b, b->shape[best], spread) : 0;
    if (b->count > 1 && distance < 0.35L) {
        for (int k = 0; k < LENGTH; k++) {
            const long double p = b->shape[best][k];
            b->shape[best][k] = (float)(p + 0.05L * ((long double)b->window[k] - p));
        }
        b->used[best] += 1;
        return distance;
    }
    const int to = b->count < SHAPES ? b->count++ : least;
    memcpy(b->shape[to], b->window, sizeof b->window);
    b->used[to] = 2;
    return distance;
}

/* Count; mean and mean deviation of the values; mean and variance of the measure. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    static bank shapes;
    const long double count = state[0], v = (long double)(float)x;
    if (count == 0) memset(&shapes, 0, sizeof shapes);
    if (count == 0) state[1] = v;
    memmove(shapes.window, shapes.window + 1, (LENGTH - 1) * sizeof(float));
    shapes.window[LENGTH - 1] = (float)x;
    const long double weight = fmaxl(0.002L, 1 / (count + 1)), most = 6 * state[2];
    long double d = v - state[1];
    if (count > 50 && state[2] > 0) d = fmaxl(-most, fminl(most, d));
    state[1] += weight * d;
    state[2] += weight * (fabsl(d) - state[2]);
    const long double measure =
        count < LENGTH - 1 ? 0 : match(&shapes, state[2] + 1e-30L + 1e-6L * fabsl(state[1]));
    const long double off = count == 0 ? 0 : measure - state[3];
    const long double score =
        off > 0 && count >= warmup ? -log10l(erfcl(off / sqrtl(2 * state[4]))) : 0;
    const long double least = fmaxl(1 / (count + 1), 2.0L / (SPAN + 1));
    state[4] = count == 0 ? 0 : (1 - least) * (state[4] + least * off * off);
    state[3] = count == 0 ? measure : state[3] + least * off;
    state[0]++;
    return score;
}

void ps_check_prototype(ps_check *c) {
    ps_prototype_params params = {.least = 2.0 / (SPAN + 1)};
    check_series_together(c,
                          &(check_series_kernel){&params, &params.warmup, &params.capacity,
                                                 &params.type, PS_PROTOTYPE_PLANES, oracle, false});
}
