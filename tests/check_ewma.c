/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ewma.h"

#include <math.h>

#include "tests/check_kernels.h"

void ps_check_ewma(ps_check *c);

static const double alpha = 0.1;

/* The definition: weighted sums kept apart, the variance as the mean of squares around the current
 * mean. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double score = 0.0L;
    if (state[2] >= warmup)
        score = -log10l(erfcl(fabsl(x - state[0]) / sqrtl(state[1]) / sqrtl(2.0L)));
    if (state[2] == 0.0L) {
        state[0] = x;
    } else {
        const long double before = state[0];
        const long double weight = fmaxl(alpha, 1.0L / (state[2] + 1.0L));
        state[0] = (1.0L - weight) * before + weight * x;
        state[1] = (1.0L - weight) * state[1] + weight * (x - before) * (x - state[0]);
    }
    state[2]++;
    return score;
}

void ps_check_ewma(ps_check *c) {
    ps_ewma_params params = {.alpha = alpha};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_EWMA_PLANES, oracle, false});
}
