/* SPDX-License-Identifier: Apache-2.0
 * Form packed: one record of many rows of one partition. Its value is one compressed frame of their
 * json form, a line each. A pack ends when it has its rows, where the next line might make it too
 * large for the topic, and with the rows that its batch has of the partition: so it belongs to one
 * batch, and transactions, acknowledgements and restores are the same as in every other form. A
 * tombstone has no object to put into a line: it ends the pack and goes out as a record of its own,
 * in order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/batch/rejects.h"
#include "ingest/frames.h"
#include "ingest/kafka_sink_calls.h"

enum {
    LINES_BYTES = 1 << 20,   /* of a pack, however large the topic's records may be */
    LIMIT_UNKNOWN = 1000000, /* a little less than what topics take by default */
    RECORD_OVERHEAD = 1024,  /* of a record batch with one record: both heads and our headers */
    NUMBER_BYTES = 24
};

/* The pack being collected. */
struct ps_kafka_pack {
    ps_framer *framer;
    ps_frame_codec codec;
    uint32_t rows_max, rows_now; /* as configured; as many as go into one now */
    uint32_t rows, first_row, last_row;
    uint32_t partition;
    uint32_t dead_row; /* rejects before this row of the batch are out already */
    bool framed;       /* `frame` holds it, and waits for room in the queue */
    bool refused;      /* its one row is larger than the topic takes */
    char *lines;
    size_t used, limit; /* bytes of them; how many there may be */
    uint8_t *frame;
    size_t frame_bytes;
};

/* One row in json form at most. */
static size_t line_bytes(const ps_plan *plan) {
    return (size_t)plan->schema.arena_bytes + PS_OUTPUT_TEXT_MAX + 256 +
           plan->output_count * (size_t)(PS_NAME_MAX + 192);
}

size_t ps_kafka_pack_bytes(const ps_kafka_sink_config *config, const ps_plan *plan) {
    const size_t most = LINES_BYTES + line_bytes(plan);
    return sizeof(ps_kafka_pack) + most + ps_frame_bound(config->pack_codec, most) +
           ps_framer_bytes(config->pack_codec, most);
}

void ps_kafka_pack_close(ps_kafka_pack *pack) {
    if (pack == NULL) return;
    ps_framer_close(pack->framer);
    free(pack->lines);
    free(pack->frame);
    free(pack);
}

ps_status ps_kafka_pack_open(ps_kafka_sink *sink, ps_error *error) {
    const size_t most = LINES_BYTES + line_bytes(sink->env->plan);
    ps_kafka_pack *pack = calloc(1, sizeof *pack);
    sink->pack = pack; /* closed with the sink */
    if (pack == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for packed records");
    pack->codec = sink->config->pack_codec;
    pack->rows_max = pack->rows_now = (uint32_t)sink->config->pack_rows;
    pack->lines = malloc(most);
    pack->frame = malloc(ps_frame_bound(pack->codec, most));
    if (pack->lines == NULL || pack->frame == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for packed records");
    return ps_framer_open(pack->codec, most, &pack->framer, error);
}

static void clear(ps_kafka_pack *pack) {
    pack->rows = 0;
    pack->used = 0;
    pack->framed = pack->refused = false;
}

void ps_kafka_pack_undo(ps_kafka_pack *pack) {
    clear(pack);
    pack->dead_row = 0;
}

void ps_kafka_pack_smaller(ps_kafka_pack *pack) {
    pack->rows_now = pack->rows_now > 1 ? pack->rows_now / 2 : 1;
}

void ps_kafka_pack_committed(ps_kafka_pack *pack) {
    pack->rows_now = pack->rows_max;
}

/* Lines whose frame the topic takes even where they do not shrink at all. */
static size_t lines_limit(const ps_kafka_sink *sink) {
    const uint32_t limit = sink->out.bytes_max == 0 ? LIMIT_UNKNOWN : sink->out.bytes_max;
    if (limit <= 2 * RECORD_OVERHEAD) return 1;
    const size_t room = limit - RECORD_OVERHEAD;
    const size_t grown = ps_frame_bound(sink->pack->codec, room) - room;
    const size_t lines = grown < room ? room - grown : 1;
    return lines < LINES_BYTES ? lines : LINES_BYTES;
}

static ps_header header_of(const char *name, const char *text) {
    return ps_header_of(name, text, strlen(text));
}

static ps_status send_pack(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    const ps_kafka_pack *pack = sink->pack;
    const uint64_t ticket = sink->cursor.ticket;
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    const int64_t *timestamp = ps_batch_system(batch, PS_COLUMN_TIMESTAMP);
    char rows[NUMBER_BYTES], first[NUMBER_BYTES], last[NUMBER_BYTES];
    uint32_t within;
    (void)ps_partitions_topic(sink->env->partitions, pack->partition, &within);
    (void)snprintf(rows, sizeof rows, "%" PRIu32, pack->rows);
    (void)snprintf(first, sizeof first, "%" PRId64, offset[pack->first_row]);
    (void)snprintf(last, sizeof last, "%" PRId64, offset[pack->last_row]);
    const ps_header added[] = {header_of("content-type", "application/x-ndjson"),
                               header_of("content-encoding", ps_frame_encoding(pack->codec)),
                               header_of("ps-rows", rows), header_of("ps-first", first),
                               header_of("ps-last", last)};
    const ps_kafka_output output = {
        .topic = &sink->out,
        .partition = (int32_t)(within % sink->out.partitions),
        .copied = true,
        .key = {NULL, PS_NULL_LENGTH},
        .value = {pack->frame, (uint32_t)pack->frame_bytes},
        .added = added,
        .added_count = sizeof added / sizeof added[0],
        .timestamp_ms = timestamp[pack->last_row],
        .ticket = ticket,
        .tag = pack->first_row | (pack->rows > 1 ? PS_KAFKA_ROW_PACK : 0),
        .unacknowledged = &ps_kafka_slot_of(sink, ticket)->unacknowledged,
    };
    return sink->way->send(sink, &output, error);
}

/* Sends what is collected. May set the cursor back to its first row: it is made again, smaller. */
static ps_status end_pack(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    ps_kafka_pack *pack = sink->pack;
    if (pack->rows == 0) return PS_OK;
    if (!pack->framed)
        pack->frame_bytes = ps_frame_write(pack->framer, pack->lines, pack->used, pack->frame);
    pack->framed = true;
    if (!pack->refused) {
        const ps_status status = send_pack(sink, batch, error);
        if (status != PS_OK && status != PS_UNSUPPORTED) return status;
        if (status == PS_OK) {
            sink->cursor.out += pack->rows;
            clear(pack);
            return PS_OK;
        }
        if (pack->rows > 1) {
            pack->rows_now = pack->rows / 2;
            sink->cursor.row = pack->first_row;
            clear(pack);
            return PS_OK;
        }
        uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
        reject[pack->first_row] = PS_REJECT_OUTPUT_REFUSED;
        pack->refused = true;
    }
    PS_TRY(ps_kafka_row(sink, batch, pack->first_row, pack->partition, error));
    clear(pack);
    return PS_OK;
}

/* The row's line behind the others, or as the first of the next pack. */
static ps_status add_line(ps_kafka_sink *sink, const ps_batch *batch, uint32_t row,
                          uint32_t partition, ps_error *error) {
    ps_kafka_pack *pack = sink->pack;
    /* Also keeps room for any one line. */
    if (pack->framed || pack->rows >= pack->rows_now || pack->used >= pack->limit) {
        PS_TRY(end_pack(sink, batch, error));
        if (sink->cursor.row != row) return PS_OK;
    }
    const size_t before = pack->used;
    const size_t length =
        ps_enrich_line(sink->enricher, batch, row, partition, pack->lines + before);
    PS_CHECK(length > 0); /* what is not an object was rejected by the decoder */
    if (pack->rows > 0 && before + length > pack->limit) {
        PS_TRY(end_pack(sink, batch, error));
        if (sink->cursor.row != row) return PS_OK;
        memmove(pack->lines, pack->lines + before, length);
    }
    if (pack->rows++ == 0) pack->first_row = row;
    pack->last_row = row;
    pack->partition = partition;
    pack->used += length;
    sink->cursor.row++;
    return PS_OK;
}

/* Carries the cursor on by one row, unless it was set back. */
static ps_status take_row(ps_kafka_sink *sink, const ps_batch *batch, uint32_t partition,
                          ps_error *error) {
    ps_kafka_pack *pack = sink->pack;
    const uint32_t row = sink->cursor.row;
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    const ps_bytes value = ps_batch_text(batch, &batch->schema->column[PS_COLUMN_VALUE], row);
    const bool dropped = reject[row] == 0 && sink->env->plan->filters && keep[row] == 0;
    if (reject[row] == 0 && !dropped && value.data != NULL)
        return add_line(sink, batch, row, partition, error);
    if (reject[row] == 0 && !dropped) { /* a tombstone */
        PS_TRY(end_pack(sink, batch, error));
        if (sink->cursor.row != row) return PS_OK;
        PS_TRY(ps_kafka_row(sink, batch, row, partition, error));
    } else if (reject[row] != 0 && row >= pack->dead_row) {
        PS_TRY(ps_kafka_row(sink, batch, row, partition, error));
        pack->dead_row = row + 1;
    }
    sink->cursor.row++;
    return PS_OK;
}

ps_status ps_kafka_packed(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    ps_kafka_cursor *cursor = &sink->cursor;
    sink->pack->limit = lines_limit(sink);
    for (; cursor->run < batch->run_count; cursor->run++) {
        const ps_run *run = &batch->runs[cursor->run];
        const uint32_t end = run->first_row + run->rows;
        if (cursor->row < run->first_row) cursor->row = run->first_row;
        do {
            while (cursor->row < end) PS_TRY(take_row(sink, batch, run->partition, error));
            PS_TRY(end_pack(sink, batch, error));
        } while (cursor->row < end);
    }
    sink->pack->dead_row = 0;
    return PS_OK;
}
