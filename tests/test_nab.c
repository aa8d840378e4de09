/* SPDX-License-Identifier: Apache-2.0
 * The benchmark's scorer. The expected figures are an independent scorer's (numpy), which
 * reproduces the published ones of fifteen detectors: if a test here fails, what docs/detection.md
 * says cannot be compared with what others publish.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/detect.h"
#include "host/base/clock.h"
#include "ml/solo.h"

#define FOLDER "tests/golden/nab"

static ps_nab *open_nab(void) {
    ps_nab *nab = NULL;
    ps_error error = {0};
    if (ps_nab_open(FOLDER, &nab, &error) != PS_OK) fail_msg("%s", error.message);
    return nab;
}

static void is_near(double got, double expected, const char *what) {
    if (!(fabs(got - expected) < 0.01)) fail_msg("%s: %.4f, not %.4f", what, got, expected);
}

/* Figures that have many ties, so that the order of equal scores would show. */
static float **plain_scores(const ps_nab *nab) {
    float **score = calloc(nab->files, sizeof *score);
    for (uint32_t i = 0; i < nab->files; i++) {
        score[i] = calloc(nab->file[i].rows, sizeof *score[i]);
        for (uint32_t row = 0; row < nab->file[i].rows; row++)
            score[i][row] = (float)(row * 37 % 101) * (row % 3 != 0 ? 1.0f : 0.5f);
    }
    return score;
}

static void free_scores(const ps_nab *nab, float **score) {
    for (uint32_t i = 0; i < nab->files; i++) free(score[i]);
    free(score);
}

static void reads_the_folder(void **unused) {
    (void)unused;
    ps_nab *nab = open_nab();
    assert_int_equal(nab->files, 4);
    assert_int_equal(nab->rows, 1243 + 1624 + 1882 + 1127);
    const ps_nab_file *speed = &nab->file[3];
    assert_string_equal(speed->name, "realTraffic/speed_7578.csv");
    assert_int_equal(speed->windows, 4);
    assert_int_equal(speed->probation, 169);
    assert_int_equal(speed->window[1].first, 740);
    assert_int_equal(speed->window[1].last, 768);
    ps_nab_close(nab);
}

/* At given thresholds, and at the best of all. */
static void points_are_the_oracles(void **unused) {
    (void)unused;
    static const double thresholds[] = {100.0, 97.5, 50.0};
    static const double expected[][PS_NAB_PROFILES] = {{3.119515, -13.717661, 9.487084},
                                                       {-16.308536, -70.146866, 3.942458},
                                                       {-778.950554, -1657.780129, -485.967036}};
    static const ps_nab_best best[PS_NAB_PROFILES] = {
        {3.842884, 99.0}, {0.0, HUGE_VAL}, {33.704489, 96.0}};
    ps_nab *nab = open_nab();
    float **score = plain_scores(nab);
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++) {
        ps_nab_best found;
        for (uint32_t t = 0; t < 3; t++) {
            double points = 0.0;
            for (uint32_t i = 0; i < nab->files; i++)
                points += ps_nab_points(&nab->file[i], score[i], thresholds[t], (ps_nab_profile)p);
            is_near(ps_nab_score(nab, points, (ps_nab_profile)p), expected[t][p], "a threshold");
        }
        assert_int_equal(
            ps_nab_optimum(nab, (const float *const *)score, (ps_nab_profile)p, &found, NULL),
            PS_OK);
        is_near(found.score, best[p].score, "the best threshold");
        assert_true(found.threshold == best[p].threshold);
    }
    free_scores(nab, score);
    ps_nab_close(nab);
}

static void detectors_score_what_the_oracle_says(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        double best[PS_NAB_PROFILES];
    } expected[] = {{"ewma", {41.0976, 35.1118, 45.9470}}, {"zscore", {41.2544, 36.0771, 46.0214}}};
    ps_nab *nab = open_nab();
    for (uint32_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ps_detect_config config = {0};
        ps_detect_nab found;
        ps_options_preset(ps_stage_detect.about.options, &config);
        config.detectors = (ps_string_list){&expected[i].name, 1};
        assert_int_equal(ps_detect_on_nab(nab, &config, &found, NULL), PS_OK);
        for (uint32_t p = 0; p < PS_NAB_PROFILES; p++) {
            is_near(found.best[p].score, expected[i].best[p], expected[i].name);
            /* Chosen elsewhere, a threshold is not better than the best one of all. */
            assert_true(found.held_out[p] <= found.best[p].score);
        }
    }
    ps_nab_close(nab);
}

/* Breaks if the shipped vote, which is quiet after an alert and scores 20 at most, cannot be judged
 * at thresholds beyond that. */
static void vote_is_judged_at_every_threshold(void **unused) {
    (void)unused;
    ps_nab *nab = open_nab();
    ps_detect_config config = {0};
    ps_detect_nab found;
    ps_error error = {""};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.detectors = ps_detector_vote;
    config.weights = ps_detector_weights;
    config.quiet_ns = INT64_C(12) * 3600 * PS_NS_PER_S;
    const uint32_t files = nab->files;
    nab->files = 1; /* enough, and quick */
    if (ps_detect_on_nab(nab, &config, &found, &error) != PS_OK) fail_msg("%s", error.message);
    assert_true(found.best[0].threshold <= 20.0);
    nab->files = files;
    ps_nab_close(nab);
}

static void score_rows(const ps_detect_config *config, const ps_nab_file *file, uint32_t count,
                       float *score, uint8_t *anomaly) {
    ps_solo *solo = NULL;
    ps_error error = {""};
    if (ps_solo_open(config, 1000, &solo, &error) != PS_OK) fail_msg("%s", error.message);
    ps_solo_run(solo, &(ps_solo_rows){.count = count, file->time_ns, file->value, score, anomaly});
    ps_solo_close(solo);
}

/* The first half of a file, scored alone, against the same rows of the whole. */
static void first_half_is_the_same(const ps_detect_config *config, const ps_nab_file *file) {
    const uint32_t half = file->rows / 2;
    float *const whole = calloc(file->rows, sizeof *whole), *const part =
                                                                calloc(half, sizeof *part);
    uint8_t *const said = calloc(file->rows, 1), *const said_of_part = calloc(half, 1);
    score_rows(config, file, file->rows, whole, said);
    score_rows(config, file, half, part, said_of_part);
    const bool same = memcmp(whole, part, half * sizeof *part) == 0;
    if (!same || memcmp(said, said_of_part, half) != 0)
        fail_msg("%s, %s: the first half alone has other scores", config->detectors.at[0],
                 file->name);
    free(whole);
    free(part);
    free(said);
    free(said_of_part);
}

/* Breaks if any detector, either preset, or the shipped vote with its silence, knows what comes. */
static void detectors_do_not_know_what_comes(void **unused) {
    (void)unused;
    ps_nab *nab = open_nab();
    for (uint32_t i = 0; i < nab->files; i++)
        for (const ps_detector *d = ps_detectors;; d++) {
            for (uint32_t preset = 0; preset < PS_DETECT_PRESETS; preset++) {
                ps_detect_config config = {0};
                ps_options_preset(ps_stage_detect.about.options, &config);
                config.detectors =
                    d->name == NULL ? ps_detector_vote : (ps_string_list){&d->name, 1};
                if (d->name == NULL) config.weights = ps_detector_weights;
                config.preset = preset;
                config.quiet_ns = preset * INT64_C(12) * 3600 * PS_NS_PER_S;
                first_half_is_the_same(&config, &nab->file[i]);
            }
            if (d->name == NULL) break;
        }
    ps_nab_close(nab);
}

/* A file made by hand: what counts, what does not. */
static void rules_hold(void **unused) {
    (void)unused;
    enum { ROWS = 100, FIRST = 40, LAST = 49 };
    static int64_t time_ns[ROWS];
    static double weight[ROWS];
    static uint32_t inside[ROWS];
    static float score[ROWS];
    ps_nab_window window = {FIRST, LAST, 0, 0};
    char name[] = "made";
    ps_nab_file file = {.name = name,
                        .rows = ROWS,
                        .time_ns = time_ns,
                        .window = &window,
                        .windows = 1,
                        .inside = inside,
                        .weight = weight};
    const ps_nab nab = {&file, 1, ROWS};
    for (uint32_t row = 0; row < ROWS; row++) time_ns[row] = row;
    assert_int_equal(ps_nab_file_weigh(&file, NULL), PS_OK);
    assert_int_equal(file.probation, 15);
    const double miss = ps_nab_points(&file, score, 0.5, PS_NAB_LOW_FN);
    assert_true(miss == -2.0);
    assert_true(ps_nab_score(&nab, miss, PS_NAB_LOW_FN) == 0.0);
    score[14] = (float)NAN; /* probation, and not a number */
    score[FIRST] = score[LAST] = 1.0f;
    is_near(ps_nab_score(&nab, ps_nab_points(&file, score, 1.0, PS_NAB_STANDARD), PS_NAB_STANDARD),
            100.0, "the first row of the window");
    assert_true(ps_nab_points(&file, score, 1.5, PS_NAB_STANDARD) == -1.0);
    score[20] = 1.0f; /* before any window it costs the full weight */
    is_near(ps_nab_points(&file, score, 1.0, PS_NAB_LOW_FP), 1.0 - 0.22, "a false alarm");
    window.begin_ns = 39;
    window.end_ns = 1000;
    ps_error error;
    assert_int_equal(ps_nab_file_weigh(&file, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "made: label 0"));
}

/* If it fails, long files are judged on rows that others leave out. */
static void probation_ends(void **unused) {
    (void)unused;
    static const struct {
        uint32_t rows, probation;
    } expected[] = {{0, 0}, {6, 0}, {7, 1}, {4999, 749}, {5000, 750}, {6000, 750}};
    for (uint32_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ps_nab_file file = {.rows = expected[i].rows};
        file.inside = calloc(file.rows + 1, sizeof *file.inside);
        file.weight = calloc(file.rows + 1, sizeof *file.weight);
        assert_int_equal(ps_nab_file_weigh(&file, NULL), PS_OK);
        assert_int_equal(file.probation, expected[i].probation);
        free(file.inside);
        free(file.weight);
    }
}

static void write_scores(const ps_nab_file *file, ps_solo *solo, const char *folder) {
    char path[256];
    float *score = calloc(file->rows, sizeof *score);
    uint8_t *anomaly = calloc(file->rows, 1);
    const ps_solo_rows rows = {file->rows, file->time_ns, file->value, score, anomaly};
    ps_solo_restart(solo);
    ps_solo_run(solo, &rows);
    (void)snprintf(path, sizeof path, "%s/%s", folder, file->name);
    *strrchr(path, '/') = '\0';
    (void)mkdir(path, 0700); /* the second file of a category finds it */
    (void)snprintf(path, sizeof path, "%s/%s", folder, file->name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    (void)fprintf(out, "timestamp,value\n");
    for (uint32_t i = 0; i < file->rows; i++) (void)fprintf(out, "%u,%.9g\n", i, (double)score[i]);
    assert_int_equal(fclose(out), 0);
    free(score);
    free(anomaly);
}

static void remove_scores(const ps_nab *nab, const char *folder) {
    char path[256];
    for (uint32_t turn = 0; turn < 2; turn++) /* folders behind the files in them */
        for (uint32_t i = 0; i < nab->files; i++) {
            (void)snprintf(path, sizeof path, "%s/%s", folder, nab->file[i].name);
            if (turn == 1) *strrchr(path, '/') = '\0';
            (void)remove(path);
        }
    assert_int_equal(rmdir(folder), 0);
}

/* If it fails, a program beside which ours are measured gets other points than it has earned. */
static void scores_of_others_are_judged_alike(void **unused) {
    (void)unused;
    static const char *const names[] = {"zscore"};
    char folder[] = "/tmp/penstock-nab.XXXXXX";
    ps_nab *nab = NULL;
    ps_solo *solo = NULL;
    ps_detect_config config = {0};
    ps_detect_nab own, other;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(ps_nab_open(FOLDER, &nab, NULL), PS_OK);
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.detectors = (ps_string_list){names, 1};
    assert_int_equal(ps_detect_on_nab(nab, &config, &own, NULL), PS_OK);
    assert_int_equal(ps_solo_open(&config, 512, &solo, NULL), PS_OK);
    for (uint32_t i = 0; i < nab->files; i++) write_scores(&nab->file[i], solo, folder);
    ps_solo_close(solo);
    assert_int_equal(ps_detect_scores_on_nab(nab, folder, &other, NULL), PS_OK);
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++) {
        assert_true(own.best[p].score == other.best[p].score);
        assert_true(own.held_out[p] == other.held_out[p]);
    }
    assert_true(own.best[0].score > 0);
    nab->file[0].rows++;
    assert_int_equal(ps_detect_scores_on_nab(nab, folder, &other, NULL), PS_IO);
    nab->file[0].rows--;
    remove_scores(nab, folder);
    ps_nab_close(nab);
}

static void faults_have_names(void **unused) {
    (void)unused;
    ps_nab *nab = NULL;
    ps_error error = {0};
    assert_int_equal(ps_nab_open("tests/golden/nowhere", &nab, &error), PS_IO);
    assert_non_null(strstr(error.message, "tests/golden/nowhere/labels/combined_windows.json"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_the_folder),
                                       cmocka_unit_test(points_are_the_oracles),
                                       cmocka_unit_test(detectors_score_what_the_oracle_says),
                                       cmocka_unit_test(vote_is_judged_at_every_threshold),
                                       cmocka_unit_test(detectors_do_not_know_what_comes),
                                       cmocka_unit_test(rules_hold),
                                       cmocka_unit_test(probation_ends),
                                       cmocka_unit_test(scores_of_others_are_judged_alike),
                                       cmocka_unit_test(faults_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
