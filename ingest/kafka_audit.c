/* SPDX-License-Identifier: Apache-2.0
 * Questions about the topic go through librdkafka, its records through penstock's own client, which
 * hands them out in place.
 */
#include "ingest/kafka_audit.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/base64.h"
#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_native.h"
#include "ingest/wire/error.h"
#include "ingest/wire/fetcher.h"

enum {
    ASK_MS = 1000,
    ANSWER_BYTES = 8 << 20,
    BESIDE_BYTES = 64 << 10, /* of an answer: names, aborted transactions */
    BATCH_BYTES = 100 << 20, /* where the topic's limit is unknown */
    FRAME_BYTES_MAX = 1 << 30,
    EXPANSION = 32, /* times its size: what a batch becomes when it is unpacked */
    SPARE_NODES = 4,
    WAIT_MS = 500,
    POLL_MS = 100
};

/* No broker answers, or none that leads the partition. */
#define PATIENCE_NS (30 * PS_NS_PER_S)

struct ps_kafka_audit {
    const char *brokers, *topic;
    ps_kafka_audit_about about;
    rd_kafka_t *asker;
    ps_wire_security security;
    ps_wire_client *client;
    ps_wire_fetcher *fetcher;
    uint32_t partition; /* that is being read; PS_NOWHERE: none */
    ps_kafka_span span;
    int64_t waits_ns; /* since when nothing has come, 0: something just did */
    bool shown;       /* what was handed out is still there */
    bool ended;
    uint8_t *headers; /* packed */
    size_t headers_room;
};

static void on_error(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    (void)opaque;
    if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR__SSL)
        ps_log(PS_LOG_WARNING, "kafka", "%s", reason);
    else
        ps_log(PS_LOG_DEBUG, rd_kafka_name(client), "%s", reason);
}

/* ---- what is to be known of the topic ---- */

static ps_status find_topic(ps_kafka_audit *a, uint32_t *nodes, ps_error *error) {
    const int64_t until_ns = ps_clock_ns() + PATIENCE_NS;
    ps_kafka_patience patience = {0};
    ps_status status;
    do {
        status = ps_kafka_topic_partitions(a->asker, a->topic, ASK_MS, &a->about.partitions, error);
        if (status == PS_OK) status = ps_kafka_brokers_count(a->asker, ASK_MS, nodes);
        (void)rd_kafka_poll(a->asker, 0);
        if (status == PS_AGAIN && ps_kafka_patience_tell(&patience))
            ps_log(PS_LOG_WARNING, "kafka", "no broker answers at %s, still trying", a->brokers);
    } while (status == PS_AGAIN && ps_clock_ns() < until_ns);
    return status == PS_AGAIN
               ? ps_fail(error, PS_IO, "no broker of %.200s answers: is it the right address?",
                         a->brokers)
               : status;
}

static ps_kafka_cleanup cleanup_of(const ps_kafka_limit *limit) {
    if (!limit->has_cleanup) return PS_KAFKA_CLEANUP_UNKNOWN;
    return limit->compacts ? PS_KAFKA_CLEANUP_COMPACT : PS_KAFKA_CLEANUP_DELETE;
}

static ps_status open_fetcher(ps_kafka_audit *a, uint32_t nodes, uint32_t batch_bytes,
                              ps_error *error) {
    size_t batch = batch_bytes == 0 ? BATCH_BYTES : batch_bytes;
    if (batch < ANSWER_BYTES) batch = ANSWER_BYTES;
    if (batch > FRAME_BYTES_MAX) batch = FRAME_BYTES_MAX;
    /* Room that nothing comes for is no memory. */
    const ps_wire_client_recipe client = {
        .brokers = a->brokers,
        .security = &a->security,
        .client_id = "penstock",
        .topics = &a->topic,
        .topic_count = 1,
        .nodes_max = nodes + SPARE_NODES,
        .partitions_max = a->about.partitions,
        .receive_bytes = {batch + BESIDE_BYTES, 0,
                          ps_kafka_native_control_bytes(a->about.partitions, nodes + SPARE_NODES)},
        .usual_bytes = ANSWER_BYTES + BESIDE_BYTES};
    PS_TRY(ps_wire_client_open(&client, &a->client, error));
    const size_t unpacked =
        batch * EXPANSION < FRAME_BYTES_MAX ? batch * EXPANSION : (size_t)FRAME_BYTES_MAX;
    const ps_wire_fetcher_recipe fetcher = {.client = a->client,
                                            .partitions = a->about.partitions,
                                            .read_committed = true,
                                            .partition_bytes = ANSWER_BYTES,
                                            .answer_bytes = ANSWER_BYTES,
                                            .least_bytes = 1,
                                            .wait_ms = WAIT_MS,
                                            .unpacked_max = unpacked};
    return ps_wire_fetcher_open(&fetcher, &a->fetcher, error);
}

static ps_status open_all(ps_kafka_audit *a, const ps_string_map *properties, ps_error *error) {
    uint32_t nodes = 0;
    const char *const lacks = ps_kafka_native_lacks_property(properties, PS_KAFKA_CONSUMER);
    if (lacks != NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "penstock's own client, which reads here, does not go with '%.100s'", lacks);
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_READER,
                                    .brokers = a->brokers,
                                    .properties = properties,
                                    .memory_bytes = 1 << 20,
                                    .failed = on_error};
    PS_TRY(ps_kafka_client_open(&recipe, &a->asker, error));
    PS_TRY(ps_kafka_native_security(NULL, properties, &a->security, error));
    PS_TRY(find_topic(a, &nodes, error));
    ps_kafka_limit limit = {.topic = a->topic};
    ps_kafka_limits(a->asker, &limit, 1, 10 * ASK_MS);
    a->about.cleanup = cleanup_of(&limit);
    return open_fetcher(a, nodes, limit.bytes_max, error);
}

/* As org.apache.kafka.common.Uuid writes it: base64url without padding. */
static void write_id(const uint8_t id[16], char text[PS_KAFKA_ID_MAX]) {
    static const uint8_t none[16];
    char padded[25];
    text[0] = '\0';
    if (memcmp(id, none, sizeof none) == 0) return;
    (void)ps_base64_encode(padded, id, 16);
    for (size_t i = 0; i < PS_KAFKA_ID_MAX - 1; i++)
        text[i] = (char)(padded[i] == '+' ? '-' : padded[i] == '/' ? '_' : padded[i]);
    text[PS_KAFKA_ID_MAX - 1] = '\0';
}

static bool is_known(void *opaque) {
    const ps_kafka_audit *const a = opaque;
    const ps_wire_topic *const topic = ps_wire_client_topic(a->client, 0);
    return topic->known && topic->error_code == 0;
}

static ps_status find_id(ps_kafka_audit *a, ps_error *error) {
    ps_wire_client_refresh(a->client);
    const ps_status status =
        ps_wire_client_wait(a->client, is_known, a, ps_clock_ns() + PATIENCE_NS, error);
    if (status == PS_AGAIN)
        return ps_fail(error, PS_IO, "no broker of %.200s tells of topic %s: %s", a->brokers,
                       a->topic, ps_wire_client_trouble(a->client));
    PS_TRY(status);
    write_id(ps_wire_client_topic(a->client, 0)->id, a->about.id);
    return PS_OK;
}

ps_status ps_kafka_audit_open(const char *brokers, const ps_string_map *properties,
                              const char *topic, ps_kafka_audit **out, ps_error *error) {
    ps_kafka_audit *const audit = calloc(1, sizeof *audit);
    if (audit == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a consumer");
    audit->brokers = brokers;
    audit->topic = topic;
    audit->partition = PS_NOWHERE;
    ps_status status = open_all(audit, properties, error);
    if (status == PS_OK) status = find_id(audit, error);
    if (status == PS_OK)
        *out = audit;
    else
        ps_kafka_audit_close(audit);
    return status;
}

ps_status ps_kafka_audit_open_source(const void *source_config, const char *topic,
                                     ps_kafka_audit **out, ps_error *error) {
    const ps_kafka_source_config *const config = source_config;
    return ps_kafka_audit_open(config->brokers, &config->properties, topic, out, error);
}

void ps_kafka_audit_close(ps_kafka_audit *audit) {
    if (audit == NULL) return;
    ps_wire_fetcher_close(audit->fetcher);
    ps_wire_client_close(audit->client);
    if (audit->asker != NULL) ps_kafka_client_close(audit->asker);
    free(audit->headers);
    free(audit);
}

const ps_kafka_audit_about *ps_kafka_audit_about_of(const ps_kafka_audit *audit) {
    return &audit->about;
}

/* ---- reading ---- */

ps_status ps_kafka_audit_begin(ps_kafka_audit *audit, uint32_t partition, int64_t from,
                               const ps_kafka_span **span, ps_error *error) {
    if (audit->partition != PS_NOWHERE) {
        if (audit->shown) ps_wire_fetcher_taken(audit->fetcher);
        ps_wire_fetcher_stop(audit->fetcher, audit->partition);
    }
    audit->shown = false;
    audit->partition = partition;
    PS_TRY(ps_kafka_watermarks(audit->asker, audit->topic, (int32_t)partition, &audit->span.first,
                               &audit->span.end, error));
    *span = &audit->span;
    const int64_t begin = from > audit->span.first ? from : audit->span.first;
    audit->waits_ns = 0;
    audit->ended = begin >= audit->span.end;
    if (!audit->ended) ps_wire_fetcher_start(audit->fetcher, partition, 0, partition, begin);
    return PS_OK;
}

static ps_status wait_for_more(ps_kafka_audit *a, ps_error *error) {
    const int64_t now_ns = ps_clock_ns();
    PS_TRY(ps_wire_fetcher_step(a->fetcher, now_ns, error));
    if (a->waits_ns == 0) a->waits_ns = now_ns;
    if (now_ns - a->waits_ns > PATIENCE_NS) {
        ps_wire_stalled stalled;
        ps_error why = {{0}};
        if (ps_wire_fetcher_stalled(a->fetcher, &stalled))
            ps_wire_stalled_why(a->client, &stalled, &why);
        return ps_fail(error, PS_IO, "%s/%" PRIu32 ": nothing came for 30 s: %.200s", a->topic,
                       a->partition,
                       why.message[0] != '\0' ? why.message : ps_wire_client_trouble(a->client));
    }
    const int64_t left_ms = (ps_wire_fetcher_deadline(a->fetcher) - now_ns) / PS_NS_PER_MS;
    struct pollfd one = {.fd = ps_wire_client_fd(a->client), .events = POLLIN};
    if (left_ms >= 0) (void)poll(&one, 1, left_ms > POLL_MS ? POLL_MS : (int)left_ms + 1);
    return PS_OK;
}

static ps_status pack_headers(ps_kafka_audit *a, const ps_wire_record *from, ps_bytes *out,
                              ps_error *error) {
    *out = (ps_bytes){NULL, PS_NULL_LENGTH};
    if (from->header_count == 0) return PS_OK;
    if (from->packed_bytes > a->headers_room) {
        uint8_t *const more = realloc(a->headers, from->packed_bytes);
        if (more == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a record's headers");
        a->headers = more;
        a->headers_room = from->packed_bytes;
    }
    *out = (ps_bytes){a->headers, ps_wire_headers_pack(from->headers, from->header_count,
                                                       a->headers, a->headers_room)};
    return PS_OK;
}

static ps_status take_record(ps_kafka_audit *a, const ps_wire_fetched *fetched,
                             ps_kafka_audited *out, ps_error *error) {
    const ps_wire_record *const from = &fetched->record;
    if (from->offset >= a->span.end) { /* came after we began */
        a->ended = true;
        return PS_END;
    }
    *out = (ps_kafka_audited){.offset = from->offset,
                              .timestamp_ms = from->timestamp_ms,
                              .append_time = fetched->append_time,
                              .key = from->key,
                              .value = from->value};
    return pack_headers(a, from, &out->headers, error);
}

/* Retention went past where we were; or the partition ends before that. */
static ps_status go_on(ps_kafka_audit *a, const ps_wire_fetched *fetched) {
    if (fetched->first > a->span.first) a->span.first = fetched->first;
    if (fetched->next < fetched->first && fetched->first < a->span.end) {
        ps_wire_fetcher_start(a->fetcher, a->partition, 0, a->partition, fetched->first);
        return PS_OK;
    }
    if (fetched->next >= fetched->first && fetched->next < a->span.end) a->span.end = fetched->next;
    a->ended = true;
    return PS_END;
}

static ps_status take_failure(const ps_kafka_audit *a, const ps_wire_fetched *fetched,
                              const ps_error *why, ps_error *error) {
    switch (fetched->news) {
    case PS_WIRE_CUT_BACK:
        return ps_fail(error, PS_IO,
                       "%s/%" PRIu32 ": lost its end behind offset %" PRId64
                       " while it was read (a leader was elected that had not all records): run "
                       "this again",
                       a->topic, a->partition, fetched->first);
    case PS_WIRE_NO_TOPIC:
        return ps_fail(error, PS_IO, "topic %s was deleted, or made anew, while it was read",
                       a->topic);
    case PS_WIRE_REFUSED:
        return ps_fail(error, PS_IO, "%s/%" PRIu32 ": %s: %s", a->topic, a->partition,
                       ps_wire_error_name(fetched->code), ps_wire_error_text(fetched->code));
    default: /* what anybody who consumes the topic meets there */
        return ps_fail(error, PS_TAMPERED, "the batch at offset %" PRId64 " cannot be read: %s",
                       fetched->next, why->message);
    }
}

/* AGAIN: nothing to hand out in that. */
static ps_status take(ps_kafka_audit *a, const ps_wire_fetched *fetched, const ps_error *why,
                      ps_kafka_audited *out, ps_error *error) {
    switch (fetched->news) {
    case PS_WIRE_RECORD:
        return take_record(a, fetched, out, error);
    case PS_WIRE_PASSED:
        a->ended = fetched->next >= a->span.end;
        return a->ended ? PS_END : PS_AGAIN;
    case PS_WIRE_END:
        /* The broker's end can only be behind ours where it has lost records since. */
        if (fetched->next < a->span.end) a->span.end = fetched->next;
        a->ended = true;
        return PS_END;
    case PS_WIRE_GONE:
        return go_on(a, fetched) == PS_END ? PS_END : PS_AGAIN;
    default:
        return take_failure(a, fetched, why, error);
    }
}

ps_status ps_kafka_audit_next(ps_kafka_audit *audit, ps_kafka_audited *out, ps_error *error) {
    ps_wire_fetched fetched;
    ps_error why = {{0}};
    if (audit->shown) ps_wire_fetcher_taken(audit->fetcher);
    audit->shown = false;
    while (!audit->ended) {
        const ps_status there = ps_wire_fetcher_next(audit->fetcher, &fetched, &why);
        if (there == PS_AGAIN) {
            PS_TRY(wait_for_more(audit, error));
            continue;
        }
        if (fetched.partition != audit->partition) { /* the one before */
            ps_wire_fetcher_taken(audit->fetcher);
            continue;
        }
        const ps_status status = take(audit, &fetched, &why, out, error);
        audit->shown = status == PS_OK;
        if (!audit->shown) ps_wire_fetcher_taken(audit->fetcher);
        audit->waits_ns = 0;
        if (status != PS_AGAIN) return status;
    }
    return PS_END;
}
