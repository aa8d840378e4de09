/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/iqr.h"

#include <math.h>

#include "tests/check_kernels.h"

void ps_check_iqr(ps_check *c);

enum { MEMORY = 500 };

/* The algorithm as its paper has it, desired places kept beside the real ones. `m`: heights,
 * places, desired places, count. */
static void observe(long double *m, long double x, long double p) {
    const long double step[5] = {0, p / 2, p, (1 + p) / 2, 1};
    long double *q = m, *n = m + 5, *desired = m + 10;
    const int count = (int)m[15]++;
    if (count < 5) {
        int i = count;
        for (; i > 0 && q[i - 1] > x; i--) q[i] = q[i - 1];
        q[i] = x;
        for (int k = 0; k < 5; k++) n[k] = k + 1, desired[k] = 1 + 4 * step[k];
        return;
    }
    int cell = 0;
    if (x < q[0])
        q[0] = x;
    else if (x >= q[4])
        q[4] = x, cell = 3;
    else
        while (x >= q[cell + 1]) cell++;
    for (int k = cell + 1; k < 5; k++) n[k]++;
    for (int k = 0; k < 5; k++) desired[k] += step[k];
    for (int i = 1; i < 4; i++) {
        const long double off = desired[i] - n[i];
        if (!(off >= 1 && n[i + 1] - n[i] > 1) && !(off <= -1 && n[i - 1] - n[i] < -1)) continue;
        const int d = off > 0 ? 1 : -1;
        const long double bent =
            q[i] + d / (n[i + 1] - n[i - 1]) *
                       ((n[i] - n[i - 1] + d) * (q[i + 1] - q[i]) / (n[i + 1] - n[i]) +
                        (n[i + 1] - n[i] - d) * (q[i] - q[i - 1]) / (n[i] - n[i - 1]));
        q[i] = q[i - 1] < bent && bent < q[i + 1]
                   ? bent
                   : q[i] + d * (q[i + d] - q[i]) / (n[i + d] - n[i]);
        n[i] += d;
    }
    if (n[4] < MEMORY) return;
    for (int k = 0; k < 5; k++) n[k] = (1 + n[k]) / 2, desired[k] = (1 + desired[k]) / 2;
}

static long double quantile(const long double *m) {
    return m[15] < 5 ? m[(int)m[15] / 2] : m[2];
}

/* Two-sided, by its trigonometric form. */
static long double tail_of_t6(long double t) {
    const long double s = t / sqrtl(6.0L + t * t), c = 1.0L - s * s;
    return -log10l(1.0L - s * (1.0L + c / 2.0L + 3.0L * c * c / 8.0L));
}

static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double *lower = state, *upper = state + 16, *mean = state + 32;
    const long double low = quantile(lower), high = quantile(upper);
    const long double d = lower[15] > 0 ? fabsl(x - (low + high) / 2.0L) : 0.0L;
    long double score = 0.0L;
    if (lower[15] >= warmup)
        score =
            tail_of_t6(d / fmaxl((high - low) / 1.348979500392163L, *mean * 1.253314137315500L));
    *mean += (d - *mean) / fminl(lower[15] + 1.0L, MEMORY);
    observe(lower, x, 0.25L);
    observe(upper, x, 0.75L);
    return score;
}

void ps_check_iqr(ps_check *c) {
    ps_iqr_params params = {.memory = MEMORY};
    check_series(c, &(check_series_kernel){&params, &params.warmup, &params.capacity, &params.type,
                                           PS_IQR_PLANES, oracle});
}
