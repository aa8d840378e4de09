/* SPDX-License-Identifier: Apache-2.0
 * Scores each value by how far the last four of its series are, together, from the nearest of 32
 * shapes that the series had lately (kernels/prototype_bank.h), in mean deviations of its values.
 * Shapes, units, nulls, warm-up: as kernel ewma, but that the planes of a series lie together:
 * state[series x PS_PROTOTYPE_PLANES], as integers, because they hold two floats each
 * (kernels/prototype.h).
 * State: read once and written once per segment; a segment's series occurs once per call. Values
 * are floats from here on, and one beyond PS_PROTOTYPE_LIMIT counts as that limit.
 * Agrees: to the bit. No input makes the state infinite or NaN.
 * Source: nearest neighbours in a delay embedding, as of E. Burnaev and V. Ishimtsev, Conformalized
 * density- and distance-based anomaly detection in time-series data (2016); the bank is our own.
 */
#include "kernels/prototype.h"

typedef struct ps_prototype_state {
    ps_u32 word[PS_PROTOTYPE_WORDS];
    double use, banked, mean, spread;
    ps_moving measures;
} ps_prototype_state;

PS_FN double ps_prototype_bounded(double x) {
    const double capped = x < PS_PROTOTYPE_LIMIT ? x : PS_PROTOTYPE_LIMIT;
    return capped > -PS_PROTOTYPE_LIMIT ? capped : -PS_PROTOTYPE_LIMIT;
}

PS_FN void ps_prototype_load(ps_prototype_state *s, PS_GLOBAL const ps_u64 *from, ps_u32 fresh) {
    PS_GLOBAL const ps_u64 *const rest = from + PS_PROTOTYPE_WORDS / 2u;
    for (ps_u32 i = 0u; i < PS_PROTOTYPE_WORDS / 2u; i++) {
        s->word[2u * i] = fresh ? 0u : (ps_u32)from[i];
        s->word[2u * i + 1u] = fresh ? 0u : (ps_u32)(from[i] >> 32);
    }
    s->use = fresh ? 1.0 : ps_f64_from_bits(rest[0]);
    s->banked = fresh ? 0.0 : ps_f64_from_bits(rest[1]);
    s->mean = fresh ? 0.0 : ps_f64_from_bits(rest[2]);
    s->spread = fresh ? 0.0 : ps_f64_from_bits(rest[3]);
    s->measures.mean = fresh ? 0.0 : ps_f64_from_bits(rest[4]);
    s->measures.variance = fresh ? 0.0 : ps_f64_from_bits(rest[5]);
    s->measures.count = fresh ? 0.0 : ps_f64_from_bits(rest[6]);
}

PS_FN void ps_prototype_store(const ps_prototype_state *s, PS_GLOBAL ps_u64 *to) {
    PS_GLOBAL ps_u64 *const rest = to + PS_PROTOTYPE_WORDS / 2u;
    for (ps_u32 i = 0u; i < PS_PROTOTYPE_WORDS / 2u; i++)
        to[i] = (ps_u64)s->word[2u * i + 1u] << 32 | s->word[2u * i];
    rest[0] = ps_f64_to_bits(s->use);
    rest[1] = ps_f64_to_bits(s->banked);
    rest[2] = ps_f64_to_bits(s->mean);
    rest[3] = ps_f64_to_bits(s->spread);
    rest[4] = ps_f64_to_bits(s->measures.mean);
    rest[5] = ps_f64_to_bits(s->measures.variance);
    rest[6] = ps_f64_to_bits(s->measures.count);
}

/* 0 until the first shape is whole. */
PS_FN double ps_prototype_measure(ps_prototype_state *s, double x) {
    const double count = s->measures.count;
    const ps_u32 kept = ps_float_kept(ps_prototype_bounded(x));
    const double v = ps_float_get(kept);
    ps_u32 *const window = s->word + PS_PROTOTYPE_WINDOW;
    for (ps_u32 k = 0u; k + 1u < PS_PROTOTYPE_LENGTH; k++) window[k] = window[k + 1u];
    window[PS_PROTOTYPE_LENGTH - 1u] = kept;
    if (count == 0.0) s->mean = v;
    ps_prototype_scale(v, count < 1000.0 ? (ps_u32)count : 1000u, 1.0 / (count + 1.0), &s->mean,
                       &s->spread);
    if (count + 1.0 < (double)PS_PROTOTYPE_LENGTH) return 0.0;
    ps_prototype_bank bank;
    bank.at = s->word;
    bank.uses = s->word + PS_PROTOTYPE_USES;
    bank.window = window;
    bank.banked = (ps_u32)s->banked;
    bank.use = s->use;
    const double distance = ps_prototype_match(&bank, s->spread + 1e-30 + 1e-6 * ps_fabs(s->mean));
    s->banked = (double)bank.banked;
    s->use = bank.use;
    return distance;
}

PS_FN void ps_prototype_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                           PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                           PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                           PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                           PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                           PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                           PS_GLOBAL ps_u64 *PS_RESTRICT state, PS_GLOBAL ps_u64 *PS_RESTRICT image,
                           PS_GLOBAL float *PS_RESTRICT score, ps_prototype_params p) {
    PS_GLOBAL ps_u64 *const at = state + (ps_u64)series[segment] * PS_PROTOTYPE_PLANES;
    ps_prototype_state s;
    ps_prototype_load(&s, at, fresh[segment]);
    const double warmup = (double)(p.warmup < 2u ? 2u : p.warmup);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        const double count = s.measures.count;
        const float found = ps_measure_score(&s.measures, ps_prototype_measure(&s, x), p.least);
        score[row] = count < warmup ? 0.0f : found;
    }
    ps_prototype_store(&s, at);
    ps_prototype_store(&s, image + (ps_u64)segment * PS_PROTOTYPE_PLANES);
}
PS_ENTRY_9(prototype, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32,
           const ps_u8, ps_u64, ps_u64, float)
