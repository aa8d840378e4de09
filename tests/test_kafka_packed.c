/* SPDX-License-Identifier: Apache-2.0
 * Form packed on librdkafka's mock cluster, whole and after errors of the broker. If this fails, a
 * record of many rows holds others than it says, or a row is condemned for its neighbours'. The
 * mock filters no aborted records: after an abort rows are there more than once, and here it is
 * checked that none is missing; once each they are on a real broker (tests/integration).
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/kafka_world.h"

#include "ingest/frames.h"
#include "tests/unframe.h"

/* Of 667 records a partition in batches of 256, no pack is left with one: the error below would be
 * that record's own, and condemn it rightly. */
enum { PACK_ROWS = 19 };

static void produce(world *w) {
    char reason[256], value[64];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", w->mock.brokers, reason, sizeof reason);
    /* One batch a partition: the mock answers a fetch with one. */
    rd_kafka_conf_set(conf, "linger.ms", "5000", reason, sizeof reason);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    for (int i = 0; i < RECORDS; i++) {
        const int length = snprintf(value, sizeof value, "{\"value\":%d,\n\"b\":[]}", i);
        const rd_kafka_vu_t parts[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "in"},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = i % PARTITIONS},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, (size_t)length}},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        };
        assert_null(rd_kafka_produceva(producer, parts, sizeof parts / sizeof parts[0]));
    }
    assert_int_equal(rd_kafka_flush(producer, 10000), 0);
    rd_kafka_destroy(producer);
}

/* Every line of a pack is a record's object, with its source as a member. */
static void check_pack(uint32_t *times, const rd_kafka_message_t *message) {
    size_t bytes;
    int rows = 0, last = -1;
    char *lines = (char *)unframe("lz4", message->payload, message->len, &bytes);
    assert_non_null(lines);
    for (char *at = lines, *end; at < lines + bytes; at = end + 1, rows++) {
        char expected[128];
        const int i = (int)strtol(at + 9, NULL, 10);
        assert_in_range(i, 0, RECORDS - 1);
        assert_true(last < i);
        last = i;
        end = memchr(at, '\n', bytes - (size_t)(at - lines));
        assert_non_null(end);
        *end = '\0';
        (void)snprintf(expected, sizeof expected,
                       "{\"value\":%d, \"b\":[],\"penstock\":{\"source\":\"in/%d/%d\"}}", i,
                       i % PARTITIONS, i / PARTITIONS);
        assert_string_equal(at, expected);
        assert_int_equal(message->partition, i % PARTITIONS);
        times[i]++;
    }
    assert_in_range(rows, 1, PACK_ROWS);
    free(lines);
}

static void check_complete(const world *w, bool once) {
    char reason[256];
    uint32_t times[RECORDS] = {0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", w->mock.brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", reason, sizeof reason);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", reason, sizeof reason);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, "out", NULL);
    for (int p = 0; p < PARTITIONS; p++) {
        assert_int_equal(rd_kafka_consume_start(topic, p, RD_KAFKA_OFFSET_BEGINNING), 0);
        for (bool ended = false; !ended;) {
            rd_kafka_message_t *message = rd_kafka_consume(topic, p, 5000);
            assert_non_null(message);
            ended = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) check_pack(times, message);
            rd_kafka_message_destroy(message);
        }
        (void)rd_kafka_consume_stop(topic, p);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(consumer);
    for (int i = 0; i < RECORDS; i++) {
        if (times[i] == 0) print_message("record %d: %" PRIu32 " times\n", i, times[i]);
        assert_true(once ? times[i] == 1 : times[i] >= 1);
    }
}

static void test_packed(void **state) {
    (void)state;
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_INVALID_RECORD,
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION};
    for (size_t i = 0; i < 2 * sizeof errors / sizeof errors[0]; i++) {
        world *w = world_open(produce);
        w->linger_ns = 200 * PS_NS_PER_MS; /* batches are full on any machine */
        w->sink.form = PS_KAFKA_PACKED;
        w->sink.pack_rows = PACK_ROWS;
        w->sink.pack_codec = PS_FRAME_LZ4;
        w->sink.delivery = i % 2 == 0 ? PS_KAFKA_EXACTLY_ONCE : PS_KAFKA_AT_LEAST_ONCE;
        if (i > 1)
            rd_kafka_mock_push_request_errors(w->mock.cluster, API_PRODUCE, 1, errors[i / 2]);
        run(w, RECORDS);
        if (w->status != PS_END) print_error("case %zu: %s\n", i, w->error.message);
        assert_int_equal(w->status, PS_END);
        check_complete(w, i < 2);
        assert_int_equal(ps_read(&w->metrics.rows_rejected), 0);
        assert_int_equal(ps_read(&w->metrics.rows_out), RECORDS);
        close_world(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_packed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
