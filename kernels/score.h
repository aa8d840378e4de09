/* SPDX-License-Identifier: Apache-2.0
 * The one scale that all detectors share: a score is -log10 of a tail probability, so 3 is one in
 * a thousand and 6 one in a million. From a standard normal deviate it is the two-sided tail,
 * -log10(erfc(|z| / sqrt 2)).
 */
#ifndef PS_KERNELS_SCORE_H
#define PS_KERNELS_SCORE_H

#include "kernels/dialect.h"
#include "kernels/logarithm.h"
#include "kernels/score_table.h"

/* Scores end here: doubles know no probability much below 1e-300, and a finite cap keeps sums and
 * formats sane. */
#define PS_SCORE_MAX 300.0

/* How a deviation from the mean is bounded before it is squared, so that no input overflows the
 * state. */
#define PS_DEVIATION_MAX 1e140

#define PS_VALUE_F64 0u
#define PS_VALUE_I64 1u

/* Agrees: to the bit everywhere. Against the exact value: relative error below 1e-7 (half a float
 * step is 6e-8) for every score that is a normal float, 0 for z = 0, PS_SCORE_MAX from |z| = 37.07
 * on, NaN for NaN. Below 8 a table of polynomials; above, the asymptotic series of erfc (Abramowitz
 * and Stegun 7.1.23), whose first term left out is 2e-9 of a score at z = 8. */
PS_FN float ps_score_from_z(double z) {
    const double a = ps_fabs(z);
    if (a < 8.0) {
        const double scaled = a * 4.0;
        const ps_u32 k = (ps_u32)scaled;
        const double u = scaled - (double)k;
        const double low = (ps_score_table[k][3] * u + ps_score_table[k][2]) * u;
        const double high = (ps_score_table[k][7] * u + ps_score_table[k][6]) * u;
        const double middle = (high + ps_score_table[k][5]) * u + ps_score_table[k][4];
        const double u2 = u * u;
        return (float)(((middle * u2) * u2 + (low + ps_score_table[k][1]) * u) +
                       ps_score_table[k][0]);
    }
    if (a >= 38.0) return (float)PS_SCORE_MAX;
    if (a != a) return ps_nan();
    const double y = 1.0 / (a * a);
    const double series =
        1.0 - y * (1.0 - y * (3.0 - y * (15.0 - y * (105.0 - y * (945.0 - y * 10395.0)))));
    const double log10_e = 0.43429448190325182765;
    const double root_half_pi = 1.2533141373155002512;
    const double score = (0.5 * a * a + ps_log(a * root_half_pi / series)) * log10_e;
    return (float)(score < PS_SCORE_MAX ? score : PS_SCORE_MAX);
}

/* The score of `deviation` from the mean where the variance is known; a constant series that
 * changes gets the cap. */
PS_FN float ps_score_from_deviation(double deviation, double variance) {
    if (variance > 0.0) return ps_score_from_z(deviation / ps_sqrt(variance));
    return deviation == 0.0 ? 0.0f : (float)PS_SCORE_MAX;
}

/* x - mean, bounded; x and mean are finite, so an overflow of the difference is bounded too. */
PS_FN double ps_deviation(double x, double mean) {
    const double d = x - mean;
    const double capped = d < PS_DEVIATION_MAX ? d : PS_DEVIATION_MAX;
    return capped > -PS_DEVIATION_MAX ? capped : -PS_DEVIATION_MAX;
}

/* Row `row` of a column of doubles or 64-bit integers. */
PS_FN double ps_value(PS_GLOBAL const ps_u8 *column, ps_u32 row, ps_u32 type) {
    const ps_u64 bits = ps_load64(column, row);
    return type == PS_VALUE_I64 ? (double)(ps_i64)bits : ps_f64_from_bits(bits);
}

/* Whether a detector can use the row: valid by the bitmap, and neither NaN nor infinite. */
PS_FN ps_u32 ps_usable(PS_GLOBAL const ps_u8 *validity, ps_u32 row, double x) {
    return ps_bit(validity, row) != 0u && x - x == 0.0;
}

#endif
