/* SPDX-License-Identifier: Apache-2.0 */
#include "host/batch/batch.h"

#include "host/batch/rejects.h"

#include <string.h>

void ps_batch_reset(ps_batch *batch) {
    batch->rows = 0;
    batch->arena_used = batch->arena_owed = batch->enough = 0;
    batch->payload_bytes = 0;
    batch->rows_before = 0;
    batch->segment_count = batch->touched_count = 0;
    batch->run_count = batch->position_count = batch->eviction_count = 0;
    batch->oversize = (ps_oversize){.row = PS_NOWHERE};
    batch->filled_ns = batch->shown_ns = 0;
}

static uint32_t stored(ps_bytes bytes) {
    return bytes.length == PS_NULL_LENGTH ? 0 : bytes.length;
}

/* Copies a text into the arena; a null one takes no room. */
static void put_text(ps_batch *batch, ps_system_column column, uint32_t row, ps_bytes bytes) {
    const uint32_t begin = batch->arena_used;
    if (stored(bytes) > 0) {
        memcpy(ps_batch_arena(batch) + begin, bytes.data, bytes.length);
        batch->arena_used += bytes.length;
    }
    ps_batch_text_set(batch, &batch->schema->column[column], row, begin, bytes.length);
}

/* False: the batch has no room for another run. */
static bool extend_run(ps_batch *batch, const ps_record *record) {
    if (batch->run_count > 0) {
        ps_run *last = &batch->runs[batch->run_count - 1];
        if (last->partition == record->partition) {
            last->rows++;
            return true;
        }
    }
    if (batch->run_count == PS_RUNS_MAX) return false;
    batch->runs[batch->run_count++] = (ps_run){record->partition, batch->rows, 1, record->offset};
    return true;
}

static void put_fixed(ps_batch *batch, const ps_record *record, uint32_t row) {
    ((int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row] = record->offset;
    ((int64_t *)ps_batch_system(batch, PS_COLUMN_TIMESTAMP))[row] = record->timestamp_ms;
    ((uint8_t *)ps_batch_system(batch, PS_COLUMN_FLAGS))[row] = record->flags;
    ((uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[row] = PS_REJECT_NONE;
    ((uint32_t *)ps_batch_system(batch, PS_COLUMN_DETAIL))[row] = 0;
}

/* A string with escapes is decoded beside the record. Its room is kept now, so that whether a
 * record is accepted does not depend on what else is in the batch. */
static uint32_t may_grow(const ps_schema *schema, ps_bytes value) {
    if (schema->escape == 0 || stored(value) == 0) return 0;
    return memchr(value.data, schema->escape, value.length) != NULL ? value.length : 0;
}

static bool has_enough(const ps_batch *batch) {
    enum { COLUMNS_BYTES = 64 }; /* of a row, more or less */
    return batch->enough != 0 && batch->rows > 0 &&
           batch->arena_used + (uint64_t)COLUMNS_BYTES * batch->rows >= batch->enough;
}

ps_status ps_batch_append(ps_batch *batch, const ps_record *record) {
    const uint32_t row = batch->rows;
    const uint64_t bytes =
        (uint64_t)stored(record->key) + stored(record->value) + stored(record->headers);
    const uint32_t owed = may_grow(batch->schema, record->value);
    const uint64_t taken = (uint64_t)batch->arena_used + batch->arena_owed;
    const bool fits = bytes + owed + taken <= batch->schema->arena_bytes;
    if (row == batch->schema->rows_max) return PS_AGAIN;
    if ((!fits && row > 0) || has_enough(batch)) return PS_AGAIN;
    if (!extend_run(batch, record)) return PS_AGAIN;
    put_fixed(batch, record, row);
    batch->rows = row + 1;
    batch->payload_bytes += stored(record->key) + stored(record->value);
    if (fits) {
        batch->arena_owed += owed;
        put_text(batch, PS_COLUMN_KEY, row, record->key);
        put_text(batch, PS_COLUMN_VALUE, row, record->value);
        put_text(batch, PS_COLUMN_HEADERS, row, record->headers);
        return PS_OK;
    }
    const ps_bytes none = {NULL, PS_NULL_LENGTH};
    put_text(batch, PS_COLUMN_KEY, row, none);
    put_text(batch, PS_COLUMN_VALUE, row, none);
    put_text(batch, PS_COLUMN_HEADERS, row, none);
    ((uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[row] = PS_REJECT_TOO_LARGE;
    batch->oversize.row = row;
    batch->oversize.key = record->key;
    batch->oversize.value = record->value;
    batch->oversize.headers = record->headers;
    return PS_END;
}

void ps_batch_before(ps_batch *batch, uint32_t row) {
    const ps_column *column = batch->schema->column;
    const bool aside = batch->oversize.row == row;
    const ps_bytes key = ps_batch_text(batch, &column[PS_COLUMN_KEY], row);
    const ps_bytes value = ps_batch_text(batch, &column[PS_COLUMN_VALUE], row);
    batch->rows_before++;
    batch->payload_bytes -= stored(aside ? batch->oversize.key : key);
    batch->payload_bytes -= stored(aside ? batch->oversize.value : value);
}

void ps_batch_position(ps_batch *batch, uint32_t partition, int64_t next) {
    for (uint32_t i = 0; i < batch->position_count; i++) {
        ps_position *position = &batch->positions[i];
        if (position->partition != partition) continue;
        if (next > position->next) position->next = next;
        return;
    }
    PS_CHECK_OP(batch->position_count, <, (uint32_t)PS_PARTITIONS_MAX);
    batch->positions[batch->position_count++] = (ps_position){partition, next};
}
