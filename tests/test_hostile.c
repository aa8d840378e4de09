/* SPDX-License-Identifier: Apache-2.0
 * What docs/detection.md promises of series that nobody wishes for, "whatever the detector": every
 * one of the table, and the vote that is shipped. A new detector is tried by being in the table.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/score.h"
#include "ml/detector.h"
#include "ml/solo.h"

enum { ROWS = 1400, LEAVES = 1100, FIVE_MINUTES = 300 };

typedef struct series {
    uint32_t count;
    int64_t time_ns[ROWS];
    double value[ROWS];
    float score[ROWS];
    uint8_t anomaly[ROWS];
} series;

/* A detector of the table or, behind them, the shipped vote, as `penstock score` has it. */
typedef struct tried {
    const char *name;
    bool timed; /* asks what time it is */
    bool vote;
    ps_detect_config config;
} tried;

/* False: there are no more. */
static bool try_next(uint32_t index, tried *out) {
    uint32_t count = 0;
    while (ps_detectors[count].name != NULL) count++;
    if (index > count) return false;
    const ps_detector *d = &ps_detectors[index];
    *out = (tried){.name = d->name, .timed = d->timed};
    ps_options_preset(ps_stage_detect.about.options, &out->config);
    out->config.detectors = (ps_string_list){&d->name, 1};
    if (index < count) return true;
    out->name = "vote";
    out->timed = out->vote = true;
    out->config.detectors = ps_detector_vote;
    out->config.weights = ps_detector_weights;
    return true;
}

static void run(const tried *t, series *s) {
    ps_solo *solo = NULL;
    ps_error error = {0};
    if (ps_solo_open(&t->config, 512, &solo, &error) != PS_OK) fail_msg("%s", error.message);
    const ps_solo_rows rows = {s->count, s->time_ns, s->value, s->score, s->anomaly};
    ps_solo_run(solo, &rows);
    ps_solo_close(solo);
}

static int64_t clock_of(uint32_t row) {
    return (INT64_C(1700000000) + (int64_t)row * FIVE_MINUTES) * 1000000000;
}

static double uniform(uint64_t *random) {
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*random >> 11) * 0x1p-53;
}

/* Noise of deviation 0.3 about `level`, times `size`. */
static void make_noise(series *s, double level, double size) {
    uint64_t random = 11;
    s->count = ROWS;
    for (uint32_t row = 0; row < ROWS; row++) {
        s->time_ns[row] = clock_of(row);
        s->value[row] = (level + uniform(&random)) * size;
    }
}

/* If it fails, a row that has no value scores, or changes what the others score. */
static void what_is_no_number_is_not_there(void **unused) {
    (void)unused;
    static const double none[] = {NAN, INFINITY, -INFINITY};
    static series plain, holed;
    tried t;
    for (uint32_t d = 0; try_next(d, &t); d++) {
        make_noise(&plain, 50.0, 1.0);
        plain.count = ROWS / 2;
        holed.count = ROWS;
        for (uint32_t row = 0; row < ROWS; row++) {
            holed.time_ns[row] = plain.time_ns[row / 2];
            holed.value[row] = row % 2 == 0 ? plain.value[row / 2] : none[row / 2 % 3];
        }
        run(&t, &plain);
        run(&t, &holed);
        for (uint32_t row = 0; row < ROWS; row += 2)
            if (memcmp(&holed.score[row], &plain.score[row / 2], sizeof(float)) != 0)
                fail_msg("%s: row %u scores %g among gaps, else %g", t.name, row,
                         (double)holed.score[row], (double)plain.score[row / 2]);
        for (uint32_t row = 1; row < ROWS; row += 2)
            if (holed.score[row] == holed.score[row] || holed.anomaly[row] != 0)
                fail_msg("%s: a row without a value scores %g", t.name, (double)holed.score[row]);
    }
}

/* If it fails, a series that stands still alarms somebody, or nobody hears when it moves. */
static void constants_score_nothing_until_they_change(void **unused) {
    (void)unused;
    static const double level[] = {7.0, 0.1, 0.0, -0.0, 1e300, -1e300, 1e140, 1e-300, 5e-324};
    static series s;
    tried t;
    for (uint32_t d = 0; try_next(d, &t); d++)
        for (uint32_t i = 0; i < sizeof level / sizeof *level; i++) {
            make_noise(&s, 0.0, 0.0);
            for (uint32_t row = 0; row < ROWS; row++) s.value[row] = level[i];
            s.value[LEAVES] = fabs(level[i]) < 100.0 ? level[i] + 1.0 : 0.0;
            run(&t, &s);
            /* slim's calendars say that no deviation at all is likely, not that it is certain. */
            const double most = t.timed ? 0.001 : 0.0;
            for (uint32_t row = 0; row < LEAVES; row++)
                if (!((double)s.score[row] <= most))
                    fail_msg("%s: row %u of a constant %g scores %g", t.name, row, level[i],
                             (double)s.score[row]);
            const double least = t.vote ? 20.0 : t.timed ? 60.0 : (double)PS_SCORE_MAX;
            if (!((double)s.score[LEAVES] >= least && s.anomaly[LEAVES] == 1))
                fail_msg("%s: a constant %g leaves its value: %g", t.name, level[i],
                         (double)s.score[LEAVES]);
        }
}

static double extreme(uint32_t kind, uint32_t row, uint64_t *random) {
    const double u = uniform(random);
    switch (kind) {
    case 0:
        return row % 2 == 0 ? DBL_MAX : -DBL_MAX;
    case 1:
        return row % 50 == 49 ? 1e300 : 1e-300;
    case 2:
        return (u - 0.5) * 1e-200;
    case 3:
        return row % 2 == 0 ? 5e-324 : -5e-324;
    case 4:
        return ldexp(u - 0.5, (int)(row * 7919u % 2000u) - 1000); /* every size */
    case 5:
        return ldexp(1.0, (int)row - 700); /* grows without end */
    case 6:
        return row < 700 ? 1e300 : 1e-300;
    default:
        return 1.0 + DBL_EPSILON * (double)(row % 3); /* less than rounding */
    }
}
enum { EXTREMES = 8 };

/* If it fails, a value that is a number breaks the scale. */
static void extremes_score_on_the_scale(void **unused) {
    (void)unused;
    static series s;
    tried t;
    for (uint32_t d = 0; try_next(d, &t); d++)
        for (uint32_t kind = 0; kind < EXTREMES; kind++) {
            uint64_t random = 3;
            make_noise(&s, 0.0, 1.0);
            for (uint32_t row = 0; row < ROWS; row++) s.value[row] = extreme(kind, row, &random);
            run(&t, &s);
            for (uint32_t row = 0; row < ROWS; row++)
                if (!(s.score[row] >= 0.0f && s.score[row] <= (float)PS_SCORE_MAX))
                    fail_msg("%s: extremes %u, row %u scores %g", t.name, kind, row,
                             (double)s.score[row]);
        }
}

/* If it fails, a series of one value has an anomaly, even where nobody asks for a warm-up. */
static void one_value_scores_nothing(void **unused) {
    (void)unused;
    static const double values[] = {0.0, 7.0, -1e300, 1e-300, DBL_MAX, 5e-324};
    static series s;
    tried t;
    for (uint32_t d = 0; try_next(d, &t); d++)
        for (uint32_t i = 0; i < sizeof values / sizeof *values; i++) {
            t.config.warmup = 1;
            s.count = 1;
            s.time_ns[0] = clock_of(0);
            s.value[0] = values[i];
            run(&t, &s);
            if (!((double)s.score[0] <= (t.timed ? 0.001 : 0.0)) || s.anomaly[0] != 0)
                fail_msg("%s: one value, %g, scores %g", t.name, values[i], (double)s.score[0]);
        }
}

static int64_t odd_clock(uint32_t kind, uint32_t row) {
    static const int64_t far[] = {INT64_MIN, INT64_MAX, 0, -1, 1};
    switch (kind) {
    case 0:
        return clock_of(0); /* the same again and again */
    case 1:
        return clock_of(ROWS - row); /* backwards */
    case 2:
        return clock_of(row + row / 100 * 1000000); /* gaps of ten years */
    case 3:
        return clock_of(row % 3 == 2 ? row - 2 : row);
    default:
        return far[row % 5];
    }
}
enum { CLOCKS = 5 };

/* If it fails, a clock that is wrong changes scores that no clock belongs to, or breaks others. */
static void clocks_that_are_wrong_change_what_asks_them(void **unused) {
    (void)unused;
    static series s, plain;
    tried t;
    for (uint32_t d = 0; try_next(d, &t); d++)
        for (uint32_t kind = 0; kind < CLOCKS; kind++) {
            make_noise(&plain, 50.0, 1.0);
            make_noise(&s, 50.0, 1.0);
            for (uint32_t row = 0; row < ROWS; row++) s.time_ns[row] = odd_clock(kind, row);
            run(&t, &plain);
            run(&t, &s);
            for (uint32_t row = 0; row < ROWS; row++)
                if (!(s.score[row] >= 0.0f && s.score[row] <= (float)PS_SCORE_MAX))
                    fail_msg("%s: clock %u, row %u scores %g", t.name, kind, row,
                             (double)s.score[row]);
            if (!t.timed && memcmp(s.score, plain.score, sizeof s.score) != 0)
                fail_msg("%s: clock %u changes scores", t.name, kind);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_number_is_not_there),
        cmocka_unit_test(constants_score_nothing_until_they_change),
        cmocka_unit_test(extremes_score_on_the_scale), cmocka_unit_test(one_value_scores_nothing),
        cmocka_unit_test(clocks_that_are_wrong_change_what_asks_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
