/* SPDX-License-Identifier: Apache-2.0
 * The JSON reader. If this fails, a record that is not JSON goes out as if it were one (and breaks
 * whoever reads the output), or a good record ends among the dead letters.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/json.h"
#include "ingest/number.h"
#include "ingest/scan.h"

/* Reads a text that ends right before the padding, filled with what would continue it. */
static ps_reject read_text(ps_json *json, const void *text, size_t length, ps_json_value *values,
                           ps_json_fault *fault, uint8_t **copy) {
    uint8_t *bytes = malloc(length + PS_ARENA_PADDING);
    memcpy(bytes, text, length);
    memset(bytes + length, '1', PS_ARENA_PADDING);
    const ps_reject reject = ps_json_read(json, (ps_bytes){bytes, (uint32_t)length}, values, fault);
    if (copy != NULL)
        *copy = bytes;
    else
        free(bytes);
    return reject;
}

static ps_json *open_paths(const char *const *paths, uint32_t count) {
    ps_json *json = NULL;
    ps_error error;
    if (ps_json_open(paths, count, &json, &error) != PS_OK) fail_msg("%s", error.message);
    return json;
}

typedef struct verdict {
    const char *text;
    ps_reject reject;
    uint32_t detail;
} verdict;

static void expect_all(const verdict *cases, size_t count) {
    static const char *const paths[] = {"host", "cpu", "o.a"};
    ps_json *json = open_paths(paths, 3);
    ps_json_value values[3];
    for (size_t i = 0; i < count; i++) {
        ps_json_fault fault;
        const ps_reject got =
            read_text(json, cases[i].text, strlen(cases[i].text), values, &fault, NULL);
        if (got != cases[i].reject || (got != 0 && fault.detail != cases[i].detail))
            fail_msg("%s: reject %d at %u, not %d at %u", cases[i].text, got, fault.detail,
                     cases[i].reject, cases[i].detail);
    }
    ps_json_close(json);
}
#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof *(cases))

static void accepts_json(void **state) {
    (void)state;
    static const verdict cases[] = {
        {"{}", 0, 0},
        {" \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \n", 0, 0},
        {"{\"a\":[1,2,{\"b\":[[],{}]}],\"c\":null,\"d\":true,\"e\":false}", 0, 0},
        {"{\"\":0,\"\":0}", 0, 0},
        {"{\"a\":-0,\"b\":0.0e+1,\"c\":1E-9,\"d\":123456789012345678901234567890}", 0, 0},
        {"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD834\\uDD1E\"}", 0, 0},
        {"{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}", 0, 0},
        {"{\"h\\u006fst\":\"x\"}", 0, 0},
    };
    EXPECT_ALL(cases);
}

/* simdjson's on-demand accepts all six. */
static void rejects_junk_behind_what_is_read(void **state) {
    (void)state;
    static const verdict cases[] = {
        {"{\"host\":\"a\",\"cpu\":1.5 junk}", PS_REJECT_SYNTAX, 22},
        {"{\"host\":\"a\",\"x\":nonsense}", PS_REJECT_SYNTAX, 17},
        {"{\"host\":\"a\",\"x\":[1,2}", PS_REJECT_SYNTAX, 20},
        {"{\"host\":\"a\",}", PS_REJECT_SYNTAX, 12},
        {"{\"host\":\"a\"}}", PS_REJECT_SYNTAX, 12},
        {"{\"host\":\"a\"} {}", PS_REJECT_SYNTAX, 13},
    };
    EXPECT_ALL(cases);
}

static void rejects_what_is_not_json(void **state) {
    (void)state;
    static const verdict cases[] = {
        {"", PS_REJECT_EMPTY, 0},
        {"  ", PS_REJECT_TRUNCATED, 2},
        {"hello", PS_REJECT_SYNTAX, 0},
        {"\xef\xbb\xbf{}", PS_REJECT_SYNTAX, 0},
        {"[1,2]", PS_REJECT_NOT_OBJECT, 0},
        {"\"text\"", PS_REJECT_NOT_OBJECT, 0},
        {"42", PS_REJECT_NOT_OBJECT, 0},
        {"null", PS_REJECT_NOT_OBJECT, 0},
        {"[1,2", PS_REJECT_TRUNCATED, 4},
        {"[1]]", PS_REJECT_SYNTAX, 3},
        {"{a:1}", PS_REJECT_SYNTAX, 1},
        {"{'a':1}", PS_REJECT_SYNTAX, 1},
        {"{\"a\" 1}", PS_REJECT_SYNTAX, 5},
        {"{\"a\":1 \"b\":2}", PS_REJECT_SYNTAX, 7},
        {"{,}", PS_REJECT_SYNTAX, 1},
        {"{\"a\":[1,]}", PS_REJECT_SYNTAX, 8},
        {"{\"a\":[,1]}", PS_REJECT_SYNTAX, 6},
        {"{\"a\":tru}", PS_REJECT_SYNTAX, 8},
        {"{\"a\":True}", PS_REJECT_SYNTAX, 5},
        {"{\"a\":nulll}", PS_REJECT_SYNTAX, 9},
        {"{\"a\":1//c\n}", PS_REJECT_SYNTAX, 6},
        {"{\"a\":\"b\nc\"}", PS_REJECT_SYNTAX, 7},
        {"{\"a\":\"b\tc\"}", PS_REJECT_SYNTAX, 7},
        {"{\"a\x01\":1}", PS_REJECT_SYNTAX, 3},
        {"{\"a\":\"\\x\"}", PS_REJECT_SYNTAX, 7},
        {"{\"a\":\"\\u12g4\"}", PS_REJECT_SYNTAX, 10},
        {"{\"a\":1}\x01", PS_REJECT_SYNTAX, 7},
    };
    EXPECT_ALL(cases);
}

static void holds_numbers_to_the_grammar(void **state) {
    (void)state;
    static const verdict cases[] = {
        {"{\"cpu\":01}", PS_REJECT_SYNTAX, 8},    {"{\"x\":01}", PS_REJECT_SYNTAX, 6},
        {"{\"cpu\":+1}", PS_REJECT_SYNTAX, 7},    {"{\"cpu\":.5}", PS_REJECT_SYNTAX, 7},
        {"{\"cpu\":1.}", PS_REJECT_SYNTAX, 9},    {"{\"cpu\":-}", PS_REJECT_SYNTAX, 8},
        {"{\"cpu\":1e}", PS_REJECT_SYNTAX, 9},    {"{\"cpu\":1e+}", PS_REJECT_SYNTAX, 10},
        {"{\"cpu\":NaN}", PS_REJECT_SYNTAX, 7},   {"{\"cpu\":Infinity}", PS_REJECT_SYNTAX, 7},
        {"{\"cpu\":-01.5}", PS_REJECT_SYNTAX, 9}, {"{\"cpu\":1.5.2}", PS_REJECT_SYNTAX, 10},
        {"{\"cpu\":0x10}", PS_REJECT_SYNTAX, 8},  {"{\"cpu\":1_000}", PS_REJECT_SYNTAX, 8},
        {"{\"cpu\":--1}", PS_REJECT_SYNTAX, 8},   {"{\"cpu\":1e400}", 0, 0},
    };
    EXPECT_ALL(cases);
}

static void checks_utf8_and_surrogates(void **state) {
    (void)state;
    static const verdict cases[] = {
        {"{\"a\":\"\xff\"}", PS_REJECT_INVALID_UTF8, 6},
        {"{\"a\":\"\xc0\xaf\"}", PS_REJECT_INVALID_UTF8, 6},         /* overlong */
        {"{\"a\":\"\xe0\x80\xaf\"}", PS_REJECT_INVALID_UTF8, 6},     /* overlong */
        {"{\"a\":\"\xed\xa0\x80\"}", PS_REJECT_INVALID_UTF8, 6},     /* surrogate */
        {"{\"a\":\"\xf4\x90\x80\x80\"}", PS_REJECT_INVALID_UTF8, 6}, /* past U+10FFFF */
        {"{\"a\":\"\xf5\x80\x80\x80\"}", PS_REJECT_INVALID_UTF8, 6},
        {"{\"a\":\"x\x80\"}", PS_REJECT_INVALID_UTF8, 7},
        {"{\"a\":\"\xc3\"}", PS_REJECT_INVALID_UTF8, 6},
        {"{\"\xff\":1}", PS_REJECT_INVALID_UTF8, 2},
        {"{\"a\":1}\xff", PS_REJECT_INVALID_UTF8, 7},
        {"{\"a\":1}\xc3\xa9", PS_REJECT_SYNTAX, 7},
        {"{\"a\":\"\\ud800\"}", PS_REJECT_SYNTAX, 6},
        {"{\"a\":\"\\ud800x\"}", PS_REJECT_SYNTAX, 6},
        {"{\"a\":\"\\ud800\\u0041\"}", PS_REJECT_SYNTAX, 6},
        {"{\"a\":\"\\udc00\"}", PS_REJECT_SYNTAX, 6},
        {"{\"host\":\"\\ud834\\ud834\"}", PS_REJECT_SYNTAX, 9},
    };
    EXPECT_ALL(cases);
}

static size_t put_text(char *to, const char *text) {
    const size_t length = strlen(text);
    memcpy(to, text, length + 1);
    return length;
}

static void allows_64_levels(void **state) {
    (void)state;
    static const char *const paths[] = {"a"};
    ps_json *json = open_paths(paths, 1);
    for (uint32_t depth = 62; depth <= 66; depth++) {
        for (uint32_t objects = 0; objects < 2; objects++) {
            char text[1024];
            const char *opening = objects ? "{\"a\":" : "[";
            size_t length = 0;
            length += put_text(text + length, "{\"a\":");
            for (uint32_t i = 1; i < depth; i++) length += put_text(text + length, opening);
            text[length++] = '0';
            for (uint32_t i = 1; i < depth; i++) text[length++] = objects ? '}' : ']';
            text[length++] = '}';
            ps_json_value value;
            ps_json_fault fault;
            assert_int_equal(read_text(json, text, length, &value, &fault, NULL),
                             depth <= 64 ? PS_REJECT_NONE : PS_REJECT_TOO_DEEP);
        }
    }
    ps_json_close(json);
}

/* Whatever a producer was cut off in the middle of is called truncated, at its very end. */
static void knows_every_truncation(void **state) {
    (void)state;
    static const char text[] = "{\"host\":\"w\\u00e9b-\xc3\xa9\\ud834\\udd1e\",\"cpu\":-42.5e+1,"
                               "\"o\":{\"a\":[true,false,null,"
                               "{\"\xf0\x9f\x98\x80\":0.25}]},\"t\":\"\\\\\\\"\"}";
    static const char *const paths[] = {"host", "cpu", "o.a", "t"};
    ps_json *json = open_paths(paths, 4);
    ps_json_value values[4];
    ps_json_fault fault;
    assert_int_equal(read_text(json, text, sizeof text - 1, values, &fault, NULL), 0);
    for (size_t length = 1; length < sizeof text - 1; length++) {
        const ps_reject got = read_text(json, text, length, values, &fault, NULL);
        if (got != PS_REJECT_TRUNCATED || fault.detail != length)
            fail_msg("cut after %zu bytes: reject %d at %u", length, got, fault.detail);
    }
    ps_json_close(json);
}

static void hands_out_declared_values(void **state) {
    (void)state;
    static const char *const paths[] = {"host", "a.b.c", "a.d", "host", "longer-than-8-bytes",
                                        "a.b"};
    static const char text[] = "{\"x\":{\"host\":1},\"a\":{\"b\":{\"c\":5,\"c\":6},\"d\":\"q\\n\"},"
                               "\"a\":{\"d\":9},\"h\\u006fst\":\"one\",\"host\":\"two\","
                               "\"longer-than-8-bytez\":1,\"longer-than-8-bytes\":true}";
    ps_json *json = open_paths(paths, 6);
    ps_json_value values[6];
    ps_json_fault fault;
    for (int again = 0; again < 3; again++) { /* the shape is remembered after the first */
        uint8_t *copy;
        assert_int_equal(read_text(json, text, sizeof text - 1, values, &fault, &copy), 0);
        assert_int_equal(values[0].kind, PS_JSON_STRING);
        assert_int_equal(values[0].text.length, 3);
        assert_memory_equal(values[0].text.data, "one", 3);
        assert_int_equal(values[1].kind, PS_JSON_NUMBER);
        assert_memory_equal(values[1].text.data, "5", 1);
        assert_true(values[2].kind == PS_JSON_STRING && values[2].escaped);
        assert_memory_equal(values[3].text.data, "one", 3);
        assert_int_equal(values[4].kind, PS_JSON_TRUE);
        assert_int_equal(values[5].kind, PS_JSON_COMPOUND);
        free(copy);
    }
    ps_json_close(json);
}

/* A remembered shape must never change what a differing record means. */
static void forgets_the_shape_when_it_changes(void **state) {
    (void)state;
    static const char *const paths[] = {"b", "bb"};
    static const struct {
        const char *text;
        ps_json_kind b, bb;
        ps_reject reject;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", PS_JSON_NUMBER, PS_JSON_ABSENT, 0},
        {"{\"a\":1,\"bb\":2}", PS_JSON_ABSENT, PS_JSON_NUMBER, 0},
        {"{\"b\":1,\"a\":2}", PS_JSON_NUMBER, PS_JSON_ABSENT, 0},
        {"{\"a\":{\"b\":2}}", PS_JSON_ABSENT, PS_JSON_ABSENT, 0},
        {"{\"a\":1,\"b\":null}", PS_JSON_NULL, PS_JSON_ABSENT, 0},
        {"{\"a\" :1, \"b\" : true }", PS_JSON_TRUE, PS_JSON_ABSENT, 0},
        {"{\"a\":1,\"b\"", PS_JSON_ABSENT, PS_JSON_ABSENT, PS_REJECT_TRUNCATED},
        {"{\"a\":1,\"b\":", PS_JSON_ABSENT, PS_JSON_ABSENT, PS_REJECT_TRUNCATED},
        {"{\"a\":1,\"b\":\"\"}", PS_JSON_STRING, PS_JSON_ABSENT, 0},
    };
    ps_json *json = open_paths(paths, 2);
    for (uint32_t i = 0; i < 900; i++) {
        const uint32_t which = i * 7919 / 3 % 9;
        ps_json_value values[2];
        ps_json_fault fault;
        const char *text = cases[which].text;
        assert_int_equal(read_text(json, text, strlen(text), values, &fault, NULL),
                         cases[which].reject);
        if (cases[which].reject != 0) continue;
        assert_int_equal(values[0].kind, cases[which].b);
        assert_int_equal(values[1].kind, cases[which].bb);
    }
    ps_json_close(json);
}

static void resolves_escapes(void **state) {
    (void)state;
    static const char text[] =
        "a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u0000z";
    static const char meant[] = "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0z";
    uint8_t out[sizeof text];
    const ps_bytes from = {(const uint8_t *)text, sizeof text - 1};
    assert_int_equal(ps_json_unescape(from, out), sizeof meant - 1);
    assert_memory_equal(out, meant, sizeof meant - 1);
}

static void refuses_bad_paths(void **state) {
    (void)state;
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ps_json *json = NULL;
        ps_error error;
        assert_int_equal(ps_json_open(&bad[i], 1, &json, &error), PS_BAD_CONFIG);
        assert_non_null(strstr(error.message, "name of 0 bytes"));
    }
}

static ps_number number_of(const char *text) {
    static uint8_t padded[2048];
    const size_t length = strlen(text);
    memcpy(padded, text, length);
    memset(padded + length, '7', PS_NUMBER_PADDING); /* digits behind the end do not belong to it */
    ps_number number;
    assert_int_equal(ps_number_read(padded, padded + length, &number), PS_NUMBER_OK);
    assert_ptr_equal(number.end, padded + length);
    return number;
}

/* A wrong last digit of a double makes scores differ from every other tool's. */
static void reads_doubles_exactly(void **state) {
    (void)state;
    uint64_t random = 88172645463325252u;
    for (uint32_t i = 0; i < 200000; i++) {
        char text[64];
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        double value;
        memcpy(&value, &random, sizeof value);
        if (i % 2 == 0) value = (double)(random % 100000000) / 10000.0;
        if (!isfinite(value)) continue;
        (void)snprintf(text, sizeof text, "%.*g", i % 3 == 0 ? 6 : 17, value);
        char plain[64], *to = plain; /* JSON has no plus sign before a mantissa; %g writes none */
        for (const char *c = text; *c != '\0'; c++) *to++ = *c;
        *to = '\0';
        const ps_number number = number_of(plain);
        double got = 0.0;
        const double want = strtod(plain, NULL);
        assert_true(ps_number_double(&number, &got) == (isfinite(want) != 0));
        if (isfinite(want)) assert_memory_equal(&got, &want, sizeof got);
    }
}

static void bounds_numbers(void **state) {
    (void)state;
    int64_t integer;
    double real;
    ps_number n = number_of("9223372036854775807");
    assert_true(ps_number_int(&n, &integer) && integer == INT64_MAX);
    n = number_of("-9223372036854775808");
    assert_true(ps_number_int(&n, &integer) && integer == INT64_MIN);
    n = number_of("9223372036854775808");
    assert_false(ps_number_int(&n, &integer));
    n = number_of("-9223372036854775809");
    assert_false(ps_number_int(&n, &integer));
    n = number_of("123456789012345678901234567890");
    assert_false(ps_number_int(&n, &integer));
    n = number_of("1.0");
    assert_false(n.integer);
    n = number_of("1e400");
    assert_false(ps_number_double(&n, &real));
    n = number_of("-1e400");
    assert_false(ps_number_double(&n, &real));
    n = number_of("1e-400");
    assert_true(ps_number_double(&n, &real) && real == 0.0);
    n = number_of("4.9e-324");
    assert_true(ps_number_double(&n, &real) && real > 0.0);
    n = number_of("1.7976931348623157e308");
    assert_true(ps_number_double(&n, &real) && real > 1e308);
    n = number_of("0e999999999999");
    assert_true(ps_number_double(&n, &real) && real == 0.0);
    char zeros[700];
    memset(zeros, '0', 602);
    zeros[1] = '.';
    (void)put_text(zeros + 602, "1e590");
    n = number_of(zeros);
    assert_true(ps_number_double(&n, &real) && real > 0.9e-11 && real < 1.1e-11);
}

static void reads_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ps_time_read read;
        int64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", PS_TIME_OK, 0},
        {"2023-11-14T22:13:20Z", PS_TIME_OK, 1700000000000000000},
        {"2023-11-14 22:13:20.5z", PS_TIME_OK, 1700000000500000000},
        {"2023-11-15T00:43:20.123456789012+02:30", PS_TIME_OK, 1700000000123456789},
        {"1969-12-31T23:59:59.999999999Z", PS_TIME_OK, -1},
        {"2016-12-31T23:59:60Z", PS_TIME_OK, 1483228800000000000},
        {"2024-02-29T00:00:00-00:00", PS_TIME_OK, 1709164800000000000},
        {"2023-02-29T00:00:00Z", PS_TIME_BAD, 0},
        {"2023-11-14T22:13:20", PS_TIME_BAD, 0},
        {"2023-11-14T22:13:20.Z", PS_TIME_BAD, 0},
        {"2023-11-14T22:13:20+0100", PS_TIME_BAD, 0},
        {"2023-11-14T24:13:20Z", PS_TIME_BAD, 0},
        {"2023-13-14T22:13:20Z", PS_TIME_BAD, 0},
        {"2023-11-14", PS_TIME_BAD, 0},
        {"9999-12-31T23:59:59Z", PS_TIME_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = 0;
        const char *text = cases[i].text;
        assert_int_equal(ps_time_parse((const uint8_t *)text, (uint32_t)strlen(text), &ns),
                         cases[i].read);
        if (cases[i].read == PS_TIME_OK) assert_true(ns == cases[i].ns);
    }
    int64_t ns;
    ps_number n = number_of("1700000000000.25");
    assert_true(ps_number_time(&n, PS_UNIT_MS, &ns) && ns == 1700000000000250000);
    n = number_of("1700000000.123456789");
    assert_true(ps_number_time(&n, PS_UNIT_S, &ns) && ns == 1700000000123456789);
    n = number_of("1.7e9");
    assert_true(ps_number_time(&n, PS_UNIT_S, &ns) && ns == 1700000000000000000);
    n = number_of("1700000000000.12345678901234567890");
    assert_true(ps_number_time(&n, PS_UNIT_MS, &ns) && ns == 1700000000000123456);
    n = number_of("-1");
    assert_true(ps_number_time(&n, PS_UNIT_US, &ns) && ns == -1000);
    n = number_of("1e300");
    assert_false(ps_number_time(&n, PS_UNIT_NS, &ns));
    n = number_of("10000000000");
    assert_false(ps_number_time(&n, PS_UNIT_S, &ns));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_json),
        cmocka_unit_test(rejects_junk_behind_what_is_read),
        cmocka_unit_test(rejects_what_is_not_json),
        cmocka_unit_test(holds_numbers_to_the_grammar),
        cmocka_unit_test(checks_utf8_and_surrogates),
        cmocka_unit_test(allows_64_levels),
        cmocka_unit_test(knows_every_truncation),
        cmocka_unit_test(hands_out_declared_values),
        cmocka_unit_test(forgets_the_shape_when_it_changes),
        cmocka_unit_test(resolves_escapes),
        cmocka_unit_test(refuses_bad_paths),
        cmocka_unit_test(reads_doubles_exactly),
        cmocka_unit_test(bounds_numbers),
        cmocka_unit_test(reads_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
