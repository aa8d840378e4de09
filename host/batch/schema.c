/* SPDX-License-Identifier: Apache-2.0 */
#include "host/batch/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/check.h"

uint32_t ps_type_width(ps_type type) {
    switch (type) {
    case PS_TYPE_TEXT:
    case PS_TYPE_F32:
    case PS_TYPE_U32:
        return 4;
    case PS_TYPE_F64:
    case PS_TYPE_I64:
    case PS_TYPE_U64:
    case PS_TYPE_NUMBER:
        return 8;
    case PS_TYPE_BOOL:
    case PS_TYPE_U8:
        return 1;
    case PS_TYPE_DIGEST:
        return 32;
    case PS_TYPE_SCRATCH:
        break;
    }
    return 0;
}

static bool has_validity(const ps_column *column) {
    return column->type == PS_TYPE_F64 || column->type == PS_TYPE_I64 ||
           column->type == PS_TYPE_BOOL;
}

static void add_system(ps_schema *schema, const char *name, ps_type type, ps_extent extent) {
    uint32_t index;
    const ps_status status = ps_schema_add(schema, name, type, extent, 0, &index, NULL);
    PS_CHECK(status == PS_OK);
}

void ps_schema_init(ps_schema *schema, uint32_t rows_max, uint32_t arena_bytes) {
    memset(schema, 0, sizeof *schema);
    schema->rows_max = rows_max;
    schema->segments_max = 2 * rows_max;
    schema->arena_bytes = arena_bytes;
    add_system(schema, "value", PS_TYPE_TEXT, PS_PER_ROW);
    add_system(schema, "key", PS_TYPE_TEXT, PS_PER_ROW);
    add_system(schema, "headers", PS_TYPE_TEXT, PS_PER_ROW);
    add_system(schema, "offset", PS_TYPE_I64, PS_PER_ROW);
    add_system(schema, "timestamp", PS_TYPE_I64, PS_PER_ROW);
    add_system(schema, "$flags", PS_TYPE_U8, PS_PER_ROW);
    add_system(schema, "$reject", PS_TYPE_U8, PS_PER_ROW);
    add_system(schema, "$detail", PS_TYPE_U32, PS_PER_ROW);
    add_system(schema, "$local", PS_TYPE_U32, PS_PER_ROW);
    add_system(schema, "$rank", PS_TYPE_U32, PS_PER_ROW);
    add_system(schema, "$order", PS_TYPE_U32, PS_PER_ROW);
    add_system(schema, "$first", PS_TYPE_U32, PS_PER_SEGMENT);
    add_system(schema, "$series", PS_TYPE_U32, PS_PER_SEGMENT);
    add_system(schema, "$fresh", PS_TYPE_U8, PS_PER_SEGMENT);
    add_system(schema, "$keep", PS_TYPE_U8, PS_PER_ROW);
    PS_CHECK_OP(schema->column_count, ==, (uint32_t)PS_SYSTEM_COLUMNS);
    schema->field_first = PS_SYSTEM_COLUMNS;
}

/* From the end: a declared field called `value` or `timestamp` hides the record's own. */
const ps_column *ps_schema_find(const ps_schema *schema, const char *name) {
    for (uint32_t i = schema->column_count; i-- > 0;)
        if (strcmp(schema->column[i].name, name) == 0) return &schema->column[i];
    return NULL;
}

static bool taken(const ps_schema *schema, const char *name) {
    const ps_column *found = ps_schema_find(schema, name);
    return found != NULL && (found >= schema->column + PS_SYSTEM_COLUMNS || name[0] == '$');
}

ps_status ps_schema_add(ps_schema *schema, const char *name, ps_type type, ps_extent extent,
                        uint32_t width, uint32_t *index, ps_error *error) {
    if (schema->column_count == PS_COLUMNS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "more than %d columns: use fewer fields or stages",
                       PS_COLUMNS_MAX);
    if (strlen(name) >= PS_NAME_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "the name '%s' is longer than %d bytes", name,
                       PS_NAME_MAX - 1);
    if (taken(schema, name))
        return ps_fail(error, PS_BAD_CONFIG,
                       "two columns are called '%s': give one another name with `as`", name);
    ps_column *column = &schema->column[schema->column_count];
    (void)snprintf(column->name, sizeof column->name, "%s", name);
    column->type = type;
    column->extent = extent;
    column->width = type == PS_TYPE_SCRATCH ? width : ps_type_width(type);
    column->values = column->lengths = column->validity = PS_NOWHERE;
    *index = schema->column_count++;
    return PS_OK;
}

static uint64_t element_count(const ps_schema *schema, ps_extent extent) {
    if (extent == PS_PER_ROW) return schema->rows_max;
    /* One more, so that FIRST can say where the last segment ends. */
    return extent == PS_PER_SEGMENT ? (uint64_t)schema->segments_max + 1 : 1;
}

static uint32_t place(uint64_t *at, uint64_t bytes) {
    const uint64_t begin = *at;
    *at = (begin + bytes + PS_COLUMN_ALIGNMENT - 1) / PS_COLUMN_ALIGNMENT * PS_COLUMN_ALIGNMENT;
    return (uint32_t)begin;
}

ps_status ps_schema_close(ps_schema *schema, ps_error *error) {
    uint64_t at = 0;
    for (uint32_t i = 0; i < schema->column_count; i++) {
        ps_column *column = &schema->column[i];
        const uint64_t count = element_count(schema, column->extent);
        column->values = place(&at, count * column->width);
        if (column->type == PS_TYPE_TEXT) column->lengths = place(&at, count * 4);
        /* Whole words, so that a decoder may clear eight bytes at a time. */
        if (has_validity(column)) column->validity = place(&at, (count + 63) / 64 * 8);
        if (at > INT32_MAX) break;
    }
    const uint64_t total = at + schema->arena_bytes + PS_ARENA_PADDING;
    if (total > INT32_MAX)
        return ps_fail(error, PS_BAD_CONFIG,
                       "a batch would take %" PRIu64
                       " MiB, above 2 GiB: lower runtime.batch_rows or batch_bytes",
                       total >> 20);
    schema->arena = (uint32_t)at;
    schema->block_bytes = total;
    return PS_OK;
}
