/* SPDX-License-Identifier: Apache-2.0
 * A batch becomes records: rows that are kept to the sink's topic with what the plan adds, rejects
 * to the dead letters. Key and value are produced out of the slot, which stays as it is until the
 * batch is released; only headers are copied, by librdkafka, because its interface has no other
 * way.
 */
#include <string.h>

#include "host/base/log.h"
#include "host/batch/headers.h"
#include "host/batch/rejects.h"
#include "ingest/kafka_sink_calls.h"

/* One row as it came, wherever its bytes lie. */
typedef struct record {
    ps_bytes key, value, headers;
    int64_t offset, timestamp_ms;
    uint32_t partition, row;
    uint32_t header_count;   /* of `headers` */
    rd_kafka_headers_t *out; /* what goes out with it; librdkafka's once it is produced */
    int flags;               /* RD_KAFKA_MSG_F_… */
} record;

static uint32_t count_headers(ps_bytes packed) {
    ps_header header;
    uint32_t count = 0;
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);) count++;
    return count;
}

static record record_of(const ps_batch *batch, uint32_t row, uint32_t partition) {
    const ps_column *column = batch->schema->column;
    record of = {
        .offset = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row],
        .timestamp_ms = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_TIMESTAMP))[row],
        .partition = partition,
        .row = row,
    };
    if (batch->oversize.row == row) {
        of.key = batch->oversize.key;
        of.value = batch->oversize.value;
        of.headers = batch->oversize.headers;
    } else {
        of.key = ps_batch_text(batch, &column[PS_COLUMN_KEY], row);
        of.value = ps_batch_text(batch, &column[PS_COLUMN_VALUE], row);
        of.headers = ps_batch_text(batch, &column[PS_COLUMN_HEADERS], row);
    }
    of.header_count = count_headers(of.headers);
    return of;
}

static size_t length_of(ps_bytes bytes) {
    return bytes.length == PS_NULL_LENGTH ? 0 : bytes.length;
}

/* The source's headers in their order, duplicates and nulls kept. */
static void add_own(rd_kafka_headers_t *headers, ps_bytes packed) {
    ps_header header;
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);)
        (void)rd_kafka_header_add(headers, (const char *)header.name.data,
                                  (ssize_t)header.name.length, header.value.data,
                                  (ssize_t)length_of(header.value));
}

/* Whether the producer may take the row now, with `added` headers more. librdkafka's queue counts
 * records; once a row with many headers waits in it, fewer may wait beside it, until all have left.
 */
static bool has_room(ps_kafka_sink *sink, const record *of, uint32_t added) {
    const uint32_t headers = of->header_count + added;
    if (headers <= PS_KAFKA_RECORD_HEADERS && sink->records_max == 0) return true;
    const uint32_t waiting = (uint32_t)rd_kafka_outq_len(sink->producer);
    if (waiting == 0) sink->records_max = 0;
    if (headers > PS_KAFKA_RECORD_HEADERS) {
        const uint32_t most =
            ps_kafka_producer_records(sink->env->memory_bytes, headers, length_of(of->headers));
        if (sink->records_max == 0 || most < sink->records_max) sink->records_max = most;
    }
    if (sink->records_max == 0 || waiting < sink->records_max) return true;
    sink->full = true;
    return false;
}

static void add_text(rd_kafka_headers_t *headers, const char *name, const char *text,
                     size_t length) {
    (void)rd_kafka_header_add(headers, name, (ssize_t)strlen(name), text, (ssize_t)length);
}

/* Partition for partition where the counts agree, else where Kafka's partitioner sends the key. */
static int32_t partition_of(const ps_kafka_sink *sink, const ps_kafka_topic *topic,
                            uint32_t partition) {
    uint32_t within;
    const ps_partitions *all = sink->env->partitions;
    const uint32_t source = ps_partitions_topic(all, partition, &within);
    if (all->topic[source].count == topic->partitions) return (int32_t)within;
    /* A record of its own between packs, which have no key, must not overtake them. */
    const bool packed = sink->pack != NULL && topic == &sink->out;
    return packed ? (int32_t)(within % topic->partitions) : RD_KAFKA_PARTITION_UA;
}

ps_status ps_kafka_send(ps_kafka_sink *sink, const rd_kafka_vu_t *parts, size_t count,
                        uint32_t *unacknowledged, rd_kafka_headers_t *headers, ps_error *error) {
    rd_kafka_error_t *failure = rd_kafka_produceva(sink->producer, parts, count);
    if (__builtin_expect(failure == NULL, 1)) {
        ++*unacknowledged;
        return PS_OK;
    }
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    ps_status status = PS_AGAIN;
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        sink->full = true;
    else if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        status = PS_UNSUPPORTED;
    else if (err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        status = ps_fail(error, PS_IO, "cannot write to the sink's topic: %s: was it deleted?",
                         rd_kafka_error_string(failure));
    else
        sink->broken = true; /* the producer is fatal or must abort: a new one does it again */
    rd_kafka_error_destroy(failure);
    if (headers != NULL) rd_kafka_headers_destroy(headers);
    return status;
}

static ps_status send_record(ps_kafka_sink *sink, const ps_kafka_topic *topic, const record *of,
                             uint32_t tag, ps_error *error) {
    const uint64_t ticket = sink->cursor.ticket;
    rd_kafka_vu_t parts[8];
    size_t n = 0;
    parts[n].vtype = RD_KAFKA_VTYPE_RKT;
    parts[n++].u.rkt = topic->handle;
    parts[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[n++].u.i32 = partition_of(sink, topic, of->partition);
    parts[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[n++].u.i = of->flags;
    parts[n].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[n].u.mem.ptr = (void *)(uintptr_t)of->value.data;
    parts[n++].u.mem.size = length_of(of->value);
    parts[n].vtype = RD_KAFKA_VTYPE_KEY;
    parts[n].u.mem.ptr = (void *)(uintptr_t)of->key.data;
    parts[n++].u.mem.size = length_of(of->key);
    parts[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[n++].u.ptr = ps_kafka_tag(ticket, tag);
    if (of->timestamp_ms > 0) {
        parts[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        parts[n++].u.i64 = of->timestamp_ms;
    }
    if (of->out != NULL) {
        parts[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        parts[n++].u.headers = of->out;
    }
    uint32_t *unacknowledged = &ps_kafka_slot_of(sink, ticket)->unacknowledged;
    return ps_kafka_send(sink, parts, n, unacknowledged, of->out, error);
}

static ps_status send_headers(ps_kafka_sink *sink, const ps_batch *batch, record *of,
                              ps_error *error) {
    ps_enriched enriched[PS_OUTPUTS_MAX + 1];
    const uint32_t count =
        ps_enrich_headers(sink->enricher, batch, of->row, of->partition, sink->text, enriched);
    of->out = rd_kafka_headers_new(count + of->header_count);
    add_own(of->out, of->headers);
    for (uint32_t i = 0; i < count; i++)
        (void)rd_kafka_header_add(of->out, enriched[i].name, (ssize_t)enriched[i].name_length,
                                  enriched[i].text, (ssize_t)enriched[i].length);
    return send_record(sink, &sink->out, of, of->row, error);
}

static ps_status send_json(ps_kafka_sink *sink, const ps_batch *batch, record *of,
                           ps_error *error) {
    const bool tombstone = of->value.length == PS_NULL_LENGTH;
    if (of->header_count > 0 || tombstone) {
        of->out = rd_kafka_headers_new(of->header_count + tombstone);
        add_own(of->out, of->headers);
    }
    if (tombstone) {
        char source[PS_OUTPUT_TEXT_MAX];
        add_text(of->out, "ps-source", source,
                 ps_enrich_source(sink->env->partitions, of->partition, of->offset, source));
        return send_record(sink, &sink->out, of, of->row, error);
    }
    const size_t length = ps_enrich_json(sink->enricher, batch, of->row, of->partition, sink->json);
    PS_CHECK(length > 0); /* what is not an object was rejected by the decoder */
    of->value = (ps_bytes){(const uint8_t *)sink->json, (uint32_t)length};
    /* librdkafka allocates the record anyhow; with the copy it is one block, and no buffer of ours
     * has to outlive the transaction. */
    of->flags = RD_KAFKA_MSG_F_COPY;
    return send_record(sink, &sink->out, of, of->row, error);
}

static ps_status send_dead_topic(ps_kafka_sink *sink, const ps_batch *batch, record *of,
                                 ps_error *error) {
    char source[PS_OUTPUT_TEXT_MAX], reason[256];
    const ps_reject reject = ((const uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[of->row];
    const uint32_t detail = ((const uint32_t *)ps_batch_system(batch, PS_COLUMN_DETAIL))[of->row];
    const uint32_t source_length =
        ps_enrich_source(sink->env->partitions, of->partition, of->offset, source);
    size_t length = ps_reject_reason(reject, detail, batch->schema, reason, sizeof reason);
    if (length >= sizeof reason) length = sizeof reason - 1;
    of->out = rd_kafka_headers_new(3 + of->header_count);
    add_own(of->out, of->headers);
    add_text(of->out, "ps-source", source, source_length);
    add_text(of->out, "ps-error", ps_reject_code(reject), strlen(ps_reject_code(reject)));
    add_text(of->out, "ps-reason", reason, length);
    const ps_status status = send_record(sink, &sink->dead, of, of->row | PS_KAFKA_ROW_DEAD, error);
    if (status != PS_UNSUPPORTED) return status;
    return ps_fail(error, PS_IO,
                   "dead_letter topic %s does not take record %.*s: raise its max.message.bytes",
                   sink->dead.name, (int)source_length, source);
}

static ps_status send_dead(ps_kafka_sink *sink, const ps_batch *batch, record *of,
                           ps_error *error) {
    if (sink->dead_file != NULL)
        return ps_dead_file_put(sink->dead_file, batch, of->row, of->partition, error);
    if (sink->dead.name != NULL) return send_dead_topic(sink, batch, of, error);
    char source[PS_OUTPUT_TEXT_MAX];
    const uint32_t length =
        ps_enrich_source(sink->env->partitions, of->partition, of->offset, source);
    return ps_fail(error, PS_IO,
                   "record %.*s is a reject and no dead_letter is configured to keep it: add "
                   "`dead_letter: {topic: …}` to the pipeline file",
                   (int)length, source);
}

static ps_status row_out(ps_kafka_sink *sink, const ps_batch *batch, record *of, ps_error *error) {
    const ps_status status = sink->config->form != PS_KAFKA_HEADERS
                                 ? send_json(sink, batch, of, error)
                                 : send_headers(sink, batch, of, error);
    if (status != PS_UNSUPPORTED) return status;
    /* Larger than the topic takes, so it will never go out: a reject like any other. */
    ((uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[of->row] = PS_REJECT_OUTPUT_REFUSED;
    return PS_OK;
}

ps_status ps_kafka_row(ps_kafka_sink *sink, const ps_batch *batch, uint32_t row, uint32_t partition,
                       ps_error *error) {
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    if (reject[row] == PS_REJECT_NONE) {
        if (sink->env->plan->filters && keep[row] == 0) return PS_OK;
        record of = record_of(batch, row, partition);
        if (!has_room(sink, &of, sink->env->plan->output_count)) return PS_AGAIN;
        PS_TRY(row_out(sink, batch, &of, error));
        if (reject[row] == PS_REJECT_NONE) {
            sink->cursor.out++;
            return PS_OK;
        }
    }
    record of = record_of(batch, row, partition);
    if (sink->dead.name != NULL && !has_room(sink, &of, 0)) return PS_AGAIN;
    PS_TRY(send_dead(sink, batch, &of, error));
    sink->cursor.dead++;
    return PS_OK;
}

ps_status ps_kafka_rows(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    ps_kafka_cursor *cursor = &sink->cursor;
    for (; cursor->run < batch->run_count; cursor->run++) {
        const ps_run *run = &batch->runs[cursor->run];
        if (cursor->row < run->first_row) cursor->row = run->first_row;
        for (; cursor->row < run->first_row + run->rows; cursor->row++)
            PS_TRY(ps_kafka_row(sink, batch, cursor->row, run->partition, error));
    }
    return PS_OK;
}
