/* SPDX-License-Identifier: Apache-2.0
 * A message written field by field as the table has it. What is written stays where it is, but for
 * a tagged field, whose size goes in front of it.
 */
#include <string.h>

#include "ingest/wire/bytes.h"
#include "ingest/wire/shape.h"

typedef struct writer {
    ps_wire_out *out;
    size_t frame, piece; /* where they begin in the memory */
    size_t aside;        /* bytes of the frame that are not in the memory */
    const char *message;
    int16_t version;
    bool flexible;
    ps_error *error;
} writer;

/* The next `bytes` of the memory; NULL where it is too small. */
static uint8_t *take(writer *to, size_t bytes) {
    ps_wire_out *out = to->out;
    if (out->room - out->used < bytes) return NULL;
    uint8_t *at = out->memory + out->used;
    out->used += bytes;
    return at;
}

static ps_status no_room(const writer *to, const char *field) {
    return ps_fail(to->error, PS_NO_MEMORY,
                   "%s version %d: %s does not fit into %zu bytes, %u pieces", to->message,
                   to->version, field, to->out->room, to->out->pieces_max);
}

static ps_status refuse(const writer *to, const char *field, const char *why) {
    return ps_fail(to->error, PS_UNSUPPORTED, "%s version %d: %s %s", to->message, to->version,
                   field, why);
}

static ps_status put_unsigned(writer *to, const char *field, uint64_t value) {
    uint8_t *at = take(to, ps_wire_unsigned_bytes(value));
    if (at == NULL) return no_room(to, field);
    (void)ps_wire_put_unsigned(at, value);
    return PS_OK;
}

static ps_status put16(writer *to, const char *field, int16_t value) {
    uint8_t *at = take(to, 2);
    if (at == NULL) return no_room(to, field);
    ps_wire_put16(at, value);
    return PS_OK;
}

static ps_status put32(writer *to, const char *field, int32_t value) {
    uint8_t *at = take(to, 4);
    if (at == NULL) return no_room(to, field);
    ps_wire_put32(at, value);
    return PS_OK;
}

static ps_status put64(writer *to, const char *field, int64_t value) {
    uint8_t *at = take(to, 8);
    if (at == NULL) return no_room(to, field);
    ps_wire_put64(at, value);
    return PS_OK;
}

static ps_status put_raw(writer *to, const char *field, const void *bytes, size_t count) {
    uint8_t *at = take(to, count);
    if (at == NULL) return no_room(to, field);
    if (count > 0) memcpy(at, bytes, count);
    return PS_OK;
}

/* A length or a count; -1 is null. The older encoding gives strings two bytes of it. */
static ps_status put_length(writer *to, const ps_wire_field *field, int64_t length) {
    if (length < -1 || (length < 0 && !ps_wire_may_be_null(field, to->version)))
        return refuse(to, field->name, "cannot be null");
    if (to->flexible) return put_unsigned(to, field->name, (uint64_t)(length + 1));
    if (field->type != PS_WIRE_T_STRING && field->type != PS_WIRE_T_STRINGS)
        return put32(to, field->name, (int32_t)length);
    if (length > INT16_MAX) return refuse(to, field->name, "is too long");
    return put16(to, field->name, (int16_t)length);
}

static ps_status put_string(writer *to, const ps_wire_field *field, const ps_bytes *from) {
    const bool null = from->length == PS_NULL_LENGTH;
    PS_TRY(put_length(to, field, null ? -1 : (int64_t)from->length));
    return null ? PS_OK : put_raw(to, field->name, from->data, from->length);
}

static ps_status put_piece(writer *to, const void *bytes, size_t count) {
    ps_wire_out *out = to->out;
    if (out->piece_count == out->pieces_max) return no_room(to, "a piece");
    out->piece[out->piece_count++] = (struct iovec){(void *)(uintptr_t)bytes, count};
    return PS_OK;
}

/* What is in the memory since the last piece becomes one. */
static ps_status end_piece(writer *to) {
    const size_t begin = to->piece;
    to->piece = to->out->used;
    return put_piece(to, to->out->memory + begin, to->piece - begin);
}

static ps_status put_records(writer *to, const ps_wire_field *field, const ps_bytes *from) {
    const bool null = from->length == PS_NULL_LENGTH;
    PS_TRY(put_length(to, field, null ? -1 : (int64_t)from->length));
    if (null || from->length == 0) return PS_OK;
    PS_TRY(end_piece(to));
    to->aside += from->length;
    return put_piece(to, from->data, from->length);
}

static ps_status put_struct(writer *to, const ps_wire_shape *shape, const uint8_t *from);

static ps_status put_array(writer *to, const ps_wire_field *field, const uint8_t *message) {
    int32_t count;
    const uint8_t *element;
    memcpy(&count, message + field->count, sizeof count);
    memcpy(&element, message + field->offset, sizeof element);
    if (to->flexible || field->type != PS_WIRE_T_STRINGS) {
        PS_TRY(put_length(to, field, count));
    } else {
        PS_TRY(put32(to, field->name, count));
    }
    const ps_wire_shape *shape = field->part == NULL ? NULL : field->part();
    for (int32_t i = 0; i < count; i++) {
        switch (field->type) {
        case PS_WIRE_T_INT32S:
            PS_TRY(put32(to, field->name, ((const int32_t *)(const void *)element)[i]));
            break;
        case PS_WIRE_T_STRINGS:
            PS_TRY(put_string(to, field, (const ps_bytes *)(const void *)element + i));
            break;
        default:
            PS_TRY(put_struct(to, shape, element + (size_t)i * shape->bytes));
        }
    }
    return PS_OK;
}

static ps_status put_field(writer *to, const ps_wire_field *field, const uint8_t *message) {
    const void *from = message + field->offset;
    switch (field->type) {
    case PS_WIRE_T_BOOL: {
        const uint8_t byte = *(const bool *)from;
        return put_raw(to, field->name, &byte, 1);
    }
    case PS_WIRE_T_INT8:
        return put_raw(to, field->name, from, 1);
    case PS_WIRE_T_INT16:
        return put16(to, field->name, *(const int16_t *)from);
    case PS_WIRE_T_INT32:
        return put32(to, field->name, *(const int32_t *)from);
    case PS_WIRE_T_INT64:
        return put64(to, field->name, *(const int64_t *)from);
    case PS_WIRE_T_UUID:
        return put_raw(to, field->name, from, 16);
    case PS_WIRE_T_STRING:
    case PS_WIRE_T_BYTES:
        return put_string(to, field, from);
    case PS_WIRE_T_RECORDS:
        return put_records(to, field, from);
    case PS_WIRE_T_PART:
        return put_struct(to, field->part(), from);
    default:
        return put_array(to, field, message);
    }
}

static bool is_absent_string(const ps_wire_field *field, const ps_bytes *string) {
    return field->absent_is_null ? string->length == PS_NULL_LENGTH : string->length == 0;
}

/* Whether a tagged field is its default, and so is not written. */
static bool is_default(const ps_wire_field *field, const uint8_t *message) {
    static const uint8_t zero[16];
    const void *from = message + field->offset;
    switch (field->type) {
    case PS_WIRE_T_BOOL:
        return *(const bool *)from == (field->absent != 0);
    case PS_WIRE_T_INT8:
        return *(const int8_t *)from == field->absent;
    case PS_WIRE_T_INT16:
        return *(const int16_t *)from == field->absent;
    case PS_WIRE_T_INT32:
        return *(const int32_t *)from == field->absent;
    case PS_WIRE_T_INT64:
        return *(const int64_t *)from == field->absent;
    case PS_WIRE_T_UUID:
        return memcmp(from, zero, sizeof zero) == 0;
    case PS_WIRE_T_STRING:
    case PS_WIRE_T_BYTES:
    case PS_WIRE_T_RECORDS:
        return is_absent_string(field, from);
    case PS_WIRE_T_PART: {
        const ps_wire_shape *shape = field->part();
        for (uint32_t i = 0; i < shape->field_count; i++)
            if (!is_default(&shape->field[i], from)) return false;
        return true;
    }
    default: {
        int32_t count;
        memcpy(&count, message + field->count, sizeof count);
        return count == 0;
    }
    }
}

/* Its size is known behind it: most take one byte, and what needs more is moved. */
static ps_status put_tag(writer *to, const ps_wire_field *field, const uint8_t *message) {
    ps_wire_out *out = to->out;
    PS_TRY(put_unsigned(to, field->name, field->tag));
    const size_t at = out->used;
    PS_TRY(put_unsigned(to, field->name, 0));
    PS_TRY(put_field(to, field, message));
    const size_t bytes = out->used - at - 1, more = ps_wire_unsigned_bytes(bytes) - 1;
    if (take(to, more) == NULL) return no_room(to, field->name);
    if (more > 0) memmove(out->memory + at + 1 + more, out->memory + at + 1, bytes);
    (void)ps_wire_put_unsigned(out->memory + at, bytes);
    return PS_OK;
}

static bool writes_tag(const writer *to, const ps_wire_field *field, const uint8_t *message) {
    return field->tagged && ps_wire_has(field, to->version) && !is_default(field, message);
}

static ps_status put_tags(writer *to, const ps_wire_shape *shape, const uint8_t *message) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->field_count; i++)
        count += writes_tag(to, &shape->field[i], message);
    PS_TRY(put_unsigned(to, shape->name, count));
    for (uint32_t i = 0; count > 0; i++) {
        if (!writes_tag(to, &shape->field[i], message)) continue;
        PS_TRY(put_tag(to, &shape->field[i], message));
        count--;
    }
    return PS_OK;
}

static ps_status put_struct(writer *to, const ps_wire_shape *shape, const uint8_t *from) {
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const ps_wire_field *field = &shape->field[i];
        if (field->tagged || !ps_wire_has(field, to->version)) continue;
        PS_TRY(put_field(to, field, from));
    }
    return to->flexible ? put_tags(to, shape, from) : PS_OK;
}

static ps_status put_header(writer *to, ps_wire_api api, int32_t correlation, ps_bytes client_id) {
    const bool null = client_id.length == PS_NULL_LENGTH;
    if (!null && client_id.length > INT16_MAX) return refuse(to, "the client id", "is too long");
    PS_TRY(put16(to, "the header", (int16_t)api));
    PS_TRY(put16(to, "the header", to->version));
    PS_TRY(put32(to, "the header", correlation));
    PS_TRY(put16(to, "the header", null ? -1 : (int16_t)client_id.length));
    if (!null) PS_TRY(put_raw(to, "the header", client_id.data, client_id.length));
    return to->flexible ? put_unsigned(to, "the header", 0) : PS_OK;
}

static ps_status put_body(writer *to, const ps_wire_shape *shape, const void *message) {
    PS_TRY(put_struct(to, shape, message));
    PS_TRY(end_piece(to));
    const size_t bytes = to->out->used - to->frame - 4 + to->aside;
    if (bytes > INT32_MAX) return refuse(to, "the frame", "is too long");
    ps_wire_put32(to->out->memory + to->frame, (int32_t)bytes);
    return PS_OK;
}

static writer begin(const ps_wire_format *format, const ps_wire_shape *shape, int16_t version,
                    ps_wire_out *out, ps_error *error) {
    return (writer){.out = out,
                    .frame = out->used,
                    .piece = out->used,
                    .message = shape->name,
                    .version = version,
                    .flexible = version >= format->flexible,
                    .error = error};
}

ps_status ps_wire_encode(ps_wire_api api, int16_t version, int32_t correlation, ps_bytes client_id,
                         const void *request, ps_wire_out *out, ps_error *error) {
    const ps_wire_format *format = ps_wire_find_format(api, version, error);
    if (format == NULL) return PS_UNSUPPORTED;
    const ps_wire_out before = *out;
    writer to = begin(format, format->request(), version, out, error);
    ps_status status = put32(&to, "the size", 0);
    if (status == PS_OK) status = put_header(&to, api, correlation, client_id);
    if (status == PS_OK) status = put_body(&to, format->request(), request);
    if (status != PS_OK) *out = before;
    return status;
}

ps_status ps_wire_encode_response(ps_wire_api api, int16_t version, int32_t correlation,
                                  const void *response, ps_wire_out *out, ps_error *error) {
    const ps_wire_format *format = ps_wire_find_format(api, version, error);
    if (format == NULL) return PS_UNSUPPORTED;
    const ps_wire_out before = *out;
    writer to = begin(format, format->response(), version, out, error);
    ps_status status = put32(&to, "the size", 0);
    if (status == PS_OK) status = put32(&to, "the header", correlation);
    if (status == PS_OK && to.flexible && api != PS_WIRE_API_VERSIONS)
        status = put_unsigned(&to, "the header", 0);
    if (status == PS_OK) status = put_body(&to, format->response(), response);
    if (status != PS_OK) *out = before;
    return status;
}
