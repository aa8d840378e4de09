/* SPDX-License-Identifier: Apache-2.0
 * If this fails, a good record is rejected because of its neighbours, bytes of two records mix, or
 * rows lose their partition.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/batch/rejects.h"
#include "tests/batches.h"

enum { ROWS_MAX = 8, ARENA_BYTES = 100 };

static ps_record record(uint32_t partition, const char *value) {
    return (ps_record){.partition = partition,
                       .key = {(const uint8_t *)"k", 1},
                       .value = {(const uint8_t *)value, (uint32_t)strlen(value)},
                       .headers = {NULL, PS_NULL_LENGTH}};
}

/* A record with escapes owes as much again; the room is there when the decoder asks for it. */
static void test_escapes_keep_room(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, ARENA_BYTES);
    tb->schema.escape = '\\';
    const char *escaped = "0123456789012345678901234567890123456789\\n";
    const ps_record first = record(0, escaped), second = record(0, "twenty bytes, no less");
    assert_int_equal(ps_batch_append(&tb->batch, &first), PS_OK);
    assert_int_equal(ps_batch_append(&tb->batch, &second), PS_AGAIN); /* 43 + 42 owed + 22 > 100 */
    assert_int_not_equal(ps_batch_reserve(&tb->batch, (uint32_t)strlen(escaped)), PS_NOWHERE);
    ps_batch_reset(&tb->batch);
    tb->schema.escape = 0;
    assert_int_equal(ps_batch_append(&tb->batch, &first), PS_OK);
    assert_int_equal(ps_batch_append(&tb->batch, &second), PS_OK);
    test_batch_close(tb);
}

static void test_too_large_for_any_batch(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, ARENA_BYTES);
    char large[ARENA_BYTES + 1];
    memset(large, 'x', ARENA_BYTES);
    large[ARENA_BYTES] = '\0';
    const ps_record small = record(1, "small"), huge = record(1, large);
    assert_int_equal(ps_batch_append(&tb->batch, &small), PS_OK);
    assert_int_equal(ps_batch_append(&tb->batch, &huge),
                     PS_AGAIN); /* an emptier batch might take it */
    ps_batch_reset(&tb->batch);
    assert_int_equal(ps_batch_append(&tb->batch, &huge), PS_END);
    assert_int_equal(tb->batch.rows, 1);
    assert_int_equal(tb->batch.oversize.row, 0);
    assert_int_equal(tb->batch.oversize.value.length, ARENA_BYTES);
    assert_int_equal(((uint8_t *)ps_batch_system(&tb->batch, PS_COLUMN_REJECT))[0],
                     PS_REJECT_TOO_LARGE);
    assert_null(ps_batch_text(&tb->batch, &tb->schema.column[PS_COLUMN_VALUE], 0).data);
    test_batch_close(tb);
}

/* It closes early where that was asked for, never without a row, and not again once it is empty. If
 * this fails, batches outgrow the caches, or a large record never gets into one. */
static void test_enough(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, ARENA_BYTES);
    const ps_record one = record(0, "0123456789012345678901234567890123456789");
    tb->batch.enough = 1;
    assert_int_equal(ps_batch_append(&tb->batch, &one), PS_OK);
    assert_int_equal(ps_batch_append(&tb->batch, &one), PS_AGAIN);
    ps_batch_reset(&tb->batch);
    tb->batch.enough = 41 + 64 + 1; /* its bytes and those of its columns */
    assert_int_equal(ps_batch_append(&tb->batch, &one), PS_OK);
    assert_int_equal(ps_batch_append(&tb->batch, &one), PS_OK);
    assert_int_equal(ps_batch_append(&tb->batch, &one), PS_AGAIN);
    ps_batch_reset(&tb->batch);
    assert_int_equal(tb->batch.enough, 0);
    test_batch_close(tb);
}

/* Null, empty and bytes with NULs come out as they went in; runs say whose rows they are. */
static void test_bytes_and_runs(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, ARENA_BYTES);
    const uint8_t bytes[] = {0, 1, 0, 255};
    ps_record records[4] = {record(2, "a"), record(2, ""), record(5, "b"), record(2, "c")};
    records[0].value = (ps_bytes){bytes, sizeof bytes};
    records[1].key = (ps_bytes){NULL, PS_NULL_LENGTH};
    records[2].value = (ps_bytes){NULL, PS_NULL_LENGTH};
    for (int i = 0; i < 4; i++) assert_int_equal(ps_batch_append(&tb->batch, &records[i]), PS_OK);
    assert_int_equal(tb->batch.run_count, 3);
    assert_int_equal(tb->batch.runs[0].rows, 2);
    assert_int_equal(tb->batch.runs[1].partition, 5);
    assert_int_equal(tb->batch.runs[2].first_row, 3);
    const ps_column *value = &tb->schema.column[PS_COLUMN_VALUE],
                    *key = &tb->schema.column[PS_COLUMN_KEY];
    assert_memory_equal(ps_batch_text(&tb->batch, value, 0).data, bytes, sizeof bytes);
    assert_int_equal(ps_batch_text(&tb->batch, value, 1).length, 0);
    assert_non_null(ps_batch_text(&tb->batch, value, 1).data);
    assert_null(ps_batch_text(&tb->batch, key, 1).data);
    assert_null(ps_batch_text(&tb->batch, value, 2).data);
    test_batch_close(tb);
}

/* Reasons are sentences that name the field, whatever the detail. */
static void test_reasons(void **state) {
    (void)state;
    ps_schema schema;
    char text[40];
    uint32_t index;
    ps_schema_init(&schema, 8, 64);
    assert_int_equal(ps_schema_add(&schema, "cpu", PS_TYPE_F64, PS_PER_ROW, 0, &index, NULL),
                     PS_OK);
    schema.field_count = 1;
    char whole[128];
    (void)ps_reject_reason(PS_REJECT_MISSING_FIELD, 0, &schema, whole, sizeof whole);
    assert_string_equal(whole, "field 'cpu' is required, and absent or null");
    (void)ps_reject_reason(PS_REJECT_SYNTAX, 17, &schema, whole, sizeof whole);
    assert_string_equal(whole, "the record is not well-formed at byte 17");
    assert_int_equal(ps_reject_reason(PS_REJECT_MISSING_FIELD, 99, &schema, text, sizeof text),
                     sizeof text - 1);
    assert_string_equal(ps_reject_code(PS_REJECT_TOO_DEEP), "too_deep");
}

/* A field may have the name of something of the record; two fields may not share one. */
static void test_names(void **state) {
    (void)state;
    ps_schema schema;
    ps_error error;
    uint32_t index, again;
    ps_schema_init(&schema, 8, 64);
    assert_int_equal(
        ps_schema_add(&schema, "timestamp", PS_TYPE_I64, PS_PER_ROW, 0, &index, &error), PS_OK);
    assert_ptr_equal(ps_schema_find(&schema, "timestamp"), &schema.column[index]);
    assert_int_equal(
        ps_schema_add(&schema, "timestamp", PS_TYPE_I64, PS_PER_ROW, 0, &again, &error),
        PS_BAD_CONFIG);
    assert_ptr_equal(ps_schema_find(&schema, "key"), &schema.column[PS_COLUMN_KEY]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes_keep_room),
        cmocka_unit_test(test_too_large_for_any_batch),
        cmocka_unit_test(test_enough),
        cmocka_unit_test(test_bytes_and_runs),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
