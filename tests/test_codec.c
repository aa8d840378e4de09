/* SPDX-License-Identifier: Apache-2.0
 * Codecs: text into typed columns. If this fails, detectors score numbers that the records do not
 * hold, or records are refused for the wrong reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/batch/rejects.h"
#include "ingest/codec.h"
#include "tests/batches.h"

enum { FIELDS = 6, HOST = 0, CPU, N, UP, TS, LOOSE };

static const ps_field fields[FIELDS] = {
    {"host", "host", PS_FIELD_STRING, PS_UNIT_MS, true, false},
    {"cpu", "m.cpu", PS_FIELD_FLOAT, PS_UNIT_MS, false, false},
    {"n", "n", PS_FIELD_INT, PS_UNIT_MS, false, false},
    {"up", "up", PS_FIELD_BOOL, PS_UNIT_MS, false, false},
    {"ts", "ts", PS_FIELD_TIMESTAMP, PS_UNIT_MS, false, false},
    {"loose", "loose", PS_FIELD_FLOAT, PS_UNIT_MS, false, true},
};

typedef struct bench {
    ps_plan plan;
    ps_batch batch;
    ps_decode_config config;
    const ps_codec *codec;
    void *self;
} bench;

static bench *bench_open(const ps_codec *codec, const ps_decode_config *more, uint32_t arena) {
    bench *b = calloc(1, sizeof *b);
    ps_error error;
    b->codec = codec;
    if (more != NULL) b->config = *more;
    b->config.fields = (ps_field_list){fields, FIELDS};
    if (ps_plan_init(&b->plan, 64, arena, 10, &b->config.fields, &error) != PS_OK ||
        ps_plan_close(&b->plan, &error) != PS_OK ||
        codec->open(&b->config, &b->plan.schema, &b->self, &error) != PS_OK)
        fail_msg("%s", error.message);
    test_batch_memory(&b->batch, &b->plan.schema);
    memset(b->batch.block.host, 0xee, b->plan.schema.block_bytes); /* what the last batch left */
    return b;
}

static void bench_close(bench *b) {
    b->codec->close(b->self);
    test_batch_free(&b->batch);
    ps_plan_deinit(&b->plan);
    free(b);
}

static void add(bench *b, const char *value) {
    const ps_bytes none = {NULL, PS_NULL_LENGTH};
    ps_record record = {.timestamp_ms = -1, .key = none, .value = none, .headers = none};
    record.offset = b->batch.rows;
    record.value.data = (const uint8_t *)value;
    if (value != NULL) record.value.length = (uint32_t)strlen(value);
    assert_int_equal(ps_batch_append(&b->batch, &record), PS_OK);
}

static const ps_column *column(const bench *b, uint32_t field) {
    return &b->plan.schema.column[b->plan.schema.field_first + field];
}
static bool is_null(const bench *b, uint32_t field, uint32_t row) {
    if (field == HOST) return ps_batch_text(&b->batch, column(b, field), row).data == NULL;
    return !ps_bit_get(ps_batch_validity(&b->batch, column(b, field)), row);
}
static double real(const bench *b, uint32_t field, uint32_t row) {
    return ((const double *)ps_batch_values(&b->batch, column(b, field)))[row];
}
static int64_t integer(const bench *b, uint32_t field, uint32_t row) {
    return ((const int64_t *)ps_batch_values(&b->batch, column(b, field)))[row];
}
static void expect_host(const bench *b, uint32_t row, const char *host) {
    const ps_bytes text = ps_batch_text(&b->batch, column(b, HOST), row);
    assert_int_equal(text.length, strlen(host));
    assert_memory_equal(text.data, host, text.length);
}
static void expect_reject(const bench *b, uint32_t row, ps_reject reject, uint32_t detail) {
    const uint8_t *got = ps_batch_system(&b->batch, PS_COLUMN_REJECT);
    const uint32_t *at = ps_batch_system(&b->batch, PS_COLUMN_DETAIL);
    if (got[row] != reject || (reject != 0 && at[row] != detail))
        fail_msg("row %u: reject %u (%u), not %d (%u)", row, got[row], at[row], reject, detail);
    if (reject == PS_REJECT_NONE) return;
    for (uint32_t field = 0; field < FIELDS; field++) assert_true(is_null(b, field, row));
}

static void decodes_json(void **state) {
    (void)state;
    bench *b = bench_open(&ps_codec_json, NULL, 1 << 16);
    add(b, "{\"host\":\"web\",\"m\":{\"cpu\":42.5},\"n\":-7,\"up\":true,\"ts\":1700000000000,"
           "\"loose\":\"1.5\"}");
    add(b, "{\"host\":\"a\\nb\",\"m\":{\"cpu\":3},\"n\":null,\"up\":false,"
           "\"ts\":\"2023-11-14T22:13:20Z\",\"loose\":2}");
    add(b, NULL); /* a tombstone */
    add(b, "{\"m\":5,\"host\":\"x\",\"host\":\"y\"}");
    b->codec->decode(b->self, &b->batch);
    for (uint32_t row = 0; row < 4; row++) expect_reject(b, row, PS_REJECT_NONE, 0);
    expect_host(b, 0, "web");
    assert_true(real(b, CPU, 0) == 42.5 && integer(b, N, 0) == -7 && real(b, LOOSE, 0) == 1.5);
    assert_true(integer(b, TS, 0) == 1700000000000000000 && !is_null(b, UP, 0));
    assert_int_equal(((const uint8_t *)ps_batch_values(&b->batch, column(b, UP)))[0], 1);
    /* In place where nothing is escaped: the column points into the record. */
    assert_ptr_equal(ps_batch_text(&b->batch, column(b, HOST), 0).data,
                     ps_batch_text(&b->batch, &b->plan.schema.column[PS_COLUMN_VALUE], 0).data + 9);
    expect_host(b, 1, "a\nb");
    assert_true(real(b, CPU, 1) == 3.0 && is_null(b, N, 1) && real(b, LOOSE, 1) == 2.0);
    assert_true(integer(b, TS, 1) == 1700000000000000000 && !is_null(b, UP, 1));
    for (uint32_t field = 0; field < FIELDS; field++) assert_true(is_null(b, field, 2));
    expect_host(b, 3, "x");
    assert_true(is_null(b, CPU, 3)); /* m is not an object: nothing lies below it */
    bench_close(b);
}

/* In the order of declaration; a fault of the text outranks one of a field. */
static void names_the_bad_field(void **state) {
    (void)state;
    static const struct {
        const char *value;
        ps_reject reject;
        uint32_t detail;
    } cases[] = {
        {"{}", PS_REJECT_MISSING_FIELD, HOST},
        {"{\"host\":null}", PS_REJECT_MISSING_FIELD, HOST},
        {"{\"host\":5}", PS_REJECT_WRONG_TYPE, HOST},
        {"{\"host\":\"x\",\"m\":{\"cpu\":\"1\"}}", PS_REJECT_WRONG_TYPE, CPU},
        {"{\"host\":\"x\",\"m\":{\"cpu\":true}}", PS_REJECT_WRONG_TYPE, CPU},
        {"{\"host\":\"x\",\"m\":{\"cpu\":[]}}", PS_REJECT_WRONG_TYPE, CPU},
        {"{\"host\":\"x\",\"m\":{\"cpu\":1e400}}", PS_REJECT_OUT_OF_RANGE, CPU},
        {"{\"host\":\"x\",\"n\":1.0}", PS_REJECT_WRONG_TYPE, N},
        {"{\"host\":\"x\",\"n\":1e3}", PS_REJECT_WRONG_TYPE, N},
        {"{\"host\":\"x\",\"n\":9223372036854775808}", PS_REJECT_OUT_OF_RANGE, N},
        {"{\"host\":\"x\",\"up\":1}", PS_REJECT_WRONG_TYPE, UP},
        {"{\"host\":\"x\",\"up\":\"true\"}", PS_REJECT_WRONG_TYPE, UP},
        {"{\"host\":\"x\",\"ts\":\"yesterday\"}", PS_REJECT_WRONG_TYPE, TS},
        {"{\"host\":\"x\",\"ts\":\"1700000000000\"}", PS_REJECT_WRONG_TYPE, TS},
        {"{\"host\":\"x\",\"ts\":1e30}", PS_REJECT_OUT_OF_RANGE, TS},
        {"{\"host\":\"x\",\"loose\":\"1,5\"}", PS_REJECT_WRONG_TYPE, LOOSE},
        {"{\"host\":\"x\",\"loose\":\" 1\"}", PS_REJECT_WRONG_TYPE, LOOSE},
        {"{\"host\":5,\"x\":nonsense}", PS_REJECT_SYNTAX, 15},
        {"[]", PS_REJECT_NOT_OBJECT, 0},
        {"", PS_REJECT_EMPTY, 0},
    };
    const uint32_t count = sizeof cases / sizeof *cases;
    bench *b = bench_open(&ps_codec_json, NULL, 1 << 16);
    for (uint32_t i = 0; i < count; i++) add(b, cases[i].value);
    b->codec->decode(b->self, &b->batch);
    for (uint32_t i = 0; i < count; i++) expect_reject(b, i, cases[i].reject, cases[i].detail);
    bench_close(b);
}

/* Without this the next batch would copy or upload bytes that belong to nobody. */
static void escaped_text_stays_inside_the_arena(void **state) {
    (void)state;
    bench *b = bench_open(&ps_codec_json, NULL, 148);
    add(b, "{\"host\":\"a\\u0041\\u0042\\u0043\\u0044\\u0045\\u0046\",\"n\":1}");
    add(b, "{\"host\":\"a\\u0041\\u0042\\u0043\\u0044\\u0045\\u0046\",\"n\":1}");
    const uint32_t used = b->batch.arena_used;
    b->codec->decode(b->self, &b->batch);
    expect_host(b, 0, "aABCDEF");
    assert_int_equal(b->batch.arena_used, used + 7);
    expect_reject(b, 1, PS_REJECT_TOO_LARGE, HOST);
    bench_close(b);
}

static void decodes_csv(void **state) {
    (void)state;
    static const char *const names[] = {"host", "m.cpu", "skip", "n", "up", "ts", "loose"};
    const ps_decode_config more = {.columns = {names, 7}, .delimiter = ","};
    bench *b = bench_open(&ps_codec_csv, &more, 1 << 16);
    add(b, "web,42.5,junk,-7,true,1700000000000,1\r\n");
    add(b, "\"a,\"\"b\"\"\",,\"x\",,,2023-11-14T22:13:20Z,");
    add(b, ",,,,,,");
    add(b, "web,1,x,1,true,5");
    add(b, "web,1,x,1,true,5,1,9");
    add(b, "web,\"1");
    add(b, "web,\"1\"x,,,,,");
    add(b, "we\"b,1,,,,,");
    add(b, "web,abc,,,,,");
    add(b, "web,1,,1.5,,,");
    add(b, "web,1,,1,TRUE,,");
    add(b, "web\xff,,,,,,");
    add(b, "");
    add(b, NULL);
    add(b, "web");
    b->codec->decode(b->self, &b->batch);
    expect_reject(b, 0, PS_REJECT_NONE, 0);
    expect_host(b, 0, "web");
    assert_true(real(b, CPU, 0) == 42.5 && integer(b, N, 0) == -7 && real(b, LOOSE, 0) == 1.0);
    expect_reject(b, 1, PS_REJECT_NONE, 0);
    expect_host(b, 1, "a,\"b\"");
    assert_true(is_null(b, CPU, 1) && is_null(b, UP, 1) &&
                integer(b, TS, 1) == 1700000000000000000);
    expect_reject(b, 2, PS_REJECT_MISSING_FIELD, HOST);
    expect_reject(b, 3, PS_REJECT_TRUNCATED, PS_REJECT_BEFORE + LOOSE);
    expect_reject(b, 4, PS_REJECT_SYNTAX, 19);
    expect_reject(b, 5, PS_REJECT_TRUNCATED, 6);
    expect_reject(b, 6, PS_REJECT_SYNTAX, 7);
    expect_reject(b, 7, PS_REJECT_SYNTAX, 2);
    expect_reject(b, 8, PS_REJECT_WRONG_TYPE, CPU);
    expect_reject(b, 9, PS_REJECT_WRONG_TYPE, N);
    expect_reject(b, 10, PS_REJECT_WRONG_TYPE, UP);
    expect_reject(b, 11, PS_REJECT_INVALID_UTF8, 0);
    expect_reject(b, 12, PS_REJECT_EMPTY, 0);
    expect_reject(b, 13, PS_REJECT_NONE, 0);
    assert_true(is_null(b, HOST, 13));
    expect_reject(b, 14, PS_REJECT_TRUNCATED, PS_REJECT_BEFORE + CPU);
    bench_close(b);
}

static void refuses_bad_csv_columns(void **state) {
    (void)state;
    static const char *const names[] = {"host", "cpu"};
    ps_plan plan;
    ps_error error;
    void *self = NULL;
    ps_decode_config config = {.fields = {fields, FIELDS}, .columns = {names, 2}};
    assert_int_equal(ps_plan_init(&plan, 8, 256, 10, &config.fields, &error), PS_OK);
    assert_int_equal(ps_plan_close(&plan, &error), PS_OK);
    assert_int_equal(ps_codec_csv.open(&config, &plan.schema, &self, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "'cpu' reads column 'm.cpu'"));
    config.delimiter = ",,";
    assert_int_equal(ps_codec_csv.open(&config, &plan.schema, &self, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "delimiter"));
    ps_plan_deinit(&plan);
}

static void add_to(bench *b, uint32_t partition, const char *value) {
    const ps_bytes none = {NULL, PS_NULL_LENGTH};
    const ps_bytes text = {(const uint8_t *)value, (uint32_t)strlen(value)};
    const ps_record record = {
        .partition = partition, .timestamp_ms = -1, .key = none, .value = text, .headers = none};
    assert_int_equal(ps_batch_append(&b->batch, &record), PS_OK);
}

static ps_status heading(bench *b, uint32_t partition, const char *line, ps_error *error) {
    const ps_heading of = {"in/x.csv", {(const uint8_t *)line, (uint32_t)strlen(line)}};
    return b->codec->heading(b->self, partition, &of, error);
}

/* Every file by its own header line, in one batch. */
static void reads_columns_by_their_header_line(void **state) {
    (void)state;
    static const char *const names[] = {"loose", "ts", "up", "n", "m.cpu", "host"};
    const ps_decode_config quiet = {.delimiter = ";"};
    ps_decode_config named = {.columns = {names, 6}};
    ps_error error;
    bench *b = bench_open(&ps_codec_csv, NULL, 4096);
    assert_int_equal(heading(b, 0, "host,m.cpu,n,up,ts,loose", &error), PS_OK);
    assert_int_equal(heading(b, 2, "ts,\"x,\"\"y\"\"\",up,n,\"m.cpu\",loose,,host", &error), PS_OK);
    assert_int_equal(heading(b, 3, "host,m.cpu,n,up,ts,loose", &error), PS_OK);
    add_to(b, 2, "5,xy,true,7,1.5,,,web-2");
    add_to(b, 0, "web-0,2.5,8,false,6,");
    add_to(b, 3, "web-3,3.5,9,false,6,");
    add_to(b, 1, "web-1,4.5,10,true,7,");
    add_to(b, 0, "5,xy,true,7,1.5,,,web-2");
    ps_codec_csv.decode(b->self, &b->batch);
    static const double cpu[] = {1.5, 2.5, 3.5, 4.5};
    for (uint32_t row = 0; row < 4; row++) {
        const char host[] = {'w', 'e', 'b', '-', "2031"[row], '\0'};
        expect_reject(b, row, PS_REJECT_NONE, 0);
        expect_host(b, row, host);
        assert_true(real(b, CPU, row) == cpu[row] && integer(b, N, row) == 7 + row);
    }
    expect_reject(b, 4, PS_REJECT_SYNTAX, 17); /* two columns too many for that file */
    bench_close(b);
    /* What the pipeline file names goes before. */
    b = bench_open(&ps_codec_csv, &named, 4096);
    assert_int_equal(heading(b, 0, "host,m.cpu,n,up,ts,loose", &error), PS_OK);
    add_to(b, 0, ",6,true,8,2.5,web-0");
    ps_codec_csv.decode(b->self, &b->batch);
    expect_host(b, 0, "web-0");
    bench_close(b);

    b = bench_open(&ps_codec_csv, &quiet, 4096);
    assert_int_equal(heading(b, 0, "loose;ts;up;n;host;m.cpu", &error), PS_OK);
    assert_int_equal(heading(b, 1, "loose;ts;up;n;host;cpu", &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "in/x.csv: field 'cpu' reads column 'm.cpu'"));
    assert_non_null(strstr(error.message, "does not name"));
    assert_non_null(strstr(error.message, "loose;ts;up;n;host;cpu"));
    assert_int_equal(heading(b, 1, "loose;ts;up;n;host;m.cpu;n", &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "names column 'n' 2 times"));
    assert_int_equal(heading(b, 1, "loose;ts;\"up;n;host;m.cpu;n", &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "not well-formed"));
    assert_int_equal(heading(b, 1, "", &error), PS_BAD_CONFIG);
    /* A NUL byte in the file, where a field's name ends: not that field, and nothing behind it. */
    static const char nul[] = "loose;ts;up;n;host;m.cpu\0\0\0n";
    const ps_heading broken = {"in/x.csv", {(const uint8_t *)nul, sizeof nul - 1}};
    assert_int_equal(b->codec->heading(b->self, 1, &broken, &error), PS_BAD_CONFIG);
    for (uint32_t i = 0; i < 254; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "loose;ts;up;n;host;m.cpu%.*s", (int)i % 20 + 1,
                       ";;;;;;;;;;;;;;;;;;;;;");
        assert_int_equal(heading(b, i, line, &error), PS_OK); /* 20 layouts, not 254 */
    }
    bench_close(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_json),
        cmocka_unit_test(names_the_bad_field),
        cmocka_unit_test(escaped_text_stays_inside_the_arena),
        cmocka_unit_test(decodes_csv),
        cmocka_unit_test(refuses_bad_csv_columns),
        cmocka_unit_test(reads_columns_by_their_header_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
