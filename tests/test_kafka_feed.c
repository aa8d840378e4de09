/* SPDX-License-Identifier: Apache-2.0
 * What the feed sends is what the tail reads, on the embedded broker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/kafka_feed.h"
#include "ingest/kafka_mock.h"
#include "ingest/kafka_tail.h"

enum { RECORDS = 5000, PARTITIONS = 3 };

typedef struct seen {
    uint8_t of[RECORDS];
    uint32_t count;
} seen;

static void note(void *context, const ps_kafka_tailed *record) {
    seen *all = context;
    char value[32];
    unsigned number = RECORDS;
    assert_true(record->value.length < sizeof value && record->key.length == 2);
    (void)snprintf(value, sizeof value, "%.*s", (int)record->value.length,
                   (const char *)record->value.data);
    assert_int_equal(sscanf(value, "value-%u", &number), 1);
    assert_true(number < RECORDS && all->of[number] == 0);
    assert_int_equal(record->key.data[1], '0' + (int)(number % 10));
    assert_null(ps_kafka_tail_header(record, "ps-score").data);
    all->of[number] = 1;
    all->count++;
}

static void test_round_trip(void **state) {
    (void)state;
    ps_error error;
    ps_kafka_mock *mock = NULL;
    ps_kafka_feed *feed = NULL;
    ps_kafka_tail *tail = NULL;
    seen all = {0};
    assert_int_equal(ps_kafka_mock_open(1, &mock, &error), PS_OK);
    assert_int_equal(ps_kafka_mock_topic(mock, "in", PARTITIONS, &error), PS_OK);
    const char *brokers = ps_kafka_mock_brokers(mock);
    assert_int_equal(ps_kafka_feed_open(brokers, "in", NULL, &feed, &error), PS_OK);
    for (unsigned i = 0; i < RECORDS; i++) {
        char key[16], value[32];
        const int length = snprintf(value, sizeof value, "value-%u", i);
        (void)snprintf(key, sizeof key, "k%u", i % 10);
        const ps_bytes k = {(const uint8_t *)key, 2};
        const ps_bytes v = {(const uint8_t *)value, (uint32_t)length};
        assert_int_equal(ps_kafka_feed_put(feed, k, v, 0, &error), PS_OK);
    }
    assert_int_equal(ps_kafka_feed_flush(feed, &error), PS_OK);
    assert_int_equal(ps_kafka_tail_open(brokers, "in", &tail, &error), PS_OK);
    for (int idle = 0; all.count < RECORDS && idle < 50;)
        idle = ps_kafka_tail_read(tail, 200, note, &all) > 0 ? 0 : idle + 1;
    assert_int_equal(all.count, RECORDS);
    ps_kafka_tail_close(tail);
    ps_kafka_feed_close(feed);
    ps_kafka_mock_close(mock);
}

static void test_properties_are_refused_by_name(void **state) {
    (void)state;
    ps_error error;
    ps_kafka_feed *feed = NULL;
    const ps_string_pair pair = {"no.such.property", "hunter2"};
    const ps_string_map properties = {&pair, 1};
    assert_int_equal(ps_kafka_feed_open("127.0.0.1:1", "in", &properties, &feed, &error),
                     PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "no.such.property"));
    assert_null(strstr(error.message, "hunter2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_properties_are_refused_by_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
