/* SPDX-License-Identifier: Apache-2.0
 * A batch becomes records: rows that are kept to the sink's topic with what the plan adds, rejects
 * to the dead letters.
 */
#include <string.h>

#include "host/batch/headers.h"
#include "host/batch/rejects.h"
#include "ingest/kafka_sink_calls.h"

static uint32_t count_headers(ps_bytes packed) {
    ps_header header;
    uint32_t count = 0;
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);) count++;
    return count;
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

/* One row as it came, wherever its bytes lie. */
typedef struct record {
    ps_kafka_output out;
    int64_t offset;
    uint32_t partition, row;
} record;

static record record_of(ps_kafka_sink *sink, const ps_batch *batch, uint32_t row,
                        uint32_t partition) {
    const ps_column *column = batch->schema->column;
    const uint64_t ticket = sink->cursor.ticket;
    record of = {
        .out = {.timestamp_ms = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_TIMESTAMP))[row],
                .ticket = ticket,
                .tag = row,
                .unacknowledged = &ps_kafka_slot_of(sink, ticket)->unacknowledged},
        .offset = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row],
        .partition = partition,
        .row = row,
    };
    if (batch->oversize.row == row) {
        of.out.key = batch->oversize.key;
        of.out.value = batch->oversize.value;
        of.out.headers = batch->oversize.headers;
    } else {
        of.out.key = ps_batch_text(batch, &column[PS_COLUMN_KEY], row);
        of.out.value = ps_batch_text(batch, &column[PS_COLUMN_VALUE], row);
        of.out.headers = ps_batch_text(batch, &column[PS_COLUMN_HEADERS], row);
    }
    of.out.header_count = count_headers(of.out.headers);
    return of;
}

static ps_status send_to(ps_kafka_sink *sink, const ps_kafka_topic *topic, record *of,
                         ps_error *error) {
    of->out.topic = topic;
    of->out.partition = partition_of(sink, topic, of->partition);
    return sink->way->send(sink, &of->out, error);
}

static ps_status send_headers(ps_kafka_sink *sink, const ps_batch *batch, record *of,
                              ps_error *error) {
    ps_header added[PS_OUTPUTS_MAX + 1];
    of->out.added = added;
    of->out.added_count =
        ps_enrich_headers(sink->enricher, batch, of->row, of->partition, sink->text, added);
    return send_to(sink, &sink->out, of, error);
}

static ps_status send_json(ps_kafka_sink *sink, const ps_batch *batch, record *of,
                           ps_error *error) {
    char source[PS_OUTPUT_TEXT_MAX];
    if (of->out.value.length == PS_NULL_LENGTH) { /* a tombstone has no object to add to */
        const ps_header added = ps_header_of(
            "ps-source", source,
            ps_enrich_source(sink->env->partitions, of->partition, of->offset, source));
        of->out.added = &added;
        of->out.added_count = 1;
        return send_to(sink, &sink->out, of, error);
    }
    const size_t length = ps_enrich_json(sink->enricher, batch, of->row, of->partition, sink->json);
    PS_CHECK(length > 0); /* what is not an object was rejected by the decoder */
    of->out.value = (ps_bytes){(const uint8_t *)sink->json, (uint32_t)length};
    of->out.copied = true; /* so no buffer of ours has to outlive the transaction */
    return send_to(sink, &sink->out, of, error);
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
    const char *code = ps_reject_code(reject);
    const ps_header added[] = {ps_header_of("ps-source", source, source_length),
                               ps_header_of("ps-error", code, strlen(code)),
                               ps_header_of("ps-reason", reason, length)};
    of->out.added = added;
    of->out.added_count = 3;
    of->out.tag = of->row | PS_KAFKA_ROW_DEAD;
    const ps_status status = send_to(sink, &sink->dead, of, error);
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

static bool has_room(ps_kafka_sink *sink, const record *of, uint32_t added) {
    const ps_bytes headers = of->out.headers;
    return sink->way->has_room(sink, of->out.header_count + added,
                               headers.length == PS_NULL_LENGTH ? 0 : headers.length);
}

ps_status ps_kafka_row(ps_kafka_sink *sink, const ps_batch *batch, uint32_t row, uint32_t partition,
                       ps_error *error) {
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    if (reject[row] == PS_REJECT_NONE) {
        if (sink->env->plan->filters && keep[row] == 0) return PS_OK;
        record of = record_of(sink, batch, row, partition);
        if (!has_room(sink, &of, sink->env->plan->output_count)) return PS_AGAIN;
        PS_TRY(row_out(sink, batch, &of, error));
        if (reject[row] == PS_REJECT_NONE) {
            sink->cursor.out++;
            return PS_OK;
        }
    }
    record of = record_of(sink, batch, row, partition);
    if (sink->dead.name != NULL && !has_room(sink, &of, 0)) return PS_AGAIN;
    PS_TRY(send_dead(sink, batch, &of, error));
    sink->cursor.dead++;
    return PS_OK;
}

/* What its way carries as it is; returns the first row that it does not. */
static uint32_t carry(ps_kafka_sink *sink, const ps_batch *batch, const ps_run *run, uint32_t row) {
    if (sink->way->rows == NULL || sink->config->form != PS_KAFKA_HEADERS) return row;
    const uint32_t next = sink->way->rows(sink, batch, run, row);
    sink->cursor.out += next - row;
    return next;
}

ps_status ps_kafka_rows(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    ps_kafka_cursor *cursor = &sink->cursor;
    for (; cursor->run < batch->run_count; cursor->run++) {
        const ps_run *run = &batch->runs[cursor->run];
        if (cursor->row < run->first_row) cursor->row = run->first_row;
        for (; cursor->row < run->first_row + run->rows; cursor->row++) {
            cursor->row = carry(sink, batch, run, cursor->row);
            if (cursor->row == run->first_row + run->rows) break;
            PS_TRY(ps_kafka_row(sink, batch, cursor->row, run->partition, error));
        }
    }
    return PS_OK;
}
