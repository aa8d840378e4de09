/* SPDX-License-Identifier: Apache-2.0
 * What kernel slim remembers of a series, and how it lies in the 8-byte planes of its state: words
 * of 32 bits, two to a plane, the lower half first. PS_SLIM_PACKED numbers of 24 bits come first,
 * four to three words; then floats, then counters. Numbers are rounded to what is kept after every
 * row, so that it does not matter where a batch ends.
 */
#ifndef PS_KERNELS_SLIM_STATE_H
#define PS_KERNELS_SLIM_STATE_H

#include "kernels/slim.h"

#define PS_SLIM_BINS       96u  /* of a histogram: quarter octaves from 2^-8 on */
#define PS_SLIM_OCTAVES    16u  /* runs of eight bins, the last four are none */
#define PS_SLIM_HOURS      168u /* of a week */
#define PS_SLIM_HALVES     48u  /* half hours of a day */
#define PS_SLIM_PROTOTYPES 32u  /* of four values each */
#define PS_SLIM_AVERAGES   4u   /* over 1, 3, 6 and 12 values */
#define PS_SLIM_BLOCKS     6u   /* of four hours, in a day */

/* Numbers of 24 bits: four histograms of fixed-point counts (the unit is 1 / 1024), then a mean
 * deviation and a count per bin of the two calendars. */
#define PS_SLIM_AT_WEEKLY (4u * PS_SLIM_BINS)
#define PS_SLIM_AT_DAILY  (PS_SLIM_AT_WEEKLY + PS_SLIM_HOURS)
#define PS_SLIM_PACKED    (PS_SLIM_AT_DAILY + PS_SLIM_HALVES)

/* Words behind them. */
#define PS_SLIM_OFFSETS      0u /* per hour of the week, from the level */
#define PS_SLIM_MEANS        (PS_SLIM_OFFSETS + PS_SLIM_HOURS) /* per half hour */
#define PS_SLIM_BANK         (PS_SLIM_MEANS + PS_SLIM_HALVES)  /* [4][PS_SLIM_PROTOTYPES] */
#define PS_SLIM_USES         (PS_SLIM_BANK + 4u * PS_SLIM_PROTOTYPES)
#define PS_SLIM_WINDOW       (PS_SLIM_USES + PS_SLIM_PROTOTYPES) /* the last four values */
#define PS_SLIM_LOW          (PS_SLIM_WINDOW + 4u)               /* [averages][blocks] */
#define PS_SLIM_HIGH         (PS_SLIM_LOW + PS_SLIM_AVERAGES * PS_SLIM_BLOCKS)
#define PS_SLIM_AVERAGE      (PS_SLIM_HIGH + PS_SLIM_AVERAGES * PS_SLIM_BLOCKS)
#define PS_SLIM_LEAST        (PS_SLIM_AVERAGE + PS_SLIM_AVERAGES)
#define PS_SLIM_GREATEST     (PS_SLIM_LEAST + PS_SLIM_AVERAGES)
#define PS_SLIM_DAY_SPREAD   (PS_SLIM_GREATEST + PS_SLIM_AVERAGES)
#define PS_SLIM_WEEK_LEVEL   (PS_SLIM_DAY_SPREAD + 1u)
#define PS_SLIM_WEEK_SPREAD  (PS_SLIM_DAY_SPREAD + 2u)
#define PS_SLIM_WEEK_DRIFT   (PS_SLIM_DAY_SPREAD + 3u)
#define PS_SLIM_SHAPE_MEAN   (PS_SLIM_DAY_SPREAD + 4u)
#define PS_SLIM_SHAPE_SPREAD (PS_SLIM_DAY_SPREAD + 5u)
#define PS_SLIM_RANGE_LOW    (PS_SLIM_DAY_SPREAD + 6u)
#define PS_SLIM_RANGE_HIGH   (PS_SLIM_DAY_SPREAD + 7u)
#define PS_SLIM_SHORT        (PS_SLIM_DAY_SPREAD + 8u)  /* mean, deviation over 288 values */
#define PS_SLIM_LONG         (PS_SLIM_DAY_SPREAD + 10u) /* and over 3,000 */
#define PS_SLIM_ROWS         (PS_SLIM_DAY_SPREAD + 12u) /* values seen */
#define PS_SLIM_SEEN         (PS_SLIM_ROWS + 1u) /* per block of the day, 4 bits each, to 15 */
#define PS_SLIM_RUN          (PS_SLIM_ROWS + 2u) /* values in a row that ran off the weekly level */
#define PS_SLIM_BANKED       (PS_SLIM_ROWS + 3u) /* prototypes in the bank */
#define PS_SLIM_UNIT         (PS_SLIM_ROWS + 4u) /* double: what a value adds to a histogram */
#define PS_SLIM_USE          (PS_SLIM_ROWS + 6u) /* double: what a use of a prototype adds */
#define PS_SLIM_LAST         (PS_SLIM_ROWS + 8u) /* milliseconds of the last value with a time */
#define PS_SLIM_TAUGHT       (PS_SLIM_ROWS + 10u) /* values that taught the daily spread, to 500 */
#define PS_SLIM_WORDS        (PS_SLIM_ROWS + 12u)

typedef struct ps_slim_state {
    ps_u32 packed[PS_SLIM_PACKED];
    ps_u32 word[PS_SLIM_WORDS];
    /* Of each histogram, made from it: all counts, where its upper twentieth begins, what lies
     * above that, and a bin that nothing lies above. */
    ps_u32 total[4], tail[4], above[4], top[4];
    ps_u32 higher[4][PS_SLIM_OCTAVES]; /* counts in the octaves above each */
} ps_slim_state;

PS_FN double ps_slim_get(const ps_slim_state *s, ps_u32 at) {
    return (double)ps_f32_from_bits(s->word[at]);
}

/* As a float, which never is infinite: PS_SLIM_LIMIT leaves eight decades of room. Nor is it
 * denormal, which some devices do not know. */
PS_FN ps_u32 ps_slim_rounded(double x) {
    return ps_fabs(x) < 1.1754943508222875e-38 ? 0u : ps_f32_to_bits((float)x);
}

PS_FN void ps_slim_put(ps_slim_state *s, ps_u32 at, double x) {
    s->word[at] = ps_slim_rounded(x);
}

PS_FN ps_u64 ps_slim_get64(const ps_slim_state *s, ps_u32 at) {
    return (ps_u64)s->word[at + 1u] << 32 | s->word[at];
}

PS_FN void ps_slim_put64(ps_slim_state *s, ps_u32 at, ps_u64 x) {
    s->word[at] = (ps_u32)x;
    s->word[at + 1u] = (ps_u32)(x >> 32);
}

/* A calendar's bin: 20 bits of a float without a sign, and how often it was met, to 15. */
PS_FN ps_u32 ps_slim_seen(const ps_slim_state *s, ps_u32 at) {
    return s->packed[at] & 15u;
}

PS_FN double ps_slim_spread(const ps_slim_state *s, ps_u32 at) {
    return (double)ps_f32_from_bits(s->packed[at] >> 4 << 11);
}

PS_FN void ps_slim_spread_put(ps_slim_state *s, ps_u32 at, double spread, ps_u32 seen) {
    const ps_u32 bits = ps_slim_rounded(spread);
    const ps_u32 even = (bits + 0x3ffu + (bits >> 11 & 1u)) >> 11;
    s->packed[at] = even << 4 | (seen < 15u ? seen : 15u);
}

/* What the parts of one value's score are made from. */
typedef struct ps_slim_row {
    double v, young; /* 1 / (values with this one) */
    double unit;     /* what the value adds to a histogram */
    ps_u32 t;        /* values before it */
    ps_u32 hour, half_hour, block;
    double part[PS_SLIM_CHANNELS]; /* the first four: deviations, then what they come to */
} ps_slim_row;

PS_FN double ps_slim_larger(double a, double b) {
    return a > b ? a : b;
}

PS_FN double ps_slim_within(double x, double limit) {
    return x > limit ? limit : x < -limit ? -limit : x;
}

#endif
