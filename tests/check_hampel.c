/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/hampel.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check_kernels.h"
#include "tests/robust_oracle.h"

void ps_check_hampel(ps_check *c);

enum { WINDOW = 21 };

static int ascending(const void *left, const void *right) {
    const long double a = *(const long double *)left, b = *(const long double *)right;
    return a < b ? -1 : a > b;
}

static long double median(long double *values, uint32_t n) {
    qsort(values, n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2.0L;
}

/* The window sorted anew for every value, then its deviations. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    const uint32_t count = (uint32_t)state[WINDOW], n = count < WINDOW ? count : WINDOW;
    long double score = 0.0L;
    if (count >= warmup) {
        long double copy[WINDOW];
        memcpy(copy, state, sizeof copy);
        const long double middle = median(copy, n);
        long double sum = 0.0L;
        for (uint32_t i = 0; i < n; i++) sum += copy[i] = fabsl(copy[i] - middle);
        const long double deviation =
            fmaxl(median(copy, n) * 1.482602218505602L, sum / n * 1.253314137315500L);
        score = robust_tail(fabsl(x - middle) / deviation);
    }
    state[count % WINDOW] = x;
    state[WINDOW]++;
    return score;
}

void ps_check_hampel(ps_check *c) {
    ps_hampel_params params = {.window = WINDOW};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_HAMPEL_PLANES, oracle, false});
}
