/* SPDX-License-Identifier: Apache-2.0
 * Batches that others wrote. If this fails, the source reads other records than a producer sent,
 * takes what was aborted for data, or a hostile broker reads our memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/wire/batch.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/crc.h"
#include "ingest/wire/unpack.h"
#include "ingest/wire/writer.h"
#include "simd/dispatch.h"
#include "tests/wire_rows.h"
#include "tests/wire_vector.h"

enum { ROOM = 1 << 20, GOLDEN = 40 };

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

/* Record `i` as tests/vectors/wire/Golden.java makes it. */
static void check_golden(const ps_wire_record *record, uint32_t i, int64_t time) {
    char text[2048] = "";
    ps_header header;
    uint32_t at = 0;
    assert_int_equal(record->timestamp_ms, time);
    const int key = snprintf(text, sizeof text, "key-%u", i);
    if (i == 3)
        assert_int_equal(record->key.length, PS_NULL_LENGTH);
    else
        test_same(record->key, (ps_bytes){(uint8_t *)text, i == 4 ? 0 : (uint32_t)key});
    size_t length = 0;
    for (uint32_t times = 0; times < i && i != 6; times++)
        length += (size_t)snprintf(text + length, sizeof text - length, "value %u ", i);
    if (i == 5)
        assert_int_equal(record->value.length, PS_NULL_LENGTH);
    else
        test_same(record->value, (ps_bytes){(uint8_t *)text, (uint32_t)length});
    assert_int_equal(record->header_count, i % 3);
    memset(text, 'x', i);
    for (uint32_t h = 0; h < i % 3; h++) {
        const bool null = h == 0 && i % 2 == 0;
        assert_true(ps_wire_header_next(record->headers, &at, &header));
        test_same(header.name, (ps_bytes){(const uint8_t *)"a", 1});
        if (null)
            assert_int_equal(header.value.length, PS_NULL_LENGTH);
        else
            test_same(header.value, (ps_bytes){(uint8_t *)text, h == 0 ? i : 0});
    }
    assert_false(ps_wire_header_next(record->headers, &at, &header));
}

static void check_golden_batch(const ps_wire_batch *batch, ps_bytes plain) {
    const int64_t first = INT64_C(1700000000000);
    ps_wire_records records;
    ps_wire_record record;
    ps_error error;
    assert_int_equal(batch->count, GOLDEN);
    assert_int_equal(batch->last_offset_delta, GOLDEN - 1);
    assert_true(ps_wire_batch_intact(batch));
    ps_wire_records_begin(&records, batch, plain);
    for (uint32_t i = 0; i < GOLDEN; i++) {
        assert_int_equal(ps_wire_records_next(&records, &record, &error), PS_OK);
        assert_int_equal(record.offset, batch->base_offset + i);
        check_golden(&record, i,
                     batch->append_time ? batch->max_timestamp_ms
                                        : first + 1000 * (int64_t)((i * 7 + 20) % GOLDEN));
    }
    assert_int_equal(ps_wire_records_next(&records, &record, &error), PS_END);
}

static void javas_batches(void **state) {
    ps_wire_unpacker *unpacker = NULL;
    ps_error error;
    (void)state;
    assert_int_equal(ps_wire_unpacker_open(ROOM, &unpacker, &error), PS_OK);
    for (uint8_t codec = 0; codec < PS_WIRE_CODECS; codec++) {
        char name[32];
        ps_wire_batch batch;
        ps_bytes plain;
        uint32_t at = 0;
        (void)snprintf(name, sizeof name, "java-%s", codecs[codec]);
        const ps_bytes all = test_vector(name);
        assert_int_equal(ps_wire_batch_next(all, &at, &batch, &error), PS_OK);
        assert_int_equal(at, all.length);
        assert_int_equal(batch.codec, codec);
        assert_false(batch.append_time || batch.transactional || batch.control);
        assert_int_equal(batch.base_timestamp_ms, INT64_C(1700000020000));
        assert_int_equal(batch.max_timestamp_ms, INT64_C(1700000039000));
        assert_int_equal(ps_wire_unpack(unpacker, codec, batch.records, &plain, &error), PS_OK);
        check_golden_batch(&batch, plain);
        free((void *)(uintptr_t)all.data);
    }
    ps_wire_unpacker_close(unpacker);
}

static void librdkafkas_batches(void **state) {
    ps_wire_unpacker *unpacker = NULL;
    ps_error error;
    (void)state;
    assert_int_equal(ps_wire_unpacker_open(ROOM, &unpacker, &error), PS_OK);
    for (uint8_t codec = 0; codec < PS_WIRE_CODECS; codec++) {
        char name[32], text[128];
        ps_wire_batch batch;
        ps_wire_records records;
        ps_wire_record record;
        ps_header header;
        ps_bytes plain;
        uint32_t at = 0;
        (void)snprintf(name, sizeof name, "rd-%s", codecs[codec]);
        const ps_bytes all = test_vector(name);
        assert_int_equal(ps_wire_batch_next(all, &at, &batch, &error), PS_OK);
        assert_int_equal(batch.codec, codec);
        assert_true(ps_wire_batch_intact(&batch));
        assert_int_equal(ps_wire_unpack(unpacker, codec, batch.records, &plain, &error), PS_OK);
        ps_wire_records_begin(&records, &batch, plain);
        for (uint32_t i = 1; i <= GOLDEN; i++) {
            uint32_t next = 0;
            assert_int_equal(ps_wire_records_next(&records, &record, &error), PS_OK);
            int length = snprintf(text, sizeof text, "key-%u", i);
            test_same(record.key, (ps_bytes){(uint8_t *)text, (uint32_t)length});
            length = snprintf(text, sizeof text, "value %u value %u value %u", i, i, i);
            test_same(record.value, (ps_bytes){(uint8_t *)text, (uint32_t)length});
            assert_int_equal(record.header_count, 3);
            for (uint32_t h = 0; h < 3; h++) {
                assert_true(ps_wire_header_next(record.headers, &next, &header));
                test_same(header.name,
                          (ps_bytes){(const uint8_t *)(h < 2 ? "a" : "empty"), h < 2 ? 1 : 5});
                test_same(header.value, (ps_bytes){(const uint8_t *)(h == 0 ? "1" : "2"), h < 2});
            }
        }
        assert_int_equal(ps_wire_records_next(&records, &record, &error), PS_END);
        free((void *)(uintptr_t)all.data);
    }
    ps_wire_unpacker_close(unpacker);
}

static void append_time_counts_for_all(void **state) {
    const ps_bytes all = test_vector("java-append");
    ps_wire_batch batch;
    uint32_t at = 0;
    (void)state;
    assert_int_equal(ps_wire_batch_next(all, &at, &batch, NULL), PS_OK);
    assert_true(batch.append_time);
    assert_true(batch.max_timestamp_ms > INT64_C(1750000000000));
    check_golden_batch(&batch, batch.records);
    free((void *)(uintptr_t)all.data);
}

/* Data, commit, data, abort. */
static void markers_end_transactions(void **state) {
    const ps_bytes all = test_vector("java-txn");
    uint32_t at = 0;
    (void)state;
    for (int i = 0; i < 4; i++) {
        ps_wire_batch batch;
        bool abort = i == 1;
        assert_int_equal(ps_wire_batch_next(all, &at, &batch, NULL), PS_OK);
        assert_true(batch.transactional && batch.producer_id >= 0 && batch.producer_epoch >= 0);
        assert_int_equal(batch.base_offset, i / 2 * (GOLDEN + 1) + i % 2 * GOLDEN);
        assert_int_equal(batch.control, i % 2);
        assert_int_equal(ps_wire_batch_is_abort(&batch, &abort), i % 2);
        if (i % 2 == 0)
            check_golden_batch(&batch, batch.records);
        else
            assert_int_equal(abort, i == 3);
    }
    assert_int_equal(at, all.length);
    free((void *)(uintptr_t)all.data);
}

/* Reads every batch, record and header there is; returns how the batches ended. */
static ps_status read_all(ps_bytes all, ps_wire_unpacker *unpacker, uint32_t *found) {
    static uint8_t packed[1 << 16];
    ps_wire_batch batch;
    ps_error error;
    uint32_t at = 0;
    ps_status status;
    while ((status = ps_wire_batch_next(all, &at, &batch, &error)) == PS_OK) {
        ps_wire_records records;
        ps_wire_record record;
        ps_bytes plain;
        bool abort;
        (void)ps_wire_batch_is_abort(&batch, &abort);
        if (ps_wire_unpack(unpacker, batch.codec, batch.records, &plain, &error) != PS_OK) continue;
        ps_wire_records_begin(&records, &batch, plain);
        while (ps_wire_records_next(&records, &record, &error) == PS_OK) {
            *found += 1;
            if (record.packed_bytes > sizeof packed) continue;
            assert_int_equal(ps_wire_headers_pack(record.headers, record.header_count, packed,
                                                  record.packed_bytes),
                             record.packed_bytes);
        }
    }
    return status;
}

/* A Fetch answer ends where its limit is. */
static void cut_at_every_byte(void **state) {
    const ps_bytes all = test_vector("java-txn");
    ps_wire_unpacker *unpacker = NULL;
    (void)state;
    assert_int_equal(ps_wire_unpacker_open(ROOM, &unpacker, NULL), PS_OK);
    for (uint32_t length = 0; length < all.length; length++) {
        uint8_t *cut = malloc(length + 1),
                *begin = cut + 1; /* no byte of the allocation behind it */
        uint32_t found = 0;
        memcpy(begin, all.data, length);
        assert_int_equal(read_all((ps_bytes){begin, length}, unpacker, &found), PS_END);
        assert_true(found <= 2 * GOLDEN + 1);
        free(cut);
    }
    ps_wire_unpacker_close(unpacker);
    free((void *)(uintptr_t)all.data);
}

/* What the CRC would have caught, or the broker wrote on purpose. */
static void corrupted_anywhere(void **state) {
    ps_wire_unpacker *unpacker = NULL;
    uint64_t random = 88172645463325252u;
    (void)state;
    assert_int_equal(ps_wire_unpacker_open(20000, &unpacker, NULL), PS_OK);
    for (uint32_t codec = 0; codec < PS_WIRE_CODECS; codec++) {
        char name[32];
        (void)snprintf(name, sizeof name, "java-%s", codecs[codec]);
        const ps_bytes all = test_vector(name);
        uint8_t *bytes = malloc(all.length);
        for (uint32_t round = 0; round < 3000; round++) {
            ps_wire_batch batch;
            uint32_t found = 0, at = 0;
            memcpy(bytes, all.data, all.length);
            for (uint32_t flips = 0; flips <= round % 4; flips++)
                bytes[12 + test_next(&random) % (all.length - 12)] = (uint8_t)test_next(&random);
            (void)read_all((ps_bytes){bytes, all.length}, unpacker, &found);
            if (memcmp(bytes + 21, all.data + 21, all.length - 21) == 0) continue;
            if (ps_wire_batch_next((ps_bytes){bytes, all.length}, &at, &batch, NULL) == PS_OK)
                assert_false(ps_wire_batch_intact(&batch));
        }
        free(bytes);
        free((void *)(uintptr_t)all.data);
    }
    ps_wire_unpacker_close(unpacker);
}

/* One record whose body is what a case gives, in a batch that says it has `count`. */
static ps_status one_record(const char *body, uint32_t bytes, int32_t count) {
    uint8_t *copy = malloc(bytes);
    const ps_wire_batch batch = {.count = count, .last_offset_delta = 9};
    ps_wire_records records;
    ps_wire_record record;
    ps_error error;
    ps_status status;
    memcpy(copy, body, bytes);
    ps_wire_records_begin(&records, &batch, (ps_bytes){copy, bytes});
    while ((status = ps_wire_records_next(&records, &record, &error)) == PS_OK) {
        uint8_t packed[64]; /* as many bytes as were foretold, or rows lie beside their columns */
        assert_int_equal(
            ps_wire_headers_pack(record.headers, record.header_count, packed, sizeof packed),
            record.packed_bytes);
    }
    free(copy);
    return status;
}

/* Of a record: length, attributes, time, offset, key, value, headers. */
static void lengths_that_do_not_fit(void **state) {
    (void)state;
#define ONE(text, count) one_record(text, sizeof text - 1, count)
    assert_int_equal(ONE("\x10\0\0\0\x02k\x02v\0", 1), PS_END);
    assert_int_equal(ONE("\x10\0\0\0\x02k\x02v\0", 2), PS_IO);                       /* fewer */
    assert_int_equal(ONE("\x10\0\0\0\x02k\x02v\0\x10\0\0\0\x02k\x02v\0", 1), PS_IO); /* more */
    assert_int_equal(ONE("\x12\0\0\0\x02k\x02v\0", 1), PS_IO);   /* longer than there is */
    assert_int_equal(ONE("\x12\0\0\0\x02k\x02v\0\0", 1), PS_IO); /* than its fields */
    assert_int_equal(ONE("\x0e\0\0\0\x02k\x02v\0", 1), PS_IO);
    assert_int_equal(ONE("\x01\0\0\0\x02k\x02v\0", 1), PS_IO); /* -1 */
    assert_int_equal(ONE("\0", 1), PS_IO);
    assert_int_equal(ONE("\x02\0", 1), PS_IO);
    assert_int_equal(ONE("\x10\0\0\x01\x02k\x02v\0", 1), PS_IO); /* offsets outside the batch */
    assert_int_equal(ONE("\x10\0\0\x14\x02k\x02v\0", 1), PS_IO);
    assert_int_equal(ONE("\x10\0\0\x12\x02k\x02v\0", 1), PS_END);
    assert_int_equal(ONE("\x10\0\0\0\x0ck\x02v\0", 1), PS_IO); /* a key into the next field */
    assert_int_equal(ONE("\x10\0\0\0\x03k\x02v\0", 1), PS_IO); /* of -2 bytes */
    assert_int_equal(ONE("\x10\0\0\0\x02k\x06v\0", 1), PS_IO);
    assert_int_equal(ONE("\x0c\0\0\0\x01\x01\0", 1), PS_END);
    assert_int_equal(ONE("\x10\0\0\0\x02k\x02v\x01", 1), PS_IO); /* -1 headers */
    assert_int_equal(ONE("\x10\0\0\0\x02k\x02v\x02", 1), PS_IO);
    assert_int_equal(ONE("\x18\0\0\0\x02k\x02v\x02\x02n\x02w", 1), PS_END);
    assert_int_equal(ONE("\x18\0\0\0\x02k\x02v\x02\x02n\x04w", 1), PS_IO);
    assert_int_equal(ONE("\x18\0\0\0\x02k\x02v\x02\x0an\x02w", 1), PS_IO);
    assert_int_equal(ONE("\x14\0\0\0\x02k\x02v\x02\x01\x01", 1), PS_IO); /* a null name */
    assert_int_equal(ONE("\x14\0\0\0\x02k\x02v\x02\0\x01", 1), PS_END);
    assert_int_equal(ONE("\x16\0\0\0\x02k\x02v\x02\0\x81\0", 1), PS_END); /* -1 in two bytes */
    assert_int_equal(ONE("\x20\0\0\0\x02k\x02v\xff\xff\xff\xff\xff\xff\xff\xff", 1), PS_IO);
    assert_int_equal(ONE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1), PS_IO);
#undef ONE
}

static void headers_that_lie(void **state) {
    const ps_bytes all = test_vector("java-none");
    uint8_t *bytes = malloc(all.length);
    ps_wire_batch batch;
    ps_error error;
    (void)state;
    static const struct {
        uint32_t at;
        int32_t value;
        ps_status wanted;
        const char *says;
    } cases[] = {
        {8, 48, PS_IO, "48 bytes"},         {8, -1, PS_IO, "-1 bytes"},
        {8, INT32_MAX, PS_END, NULL},       {13, 0x01, PS_IO, "format version 1"},
        {57, -1, PS_IO, "-1 records"},      {23, -5, PS_IO, "-5 offsets"},
        {0, INT32_MIN, PS_IO, "offset -9"}, {57, 7, PS_OK, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t at = 0;
        memcpy(bytes, all.data, all.length);
        ps_wire_put32(bytes + cases[i].at, cases[i].value);
        assert_int_equal(ps_wire_batch_next((ps_bytes){bytes, all.length}, &at, &batch, &error),
                         cases[i].wanted);
        assert_int_equal(at, cases[i].wanted == PS_OK ? all.length : 0);
        if (cases[i].says != NULL) assert_non_null(strstr(error.message, cases[i].says));
    }
    free(bytes);
    free((void *)(uintptr_t)all.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(javas_batches),
        cmocka_unit_test(librdkafkas_batches),
        cmocka_unit_test(append_time_counts_for_all),
        cmocka_unit_test(markers_end_transactions),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(corrupted_anywhere),
        cmocka_unit_test(lengths_that_do_not_fit),
        cmocka_unit_test(headers_that_lie),
    };
    ps_error error;
    if (ps_dispatch_init(&error) != PS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
