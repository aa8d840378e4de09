/* SPDX-License-Identifier: Apache-2.0
 * Text as people write it: numbers, durations, sizes, spelling; option rows that parse and
 * describe.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/log.h"
#include "host/base/options.h"
#include "host/base/text.h"

static void test_integers(void **state) {
    (void)state;
    int64_t value = 0;
    assert_true(ps_text_integer("0", &value) && value == 0);
    assert_true(ps_text_integer("-17", &value) && value == -17);
    assert_true(ps_text_integer("9223372036854775807", &value) && value == INT64_MAX);
    static const char *const wrong[] = {
        "", " 1", "1 ", "1.0", "1e3", "0x10", "9223372036854775808", "-", "auto", "--1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ps_text_integer(wrong[i], &value));
}

static void test_numbers(void **state) {
    (void)state;
    double value = 0;
    assert_true(ps_text_number("6", &value) && value == 6);
    assert_true(ps_text_number("-.5", &value) && value == -.5);
    assert_true(ps_text_number("1e3", &value) && value == 1000);
    static const char *const wrong[] = {"",   "nan",   "inf", "0x1p3", " 1",
                                        "1 ", "1e999", "one", "1,5"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ps_text_number(wrong[i], &value));
}

static void test_durations(void **state) {
    (void)state;
    static const struct {
        const char *text, *back;
        int64_t ns;
    } good[] = {{"0", "0s", 0},
                {"5ms", "5ms", 5000000},
                {"1.5s", "1500ms", 1500000000},
                {"2h", "2h", 7200000000000},
                {"60s", "1min", 60000000000},
                {"1m", "1min", 60000000000},
                {"7us", "7us", 7000},
                {"7µs", "7us", 7000},
                {"3ns", "3ns", 3},
                {"1d", "1d", 86400000000000}};
    char text[PS_TEXT_NUMBER_MAX];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ns = -1;
        assert_true(ps_text_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
        assert_string_equal(ps_text_from_duration(ns, text), good[i].back);
    }
    int64_t ns = 0;
    static const char *const wrong[] = {"", "5", "5 ms", "ms", "5mss", "1e20d", "5MS"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ps_text_duration(wrong[i], &ns));
}

static void test_sizes(void **state) {
    (void)state;
    static const struct {
        const char *text, *back;
        int64_t bytes;
    } good[] = {{"0", "0B", 0},
                {"4096", "4KiB", 4096},
                {"64kB", "64kB", 64000},
                {"512MiB", "512MiB", 536870912},
                {"1.5GiB", "1536MiB", 1610612736},
                {"17B", "17B", 17}};
    char text[PS_TEXT_NUMBER_MAX];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t bytes = -1;
        assert_true(ps_text_size(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
        assert_string_equal(ps_text_from_size(bytes, text), good[i].back);
    }
    int64_t bytes = 0;
    static const char *const wrong[] = {"", "5 MB", "MB", "5mb", "1.5", "9999999TiB"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ps_text_size(wrong[i], &bytes));
}

static void test_for_people(void **state) {
    (void)state;
    char text[PS_TEXT_NUMBER_MAX];
    assert_string_equal(ps_text_from_count(0, text), "0");
    assert_string_equal(ps_text_from_count(999, text), "999");
    assert_string_equal(ps_text_from_count(1000, text), "1,000");
    assert_string_equal(ps_text_from_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(ps_text_about_count(0, text), "0");
    assert_string_equal(ps_text_about_count(999, text), "999");
    assert_string_equal(ps_text_about_count(1230000, text), "1.23 M");
    assert_string_equal(ps_text_about_size(524288, text), "512.0 KiB");
}

/* What the manual says an option takes: bounds in the largest unit, and none that nobody meets. */
static void test_what_is_accepted(void **state) {
    (void)state;
    char text[PS_OPTION_TEXT_MAX];
    const ps_option size = {.name = "size", .type = PS_OPTION_SIZE, .min = 4096, .max = 0x1p46};
    assert_string_equal(ps_option_accepts(&size, text), "size such as 64MiB, 4KiB to 64TiB");
    ps_option count = {.name = "count", .type = PS_OPTION_INTEGER, .min = 1, .max = 1e15};
    assert_string_equal(ps_option_accepts(&count, text), "whole number, 1 or more");
    count.max = 12;
    count.flags = PS_OPTION_AUTO;
    assert_string_equal(ps_option_accepts(&count, text), "whole number, 1 to 12, or auto");
}

static void test_spelling(void **state) {
    (void)state;
    assert_int_equal(ps_text_distance("", ""), 0);
    assert_int_equal(ps_text_distance("abc", ""), 3);
    assert_int_equal(ps_text_distance("kitten", "sitting"), 3);
    assert_int_equal(ps_text_distance("brokers", "borkers"), 1);
    ps_nearest nearest = ps_nearest_to("thresold");
    ps_nearest_offer(&nearest, "field");
    ps_nearest_offer(&nearest, "threshold");
    assert_string_equal(ps_nearest_take(&nearest), "threshold");
    nearest = ps_nearest_to("xyz");
    ps_nearest_offer(&nearest, "field");
    assert_null(ps_nearest_take(&nearest));
    nearest = ps_nearest_to("oldest"); /* half of it is another word: here its opposite */
    ps_nearest_offer(&nearest, "earliest");
    ps_nearest_offer(&nearest, "latest");
    assert_null(ps_nearest_take(&nearest));
    nearest = ps_nearest_to("x");
    ps_nearest_offer(&nearest, "y");
    assert_null(ps_nearest_take(&nearest));
}

typedef struct sample {
    const char *text, *secret;
    int64_t lanes, linger_ns, bytes;
    double threshold;
    bool on;
    uint32_t word;
} sample;

static const ps_option rows[] = {
    {.name = "text", .type = PS_OPTION_STRING, .at = offsetof(sample, text), .help = ""},
    {.name = "secret",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_SECRET,
     .at = offsetof(sample, secret),
     .help = ""},
    {.name = "lanes",
     .preset = "auto",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(sample, lanes),
     .min = 1,
     .max = 256,
     .help = ""},
    {.name = "linger",
     .preset = "5ms",
     .type = PS_OPTION_DURATION,
     .at = offsetof(sample, linger_ns),
     .max = 1e9,
     .help = ""},
    {.name = "bytes",
     .preset = "8MiB",
     .type = PS_OPTION_SIZE,
     .at = offsetof(sample, bytes),
     .help = ""},
    {.name = "threshold",
     .preset = "6",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(sample, threshold),
     .min = 0.5,
     .max = 300,
     .help = ""},
    {.name = "on",
     .preset = "true",
     .type = PS_OPTION_BOOL,
     .at = offsetof(sample, on),
     .help = ""},
    {.name = "word",
     .preset = "xxh3",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(sample, word),
     .choices = "sha256|xxh3|crc32c",
     .help = ""},
    {.name = NULL}};

static void test_presets(void **state) {
    (void)state;
    sample config = {0};
    char text[PS_OPTION_TEXT_MAX];
    ps_options_preset(rows, &config);
    assert_null(config.text);
    assert_int_equal(config.lanes, 0);
    assert_int_equal(config.linger_ns, 5000000);
    assert_int_equal(config.bytes, 8 << 20);
    assert_true(config.threshold == 6 && config.on);
    assert_int_equal(config.word, 1);
    static const char *const shown[] = {"", "", "auto", "5ms", "8MiB", "6", "true", "xxh3"};
    for (size_t i = 0; rows[i].name != NULL; i++)
        assert_string_equal(ps_option_value(&rows[i], &config, text), shown[i]);
}

static const char *fault_of(const char *name, const char *text, ps_error *error) {
    sample config = {0};
    error->message[0] = '\0';
    return ps_option_parse(ps_option_find(rows, name), text, &config, error) == PS_OK
               ? NULL
               : error->message;
}

static void test_faults(void **state) {
    (void)state;
    ps_error error;
    assert_null(fault_of("lanes", "auto", &error));
    assert_null(fault_of("lanes", "256", &error));
    assert_string_equal(fault_of("lanes", "0", &error), "'0' is out of range: 1 to 256");
    assert_string_equal(fault_of("lanes", "many", &error),
                        "'many' is not a whole number, 1 to 256, or auto");
    assert_string_equal(fault_of("linger", "2s", &error), "'2s' is out of range: 0s to 1s");
    assert_string_equal(fault_of("linger", "5", &error),
                        "'5' is not a duration such as 5ms, 0s to 1s");
    assert_string_equal(fault_of("on", "yes", &error), "'yes' is not a true or false");
    assert_string_equal(fault_of("word", "crc23c", &error),
                        "'crc23c' is not one of sha256, xxh3, crc32c; did you mean 'crc32c'?");
}

static void test_secret_is_hidden(void **state) {
    (void)state;
    const sample config = {.secret = "hunter2"};
    char text[PS_OPTION_TEXT_MAX];
    assert_string_equal(ps_option_value(&rows[1], &config, text), "(secret)");
}

/* If this fails, `explain` does not say what a map holds, or tells a password. */
static void test_map_is_shown(void **state) {
    (void)state;
    static const ps_string_pair pairs[] = {{"slim", "4"}, {"cusum", "1"}};
    ps_string_map map = {pairs, 2};
    ps_option option = {.name = "map", .type = PS_OPTION_MAP};
    char text[PS_OPTION_TEXT_MAX];
    assert_string_equal(ps_option_value(&option, &map, text), "{slim: 4, cusum: 1}");
    option.flags = PS_OPTION_SECRET;
    assert_string_equal(ps_option_value(&option, &map, text), "{slim: (secret), cusum: (secret)}");
    map.count = 0;
    assert_string_equal(ps_option_value(&option, &map, text), "");
}

static void test_json_escape(void **state) {
    (void)state;
    char out[64];
    assert_int_equal(ps_json_escape("a\"b\\c\n\x01é", out, sizeof out),
                     strlen("a\\\"b\\\\c\\u000a\\u0001é"));
    assert_string_equal(out, "a\\\"b\\\\c\\u000a\\u0001é");
    assert_true(ps_json_escape("0123456789", out, 10) < 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_durations),    cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_for_people),   cmocka_unit_test(test_what_is_accepted),
        cmocka_unit_test(test_spelling),     cmocka_unit_test(test_presets),
        cmocka_unit_test(test_faults),       cmocka_unit_test(test_secret_is_hidden),
        cmocka_unit_test(test_map_is_shown), cmocka_unit_test(test_json_escape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
