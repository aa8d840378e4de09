/* SPDX-License-Identifier: Apache-2.0
 * A Fourier transform of 64 real numbers and back: radix 2, the order of its operations fixed and
 * its twiddles from a table, so that the bits are the same everywhere. Even and odd numbers travel
 * as the two parts of 32 complex ones. Products are only ever added, and the table has both signs:
 * gcc 12 fuses products into sums that alternate with differences (vfmaddsub) though contraction is
 * off, and then the last bit is another one.
 * Source: J. W. Cooley and J. W. Tukey, Mathematics of computation 19 (1965).
 */
#ifndef PS_KERNELS_SPECTRAL_H
#define PS_KERNELS_SPECTRAL_H

#include "kernels/dialect.h"

#define PS_SPECTRUM 33u /* frequencies 0 to 32; the others mirror them */

typedef struct ps_complex {
    double re, im;
} ps_complex;

/* clang-format off */
PS_TABLE double ps_spectral_turn[32][3] = { /* of k / 64 of a turn: cos, sin, -sin */
    {1.0, 0.0, 0.0},
    {0.9951847266721969, 0.0980171403295606, -0.0980171403295606},
    {0.9807852804032304, 0.19509032201612828, -0.19509032201612828},
    {0.9569403357322088, 0.2902846772544624, -0.2902846772544624},
    {0.9238795325112867, 0.3826834323650898, -0.3826834323650898},
    {0.881921264348355, 0.47139673682599764, -0.47139673682599764},
    {0.8314696123025452, 0.5555702330196022, -0.5555702330196022},
    {0.773010453362737, 0.6343932841636455, -0.6343932841636455},
    {0.7071067811865476, 0.7071067811865476, -0.7071067811865476},
    {0.6343932841636455, 0.773010453362737, -0.773010453362737},
    {0.5555702330196022, 0.8314696123025452, -0.8314696123025452},
    {0.47139673682599764, 0.881921264348355, -0.881921264348355},
    {0.3826834323650898, 0.9238795325112867, -0.9238795325112867},
    {0.2902846772544624, 0.9569403357322088, -0.9569403357322088},
    {0.19509032201612828, 0.9807852804032304, -0.9807852804032304},
    {0.0980171403295606, 0.9951847266721969, -0.9951847266721969},
    {0.0, 1.0, -1.0},
    {-0.0980171403295606, 0.9951847266721969, -0.9951847266721969},
    {-0.19509032201612828, 0.9807852804032304, -0.9807852804032304},
    {-0.2902846772544624, 0.9569403357322088, -0.9569403357322088},
    {-0.3826834323650898, 0.9238795325112867, -0.9238795325112867},
    {-0.47139673682599764, 0.881921264348355, -0.881921264348355},
    {-0.5555702330196022, 0.8314696123025452, -0.8314696123025452},
    {-0.6343932841636455, 0.773010453362737, -0.773010453362737},
    {-0.7071067811865476, 0.7071067811865476, -0.7071067811865476},
    {-0.773010453362737, 0.6343932841636455, -0.6343932841636455},
    {-0.8314696123025452, 0.5555702330196022, -0.5555702330196022},
    {-0.881921264348355, 0.47139673682599764, -0.47139673682599764},
    {-0.9238795325112867, 0.3826834323650898, -0.3826834323650898},
    {-0.9569403357322088, 0.2902846772544624, -0.2902846772544624},
    {-0.9807852804032304, 0.19509032201612828, -0.19509032201612828},
    {-0.9951847266721969, 0.0980171403295606, -0.0980171403295606}};
/* clang-format on */

PS_FN ps_u32 ps_spectral_reversed(ps_u32 i) {
    return (i & 1u) << 4 | (i & 2u) << 2 | (i & 4u) | (i & 8u) >> 2 | i >> 4;
}

/* In place, the input in bit-reversed order; `back`: 0 or 1, without a scale. */
PS_FN void ps_spectral_turns(ps_complex *z, ps_u32 back) {
    for (ps_u32 side = 1u; side < 32u; side *= 2u)
        for (ps_u32 from = 0u; from < 32u; from += 2u * side)
            for (ps_u32 k = 0u; k < side; k++) {
                const double c = ps_spectral_turn[k * (32u / side)][0];
                const double s = ps_spectral_turn[k * (32u / side)][1u + back];
                const double minus_s = ps_spectral_turn[k * (32u / side)][2u - back];
                const ps_complex a = z[from + k], b = z[from + k + side];
                const double re = b.re * c + b.im * s, im = b.im * c + b.re * minus_s;
                z[from + k].re = a.re + re;
                z[from + k].im = a.im + im;
                z[from + k + side].re = a.re - re;
                z[from + k + side].im = a.im - im;
            }
}

PS_FN void ps_spectral_forward(const double *x, ps_complex *spectrum) {
    ps_complex z[32];
    for (ps_u32 i = 0u; i < 32u; i++) {
        z[ps_spectral_reversed(i)].re = x[2u * i];
        z[ps_spectral_reversed(i)].im = x[2u * i + 1u];
    }
    ps_spectral_turns(z, 0u);
    for (ps_u32 k = 0u; k < PS_SPECTRUM; k++) {
        const ps_complex a = z[k & 31u], b = z[(32u - k) & 31u];
        const double c = k < 32u ? ps_spectral_turn[k & 31u][0] : -1.0;
        const double s = k < 32u ? ps_spectral_turn[k & 31u][1] : 0.0;
        const double minus_s = k < 32u ? ps_spectral_turn[k & 31u][2] : 0.0;
        const double odd_re = a.im + b.im, odd_im = b.re - a.re;
        spectrum[k].re = 0.5 * ((a.re + b.re) + (odd_re * c + odd_im * s));
        spectrum[k].im = 0.5 * ((a.im - b.im) + (odd_im * c + odd_re * minus_s));
    }
}

/* 64 times the numbers. */
PS_FN void ps_spectral_back(const ps_complex *spectrum, double *x) {
    ps_complex z[32];
    for (ps_u32 k = 0u; k < 32u; k++) {
        const ps_complex a = spectrum[k], b = spectrum[32u - k];
        const double c = ps_spectral_turn[k][0], s = ps_spectral_turn[k][1];
        const double minus_s = ps_spectral_turn[k][2];
        const double re = a.re - b.re, im = a.im + b.im; /* of the odd ones, turned */
        const double odd_re = re * c + im * minus_s, odd_im = im * c + re * s;
        z[ps_spectral_reversed(k)].re = (a.re + b.re) - odd_im;
        z[ps_spectral_reversed(k)].im = (a.im - b.im) + odd_re;
    }
    ps_spectral_turns(z, 1u);
    for (ps_u32 i = 0u; i < 32u; i++) {
        x[2u * i] = z[i].re;
        x[2u * i + 1u] = z[i].im;
    }
}

#endif
