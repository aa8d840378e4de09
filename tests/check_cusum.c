/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cusum.h"

#include <math.h>

#include "tests/check_kernels.h"

void ps_check_cusum(ps_check *c);

static const double alpha = 0.1, slack = 0.5, reset = 12.0;

/* The sums as differences from the least that a plain sum has been. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double score = 0.0L;
    if (state[2] >= warmup) {
        const long double z = (x - state[0]) / sqrtl(state[1]);
        long double *sum = &state[3]; /* up, its least, down, its least */
        for (int i = 0; i < 2; i++) {
            sum[2 * i] += (i == 0 ? z : -z) - slack;
            sum[2 * i + 1] = fminl(sum[2 * i + 1], sum[2 * i]);
        }
        const long double s = fmaxl(sum[0] - sum[1], sum[2] - sum[3]);
        score = fmaxl(0.0L, -log10l(2.0L * expl(-2.0L * slack * s)));
        if (score >= reset) sum[0] = sum[1] = sum[2] = sum[3] = 0.0L;
    }
    const long double before = state[0], weight = fmaxl(alpha, 1.0L / (state[2] + 1.0L));
    state[0] = state[2] == 0.0L ? x : (1.0L - weight) * before + weight * x;
    if (state[2] > 0.0L)
        state[1] = (1.0L - weight) * state[1] + weight * (x - before) * (x - state[0]);
    state[2]++;
    return score;
}

void ps_check_cusum(ps_check *c) {
    ps_cusum_params params = {.alpha = alpha, .slack = slack, .reset = reset};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_CUSUM_PLANES, oracle, false});
}
