/* SPDX-License-Identifier: Apache-2.0
 * A producer that waits for a slow broker uses no processor. Fails when scripts/librdkafka.patch is
 * lost, or when a newer librdkafka brings another busy loop: single runs then cost several times
 * the processor time, taken from the broker on a small machine. (The patch's other two changes are
 * the business of the scenarios broker_lost and chaos.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/kafka_client.h"
#include "tests/kafka_mock.h"

static const char *const topics[3] = {"out", "other", "third"};

enum { ROUND_TRIP_MS = 200, WAVES = 6, RECORDS = 50, NAP_MS = 50 };

static int64_t cpu_ns(void) {
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * PS_NS_PER_S +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
}

static void produce(rd_kafka_t *client, rd_kafka_topic_t *topic) {
    static char payload[] = "value";
    for (int i = 0; i < RECORDS; i++)
        assert_int_equal(rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, payload,
                                          sizeof payload - 1, NULL, 0, NULL),
                         0);
    (void)rd_kafka_poll(client, NAP_MS);
}

static rd_kafka_t *open_producer(const kafka_mock *mock, ps_kafka_role role) {
    ps_error error = {0};
    rd_kafka_t *client = NULL;
    const ps_kafka_recipe recipe = {.role = role,
                                    .brokers = mock->brokers,
                                    .transactional = "quiet",
                                    .memory_bytes = 16 << 20,
                                    .linger_ns = PS_NS_PER_MS};
    assert_int_equal(ps_kafka_client_open(&recipe, &client, &error), PS_OK);
    if (role == PS_KAFKA_TRANSACTIONAL) {
        assert_null(rd_kafka_init_transactions(client, 10000));
        assert_null(rd_kafka_begin_transaction(client));
    }
    return client;
}

static void a_waiting_producer_is_quiet(ps_kafka_role role) {
    const kafka_mock mock = kafka_mock_open(topics, 1);
    rd_kafka_t *client = open_producer(&mock, role);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topics[0], NULL);
    produce(client, topic); /* connects, gets its ids */
    assert_int_equal(rd_kafka_flush(client, 10000), 0);

    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, 1, ROUND_TRIP_MS), 0);
    const int64_t begin = ps_clock_ns(), used = cpu_ns();
    for (int wave = 0; wave < WAVES; wave++) produce(client, topic);
    assert_int_equal(rd_kafka_flush(client, 10000), 0);
    const int64_t waited = ps_clock_ns() - begin, burnt = cpu_ns() - used;
    assert_true(waited > ROUND_TRIP_MS * PS_NS_PER_MS); /* the broker was slow indeed */
    assert_in_range(burnt * 100 / waited, 0, 15);       /* percent of a core */

    if (role == PS_KAFKA_TRANSACTIONAL) assert_null(rd_kafka_commit_transaction(client, 10000));
    rd_kafka_topic_destroy(topic);
    ps_kafka_client_close(client);
    kafka_mock_close(&mock);
}

static void at_least_once_waits_quietly(void **state) {
    (void)state;
    a_waiting_producer_is_quiet(PS_KAFKA_IDEMPOTENT);
}

static void a_transaction_waits_quietly(void **state) {
    (void)state;
    a_waiting_producer_is_quiet(PS_KAFKA_TRANSACTIONAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_least_once_waits_quietly),
        cmocka_unit_test(a_transaction_waits_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
