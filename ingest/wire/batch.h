/* SPDX-License-Identifier: Apache-2.0
 * Record batches of format version 2 as they lie in a Fetch answer, read in place: batches, then
 * the records of one, then the headers of a record. Nothing is copied and nothing outside the bytes
 * that were given is read, whatever they are.
 *
 * Source: Kafka's documentation, "Record Batch" (chapter "Message Format").
 */
#ifndef PS_INGEST_WIRE_BATCH_H
#define PS_INGEST_WIRE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "host/batch/headers.h"

enum { PS_WIRE_BATCH_HEADER = 61 };

typedef enum ps_wire_codec { /* numbers of the format */
                             PS_WIRE_NONE,
                             PS_WIRE_GZIP,
                             PS_WIRE_SNAPPY,
                             PS_WIRE_LZ4,
                             PS_WIRE_ZSTD,
                             PS_WIRE_CODECS
} ps_wire_codec;

typedef struct ps_wire_batch {
    int64_t base_offset, base_timestamp_ms, max_timestamp_ms, producer_id;
    int32_t last_offset_delta, leader_epoch, base_sequence, count;
    int16_t producer_epoch;
    uint8_t codec;    /* a ps_wire_codec, or a number that is none */
    bool append_time; /* the broker's: all records have max_timestamp_ms */
    bool transactional, control;
    uint32_t crc;
    ps_bytes whole, records; /* records: behind the header, as they came */
} ps_wire_batch;

/* The batch at `*at`, which moves behind it. END: there is none, or the last one is cut off, as a
 * Fetch answer may cut it. IO: malformed, or of an older format. */
ps_status ps_wire_batch_next(ps_bytes all, uint32_t *at, ps_wire_batch *out,
                             ps_error *error) PS_MUST_USE;

/* Whether its CRC-32C, from the attributes on, is what its header says. */
bool ps_wire_batch_intact(const ps_wire_batch *batch);

/* Of a control batch: whether it ends a transaction, and how. */
bool ps_wire_batch_is_abort(const ps_wire_batch *batch, bool *abort);

typedef struct ps_wire_record {
    int64_t offset, timestamp_ms;
    ps_bytes key, value; /* null: PS_NULL_LENGTH */
    ps_bytes headers;    /* as on the wire, behind their count */
    uint32_t header_count;
    uint32_t packed_bytes; /* what ps_wire_headers_pack makes of them */
} ps_wire_record;

typedef struct ps_wire_records {
    const uint8_t *at, *end;
    int64_t base_offset, base_timestamp_ms, max_timestamp_ms;
    uint32_t left, last_offset_delta;
    bool append_time;
} ps_wire_records;

/* `plain` are its records uncompressed: batch->records, or what ps_wire_unpack made of them. */
void ps_wire_records_begin(ps_wire_records *records, const ps_wire_batch *batch, ps_bytes plain);

/* END: no more. IO: lengths that do not fit, fewer or more records than the batch says; it stays
 * so. A record that was returned is sound, its headers included. */
ps_status ps_wire_records_next(ps_wire_records *records, ps_wire_record *out,
                               ps_error *error) PS_MUST_USE;

/* Steps through a record's headers: `*at` starts at 0; false at the end. */
bool ps_wire_header_next(ps_bytes headers, uint32_t *at, ps_header *out);

/* Writes them as host/batch/headers.h packs them and returns how many bytes that is.
 * Shapes: room >= the record's packed_bytes. */
uint32_t ps_wire_headers_pack(ps_bytes headers, uint32_t count, uint8_t *to, size_t room);

#endif
