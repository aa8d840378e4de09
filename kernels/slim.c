/* SPDX-License-Identifier: Apache-2.0
 * Scores each value against its series' daily and weekly rhythm, recent shapes, range and level.
 * Four channels say how many of its deviations a value lies off (daily: the mean of its half hour;
 * weekly: a level and the offset of its hour of the week; shape: the nearest of 32 prototypes of
 * four values; range: how far outside of all values so far) and are calibrated by a histogram of
 * what they said before: u = -log10 of a tail probability. E sums, over four moving averages, how
 * far outside of their own range in this part of the day they lie; L is lg(1 + |z|) over 288 and
 * over 3,000 values. Score: params.envelope E + params.calibrated (u0 + u1 + u2 + u3) +
 * params.level L, at most PS_SCORE_MAX. A sum, so that agreement counts; a probability it is not.
 * Shapes: value, validity, order, first, series, fresh, score as kernel ewma has them;
 * state[series x PS_SLIM_PLANES], the planes of a series together, as integers, because they hold
 * two floats each; image[segments x PS_SLIM_PLANES]; time[rows] and time_validity by params.time;
 * channel[rows]: what a score owes most to, the lowest of equals.
 * Units: time in milliseconds or nanoseconds since 1970, UTC. A value without a time has that of
 * the series' last one that has.
 * State: read once and written once per segment; a segment's series occurs once per call. A null,
 * NaN or infinite value scores NaN and leaves the state alone; one beyond PS_SLIM_LIMIT counts as
 * that limit. Values are floats from here on. Time says which bin a value belongs to and nothing
 * else, so it may stand still, leap and go back. Rows in no segment are not written.
 * Agrees: to the bit. No input makes the state infinite or NaN.
 * Source: our own; docs/detection.md.
 */
#include "kernels/slim.h"

#include "kernels/exponential.h"
#include "kernels/log_table.h"
#include "kernels/slim_pack.h"
#include "kernels/slim_shape.h"

PS_TABLE double ps_slim_eighth[8] = {1.0, /* 2^(i / 8) */
                                     1.0905077326652577,
                                     1.189207115002721,
                                     1.2968395546510096,
                                     1.4142135623730951,
                                     1.5422108254079407,
                                     1.681792830507429,
                                     1.8340080864093424};
PS_TABLE double ps_slim_share[16] = {1.0 / 1,  1.0 / 2,  1.0 / 3,  1.0 / 4, /* 1 / (i + 1) */
                                     1.0 / 5,  1.0 / 6,  1.0 / 7,  1.0 / 8,  1.0 / 9,  1.0 / 10,
                                     1.0 / 11, 1.0 / 12, 1.0 / 13, 1.0 / 14, 1.0 / 15, 1.0 / 16};
PS_TABLE double ps_slim_weight[PS_SLIM_AVERAGES] = {1.0, 0.5, 2.0 / 7.0, 2.0 / 13.0};

/* 2^(eighths / 8 - 8). */
PS_FN double ps_slim_edge(ps_u32 eighths) {
    const ps_u64 power = (ps_u64)(1015u + (eighths >> 3)) << 52;
    return ps_slim_eighth[eighths & 7u] * ps_f64_from_bits(power);
}

/* The mean of what lies beyond `edge`, above it, in a histogram from bin `tail` to bin `top`. */
PS_FN double ps_slim_excess(const ps_u32 *h, ps_u32 tail, ps_u32 top, double edge, double count) {
    double sum = 0.0;
    for (ps_u32 k = tail; k <= top; k++) sum += (double)h[k] * (ps_slim_edge(2u * k + 1u) - edge);
    return ps_slim_larger(sum / count, 0.05 * edge);
}

/* What a value that lies beyond the 95th percentile would be under an exponential tail. */
PS_FN double ps_slim_beyond(const ps_slim_state *s, ps_u32 channel, double v, double p) {
    const ps_u32 *const h = s->packed + channel * PS_SLIM_BINS;
    const ps_u32 tail = s->tail[channel];
    const double edge = ps_slim_edge(2u * tail), count = (double)(s->above[channel] + h[tail]);
    if (!(v > edge && count > 0.0)) return p;
    const double mean = ps_slim_excess(h, tail, s->top[channel], edge, count);
    const double far = (v - edge) / mean;
    const double beyond = count / (double)s->total[channel] * ps_exp(-(far < 50.0 ? far : 50.0));
    return beyond < p ? beyond : p;
}

/* Counts in the bins above that of x, and in its own above it. */
PS_FN double ps_slim_more(const ps_slim_state *s, ps_u32 channel, double x) {
    const ps_u32 bin = (ps_u32)x, first = bin & ~7u;
    const ps_u32 *const h = s->packed + channel * PS_SLIM_BINS;
    ps_u32 above = 0;
    for (ps_u32 k = 0; k < 8u; k++) above += first + k > bin ? h[first + k] : 0u;
    above += s->higher[channel][bin >> 3];
    return (double)above + (double)h[bin] * (1.0 - (x - (double)bin));
}

/* The probability of a part or more, of each channel: by the histogram, beyond its 95th percentile
 * by an exponential tail. */
PS_FN void ps_slim_tails(const ps_slim_state *s, const ps_slim_row *r, const double *x, double *p) {
    for (ps_u32 c = 0; c < 4u; c++) p[c] = ps_slim_more(s, c, x[c]);
    for (ps_u32 c = 0; c < 4u; c++) p[c] = (p[c] + r->unit * 0.5) / ((double)s->total[c] + r->unit);
    for (ps_u32 c = 0; c < 4u; c++)
        p[c] = ps_slim_larger(ps_slim_beyond(s, c, r->part[c], p[c]), 1e-20);
}

/* -log10 of it, blended with a prior, (1 + v)^-3, that is worth 300 values. */
PS_FN void ps_slim_surprise(const ps_slim_state *s, ps_slim_row *r, const double *prior,
                            const double *log_p) {
    for (ps_u32 c = 0; c < 4u; c++) {
        const double total = (double)s->total[c];
        const double blend =
            (-900.0 * r->unit * prior[c] + total * log_p[c]) / (300.0 * r->unit + total);
        const double u = ps_slim_larger(blend * -0.4342944819032518, 0.0);
        r->part[c] = u < 20.0 ? u : 20.0;
    }
}

PS_FN void ps_slim_learn(ps_slim_state *s, const ps_slim_row *r, const double *x) {
    const ps_u32 unit = (ps_u32)(r->unit + 0.5);
    for (ps_u32 c = 0; c < 4u; c++) {
        const ps_u32 bin = (ps_u32)x[c];
        s->packed[c * PS_SLIM_BINS + bin] += unit;
        for (ps_u32 i = 0; i < PS_SLIM_OCTAVES; i++) s->higher[c][i] += i < bin >> 3 ? unit : 0u;
        s->total[c] += unit;
        s->above[c] += bin > s->tail[c] ? unit : 0u;
        s->top[c] = bin > s->top[c] ? bin : s->top[c];
        ps_slim_settle(s, c);
    }
}

/* What becomes of the channels' deviations, in steps that are small enough to be done for several
 * series in turn: most of the work is logarithms, eight at a time. */
typedef struct ps_slim_asked {
    double first[8];  /* of the four, and one more than each: then their logarithms */
    double second[8]; /* probabilities, and one more than the level's deviations: likewise */
    double x[4];      /* bins */
} ps_slim_asked;

PS_FN void ps_slim_ask(const ps_slim_row *r, const double *level, ps_slim_asked *a) {
    for (ps_u32 c = 0; c < 4u; c++) {
        a->first[c] = r->part[c] + 1e-12;
        a->first[c + 4u] = 1.0 + r->part[c];
        a->second[c] = a->second[c + 4u] = 1.0;
    }
    a->second[4] = 1.0 + level[0];
    a->second[5] = 1.0 + level[1];
}

PS_FN void ps_slim_look(const ps_slim_state *s, const ps_slim_row *r, ps_slim_asked *a) {
    for (ps_u32 c = 0; c < 4u; c++) {
        const double eighths = (a->first[c] * 1.4426950408889634 + 8.0) * 4.0;
        const double low = r->part[c] > 0.00390624 ? ps_slim_larger(eighths, 0.0) : 0.0;
        a->x[c] = low > 94.999 ? 94.999 : low;
    }
    if (r->t >= 30u) ps_slim_tails(s, r, a->x, a->second);
}

PS_FN void ps_slim_conclude(ps_slim_state *s, ps_slim_row *r, const ps_slim_asked *a) {
    ps_slim_surprise(s, r, a->first + 4, a->second);
    for (ps_u32 c = 0; c < 4u && r->t < 30u; c++) r->part[c] = 0.0;
    r->part[PS_SLIM_LEVEL] = a->second[4] * 0.4342944819032518 + a->second[5] * 0.4342944819032518;
    ps_slim_learn(s, r, a->x);
}

/* Counts lose half of their weight in 3,000 values: what a value adds grows instead, and when it
 * has doubled all are halved. */
PS_FN void ps_slim_age(ps_slim_state *s) {
    double unit = ps_f64_from_bits(ps_slim_get64(s, PS_SLIM_UNIT)) * 1.0002310757540767;
    if (unit >= 2.0) {
        unit *= 0.5;
        for (ps_u32 i = 0; i < 4u * PS_SLIM_BINS; i++) s->packed[i] >>= 1;
        ps_slim_count(s);
    }
    ps_slim_put64(s, PS_SLIM_UNIT, ps_f64_to_bits(unit));
}

PS_FN void ps_slim_daily(ps_slim_state *s, ps_slim_row *r) {
    const ps_u32 bin = PS_SLIM_AT_DAILY + r->half_hour, at = PS_SLIM_MEANS + r->half_hour;
    const ps_u32 seen = ps_slim_seen(s, bin);
    const double mean = ps_slim_get(s, at), own = ps_slim_spread(s, bin);
    const double all = ps_slim_get(s, PS_SLIM_DAY_SPREAD);
    r->part[PS_SLIM_DAILY] = 0.0;
    if (seen == 0u) {
        ps_slim_put(s, at, r->v);
        ps_slim_spread_put(s, bin, own, 1u);
        return;
    }
    double d = r->v - mean;
    const double spread = 0.5 * own + 0.5 * all;
    if (seen >= 2u) r->part[PS_SLIM_DAILY] = ps_fabs(d) / (spread + 1e-9 + 1e-6 * ps_fabs(mean));
    if (seen >= 8u && spread > 0.0) d = ps_slim_within(d, 5.0 * spread);
    const double a = ps_slim_larger(0.1, ps_slim_share[seen]);
    /* Values of new bins teach nothing about how far values lie from their means. */
    const ps_u32 taught = s->word[PS_SLIM_TAUGHT] + 1u;
    s->word[PS_SLIM_TAUGHT] = taught < 500u ? taught : 500u;
    ps_slim_put(s, at, mean + a * d);
    ps_slim_spread_put(s, bin, own + a * (ps_fabs(d) - own), seen + 1u);
    ps_slim_put(s, PS_SLIM_DAY_SPREAD,
                all + ps_slim_larger(0.002, 1.0 / (double)taught) * (ps_fabs(d) - all));
}

/* A level that 24 values in a row ran off by four deviations is taken to where they are. */
PS_FN void ps_slim_reseat(ps_slim_state *s, const ps_slim_row *r, double d, double spread) {
    double drift = ps_slim_get(s, PS_SLIM_WEEK_DRIFT);
    drift += 2.0 / 13.0 * (d - drift);
    const ps_u32 off = r->t > 100u && ps_fabs(drift) > 4.0 * spread;
    s->word[PS_SLIM_RUN] = off ? s->word[PS_SLIM_RUN] + 1u : 0u;
    if (s->word[PS_SLIM_RUN] >= 24u) {
        ps_slim_put(s, PS_SLIM_WEEK_LEVEL, ps_slim_get(s, PS_SLIM_WEEK_LEVEL) + drift);
        drift = 0.0;
        s->word[PS_SLIM_RUN] = 0u;
    }
    ps_slim_put(s, PS_SLIM_WEEK_DRIFT, drift);
}

PS_FN void ps_slim_weekly(ps_slim_state *s, ps_slim_row *r) {
    const ps_u32 bin = PS_SLIM_AT_WEEKLY + r->hour, at = PS_SLIM_OFFSETS + r->hour;
    const ps_u32 seen = ps_slim_seen(s, bin);
    const double level = ps_slim_get(s, PS_SLIM_WEEK_LEVEL), offset = ps_slim_get(s, at);
    const double own = ps_slim_spread(s, bin), all = ps_slim_get(s, PS_SLIM_WEEK_SPREAD);
    const double off = r->v - level - offset, spread = 0.5 * own + 0.5 * all;
    r->part[PS_SLIM_WEEKLY] =
        seen >= 2u ? ps_fabs(off) / (spread + 1e-9 + 1e-6 * ps_fabs(level)) : 0.0;
    const double d = seen >= 8u && spread > 0.0 ? ps_slim_within(off, 5.0 * spread) : off;
    const double a = ps_slim_larger(0.15, ps_slim_share[seen]);
    const double follow = ps_slim_larger(0.01, r->young);
    const double after = all + ps_slim_larger(0.002, r->young) * (ps_fabs(d) - all);
    ps_slim_put(s, PS_SLIM_WEEK_LEVEL, level + follow * d);
    ps_slim_put(s, at, offset + a * (d * (1.0 - follow)));
    ps_slim_spread_put(s, bin, own + a * (ps_fabs(d) - own), seen + 1u);
    ps_slim_put(s, PS_SLIM_WEEK_SPREAD, after);
    ps_slim_reseat(s, r, off, after);
}

PS_FN void ps_slim_range(ps_slim_state *s, ps_slim_row *r) {
    const double low = ps_slim_get(s, PS_SLIM_RANGE_LOW), high = ps_slim_get(s, PS_SLIM_RANGE_HIGH);
    const double range = high - low + 1e-9;
    double z = 0.0;
    if (r->v > high) {
        z = (r->v - high) / (range + 1e-3 * ps_fabs(high));
        ps_slim_put(s, PS_SLIM_RANGE_HIGH, r->v);
    } else if (r->v < low) {
        z = (low - r->v) / (range + 1e-3 * ps_fabs(low));
        ps_slim_put(s, PS_SLIM_RANGE_LOW, r->v);
    }
    r->part[PS_SLIM_RANGE] = z;
}

/* One moving average against its range in this part of the day. */
PS_FN double ps_slim_outside(ps_slim_state *s, const ps_slim_row *r, ps_u32 k, ps_u32 seen) {
    const double weight = ps_slim_larger(ps_slim_weight[k], r->young);
    const double before = ps_slim_get(s, PS_SLIM_AVERAGE + k);
    ps_slim_put(s, PS_SLIM_AVERAGE + k, before + weight * (r->v - before));
    const double e = ps_slim_get(s, PS_SLIM_AVERAGE + k); /* as it is kept */
    const ps_u32 at = k * PS_SLIM_BLOCKS + r->block;
    const double low = ps_slim_get(s, PS_SLIM_LOW + at), high = ps_slim_get(s, PS_SLIM_HIGH + at);
    const double least = ps_slim_get(s, PS_SLIM_LEAST + k);
    const double greatest = ps_slim_get(s, PS_SLIM_GREATEST + k);
    const double range = greatest - least + 1e-9 + 1e-3 * ps_fabs(greatest);
    const double out = e > high ? e - high : e < low ? low - e : 0.0;
    if (seen == 0u || e < low) ps_slim_put(s, PS_SLIM_LOW + at, e);
    if (seen == 0u || e > high) ps_slim_put(s, PS_SLIM_HIGH + at, e);
    if (e > greatest) ps_slim_put(s, PS_SLIM_GREATEST + k, e);
    if (e < least) ps_slim_put(s, PS_SLIM_LEAST + k, e);
    return seen >= 6u && out > 0.0 ? ps_log_of(1.0 + out / range / 0.03) : 0.0;
}

PS_FN void ps_slim_envelope(ps_slim_state *s, ps_slim_row *r) {
    const ps_u32 shift = r->block * 4u, seen = s->word[PS_SLIM_SEEN] >> shift & 15u;
    double sum = 0.0;
    for (ps_u32 k = 0; k < PS_SLIM_AVERAGES; k++) sum += ps_slim_outside(s, r, k, seen);
    if (seen < 15u) s->word[PS_SLIM_SEEN] += 1u << shift;
    r->part[PS_SLIM_ENVELOPE] = sum;
}

/* Its deviations from a level, which follows it. */
PS_FN double ps_slim_off(ps_slim_state *s, const ps_slim_row *r, ps_u32 at, double weight) {
    const double mean = ps_slim_get(s, at), spread = ps_slim_get(s, at + 1u);
    const double d = r->v - mean, a = ps_slim_larger(weight, r->young);
    ps_slim_put(s, at, mean + a * d);
    ps_slim_put(s, at + 1u, spread + a * (ps_fabs(d) - spread));
    return r->t <= 10u ? 0.0 : ps_fabs(d) / (spread + 1e-9 + 1e-6 * ps_fabs(mean));
}

/* What a series' first value is the beginning of. */
PS_FN void ps_slim_first(ps_slim_state *s, double v) {
    ps_slim_put(s, PS_SLIM_WEEK_LEVEL, v);
    ps_slim_put(s, PS_SLIM_SHAPE_MEAN, v);
    ps_slim_put(s, PS_SLIM_RANGE_LOW, v);
    ps_slim_put(s, PS_SLIM_RANGE_HIGH, v);
    ps_slim_put(s, PS_SLIM_SHORT, v);
    ps_slim_put(s, PS_SLIM_LONG, v);
    for (ps_u32 k = 0; k < PS_SLIM_AVERAGES; k++) {
        ps_slim_put(s, PS_SLIM_AVERAGE + k, v);
        ps_slim_put(s, PS_SLIM_LEAST + k, v);
        ps_slim_put(s, PS_SLIM_GREATEST + k, v);
    }
}

PS_FN void ps_slim_start(ps_slim_state *s, ps_slim_row *r) {
    r->t = s->word[PS_SLIM_ROWS];
    r->young = 1.0 / ((double)r->t + 1.0);
    r->unit = ps_f64_from_bits(ps_slim_get64(s, PS_SLIM_UNIT)) * 1024.0;
    if (r->t == 0u) ps_slim_first(s, r->v);
}

PS_FN void ps_slim_level(ps_slim_state *s, const ps_slim_row *r, ps_slim_asked *a) {
    double level[2];
    level[0] = ps_slim_off(s, r, PS_SLIM_SHORT, 2.0 / 289.0);
    level[1] = ps_slim_off(s, r, PS_SLIM_LONG, 2.0 / 3001.0);
    ps_slim_ask(r, level, a);
}

PS_FN void ps_slim_end(ps_slim_state *s, const ps_slim_row *r) {
    ps_slim_age(s);
    if (r->t < 0xffffffffu) s->word[PS_SLIM_ROWS] = r->t + 1u;
}

PS_FN void ps_slim_parts(ps_slim_state *s, ps_slim_row *r) {
    ps_slim_asked a;
    ps_slim_start(s, r);
    ps_slim_daily(s, r);
    ps_slim_weekly(s, r);
    ps_slim_shape(s, r);
    ps_slim_range(s, r);
    ps_slim_envelope(s, r);
    ps_slim_level(s, r, &a);
    ps_log_of_eight(a.first);
    ps_slim_look(s, r, &a);
    ps_log_of_eight(a.second);
    ps_slim_conclude(s, r, &a);
    ps_slim_end(s, r);
}

/* Which half hour, hour of the week (from Monday on) and part of the day it is, in UTC. */
PS_FN void ps_slim_calendar(ps_slim_row *r, ps_i64 ms) {
    const ps_i64 week = 604800000, monday = 259200000;
    ps_i64 at = ms % week + monday;
    at = at < 0 ? at + week : at;
    const ps_u32 second = (ps_u32)((ps_u64)at % (ps_u64)week / 1000u);
    r->hour = second / 3600u;
    r->half_hour = second % 86400u / 1800u;
    r->block = r->half_hour / 8u;
}

PS_FN ps_u32 ps_slim_blame(const double *part) {
    ps_u32 most = 0;
    for (ps_u32 i = 1; i < PS_SLIM_CHANNELS; i++)
        if (part[i] > part[most]) most = i;
    return most;
}

PS_FN float ps_slim_sum(ps_slim_row *r, const ps_slim_params *p) {
    double sum = 0.0;
    for (ps_u32 i = 0; i < PS_SLIM_CHANNELS; i++) {
        r->part[i] *= i == PS_SLIM_ENVELOPE ? p->envelope
                      : i == PS_SLIM_LEVEL  ? p->level
                                            : p->calibrated;
        sum += r->part[i];
    }
    return (float)(sum < PS_SCORE_MAX ? ps_slim_larger(sum, 0.0) : PS_SCORE_MAX);
}

/* The row's value as it is kept, and its place in the calendar. */
PS_FN void ps_slim_take(ps_slim_state *s, ps_slim_row *r, double x, PS_GLOBAL const ps_u8 *time,
                        PS_GLOBAL const ps_u8 *time_validity, ps_u32 row, ps_u32 how) {
    r->v = (double)ps_f32_from_bits(ps_slim_rounded(ps_slim_within(x, PS_SLIM_LIMIT)));
    const ps_i64 before = (ps_i64)ps_slim_get64(s, PS_SLIM_LAST);
    const ps_i64 now = ps_moment(time, time_validity, row, how, before);
    ps_slim_put64(s, PS_SLIM_LAST, (ps_u64)now);
    ps_slim_calendar(r, now);
}

PS_FN void ps_slim_at(ps_u32 segment, PS_GLOBAL const ps_u8 *PS_RESTRICT value,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT validity,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                      PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT fresh, PS_GLOBAL ps_u64 *PS_RESTRICT state,
                      PS_GLOBAL ps_u64 *PS_RESTRICT image, PS_GLOBAL float *PS_RESTRICT score,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT time,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT time_validity,
                      PS_GLOBAL ps_u8 *PS_RESTRICT channel, ps_slim_params p) {
    PS_GLOBAL ps_u64 *const at = state + (ps_u64)series[segment] * PS_SLIM_PLANES;
    PS_GLOBAL ps_u64 *const after = image + (ps_u64)segment * PS_SLIM_PLANES;
    ps_slim_state s;
    if (fresh[segment])
        ps_slim_begin(&s);
    else
        ps_slim_load(&s, at);
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) {
        const ps_u32 row = order[i];
        const double x = ps_value(value, row, p.type);
        channel[row] = 0;
        if (!ps_usable(validity, row, x)) {
            score[row] = ps_nan();
            continue;
        }
        ps_slim_row r;
        ps_slim_take(&s, &r, x, time, time_validity, row, p.time);
        ps_slim_parts(&s, &r);
        const float sum = ps_slim_sum(&r, &p);
        score[row] = r.t < p.warmup ? 0.0f : sum;
        channel[row] = (ps_u8)ps_slim_blame(r.part);
    }
    ps_slim_store(&s, at);
    for (ps_u32 i = 0; i < PS_SLIM_PLANES; i++) after[i] = at[i];
}
PS_ENTRY_12(slim, const ps_u8, const ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
            ps_u64, ps_u64, float, const ps_u8, const ps_u8, ps_u8)
