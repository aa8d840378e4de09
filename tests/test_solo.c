/* SPDX-License-Identifier: Apache-2.0
 * A detect stage over one series, as `penstock score` runs it, with every detector of the table: a
 * score depends on the values before it alone, and is a number of the scale whatever they are.
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

enum { ROWS = 2500 };

typedef struct series {
    int64_t time_ns[ROWS];
    double value[ROWS];
    float score[ROWS];
    uint8_t anomaly[ROWS];
} series;

static series *make(bool wild) {
    static const double odd[] = {0.0,  -0.0,    1e300,    -1e300,   1e-300,    5e-324,
                                 1e17, DBL_MAX, -DBL_MAX, INFINITY, -INFINITY, NAN};
    series *s = calloc(1, sizeof *s);
    uint64_t random = 5;
    for (uint32_t i = 0; i < ROWS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        s->time_ns[i] = INT64_C(1700000000000000000) + i * INT64_C(300000000000);
        s->value[i] = 50.0 + (double)(random >> 40) * 0x1p-24 + (i % 397 == 396 ? 30.0 : 0.0);
        if (wild && (random >> 33) % 7 == 0) s->value[i] = odd[(random >> 45) % 12];
        if (wild && i % 11 == 0 && i > 0) s->time_ns[i] = s->time_ns[i - 1] - i; /* backwards */
        if (wild && i > 1500) s->value[i] = 7.0;
    }
    return s;
}

static ps_solo *open_solo(const ps_detector *detector, uint32_t batch_rows) {
    ps_detect_config config = {0};
    ps_solo *solo = NULL;
    ps_error error = {0};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.detectors = (ps_string_list){&detector->name, 1};
    if (ps_solo_open(&config, batch_rows, &solo, &error) != PS_OK) fail_msg("%s", error.message);
    return solo;
}

static void run(ps_solo *solo, series *s, uint32_t first, uint32_t count) {
    const ps_solo_rows rows = {count, s->time_ns + first, s->value + first, s->score + first,
                               s->anomaly + first};
    ps_solo_run(solo, &rows);
}

/* If it fails, what a file scores is not what the same values score in Kafka. */
static void scores_do_not_depend_on_batches(void **unused) {
    (void)unused;
    static const uint32_t sizes[] = {1, 7, 64, ROWS};
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++)
        for (uint32_t wild = 0; wild < 2; wild++) {
            series *s = make(wild != 0), *other = make(wild != 0);
            ps_solo *solo = open_solo(d, 1024);
            run(solo, s, 0, ROWS);
            ps_solo_close(solo);
            for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                solo = open_solo(d, sizes[i]);
                run(solo, other, 0, 1000);
                run(solo, other, 1000, ROWS - 1000);
                ps_solo_close(solo);
                assert_memory_equal(s->score, other->score, sizeof s->score);
                assert_memory_equal(s->anomaly, other->anomaly, sizeof s->anomaly);
            }
            free(s);
            free(other);
        }
}

/* If it fails, a detector knows what comes after a row, or what another series was. */
static void scores_depend_on_the_past_alone(void **unused) {
    (void)unused;
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        series *s = make(false), *half = make(false);
        ps_solo *solo = open_solo(d, 256);
        run(solo, s, 0, ROWS);
        ps_solo_restart(solo);
        run(solo, half, 0, ROWS / 2);
        ps_solo_close(solo);
        assert_memory_equal(s->score, half->score, ROWS / 2 * sizeof *s->score);
        free(s);
        free(half);
    }
}

/* If it fails, a value breaks the scale or the state behind it. */
static void scores_are_of_the_scale(void **unused) {
    (void)unused;
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        series *s = make(true);
        ps_solo *solo = open_solo(d, 512);
        run(solo, s, 0, ROWS);
        ps_solo_close(solo);
        for (uint32_t i = 0; i < ROWS; i++) {
            const bool there = isfinite(s->value[i]) != 0;
            const float x = s->score[i];
            if (there ? !(x >= 0.0f && x <= (float)PS_SCORE_MAX) : x == x)
                fail_msg("%s: row %u, value %g scores %g", d->name, i, s->value[i], (double)x);
            if (there) continue;
            assert_int_equal(s->anomaly[i], 0);
        }
        free(s);
    }
}

/* If it fails, a spike of thirty deviations is no anomaly, or half of the noise is one. Detectors
 * of long changes need not see one row. */
static void spikes_are_found(void **unused) {
    (void)unused;
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        series *s = make(false);
        ps_solo *solo = open_solo(d, 512);
        uint32_t found = 0, others = 0;
        run(solo, s, 0, ROWS);
        assert_true(ps_solo_threshold(solo) == (d->threshold[0] > 0 ? d->threshold[0] : 6.0));
        ps_solo_close(solo);
        for (uint32_t i = 0; i < ROWS; i++) *(i % 397 == 396 ? &found : &others) += s->anomaly[i];
        /* The second spike is a shape that discord has seen. */
        if (found < (strcmp(d->name, "discord") == 0 ? 1u : 4u) || others > ROWS / 50)
            fail_msg("%s: %u of 6 spikes, %u other rows", d->name, found, others);
        free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scores_do_not_depend_on_batches),
                                       cmocka_unit_test(scores_depend_on_the_past_alone),
                                       cmocka_unit_test(scores_are_of_the_scale),
                                       cmocka_unit_test(spikes_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
