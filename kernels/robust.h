/* SPDX-License-Identifier: Apache-2.0
 * What the robust detectors share: a scale from the middle of the deviations or from their mean,
 * whichever is larger, and a tail to go with it. The middle alone is next to nothing where a series
 * mostly stands still, and every burst of it would get the cap; of the mean an outlier moves its
 * share and not, as of a variance, its square. Such a scale says little about how far the outer
 * values reach, so a score is the tail of Student's t with six degrees of freedom, not the normal
 * one: 6 is 20 deviations.
 */
#ifndef PS_KERNELS_ROBUST_H
#define PS_KERNELS_ROBUST_H

#include "kernels/score.h"

/* Of normal values: the standard deviation is so many median absolute deviations, so many mean
 * absolute deviations, and the range between the quartiles is so many standard deviations. */
#define PS_SIGMA_OF_MEDIAN    1.4826022185056018
#define PS_SIGMA_OF_MEAN      1.2533141373155003
#define PS_SIGMAS_OF_QUARTILE 1.3489795003921634

/* -log10 of the two-sided tail of Student's t with six degrees of freedom: with s = t / sqrt(6 +
 * t^2) it is (1 - s)^3 (8 + 9 s + 3 s^2) / 8, and 1 - s is had without a difference.
 * Agrees: to the bit everywhere; relative error below 1e-7.
 * Source: M. Abramowitz and I. Stegun, Handbook of mathematical functions, 26.7.4. */
PS_FN float ps_score_from_t6(double t) {
    const double far = 1e60; /* beyond the cap */
    const double size = ps_fabs(t) < far ? ps_fabs(t) : far;
    const double rest = 6.0 / (6.0 + size * size);
    const double s = size / ps_sqrt(6.0 + size * size);
    const double factor = (8.0 + (9.0 + 3.0 * s) * s) * 0.125;
    const double score =
        -0.43429448190325182765 * (3.0 * ps_log(rest / (1.0 + s)) + ps_log(factor));
    if (!(score > 0.0)) return 0.0f;
    return (float)(score < PS_SCORE_MAX ? score : PS_SCORE_MAX);
}

/* `middle`: the scale from the middle, in standard deviations; `mean`: the mean absolute deviation.
 * What leaves a constant series gets the cap. */
PS_FN float ps_score_robust(double deviation, double middle, double mean) {
    const double other = mean * PS_SIGMA_OF_MEAN;
    const double scale = middle > other ? middle : other;
    if (scale > 0.0) return ps_score_from_t6(deviation / scale);
    return deviation == 0.0 ? 0.0f : (float)PS_SCORE_MAX;
}

#endif
