/* SPDX-License-Identifier: Apache-2.0
 * Count, sum, mean, variance and extremes of a column: parameters of the kernels moments (a record
 * per block of rows) and moments_fold (all of them as one), and the arithmetic both share.
 *
 * What counts: a row that is valid and lies within +-PS_MOMENTS_LIMIT. Nulls are skipped; NaN and
 * values beyond the limit, infinities among them, are only counted. So nothing overflows: 2^53
 * squared deviations stay below 1e297. Zeros have no sign: an extreme of -0 is written as 0.
 */
#ifndef PS_KERNELS_MOMENTS_H
#define PS_KERNELS_MOMENTS_H

#include "kernels/dialect.h"
#include "kernels/score.h"

#define PS_MOMENTS_ROWS  2048u /* of a block */
#define PS_MOMENTS_LANES 16u   /* sums of a block: row i goes to sum i % 16 */
#define PS_MOMENTS_LIMIT 1e140

/* One record: eight doubles. Without a value the sum, the mean and the squares are 0, the least is
 * infinite and the greatest minus that. */
#define PS_MOMENTS_COUNT    0u
#define PS_MOMENTS_NAN      1u
#define PS_MOMENTS_BEYOND   2u
#define PS_MOMENTS_SUM      3u
#define PS_MOMENTS_MEAN     4u
#define PS_MOMENTS_SQUARES  5u /* of the deviations from the mean: variance x count */
#define PS_MOMENTS_LEAST    6u
#define PS_MOMENTS_GREATEST 7u
#define PS_MOMENTS_WIDTH    8u

typedef struct ps_moments_params {
    ps_u32 rows; /* of the column; items are its blocks of PS_MOMENTS_ROWS, the last one shorter */
    ps_u32 type; /* PS_VALUE_F64 or PS_VALUE_I64 */
} ps_moments_params;

typedef struct ps_moments_fold_params {
    ps_u32 records;
    ps_u32 merge; /* 1: on top of what the total holds; 0: the total begins empty */
} ps_moments_fold_params;

/* Doubles with +0 for -0, so that equal extremes are the same bits. */
PS_FN double ps_moments_plain(double x) {
    return x + 0.0;
}

PS_FN void ps_moments_clear(double *m) {
    for (ps_u32 i = 0; i < PS_MOMENTS_LEAST; i++) m[i] = 0.0;
    m[PS_MOMENTS_LEAST] = ps_f64_from_bits(0x7ff0000000000000u);
    m[PS_MOMENTS_GREATEST] = ps_f64_from_bits(0xfff0000000000000u);
}

/* Sixteen sums as one, always in this order: neighbours eight, four, two and one apart. */
PS_FN double ps_moments_tree(double *lane) {
    for (ps_u32 step = PS_MOMENTS_LANES / 2u; step > 0; step /= 2u)
        for (ps_u32 i = 0; i < step; i++) lane[i] += lane[i + step];
    return lane[0];
}

/* One pass over a block: the sums of the deviations from a pivot and of their squares. */
typedef struct ps_moments_pass {
    double pivot, sum, squares;
} ps_moments_pass;

PS_FN double ps_moments_mean(ps_moments_pass pass, double count) {
    return pass.pivot + pass.sum / count;
}

/* Whether the pivot lay eight standard deviations or more from the mean: the block is then read
 * once more around the mean, before rounding costs digits. */
PS_FN ps_u32 ps_moments_is_far(ps_moments_pass pass, double count) {
    return pass.squares - pass.sum * pass.sum / count < pass.squares * 0.015625;
}

PS_FN void ps_moments_finish(double *m, ps_moments_pass pass) {
    const double count = m[PS_MOMENTS_COUNT];
    const double squares = pass.squares - pass.sum * pass.sum / count;
    m[PS_MOMENTS_SUM] = ps_fma(count, pass.pivot, pass.sum);
    m[PS_MOMENTS_MEAN] = ps_moments_mean(pass, count);
    m[PS_MOMENTS_SQUARES] = squares > 0.0 ? squares : 0.0;
}

/* m becomes m and what comes behind it.
 * Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm for
 * computing sample variances (1979), equation 2.1. */
PS_FN void ps_moments_merge(double *m, PS_GLOBAL const double *next) {
    const double count = m[PS_MOMENTS_COUNT], more = next[PS_MOMENTS_COUNT], both = count + more;
    m[PS_MOMENTS_NAN] += next[PS_MOMENTS_NAN];
    m[PS_MOMENTS_BEYOND] += next[PS_MOMENTS_BEYOND];
    if (more == 0.0) return;
    const double share = more / both;
    const double apart = next[PS_MOMENTS_MEAN] - m[PS_MOMENTS_MEAN];
    m[PS_MOMENTS_SQUARES] =
        ps_fma(apart * apart, count * share, m[PS_MOMENTS_SQUARES] + next[PS_MOMENTS_SQUARES]);
    m[PS_MOMENTS_MEAN] =
        count == 0.0 ? next[PS_MOMENTS_MEAN] : ps_fma(apart, share, m[PS_MOMENTS_MEAN]);
    m[PS_MOMENTS_COUNT] = both;
    m[PS_MOMENTS_SUM] += next[PS_MOMENTS_SUM];
    const double least = next[PS_MOMENTS_LEAST], greatest = next[PS_MOMENTS_GREATEST];
    if (least < m[PS_MOMENTS_LEAST]) m[PS_MOMENTS_LEAST] = least;
    if (greatest > m[PS_MOMENTS_GREATEST]) m[PS_MOMENTS_GREATEST] = greatest;
}

#endif
