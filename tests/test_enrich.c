/* SPDX-License-Identifier: Apache-2.0
 * What a sink writes for a row, byte for byte.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/flow/enrich.h"
#include "host/flow/shortest.h"
#include "tests/batches.h"

enum { ROWS = 64, ARENA = 65536, TEXT_MAX = 8192 };

/* A plan with one output of every kind, and a batch for it. */
typedef struct world {
    ps_plan plan;
    ps_batch batch;
    ps_partitions partitions;
    ps_enricher *enricher;
    uint32_t sha256, crc32c, xxh3, score, anomaly, why;
} world;

static const char *const labels[] = {"ewma", "z\"score\n"};
static const char *const levels[] = {"low", "medium", "high"};

static uint32_t add(world *w, const char *name, ps_type type, ps_output_kind kind, uint32_t of,
                    uint32_t gate) {
    ps_output output = {.kind = kind, .of = of, .gate = gate};
    assert_int_equal(ps_plan_add(&w->plan, name, type, PS_PER_ROW, 0, &output.column, NULL), PS_OK);
    (void)snprintf(output.name, sizeof output.name, "%s", name);
    if (kind == PS_OUTPUT_LABEL) {
        output.labels = labels;
        output.label_count = 2;
    }
    assert_int_equal(ps_plan_output(&w->plan, &output, NULL), PS_OK);
    return output.column;
}

static void add_severity(world *w) {
    const ps_output output = {.name = "severity",
                              .kind = PS_OUTPUT_LEVEL,
                              .column = w->anomaly,
                              .of = PS_NOWHERE,
                              .gate = w->score,
                              .labels = levels,
                              .label_count = 3,
                              .levels = {6.0f, 3.0f}};
    assert_int_equal(ps_plan_output(&w->plan, &output, NULL), PS_OK);
}

/* `all`: outputs of every kind, not just the four that most pipelines have. */
static world *open_world(const char *topic, bool all) {
    world *w = calloc(1, sizeof *w);
    assert_int_equal(ps_plan_init(&w->plan, ROWS, ARENA, 1, NULL, NULL), PS_OK);
    w->sha256 = add(w, "sha256", PS_TYPE_DIGEST, PS_OUTPUT_HEX, PS_COLUMN_VALUE, PS_NOWHERE);
    if (all) w->crc32c = add(w, "crc32c", PS_TYPE_U32, PS_OUTPUT_HEX, PS_COLUMN_KEY, PS_NOWHERE);
    if (all) w->xxh3 = add(w, "a \"b\\", PS_TYPE_U64, PS_OUTPUT_HEX, PS_COLUMN_VALUE, PS_NOWHERE);
    w->score = add(w, "score", PS_TYPE_F32, PS_OUTPUT_SCORE, PS_NOWHERE, PS_NOWHERE);
    w->anomaly = add(w, "anomaly", PS_TYPE_U8, PS_OUTPUT_FLAG, PS_NOWHERE, w->score);
    w->why = add(w, "why", PS_TYPE_U8, PS_OUTPUT_LABEL, PS_NOWHERE, w->score);
    if (all) add_severity(w);
    assert_int_equal(ps_plan_close(&w->plan, NULL), PS_OK);
    test_batch_memory(&w->batch, &w->plan.schema);
    w->partitions.topic_count = 2;
    (void)snprintf(w->partitions.topic[0].name, sizeof w->partitions.topic[0].name, "other");
    w->partitions.topic[0].count = 3;
    (void)snprintf(w->partitions.topic[1].name, sizeof w->partitions.topic[1].name, "%s", topic);
    w->partitions.topic[1].first = 3;
    w->partitions.topic[1].count = 2;
    w->partitions.count = 5;
    assert_int_equal(ps_enricher_open(&w->plan, &w->partitions, &w->enricher, NULL), PS_OK);
    return w;
}

static void close_world(world *w) {
    ps_enricher_close(w->enricher);
    test_batch_free(&w->batch);
    ps_plan_deinit(&w->plan);
    free(w);
}

static void *values(world *w, uint32_t column) {
    return ps_batch_values(&w->batch, &w->plan.schema.column[column]);
}

static ps_bytes bytes_of(const char *text) {
    const ps_bytes bytes = {(const uint8_t *)text,
                            text == NULL ? PS_NULL_LENGTH : (uint32_t)strlen(text)};
    return bytes;
}

/* One row; NULL key or value: null. */
static void append(world *w, const char *key, const char *value, float score, uint8_t anomaly,
                   uint8_t why) {
    const uint32_t row = w->batch.rows;
    const ps_record record = {.partition = 4,
                              .offset = row == 0 ? 1234567890123 : row,
                              .timestamp_ms = -1,
                              .key = bytes_of(key),
                              .value = bytes_of(value),
                              .headers = bytes_of(NULL)};
    assert_int_equal(ps_batch_append(&w->batch, &record), PS_OK);
    for (uint32_t i = 0; i < 32; i++)
        ((uint8_t *)values(w, w->sha256))[32 * row + i] = (uint8_t)(i * 9 + row);
    if (w->crc32c != 0) ((uint32_t *)values(w, w->crc32c))[row] = 0x00ab12f0;
    if (w->xxh3 != 0) ((uint64_t *)values(w, w->xxh3))[row] = UINT64_C(0x0123456789abcdef);
    ((float *)values(w, w->score))[row] = score;
    ((uint8_t *)values(w, w->anomaly))[row] = anomaly;
    ((uint8_t *)values(w, w->why))[row] = why;
}

#define DIGEST "0009121b242d363f48515a636c757e879099a2abb4bdc6cfd8e1eaf3fc050e17"

/* name=text;name=text; of one row. */
static const char *headers(world *w, uint32_t row, char *to) {
    char *text = malloc(ps_enricher_text_max(w->enricher));
    ps_header out[PS_OUTPUTS_MAX + 1];
    const uint32_t count = ps_enrich_headers(w->enricher, &w->batch, row, 4, text, out);
    char *at = to;
    for (uint32_t i = 0; i < count; i++) {
        const size_t room = TEXT_MAX - (size_t)(at - to);
        at += snprintf(at, room, "%.*s=%.*s;", (int)out[i].name.length,
                       (const char *)out[i].name.data, (int)out[i].value.length,
                       (const char *)out[i].value.data);
    }
    free(text);
    return to;
}

static const char *json(world *w, uint32_t row, char *to) {
    const ps_bytes value = ps_batch_text(&w->batch, &w->plan.schema.column[PS_COLUMN_VALUE], row);
    const uint32_t length = value.length == PS_NULL_LENGTH ? 0 : value.length;
    char *text = malloc(length + ps_enricher_json_max(w->enricher));
    const size_t written = ps_enrich_json(w->enricher, &w->batch, row, 4, text);
    memcpy(to, text, written);
    to[written] = '\0';
    free(text);
    return to;
}

static void headers_are_exact(void **state) {
    (void)state;
    char to[TEXT_MAX];
    world *w = open_world("tele.metry-x_1", true);
    append(w, "k", "{}", 1.25f, 1, 1);
    assert_string_equal(headers(w, 0, to),
                        "ps-source=tele.metry-x_1/1/1234567890123;ps-sha256=" DIGEST
                        ";ps-crc32c=00ab12f0;ps-a \"b\\=0123456789abcdef;ps-score=1.25;"
                        "ps-anomaly=1;ps-why=z\"score\n;ps-severity=low;");
    append(w, NULL, "{}", 0.0f, 0, 255);
    ((uint8_t *)values(w, w->sha256))[32] = 0;
    assert_null(strstr(headers(w, 1, to), "crc32c"));
    assert_non_null(strstr(to, "ps-source=tele.metry-x_1/1/1;"));
    assert_non_null(strstr(to, "ps-score=0;ps-anomaly=0;"));
    assert_null(strstr(to, "why"));
    append(w, "k", NULL, nanf(""), 0, 255);
    assert_string_equal(headers(w, 2, to), "ps-source=tele.metry-x_1/1/2;ps-crc32c=00ab12f0;");
    close_world(w);
}

static void json_is_exact(void **state) {
    (void)state;
    char to[TEXT_MAX];
    world *w = open_world("t", true);
    append(w, "k", "{\"a\":1}", 7.5f, 1, 0);
    assert_string_equal(json(w, 0, to),
                        "{\"a\":1,\"penstock\":{\"source\":\"t/1/1234567890123\","
                        "\"sha256\":\"" DIGEST
                        "\",\"crc32c\":\"00ab12f0\",\"a \\\"b\\\\\":\"0123456789abcdef\","
                        "\"score\":7.5,\"anomaly\":true,\"why\":\"ewma\",\"severity\":\"low\"}}");
    append(w, NULL, " { \t} \n", 300.0f, 0, 1);
    ((uint8_t *)values(w, w->sha256))[32] = 0;
    assert_memory_equal(json(w, 1, to), " { \t\"penstock\":{\"source\":\"t/1/1\",\"sha256\":\"00",
                        42);
    assert_non_null(
        strstr(to, "\"score\":300,\"anomaly\":false,\"why\":\"z\\\"score\\u000a\"}} \n"));
    append(w, NULL, "{\"a\":{}}", nanf(""), 0, 255);
    assert_memory_equal(json(w, 2, to), "{\"a\":{},\"penstock\"", 18);
    append(w, NULL, "{\"a\":\"{\"}\r\n", nanf(""), 0, 255);
    assert_memory_equal(json(w, 3, to), "{\"a\":\"{\",\"penstock\"", 19);
    assert_string_equal(to + strlen(to) - 4, "}}\r\n");
    static const char *const others[] = {NULL, "", "[]", "1", "{", "}", "  ", "\"}\""};
    for (uint32_t i = 0; i < sizeof others / sizeof *others; i++) {
        append(w, NULL, others[i], 1.0f, 0, 255);
        assert_string_equal(json(w, 4 + i, to), "");
    }
    close_world(w);
}

static const uint8_t *take_half(const uint8_t *at, ps_bytes *out) {
    uint32_t length = 0;
    for (uint32_t shift = 0;; shift += 7) {
        length |= (uint32_t)(*at & 127) << shift;
        if (*at++ < 128) break;
    }
    *out = (ps_bytes){at, length / 2};
    return at + length / 2;
}

static void check_record(world *w, uint32_t row, uint32_t partition) {
    char *text = malloc(ps_enricher_text_max(w->enricher));
    uint8_t *record = malloc(ps_enricher_record_max(w->enricher));
    ps_header wanted[PS_OUTPUTS_MAX + 1];
    const uint32_t count = ps_enrich_headers(w->enricher, &w->batch, row, partition, text, wanted);
    uint32_t got;
    const uint8_t *const end =
        ps_enrich_record(w->enricher, &w->batch, row, partition, record, &got);
    const uint8_t *at = record;
    assert_int_equal(got, count);
    for (uint32_t i = 0; i < count; i++) {
        ps_header one;
        at = take_half(take_half(at, &one.name), &one.value);
        assert_int_equal(one.name.length, wanted[i].name.length);
        assert_memory_equal(one.name.data, wanted[i].name.data, one.name.length);
        assert_int_equal(one.value.length, wanted[i].value.length);
        assert_memory_equal(one.value.data, wanted[i].value.data, one.value.length);
    }
    assert_ptr_equal(at, end);
    assert_true((size_t)(end - record) <= ps_enricher_record_max(w->enricher));
    free(text);
    free(record);
}

/* Breaks when an anomaly is called more or less severe than its score says. */
static void severity_follows_the_score(void **state) {
    (void)state;
    char to[TEXT_MAX];
    static const float scores[] = {5.0f, 6.0f, 8.999f, 9.0f, 11.5f, 12.0f, 300.0f};
    static const char *const said[] = {"low", "low", "low", "medium", "medium", "high", "high"};
    world *w = open_world("t", true);
    for (uint32_t i = 0; i < 7; i++) {
        append(w, "k", "{}", scores[i], 1, 0);
        const char *at = strstr(headers(w, i, to), "ps-severity=");
        assert_non_null(at);
        assert_memory_equal(at + 12, said[i], strlen(said[i]));
        check_record(w, i, 4);
    }
    append(w, "k", "{}", 300.0f, 0, 255);
    assert_null(strstr(headers(w, 7, to), "severity"));
    close_world(w);
}

/* The sizes that callers are told are enough, with the longest of everything: ASan watches. */
static void longest_fits(void **state) {
    (void)state;
    char topic[250], to[TEXT_MAX];
    memset(topic, 't', 249);
    topic[249] = '\0';
    world *w = open_world(topic, true);
    w->partitions.topic[1].first = 3;
    append(w, "k", "{}", 1.1754945e-38f, 1, 1);
    ((int64_t *)ps_batch_system(&w->batch, PS_COLUMN_OFFSET))[0] = INT64_MIN;
    assert_non_null(strstr(headers(w, 0, to), "/1/-9223372036854775808;"));
    assert_non_null(strstr(to, "ps-score=1.1754945e-38;"));
    assert_non_null(strstr(json(w, 0, to), "/1/-9223372036854775808\""));
    char text[PS_OUTPUT_TEXT_MAX];
    const uint32_t length = ps_enrich_source(&w->partitions, 2, 17, text);
    assert_memory_equal(text, "other/2/17", length);
    assert_int_equal(length, 10);
    close_world(w);
}

/* As a record has them they are the same headers: with every kind of output, left out or not, and
 * with sources shorter and longer than a length of one byte can say. */
static void records_have_the_same_headers(void **state) {
    (void)state;
    for (uint32_t length = 1; length < 250; length += length < 30 || length > 60 ? 31 : 1) {
        char topic[256];
        memset(topic, 't', length);
        topic[length] = '\0';
        world *w = open_world(topic, true);
        append(w, "key", "{}", 1.5f, 1, 0);
        append(w, NULL, NULL, NAN, 0, 255);
        append(w, "key", "{}", -1.1754945e-38f, 0, 1);
        ((int64_t *)ps_batch_system(&w->batch, PS_COLUMN_OFFSET))[2] = INT64_MIN + 1;
        for (uint32_t row = 0; row < 3; row++) {
            check_record(w, row, 4);
            check_record(w, row, 1);
        }
        close_world(w);
    }
}

/* Breaks when an event does not name the log and the entry of its record. */
static void sealed_rows_say_where(void **state) {
    (void)state;
    char to[TEXT_MAX], expected[TEXT_MAX];
    world *w = open_world("in", false);
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_enricher_close(w->enricher);
    /* As the stage plans them, over columns that are there. */
    *plan = w->plan;
    plan->output_count = 0;
    plan->seal.origin = "example.org/audit";
    uint32_t index = 0;
    for (uint32_t i = 0; i < plan->schema.column_count; i++)
        if (plan->schema.column[i].width == 8 && plan->schema.column[i].type == PS_TYPE_I64)
            index = i; /* a timestamp's place will do */
    static const struct {
        const char *name;
        ps_output_kind kind;
    } outputs[] = {{"tlog-origin", PS_OUTPUT_ORIGIN},
                   {"tlog-index", PS_OUTPUT_INDEX},
                   {"tlog-leaf", PS_OUTPUT_HEX}};
    for (size_t i = 0; i < 3; i++) {
        ps_output *output = &plan->output[plan->output_count++];
        *output = (ps_output){.kind = outputs[i].kind,
                              .bare = true,
                              .column = i == 2 ? w->sha256 : index,
                              .of = PS_NOWHERE,
                              .gate = PS_NOWHERE};
        (void)snprintf(output->name, sizeof output->name, "%s", outputs[i].name);
    }
    (void)snprintf(w->partitions.cluster, sizeof w->partitions.cluster, "c1");
    (void)snprintf(w->partitions.topic[1].id, sizeof w->partitions.topic[1].id, "id-1_x");
    assert_int_equal(ps_enricher_open(plan, &w->partitions, &w->enricher, NULL), PS_OK);
    append(w, "k", "{\"a\":1}", 0, 0, 0);
    ((uint64_t *)values(w, index))[0] = UINT64_C(9007199254740993);
    (void)snprintf(expected, sizeof expected,
                   "ps-source=in/1/1234567890123;tlog-origin=example.org/audit/c1/in/id-1_x/1;"
                   "tlog-index=9007199254740993;tlog-leaf=%s;",
                   DIGEST);
    assert_string_equal(headers(w, 0, to), expected);
    check_record(w, 0, 4);
    (void)snprintf(expected, sizeof expected,
                   "{\"a\":1,\"penstock\":{\"source\":\"in/1/1234567890123\",\"tlog-origin\":"
                   "\"example.org/audit/c1/in/id-1_x/1\",\"tlog-index\":9007199254740993,"
                   "\"tlog-leaf\":\"%s\"}}",
                   DIGEST);
    assert_string_equal(json(w, 0, to), expected);
    free(plan);
    close_world(w);
}

static void numbers_read_back(void **state) {
    (void)state;
    char text[64], other[64];
    uint64_t random = 1;
    for (uint32_t i = 0; i < 300000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const uint32_t bits = (uint32_t)(random >> 32);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        text[ps_shortest_f32(value, text)] = '\0';
        if (strtof(text, NULL) != value) fail_msg("%a became %s", (double)value, text);
        const int64_t whole = (int64_t)random >> (random & 63);
        text[ps_decimal_i64(whole, text)] = '\0';
        (void)snprintf(other, sizeof other, "%" PRId64, whole);
        if (strcmp(text, other) != 0) fail_msg("%s became %s", other, text);
        ps_hex_u64(random, text);
        text[16] = '\0';
        (void)snprintf(other, sizeof other, "%016" PRIx64, random);
        if (strcmp(text, other) != 0) fail_msg("%s became %s", other, text);
    }
    /* Every 997th float of those that are not left to to_chars, and the ends of that range. */
    for (uint32_t bits = 0x3a831000; bits < 0x447a1000; bits += bits % 997 == 0 ? 1 : 996) {
        float value;
        memcpy(&value, &bits, sizeof value);
        const uint32_t length = ps_shortest_f32(value, text);
        assert_int_equal(length, ps_shortest_f32_any(value, other));
        if (memcmp(text, other, length) != 0)
            fail_msg("%.*s became %.*s", (int)length, other, (int)length, text);
    }
    static const struct {
        float value;
        const char *text;
    } known[] = {{0.0f, "0"}, {1.0f, "1"}, {0.1f, "0.1"}, {300.0f, "300"}, {1e6f, "1e+06"}};
    for (uint32_t i = 0; i < sizeof known / sizeof *known; i++) {
        text[ps_shortest_f32(known[i].value, text)] = '\0';
        assert_string_equal(text, known[i].text);
    }
}

/* Objects that were written over several lines become one; what is in strings stays. */
static void line_has_no_break(void **state) {
    (void)state;
    world *w = open_world("t", false);
    append(w, "k", "\r\n{\"a\":\"x\\ny\",\r\n \"b\":1\n}\n", 1.0f, 0, 255);
    char *text = malloc(1024 + ps_enricher_json_max(w->enricher));
    const size_t length = ps_enrich_line(w->enricher, &w->batch, 0, 4, text);
    static const char begin[] = "  {\"a\":\"x\\ny\",   \"b\":1 ,\"penstock\":{\"source\":";
    assert_memory_equal(text, begin, sizeof begin - 1);
    assert_memory_equal(text + length - 4, "}} \n", 4);
    assert_ptr_equal(memchr(text, '\n', length), text + length - 1);
    assert_null(memchr(text, '\r', length));
    free(text);
    close_world(w);
}

static uint64_t spend_headers(world *w, uint32_t row, char *text) {
    ps_header out[PS_OUTPUTS_MAX + 1];
    return ps_enrich_headers(w->enricher, &w->batch, row, 4, text, out);
}

static uint64_t spend_json(world *w, uint32_t row, char *text) {
    return ps_enrich_json(w->enricher, &w->batch, row, 4, text);
}

static uint64_t spend_score(world *w, uint32_t row, char *text) {
    return ps_shortest_f32(((const float *)values(w, w->score))[row], text);
}

static uint64_t spend_hex(world *w, uint32_t row, char *text) {
    ps_hex_bytes((const uint8_t *)values(w, w->sha256) + 32 * row, 32, text);
    return (uint8_t)text[row];
}

/* The best of many rounds, nanoseconds a row. */
static void measure(world *w, const char *what, uint64_t (*spend)(world *, uint32_t, char *),
                    char *text) {
    uint64_t sum = 0;
    int64_t best_ns = INT64_MAX;
    for (uint32_t round = 0; round < 3000; round++) {
        const int64_t from_ns = ps_clock_ns();
        for (uint32_t i = 0; i < 10 * ROWS; i++) sum += spend(w, i % ROWS, text);
        const int64_t took_ns = ps_clock_ns() - from_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    printf("%-18s %5.1f ns a row (%u)\n", what, (double)best_ns / 10 / ROWS, (unsigned)(sum & 1));
}

/* Not a verdict, a figure: what a row costs a sink. PS_TEST_BENCH=1 prints it. */
static void cost_of_a_row(void **state) {
    (void)state;
    if (getenv("PS_TEST_BENCH") == NULL) skip();
    world *w = open_world("telemetry", false);
    char value[300] = "{\"host\":\"";
    memset(value + 9, 'h', 240);
    memcpy(value + 249, "\"}", 3);
    for (uint32_t i = 0; i < ROWS; i++) append(w, "k", value, 0.001f * (float)(i * i + 1), 0, 255);
    char *text =
        malloc(1024 + ps_enricher_text_max(w->enricher) + ps_enricher_json_max(w->enricher));
    measure(w, "four headers", spend_headers, text);
    measure(w, "json, 251 bytes", spend_json, text);
    measure(w, "score", spend_score, text);
    measure(w, "hex of a digest", spend_hex, text);
    free(text);
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers_are_exact),
                                       cmocka_unit_test(json_is_exact),
                                       cmocka_unit_test(severity_follows_the_score),
                                       cmocka_unit_test(line_has_no_break),
                                       cmocka_unit_test(longest_fits),
                                       cmocka_unit_test(records_have_the_same_headers),
                                       cmocka_unit_test(sealed_rows_say_where),
                                       cmocka_unit_test(numbers_read_back),
                                       cmocka_unit_test(cost_of_a_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
