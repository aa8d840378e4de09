/* SPDX-License-Identifier: Apache-2.0
 * The short way of rows in form headers: what comes with a row is copied once, from its batch into
 * the record batch that is sent, and what the plan adds is written there. A row is odd, and goes
 * the long way, when it is a reject or filtered, when its bytes lie elsewhere, when its partition
 * is not the source's, and when the open record batch may be too small for it.
 */
#include "host/batch/rejects.h"
#include "ingest/kafka_sink_calls.h"
#include "ingest/wire/producer.h"

/* What is read of every row. */
typedef struct columns {
    const uint8_t *reject, *keep; /* keep: NULL where nothing is filtered */
    const int64_t *timestamp;
    const ps_column *key, *value, *headers;
} columns;

static columns columns_of(const ps_kafka_sink *sink, const ps_batch *batch) {
    const ps_column *column = batch->schema->column;
    return (columns){.reject = ps_batch_system(batch, PS_COLUMN_REJECT),
                     .keep =
                         sink->env->plan->filters ? ps_batch_system(batch, PS_COLUMN_KEEP) : NULL,
                     .timestamp = ps_batch_system(batch, PS_COLUMN_TIMESTAMP),
                     .key = &column[PS_COLUMN_KEY],
                     .value = &column[PS_COLUMN_VALUE],
                     .headers = &column[PS_COLUMN_HEADERS]};
}

static uint32_t count_headers(ps_bytes packed) {
    ps_header header;
    uint32_t count = 0;
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);) count++;
    return count;
}

static ps_wire_row row_of(const columns *of, const ps_batch *batch, uint32_t row) {
    const int64_t timestamp_ms = of->timestamp[row];
    ps_wire_row out = {.timestamp_ms = timestamp_ms >= 0 ? timestamp_ms : ps_clock_wall_ms(),
                       .key = ps_batch_text(batch, of->key, row),
                       .value = ps_batch_text(batch, of->value, row),
                       .packed = ps_batch_text(batch, of->headers, row)};
    out.packed_count = count_headers(out.packed);
    if (out.packed_count == 0) out.packed = (ps_bytes){NULL, PS_NULL_LENGTH};
    return out;
}

uint32_t ps_kafka_native_rows(ps_kafka_sink *sink, const ps_batch *batch, const ps_run *run,
                              uint32_t row) {
    uint32_t within;
    const ps_partitions *all = sink->env->partitions;
    const uint32_t topic = ps_partitions_topic(all, run->partition, &within);
    if (all->topic[topic].count != sink->out.partitions) return row;
    ps_wire_producer *producer = ps_kafka_native_producer(sink);
    const columns of = columns_of(sink, batch);
    const size_t most = ps_enricher_record_max(sink->enricher);
    const uint64_t ticket = sink->cursor.ticket;
    const uint32_t first = row, end = run->first_row + run->rows;
    for (; row < end; row++) {
        if (of.reject[row] != PS_REJECT_NONE || row == batch->oversize.row) break;
        if (of.keep != NULL && of.keep[row] == 0) break;
        ps_wire_row from = row_of(&of, batch, row);
        from.added_count = sink->env->plan->output_count + 1;
        ps_wire_draft draft;
        uint8_t *at =
            ps_wire_producer_draft(producer, sink->out.number, within, &from, most, &draft);
        if (at == NULL) break;
        uint32_t count;
        at = ps_enrich_record(sink->enricher, batch, row, run->partition, at, &count);
        ps_wire_producer_drafted(producer, &draft, at, count, ticket << 32 | row);
    }
    ps_kafka_slot_of(sink, ticket)->unacknowledged += row - first;
    return row;
}
