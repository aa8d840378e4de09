/* SPDX-License-Identifier: Apache-2.0
 * A record batch, written from rows into the caller's memory, ready to be sent as it lies there.
 * Its header is written by the seal: producer, epoch and sequence may be known late, or change,
 * and what the records add to the check sum was computed while they were in the cache.
 *
 * Source: Kafka's documentation, "Record Batch" (chapter "Message Format").
 */
#ifndef PS_INGEST_WIRE_WRITER_H
#define PS_INGEST_WIRE_WRITER_H

#include "ingest/wire/batch.h"

/* Its headers are those of `packed`, then those of `added`. */
typedef struct ps_wire_row {
    int64_t timestamp_ms;
    ps_bytes key, value;
    ps_bytes packed; /* as host/batch/headers.h has them; PS_NULL_LENGTH: none */
    uint32_t packed_count;
    const ps_header *added;
    uint32_t added_count;
} ps_wire_row;

typedef struct ps_wire_writer {
    uint8_t *memory;
    size_t room, used; /* of memory, the header's bytes included */
    uint32_t count;
    int64_t base_timestamp_ms, max_timestamp_ms;
    uint32_t crc;  /* of the records below `summed` */
    size_t summed; /* of memory */
    uint8_t codec; /* a ps_wire_codec: what the records are packed with */
} ps_wire_writer;

/* Shapes: PS_WIRE_BATCH_HEADER <= room <= INT32_MAX. */
void ps_wire_writer_begin(ps_wire_writer *writer, uint8_t *memory, size_t room);

/* False: no room, and nothing has changed. */
bool ps_wire_writer_add(ps_wire_writer *writer, const ps_wire_row *row);

/* A row whose added headers are written where they go, by whoever makes them: a header that is made
 * first and copied then costs as much again. Only `added_count` of them is read, and is how many
 * they are at most. */
typedef struct ps_wire_draft {
    ps_wire_writer *writer;
    void *owner; /* of the writer; nobody's here */
    uint8_t *body, *count_at;
    int64_t timestamp_ms;
    uint32_t packed_count;
} ps_wire_draft;

/* Writes all before those headers. Returns where they go, in `most` bytes at most; each is a name
 * and a value, both as their length, zigzag, and their bytes. NULL: no room for so many, or more
 * than a draft's; nothing has changed then. The batch stays as it was until the close. */
uint8_t *ps_wire_writer_open(ps_wire_writer *writer, const ps_wire_row *row, size_t most,
                             ps_wire_draft *draft);
/* `end`: behind the last of the `count` headers. */
void ps_wire_writer_close(const ps_wire_draft *draft, const uint8_t *end, uint32_t count);

/* What it takes alone in a batch, without the batch's header. Behind others it takes up to 18 bytes
 * more: its offset and its time are written relative to the first one's. */
size_t ps_wire_row_bytes(const ps_wire_row *row);

typedef struct ps_wire_seal {
    int64_t producer_id; /* -1: none, as are its epoch and sequence then */
    int16_t producer_epoch;
    int32_t base_sequence;
    bool transactional;
} ps_wire_seal;

/* Writes the header and returns the batch. Another seal may follow; the records are not read again,
 * so it takes well under a microsecond. Shapes: at least one record. */
ps_bytes ps_wire_writer_seal(ps_wire_writer *writer, const ps_wire_seal *seal);

#endif
