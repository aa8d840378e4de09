/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/mzscore.h"

#include "tests/check_kernels.h"
#include "tests/robust_oracle.h"

void ps_check_mzscore(ps_check *c);

static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double *values = state, *deviations = state + 16, *mean = state + 32;
    const long double d = values[15] > 0 ? fabsl(x - robust_quantile(values)) : 0.0L;
    long double score = 0.0L;
    if (values[15] >= warmup)
        score = robust_tail(d / fmaxl(robust_quantile(deviations) * 1.482602218505602L,
                                      *mean * 1.253314137315500L));
    *mean += (d - *mean) / fminl(values[15] + 1.0L, ROBUST_MEMORY);
    robust_observe(values, x, 0.5L);
    robust_observe(deviations, d, 0.5L);
    return score;
}

void ps_check_mzscore(ps_check *c) {
    ps_mzscore_params params = {.memory = ROBUST_MEMORY};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_MZSCORE_PLANES, oracle, false});
}
