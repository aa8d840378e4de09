/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/batch.h"

#include "ingest/wire/bytes.h"
#include "ingest/wire/crc.h"
#include "ingest/wire/layout.h"

enum { CONTROL_KEY = 4 /* int16 version, int16 type: 0 abort, 1 commit */ };

static void read_header(const uint8_t *at, uint32_t bytes, ps_wire_batch *out) {
    const int16_t attributes = ps_wire_get16(at + PS_WIRE_AT_ATTRIBUTES);
    *out = (ps_wire_batch){
        .base_offset = ps_wire_get64(at),
        .base_timestamp_ms = ps_wire_get64(at + PS_WIRE_AT_BASE_TIME),
        .max_timestamp_ms = ps_wire_get64(at + PS_WIRE_AT_MAX_TIME),
        .producer_id = ps_wire_get64(at + PS_WIRE_AT_PRODUCER),
        .last_offset_delta = ps_wire_get32(at + PS_WIRE_AT_LAST_DELTA),
        .leader_epoch = ps_wire_get32(at + PS_WIRE_AT_EPOCH),
        .base_sequence = ps_wire_get32(at + PS_WIRE_AT_SEQUENCE),
        .count = ps_wire_get32(at + PS_WIRE_AT_COUNT),
        .producer_epoch = ps_wire_get16(at + PS_WIRE_AT_PRODUCER_EPOCH),
        .codec = attributes & PS_WIRE_CODEC_MASK,
        .append_time = attributes & PS_WIRE_APPEND_TIME,
        .transactional = attributes & PS_WIRE_TRANSACTIONAL,
        .control = attributes & PS_WIRE_CONTROL_BATCH,
        .crc = (uint32_t)ps_wire_get32(at + PS_WIRE_AT_CRC),
        .whole = {at, bytes},
        .records = {at + PS_WIRE_BATCH_HEADER, bytes - PS_WIRE_BATCH_HEADER},
    };
}

ps_status ps_wire_batch_next(ps_bytes all, uint32_t *at, ps_wire_batch *out, ps_error *error) {
    const uint32_t left = all.length - *at;
    if (left < PS_WIRE_AT_MAGIC + 1) return PS_END;
    const uint8_t *const from = all.data + *at;
    const int64_t offset = ps_wire_get64(from);
    const int32_t length = ps_wire_get32(from + PS_WIRE_AT_LENGTH);
    if (from[PS_WIRE_AT_MAGIC] != PS_WIRE_MAGIC)
        return ps_fail(error, PS_IO,
                       "the batch at offset %lld has format version %u; only version %d is read: "
                       "records of Kafka before 0.11 must be written anew",
                       (long long)offset, from[PS_WIRE_AT_MAGIC], PS_WIRE_MAGIC);
    if (length < PS_WIRE_BATCH_HEADER - PS_WIRE_AT_EPOCH)
        return ps_fail(error, PS_IO, "the batch at offset %lld says that it has %d bytes",
                       (long long)offset, length);
    if ((uint32_t)length > left - PS_WIRE_AT_EPOCH) return PS_END;
    read_header(from, (uint32_t)length + PS_WIRE_AT_EPOCH, out);
    if (out->count < 0 || out->last_offset_delta < 0 || offset < 0 ||
        offset > INT64_MAX - INT32_MAX)
        return ps_fail(error, PS_IO,
                       "the batch at offset %lld says that it has %d records over %d offsets",
                       (long long)offset, out->count, out->last_offset_delta);
    *at += (uint32_t)length + PS_WIRE_AT_EPOCH;
    return PS_OK;
}

bool ps_wire_batch_intact(const ps_wire_batch *batch) {
    return ps_wire_crc(batch->whole.data + PS_WIRE_AT_ATTRIBUTES,
                       batch->whole.length - PS_WIRE_AT_ATTRIBUTES) == batch->crc;
}

bool ps_wire_batch_is_abort(const ps_wire_batch *batch, bool *abort) {
    ps_wire_records records;
    ps_wire_record record;
    if (!batch->control || batch->codec != PS_WIRE_NONE) return false;
    ps_wire_records_begin(&records, batch, batch->records);
    if (ps_wire_records_next(&records, &record, NULL) != PS_OK) return false;
    if (record.key.length == PS_NULL_LENGTH || record.key.length < CONTROL_KEY) return false;
    const int16_t type = ps_wire_get16(record.key.data + 2);
    *abort = type == 0;
    return type == 0 || type == 1;
}
