/* SPDX-License-Identifier: Apache-2.0
 * From the text of a value to a row of its column, the same for every codec. A row that turns out
 * bad gets its reason, and all its fields are null.
 */
#ifndef PS_INGEST_COLUMNS_H
#define PS_INGEST_COLUMNS_H

#include "host/base/options.h"
#include "host/batch/batch.h"
#include "host/batch/rejects.h"
#include "ingest/number.h"

/* One declared field and its column, resolved for the batch at hand. */
typedef struct ps_field_column {
    ps_field_type type;
    ps_time_unit unit;
    bool required, from_string;
    void *values;
    uint32_t *lengths; /* strings only */
    uint8_t *validity; /* all others */
} ps_field_column;

/* The columns of `batch`, with every validity bit of its rows cleared. */
void ps_field_columns(const ps_field_list *fields, ps_batch *batch, ps_field_column *columns);

void ps_field_null(const ps_field_column *column, uint32_t row);
void ps_field_string(const ps_field_column *column, uint32_t row, uint32_t begin, uint32_t length);
void ps_field_bool(const ps_field_column *column, uint32_t row, bool value);

/* A number into a float, int or timestamp column. NONE, WRONG_TYPE or OUT_OF_RANGE. */
ps_reject ps_field_number(const ps_field_column *column, uint32_t row, const ps_number *number);

/* The same for text that must be such a number from end to end. */
ps_reject ps_field_number_text(const ps_field_column *column, uint32_t row, ps_bytes text);

/* RFC 3339 into a timestamp column. */
ps_reject ps_field_time_text(const ps_field_column *column, uint32_t row, ps_bytes text);

/* Makes the row a reject: reason, detail, fields null. */
void ps_row_reject(ps_batch *batch, const ps_field_column *columns, uint32_t count, uint32_t row,
                   ps_reject reject, uint32_t detail);

/* Does the schema hold these fields, in this order? Every codec asks when it opens. */
ps_status ps_field_check(const ps_field_list *fields, const ps_schema *schema,
                         ps_error *error) PS_MUST_USE;

#endif
