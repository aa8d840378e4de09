/* SPDX-License-Identifier: Apache-2.0
 * Scores each value by how much it stands out of the last PS_SPECTRAL_KEPT ones, itself the last of
 * them, once every frequency's amplitude is divided by the mean amplitude about it: what is left of
 * a series that repeats itself is flat, and what is new sticks out.
 * Shapes, units, nulls, warm-up: as kernel ewma, but that the planes of a series lie together:
 * state[series x PS_SPECTRAL_RESIDUAL_PLANES]. They are the last values, in the place of their
 * number modulo PS_SPECTRAL_KEPT, and mean, variance and count of the measure. A young series was
 * its first value before.
 * State: read once and written once per segment; a segment's series occurs once per call.
 * Agrees: to the bit. Values count by their differences from the oldest one, in the largest of
 * them, so no input makes the state infinite or NaN; where all differences are below 1e-300, the
 * window is constant and measures 0.
 * Source: H. Ren et al., Time-series anomaly detection service at Microsoft (KDD 2019), section
 * 3.2. Unlike there, the residual's amplitude is computed as a quotient, without a phase; the
 * points behind the last one are the mean of those in front of it and not what its own slopes
 * foretell; and what stands out is scored by its own past (kernels/measure.h), not held to one
 * threshold.
 */
#include "kernels/spectral_residual.h"

#include "kernels/exponential.h"
#include "kernels/log_table.h"
#include "kernels/spectral.h"

#define PS_SPECTRAL_NEAR   5u    /* values in front of the last one, whose mean it is followed by */
#define PS_SPECTRAL_LOCAL  21u   /* points in front of the last one that it is compared with */
#define PS_SPECTRAL_LOWEST 1e-16 /* of a power, beside the 1 of the largest difference */

/* The window from the oldest value on, about its own mean; 0 if it is constant. */
PS_FN ps_u32 ps_spectral_window(PS_GLOBAL const double *ring, ps_u32 place, double *x) {
    double most = 0.0, sum = 0.0;
    const double oldest = ring[place];
    for (ps_u32 i = 0u; i < PS_SPECTRAL_KEPT; i++) {
        const ps_u32 at = place + i < PS_SPECTRAL_KEPT ? place + i : place + i - PS_SPECTRAL_KEPT;
        x[i] = ps_deviation(ring[at], oldest);
        const double size = ps_fabs(x[i]);
        most = size > most ? size : most;
    }
    if (!(most > 1e-300)) return 0u;
    const double scale = 1.0 / most;
    for (ps_u32 i = 0u; i < PS_SPECTRAL_KEPT; i++) {
        x[i] *= scale;
        sum += x[i];
    }
    const double mean = sum / (double)PS_SPECTRAL_KEPT;
    for (ps_u32 i = 0u; i < PS_SPECTRAL_KEPT; i++) x[i] -= mean;
    return 1u;
}

/* Goes on as it was before the last value, so that this is no edge of the window. */
PS_FN void ps_spectral_ahead(double *x) {
    const ps_u32 last = PS_SPECTRAL_KEPT - 1u;
    double sum = 0.0;
    for (ps_u32 i = 1u; i <= PS_SPECTRAL_NEAR; i++) sum += x[last - i];
    const double mean = sum / (double)PS_SPECTRAL_NEAR;
    for (ps_u32 i = PS_SPECTRAL_KEPT; i < PS_SPECTRAL_POINTS; i++) x[i] = mean;
}

/* Divides every frequency by the geometric mean of its amplitude and its two neighbours'. */
PS_FN void ps_spectral_flatten(ps_complex *spectrum) {
    double power[PS_SPECTRUM];
    for (ps_u32 k = 0u; k < PS_SPECTRUM; k++) {
        const ps_complex a = spectrum[k];
        power[k] = ps_log_of(a.re * a.re + a.im * a.im + PS_SPECTRAL_LOWEST);
    }
    for (ps_u32 k = 0u; k < PS_SPECTRUM; k++) {
        const double below = power[k > 0u ? k - 1u : 1u];
        const double above = power[k + 1u < PS_SPECTRUM ? k + 1u : PS_SPECTRUM - 2u];
        /* All by the same factor, so that the argument is below 0: only ratios count. */
        const double weight = ps_exp((below + power[k] + above) * (-1.0 / 6.0) - 18.5);
        spectrum[k].re *= weight;
        spectrum[k].im *= weight;
    }
}

/* What the last value measures: how far it is above those in front of it, in their mean. */
PS_FN double ps_spectral_measure(PS_GLOBAL const double *ring, ps_u32 place) {
    double x[PS_SPECTRAL_POINTS];
    ps_complex spectrum[PS_SPECTRUM];
    if (!ps_spectral_window(ring, place, x)) return 0.0;
    ps_spectral_ahead(x);
    ps_spectral_forward(x, spectrum);
    ps_spectral_flatten(spectrum);
    ps_spectral_back(spectrum, x);
    const ps_u32 last = PS_SPECTRAL_KEPT - 1u;
    double sum = 0.0;
    for (ps_u32 i = 1u; i <= PS_SPECTRAL_LOCAL; i++) sum += ps_fabs(x[last - i]);
    const double mean = sum / (double)PS_SPECTRAL_LOCAL;
    return mean > 0.0 ? (ps_fabs(x[last]) - mean) / mean : 0.0;
}

PS_FN void ps_spectral_residual_at(
    ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
    PS_GLOBAL const ps_u8 *PS_RESTRICT validity, PS_GLOBAL const ps_u32 *PS_RESTRICT order,
    PS_GLOBAL const ps_u32 *PS_RESTRICT first, PS_GLOBAL const ps_u32 *PS_RESTRICT series,
    PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL double *PS_RESTRICT state,
    PS_GLOBAL double *PS_RESTRICT image, PS_GLOBAL float *PS_RESTRICT score,
    ps_spectral_residual_params p) {
    PS_GLOBAL double *const at = state + (ps_u64)series[segment] * PS_SPECTRAL_RESIDUAL_PLANES;
    PS_GLOBAL double *const after = image + (ps_u64)segment * PS_SPECTRAL_RESIDUAL_PLANES;
    ps_moving past = {0.0, 0.0, 0.0};
    for (ps_u32 i = 0u; i < PS_SPECTRAL_KEPT; i++) after[i] = fresh[segment] ? 0.0 : at[i];
    if (!fresh[segment]) {
        past.mean = at[PS_SPECTRAL_KEPT];
        past.variance = at[PS_SPECTRAL_KEPT + 1u];
        past.count = at[PS_SPECTRAL_KEPT + 2u];
    }
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        const double count = past.count;
        const ps_u32 place = (ps_u32)((ps_u64)count % PS_SPECTRAL_KEPT);
        for (ps_u32 k = 0u; count == 0.0 && k < PS_SPECTRAL_KEPT; k++) after[k] = x;
        after[place] = x;
        const ps_u32 oldest = place + 1u == PS_SPECTRAL_KEPT ? 0u : place + 1u;
        const float s = ps_measure_score(&past, ps_spectral_measure(after, oldest), p.least);
        score[row] = count < warmup ? 0.0f : s;
    }
    after[PS_SPECTRAL_KEPT] = past.mean;
    after[PS_SPECTRAL_KEPT + 1u] = past.variance;
    after[PS_SPECTRAL_KEPT + 2u] = past.count;
    for (ps_u32 i = 0u; i < PS_SPECTRAL_RESIDUAL_PLANES; i++) at[i] = after[i];
}
PS_ENTRY_9(spectral_residual, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, double, double, float)
