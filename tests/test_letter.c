/* SPDX-License-Identifier: Apache-2.0
 * Dead letters of a file. If this fails, `penstock dead` shows or puts back other bytes than the
 * record had, or takes a line for a letter that is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/base64.h"
#include "host/batch/headers.h"
#include "ingest/letter.h"

enum { LETTERS_MAX = 16, TEXT_MAX = 512 };

/* What the reader handed over, as one text each. */
typedef struct found {
    char letter[LETTERS_MAX][TEXT_MAX];
    uint32_t count, enough;
    uint64_t strangers;
} found;

static void add(char *to, ps_bytes bytes) {
    const size_t used = strlen(to);
    if (bytes.length == PS_NULL_LENGTH)
        (void)snprintf(to + used, TEXT_MAX - used, "null|");
    else
        (void)snprintf(to + used, TEXT_MAX - used, "%.*s|", (int)bytes.length,
                       (const char *)bytes.data);
}

static ps_status take(void *context, const ps_letter *letter, ps_error *error) {
    found *f = context;
    (void)error;
    char *to = f->letter[f->count++];
    (void)snprintf(to, TEXT_MAX, "%s %d %lld %lld ", letter->topic, (int)letter->partition,
                   (long long)letter->offset, (long long)letter->timestamp_ms);
    add(to, letter->source);
    add(to, letter->code);
    add(to, letter->reason);
    add(to, letter->key);
    add(to, letter->value);
    ps_header header;
    for (uint32_t at = 0; ps_headers_next(letter->headers, &at, &header);) {
        add(to, header.name);
        add(to, header.value);
    }
    return f->count == f->enough ? PS_END : PS_OK;
}

static void read_text(const char *text, size_t bytes, found *f) {
    char path[] = "/tmp/penstock-letter-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), bytes);
    assert_int_equal(close(fd), 0);
    ps_error error = {{0}};
    const ps_status status = ps_letter_read_file(path, take, f, &f->strangers, &error);
    (void)unlink(path);
    assert_string_equal(error.message, "");
    assert_int_equal(status, PS_OK);
}
#define READ(text, f) read_text(text, sizeof(text) - 1, f)

#define GOOD(key, value, headers)                                                  \
    "{\"source\":\"a/b/3/"                                                         \
    "17\",\"error\":\"syntax\",\"reason\":\"why\",\"timestamp\":1700,\"key\":" key \
    ",\"value\":" value ",\"headers\":" headers "}\n"

static void letters_are_read_as_they_were_written(void **state) {
    (void)state;
    found f = {.count = 0};
    READ(GOOD("null", "null", "[]") GOOD("\"aw==\"", "\"\"", "[[\"bg==\",\"dg==\"]]")
             GOOD("\"\"", "\"dmFsdWU=\"",
                  "[[\"\",\"\"],[\"\",\"\"],[\"eA==\",null],[\"eA==\","
                  "\"eXl5\"]]") "{ \"headers\": [ [ \"bg==\" , null ] ] , "
                                "\"value\": null, \"key\": null,\n",
         &f);
    assert_int_equal(f.count, 3);
    assert_string_equal(f.letter[0], "a/b 3 17 1700 a/b/3/17|syntax|why|null|null|");
    assert_string_equal(f.letter[1], "a/b 3 17 1700 a/b/3/17|syntax|why|k||n|v|");
    assert_string_equal(f.letter[2], "a/b 3 17 1700 a/b/3/17|syntax|why||value|||||x|null|x|yyy|");
    assert_int_equal(f.strangers, 1);
}

static void other_tools_may_have_written_the_line(void **state) {
    (void)state;
    found f = {.count = 0};
    READ(
        "{ \"headers\" : [ [ \"bg==\" , null ] , [\"bQ==\",\"\"] ] , \"value\": \"dg==\", "
        "\"key\":null, \"note\":{\"x\":[1]}, \"timestamp\": -1, \"reason\":\"field \\\"a\\\"\\n\", "
        "\"error\":\"e\\u0041\", \"source\":\"t\\/0\\/0\"}\n",
        &f);
    assert_int_equal(f.strangers, 0);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.letter[0], "t 0 0 -1 t/0/0|eA|field \"a\"\n|null|v|n|null|m||");
}

static void what_is_no_letter_is_counted(void **state) {
    (void)state;
    static const char *const lines[] = {
        "",
        "not json",
        "[]",
        "{}",
        "{\"source\":\"a/0/1\"}",
        "{\"source\":\"a/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":null,\"headers\":[]}",
        "{\"source\":\"a/0/1\",\"error\":7,\"reason\":\"r\",\"timestamp\":1,\"key\":null,\"value\":"
        "null,\"headers\":[]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1.5,\"key\":null,"
        "\"value\":null,\"headers\":[]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":\"a\","
        "\"value\":null,\"headers\":[]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":\"a*==\",\"headers\":[]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":null,\"headers\":{}}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":null,\"headers\":[[\"bg==\"]]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":null,\"headers\":[[null,\"bg==\"]]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":null,\"headers\":[[\"bg==\",{\"a\":\"b\"}]]}",
        "{\"source\":\"a/0/1\",\"error\":\"e\",\"reason\":\"r\",\"timestamp\":1,\"key\":null,"
        "\"value\":null,\"headers\":[\"bg==\"]}",
    };
    char text[4096] = "";
    const size_t count = sizeof lines / sizeof lines[0];
    for (size_t i = 0; i < count; i++) {
        strncat(text, lines[i], sizeof text - strlen(text) - 1);
        strncat(text, "\n", sizeof text - strlen(text) - 1);
    }
    strncat(text, GOOD("null", "null", "[]"), sizeof text - strlen(text) - 1);
    found f = {.count = 0};
    read_text(text, strlen(text), &f);
    assert_int_equal(f.strangers, count);
    assert_int_equal(f.count, 1);
}

static void a_line_that_is_being_written_is_left_alone(void **state) {
    (void)state;
    found f = {.count = 0};
    const char text[] = GOOD("null", "null", "[]") GOOD("null", "null", "[]");
    read_text(text, sizeof text - 2, &f);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.strangers, 0);
}

static void a_reader_may_have_enough(void **state) {
    (void)state;
    found f = {.enough = 2};
    READ(GOOD("null", "null", "[]") GOOD("null", "null", "[]") GOOD("null", "null", "[]"), &f);
    assert_int_equal(f.count, 2);
}

static bool locates_bytes(const char *text, size_t bytes) {
    ps_letter letter;
    return ps_letter_locate(&letter, (ps_bytes){(const uint8_t *)text, (uint32_t)bytes});
}

static bool locates(const char *text) {
    return locates_bytes(text, strlen(text));
}

static void sources_are_topic_partition_offset(void **state) {
    (void)state;
    assert_true(locates("t/0/0"));
    assert_true(locates("t/2147483647/9223372036854775807"));
    assert_false(locates(""));
    assert_false(locates("t"));
    assert_false(locates("t/0"));
    assert_false(locates("/0/0"));
    assert_false(locates("t//0"));
    assert_false(locates("t/0/"));
    assert_false(locates("t/-1/0"));
    assert_false(locates("t/0/-1"));
    assert_false(locates("t/2147483648/0"));
    assert_false(locates("t/0/9223372036854775808"));
    /* A NUL would end the name of the topic that a replay goes to: another topic's, perhaps. */
    assert_false(locates_bytes("t\0u/0/0", 7));
    assert_false(locates_bytes("t/0\0u/0", 7));
    assert_false(locates_bytes("t/0/0\0u", 7));
    char longer[300];
    memset(longer, 'x', sizeof longer);
    memcpy(longer + sizeof longer - 5, "/0/0", 5);
    assert_false(locates(longer));
}

static void base64_goes_both_ways(void **state) {
    (void)state;
    uint8_t bytes[64], back[64];
    char text[96];
    for (size_t length = 0; length <= sizeof bytes; length++) {
        size_t written = 0;
        for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(i * 37 + length * 251);
        const char *end = ps_base64_encode(text, bytes, length);
        assert_true(ps_base64_decode((const uint8_t *)text, (size_t)(end - text), back, &written));
        assert_int_equal(written, length);
        assert_memory_equal(back, bytes, length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_read_as_they_were_written),
        cmocka_unit_test(other_tools_may_have_written_the_line),
        cmocka_unit_test(what_is_no_letter_is_counted),
        cmocka_unit_test(a_line_that_is_being_written_is_left_alone),
        cmocka_unit_test(a_reader_may_have_enough),
        cmocka_unit_test(sources_are_topic_partition_offset),
        cmocka_unit_test(base64_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
