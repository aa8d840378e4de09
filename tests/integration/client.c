/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { READ_MESSAGES = 1000, READ_PATIENCE_S = 60 };

void client_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    exit(2);
}

double client_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

rd_kafka_t *client_open(rd_kafka_type_t type, const char *brokers, const char *const *properties) {
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error) !=
        RD_KAFKA_CONF_OK)
        client_die("bootstrap.servers: %s", error);
    for (uint32_t i = 0; properties && properties[i]; i += 2)
        if (rd_kafka_conf_set(conf, properties[i], properties[i + 1], error, sizeof error) !=
            RD_KAFKA_CONF_OK)
            client_die("%s: %s", properties[i], error);
    rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof error);
    if (!client) client_die("no Kafka client: %s", error);
    return client;
}

int32_t client_partitions(rd_kafka_t *client, const char *topic) {
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    int32_t count = 0;
    for (int attempt = 0; count == 0 && attempt < 200; attempt++) {
        const rd_kafka_resp_err_t status = rd_kafka_metadata(client, 0, handle, &metadata, 10000);
        if (status) client_die("metadata of %s: %s", topic, rd_kafka_err2str(status));
        count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
        if (count == 0) (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    rd_kafka_topic_destroy(handle);
    if (count == 0) client_die("topic %s does not exist", topic);
    return count;
}

void client_record(const rd_kafka_message_t *message, record *out) {
    rd_kafka_timestamp_type_t type;
    out->partition = message->partition;
    out->offset = message->offset;
    out->timestamp_ms = rd_kafka_message_timestamp(message, &type);
    out->append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    out->key = (text){message->key, message->key_len};
    out->value = (text){message->payload, message->len};
    out->header_count = 0;
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers)) return;
    const void *data;
    size_t size;
    const char *name;
    while (!rd_kafka_header_get_all(headers, out->header_count, &name, &data, &size)) {
        if (out->header_count == RECORD_HEADERS_MAX) client_die("a record with too many headers");
        out->headers[out->header_count++] = (record_header){name, {data, data ? size : 0}};
    }
}

static void assign_all(rd_kafka_t *consumer, const char *topic, int32_t partitions) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    const rd_kafka_resp_err_t status = rd_kafka_assign(consumer, list);
    if (status) client_die("assign %s: %s", topic, rd_kafka_err2str(status));
    rd_kafka_topic_partition_list_destroy(list);
}

/* Returns 1 where the message is a partition's end. */
static int take(rd_kafka_message_t *message, record_visit *visit, void *context, uint64_t *count) {
    record next;
    int ended = 0;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ended = 1;
    } else if (message->err) {
        client_die("reading: %s", rd_kafka_message_errstr(message));
    } else {
        client_record(message, &next);
        visit(context, &next);
        (*count)++;
    }
    rd_kafka_message_destroy(message);
    return ended;
}

uint64_t client_read(const char *brokers, const char *topic, bool committed, record_visit *visit,
                     void *context) {
    const char *const properties[] = {"group.id",
                                      "penstock-acceptance",
                                      "enable.auto.commit",
                                      "false",
                                      "enable.partition.eof",
                                      "true",
                                      "isolation.level",
                                      committed ? "read_committed" : "read_uncommitted",
                                      "fetch.queue.backoff.ms",
                                      "2",
                                      "queued.max.messages.kbytes",
                                      "65536",
                                      "fetch.message.max.bytes",
                                      "4194304",
                                      "fetch.wait.max.ms",
                                      "50",
                                      "log_level",
                                      "3",
                                      NULL};
    rd_kafka_t *consumer = client_open(RD_KAFKA_CONSUMER, brokers, properties);
    const int32_t partitions = client_partitions(consumer, topic);
    assign_all(consumer, topic, partitions);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    rd_kafka_message_t *messages[READ_MESSAGES];
    uint64_t count = 0;
    int32_t ended = 0;
    double last = client_seconds();
    while (ended < partitions) {
        const ssize_t n = rd_kafka_consume_batch_queue(queue, 100, messages, READ_MESSAGES);
        for (ssize_t i = 0; i < n; i++) ended += take(messages[i], visit, context, &count);
        if (n > 0) last = client_seconds();
        if (client_seconds() - last > READ_PATIENCE_S)
            client_die("reading %s: nothing came", topic);
    }
    rd_kafka_queue_destroy(queue);
    (void)rd_kafka_assign(consumer, NULL);
    rd_kafka_destroy(consumer);
    return count;
}

static rd_kafka_vu_t vu_text(rd_kafka_vtype_t type, text t) {
    rd_kafka_vu_t part = {.vtype = type};
    part.u.mem.ptr = (void *)(uintptr_t)t.data;
    part.u.mem.size = t.size;
    return part;
}

void client_send(rd_kafka_t *producer, rd_kafka_topic_t *topic, const record *r) {
    rd_kafka_headers_t *headers = rd_kafka_headers_new(r->header_count);
    for (uint32_t i = 0; i < r->header_count; i++)
        (void)rd_kafka_header_add(headers, r->headers[i].name, -1, r->headers[i].value.data,
                                  (ssize_t)r->headers[i].value.size);
    rd_kafka_vu_t parts[7] = {{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic}};
    parts[1] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition};
    parts[2] = vu_text(RD_KAFKA_VTYPE_KEY, r->key);
    parts[3] = vu_text(RD_KAFKA_VTYPE_VALUE, r->value);
    parts[4] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = r->timestamp_ms};
    parts[5] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    parts[6] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    const size_t count = sizeof parts / sizeof *parts - (r->header_count == 0);
    if (r->header_count == 0) rd_kafka_headers_destroy(headers);
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(producer, parts, count);
        if (!error) return;
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            client_die("produce: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(producer, 10);
    }
}
