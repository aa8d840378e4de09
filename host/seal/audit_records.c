/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/audit_records.h"

#include <stdlib.h>

#include "host/base/limits.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

enum { ROWS_MAX = 1024, BATCH_BYTES = 1 << 20, COLUMNS = 3 };
enum { KEY, HEADERS, VALUE };

/* One part of each record, side by side, as the kernel wants them. */
typedef struct column {
    uint8_t *bytes;
    size_t used, room;
    uint32_t begin[ROWS_MAX], length[ROWS_MAX];
    ps_hash hash[ROWS_MAX];
} column;

struct ps_audit_records {
    ps_audit_topic topic;
    ps_hash no_headers;
    uint32_t rows, at;
    bool ended;
    ps_status failed; /* behind the rows that were read before */
    ps_error why;
    uint64_t read;
    ps_seal_entry entry[ROWS_MAX];
    column column[COLUMNS];
};

ps_status ps_audit_records_open(const ps_audit_topic *topic, ps_audit_records **out,
                                ps_error *error) {
    static const uint8_t zero[4];
    ps_audit_records *const records = calloc(1, sizeof *records);
    if (records == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for records");
    records->topic = *topic;
    ps_hash_bytes(zero, sizeof zero, &records->no_headers);
    *out = records;
    return PS_OK;
}

void ps_audit_records_close(ps_audit_records *records) {
    if (records == NULL) return;
    for (int i = 0; i < COLUMNS; i++) free(records->column[i].bytes);
    free(records);
}

/* Room for `length` more bytes and the padding that kernels may read. NULL: no memory. */
static uint8_t *reserve(column *to, size_t length) {
    const size_t wanted = to->used + length + PS_ARENA_PADDING;
    if (wanted > to->room) {
        const size_t room = wanted > BATCH_BYTES ? wanted + wanted / 4 : 2 * (size_t)BATCH_BYTES;
        uint8_t *const more = realloc(to->bytes, room);
        if (more == NULL) return NULL;
        memset(more + to->room, 0, room - to->room);
        to->bytes = more;
        to->room = room;
    }
    return to->bytes + to->used;
}

/* Null is PS_NULL_LENGTH for the kernel, too. */
static bool put(column *to, uint32_t row, ps_bytes bytes) {
    to->begin[row] = (uint32_t)to->used;
    to->length[row] = bytes.length;
    if (bytes.length == PS_NULL_LENGTH || bytes.length == 0) return reserve(to, 0) != NULL;
    uint8_t *const at = reserve(to, bytes.length);
    if (at == NULL) return false;
    memcpy(at, bytes.data, bytes.length);
    to->used += bytes.length;
    return true;
}

static bool put_headers(column *to, uint32_t row, ps_bytes packed) {
    to->begin[row] = (uint32_t)to->used;
    to->length[row] = PS_NULL_LENGTH; /* most have none, whose hash is known */
    if (packed.length == PS_NULL_LENGTH || packed.length == 0) return reserve(to, 0) != NULL;
    const size_t length = ps_seal_headers_bytes(packed);
    uint8_t *const at = reserve(to, length);
    if (at == NULL) return false;
    ps_seal_headers_write(packed, at);
    to->length[row] = (uint32_t)length;
    to->used += length;
    return true;
}

static ps_status add(ps_audit_records *r, const ps_audit_record *record, ps_error *error) {
    column *const columns = r->column;
    const bool put_all = put(&columns[KEY], r->rows, record->key) &&
                         put_headers(&columns[HEADERS], r->rows, record->headers) &&
                         put(&columns[VALUE], r->rows, record->value);
    if (!put_all) return ps_fail(error, PS_NO_MEMORY, "no memory for a record");
    ps_seal_entry *const entry = &r->entry[r->rows++];
    entry->flags = record->append_time ? PS_SEAL_LOG_APPEND_TIME : 0;
    if (record->key.length == PS_NULL_LENGTH) entry->flags |= PS_SEAL_KEY_NULL;
    if (record->value.length == PS_NULL_LENGTH) entry->flags |= PS_SEAL_VALUE_NULL;
    entry->partition = r->topic.partition;
    entry->offset = (uint64_t)record->offset;
    entry->timestamp_ms = record->timestamp_ms;
    return PS_OK;
}

static void hash_all(ps_audit_records *r) {
    const ps_sha256_params params = {PS_SHA256_PLAIN};
    ps_kernel_fn *const hash = ps_dispatch(PS_KERNEL_SHA256);
    for (int i = 0; i < COLUMNS; i++) {
        column *const of = &r->column[i];
        hash((void *const[]){of->bytes, of->begin, of->length, of->hash}, &params, 0, r->rows);
    }
    for (uint32_t row = 0; row < r->rows; row++) {
        const bool has_headers = r->column[HEADERS].length[row] != PS_NULL_LENGTH;
        r->entry[row].key = r->column[KEY].hash[row];
        r->entry[row].headers = has_headers ? r->column[HEADERS].hash[row] : r->no_headers;
        r->entry[row].value = r->column[VALUE].hash[row];
    }
}

static ps_status fill(ps_audit_records *r, ps_error *error) {
    ps_audit_record record;
    size_t bytes = 0;
    r->rows = 0;
    r->at = 0;
    for (int i = 0; i < COLUMNS; i++) r->column[i].used = 0;
    while (r->rows < ROWS_MAX && bytes < BATCH_BYTES) {
        const ps_status status = r->topic.next(r->topic.context, &record, &r->why);
        r->ended = status != PS_OK;
        r->failed = status == PS_END ? PS_OK : status;
        if (r->ended) break;
        r->read++;
        if (record.offset < r->topic.from) continue;
        PS_TRY(add(r, &record, error));
        bytes = r->column[KEY].used + r->column[HEADERS].used + r->column[VALUE].used;
    }
    if (r->rows > 0) hash_all(r);
    return PS_OK;
}

ps_status ps_audit_records_peek(ps_audit_records *records, const ps_seal_entry **out,
                                ps_error *error) {
    *out = NULL;
    if (records->at == records->rows && !records->ended) PS_TRY(fill(records, error));
    if (records->at < records->rows) {
        *out = &records->entry[records->at];
        return PS_OK;
    }
    if (records->failed != PS_OK && error != NULL) *error = records->why;
    return records->failed;
}

void ps_audit_records_taken(ps_audit_records *records) {
    records->at++;
}

uint64_t ps_audit_records_read(const ps_audit_records *records) {
    return records->read;
}
