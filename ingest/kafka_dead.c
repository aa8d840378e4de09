/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/batch/headers.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_dead_parts.h"

enum { ASK_MS = 1000, READER_BYTES = 32 << 20, OWN_HEADERS = 3 };
#define WAIT_NS (30 * PS_NS_PER_S)

ps_kafka_place ps_dead_source_place(const ps_dead_pipeline *pipeline) {
    const ps_kafka_source_config *source = pipeline->source_config;
    const ps_kafka_sink_config *sink = pipeline->sink_config;
    if (source == NULL) return ps_dead_sink_place(pipeline);
    /* The sink's user writes, and where there is but one cluster that is what we are here for. */
    const bool shared = sink != NULL && sink->brokers == NULL;
    return (ps_kafka_place){source->brokers, &source->properties,
                            shared ? &sink->properties : NULL};
}

ps_kafka_place ps_dead_sink_place(const ps_dead_pipeline *pipeline) {
    const ps_kafka_sink_config *sink = pipeline->sink_config;
    if (sink == NULL || sink->brokers == NULL) return ps_dead_source_place(pipeline);
    return (ps_kafka_place){sink->brokers, NULL, &sink->properties};
}

static void on_error(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    (void)opaque;
    if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR__SSL)
        ps_log(PS_LOG_WARNING, "dead", "%s", reason);
    else
        ps_log(PS_LOG_DEBUG, rd_kafka_name(client), "%s", reason);
}

ps_status ps_dead_client_open(const ps_kafka_place *place, ps_kafka_role role, rd_kafka_t **out,
                              ps_error *error) {
    const ps_kafka_recipe recipe = {.role = role,
                                    .brokers = place->brokers,
                                    .inherited = place->inherited,
                                    .properties = place->properties,
                                    .memory_bytes = READER_BYTES,
                                    .failed = on_error};
    return ps_kafka_client_open(&recipe, out, error);
}

ps_status ps_dead_partitions(rd_kafka_t *client, const ps_kafka_place *place, const char *topic,
                             uint32_t *count, ps_error *error) {
    const int64_t until_ns = ps_clock_ns() + WAIT_NS;
    ps_status status;
    bool told = false;
    do {
        *count = 0;
        status = ps_kafka_topic_partitions(client, topic, ASK_MS, count, error);
        (void)rd_kafka_poll(client, 0);
        if (status == PS_AGAIN && !told)
            ps_log(PS_LOG_WARNING, "dead", "no broker answers at %s, still trying", place->brokers);
        told = told || status == PS_AGAIN;
    } while (status == PS_AGAIN && ps_clock_ns() < until_ns);
    if (status == PS_AGAIN)
        return ps_fail(error, PS_IO, "no broker of %.200s answers", place->brokers);
    return status != PS_OK && *count == PS_NOWHERE ? PS_OK : status;
}

/* What one scan is about. */
typedef struct scan {
    rd_kafka_topic_t *topic;
    int32_t partition;
    int64_t end;
    bool whole;
} scan;

/* END: that was the last one. */
static ps_status take(const scan *s, const rd_kafka_message_t *message, ps_dead_message_fn *fn,
                      void *context, ps_error *error) {
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return message->offset >= s->end ? PS_END : fn(context, message, error);
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        return !s->whole || message->offset >= s->end ? PS_END : PS_AGAIN;
    default:
        if (ps_kafka_is_away(message->err)) return PS_AGAIN;
        return ps_fail(error, PS_IO, "cannot read %s/%" PRId32 ": %s%s",
                       rd_kafka_topic_name(s->topic), s->partition,
                       rd_kafka_message_errstr(message), ps_kafka_advice(message->err));
    }
}

static ps_status read_on(const scan *s, ps_dead_message_fn *fn, void *context, ps_error *error) {
    int64_t until_ns = ps_clock_ns() + WAIT_NS;
    for (;;) {
        rd_kafka_message_t *message = rd_kafka_consume(s->topic, s->partition, ASK_MS);
        ps_status status = PS_AGAIN;
        bool last = false;
        if (message != NULL) {
            const bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            last = !record || message->offset >= s->end;
            status = take(s, message, fn, context, error);
            rd_kafka_message_destroy(message);
        }
        if (status == PS_END) return last ? PS_OK : PS_END;
        if (status != PS_OK && status != PS_AGAIN) return status;
        if (status == PS_OK) until_ns = ps_clock_ns() + WAIT_NS;
        if (ps_clock_ns() >= until_ns)
            return ps_fail(error, PS_IO, "cannot read %s/%" PRId32 " to its end: %s",
                           rd_kafka_topic_name(s->topic), s->partition,
                           "no broker answers, or a transaction stays open");
    }
}

ps_status ps_dead_scan(rd_kafka_t *client, const char *topic, int32_t partition, bool whole,
                       ps_dead_message_fn *fn, void *context, ps_error *error) {
    int64_t low;
    scan s = {.partition = partition, .whole = whole};
    PS_TRY(ps_kafka_watermarks(client, topic, partition, &low, &s.end, error));
    if (low >= s.end) return PS_OK;
    s.topic = rd_kafka_topic_new(client, topic, NULL);
    if (s.topic == NULL || rd_kafka_consume_start(s.topic, partition, low) != 0) {
        const ps_status status = ps_fail(error, PS_IO, "cannot read %s/%" PRId32 ": %s", topic,
                                         partition, rd_kafka_err2str(rd_kafka_last_error()));
        if (s.topic != NULL) rd_kafka_topic_destroy(s.topic);
        return status;
    }
    const ps_status status = read_on(&s, fn, context, error);
    (void)rd_kafka_consume_stop(s.topic, partition);
    rd_kafka_topic_destroy(s.topic);
    return status;
}

/* Messages of a dead-letter topic on their way to become letters. */
typedef struct reading {
    ps_letter_fn *fn;
    void *context;
    uint64_t *strangers;
    uint8_t *headers;
    size_t headers_room;
} reading;

static ps_bytes bytes_of(const void *data, size_t length) {
    return (ps_bytes){data, data == NULL ? PS_NULL_LENGTH : (uint32_t)length};
}

static bool take_own(const rd_kafka_headers_t *headers, size_t at, const char *wanted,
                     ps_bytes *value) {
    const char *name;
    const void *data;
    size_t length;
    if (rd_kafka_header_get_all(headers, at, &name, &data, &length) != 0) return false;
    *value = bytes_of(data, length);
    return strcmp(name, wanted) == 0 && data != NULL;
}

/* The first `count` headers, packed. */
static bool pack(reading *r, const rd_kafka_headers_t *headers, size_t count, ps_bytes *packed) {
    const char *name;
    const void *data;
    size_t length, bytes = 0;
    for (size_t i = 0; i < count && rd_kafka_header_get_all(headers, i, &name, &data, &length) == 0;
         i++)
        bytes += 8 + strlen(name) + length;
    if (bytes > r->headers_room) {
        uint8_t *room = realloc(r->headers, bytes);
        if (room == NULL) return false;
        r->headers = room;
        r->headers_room = bytes;
    }
    uint8_t *to = r->headers;
    for (size_t i = 0; i < count && rd_kafka_header_get_all(headers, i, &name, &data, &length) == 0;
         i++)
        to = ps_headers_put(to, bytes_of(name, strlen(name)), bytes_of(data, length));
    *packed = (ps_bytes){r->headers, (uint32_t)bytes};
    return true;
}

static ps_status hand_over(void *context, const rd_kafka_message_t *message, ps_error *error) {
    reading *r = context;
    rd_kafka_headers_t *headers = NULL;
    ps_letter letter = {.key = bytes_of(message->key, message->key_len),
                        .value = bytes_of(message->payload, message->len)};
    const size_t count =
        rd_kafka_message_headers(message, &headers) == 0 ? rd_kafka_header_cnt(headers) : 0;
    ps_bytes source;
    if (count < OWN_HEADERS || !take_own(headers, count - 3, "ps-source", &source) ||
        !take_own(headers, count - 2, "ps-error", &letter.code) ||
        !take_own(headers, count - 1, "ps-reason", &letter.reason) ||
        !ps_letter_locate(&letter, source)) {
        ++*r->strangers;
        return PS_OK;
    }
    rd_kafka_timestamp_type_t type;
    letter.timestamp_ms = rd_kafka_message_timestamp(message, &type);
    if (!pack(r, headers, count - OWN_HEADERS, &letter.headers))
        return ps_fail(error, PS_NO_MEMORY, "no memory for a record's headers");
    return r->fn(r->context, &letter, error);
}

ps_status ps_kafka_dead_read(const ps_dead_pipeline *pipeline, const char *topic, ps_letter_fn *fn,
                             void *context, uint64_t *strangers, ps_error *error) {
    rd_kafka_t *client = NULL;
    uint32_t partitions = 0;
    reading r = {.fn = fn, .context = context, .strangers = strangers};
    const ps_kafka_place place = ps_dead_sink_place(pipeline);
    ps_status status = ps_dead_client_open(&place, PS_KAFKA_READER, &client, error);
    if (status == PS_OK) status = ps_dead_partitions(client, &place, topic, &partitions, error);
    if (status == PS_OK && partitions == PS_NOWHERE)
        status = ps_fail(error, PS_IO, "dead_letter topic '%s' does not exist", topic);
    for (uint32_t p = 0; status == PS_OK && p < partitions; p++)
        status = ps_dead_scan(client, topic, (int32_t)p, false, hand_over, &r, error);
    ps_kafka_client_close(client);
    free(r.headers);
    return status == PS_END ? PS_OK : status;
}
