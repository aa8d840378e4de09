/* SPDX-License-Identifier: Apache-2.0
 * Rows become entries: of every row of a run, whether it decoded or not and whether a filter keeps
 * it or not. Up to 4,096 rows are hashed together, whichever partitions they are of; then each
 * partition's are appended to its log.
 */
#include <inttypes.h>
#include <openssl/evp.h>

#include "host/batch/headers.h"
#include "host/seal/sealer_parts.h"
#include "host/seal/wide.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

/* A record whose bytes are not in the batch's arena, or whose headers have no room in ours. */
static bool is_alone(const ps_batch *batch, uint32_t row) {
    const ps_bytes headers = ps_batch_text(batch, &batch->schema->column[PS_COLUMN_HEADERS], row);
    return row == batch->oversize.row ||
           (headers.length != PS_NULL_LENGTH && ps_seal_headers_bytes(headers) > PS_SEALER_HEADERS);
}

/* Headers of rows [begin, end) as they are hashed; the end of what has room. A row without any has
 * no bytes here. `*any`: some have. */
static uint32_t gather_headers(ps_sealer_space *space, const ps_batch *batch, uint32_t begin,
                               uint32_t end, bool *any) {
    const ps_column *column = &batch->schema->column[PS_COLUMN_HEADERS];
    size_t used = 0;
    *any = false;
    for (uint32_t row = begin; row < end; row++) {
        const ps_bytes packed = ps_batch_text(batch, column, row);
        const uint32_t i = row - begin;
        space->header_length[i] = PS_NULL_LENGTH;
        space->header_begin[i] = (uint32_t)used;
        if (is_alone(batch, row)) return row;
        if (packed.length == PS_NULL_LENGTH || packed.length == 0) continue;
        const size_t bytes = ps_seal_headers_bytes(packed);
        if (bytes > PS_SEALER_HEADERS - used) return row;
        ps_seal_headers_write(packed, space->headers + used);
        space->header_length[i] = (uint32_t)bytes;
        used += bytes;
        *any = true;
    }
    return end;
}

/* ---- one record by itself ---- */

static void stream_bytes(EVP_MD_CTX *stream, const uint8_t *bytes, size_t length) {
    PS_CHECK(length == 0 || EVP_DigestUpdate(stream, bytes, length) == 1);
}

static void stream_begin(EVP_MD_CTX *stream) {
    PS_CHECK(EVP_DigestInit_ex(stream, EVP_sha256(), NULL) == 1);
}

static void stream_end(EVP_MD_CTX *stream, ps_hash *out) {
    PS_CHECK(EVP_DigestFinal_ex(stream, out->byte, NULL) == 1);
}

static void stream_text(EVP_MD_CTX *stream, ps_bytes text, ps_hash *out) {
    *out = (ps_hash){{0}};
    if (text.length == PS_NULL_LENGTH) return;
    stream_begin(stream);
    stream_bytes(stream, text.data, text.length);
    stream_end(stream, out);
}

static void stream_number(EVP_MD_CTX *stream, uint32_t number) {
    uint8_t wide[4];
    (void)ps_wide_put(wide, number, sizeof wide);
    stream_bytes(stream, wide, sizeof wide);
}

static void stream_headers(EVP_MD_CTX *stream, ps_bytes packed, ps_hash *out) {
    ps_header header;
    uint32_t count = 0;
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);) count++;
    stream_begin(stream);
    stream_number(stream, count);
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);) {
        stream_number(stream, header.name.length);
        stream_bytes(stream, header.name.data, header.name.length);
        stream_number(stream, header.value.length);
        if (header.value.length != PS_NULL_LENGTH)
            stream_bytes(stream, header.value.data, header.value.length);
    }
    stream_end(stream, out);
}

/* ---- entries ---- */

/* What entries are made of, by row. */
typedef struct columns {
    const int64_t *offset, *timestamp;
    const uint8_t *flags;
    const uint32_t *key_length, *value_length;
    const ps_hash *key, *value;
} columns;

static columns columns_of(const ps_seal_plan *plan, const ps_batch *batch) {
    const ps_column *column = batch->schema->column;
    return (columns){.offset = ps_batch_system(batch, PS_COLUMN_OFFSET),
                     .timestamp = ps_batch_system(batch, PS_COLUMN_TIMESTAMP),
                     .flags = ps_batch_system(batch, PS_COLUMN_FLAGS),
                     .key_length = ps_batch_lengths(batch, &column[PS_COLUMN_KEY]),
                     .value_length = ps_batch_lengths(batch, &column[PS_COLUMN_VALUE]),
                     .key = ps_batch_values(batch, &column[plan->key]),
                     .value = ps_batch_values(batch, &column[plan->value])};
}

static uint8_t flags_of(uint8_t row_flags, uint32_t key_length, uint32_t value_length) {
    return (uint8_t)((key_length == PS_NULL_LENGTH ? PS_SEAL_KEY_NULL : 0) |
                     (value_length == PS_NULL_LENGTH ? PS_SEAL_VALUE_NULL : 0) |
                     (row_flags & PS_ROW_LOG_APPEND_TIME ? PS_SEAL_LOG_APPEND_TIME : 0));
}

static void put_entry(uint8_t *to, const ps_seal_entry *entry) {
    (void)ps_wide_put(to, PS_SEAL_ENTRY_BYTES, 2);
    ps_seal_entry_encode(entry, to + 2);
}

static void put_entries(ps_lane_sealer *sealer, const ps_batch *batch, const ps_run *run,
                        uint32_t begin, uint32_t end) {
    const columns of = columns_of(sealer->plan, batch);
    ps_sealer_space *space = sealer->space;
    uint32_t within;
    (void)ps_partitions_topic(sealer->env->partitions, run->partition, &within);
    for (uint32_t row = begin; row < end; row++) {
        const uint32_t i = row - sealer->chunk.begin;
        const bool none = space->header_length[i] == PS_NULL_LENGTH;
        const ps_seal_entry entry = {
            .flags = flags_of(of.flags[row], of.key_length[row], of.value_length[row]),
            .partition = within,
            .offset = (uint64_t)of.offset[row],
            .timestamp_ms = of.timestamp[row],
            .key = of.key[row],
            .headers = none ? sealer->no_headers : space->header_hash[i],
            .value = of.value[row]};
        put_entry(space->entries + (size_t)i * PS_SEALED_BYTES, &entry);
        space->entry_length[i] = PS_SEAL_ENTRY_BYTES;
    }
}

/* The first row of the chunk, which is all of it. */
static void put_alone(ps_lane_sealer *sealer, const ps_batch *batch, const ps_run *run) {
    const uint32_t row = sealer->chunk.begin;
    const columns of = columns_of(sealer->plan, batch);
    const ps_column *column = batch->schema->column;
    const bool aside = row == batch->oversize.row;
    const ps_bytes key =
        aside ? batch->oversize.key : ps_batch_text(batch, &column[PS_COLUMN_KEY], row);
    const ps_bytes value =
        aside ? batch->oversize.value : ps_batch_text(batch, &column[PS_COLUMN_VALUE], row);
    const ps_bytes headers =
        aside ? batch->oversize.headers : ps_batch_text(batch, &column[PS_COLUMN_HEADERS], row);
    ps_seal_entry entry = {.flags = flags_of(of.flags[row], key.length, value.length),
                           .offset = (uint64_t)of.offset[row],
                           .timestamp_ms = of.timestamp[row]};
    (void)ps_partitions_topic(sealer->env->partitions, run->partition, &entry.partition);
    stream_text(sealer->stream, key, &entry.key);
    stream_text(sealer->stream, value, &entry.value);
    stream_headers(sealer->stream, headers, &entry.headers);
    put_entry(sealer->space->entries, &entry);
    sealer->space->entry_length[0] = PS_SEAL_ENTRY_BYTES;
}

/* ---- chunks ---- */

static const ps_run *run_at(const ps_batch *batch, uint32_t *run, uint32_t row) {
    while (batch->runs[*run].first_row + batch->runs[*run].rows <= row) ++*run;
    return &batch->runs[*run];
}

/* The entries of the chunk's rows; one that was out before is in no run, and has none. */
static void put_chunk(ps_lane_sealer *sealer, const ps_batch *batch, bool alone) {
    const ps_sealed_chunk *chunk = &sealer->chunk;
    uint32_t run = chunk->run;
    for (uint32_t row = chunk->begin; row < chunk->end;) {
        const ps_run *of = run_at(batch, &run, row);
        for (; row < of->first_row && row < chunk->end; row++)
            sealer->space->entry_length[row - chunk->begin] = PS_NULL_LENGTH;
        const uint32_t run_end = of->first_row + of->rows;
        const uint32_t end = run_end < chunk->end ? run_end : chunk->end;
        if (row >= end) continue;
        if (alone)
            put_alone(sealer, batch, of);
        else
            put_entries(sealer, batch, of, row, end);
        row = end;
    }
}

/* Leaf hashes of the next rows; false: there are none. */
static bool hash_chunk(ps_lane_sealer *sealer, const ps_batch *batch) {
    const ps_sha256_params plain = {PS_SHA256_PLAIN}, leaf = {PS_MERKLE_LEAF};
    ps_kernel_fn *const sha256 = ps_dispatch(PS_KERNEL_SHA256);
    ps_sealed_chunk *chunk = &sealer->chunk;
    ps_sealer_space *space = sealer->space;
    if (batch->run_count == 0) return false;
    const ps_run *last = &batch->runs[batch->run_count - 1];
    const uint32_t end = last->first_row + last->rows;
    if (chunk->end >= end) return false;
    chunk->begin = chunk->end;
    chunk->end = end - chunk->begin > PS_LEAVES_MAX ? chunk->begin + PS_LEAVES_MAX : end;
    bool any = false;
    const bool alone = is_alone(batch, chunk->begin);
    if (alone)
        chunk->end = chunk->begin + 1;
    else
        chunk->end = gather_headers(space, batch, chunk->begin, chunk->end, &any);
    const uint32_t rows = chunk->end - chunk->begin;
    if (any)
        sha256((void *const[]){space->headers, space->header_begin, space->header_length,
                               space->header_hash},
               &plain, 0, rows);
    put_chunk(sealer, batch, alone);
    ps_hash *hashes = ps_batch_values(batch, &batch->schema->column[sealer->plan->leaf]);
    sha256((void *const[]){space->entries, space->entry_begin, space->entry_length,
                           hashes + chunk->begin},
           &leaf, 0, rows);
    chunk->row = chunk->begin;
    return true;
}

/* ---- logs ---- */

typedef struct outlet {
    ps_projector *projector;
    uint32_t log;
} outlet;

static ps_status put_tile(void *context, const ps_tile *tile, const uint8_t *bytes, size_t length,
                          ps_error *error) {
    const outlet *to = context;
    const ps_projected_tile what = {to->log, *tile, {bytes, (uint32_t)length}};
    (void)error;
    ps_projector_tile(to->projector, &what, true);
    return PS_OK;
}

static void note_moved(ps_lane_sealer *sealer, uint32_t partition) {
    ps_sealed_log *log = &sealer->log[partition];
    if (!log->moved) sealer->dirty[sealer->dirty_count++] = partition;
    log->moved = true;
}

/* What is sealed never comes again, and nothing comes before it. */
static ps_status check_offsets(ps_lane_sealer *sealer, const ps_batch *batch, uint32_t partition,
                               uint32_t end, ps_error *error) {
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    ps_sealed_log *log = &sealer->log[partition];
    int64_t next = log->watermark;
    for (uint32_t row = sealer->chunk.row; row < end; row++) {
        if (offset[row] < next)
            return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                                  "offset %" PRId64 " came after all before %" PRId64
                                  " had been sealed: was the topic cut, or deleted and made anew? "
                                  "its log is not continued",
                                  offset[row], next);
        next = offset[row] + 1;
    }
    log->last = next - 1;
    log->watermark = next;
    return PS_OK;
}

static ps_status append(ps_lane_sealer *sealer, const ps_batch *batch, uint32_t partition,
                        uint32_t end, ps_error *error) {
    const ps_column *column = batch->schema->column;
    ps_sealed_log *log = &sealer->log[partition];
    const uint32_t begin = sealer->chunk.row;
    const ps_hash *leaf = ps_batch_values(batch, &column[sealer->plan->leaf]);
    uint64_t *index = ps_batch_values(batch, &column[sealer->plan->index]);
    outlet to = {sealer->projector, partition};
    const ps_tile_sink sink = {put_tile, &to};
    ps_tiler_batch tiles;
    PS_CHECK(atomic_load(&log->given));
    PS_TRY(check_offsets(sealer, batch, partition, end, error));
    for (uint32_t row = begin; row < end; row++) index[row] = log->frontier.size + (row - begin);
    ps_leaves_take(sealer->leaves, leaf[begin].byte, end - begin, &log->frontier, &tiles);
    tiles.entries = &sealer->space->entry[begin - sealer->chunk.begin];
    PS_TRY(ps_tiler_append(log->tiler, &tiles, &sink, error));
    note_moved(sealer, partition);
    log->grown = true;
    return PS_OK;
}

/* The chunk's rows that are left. AGAIN: the ring has no room for the tiles that may become full.
 */
static ps_status append_chunk(ps_lane_sealer *sealer, const ps_batch *batch, ps_error *error) {
    ps_sealed_chunk *chunk = &sealer->chunk;
    while (chunk->row < chunk->end) {
        const ps_run *run = run_at(batch, &chunk->run, chunk->row);
        if (chunk->row < run->first_row) {
            chunk->row = run->first_row < chunk->end ? run->first_row : chunk->end;
            continue;
        }
        const uint32_t run_end = run->first_row + run->rows;
        const uint32_t end = run_end < chunk->end ? run_end : chunk->end;
        const uint32_t tiles = 2 * ((end - chunk->row) / PS_TILE_WIDTH + 1) + PS_TILE_LEVELS;
        if (!ps_projector_has_room(sealer->projector, tiles)) return PS_AGAIN;
        PS_TRY(append(sealer, batch, run->partition, end, error));
        chunk->row = end;
    }
    return PS_OK;
}

static void move(ps_lane_sealer *sealer, const ps_position *position) {
    ps_sealed_log *log = &sealer->log[position->partition];
    if (position->next <= log->watermark) return;
    log->watermark = position->next;
    note_moved(sealer, position->partition);
}

ps_status ps_sealer_rows(void *self, const ps_batch *batch, ps_error *error) {
    ps_lane_sealer *sealer = self;
    ps_sealed_chunk *chunk = &sealer->chunk;
    if (chunk->ticket != batch->ticket) *chunk = (ps_sealed_chunk){.ticket = batch->ticket};
    if (chunk->done) return PS_OK;
    PS_TRY(ps_projector_status(sealer->projector, error));
    do {
        PS_TRY(append_chunk(sealer, batch, error));
    } while (hash_chunk(sealer, batch));
    for (uint32_t i = 0; i < batch->position_count; i++) move(sealer, &batch->positions[i]);
    chunk->done = true;
    return PS_OK;
}
