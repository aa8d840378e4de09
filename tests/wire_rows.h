/* SPDX-License-Identifier: Apache-2.0
 * Rows of every kind, the same for the same seed: null and empty keys and values, many headers, the
 * same header twice, null header values, names and values around every length that matters.
 */
#ifndef PS_TESTS_WIRE_ROWS_H
#define PS_TESTS_WIRE_ROWS_H

#include <stdio.h>
#include <string.h>

#include "ingest/wire/batch.h"
#include "ingest/wire/writer.h"

enum { TEST_HEADERS_MAX = 80, TEST_PACKED_MAX = 32 << 10 };

typedef struct test_row {
    ps_wire_row row;
    ps_header headers[TEST_HEADERS_MAX]; /* all of them, in order */
    uint32_t header_count;
    uint8_t packed[TEST_PACKED_MAX];
    char text[2048];
} test_row;

static inline uint64_t test_next(uint64_t *random) {
    *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
    return *random;
}

static inline void test_noise(uint8_t *to, size_t bytes, uint64_t seed) {
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)test_next(&random);
}

/* Null, empty, short, or of up to 300 bytes; half of it text, so that it can be compressed. */
static inline ps_bytes test_field(uint64_t *random, bool may_be_null) {
    static uint8_t pool[2048];
    if (pool[1] == 0) test_noise(pool, sizeof pool / 2, 4);
    const uint64_t kind = test_next(random) % 16;
    const uint8_t *from = pool + test_next(random) % 1500;
    if (kind == 0 && may_be_null) return (ps_bytes){NULL, PS_NULL_LENGTH};
    if (kind == 1) return (ps_bytes){from, 0};
    const uint64_t most = kind < 12 ? 40 : kind < 15 ? 140 : 300;
    return (ps_bytes){from, (uint32_t)(test_next(random) % most)};
}

/* The first `packed` of its headers go into one run, the others are added. */
static inline void test_row_split(test_row *out, uint32_t packed) {
    uint8_t *to = out->packed;
    for (uint32_t i = 0; i < packed; i++)
        to = ps_headers_put(to, out->headers[i].name, out->headers[i].value);
    out->row.packed = (ps_bytes){out->packed, (uint32_t)(to - out->packed)};
    if (packed == 0) out->row.packed = (ps_bytes){NULL, PS_NULL_LENGTH};
    out->row.packed_count = packed;
    out->row.added = out->headers + packed;
    out->row.added_count = out->header_count - packed;
}

static inline void test_row_make(test_row *out, uint32_t seed) {
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252u;
    memset(out, 0, sizeof *out);
    (void)test_next(&random);
    out->header_count = (uint32_t)(test_next(&random) % 8);
    if (seed % 50 == 7) out->header_count = TEST_HEADERS_MAX;
    for (uint32_t i = 0; i < out->header_count; i++) {
        const bool again = i > 0 && test_next(&random) % 4 == 0;
        out->headers[i].name = again ? out->headers[i - 1].name : test_field(&random, false);
        out->headers[i].value = test_field(&random, true);
    }
    out->row.timestamp_ms =
        INT64_C(1700000000000) + (int64_t)(test_next(&random) % (seed % 2 ? 100 : 100000)) - 50;
    out->row.key = test_field(&random, true);
    out->row.value = test_field(&random, true);
    test_row_split(out, (uint32_t)(test_next(&random) % (out->header_count + 1)));
}

/* What another program can print. */
static inline void test_row_make_text(test_row *out, uint32_t i) {
    memset(out, 0, sizeof *out);
    const int key = snprintf(out->text, 100, "key-%u", i);
    const int value = snprintf(out->text + 100, 100, "value %u of a batch, value %u", i, i);
    out->header_count = i % 3;
    for (uint32_t h = 0; h < out->header_count; h++)
        out->headers[h] = (ps_header){{(const uint8_t *)"name", 4}, {(const uint8_t *)"x", h}};
    out->row.timestamp_ms = INT64_C(1700000000000) - i;
    out->row.key = (ps_bytes){(const uint8_t *)out->text, (uint32_t)key};
    out->row.value = (ps_bytes){(const uint8_t *)out->text + 100, (uint32_t)value};
    test_row_split(out, i % 3 / 2);
}

/* The same as kafka.tools.DumpLogSegments has it, from its time on. */
static inline void test_row_text(char *to, size_t room, uint32_t i) {
    static const char *const headers[] = {"[]", "[name]", "[name,name]"};
    (void)snprintf(to, room, "headerKeys: %s key: key-%u payload: value %u of a batch, value %u",
                   headers[i % 3], i, i, i);
}

static inline void test_same(ps_bytes got, ps_bytes wanted) {
    assert_int_equal(got.length, wanted.length);
    if (wanted.length != PS_NULL_LENGTH && wanted.length > 0)
        assert_memory_equal(got.data, wanted.data, wanted.length);
}

/* Whether a record is that row, its headers one by one and packed. */
static inline void test_row_check(const test_row *wanted, const ps_wire_record *got) {
    static uint8_t packed[TEST_PACKED_MAX];
    ps_header header;
    uint32_t at = 0;
    assert_int_equal(got->timestamp_ms, wanted->row.timestamp_ms);
    test_same(got->key, wanted->row.key);
    test_same(got->value, wanted->row.value);
    assert_int_equal(got->header_count, wanted->header_count);
    for (uint32_t i = 0; i < wanted->header_count; i++) {
        assert_true(ps_wire_header_next(got->headers, &at, &header));
        test_same(header.name, wanted->headers[i].name);
        test_same(header.value, wanted->headers[i].value);
    }
    assert_false(ps_wire_header_next(got->headers, &at, &header));
    assert_int_equal(
        ps_wire_headers_pack(got->headers, got->header_count, packed, got->packed_bytes),
        got->packed_bytes);
    const ps_bytes all = {packed, got->packed_bytes};
    at = 0;
    for (uint32_t i = 0; i < wanted->header_count; i++) {
        assert_true(ps_headers_next(all, &at, &header));
        test_same(header.name, wanted->headers[i].name);
        test_same(header.value, wanted->headers[i].value);
    }
    assert_int_equal(at, all.length);
}

#endif
