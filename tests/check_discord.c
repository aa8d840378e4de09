/* SPDX-License-Identifier: Apache-2.0
 * The oracle normalises every shape of the past by itself and takes the distance value by value, by
 * the definition. If it fails, a value's score is not the left matrix profile's.
 */
#include "kernels/discord.h"

#include <math.h>
#include <string.h>

#include "tests/check_kernels.h"

void ps_check_discord(ps_check *c);

enum { PAST = 512, LENGTH = 13, SPAN = 50 };

/* About its mean, in its deviation or the least one; zeros of a flat shape where there is none. In
 * double: half a million of them in long double, which an ARM computes in software, take minutes.
 */
static void normalise(const long double *from, double flat, double *to) {
    double mean = 0, variance = 0;
    for (int i = 0; i < LENGTH; i++) to[i] = (double)(from[i] - from[0]);
    for (int i = 0; i < LENGTH; i++) mean += to[i] / LENGTH;
    for (int i = 0; i < LENGTH; i++) to[i] -= mean;
    for (int i = 0; i < LENGTH; i++) variance += to[i] * to[i] / LENGTH;
    const double deviation = fmax(sqrt(variance), flat);
    for (int i = 0; i < LENGTH; i++) to[i] = deviation > 0 ? to[i] / deviation : 0;
}

static long double profile(const long double *past, long double flat) {
    double newest[LENGTH], shape[LENGTH], best = 2;
    normalise(past + PAST - LENGTH, (double)flat, newest);
    for (int at = 0; at + 2 * LENGTH <= PAST; at++) {
        double sum = 0;
        normalise(past + at, (double)flat, shape);
        for (int i = 0; i < LENGTH; i++)
            sum += (newest[i] - shape[i]) * (newest[i] - shape[i]) / LENGTH;
        best = fmin(best, sqrt(sum));
    }
    return best;
}

/* The past, the oldest value first; count; mean and variance of the values and of the measure. */
static long double oracle(long double *state, long double x, uint32_t warmup) {
    long double *const past = state, *const rest = state + PAST;
    const long double count = rest[0], weight = fmaxl(1 / (count + 1), 2.0L / (SPAN + 1));
    for (int i = 0; count == 0 && i < PAST; i++) past[i] = x;
    memmove(past, past + 1, (PAST - 1) * sizeof *past);
    past[PAST - 1] = x;
    const long double measure = profile(past, sqrtl(rest[2]) / 2);
    const long double d = count == 0 ? 0 : x - rest[1], off = count == 0 ? 0 : measure - rest[3];
    const long double score =
        off > 0 && count >= warmup ? -log10l(erfcl(off / sqrtl(2 * rest[4]))) : 0;
    rest[2] = count == 0 ? 0 : (1 - weight) * (rest[2] + weight * d * d);
    rest[1] = count == 0 ? x : rest[1] + weight * d;
    rest[4] = count == 0 ? 0 : (1 - weight) * (rest[4] + weight * off * off);
    rest[3] = count == 0 ? measure : rest[3] + weight * off;
    rest[0]++;
    return score;
}

void ps_check_discord(ps_check *c) {
    ps_discord_params params = {.least = 2.0 / (SPAN + 1), .flat = 0.5, .length = LENGTH};
    check_series_together(c, &(check_series_kernel){&params, &params.warmup, &params.capacity,
                                                    &params.type, PS_DISCORD_PLANES, oracle, true});
}
