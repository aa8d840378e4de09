/* SPDX-License-Identifier: Apache-2.0
 * A record's length stands before it and is as long as it needs to be, and headers change size on
 * their way to the wire. So its bytes are guessed from the most that it can take, and in the rare
 * case that they were too many, what follows moves up: its headers are walked once.
 */
#include "ingest/wire/writer.h"

#include "host/base/check.h"
#include "ingest/wire/crc.h"
#include "ingest/wire/layout.h"
#include "ingest/wire/short.h"

enum {
    CRC_CHUNK = 16384, /* a power of two: joining it to what precedes it is a single product */
    SHORT = 32,        /* of a header's name or value */
    COUNT_MAX = 63,    /* headers whose number is one byte */
    VARINT_MAX = 5,
    VARLONG_MAX = 10,
    NO_LEADER_EPOCH = -1 /* the broker's to write */
};

/* Where a row comes to stand in its batch. */
typedef struct place {
    int64_t timestamp_delta;
    uint32_t offset_delta;
} place;

void ps_wire_writer_begin(ps_wire_writer *writer, uint8_t *memory, size_t room) {
    PS_CHECK_OP(room, >=, PS_WIRE_BATCH_HEADER);
    PS_CHECK_OP(room, <=, INT32_MAX);
    *writer = (ps_wire_writer){.memory = memory,
                               .room = room,
                               .used = PS_WIRE_BATCH_HEADER,
                               .summed = PS_WIRE_BATCH_HEADER};
}

static inline size_t length_of(ps_bytes bytes) {
    return bytes.length == PS_NULL_LENGTH ? 0 : bytes.length;
}

/* At most, without its own length and what is added. A packed header has eight bytes of lengths, on
 * the wire at most ten. */
static inline size_t body_before(const ps_wire_row *row) {
    return 1 + VARLONG_MAX + 4 * VARINT_MAX + length_of(row->key) + length_of(row->value) +
           length_of(row->packed) + (2 * VARINT_MAX - 8) * (size_t)row->packed_count;
}

static inline size_t body_most(const ps_wire_row *row) {
    size_t bytes = body_before(row);
    for (uint32_t i = 0; i < row->added_count; i++)
        bytes += 2 * VARINT_MAX + length_of(row->added[i].name) + length_of(row->added[i].value);
    return bytes;
}

static size_t field_bytes(ps_bytes field) {
    if (field.length == PS_NULL_LENGTH) return 1;
    return ps_wire_signed_bytes(field.length) + (size_t)field.length;
}

/* As it is, without its own length. */
static size_t body_bytes(const ps_wire_row *row, place at) {
    size_t bytes = 1 + ps_wire_signed_bytes(at.timestamp_delta) +
                   ps_wire_signed_bytes(at.offset_delta) + field_bytes(row->key) +
                   field_bytes(row->value) +
                   ps_wire_signed_bytes((int64_t)row->packed_count + row->added_count);
    ps_header header;
    for (uint32_t next = 0; ps_headers_next(row->packed, &next, &header);)
        bytes += field_bytes(header.name) + field_bytes(header.value);
    for (uint32_t i = 0; i < row->added_count; i++)
        bytes += field_bytes(row->added[i].name) + field_bytes(row->added[i].value);
    return bytes;
}

size_t ps_wire_row_bytes(const ps_wire_row *row) {
    const size_t body = body_bytes(row, (place){0, 0});
    return ps_wire_signed_bytes((int64_t)body) + body;
}

static inline uint8_t *put_field(uint8_t *to, ps_bytes field) {
    if (field.length == PS_NULL_LENGTH) return ps_wire_put_signed(to, -1);
    to = ps_wire_put_signed(to, field.length);
    ps_wire_copy(to, field.data, field.length);
    return to + field.length;
}

/* One half of a packed header. What is short is copied without a look at how short, where there are
 * SHORT bytes to read: what is too much is overwritten by what follows. `roomy`: there is room for
 * what the row takes at most, in which every byte of `packed` has its place. */
static inline uint8_t *put_half(uint8_t *to, const uint8_t **from, const uint8_t *end, bool roomy) {
    uint32_t length;
    memcpy(&length, *from, 4);
    const uint8_t *const bytes = *from + 4;
    if (roomy && length <= SHORT && end - bytes >= SHORT) {
        *to = (uint8_t)(length << 1);
        memcpy(to + 1, bytes, SHORT);
        *from = bytes + length;
        return to + 1 + length;
    }
    *from = bytes + (length == PS_NULL_LENGTH ? 0 : length);
    return put_field(to, (ps_bytes){bytes, length});
}

static inline uint8_t *put_packed(uint8_t *to, const ps_wire_row *row, bool roomy) {
    if (row->packed_count == 0) {
        PS_CHECK_OP(length_of(row->packed), ==, 0);
        return to;
    }
    const uint8_t *from = row->packed.data, *const end = from + row->packed.length;
    for (uint32_t left = row->packed_count; left > 0; left--)
        to = put_half(put_half(to, &from, end, roomy), &from, end, roomy);
    PS_CHECK(from == end);
    return to;
}

static inline uint8_t *put_headers(uint8_t *to, const ps_wire_row *row, bool roomy) {
    to = ps_wire_put_signed(to, (int64_t)row->packed_count + row->added_count);
    to = put_packed(to, row, roomy);
    for (uint32_t i = 0; i < row->added_count; i++)
        to = put_field(put_field(to, row->added[i].name), row->added[i].value);
    return to;
}

/* What is before its headers. */
static inline __attribute__((always_inline)) uint8_t *put_front(uint8_t *to, const ps_wire_row *row,
                                                                place at) {
    *to++ = 0; /* attributes */
    to = ps_wire_put_signed(to, at.timestamp_delta);
    to = ps_wire_put_signed(to, at.offset_delta);
    to = put_field(to, row->key);
    return put_field(to, row->value);
}

/* Writes the length of [body, end) at `to`, where the body follows if it needs as many bytes as was
 * thought; returns the byte behind all. */
static inline uint8_t *put_length(uint8_t *to, const uint8_t *body, const uint8_t *end) {
    const size_t bytes = (size_t)(end - body);
    uint8_t *const behind = ps_wire_put_signed(to, (int64_t)bytes);
    if (__builtin_expect(behind != body, 0)) memmove(behind, body, bytes);
    return behind + bytes;
}

/* Writes the record at `to`, its length in `width` bytes if it then needs as many; returns the byte
 * behind it. */
static inline __attribute__((always_inline)) uint8_t *
put_record(uint8_t *to, const ps_wire_row *row, place at, uint32_t width, bool roomy) {
    uint8_t *const body = to + width;
    return put_length(to, body, put_headers(put_front(body, row, at), row, roomy));
}

/* Where what a row takes at most is not there: by what it takes. NULL: that neither. */
static __attribute__((noinline)) uint8_t *put_tightly(const ps_wire_writer *writer,
                                                      const ps_wire_row *row, place at) {
    const size_t body = body_bytes(row, at), room = writer->room - writer->used;
    const uint32_t width = ps_wire_signed_bytes((int64_t)body);
    if (width + body > room) return NULL;
    return put_record(writer->memory + writer->used, row, at, width, false);
}

/* Whole chunks, while they are in the first cache. */
static __attribute__((noinline)) void sum_chunks(ps_wire_writer *writer) {
    const size_t bytes = (writer->used - writer->summed) / CRC_CHUNK * CRC_CHUNK;
    const uint32_t crc = ps_wire_crc(writer->memory + writer->summed, bytes);
    writer->crc = ps_wire_crc_join(writer->crc, crc, bytes);
    writer->summed += bytes;
}

static inline place place_of(const ps_wire_writer *writer, int64_t timestamp_ms) {
    const int64_t base = writer->count == 0 ? timestamp_ms : writer->base_timestamp_ms;
    return (place){(int64_t)((uint64_t)timestamp_ms - (uint64_t)base), writer->count};
}

/* A record ends at `end`: it counts. */
static inline void extend(ps_wire_writer *writer, const uint8_t *end, int64_t timestamp_ms) {
    writer->used = (size_t)(end - writer->memory);
    if (writer->count == 0) writer->base_timestamp_ms = writer->max_timestamp_ms = timestamp_ms;
    if (timestamp_ms > writer->max_timestamp_ms) writer->max_timestamp_ms = timestamp_ms;
    writer->count++;
    if (writer->used - writer->summed >= CRC_CHUNK) sum_chunks(writer);
}

bool ps_wire_writer_add(ps_wire_writer *writer, const ps_wire_row *row) {
    const place at = place_of(writer, row->timestamp_ms);
    const size_t body = body_most(row);
    uint8_t *end = writer->memory + writer->used;
    if (__builtin_expect(VARINT_MAX + body <= writer->room - writer->used, 1))
        end = put_record(end, row, at, ps_wire_signed_bytes((int64_t)body), true);
    else
        end = put_tightly(writer, row, at);
    if (end == NULL) return false;
    extend(writer, end, row->timestamp_ms);
    return true;
}

uint8_t *ps_wire_writer_open(ps_wire_writer *writer, const ps_wire_row *row, size_t most,
                             ps_wire_draft *draft) {
    const size_t body = body_before(row) + most;
    if (VARINT_MAX + body > writer->room - writer->used) return NULL;
    if ((uint64_t)row->packed_count + row->added_count > COUNT_MAX) return NULL;
    draft->writer = writer;
    draft->body = writer->memory + writer->used + ps_wire_signed_bytes((int64_t)body);
    draft->timestamp_ms = row->timestamp_ms;
    draft->packed_count = row->packed_count;
    draft->count_at = put_front(draft->body, row, place_of(writer, row->timestamp_ms));
    return put_packed(draft->count_at + 1, row, true);
}

void ps_wire_writer_close(const ps_wire_draft *draft, const uint8_t *end, uint32_t count) {
    ps_wire_writer *writer = draft->writer;
    *draft->count_at = (uint8_t)((draft->packed_count + count) << 1);
    uint8_t *const to = writer->memory + writer->used;
    extend(writer, put_length(to, draft->body, end), draft->timestamp_ms);
}

/* What the chunks left over, once. */
static void sum_rest(ps_wire_writer *writer) {
    const size_t bytes = writer->used - writer->summed;
    if (bytes == 0) return;
    const uint32_t crc = ps_wire_crc(writer->memory + writer->summed, bytes);
    writer->crc = ps_wire_crc_join(writer->crc, crc, bytes);
    writer->summed = writer->used;
}

ps_bytes ps_wire_writer_seal(ps_wire_writer *writer, const ps_wire_seal *seal) {
    uint8_t *const to = writer->memory;
    PS_CHECK_OP(writer->count, >, 0);
    sum_rest(writer);
    ps_wire_put64(to, 0);
    ps_wire_put32(to + PS_WIRE_AT_LENGTH, (int32_t)(writer->used - PS_WIRE_AT_EPOCH));
    ps_wire_put32(to + PS_WIRE_AT_EPOCH, NO_LEADER_EPOCH);
    to[PS_WIRE_AT_MAGIC] = PS_WIRE_MAGIC;
    ps_wire_put16(to + PS_WIRE_AT_ATTRIBUTES,
                  (int16_t)(writer->codec | (seal->transactional ? PS_WIRE_TRANSACTIONAL : 0)));
    ps_wire_put32(to + PS_WIRE_AT_LAST_DELTA, (int32_t)writer->count - 1);
    ps_wire_put64(to + PS_WIRE_AT_BASE_TIME, writer->base_timestamp_ms);
    ps_wire_put64(to + PS_WIRE_AT_MAX_TIME, writer->max_timestamp_ms);
    ps_wire_put64(to + PS_WIRE_AT_PRODUCER, seal->producer_id);
    ps_wire_put16(to + PS_WIRE_AT_PRODUCER_EPOCH, seal->producer_epoch);
    ps_wire_put32(to + PS_WIRE_AT_SEQUENCE, seal->base_sequence);
    ps_wire_put32(to + PS_WIRE_AT_COUNT, (int32_t)writer->count);
    const uint32_t header =
        ps_wire_crc(to + PS_WIRE_AT_ATTRIBUTES, PS_WIRE_BATCH_HEADER - PS_WIRE_AT_ATTRIBUTES);
    const size_t records = writer->used - PS_WIRE_BATCH_HEADER;
    ps_wire_put32(to + PS_WIRE_AT_CRC, (int32_t)ps_wire_crc_join(header, writer->crc, records));
    return (ps_bytes){to, (uint32_t)writer->used};
}
