/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_mock.h"

#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct ps_kafka_mock {
    rd_kafka_t *client; /* a plain handle: the cluster lives on its threads */
    rd_kafka_mock_cluster_t *cluster;
};

static void silent(const rd_kafka_t *client, int level, const char *facility, const char *text) {
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

ps_status ps_kafka_mock_open(uint32_t brokers, ps_kafka_mock **out, ps_error *error) {
    char text[256];
    ps_kafka_mock *mock = calloc(1, sizeof *mock);
    if (mock == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the embedded broker");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent);
    mock->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (mock->client == NULL) {
        rd_kafka_conf_destroy(conf);
        free(mock);
        return ps_fail(error, PS_IO, "the embedded broker does not start: %s", text);
    }
    mock->cluster = rd_kafka_mock_cluster_new(mock->client, (int)brokers);
    if (mock->cluster == NULL) {
        ps_kafka_mock_close(mock);
        return ps_fail(error, PS_IO, "the embedded broker cannot listen on 127.0.0.1");
    }
#if RD_KAFKA_VERSION >= 0x02050000
    /* Rebalances at start would only be waited for. */
    rd_kafka_mock_group_initial_rebalance_delay_ms(mock->cluster, 0);
#endif
    *out = mock;
    return PS_OK;
}

void ps_kafka_mock_close(ps_kafka_mock *mock) {
    if (mock == NULL) return;
    if (mock->cluster != NULL) rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->client);
    free(mock);
}

const char *ps_kafka_mock_brokers(const ps_kafka_mock *mock) {
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

ps_status ps_kafka_mock_topic(ps_kafka_mock *mock, const char *topic, uint32_t partitions,
                              ps_error *error) {
    const rd_kafka_resp_err_t err =
        rd_kafka_mock_topic_create(mock->cluster, topic, (int)partitions, 1);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return PS_OK;
    return ps_fail(error, PS_IO, "the embedded broker refuses topic %s: %s", topic,
                   rd_kafka_err2str(err));
}
