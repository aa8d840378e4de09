/* SPDX-License-Identifier: Apache-2.0
 * The oracle transforms by the definition, 64 sums of 64 terms, with phases and all as the paper
 * has it. If it fails, a value's score is not what its window's residual says.
 */
#include "kernels/spectral_residual.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "tests/check_kernels.h"

void ps_check_spectral_residual(ps_check *c);

enum { N = 64, KEPT = 59, LOCAL = 21, SPAN = 50 };

static long double complex turn(int k) {
    static long double complex turns[N];
    if (turns[0] == 0)
        for (int i = 0; i < N; i++) turns[i] = cexpl(-2.0L * acosl(-1.0L) * i / N * I);
    return turns[((k % N) + N) % N];
}

static void transform(const long double complex *from, long double complex *to, int way) {
    for (int k = 0; k < N; k++) {
        to[k] = 0;
        for (int i = 0; i < N; i++) to[k] += from[i] * turn(way * k * i);
    }
}

/* The window about its mean, in its largest difference from the oldest value, and five points on.
 */
static bool make_window(const long double *last, long double complex *x) {
    long double most = 0, mean = 0;
    for (int i = 0; i < KEPT; i++) most = fmaxl(most, fabsl(last[i] - last[0]));
    if (most == 0) return false;
    for (int i = 0; i < KEPT; i++) mean += (last[i] - last[0]) / most / KEPT;
    for (int i = 0; i < KEPT; i++) x[i] = (last[i] - last[0]) / most - mean;
    for (int i = KEPT; i < N; i++)
        x[i] = (x[KEPT - 2] + x[KEPT - 3] + x[KEPT - 4] + x[KEPT - 5] + x[KEPT - 6]) / 5;
    return true;
}

static long double measure(const long double *last) {
    long double complex x[N], spectrum[N];
    long double log_amplitude[N], mean = 0;
    if (!make_window(last, x)) return 0;
    transform(x, spectrum, 1);
    for (int k = 0; k < N; k++) {
        const long double size = cabsl(spectrum[k]);
        log_amplitude[k] = logl(size * size + 1e-16L) / 2;
    }
    for (int k = 0; k < N; k++) {
        const long double near =
            log_amplitude[(k + N - 1) % N] + log_amplitude[k] + log_amplitude[(k + 1) % N];
        /* amplitude exp(log - mean of logs), phase kept */
        x[k] = cexpl(logl(cabsl(spectrum[k])) - near / 3 + cargl(spectrum[k]) * I);
    }
    transform(x, spectrum, -1);
    for (int i = 1; i <= LOCAL; i++) mean += cabsl(spectrum[KEPT - 1 - i]) / LOCAL;
    return cabsl(spectrum[KEPT - 1]) / mean - 1;
}

/* The last values, the oldest first; behind them count, mean and variance of the measure. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double *const count = state + KEPT, *const mean = count + 1, *const variance = count + 2;
    for (int i = 0; *count == 0 && i < KEPT; i++) state[i] = x;
    memmove(state, state + 1, (KEPT - 1) * sizeof *state);
    state[KEPT - 1] = x;
    const long double m = measure(state), d = *count == 0 ? 0 : m - *mean;
    const long double weight = fmaxl(1 / (*count + 1), 2.0L / (SPAN + 1));
    const long double score =
        d > 0 && *count >= warmup ? -log10l(erfcl(d / sqrtl(2 * *variance))) : 0;
    *variance = *count == 0 ? 0 : (1 - weight) * (*variance + weight * d * d);
    *mean = *count == 0 ? m : *mean + weight * d;
    ++*count;
    return score;
}

void ps_check_spectral_residual(ps_check *c) {
    ps_spectral_residual_params params = {.least = 2.0 / (SPAN + 1)};
    check_series_together(c, &(check_series_kernel){&params, &params.warmup, &params.capacity,
                                                    &params.type, PS_SPECTRAL_RESIDUAL_PLANES,
                                                    oracle, true});
}
