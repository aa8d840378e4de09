/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/zscore.h"

#include <math.h>

#include "tests/check_kernels.h"

void ps_check_zscore(ps_check *c);

/* Plain sums of values and squares: fit for a signal near zero in long double. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    const long double n = state[2], mean = state[0] / (n > 0 ? n : 1);
    long double score = 0.0L;
    if (n >= warmup) {
        const long double variance = (state[1] - n * mean * mean) / (n - 1.0L);
        score = -log10l(erfcl(fabsl(x - mean) / sqrtl(variance) / sqrtl(2.0L)));
    }
    state[0] += x;
    state[1] += x * x;
    state[2]++;
    return score;
}

void ps_check_zscore(ps_check *c) {
    ps_zscore_params params = {0};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_ZSCORE_PLANES, oracle, false});
}
