/* SPDX-License-Identifier: Apache-2.0
 * A record's length comes first, so the next record's place is known before this one has been
 * walked, and a processor walks them side by side.
 */
#include "host/base/check.h"
#include "ingest/wire/batch.h"
#include "ingest/wire/short.h"

/* A length of more than one byte, or of none: null. */
static __attribute__((noinline)) const uint8_t *take_longer(const uint8_t *at, const uint8_t *end,
                                                            ps_bytes *out) {
    int64_t length;
    at = ps_wire_signed(at, end, &length);
    if (at == NULL) return NULL;
    if (length == -1) {
        *out = (ps_bytes){NULL, PS_NULL_LENGTH};
        return at;
    }
    if (length < 0 || length > end - at) return NULL;
    *out = (ps_bytes){at, (uint32_t)length};
    return at + length;
}

/* A length, and as many bytes; NULL where they do not fit. Of one byte it is even and below 128:
 * zigzag. */
static inline const uint8_t *take_bytes(const uint8_t *at, const uint8_t *end, ps_bytes *out) {
    if (__builtin_expect(at == end || (*at & 129) != 0, 0)) return take_longer(at, end, out);
    const uint32_t length = *at++ >> 1;
    *out = (ps_bytes){at, length};
    return __builtin_expect(length > end - at, 0) ? NULL : at + length;
}

/* The same of two bytes. */
static inline const uint8_t *take_value(const uint8_t *at, const uint8_t *end, ps_bytes *out) {
    if (end - at < 2 || (*at & 129) != 128 || at[1] > 127) return take_bytes(at, end, out);
    const uint32_t length = (uint32_t)at[1] << 6 | (*at & 127) >> 1;
    at += 2;
    *out = (ps_bytes){at, length};
    return __builtin_expect(length > end - at, 0) ? NULL : at + length;
}

static inline const uint8_t *take_header(const uint8_t *at, const uint8_t *end, ps_header *out) {
    at = take_bytes(at, end, &out->name);
    if (at == NULL || out->name.length == PS_NULL_LENGTH) return NULL;
    return take_bytes(at, end, &out->value);
}

void ps_wire_records_begin(ps_wire_records *records, const ps_wire_batch *batch, ps_bytes plain) {
    *records = (ps_wire_records){
        .at = plain.data,
        .end = plain.data + plain.length,
        .base_offset = batch->base_offset,
        .base_timestamp_ms = batch->base_timestamp_ms,
        .max_timestamp_ms = batch->max_timestamp_ms,
        .left = (uint32_t)batch->count,
        .last_offset_delta = (uint32_t)batch->last_offset_delta,
        .append_time = batch->append_time,
    };
}

/* Behind a name or a value; what its length takes beyond one byte comes off `packed`. */
static __attribute__((noinline)) const uint8_t *skip_longer(const uint8_t *at, const uint8_t *end,
                                                            bool may_be_null, uint64_t *packed) {
    ps_bytes bytes;
    const uint8_t *const behind = take_longer(at, end, &bytes);
    if (behind == NULL) return NULL;
    const bool null = bytes.length == PS_NULL_LENGTH;
    if (null && !may_be_null) return NULL;
    *packed -= (uint64_t)(behind - at) - (null ? 0 : bytes.length) - 1;
    return behind;
}

static inline const uint8_t *skip(const uint8_t *at, const uint8_t *end, bool may_be_null,
                                  uint64_t *packed) {
    if (__builtin_expect(at == end || (*at & 129) != 0, 0))
        return skip_longer(at, end, may_be_null, packed);
    const uint32_t length = *at++ >> 1;
    return __builtin_expect(length > end - at, 0) ? NULL : at + length;
}

/* Whether the headers fill [at, end); and what they take when they are packed, with four bytes for
 * each length instead of mostly one. */
static inline bool walk_headers(const uint8_t *at, const uint8_t *end, ps_wire_record *out) {
    uint64_t packed = (uint64_t)(end - at) + 6 * (uint64_t)out->header_count;
    for (uint32_t left = out->header_count; left > 0; left--) {
        at = skip(at, end, false, &packed);
        if (at == NULL) return false;
        at = skip(at, end, true, &packed);
        if (at == NULL) return false;
    }
    out->packed_bytes = (uint32_t)packed;
    return at == end && packed < PS_NULL_LENGTH;
}

/* The record whose fields fill [at, end). */
static inline bool read_record(const ps_wire_records *records, const uint8_t *at,
                               const uint8_t *end, ps_wire_record *out) {
    int64_t time, offset, headers;
    if (at == end) return false;
    at = ps_wire_signed(at + 1, end, &time); /* its attributes have no meaning yet */
    if (at == NULL) return false;
    at = ps_wire_signed(at, end, &offset);
    if (at == NULL || offset < 0 || offset > records->last_offset_delta) return false;
    at = take_bytes(at, end, &out->key);
    if (at == NULL) return false;
    at = take_value(at, end, &out->value);
    if (at == NULL) return false;
    at = ps_wire_signed(at, end, &headers);
    if (at == NULL || headers < 0 || headers > end - at) return false;
    out->offset = records->base_offset + offset;
    out->timestamp_ms = records->append_time
                            ? records->max_timestamp_ms
                            : (int64_t)((uint64_t)records->base_timestamp_ms + (uint64_t)time);
    out->headers = (ps_bytes){at, (uint32_t)(end - at)};
    out->header_count = (uint32_t)headers;
    return walk_headers(at, end, out);
}

static __attribute__((cold, noinline)) ps_status malformed(const ps_wire_records *records,
                                                           ps_error *error) {
    const char *const what = records->left == 0            ? "more bytes than its records"
                             : records->at == records->end ? "fewer records than it says"
                                                           : "a record whose lengths do not fit";
    return ps_fail(error, PS_IO, "the batch at offset %lld has %s", (long long)records->base_offset,
                   what);
}

ps_status ps_wire_records_next(ps_wire_records *records, ps_wire_record *out, ps_error *error) {
    if (records->left == 0 && records->at == records->end) return PS_END;
    if (records->left == 0 || records->at == records->end) return malformed(records, error);
    int64_t length;
    const uint8_t *at = ps_wire_signed(records->at, records->end, &length);
    if (at == NULL || length < 0 || length > records->end - at ||
        !read_record(records, at, at + length, out))
        return malformed(records, error);
    records->at = at + length;
    records->left--;
    return PS_OK;
}

bool ps_wire_header_next(ps_bytes headers, uint32_t *at, ps_header *out) {
    if (*at >= headers.length) return false;
    const uint8_t *const end = headers.data + headers.length;
    const uint8_t *const next = take_header(headers.data + *at, end, out);
    if (next == NULL) return false;
    *at = (uint32_t)(next - headers.data);
    return true;
}

static inline uint8_t *pack_one(uint8_t *to, const ps_header *header) {
    memcpy(to, &header->name.length, 4);
    ps_wire_copy(to + 4, header->name.data, header->name.length);
    to += 4 + header->name.length;
    memcpy(to, &header->value.length, 4);
    if (header->value.length == PS_NULL_LENGTH) return to + 4;
    ps_wire_copy(to + 4, header->value.data, header->value.length);
    return to + 4 + header->value.length;
}

uint32_t ps_wire_headers_pack(ps_bytes headers, uint32_t count, uint8_t *to, size_t room) {
    const uint8_t *at = headers.data, *const end = at + headers.length;
    uint8_t *next = to;
    for (uint32_t left = count; left > 0; left--) {
        ps_header header;
        at = take_header(at, end, &header);
        PS_CHECK(at != NULL);
        PS_CHECK_OP(ps_headers_bytes(header.name.length, header.value.length), <=,
                    room - (size_t)(next - to));
        next = pack_one(next, &header);
    }
    return (uint32_t)(next - to);
}
