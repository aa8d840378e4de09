/* SPDX-License-Identifier: Apache-2.0
 * Warm states as `penstock score --save-state` writes them and --load-state reads them, with every
 * detector of the table: what is scored in two halves scores as if it were one, and no file of
 * anything else is believed. Lanes that begin from one: tests/test_lane_device.c, test_replay.c.
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

#include "host/base/clock.h"
#include "ml/detector.h"
#include "ml/solo.h"

enum { ROWS = 1200, HALF = 490 }; /* a series is quiet there, and spikes once more before it ends */

static char folder[] = "/tmp/penstock-test-warm.XXXXXX", path[64], part[70];

static int make_folder(void **unused) {
    (void)unused;
    if (mkdtemp(folder) == NULL) return -1;
    (void)snprintf(path, sizeof path, "%s/state", folder);
    (void)snprintf(part, sizeof part, "%s.part", path);
    return 0;
}

static int remove_folder(void **unused) {
    (void)unused;
    (void)unlink(path);
    return rmdir(folder); /* so that nothing else is left */
}

typedef struct series {
    int64_t time_ns[ROWS];
    double value[ROWS];
    float score[ROWS];
    uint8_t anomaly[ROWS];
} series;

/* A daily rhythm, noise, spikes, and now and then no value. */
static series *make(uint64_t random) {
    series *s = calloc(1, sizeof *s);
    for (uint32_t i = 0; i < ROWS; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        s->time_ns[i] = INT64_C(1700000000000000000) + i * INT64_C(900000000000);
        s->value[i] = 50.0 + (i % 96 < 48 ? i % 96 : 96 - i % 96) / 4.0 +
                      (double)(random >> 40) * 0x1p-24 + (i % 97 == 96 || i % 97 == 8 ? 40 : 0);
        if (random >> 33 == 0 || i % 71 == 70) s->value[i] = NAN;
    }
    return s;
}

static ps_detect_config config_of(const ps_detector *detector) {
    ps_detect_config config = {0};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.detectors = (ps_string_list){&detector->name, 1};
    config.threshold = 2.0;
    if (strcmp(detector->name, "holt_winters") == 0) config.season = 24;
    config.quiet_ns = INT64_C(3600) * PS_NS_PER_S * 4;
    return config;
}

static ps_solo *open_solo(const ps_detect_config *config) {
    ps_solo *solo = NULL;
    ps_error error = {""};
    if (ps_solo_open(config, 64, &solo, &error) != PS_OK) fail_msg("%s", error.message);
    return solo;
}

static void run(ps_solo *solo, series *s, uint32_t first, uint32_t count) {
    const ps_solo_rows rows = {count, s->time_ns + first, s->value + first, s->score + first,
                               s->anomaly + first};
    ps_solo_run(solo, &rows);
}

/* The state of some series after their first half, in the file. */
static void save_halves(const ps_detect_config *config, series *const *all, uint32_t count) {
    ps_solo *solo = open_solo(config);
    ps_warm_writer *writer = NULL;
    assert_int_equal(ps_solo_writer(solo, path, &writer, NULL), PS_OK);
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "web-%u", i);
        assert_false(ps_solo_restart_as(solo, name));
        run(solo, all[i], 0, HALF);
        assert_int_equal(ps_solo_save(solo, writer, NULL), PS_OK);
    }
    assert_int_equal(ps_warm_writer_finish(writer, NULL), PS_OK);
    ps_warm_writer_close(writer);
    ps_solo_close(solo);
}

/* If it fails, a deployment that begins warm scores other than one that has run all the time. */
static void halves_make_a_whole(void **unused) {
    (void)unused;
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        ps_detect_config config = config_of(d);
        series *all[3], *whole[3];
        ps_solo *solo = open_solo(&config);
        for (uint32_t i = 0; i < 3; i++) {
            all[i] = make(i);
            whole[i] = make(i);
            ps_solo_restart(solo);
            run(solo, whole[i], 0, ROWS);
        }
        ps_solo_close(solo);
        save_halves(&config, all, 3);
        config.warm_state = path;
        solo = open_solo(&config);
        for (uint32_t i = 3; i-- > 0;) {
            char name[16];
            (void)snprintf(name, sizeof name, "web-%u", i);
            assert_true(ps_solo_restart_as(solo, name));
            run(solo, all[i], HALF, ROWS - HALF);
            if (memcmp(all[i]->score, whole[i]->score, sizeof all[i]->score) != 0 ||
                memcmp(all[i]->anomaly, whole[i]->anomaly, sizeof all[i]->anomaly) != 0)
                fail_msg("%s: series %u scores otherwise in two halves", d->name, i);
            free(all[i]);
            free(whole[i]);
        }
        ps_solo_close(solo);
    }
}

/* If it fails, a series takes over what another one knows. */
static void others_begin_blind(void **unused) {
    (void)unused;
    ps_detect_config config = config_of(ps_detector_find("ewma"));
    series *first = make(1), *blind = make(2), *other = make(2);
    ps_solo *solo = open_solo(&config);
    run(solo, blind, 0, ROWS);
    ps_solo_close(solo);
    save_halves(&config, &first, 1);
    config.warm_state = path;
    solo = open_solo(&config);
    assert_false(ps_solo_restart_as(solo, "web-7"));
    run(solo, other, 0, ROWS);
    assert_memory_equal(blind->score, other->score, sizeof blind->score);
    assert_true(ps_solo_restart_as(solo, "web-0"));
    run(solo, other, 0, ROWS);
    assert_memory_not_equal(blind->score, other->score, sizeof blind->score);
    ps_solo_close(solo);
    free(first);
    free(blind);
    free(other);
}

static void refused(const ps_detect_config *config, ps_status status, const char *why) {
    ps_solo *solo = NULL;
    ps_error error = {""};
    assert_int_equal(ps_solo_open(config, 64, &solo, &error), status);
    if (strstr(error.message, why) == NULL || strstr(error.message, path) == NULL)
        fail_msg("wanted '%s' in: %s", why, error.message);
}

/* If it fails, a state is read as what it is not, and the scores look right. */
static void what_differs_is_said(void **unused) {
    (void)unused;
    static const char *const two[] = {"ewma", "zscore"};
    ps_detect_config config = config_of(ps_detector_find("ewma"));
    series *s = make(3);
    save_halves(&config, &s, 1);
    config.warm_state = path;
    ps_detect_config other = config;
    other.span = 50;
    refused(&other, PS_BAD_CONFIG, "ewma was run with span=288 there, and has span=50 here");
    other = config_of(ps_detector_find("zscore"));
    other.warm_state = path;
    refused(&other, PS_BAD_CONFIG, "is the state of detectors ewma, and this stage has zscore");
    other = config;
    other.detectors = (ps_string_list){two, 2};
    refused(&other, PS_BAD_CONFIG, "detectors ewma, and this stage has ewma, zscore");
    other.warm_state = NULL;
    save_halves(&other, &s, 1);
    refused(&config, PS_BAD_CONFIG, "detectors ewma, zscore, and this stage has ewma");
    /* What only decides about scores is no part of it, and quiet need not be on both sides. */
    other = config;
    other.warm_state = NULL;
    other.quiet_ns = 0;
    save_halves(&other, &s, 1);
    other = config;
    other.threshold = 7.0;
    ps_solo_close(open_solo(&other));
    other.warm_state = NULL;
    save_halves(&other, &s, 1);
    other.warm_state = path;
    other.quiet_ns = 0;
    ps_solo_close(open_solo(&other));
    free(s);
}

static size_t slurp(uint8_t *to, size_t most) {
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    const size_t bytes = fread(to, 1, most, in);
    (void)fclose(in);
    return bytes;
}

static void spill(const void *bytes, size_t count) {
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, count, out), count);
    assert_int_equal(fclose(out), 0);
}

/* If it fails, a file that a disk or a copy has harmed is believed. */
static void harmed_files_are_refused(void **unused) {
    (void)unused;
    ps_detect_config config = config_of(ps_detector_find("ewma"));
    uint8_t good[4096], bad[4096];
    series *all[2] = {make(4), make(5)};
    save_halves(&config, all, 2);
    config.warm_state = path;
    const size_t bytes = slurp(good, sizeof good);
    assert_in_range(bytes, 100, sizeof good - 1);
    for (size_t i = 0; i <= bytes; i++) {
        ps_solo *solo = NULL;
        memcpy(bad, good, bytes);
        if (i < bytes) bad[i] ^= (uint8_t)(1u << i % 8);
        spill(bad, i < bytes ? bytes : bytes + 8); /* and one that is too long */
        if (ps_solo_open(&config, 64, &solo, NULL) == PS_OK) fail_msg("byte %zu is not checked", i);
        spill(good, i);
        if (i < bytes && ps_solo_open(&config, 64, &solo, NULL) == PS_OK)
            fail_msg("%zu of %zu bytes are taken for all", i, bytes);
    }
    spill("penstock warm state 2\n", 22);
    refused(&config, PS_BAD_CONFIG, "is a warm state of format 2, and this penstock reads 1");
    spill("timestamp,value\n", 16);
    refused(&config, PS_IO, "is no warm state");
    free(all[0]);
    free(all[1]);
}

/* If it fails, a file is there that is not whole, or what was there is gone without a new one. */
static void only_a_whole_file_is_there(void **unused) {
    (void)unused;
    const ps_detect_config config = config_of(ps_detector_find("cusum"));
    ps_solo *solo = open_solo(&config);
    ps_warm_writer *writer = NULL;
    struct stat about;
    spill("before", 6);
    assert_int_equal(ps_solo_writer(solo, path, &writer, NULL), PS_OK);
    assert_int_equal(stat(part, &about), 0);
    ps_warm_writer_close(writer);
    assert_int_not_equal(stat(part, &about), 0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 6);
    ps_solo_close(solo);
}

/* If it fails, planes of a state mean something else than when its row was written here: raise
 * `format` of the detector's row in ml/detector_table.c, or older files are read as what they are
 * not, and put the new line here. */
static const struct {
    const char *name;
    uint32_t format;
    uint64_t sum;
} layouts[] = {
    {"ewma", 0, UINT64_C(0x099581da7a515ed6)},
    {"zscore", 0, UINT64_C(0x34ffd35290ac8b34)},
    {"cusum", 0, UINT64_C(0xc8d9422720ea1f18)},
    {"hampel", 0, UINT64_C(0xf6a494c0f4295810)},
    {"mzscore", 0, UINT64_C(0xd48a15f223970c62)},
    {"iqr", 0, UINT64_C(0xb26746133153aa21)},
    {"holt_winters", 0, UINT64_C(0x9c817664fb8920c4)},
    {"slim", 0, UINT64_C(0xd129d0bebb19aabc)},
    {"discord", 0, UINT64_C(0x15ae2fa3a147222c)},
    {"half_space_trees", 0, UINT64_C(0xdfafc209c3687c1d)},
    {"prototype", 0, UINT64_C(0x8a88d03338bf28be)},
    {"spectral_residual", 0, UINT64_C(0x105065eef04d22e2)},
};

static void formats_stand_for_layouts(void **unused) {
    (void)unused;
    uint32_t wrong = 0;
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        static uint8_t bytes[65536];
        const ps_detect_config config = config_of(d);
        series *s = make(6);
        uint64_t sum = UINT64_C(14695981039346656037);
        uint32_t i = 0;
        save_halves(&config, &s, 1);
        const size_t count = slurp(bytes, sizeof bytes);
        const uint8_t *begin = memchr(bytes, '\0', count); /* behind the head */
        for (const uint8_t *p = begin; p < bytes + count; p++)
            sum = (sum ^ *p) * UINT64_C(1099511628211);
        while (i < sizeof layouts / sizeof *layouts && strcmp(layouts[i].name, d->name) != 0) i++;
        free(s);
        if (i < sizeof layouts / sizeof *layouts && layouts[i].format == d->format &&
            layouts[i].sum == sum)
            continue;
        print_error("{\"%s\", %u, UINT64_C(0x%016llx)},\n", d->name, d->format,
                    (unsigned long long)sum);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_make_a_whole),        cmocka_unit_test(others_begin_blind),
        cmocka_unit_test(what_differs_is_said),       cmocka_unit_test(harmed_files_are_refused),
        cmocka_unit_test(only_a_whole_file_is_there), cmocka_unit_test(formats_stand_for_layouts)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
