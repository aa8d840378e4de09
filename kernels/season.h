/* SPDX-License-Identifier: Apache-2.0
 * How many rows the season of a series has: what the detector holt_winters and the stage forecast
 * find in the first values that they meet.
 * Agrees: to the bit.
 * Source: the highest peak of the autocorrelation behind its first fall below 0, after a straight
 * line is taken off (C. Chatfield, The analysis of time series, 6th edition (2004), 2.7).
 */
#ifndef PS_KERNELS_SEASON_H
#define PS_KERNELS_SEASON_H

#include "kernels/dialect.h"

#define PS_SEASON_ALIKE 0.3 /* autocorrelation from which there is a season */
/* Of the longest season that is looked for: so many in the values that it is found in. */
#define PS_SEASON_TURNS 4u

/* The straight line through `n` values, of which some are missing. */
typedef struct ps_season_line {
    double level, slope;
} ps_season_line;

PS_FN ps_season_line ps_season_straight(PS_GLOBAL const double *value, ps_u32 n) {
    double count = 0.0, at = 0.0, mean = 0.0, squares = 0.0, products = 0.0;
    for (ps_u32 i = 0u; i < n; i++) {
        if (value[i] != value[i]) continue;
        count += 1.0;
        const double d = (double)i - at, e = value[i] - mean;
        at += d / count;
        mean += e / count;
        squares += d * ((double)i - at);
        products += d * (value[i] - mean);
    }
    ps_season_line line;
    line.slope = squares > 0.0 ? products / squares : 0.0;
    line.level = mean - line.slope * at;
    return line;
}

/* Sum of the products of values `lag` apart, less the line. */
PS_FN double ps_season_alike(PS_GLOBAL const double *value, ps_u32 n, ps_u32 lag,
                             ps_season_line line) {
    double sum = 0.0;
    for (ps_u32 i = lag; i < n; i++) {
        const double late = value[i] - (line.level + line.slope * (double)i);
        const double early = value[i - lag] - (line.level + line.slope * (double)(i - lag));
        const double product = late * early;
        if (product == product) sum += product;
    }
    return sum;
}

/* Rows of the season, `longest` at most; 1: there is none. value[n]: NaN where one is missing;
 * squares of the others are finite. */
PS_FN ps_u32 ps_season_find(PS_GLOBAL const double *value, ps_u32 n, ps_u32 longest) {
    const ps_season_line line = ps_season_straight(value, n);
    const double whole = ps_season_alike(value, n, 0u, line);
    double before = whole, here = ps_season_alike(value, n, 1u, line);
    double best = PS_SEASON_ALIKE * whole;
    ps_u32 parts = 1u, fallen = here < 0.0;
    if (!(whole > 0.0)) return 1u;
    for (ps_u32 lag = 2u; lag <= longest + 1u; lag++) {
        const double now = here, next = ps_season_alike(value, n, lag, line);
        if (lag > 2u && fallen && now > before && now >= next && now > best) {
            best = now;
            parts = lag - 1u;
        }
        before = now;
        here = next;
        fallen |= next < 0.0;
    }
    return parts;
}

#endif
