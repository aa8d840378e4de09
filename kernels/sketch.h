/* SPDX-License-Identifier: Apache-2.0
 * A histogram of a column whose buckets are a thirty-second of an octave wide, and quantiles from
 * it: parameters of the kernels sketch (counts of every virtual lane) and sketch_fold (all lanes as
 * one), and what the buckets stand for.
 *
 * A bucket is the sign, the exponent and five bits of the mantissa, so finding it is a shift, and
 * sketches merge by adding their counts: no order of rows or lanes shows. Magnitudes from 2^-64 to
 * 2^64 are told apart; smaller ones count as 0, larger ones in the outermost buckets.
 * Agrees: to the bit. Within that range a quantile is within 1/64 of the value it stands for.
 * Source: C. Masson, J. E. Rim, H. K. Lee, DDSketch: a fast and fully-mergeable quantile sketch
 * with relative-error guarantees (2019), with the linear mapping of its implementations.
 */
#ifndef PS_KERNELS_SKETCH_H
#define PS_KERNELS_SKETCH_H

#include "kernels/dialect.h"
#include "kernels/score.h"

#define PS_SKETCH_SHIFT   47u                 /* of a double's bits: five of the mantissa stay */
#define PS_SKETCH_LEAST   0x3bf0000000000000u /* 2^-64 */
#define PS_SKETCH_SIDE    4096u               /* buckets of a sign: 128 octaves */
#define PS_SKETCH_ZERO    PS_SKETCH_SIDE      /* the bucket in the middle */
#define PS_SKETCH_BUCKETS (2u * PS_SKETCH_SIDE + 1u) /* in ascending order of their values */

typedef struct ps_sketch_params {
    ps_u32 rows;
    ps_u32 type;  /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 lanes; /* items: lane i counts rows i, i + lanes, … */
    ps_u32 reserved;
} ps_sketch_params;

typedef struct ps_sketch_fold_params {
    ps_u32 lanes;
    ps_u32 merge; /* 1: on top of what the total holds */
} ps_sketch_fold_params;

/* The bucket of a value that is no NaN. */
PS_FN ps_u32 ps_sketch_bucket(double x) {
    const ps_u64 bits = ps_f64_to_bits(x), magnitude = bits & 0x7fffffffffffffffu;
    if (magnitude < PS_SKETCH_LEAST) return PS_SKETCH_ZERO;
    const ps_u64 step = (magnitude - PS_SKETCH_LEAST) >> PS_SKETCH_SHIFT;
    const ps_u32 out = step < PS_SKETCH_SIDE ? (ps_u32)step + 1u : PS_SKETCH_SIDE;
    return bits >> 63 ? PS_SKETCH_ZERO - out : PS_SKETCH_ZERO + out;
}

/* The middle of a bucket. */
PS_FN double ps_sketch_value(ps_u32 bucket) {
    if (bucket == PS_SKETCH_ZERO) return 0.0;
    const ps_u32 negative = bucket < PS_SKETCH_ZERO;
    const ps_u64 step = (ps_u64)(negative ? PS_SKETCH_ZERO - bucket : bucket - PS_SKETCH_ZERO) - 1u;
    const double low = ps_f64_from_bits(PS_SKETCH_LEAST + (step << PS_SKETCH_SHIFT));
    const double high = ps_f64_from_bits(PS_SKETCH_LEAST + ((step + 1u) << PS_SKETCH_SHIFT));
    const double middle = 0.5 * low + 0.5 * high;
    return negative ? -middle : middle;
}

/* The value below which a share `q` of all counted values lies, 0 <= q <= 1; NaN of none. */
PS_FN double ps_sketch_quantile(PS_GLOBAL const ps_u64 *total, double q) {
    ps_u64 count = 0, seen = 0;
    for (ps_u32 i = 0; i < PS_SKETCH_BUCKETS; i++) count += total[i];
    if (count == 0) return ps_f64_from_bits(0x7ff8000000000000u);
    const ps_u64 rank = (ps_u64)(q * (double)(count - 1u));
    ps_u32 bucket = 0;
    for (; bucket < PS_SKETCH_BUCKETS - 1u; bucket++) {
        seen += total[bucket];
        if (seen > rank) break;
    }
    return ps_sketch_value(bucket);
}

#endif
