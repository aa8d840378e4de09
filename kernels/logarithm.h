/* SPDX-License-Identifier: Apache-2.0
 * The natural logarithm in double, because libm and every device's log differ in the last bits.
 * Agrees: to the bit everywhere; below 1 unit in the last place of the exact value.
 * Source: the method of Sun's fdlibm, e_log.c (argument in [sqrt(1/2), sqrt 2), series in f / (2 +
 * f)).
 */
#ifndef PS_KERNELS_LOGARITHM_H
#define PS_KERNELS_LOGARITHM_H

#include "kernels/dialect.h"

/* log(0) is -infinity, log of a negative number or NaN is NaN, log(infinity) is infinity. */
PS_FN double ps_log(double x) {
    ps_u64 bits = ps_f64_to_bits(x);
    ps_i32 exponent = 0;
    if (bits - 0x0010000000000000u >= 0x7fe0000000000000u) {
        if ((bits << 1) == 0) return ps_f64_from_bits(0xfff0000000000000u);
        if (bits == 0x7ff0000000000000u) return x;
        if (bits > 0x7ff0000000000000u) return ps_f64_from_bits(0x7ff8000000000000u);
        bits = ps_f64_to_bits(x * 18014398509481984.0); /* 2^54: a denormal number becomes normal */
        exponent = -54;
    }
    /* 0x3fe6a09e is the upper half of sqrt(1/2): what is left lies around 1 on both sides. */
    bits -= 0x3fe6a09e00000000u;
    exponent += (ps_i32)((ps_i64)bits >> 52);
    bits = (bits & 0x000fffffffffffffu) + 0x3fe6a09e00000000u;

    const double f = ps_f64_from_bits(bits) - 1.0;
    const double half_square = 0.5 * f * f;
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double w = z * z;
    const double even = w * (3.999999999940941908e-01 +
                             w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const double odd = z * (6.666666666666735130e-01 +
                            w * (2.857142874366239149e-01 +
                                 w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const double k = (double)exponent;
    const double low = k * 1.90821492927058770002e-10;
    const double high = k * 6.93147180369123816490e-01;
    return s * (half_square + (even + odd)) + low - half_square + f + high;
}

#endif
