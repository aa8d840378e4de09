/* SPDX-License-Identifier: Apache-2.0
 * Which letters were replayed. If this fails, a letter is replayed twice, or one that was not is
 * taken for one that was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/kafka_dead_parts.h"

static ps_bytes text_of(const char *text) {
    return (ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static bool add(ps_replayed *replayed, const ps_letter *letter, const char *target) {
    bool added = false;
    ps_error error;
    assert_int_equal(ps_replayed_add(replayed, ps_letter_name_of(letter, target), &added, &error),
                     PS_OK);
    return added;
}

static void every_part_of_a_letter_counts(void **state) {
    (void)state;
    const ps_letter base = {.source = text_of("a/0/1"),
                            .timestamp_ms = 5,
                            .key = text_of("k"),
                            .value = text_of("v"),
                            .headers = text_of("h")};
    ps_letter other[8];
    for (size_t i = 0; i < 8; i++) other[i] = base;
    other[0].source = text_of("a/0/2");
    other[1].timestamp_ms = 6;
    other[2].key = text_of("");
    other[3].key.length = PS_NULL_LENGTH;
    other[4].value = text_of("w");
    other[5].value.length = PS_NULL_LENGTH;
    other[6].headers = text_of("");
    other[7].key = text_of("v");
    ps_replayed replayed = {.slot = NULL};
    assert_true(add(&replayed, &base, "t"));
    assert_false(add(&replayed, &base, "t"));
    assert_true(add(&replayed, &base, "u"));
    for (size_t i = 0; i < 8; i++) assert_true(add(&replayed, &other[i], "t"));
    /* Why it died is not what it is: a pipeline that was changed gives another reason. */
    other[0] = base;
    other[0].code = text_of("syntax");
    assert_false(add(&replayed, &other[0], "t"));
    ps_replayed_deinit(&replayed);
}

static void many_are_all_known(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    ps_replayed replayed = {.slot = NULL};
    for (int turn = 0; turn < 2; turn++) {
        for (int64_t i = 0; i < COUNT; i++) {
            const ps_letter letter = {.source = text_of("a/0/1"), .timestamp_ms = i};
            assert_int_equal(add(&replayed, &letter, "t"), turn == 0);
        }
    }
    assert_int_equal(replayed.count, COUNT);
    ps_replayed_deinit(&replayed);
}

static ps_status take(ps_replayed *replayed, const uint8_t *data, size_t bytes, ps_error *error) {
    return ps_replayed_take(replayed, (ps_bytes){data, (uint32_t)bytes}, error);
}

static void records_are_read_back(void **state) {
    (void)state;
    uint8_t record[PS_REPLAYED_HEAD + 2 * sizeof(ps_letter_name) + 1];
    const ps_letter first = {.source = text_of("a/0/1")}, second = {.source = text_of("a/0/2")};
    const ps_letter_name names[] = {ps_letter_name_of(&first, "t"),
                                    ps_letter_name_of(&second, "t")};
    ps_replayed replayed = {.slot = NULL};
    ps_error error;
    ps_replayed_head(record, 2);
    memcpy(record + PS_REPLAYED_HEAD, names, sizeof names);
    assert_int_equal(take(&replayed, record, sizeof record - 1, &error), PS_OK);
    assert_false(add(&replayed, &first, "t"));
    assert_false(add(&replayed, &second, "t"));

    assert_int_equal(take(&replayed, record, sizeof record, &error), PS_IO);
    assert_int_equal(take(&replayed, record, sizeof record - 2, &error), PS_IO);
    assert_int_equal(take(&replayed, record, 3, &error), PS_IO);
    assert_int_equal(take(&replayed, NULL, 0, &error), PS_IO);
    record[4] = PS_REPLAYED_FORMAT + 1;
    assert_int_equal(take(&replayed, record, sizeof record - 1, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "newer"));
    ps_replayed_deinit(&replayed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_a_letter_counts),
        cmocka_unit_test(many_are_all_known),
        cmocka_unit_test(records_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
