/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/iqr.h"

#include "tests/check_kernels.h"
#include "tests/robust_oracle.h"

void ps_check_iqr(ps_check *c);

static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double *lower = state, *upper = state + 16, *mean = state + 32;
    const long double low = robust_quantile(lower), high = robust_quantile(upper);
    const long double d = lower[15] > 0 ? fabsl(x - (low + high) / 2.0L) : 0.0L;
    long double score = 0.0L;
    if (lower[15] >= warmup)
        score =
            robust_tail(d / fmaxl((high - low) / 1.348979500392163L, *mean * 1.253314137315500L));
    *mean += (d - *mean) / fminl(lower[15] + 1.0L, ROBUST_MEMORY);
    robust_observe(lower, x, 0.25L);
    robust_observe(upper, x, 0.75L);
    return score;
}

void ps_check_iqr(ps_check *c) {
    ps_iqr_params params = {.memory = ROBUST_MEMORY};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_IQR_PLANES, oracle, false});
}
