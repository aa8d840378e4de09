/* SPDX-License-Identifier: Apache-2.0
 * e to a power in double, because libm and every device's exp differ in the last bits.
 * Agrees: to the bit everywhere; relative error below 1e-13.
 * Source: argument reduction to [-ln 2 / 2, ln 2 / 2] by a multiple of ln 2 in two parts, then
 * Taylor's series to its 12th power.
 */
#ifndef PS_KERNELS_EXPONENTIAL_H
#define PS_KERNELS_EXPONENTIAL_H

#include "kernels/dialect.h"

/* For -700 <= x <= 0. */
PS_FN double ps_exp(double x) {
    const ps_i32 k = (ps_i32)(x * 1.44269504088896338700 - 0.5);
    const double n = (double)k;
    const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double sum = 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    return sum * ps_f64_from_bits((ps_u64)(ps_i64)(1023 + k) << 52);
}

#endif
