/* SPDX-License-Identifier: Apache-2.0
 * What messages.def says, as data that the encoder and the decoder walk along. Structs nest as deep
 * as the table does, so walking by recursion is bounded.
 */
#ifndef PS_INGEST_WIRE_SHAPE_H
#define PS_INGEST_WIRE_SHAPE_H

#include "ingest/wire/message.h"

typedef enum ps_wire_type {
    PS_WIRE_T_BOOL,
    PS_WIRE_T_INT8,
    PS_WIRE_T_INT16,
    PS_WIRE_T_INT32,
    PS_WIRE_T_INT64,
    PS_WIRE_T_UUID,
    PS_WIRE_T_STRING,
    PS_WIRE_T_BYTES,
    PS_WIRE_T_RECORDS,
    PS_WIRE_T_INT32S,
    PS_WIRE_T_STRINGS,
    PS_WIRE_T_ARRAY, /* of structs */
    PS_WIRE_T_PART   /* one struct */
} ps_wire_type;

typedef struct ps_wire_shape ps_wire_shape;

typedef struct ps_wire_field {
    const char *name;
    const ps_wire_shape *(*part)(void); /* ARRAY, PART */
    ps_wire_type type;
    uint16_t offset, count;      /* in the C struct; of an array's count */
    int16_t since, until;        /* versions that have it; until 0: for ever */
    int16_t nullable;            /* from this version on; 0: never */
    bool tagged, absent_is_null; /* strings */
    uint8_t tag;
    int32_t absent; /* an integer's value then */
} ps_wire_field;

struct ps_wire_shape {
    const char *name;
    const ps_wire_field *field;
    uint32_t field_count, bytes; /* sizeof the C struct */
};

typedef struct ps_wire_format {
    const char *name; /* NULL: not in the table */
    int16_t min, max, flexible;
    const ps_wire_shape *(*request)(void);
    const ps_wire_shape *(*response)(void);
} ps_wire_format;

/* NULL, and an error, for an api or a version that is not in the table. */
const ps_wire_format *ps_wire_find_format(ps_wire_api api, int16_t version, ps_error *error);

static inline bool ps_wire_has(const ps_wire_field *field, int16_t version) {
    return version >= field->since && (field->until == 0 || version <= field->until);
}

static inline bool ps_wire_may_be_null(const ps_wire_field *field, int16_t version) {
    return field->nullable != 0 && version >= field->nullable;
}

static inline bool ps_wire_is_array(const ps_wire_field *field) {
    return field->type >= PS_WIRE_T_INT32S && field->type <= PS_WIRE_T_ARRAY;
}

#endif
