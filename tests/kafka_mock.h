/* SPDX-License-Identifier: Apache-2.0
 * librdkafka's mock cluster, one broker or more, for the tests of the Kafka parts.
 */
#ifndef PS_TESTS_KAFKA_MOCK_H
#define PS_TESTS_KAFKA_MOCK_H

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

typedef struct kafka_mock {
    rd_kafka_t *client;
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
} kafka_mock;

static inline void kafka_mock_quiet(const rd_kafka_t *client, int level, const char *facility,
                                    const char *text) {
    (void)client, (void)level, (void)facility, (void)text;
}

/* `topics`: three names. Ends with kafka_mock_close. */
static inline kafka_mock kafka_mock_open_on(const char *const topics[3], int partitions,
                                            int brokers) {
    char reason[256];
    kafka_mock m;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, kafka_mock_quiet);
    m.client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    m.cluster = rd_kafka_mock_cluster_new(m.client, brokers);
#if RD_KAFKA_VERSION >= 0x02050000
    rd_kafka_mock_group_initial_rebalance_delay_ms(m.cluster, 0);
#endif
    m.brokers = rd_kafka_mock_cluster_bootstraps(m.cluster);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rd_kafka_mock_topic_create(m.cluster, topics[i], partitions, 1), 0);
    return m;
}

static inline kafka_mock kafka_mock_open(const char *const topics[3], int partitions) {
    return kafka_mock_open_on(topics, partitions, 1);
}

static inline void kafka_mock_close(const kafka_mock *m) {
    rd_kafka_mock_cluster_destroy(m->cluster);
    rd_kafka_destroy(m->client);
}

static inline rd_kafka_t *kafka_mock_producer(const kafka_mock *m) {
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", m->brokers, reason, sizeof reason);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
}

#endif
