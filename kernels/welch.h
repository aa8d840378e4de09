/* SPDX-License-Identifier: Apache-2.0
 * Whether two samples have the same mean: Welch's t-test, for kernel drift and for comparing
 * benchmarks.
 * Agrees: to the bit. No NaN for finite samples of two values or more.
 * Source: B. L. Welch, The generalization of "Student's" problem when several different population
 * variances are involved (1947); merging: T. F. Chan, G. H. Golub and R. J. LeVeque, Algorithms for
 * computing the sample variance (1983), 2.1.
 */
#ifndef PS_KERNELS_WELCH_H
#define PS_KERNELS_WELCH_H

#include "kernels/beta.h"

#define PS_WELCH_T_MAX 1e150 /* also of two samples without a variance whose means differ */

/* `squares`: of the deviations from the mean. */
typedef struct ps_welch_sample {
    double count, mean, squares;
} ps_welch_sample;

typedef struct ps_welch {
    double change; /* of the mean, from the first sample to the second */
    double t, df, log_p;
} ps_welch;

PS_FN void ps_welch_add(ps_welch_sample *s, double x) {
    const double d = x - s->mean;
    s->count += 1.0;
    s->mean = s->count == 1.0 ? x : s->mean + d / s->count;
    s->squares = s->count == 1.0 ? 0.0 : ps_fma(d, x - s->mean, s->squares);
}

PS_FN void ps_welch_merge(ps_welch_sample *s, double count, double mean, double squares) {
    const double all = s->count + count, d = mean - s->mean;
    s->squares = s->squares + squares + d * d * (s->count * count / all);
    s->mean = s->mean + d * (count / all);
    s->count = all;
}

/* Of two values or more each, none beyond 1e140. */
PS_FN ps_welch ps_welch_test(ps_welch_sample before, ps_welch_sample after) {
    const double rest_before = before.count - 1.0, rest_after = after.count - 1.0;
    const double error_before = before.squares / rest_before / before.count;
    const double error_after = after.squares / rest_after / after.count;
    const double error = error_before + error_after;
    ps_welch w;
    w.change = after.mean - before.mean;
    w.t = 0.0;
    w.df = rest_before + rest_after;
    if (error > 0.0) {
        /* Shares, because squares of variances overflow. */
        const double share = error_before / error, other = error_after / error;
        w.df = 1.0 / (share * share / rest_before + other * other / rest_after);
        w.t = w.change / ps_sqrt(error);
    } else if (w.change != 0.0) {
        w.t = w.change > 0.0 ? PS_WELCH_T_MAX : -PS_WELCH_T_MAX;
    }
    if (w.t > PS_WELCH_T_MAX) w.t = PS_WELCH_T_MAX;
    if (w.t < -PS_WELCH_T_MAX) w.t = -PS_WELCH_T_MAX;
    w.log_p = error > 0.0 || w.change == 0.0 ? ps_student_log_tail(w.t, w.df) : PS_LOG_TAIL_LEAST;
    return w;
}

#endif
