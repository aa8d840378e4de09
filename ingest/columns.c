/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/columns.h"

#include <string.h>

void ps_field_columns(const ps_field_list *fields, ps_batch *batch, ps_field_column *columns) {
    const ps_schema *schema = batch->schema;
    for (uint32_t i = 0; i < fields->count; i++) {
        const ps_field *field = &fields->at[i];
        const ps_column *column = &schema->column[schema->field_first + i];
        columns[i] = (ps_field_column){.type = field->type,
                                       .unit = field->unit,
                                       .required = field->required,
                                       .from_string = field->from_string,
                                       .values = ps_batch_values(batch, column)};
        if (field->type == PS_FIELD_STRING) {
            columns[i].lengths = ps_batch_lengths(batch, column);
        } else {
            columns[i].validity = ps_batch_validity(batch, column);
            memset(columns[i].validity, 0, (batch->rows + 7) / 8);
        }
    }
}

/* What is null has a value too: kernels read it, and its bits must not depend on the last batch. */
void ps_field_null(const ps_field_column *column, uint32_t row) {
    switch (column->type) {
    case PS_FIELD_STRING:
        ((uint32_t *)column->values)[row] = 0;
        column->lengths[row] = PS_NULL_LENGTH;
        return;
    case PS_FIELD_BOOL:
        ((uint8_t *)column->values)[row] = 0;
        break;
    case PS_FIELD_FLOAT:
    case PS_FIELD_INT:
    case PS_FIELD_TIMESTAMP:
        ((uint64_t *)column->values)[row] = 0;
        break;
    }
    ps_bit_clear(column->validity, row);
}

void ps_field_string(const ps_field_column *column, uint32_t row, uint32_t begin, uint32_t length) {
    ((uint32_t *)column->values)[row] = begin;
    column->lengths[row] = length;
}

void ps_field_bool(const ps_field_column *column, uint32_t row, bool value) {
    ((uint8_t *)column->values)[row] = value ? 1 : 0;
    ps_bit_set(column->validity, row);
}

ps_reject ps_field_number(const ps_field_column *column, uint32_t row, const ps_number *number) {
    int64_t integer = 0;
    double real = 0.0;
    bool fits = false;
    switch (column->type) {
    case PS_FIELD_STRING:
    case PS_FIELD_BOOL:
        return PS_REJECT_WRONG_TYPE;
    case PS_FIELD_FLOAT:
        fits = ps_number_double(number, &real);
        break;
    case PS_FIELD_INT:
        if (!number->integer) return PS_REJECT_WRONG_TYPE;
        fits = ps_number_int(number, &integer);
        break;
    case PS_FIELD_TIMESTAMP:
        fits = ps_number_time(number, column->unit, &integer);
        break;
    }
    if (!fits) return PS_REJECT_OUT_OF_RANGE;
    if (column->type == PS_FIELD_FLOAT)
        ((double *)column->values)[row] = real;
    else
        ((int64_t *)column->values)[row] = integer;
    ps_bit_set(column->validity, row);
    return PS_REJECT_NONE;
}

ps_reject ps_field_number_text(const ps_field_column *column, uint32_t row, ps_bytes text) {
    ps_number number;
    const uint8_t *end = text.data + text.length;
    if (ps_number_read(text.data, end, &number) != PS_NUMBER_OK || number.end != end)
        return PS_REJECT_WRONG_TYPE;
    return ps_field_number(column, row, &number);
}

ps_reject ps_field_time_text(const ps_field_column *column, uint32_t row, ps_bytes text) {
    int64_t ns;
    switch (ps_time_parse(text.data, text.length, &ns)) {
    case PS_TIME_BAD:
        return PS_REJECT_WRONG_TYPE;
    case PS_TIME_RANGE:
        return PS_REJECT_OUT_OF_RANGE;
    case PS_TIME_OK:
        break;
    }
    ((int64_t *)column->values)[row] = ns;
    ps_bit_set(column->validity, row);
    return PS_REJECT_NONE;
}

void ps_row_reject(ps_batch *batch, const ps_field_column *columns, uint32_t count, uint32_t row,
                   ps_reject reject, uint32_t detail) {
    for (uint32_t i = 0; i < count; i++) ps_field_null(&columns[i], row);
    ((uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[row] = (uint8_t)reject;
    ((uint32_t *)ps_batch_system(batch, PS_COLUMN_DETAIL))[row] = detail;
}

ps_status ps_field_check(const ps_field_list *fields, const ps_schema *schema, ps_error *error) {
    static const ps_type wanted[] = {[PS_FIELD_STRING] = PS_TYPE_TEXT,
                                     [PS_FIELD_FLOAT] = PS_TYPE_F64,
                                     [PS_FIELD_INT] = PS_TYPE_I64,
                                     [PS_FIELD_BOOL] = PS_TYPE_BOOL,
                                     [PS_FIELD_TIMESTAMP] = PS_TYPE_I64};
    if (fields->count > PS_FIELDS_MAX || fields->count != schema->field_count)
        return ps_fail(
            error, PS_BAD_CONFIG,
            "decode declares %u fields where the schema has %u; at most %d can be declared",
            fields->count, schema->field_count, PS_FIELDS_MAX);
    for (uint32_t i = 0; i < fields->count; i++) {
        const ps_column *column = &schema->column[schema->field_first + i];
        PS_CHECK_OP((int)column->type, ==, (int)wanted[fields->at[i].type]);
    }
    return PS_OK;
}
