/* SPDX-License-Identifier: Apache-2.0
 * The score and the logarithm against long double libm: the bounds that their headers state.
 */
#include "kernels/score.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/check_kernels.h"

void ps_check_score(ps_check *c);

static long double exact(long double z) {
    if (z < 1.0L) return -log1pl(-erfl(z / sqrtl(2.0L))) / logl(10.0L);
    return -log10l(erfcl(z / sqrtl(2.0L)));
}

static void check_scores(ps_check *c) {
    long double worst = 0.0L;
    float before = 0.0f;
    bool upward = true;
    for (double z = 1e-30; z < 37.0; z *= 1.0003) {
        const float score = ps_score_from_z(z);
        const long double error = fabsl((long double)score - exact(z)) / exact(z);
        if (error > worst) worst = error;
        upward &= score >= before && score == ps_score_from_z(-z);
        before = score;
    }
    check_that(c, worst < 1e-7L, "the worst relative error of a score is %Lg", worst);
    check_that(c, upward, "scores do not rise with |z|, or differ between z and -z");
    check_that(c, ps_score_from_z(0.0) == 0.0f && ps_score_from_z(-0.0) == 0.0f, "score of 0");
    check_that(c, ps_score_from_z(5e-324) == 0.0f, "score of the smallest number");
    check_that(c,
               ps_score_from_z(37.07) == 300.0f && ps_score_from_z(1e300) == 300.0f &&
                   ps_score_from_z(-(double)INFINITY) == 300.0f,
               "the cap");
    const float nan = ps_score_from_z((double)NAN);
    uint32_t bits;
    memcpy(&bits, &nan, sizeof bits);
    check_that(c, bits == 0x7fc00000u, "score of NaN is %08x", bits);
    /* Both sides of every seam of the table. */
    for (double z = 0.25; z <= 8.0; z += 0.25)
        check_that(c, fabsf(ps_score_from_z(z) - ps_score_from_z(nextafter(z, 0.0))) <= 1e-6f,
                   "a step at %g", z);
}

static long double log_error(double x) {
    const long double expected = logl(x);
    const double near = fabs((double)expected);
    const double unit = nextafter(near, (double)INFINITY) - near;
    return fabsl((long double)ps_log(x) - expected) / unit;
}

static void check_logarithm(ps_check *c) {
    long double worst = 0.0L;
    for (double x = 5e-324; x < DBL_MAX / 2; x = x * 1.007 + 5e-324)
        if (log_error(x) > worst) worst = log_error(x);
    for (double x = 0.5; x < 2.0; x += 1e-4)
        if (log_error(x) > worst) worst = log_error(x);
    check_that(c, worst < 1.0L, "the worst error of log is %Lg units in the last place", worst);
    check_that(c, ps_log(1.0) == 0.0 && isinf(ps_log(0.0)) && ps_log(0.0) < 0, "log of 1 and 0");
    check_that(c, isnan(ps_log(-1.0)) && isnan(ps_log((double)NAN)), "log of what has none");
    check_that(c, isinf(ps_log((double)INFINITY)) && ps_log((double)INFINITY) > 0,
               "log of infinity");
}

void ps_check_score(ps_check *c) {
    check_scores(c);
    check_logarithm(c);
}
