/* SPDX-License-Identifier: Apache-2.0
 * Leaves a group halfway through a cooperative rebalance: a first static member has all partitions,
 * a second one joins, the round that takes half of them from the first is over, and before the one
 * that gives them to the second both are dead. A worker that comes back under their names finds the
 * group at rest with partitions that nobody owns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/integration/client.h"

enum { PATIENCE_S = 30, POLL_MS = 50 };

typedef struct member {
    rd_kafka_t *client;
    int assigned; /* calls */
    int revoked;
} member;

/* What is to be given back is not: that would begin the second round. */
static void rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t err,
                       rd_kafka_topic_partition_list_t *list, void *opaque) {
    member *self = opaque;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_error_t *failure = rd_kafka_incremental_assign(client, list);
        if (failure) client_die("assign: %s", rd_kafka_error_string(failure));
        self->assigned++;
    } else {
        self->revoked++;
    }
}

static void join(member *self, const char *brokers, const char *group, const char *topic,
                 const char *name) {
    const char *const properties[][2] = {{"bootstrap.servers", brokers},
                                         {"group.id", group},
                                         {"group.instance.id", name},
                                         {"enable.auto.commit", "false"},
                                         {"partition.assignment.strategy", "cooperative-sticky"},
                                         {"session.timeout.ms", "60000"},
                                         {"heartbeat.interval.ms", "200"}};
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], error, sizeof error) !=
            RD_KAFKA_CONF_OK)
            client_die("%s: %s", properties[i][0], error);
    rd_kafka_conf_set_opaque(conf, self);
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
    self->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (!self->client) client_die("no Kafka client: %s", error);
    (void)rd_kafka_poll_set_consumer(self->client);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t err = rd_kafka_subscribe(self->client, topics);
    if (err) client_die("subscribe: %s", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(topics);
}

static void serve(const member *self) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(self->client, POLL_MS);
    if (message) rd_kafka_message_destroy(message);
}

int main(int argc, char **argv) {
    if (argc != 6) client_die("halfway BROKERS GROUP TOPIC FIRST SECOND");
    member first = {NULL, 0, 0}, second = {NULL, 0, 0};
    const double until = client_seconds() + PATIENCE_S;
    join(&first, argv[1], argv[2], argv[3], argv[4]);
    while (first.assigned == 0 && client_seconds() < until) serve(&first);
    join(&second, argv[1], argv[2], argv[3], argv[5]);
    while ((first.revoked == 0 || second.assigned == 0) && client_seconds() < until) {
        serve(&first);
        serve(&second);
    }
    if (first.revoked == 0 || second.assigned == 0) client_die("the group did not come so far");
    (void)puts("halfway");
    (void)fflush(stdout);
    _exit(0); /* as by kill -9: nobody says goodbye */
}
