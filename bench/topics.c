/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/topics.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "bench/measure.h"

enum { TIMEOUT_MS = 30000 };

typedef struct request {
    const char *brokers, *name;
    int partitions; /* 0: delete it */
} request;

static int answer(rd_kafka_event_t *event, bool create) {
    size_t count = 0;
    int code = 0;
    if (!event || rd_kafka_event_error(event)) {
        (void)printf("%s\n", event ? rd_kafka_event_error_string(event) : "no answer");
        return 1;
    }
    const rd_kafka_topic_result_t **results =
        create
            ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            : rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
                                                  &count);
    for (size_t i = 0; i < count; i++) {
        if (!rd_kafka_topic_result_error(results[i])) continue;
        (void)printf("%s\n", rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
        code = 1;
    }
    return code;
}

static void ask_create(rd_kafka_t *client, rd_kafka_queue_t *queue, const request *r) {
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(r->name, r->partitions, 1, why, sizeof why);
    (void)rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    (void)rd_kafka_NewTopic_set_config(topic, "file.delete.delay.ms", "1000");
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
}

static void ask_delete(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name) {
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
    rd_kafka_DeleteTopic_destroy(topic);
}

/* A topic is of use when its partitions have leaders. */
static int await_leaders(rd_kafka_t *client, const request *r) {
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, r->name, NULL);
    int with_leader = 0;
    for (int attempt = 0; attempt < 300 && with_leader < r->partitions; attempt++) {
        if (attempt > 0) (void)nanosleep(&(struct timespec){0, 50000000}, NULL);
        const struct rd_kafka_metadata *metadata = NULL;
        if (rd_kafka_metadata(client, 0, topic, &metadata, TIMEOUT_MS)) break;
        with_leader = 0;
        for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
            with_leader += metadata->topics[0].partitions[i].leader >= 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    if (with_leader < r->partitions) (void)printf("no leaders\n");
    return with_leader < r->partitions;
}

static int ask(void *context) {
    const request *r = context;
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", r->brokers, why, sizeof why);
    (void)rd_kafka_conf_set(conf, "log_level", "2", why, sizeof why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!client) {
        (void)printf("%s\n", why);
        return 1;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    const bool create = r->partitions > 0;
    if (create)
        ask_create(client, queue, r);
    else
        ask_delete(client, queue, r->name);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    int code = answer(event, create);
    if (event) rd_kafka_event_destroy(event);
    if (code == 0 && create) code = await_leaders(client, r);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return code;
}

static ps_status request_in_child(request *r, ps_error *error) {
    ps_measure done;
    PS_TRY(ps_measure_child(ask, r, true, &done, error));
    if (done.exit_code == 0) return PS_OK;
    return ps_fail(error, PS_IO, "topic %s at %s could not be %s: %s", r->name, r->brokers,
                   r->partitions > 0 ? "created" : "deleted", done.line);
}

ps_status ps_topic_create(const char *brokers, const char *name, int partitions, ps_error *error) {
    return request_in_child(&(request){brokers, name, partitions}, error);
}

ps_status ps_topic_delete(const char *brokers, const char *name, ps_error *error) {
    return request_in_child(&(request){brokers, name, 0}, error);
}
