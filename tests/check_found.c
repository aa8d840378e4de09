/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/check_found.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/found.h"
#include "kernels/moment.h"

enum {
    ROWS = CHECK_FOUND_ROWS,
    SERIES = CHECK_FOUND_SERIES,
    WORDS_MAX = 64,
    PLACE = 64,
    INPUTS_MAX = 8
};

typedef struct rows {
    uint32_t segments, table[WORDS_MAX];
    size_t block_bytes, written; /* from `written` on lie the outputs */
    uint8_t *block, *fresh, *constant;
    uint32_t *words, *order, *first, *series;
    double *state, *image;
    size_t state_bytes, image_bytes;
} rows;

static size_t place(size_t *used, size_t bytes) {
    const size_t at = *used;
    *used += (bytes + PLACE - 1) / PLACE * PLACE;
    return at;
}

static void lay_out(const check_found_kernel *k, uint32_t type, rows *r) {
    size_t used = 0;
    uint32_t word = 0;
    for (uint32_t i = 0; i < k->inputs + k->timed; i++) {
        r->table[word++] = (uint32_t)place(&used, ROWS * sizeof(uint64_t));
        r->table[word++] = (uint32_t)place(&used, (ROWS + 7) / 8);
        r->table[word++] = i < k->inputs ? type : PS_TIME_RECORD_MS;
    }
    r->written = used;
    for (uint32_t i = 0; i < k->outputs; i++)
        r->table[word++] = (uint32_t)place(&used, (size_t)ROWS * k->width[i]);
    r->block_bytes = used;
}

static rows rows_take(ps_check *c, const check_found_kernel *k, uint32_t segments, uint32_t type) {
    rows r = {.segments = segments};
    lay_out(k, type, &r);
    r.state_bytes = (size_t)k->planes * SERIES * sizeof(double);
    r.image_bytes = (size_t)k->planes * segments * sizeof(double);
    r.block = check_take(c, r.block_bytes);
    r.words = check_take(c, sizeof r.table);
    r.constant = check_take(c, k->constant_bytes + 1);
    r.order = check_take(c, ROWS * sizeof(uint32_t));
    r.first = check_take(c, (segments + 1) * sizeof(uint32_t));
    r.series = check_take(c, segments * sizeof(uint32_t));
    r.fresh = check_take(c, segments);
    r.state = check_take(c, r.state_bytes);
    r.image = check_take(c, r.image_bytes);
    memset(r.block, 0x55, r.block_bytes);
    memcpy(r.words, r.table, sizeof r.table);
    if (k->constant != NULL) memcpy(r.constant, k->constant, k->constant_bytes);
    memset(r.state, 0xff, r.state_bytes);
    memset(r.image, 0x66, r.image_bytes);
    return r;
}

/* Mostly a level with noise that steps now and then; else what breaks arithmetic. */
static double value_of(ps_check *c, uint32_t row, bool wild) {
    static const double odd[] = {0.0,   -0.0,   1e300,  (double)INFINITY, (double)-INFINITY,
                                 1e140, -1e140, 5e-324, (double)NAN,      1e-300};
    if (wild && check_random(c) % 8 == 0) return odd[check_random(c) % 10];
    if (check_random(c) % 6 == 0) return 40.0;
    return 40.0 + (double)(check_random(c) % 10000) / 1000.0 + (row / 300 % 2 == 0 ? 0.0 : 30.0);
}

static void fill_inputs(ps_check *c, const check_found_kernel *k, rows *r, bool wild) {
    for (uint32_t i = 0; i < k->inputs + k->timed; i++) {
        uint8_t *const validity = r->block + r->table[3 * i + 1];
        memset(validity, 0xff, (ROWS + 7) / 8);
        for (uint32_t row = 0; row < ROWS; row++) {
            const double x = value_of(c, row, wild);
            uint64_t bits;
            memcpy(&bits, &x, sizeof bits);
            if (r->table[3 * i + 2] == PS_VALUE_I64 && i < k->inputs) bits = check_random(c) >> 40;
            if (i == k->inputs) /* time leaps, stands still, goes back and is unknown */
                bits = check_random(c) % 50 == 0 ? UINT64_MAX : row * 1000 + check_random(c) % 3000;
            if (i == k->inputs && wild && check_random(c) % 50 == 0) bits = check_random(c);
            memcpy(r->block + r->table[3 * i] + 8 * (size_t)row, &bits, sizeof bits);
            if (check_random(c) % 12 == 0) validity[row / 8] &= (uint8_t) ~(1u << row % 8);
        }
    }
}

static void fill_segments(ps_check *c, rows *r) {
    static uint32_t segment_of[ROWS];
    uint32_t at[SERIES + 1];
    memset(r->first, 0, (r->segments + 1) * sizeof(uint32_t));
    for (uint32_t row = 0; row < ROWS; row++) {
        segment_of[row] = (uint32_t)(check_random(c) % (r->segments + 1)); /* some in none */
        if (check_random(c) % 2 == 0) segment_of[row] = segment_of[row] % 2 % r->segments;
        if (segment_of[row] < r->segments) r->first[segment_of[row] + 1]++;
    }
    for (uint32_t s = 0; s < r->segments; s++) {
        r->first[s + 1] += r->first[s];
        r->series[s] = (s * 7 + 3) % SERIES;
    }
    memcpy(at, r->first, r->segments * sizeof at[0]);
    for (uint32_t row = 0; row < ROWS; row++)
        if (segment_of[row] < r->segments) r->order[at[segment_of[row]]++] = row;
}

static void run(ps_kernel_fn *fn, const check_found_kernel *k, const rows *r, uint32_t begin,
                uint32_t end) {
    void *buf[12];
    uint32_t n = 0;
    buf[n++] = r->block;
    buf[n++] = r->words;
    if (k->constant != NULL) buf[n++] = r->constant;
    buf[n++] = r->order;
    buf[n++] = r->first;
    buf[n++] = r->series;
    buf[n++] = r->fresh;
    buf[n++] = r->state;
    buf[n++] = r->image;
    fn(buf, k->params, begin, end);
}

static double output(const check_found_kernel *k, const rows *r, uint32_t index, uint32_t row) {
    const uint8_t *column = r->block + r->table[3 * (k->inputs + k->timed) + index];
    double number;
    float score;
    if (k->width[index] == 1) return column[row];
    memcpy(&score, column + 4 * (size_t)row, sizeof score);
    if (k->width[index] == 4) return (double)score;
    memcpy(&number, column + 8 * (size_t)row, sizeof number);
    return number;
}

static bool is_number_or_none(double x, uint32_t width) {
    const double nan = width == 4 ? (double)ps_nan() : ps_nan64();
    return isfinite(x) || memcmp(&x, &nan, sizeof x) == 0;
}

/* Nothing infinite, and of all NaNs the one. */
static bool sane(const check_found_kernel *k, const rows *r) {
    bool right = true;
    for (uint32_t i = 0; i < k->outputs; i++)
        for (uint32_t at = 0; at < r->first[r->segments]; at++) {
            right &= is_number_or_none(output(k, r, i, r->order[at]), k->width[i]);
        }
    return right;
}

static bool state_is_image(const check_found_kernel *k, const rows *r) {
    bool right = true;
    for (uint32_t s = 0; s < r->segments; s++)
        for (uint32_t i = 0; i < k->planes; i++) {
            const size_t at = k->together ? (size_t)r->series[s] * k->planes + i
                                          : (size_t)i * SERIES + r->series[s];
            right &= memcmp(&r->state[at], &r->image[(size_t)s * k->planes + i], 8) == 0;
        }
    return right;
}

/* Four batches after each other, the kernel's in two ranges of segments. */
static void check_batches(ps_check *c, const check_found_kernel *k, uint32_t segments,
                          uint32_t type, bool wild) {
    rows expected = rows_take(c, k, segments, type), actual = rows_take(c, k, segments, type);
    for (uint32_t batch = 0; batch < 4; batch++) {
        const uint32_t cut = (uint32_t)(check_random(c) % (segments + 1));
        fill_inputs(c, k, &expected, wild);
        fill_segments(c, &expected);
        for (uint32_t s = 0; s < segments; s++)
            expected.fresh[s] = batch == 0 || check_random(c) % 16 == 0;
        memcpy(actual.block, expected.block, expected.block_bytes);
        memcpy(actual.order, expected.order, ROWS * sizeof(uint32_t));
        memcpy(actual.first, expected.first, (segments + 1) * sizeof(uint32_t));
        memcpy(actual.series, expected.series, segments * sizeof(uint32_t));
        memcpy(actual.fresh, expected.fresh, segments);
        run(c->kernel->reference, k, &expected, 0, segments);
        run(c->fn, k, &actual, cut, segments);
        run(c->fn, k, &actual, 0, cut);
        check_that(c, !memcmp(expected.block, actual.block, expected.block_bytes),
                   "columns of %u segments differ", segments);
        check_that(c, !memcmp(expected.state, actual.state, expected.state_bytes),
                   "state of %u segments differs", segments);
        check_that(c, !memcmp(expected.image, actual.image, expected.image_bytes),
                   "image of %u segments differs", segments);
        check_that(c, sane(k, &actual), "%s: infinite, or another NaN", wild ? "wild" : "tame");
        check_that(c, state_is_image(k, &actual), "image and state of %u segments differ",
                   segments);
    }
    check_release(c);
}

/* One series, once in a batch of its own and once in two: the state carries everything. */
static void check_cut(ps_check *c, const check_found_kernel *k) {
    rows whole = rows_take(c, k, 1, PS_VALUE_F64), parts = rows_take(c, k, 1, PS_VALUE_F64);
    fill_inputs(c, k, &whole, true);
    memcpy(parts.block, whole.block, whole.block_bytes);
    for (uint32_t row = 0; row < ROWS; row++) whole.order[row] = parts.order[row] = row;
    whole.series[0] = parts.series[0] = 5;
    whole.fresh[0] = parts.fresh[0] = 1;
    whole.first[0] = 0;
    whole.first[1] = ROWS;
    run(c->fn, k, &whole, 0, 1);
    for (uint32_t at = 0; at < ROWS;) {
        const uint32_t left = ROWS - at, some = 1 + (uint32_t)(check_random(c) % 400);
        parts.first[0] = at;
        at = parts.first[1] = at + (some < left ? some : left);
        run(c->fn, k, &parts, 0, 1);
        parts.fresh[0] = 0;
    }
    check_that(c,
               !memcmp(whole.block, parts.block, whole.block_bytes) &&
                   !memcmp(whole.image, parts.image, whole.image_bytes),
               "cuts show");
    check_release(c);
}

void check_found_series(ps_check *c, const check_found_kernel *k, uint32_t count,
                        const double *values, const int64_t *time_ms, double *out) {
    rows r = rows_take(c, k, 1, PS_VALUE_F64);
    for (uint32_t i = 0; i < k->inputs + k->timed; i++) {
        memset(r.block + r.table[3 * i + 1], 0xff, (ROWS + 7) / 8);
        const void *from = i < k->inputs ? (const void *)(values + (size_t)i * count) : time_ms;
        memcpy(r.block + r.table[3 * i], from, count * sizeof(uint64_t));
    }
    for (uint32_t row = 0; row < count; row++) r.order[row] = row;
    r.series[0] = 2;
    r.fresh[0] = 1;
    r.first[0] = 0;
    r.first[1] = count;
    run(c->fn, k, &r, 0, 1);
    for (uint32_t i = 0; i < k->outputs; i++)
        for (uint32_t row = 0; row < count; row++)
            out[(size_t)i * count + row] = output(k, &r, i, row);
    check_release(c);
}

/* What a series has that nobody wishes for, all the time: kind 0 is a constant, 7 grows. */
static double hostile(uint32_t kind, uint32_t row, uint32_t input) {
    static const double one[] = {7.0, 1e300, 1e-300, 5e-324, 1e140};
    const double sign = (row + input) % 2 == 0 ? 1.0 : -1.0;
    switch (kind) {
    case 5:
        return sign * 1.7976931348623157e308;
    case 6:
        return sign * 1e-200;
    case 7:
        return ldexp(1.0, (int)row - 1000);
    case 8:
        return sign * 1e140;
    case 9:
        return row % 100 == 99 ? 1e139 : 1e-300;
    case 10:
        return row == 0 ? 3.0 : (double)NAN; /* one value */
    default:
        return one[kind];
    }
}
enum { HOSTILE = 11 };

/* Series that are nothing else, whose clock goes on, stands still, goes back, or leaps to the ends
 * of time: if it fails, an event carries what is no number. */
static void check_hostile(ps_check *c, const check_found_kernel *k) {
    static double values[INPUTS_MAX * ROWS], out[CHECK_FOUND_OUTPUTS * ROWS];
    static int64_t time_ms[ROWS];
    for (uint32_t kind = 0; kind < HOSTILE; kind++)
        for (uint32_t clock = 0; clock < (k->timed ? 4u : 1u); clock++) {
            uint32_t wrong = 0;
            for (uint32_t row = 0; row < ROWS; row++) {
                const int64_t leap = row % 2 == 0 ? INT64_MAX : 0;
                const int64_t clocks[] = {(int64_t)row * 1000, 5000, (int64_t)(ROWS - row) * 1000,
                                          leap};
                time_ms[row] = clocks[clock];
                for (uint32_t i = 0; i < k->inputs; i++)
                    values[(size_t)i * ROWS + row] = hostile(kind, row, i);
            }
            check_found_series(c, k, ROWS, values, time_ms, out);
            for (size_t i = 0; i < (size_t)k->outputs * ROWS; i++)
                wrong += !is_number_or_none(out[i], k->width[i / ROWS]);
            if (kind == 10 && k->width[0] != 1)
                for (uint32_t row = 0; row < ROWS; row++) wrong += out[row] == out[row];
            check_that(c, wrong == 0, "hostile series %u, clock %u: %u numbers that are none", kind,
                       clock, wrong);
        }
}

static void bench(ps_check *c, const check_found_kernel *k) {
    rows r = rows_take(c, k, SERIES, PS_VALUE_F64);
    void *buf[12];
    uint32_t n = 0;
    fill_inputs(c, k, &r, false);
    fill_segments(c, &r);
    memset(r.fresh, 1, SERIES);
    buf[n++] = r.block;
    buf[n++] = r.words;
    if (k->constant != NULL) buf[n++] = r.constant;
    void *const rest[] = {r.order, r.first, r.series, r.fresh, r.state, r.image};
    memcpy(buf + n, rest, sizeof rest);
    printf("  %u rows in ", r.first[SERIES]);
    check_bench(c, "40 segments", buf, k->params, SERIES, 0);
    check_release(c);
}

void check_found(ps_check *c, const check_found_kernel *k) {
    check_hostile(c, k);
    for (uint32_t segments = 1; segments <= SERIES; segments += 1 + segments / 2)
        for (uint32_t type = PS_VALUE_F64; type <= PS_VALUE_I64; type++)
            for (uint32_t wild = 0; wild < 2; wild++) check_batches(c, k, segments, type, wild);
    check_cut(c, k);
    if (c->bench && !c->failed) bench(c, k);
}
