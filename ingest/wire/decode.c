/* SPDX-License-Identifier: Apache-2.0
 * A message read field by field as the table has it. The bytes may be anything: nothing is read
 * past them, and no array is believed that could not lie in what is left of them.
 */
#include <string.h>

#include "ingest/wire/bytes.h"
#include "ingest/wire/shape.h"

typedef struct reader {
    ps_wire_cursor cursor;
    const uint8_t *frame;
    ps_wire_pool *pool;
    const char *message;
    int16_t version;
    bool flexible;
    ps_error *error;
} reader;

enum { POOL_ALIGN = 8 };

static size_t left(const reader *from) {
    return (size_t)(from->cursor.end - from->cursor.at);
}

static ps_status broken(const reader *from, const char *field, const char *why) {
    return ps_fail(from->error, PS_IO, "%s version %d: %s %s, at byte %zu of the frame",
                   from->message, from->version, field, why,
                   (size_t)(from->cursor.at - from->frame));
}

/* Whatever was read since the last look: is it there? */
static ps_status look(const reader *from, const char *field) {
    return from->cursor.bad ? broken(from, field, "goes on past the end") : PS_OK;
}

static void set_default(const ps_wire_field *field, uint8_t *message) {
    void *to = message + field->offset;
    switch (field->type) {
    case PS_WIRE_T_BOOL:
        *(bool *)to = field->absent != 0;
        return;
    case PS_WIRE_T_INT8:
        *(int8_t *)to = (int8_t)field->absent;
        return;
    case PS_WIRE_T_INT16:
        *(int16_t *)to = (int16_t)field->absent;
        return;
    case PS_WIRE_T_INT32:
        *(int32_t *)to = field->absent;
        return;
    case PS_WIRE_T_INT64:
        *(int64_t *)to = field->absent;
        return;
    case PS_WIRE_T_UUID:
        memset(to, 0, 16);
        return;
    case PS_WIRE_T_STRING:
    case PS_WIRE_T_BYTES:
    case PS_WIRE_T_RECORDS:
        *(ps_bytes *)to = (ps_bytes){NULL, field->absent_is_null ? PS_NULL_LENGTH : 0};
        return;
    case PS_WIRE_T_PART:
        for (uint32_t i = 0; i < field->part()->field_count; i++)
            set_default(&field->part()->field[i], to);
        return;
    default:
        memset(message + field->count, 0, sizeof(int32_t));
        memset(to, 0, sizeof(void *));
    }
}

/* The fewest bytes that a field takes, and a struct. */
static size_t bytes_min(const reader *from, const ps_wire_shape *shape);
static size_t field_bytes_min(const reader *from, const ps_wire_field *field) {
    switch (field->type) {
    case PS_WIRE_T_BOOL:
    case PS_WIRE_T_INT8:
        return 1;
    case PS_WIRE_T_INT16:
        return 2;
    case PS_WIRE_T_INT32:
        return 4;
    case PS_WIRE_T_INT64:
        return 8;
    case PS_WIRE_T_UUID:
        return 16;
    case PS_WIRE_T_PART:
        return bytes_min(from, field->part());
    case PS_WIRE_T_STRING:
        return from->flexible ? 1 : 2;
    default:
        return from->flexible ? 1 : 4;
    }
}

static size_t bytes_min(const reader *from, const ps_wire_shape *shape) {
    size_t bytes = from->flexible;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const ps_wire_field *field = &shape->field[i];
        if (!field->tagged && ps_wire_has(field, from->version))
            bytes += field_bytes_min(from, field);
    }
    return bytes;
}

/* A length or a count, -1 for null where that may be, within what is left if each takes `each`. */
static ps_status take_length(reader *from, const ps_wire_field *field, size_t each, bool two_bytes,
                             int64_t *out) {
    ps_wire_cursor *cursor = &from->cursor;
    if (from->flexible) {
        *out = (int64_t)ps_wire_take_unsigned(cursor) - 1;
    } else {
        *out = two_bytes ? ps_wire_take16(cursor) : ps_wire_take32(cursor);
    }
    PS_TRY(look(from, field->name));
    if (*out < -1) return broken(from, field->name, "has a negative length");
    if (*out == -1 && !ps_wire_may_be_null(field, from->version))
        return broken(from, field->name, "is null");
    if (*out > 0 && (uint64_t)*out > left(from) / each)
        return broken(from, field->name, "goes on past the end");
    return PS_OK;
}

static ps_status take_string(reader *from, const ps_wire_field *field, ps_bytes *to) {
    const bool two_bytes = field->type == PS_WIRE_T_STRING || field->type == PS_WIRE_T_STRINGS;
    int64_t length;
    PS_TRY(take_length(from, field, 1, two_bytes, &length));
    *to = length < 0 ? (ps_bytes){NULL, PS_NULL_LENGTH}
                     : (ps_bytes){ps_wire_take(&from->cursor, (size_t)length), (uint32_t)length};
    return PS_OK;
}

static void *carve(ps_wire_pool *pool, size_t bytes) {
    const size_t over = ((uintptr_t)pool->memory + pool->used) % POOL_ALIGN;
    const size_t gap = over == 0 ? 0 : POOL_ALIGN - over;
    if (pool->bytes - pool->used < gap || pool->bytes - pool->used - gap < bytes) return NULL;
    void *at = pool->memory + pool->used + gap;
    pool->used += gap + bytes;
    return at;
}

static ps_status take_struct(reader *from, const ps_wire_shape *shape, uint8_t *to);

static ps_status take_elements(reader *from, const ps_wire_field *field, size_t count,
                               uint8_t *to) {
    const ps_wire_shape *shape = field->type == PS_WIRE_T_ARRAY ? field->part() : NULL;
    for (size_t i = 0; i < count; i++) {
        switch (field->type) {
        case PS_WIRE_T_INT32S:
            ((int32_t *)(void *)to)[i] = ps_wire_take32(&from->cursor);
            break;
        case PS_WIRE_T_STRINGS:
            PS_TRY(take_string(from, field, (ps_bytes *)(void *)to + i));
            break;
        default:
            PS_TRY(take_struct(from, shape, to + i * shape->bytes));
        }
    }
    return look(from, field->name);
}

static ps_status take_array(reader *from, const ps_wire_field *field, uint8_t *message) {
    size_t on_wire = sizeof(int32_t), in_memory = sizeof(int32_t);
    if (field->type == PS_WIRE_T_STRINGS) {
        on_wire = from->flexible ? 1 : 2;
        in_memory = sizeof(ps_bytes);
    } else if (field->type == PS_WIRE_T_ARRAY) {
        on_wire = bytes_min(from, field->part());
        in_memory = field->part()->bytes;
    }
    int64_t length;
    PS_TRY(take_length(from, field, on_wire, false, &length));
    const int32_t count = (int32_t)length;
    uint8_t *elements = NULL;
    if (count > 0) {
        elements = carve(from->pool, (size_t)count * in_memory);
        if (elements == NULL)
            return ps_fail(from->error, PS_NO_MEMORY,
                           "%s version %d: %d %s do not fit into the %zu bytes for its arrays",
                           from->message, from->version, count, field->name, from->pool->bytes);
    }
    memcpy(message + field->count, &count, sizeof count);
    memcpy(message + field->offset, &elements, sizeof elements);
    return count > 0 ? take_elements(from, field, (size_t)count, elements) : PS_OK;
}

static ps_status take_field(reader *from, const ps_wire_field *field, uint8_t *message) {
    void *to = message + field->offset;
    ps_wire_cursor *cursor = &from->cursor;
    const uint8_t *bytes;
    switch (field->type) {
    case PS_WIRE_T_BOOL:
        *(bool *)to = ps_wire_take8(cursor) != 0;
        break;
    case PS_WIRE_T_INT8:
        *(int8_t *)to = ps_wire_take8(cursor);
        break;
    case PS_WIRE_T_INT16:
        *(int16_t *)to = ps_wire_take16(cursor);
        break;
    case PS_WIRE_T_INT32:
        *(int32_t *)to = ps_wire_take32(cursor);
        break;
    case PS_WIRE_T_INT64:
        *(int64_t *)to = ps_wire_take64(cursor);
        break;
    case PS_WIRE_T_UUID:
        if ((bytes = ps_wire_take(cursor, 16)) != NULL) memcpy(to, bytes, 16);
        break;
    case PS_WIRE_T_STRING:
    case PS_WIRE_T_BYTES:
    case PS_WIRE_T_RECORDS:
        return take_string(from, field, to);
    case PS_WIRE_T_PART:
        return take_struct(from, field->part(), to);
    default:
        return take_array(from, field, message);
    }
    return look(from, field->name);
}

static const ps_wire_field *find_tag(const reader *from, const ps_wire_shape *shape, uint32_t tag) {
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const ps_wire_field *field = &shape->field[i];
        if (field->tagged && field->tag == tag && ps_wire_has(field, from->version)) return field;
    }
    return NULL;
}

/* Tagged fields: of those that are known, into the struct; the others are passed over. */
static ps_status take_tags(reader *from, const ps_wire_shape *shape, uint8_t *to) {
    ps_wire_cursor *cursor = &from->cursor;
    const uint32_t count = ps_wire_take_unsigned(cursor);
    for (uint32_t i = 0; i < count && !cursor->bad; i++) {
        const uint32_t tag = ps_wire_take_unsigned(cursor);
        const uint32_t bytes = ps_wire_take_unsigned(cursor);
        const ps_wire_field *field = find_tag(from, shape, tag);
        if (bytes > left(from)) cursor->bad = true;
        if (field == NULL) (void)ps_wire_take(cursor, bytes);
        if (field == NULL || cursor->bad) continue;
        const uint8_t *end = cursor->end;
        cursor->end = cursor->at + bytes;
        PS_TRY(take_field(from, field, to));
        if (left(from) > 0) return broken(from, field->name, "is shorter than its tag says");
        cursor->end = end;
    }
    return look(from, shape->name);
}

static ps_status take_struct(reader *from, const ps_wire_shape *shape, uint8_t *to) {
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const ps_wire_field *field = &shape->field[i];
        if (field->tagged || !ps_wire_has(field, from->version)) {
            set_default(field, to);
        } else {
            PS_TRY(take_field(from, field, to));
        }
    }
    return from->flexible ? take_tags(from, shape, to) : PS_OK;
}

/* Headers have tagged fields too; none is known. */
static void skip_tags(ps_wire_cursor *cursor) {
    const uint32_t count = ps_wire_take_unsigned(cursor);
    for (uint32_t i = 0; i < count && !cursor->bad; i++) {
        (void)ps_wire_take_unsigned(cursor);
        (void)ps_wire_take(cursor, ps_wire_take_unsigned(cursor));
    }
}

static ps_status take_body(reader *from, const ps_wire_shape *shape, void *message) {
    const size_t used = from->pool->used;
    ps_status status = look(from, "the header");
    if (status == PS_OK) status = take_struct(from, shape, message);
    if (status == PS_OK && left(from) > 0) status = broken(from, "the message", "ends too early");
    if (status != PS_OK) from->pool->used = used;
    return status;
}

ps_status ps_wire_decode(ps_wire_api api, int16_t version, ps_bytes frame, int32_t *correlation,
                         ps_wire_pool *pool, void *response, ps_error *error) {
    const ps_wire_format *format = ps_wire_find_format(api, version, error);
    if (format == NULL) return PS_UNSUPPORTED;
    reader from = {.cursor = ps_wire_cursor_of(frame),
                   .frame = frame.data,
                   .pool = pool,
                   .message = format->response()->name,
                   .version = version,
                   .flexible = version >= format->flexible,
                   .error = error};
    *correlation = ps_wire_take32(&from.cursor);
    /* Whoever asks for versions knows none yet: this answer's header stays as it was. */
    if (from.flexible && api != PS_WIRE_API_VERSIONS) skip_tags(&from.cursor);
    return take_body(&from, format->response(), response);
}

static ps_status take_header(reader *from, ps_wire_api *api, int16_t *version, int32_t *correlation,
                             ps_bytes *client_id) {
    ps_wire_cursor *cursor = &from->cursor;
    from->message = "request header";
    *api = (ps_wire_api)ps_wire_take16(cursor);
    from->version = *version = ps_wire_take16(cursor);
    *correlation = ps_wire_take32(cursor);
    PS_TRY(look(from, "the header"));
    const ps_wire_format *format = ps_wire_find_format(*api, *version, from->error);
    if (format == NULL) return PS_UNSUPPORTED;
    const int16_t length = ps_wire_take16(cursor);
    if (length < -1) return broken(from, "the client id", "has a negative length");
    *client_id = length < 0 ? (ps_bytes){NULL, PS_NULL_LENGTH}
                            : (ps_bytes){ps_wire_take(cursor, (size_t)length), (uint32_t)length};
    from->flexible = *version >= format->flexible;
    if (from->flexible) skip_tags(cursor);
    return look(from, "the header");
}

ps_status ps_wire_peek_request(ps_bytes frame, ps_wire_api *api, int16_t *version,
                               int32_t *correlation, ps_bytes *client_id, ps_error *error) {
    reader from = {.cursor = ps_wire_cursor_of(frame), .frame = frame.data, .error = error};
    return take_header(&from, api, version, correlation, client_id);
}

ps_status ps_wire_decode_request(ps_bytes frame, ps_wire_api *api, int16_t *version,
                                 int32_t *correlation, ps_bytes *client_id, ps_wire_pool *pool,
                                 void *request, ps_error *error) {
    reader from = {
        .cursor = ps_wire_cursor_of(frame), .frame = frame.data, .pool = pool, .error = error};
    PS_TRY(take_header(&from, api, version, correlation, client_id));
    const ps_wire_shape *shape = ps_wire_find_format(*api, *version, NULL)->request();
    from.message = shape->name;
    return take_body(&from, shape, request);
}
