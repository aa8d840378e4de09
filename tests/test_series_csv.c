/* SPDX-License-Identifier: Apache-2.0
 * Files of `timestamp,value`: what is read, and that a fault names its file and line.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/series_csv.h"

static char path[] = "/tmp/penstock-series.XXXXXX";

static int make_file(void **unused) {
    (void)unused;
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int drop_file(void **unused) {
    (void)unused;
    return unlink(path);
}

static void write_file(const char *text) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* The status of the first thing that is not a row; rows counted, the last one kept. */
static ps_status read_file(const char *text, uint32_t *rows, ps_series_row *last, char *message) {
    ps_series_csv csv;
    ps_error error = {{0}};
    write_file(text);
    *rows = 0;
    assert_int_equal(ps_series_csv_init(&csv, NULL), PS_OK);
    ps_status status = ps_series_csv_open(&csv, path, &error);
    while (status == PS_OK) {
        ps_series_row row;
        status = ps_series_csv_next(&csv, &row, &error);
        if (status != PS_OK) break;
        *last = row;
        *rows += 1;
    }
    ps_series_csv_deinit(&csv);
    if (message != NULL) (void)snprintf(message, 512, "%s", error.message);
    return status;
}

static void time_is(const char *text, int64_t expected_ms) {
    int64_t ns = 0;
    if (!ps_series_time((ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)}, &ns))
        fail_msg("'%s' is not read", text);
    assert_true(ns == expected_ms * 1000000);
}

static void times_of_every_form(void **unused) {
    (void)unused;
    int64_t ns;
    time_is("2014-04-01 00:05:00", INT64_C(1396310700000));
    time_is("2014-04-01T00:05:00", INT64_C(1396310700000));
    time_is("2014-04-01 00:05:00.250000", INT64_C(1396310700250));
    time_is("2014-04-01T02:05:00+02:00", INT64_C(1396310700000));
    time_is("2014-04-01 00:05", INT64_C(1396310700000));
    time_is("2014-04-01", INT64_C(1396310400000));
    time_is("1396310700", INT64_C(1396310700000));
    time_is("1396310700.5", INT64_C(1396310700500));
    time_is("1396310700250", INT64_C(1396310700250));
    static const char *const wrong[] = {"",      "today",      "2014-04-31", "2014-04-01 25:00:00",
                                        "1e400", "1396310700x"};
    for (uint32_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(
            ps_series_time((ps_bytes){(const uint8_t *)wrong[i], (uint32_t)strlen(wrong[i])}, &ns));
}

static void rows_are_read(void **unused) {
    (void)unused;
    uint32_t rows;
    ps_series_row row;
    assert_int_equal(read_file("\xef\xbb\xbf"
                               "Timestamp, value\r\n1,2\r\n\r\n 2 ,\"-3.5e2\",more",
                               &rows, &row, NULL),
                     PS_END);
    assert_int_equal(rows, 2);
    assert_true(row.value == -350.0);
    assert_true(row.time_ns == 2000000000);
}

/* If it fails, a row without a number stops a file, or counts as 0. */
static void no_value_is_a_row(void **unused) {
    (void)unused;
    static const char *const words[] = {"", " ", "NaN", "-inf", "Infinity", "null", "1e400"};
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[64];
        uint32_t rows;
        ps_series_row row;
        (void)snprintf(text, sizeof text, "timestamp,value\n1,%s\n", words[i]);
        assert_int_equal(read_file(text, &rows, &row, NULL), PS_END);
        assert_int_equal(rows, 1);
        assert_true(isnan(row.value));
    }
}

static void faults_name_file_and_line(void **unused) {
    (void)unused;
    static const char *const faults[][2] = {
        {"", ":1: the first line must be timestamp,value"},
        {"time,x\n", ":1: the first line must be timestamp,value"},
        {"timestamp,value\n\n1\n", ":3: line '1' is not timestamp,value"},
        {"timestamp,value\n1,2\n1,x2\n", ":3: value 'x2' is not a number"},
        {"timestamp,value\n1,0x10\n", ":2: value '0x10' is not a number"},
        {"timestamp,value\nnow,2\n", ":2: timestamp 'now' is neither ISO 8601"}};
    for (uint32_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint32_t rows;
        ps_series_row row;
        char message[512], expected[512];
        assert_int_equal(read_file(faults[i][0], &rows, &row, message), PS_IO);
        (void)snprintf(expected, sizeof expected, "%s%s", path, faults[i][1]);
        if (strncmp(message, expected, strlen(expected)) != 0)
            fail_msg("'%s', not '%s'", message, expected);
    }
    static char text[PS_SERIES_LINE_MAX + 100];
    uint32_t rows;
    ps_series_row row;
    char message[512];
    const int begin = snprintf(text, sizeof text, "timestamp,value\n1,");
    memset(text + begin, '1', sizeof text - (size_t)begin - 1);
    assert_int_equal(read_file(text, &rows, &row, message), PS_IO);
    assert_non_null(strstr(message, ":2: "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_every_form), cmocka_unit_test(rows_are_read),
        cmocka_unit_test(no_value_is_a_row), cmocka_unit_test(faults_name_file_and_line)};
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
