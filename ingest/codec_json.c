/* SPDX-License-Identifier: Apache-2.0
 * JSON objects into columns. A fault of the text outranks one of a field: a record whose field has
 * the wrong type is reported as such only if all of its text is well-formed. Of several bad fields
 * the first in the order of declaration is named.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/codec.h"
#include "ingest/columns.h"
#include "ingest/json.h"

static const ps_option options[] = {
    {.name = "fields",
     .preset = NULL,
     .help = "The members to decode: a name and its type (string, float, int, bool, "
             "timestamp), or {type, required, path, unit, from_string}.",
     .type = PS_OPTION_FIELDS,
     .at = offsetof(ps_decode_config, fields)},
    {.name = NULL}};

typedef struct codec_json {
    ps_field_list fields;
    ps_json *json;
    ps_json_value *values;    /* [fields] of the record at hand */
    ps_field_column *columns; /* [fields] of the batch at hand */
    const char **paths;       /* [fields] */
} codec_json;

static void json_close(void *self) {
    codec_json *codec = self;
    if (codec == NULL) return;
    ps_json_close(codec->json);
    free(codec->values);
    free(codec->columns);
    free(codec->paths);
    free(codec);
}

static ps_status json_open(const void *config, const ps_schema *schema, void **self,
                           ps_error *error) {
    const ps_decode_config *decode = config;
    PS_TRY(ps_field_check(&decode->fields, schema, error));
    const size_t count = decode->fields.count;
    codec_json *codec = calloc(1, sizeof *codec);
    if (codec == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the JSON codec");
    codec->fields = decode->fields;
    codec->values = calloc(count + 1, sizeof *codec->values);
    codec->columns = calloc(count + 1, sizeof *codec->columns);
    codec->paths = calloc(count + 1, sizeof *codec->paths);
    if (codec->values == NULL || codec->columns == NULL || codec->paths == NULL) {
        json_close(codec);
        return ps_fail(error, PS_NO_MEMORY, "no memory for %zu JSON fields", count);
    }
    for (size_t i = 0; i < count; i++) {
        const ps_field *field = &decode->fields.at[i];
        codec->paths[i] = field->path != NULL ? field->path : field->name;
    }
    const ps_status status = ps_json_open(codec->paths, (uint32_t)count, &codec->json, error);
    if (status != PS_OK) {
        json_close(codec);
        return status;
    }
    *self = codec;
    return PS_OK;
}

/* A string that stays where it is, or whose escapes are resolved into the arena. */
static ps_reject put_string(ps_batch *batch, const ps_field_column *column, uint32_t row,
                            const ps_json_value *value) {
    const uint8_t *arena = ps_batch_arena(batch);
    if (!value->escaped) {
        ps_field_string(column, row, (uint32_t)(value->text.data - arena), value->text.length);
        return PS_REJECT_NONE;
    }
    const uint32_t at = ps_batch_reserve(batch, value->text.length);
    if (at == PS_NOWHERE) return PS_REJECT_TOO_LARGE;
    const uint32_t length = ps_json_unescape(value->text, ps_batch_arena(batch) + at);
    batch->arena_used -= value->text.length - length;
    ps_field_string(column, row, at, length);
    return PS_REJECT_NONE;
}

/* A string for a column that holds no strings: a time, or a number where `from_string` allows it.
 */
static ps_reject put_other(const ps_field_column *column, uint32_t row,
                           const ps_json_value *value) {
    enum { LONGEST = 384 }; /* 64 characters, each written as an escape of six bytes */
    uint8_t plain[LONGEST + PS_NUMBER_PADDING];
    ps_bytes text = value->text;
    if (value->escaped) {
        if (text.length > LONGEST) return PS_REJECT_WRONG_TYPE;
        text.length = ps_json_unescape(text, plain);
        memset(plain + text.length, 0, PS_NUMBER_PADDING);
        text.data = plain;
    }
    ps_reject reject = PS_REJECT_WRONG_TYPE;
    if (column->type == PS_FIELD_TIMESTAMP) reject = ps_field_time_text(column, row, text);
    if (reject == PS_REJECT_WRONG_TYPE && column->from_string)
        reject = ps_field_number_text(column, row, text);
    return reject;
}

static ps_reject put(ps_batch *batch, const ps_field_column *column, uint32_t row,
                     const ps_json_value *value) {
    switch (value->kind) {
    case PS_JSON_ABSENT:
    case PS_JSON_NULL:
        if (column->required) return PS_REJECT_MISSING_FIELD;
        ps_field_null(column, row);
        return PS_REJECT_NONE;
    case PS_JSON_FALSE:
    case PS_JSON_TRUE:
        if (column->type != PS_FIELD_BOOL) return PS_REJECT_WRONG_TYPE;
        ps_field_bool(column, row, value->kind == PS_JSON_TRUE);
        return PS_REJECT_NONE;
    case PS_JSON_NUMBER:
        return ps_field_number_text(column, row, value->text);
    case PS_JSON_STRING:
        return column->type == PS_FIELD_STRING ? put_string(batch, column, row, value)
                                               : put_other(column, row, value);
    case PS_JSON_COMPOUND:
        break;
    }
    return PS_REJECT_WRONG_TYPE;
}

static void decode_row(codec_json *codec, ps_batch *batch, uint32_t row, ps_bytes text) {
    const uint32_t count = codec->fields.count;
    ps_json_fault fault;
    if (ps_json_read(codec->json, text, codec->values, &fault) != PS_REJECT_NONE) {
        ps_row_reject(batch, codec->columns, count, row, fault.reject, fault.detail);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const ps_reject reject = put(batch, &codec->columns[i], row, &codec->values[i]);
        if (reject == PS_REJECT_NONE) continue;
        ps_row_reject(batch, codec->columns, count, row, reject, i);
        return;
    }
}

static void json_decode(void *self, ps_batch *batch) {
    codec_json *codec = self;
    const ps_column *value = &batch->schema->column[PS_COLUMN_VALUE];
    const uint8_t *rejects = ps_batch_system(batch, PS_COLUMN_REJECT);
    ps_field_columns(&codec->fields, batch, codec->columns);
    for (uint32_t row = 0; row < batch->rows; row++) {
        const ps_bytes text = ps_batch_text(batch, value, row);
        if (rejects[row] == PS_REJECT_NONE && text.data != NULL) {
            decode_row(codec, batch, row, text);
        } else {
            for (uint32_t i = 0; i < codec->fields.count; i++)
                ps_field_null(&codec->columns[i], row);
        }
    }
}

const ps_codec ps_codec_json = {
    .about = {.name = "json",
              .summary = "JSON objects: declared members become columns.",
              .options = options,
              .config_bytes = sizeof(ps_decode_config)},
    .escape = '\\',
    .open = json_open,
    .decode = json_decode,
    .close = json_close};
