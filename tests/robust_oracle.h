/* SPDX-License-Identifier: Apache-2.0
 * What the oracles of the robust detectors share, in long double: a P2 sketch as its paper has it,
 * and the tail of Student's t with six degrees of freedom.
 */
#ifndef PS_TESTS_ROBUST_ORACLE_H
#define PS_TESTS_ROBUST_ORACLE_H

#include <math.h>

enum { ROBUST_MEMORY = 500 /* values after which a sketch halves the weight of what was */ };

/* The algorithm as its paper has it, desired places kept beside the real ones. `m`: heights,
 * places, desired places, count. */
static inline void robust_observe(long double *m, long double x, long double p) {
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
    if (n[4] < ROBUST_MEMORY) return;
    for (int k = 0; k < 5; k++) n[k] = (1 + n[k]) / 2, desired[k] = (1 + desired[k]) / 2;
}

static inline long double robust_quantile(const long double *m) {
    return m[15] < 5 ? m[(int)m[15] / 2] : m[2];
}

/* Two-sided, by its trigonometric form. */
static inline long double robust_tail(long double t) {
    const long double s = t / sqrtl(6.0L + t * t), c = 1.0L - s * s;
    return -log10l(1.0L - s * (1.0L + c / 2.0L + 3.0L * c * c / 8.0L));
}

#endif
