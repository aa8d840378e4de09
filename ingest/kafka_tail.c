/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_tail.h"

#include <stdlib.h>

#include "ingest/kafka_client.h"

enum { READ_MAX = 1000 };

struct ps_kafka_tail {
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    uint32_t partitions;
};

static ps_status start(ps_kafka_tail *tail, const char *topic, ps_error *error) {
    uint32_t count = 0;
    const ps_status status = ps_kafka_topic_partitions(tail->client, topic, 10000, &count, error);
    if (status == PS_AGAIN) return ps_fail(error, PS_IO, "no broker answers");
    if (status != PS_OK) return status;
    tail->topic = rd_kafka_topic_new(tail->client, topic, NULL);
    tail->queue = rd_kafka_queue_new(tail->client);
    if (tail->topic == NULL || tail->queue == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a consumer");
    for (; tail->partitions < count; tail->partitions++)
        if (rd_kafka_consume_start_queue(tail->topic, (int32_t)tail->partitions,
                                         RD_KAFKA_OFFSET_BEGINNING, tail->queue) != 0)
            return ps_fail(error, PS_IO, "topic '%s' cannot be read: %s", topic,
                           rd_kafka_err2str(rd_kafka_last_error()));
    return PS_OK;
}

/* Not a worker's client: the embedded broker leaves the sums of its transaction markers empty, so
 * they must not be checked. */
static ps_status open_client(ps_kafka_tail *tail, const char *brokers, ps_error *error) {
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, reason, sizeof reason) == 0)
        tail->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (tail->client != NULL) return PS_OK;
    rd_kafka_conf_destroy(conf);
    return ps_fail(error, PS_IO, "cannot open a consumer: %s", reason);
}

ps_status ps_kafka_tail_open(const char *brokers, const char *topic, ps_kafka_tail **out,
                             ps_error *error) {
    ps_kafka_tail *tail = calloc(1, sizeof *tail);
    if (tail == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a consumer");
    ps_status status = open_client(tail, brokers, error);
    if (status == PS_OK) status = start(tail, topic, error);
    if (status != PS_OK) {
        ps_kafka_tail_close(tail);
        return status;
    }
    *out = tail;
    return PS_OK;
}

uint32_t ps_kafka_tail_read(ps_kafka_tail *tail, int timeout_ms, ps_kafka_tail_fn *fn,
                            void *context) {
    uint32_t count = 0;
    /* Turns, not records: an error that repeats must not keep us here. */
    for (int turn = 0; turn < READ_MAX; turn++) {
        rd_kafka_message_t *message =
            rd_kafka_consume_queue(tail->queue, turn == 0 ? timeout_ms : 0);
        if (message == NULL) break;
        if (message->err == 0) {
            const ps_kafka_tailed record = {.key = {message->key, (uint32_t)message->key_len},
                                            .value = {message->payload, (uint32_t)message->len},
                                            .message = message};
            fn(context, &record);
            count++;
        }
        rd_kafka_message_destroy(message);
    }
    return count;
}

ps_bytes ps_kafka_tail_header(const ps_kafka_tailed *record, const char *name) {
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t length = 0;
    const ps_bytes none = {NULL, 0};
    const rd_kafka_message_t *message = record->message;
    if (rd_kafka_message_headers(message, &headers) != 0) return none;
    if (rd_kafka_header_get_last(headers, name, &value, &length) != 0) return none;
    return (ps_bytes){value, (uint32_t)length};
}

void ps_kafka_tail_close(ps_kafka_tail *tail) {
    if (tail == NULL) return;
    for (uint32_t i = 0; i < tail->partitions; i++)
        (void)rd_kafka_consume_stop(tail->topic, (int32_t)i);
    if (tail->queue != NULL) rd_kafka_queue_destroy(tail->queue);
    if (tail->topic != NULL) rd_kafka_topic_destroy(tail->topic);
    ps_kafka_client_close(tail->client);
    free(tail);
}
