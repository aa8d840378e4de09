/* SPDX-License-Identifier: Apache-2.0
 * What a client is made of. If this fails, brokers that answer at the same moment, or a batch that
 * one sends whole, make a lane take more memory than `explain` prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ingest/kafka_client.h"

static int64_t number_of(const rd_kafka_conf_t *conf, const char *name) {
    char text[32];
    size_t bytes = sizeof text;
    assert_int_equal(rd_kafka_conf_get(conf, name, text, &bytes), RD_KAFKA_CONF_OK);
    return strtoll(text, NULL, 10);
}

/* The longest answer that a consumer asks each of so many brokers for. */
static int64_t answer_bytes(uint32_t servers, int64_t expansion) {
    ps_error error;
    rd_kafka_t *client = NULL;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = "127.0.0.1:1",
                                    .group = "group",
                                    .member = "member",
                                    .memory_bytes = 64 << 20,
                                    .expansion = expansion,
                                    .servers = servers};
    assert_int_equal(ps_kafka_client_open(&recipe, &client, &error), PS_OK);
    const int64_t all = number_of(rd_kafka_conf(client), "fetch.max.bytes");
    const int64_t one = number_of(rd_kafka_conf(client), "fetch.message.max.bytes");
    ps_kafka_client_close(client);
    assert_true(one <= all);
    return all;
}

static void brokers_share_what_one_would_send(void **state) {
    (void)state;
    const int64_t alone = answer_bytes(1, PS_KAFKA_EXPANSION);
    assert_int_equal(alone, answer_bytes(0, PS_KAFKA_EXPANSION));
    assert_true(3 * answer_bytes(3, PS_KAFKA_EXPANSION) <= alone);
    assert_true(3 * answer_bytes(3, 1000) <= answer_bytes(1, 1000));
    assert_true(answer_bytes(3, PS_KAFKA_EXPANSION) > alone / 4);
}

static void a_batch_counts_whole_and_twice_unpacked(void **state) {
    (void)state;
    const int64_t memory = 8 << 20, batch = 1 << 20, fetch = 1 << 18;
    const size_t asked = ps_kafka_consumer_bytes(NULL, memory, 25, 1024);
    assert_int_equal(ps_kafka_answer_bytes(NULL, memory, 25, 1024), fetch);
    assert_int_equal(ps_kafka_answer_bytes(NULL, memory, 25, batch), batch);
    assert_int_equal((int64_t)(ps_kafka_consumer_bytes(NULL, memory, 25, batch) - asked),
                     (batch - fetch) * (1 + 2 * 25));
    assert_int_equal(ps_kafka_consumer_bytes(NULL, memory, 10, batch),
                     ps_kafka_consumer_bytes(NULL, memory, 25, batch) - (size_t)batch * 2 * 15);
}

/* librdkafka would call a batch invalid that becomes as large as it was said to. */
static void what_was_said_can_be_unpacked(void **state) {
    (void)state;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = "127.0.0.1:1",
                                    .group = "group",
                                    .memory_bytes = 8 << 20,
                                    .expansion = 80,
                                    .batch_max = 1 << 20};
    rd_kafka_t *client = NULL;
    ps_error error;
    assert_int_equal(ps_kafka_client_open(&recipe, &client, &error), PS_OK);
    assert_true(number_of(rd_kafka_conf(client), "receive.message.max.bytes") >= 3 * 80 << 20);
    ps_kafka_client_close(client);
}

/* If this fails, a worker gives up at an error that passes by itself while a broker comes back. */
static void what_passes_is_waited_for(void **state) {
    (void)state;
    static const int passes[] = {
        -137 /* librdkafka closed its broker while the question waited */,
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    };
    static const int stays[] = {
        RD_KAFKA_RESP_ERR_NO_ERROR,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
    };
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        assert_true(ps_kafka_is_away((rd_kafka_resp_err_t)passes[i]));
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
        assert_false(ps_kafka_is_away((rd_kafka_resp_err_t)stays[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_passes_is_waited_for),
                                       cmocka_unit_test(brokers_share_what_one_would_send),
                                       cmocka_unit_test(a_batch_counts_whole_and_twice_unpacked),
                                       cmocka_unit_test(what_was_said_can_be_unpacked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
