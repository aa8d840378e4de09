/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/shape.h"

#include <string.h>

enum { THROTTLE_MS_MAX = 30000 };

/* Each struct of the table is a function, so that the fields' offsets need not repeat its name. */
#define BEGIN(struct_name)                                     \
    static const ps_wire_shape *shape_of_##struct_name(void) { \
        typedef ps_wire_##struct_name self;                    \
        static const char name[] = #struct_name;               \
        static const ps_wire_field fields[] = {
#define FIELD(kind, field, ...) {.name = #field, AT_##kind(field), __VA_ARGS__},
#define ARRAY(element, field, ...) \
    {.name = #field, .part = shape_of_##element, COUNTED(ARRAY, field), __VA_ARGS__},
#define PART(element, field, ...) \
    {.name = #field, .part = shape_of_##element, PLAIN(PART, field), __VA_ARGS__},
#define END(struct_name)                                                              \
    }                                                                                 \
    ;                                                                                 \
    static const ps_wire_shape shape = {name, fields, sizeof fields / sizeof *fields, \
                                        sizeof(self)};                                \
    return &shape;                                                                    \
    }

#define PLAIN(kind, field)   .type = PS_WIRE_T_##kind, .offset = offsetof(self, field)
#define COUNTED(kind, field) PLAIN(kind, field), .count = offsetof(self, field##_count)
#define AT_BOOL(field)       PLAIN(BOOL, field)
#define AT_INT8(field)       PLAIN(INT8, field)
#define AT_INT16(field)      PLAIN(INT16, field)
#define AT_INT32(field)      PLAIN(INT32, field)
#define AT_INT64(field)      PLAIN(INT64, field)
#define AT_UUID(field)       PLAIN(UUID, field)
#define AT_STRING(field)     PLAIN(STRING, field)
#define AT_BYTES(field)      PLAIN(BYTES, field)
#define AT_RECORDS(field)    PLAIN(RECORDS, field)
#define AT_INT32S(field)     COUNTED(INT32S, field)
#define AT_STRINGS(field)    COUNTED(STRINGS, field)

#define ALL                   .since = 0
#define SINCE(first)          .since = (first)
#define UNTIL(last)           .until = (last)
#define NULLABLE              .nullable = 1
#define NULLABLE_SINCE(first) .nullable = (first)
#define TAG(number)           .tagged = true, .tag = (number)
#define DEFAULT(value)        .absent = (value)
#define DEFAULT_NULL          .absent_is_null = true
#include "ingest/wire/messages.def"

#define API(word, NAME, first, last, flexible_since) \
    [PS_WIRE_##NAME] = {#word,                       \
                        first,                       \
                        last,                        \
                        flexible_since,              \
                        shape_of_##word##_request,   \
                        shape_of_##word##_response},
static const ps_wire_format formats[PS_WIRE_APIS] = {
#include "ingest/wire/messages.def"
};

static const ps_wire_format *row(ps_wire_api api) {
    return (unsigned)api < PS_WIRE_APIS && formats[api].name != NULL ? &formats[api] : NULL;
}

ps_wire_range ps_wire_versions(ps_wire_api api) {
    const ps_wire_format *format = row(api);
    return format == NULL ? (ps_wire_range){0, -1} : (ps_wire_range){format->min, format->max};
}

const char *ps_wire_api_name(ps_wire_api api) {
    const ps_wire_format *format = row(api);
    return format == NULL ? "unknown api" : format->name;
}

size_t ps_wire_request_bytes(ps_wire_api api) {
    const ps_wire_format *format = row(api);
    return format == NULL ? 0 : format->request()->bytes;
}

size_t ps_wire_response_bytes(ps_wire_api api) {
    const ps_wire_format *format = row(api);
    return format == NULL ? 0 : format->response()->bytes;
}

int32_t ps_wire_throttle_ms(ps_wire_api api, const void *response) {
    const ps_wire_format *format = row(api);
    const ps_wire_shape *shape = format == NULL ? NULL : format->response();
    for (uint32_t i = 0; shape != NULL && i < shape->field_count; i++) {
        if (strcmp(shape->field[i].name, "throttle_time_ms") != 0) continue;
        int32_t ms;
        memcpy(&ms, (const uint8_t *)response + shape->field[i].offset, sizeof ms);
        return ms < 0 ? 0 : ms > THROTTLE_MS_MAX ? THROTTLE_MS_MAX : ms;
    }
    return 0;
}

const ps_wire_format *ps_wire_find_format(ps_wire_api api, int16_t version, ps_error *error) {
    const ps_wire_format *format = row(api);
    if (format == NULL) {
        (void)ps_fail(error, PS_UNSUPPORTED, "Kafka's api %d is not one that is spoken here",
                      (int)api);
        return NULL;
    }
    if (version >= format->min && version <= format->max) return format;
    /* A broker that does not know our version answers as in version 0, whatever was asked. */
    if (api == PS_WIRE_API_VERSIONS && version == 0) return format;
    (void)ps_fail(error, PS_UNSUPPORTED, "%s version %d is not spoken here, only %d to %d",
                  format->name, version, format->min, format->max);
    return NULL;
}
