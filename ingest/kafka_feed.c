/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_feed.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_client.h"

enum { QUEUE_BYTES = 32 << 20, POLL_EVERY = 1024, OPEN_S = 30 };

struct ps_kafka_feed {
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    char name[256];
    uint64_t puts;
    rd_kafka_resp_err_t refused; /* the first record that was not taken */
    rd_kafka_resp_err_t fatal;
};

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    ps_kafka_feed *feed = opaque;
    if (message->err != 0 && feed->refused == 0) feed->refused = message->err;
}

static void on_failed(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    (void)reason;
    ps_kafka_feed *feed = opaque;
    if (err == RD_KAFKA_RESP_ERR__FATAL) feed->fatal = rd_kafka_fatal_error(client, NULL, 0);
}

static ps_status wait_for_topic(ps_kafka_feed *feed, const char *brokers, ps_error *error) {
    const int64_t until_ns = ps_clock_ns() + OPEN_S * PS_NS_PER_S;
    ps_kafka_patience patience = {0};
    uint32_t count = 0;
    for (;;) {
        const ps_status status =
            ps_kafka_topic_partitions(feed->client, feed->name, 1000, &count, error);
        if (status != PS_AGAIN) return status;
        if (ps_clock_ns() >= until_ns)
            return ps_fail(error, PS_IO, "no broker answers at %s", brokers);
        if (ps_kafka_patience_tell(&patience))
            ps_log(PS_LOG_WARNING, "kafka", "no broker answers at %s; still trying", brokers);
    }
}

ps_status ps_kafka_feed_open(const char *brokers, const char *topic,
                             const ps_string_map *properties, ps_kafka_feed **out,
                             ps_error *error) {
    ps_kafka_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a producer");
    (void)snprintf(feed->name, sizeof feed->name, "%s", topic);
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_IDEMPOTENT,
                                    .brokers = brokers,
                                    .properties = properties,
                                    .memory_bytes = QUEUE_BYTES,
                                    .linger_ns = 10 * PS_NS_PER_MS,
                                    .opaque = feed,
                                    .delivered = on_delivered,
                                    .failed = on_failed};
    ps_status status = ps_kafka_client_open(&recipe, &feed->client, error);
    if (status == PS_OK) status = wait_for_topic(feed, brokers, error);
    if (status == PS_OK) {
        feed->topic = rd_kafka_topic_new(feed->client, topic, NULL);
        if (feed->topic == NULL)
            status = ps_fail(error, PS_IO, "topic '%s': %s", topic,
                             rd_kafka_err2str(rd_kafka_last_error()));
    }
    if (status != PS_OK) {
        ps_kafka_feed_close(feed);
        return status;
    }
    *out = feed;
    return PS_OK;
}

static ps_status check(const ps_kafka_feed *feed, ps_error *error) {
    const rd_kafka_resp_err_t err = feed->fatal != 0 ? feed->fatal : feed->refused;
    if (err == 0) return PS_OK;
    return ps_fail(error, PS_IO, "topic '%s' does not take a record: %s", feed->name,
                   rd_kafka_err2str(err));
}

static void tell_waiting(const ps_kafka_feed *feed, ps_kafka_patience *patience) {
    if (ps_kafka_patience_tell(patience))
        ps_log(PS_LOG_WARNING, "kafka", "%d records wait for a broker",
               rd_kafka_outq_len(feed->client));
}

static rd_kafka_resp_err_t put_once(rd_kafka_t *client, const rd_kafka_vu_t *record, size_t count) {
    rd_kafka_error_t *error = rd_kafka_produceva(client, record, count);
    if (error == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_resp_err_t err = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return err;
}

ps_status ps_kafka_feed_put(ps_kafka_feed *feed, ps_bytes key, ps_bytes value, int64_t timestamp_ms,
                            ps_error *error) {
    if (++feed->puts % POLL_EVERY == 0) (void)rd_kafka_poll(feed->client, 0);
    const rd_kafka_vu_t record[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = feed->topic},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.data, key.length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.length}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    ps_kafka_patience patience = {0};
    for (;;) {
        PS_TRY(check(feed, error));
        const rd_kafka_resp_err_t err =
            put_once(feed->client, record, sizeof record / sizeof record[0]);
        if (err == 0) return PS_OK;
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return ps_fail(error, PS_IO, "topic '%s' does not take a record: %s", feed->name,
                           rd_kafka_err2str(err));
        (void)rd_kafka_poll(feed->client, 100);
        tell_waiting(feed, &patience);
    }
}

ps_status ps_kafka_feed_flush(ps_kafka_feed *feed, ps_error *error) {
    ps_kafka_patience patience = {0};
    while (rd_kafka_flush(feed->client, 500) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        PS_TRY(check(feed, error));
        tell_waiting(feed, &patience);
    }
    return check(feed, error);
}

void ps_kafka_feed_close(ps_kafka_feed *feed) {
    if (feed == NULL) return;
    if (feed->topic != NULL) rd_kafka_topic_destroy(feed->topic);
    ps_kafka_client_close(feed->client);
    free(feed);
}
