/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/traffic.h"

#include <string.h>

enum {
    READ = 1,
    WRITTEN = 2,
    PARTS = 3,
    /* A copy costs some microseconds, about what this many bytes cost: smaller gaps go along. */
    GAP = 16 * 1024
};

/* How the parts of the columns are used; indexed like ps_column_part. */
typedef struct uses {
    uint8_t of[PS_COLUMNS_MAX][PARTS];
} uses;

static void find_uses(const ps_plan *plan, ps_traffic *traffic, uses *found) {
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        const uint32_t writes = *ps_kernels[call->kernel].writes;
        for (uint32_t o = 0; o < call->operand_count; o++) {
            const ps_operand *operand = &call->operand[o];
            if (operand->home != PS_HOME_BATCH) continue;
            if (operand->column == PS_NOWHERE) {
                const bool written = (writes >> o) & 1;
                PS_CHECK(!written ||
                         operand->part != PS_PART_LENGTHS); /* the arena is the host's */
                if (operand->part == PS_PART_LENGTHS)
                    traffic->arena = true;
                else if (!written) /* what it writes, its relocations say */
                    traffic->whole = true;
                continue;
            }
            found->of[operand->column][operand->part] |= (writes >> o) & 1 ? WRITTEN : READ;
        }
    }
    for (uint32_t i = 0; i < plan->relocation_count; i++) {
        const ps_relocation *relocation = &plan->relocation[i];
        if (relocation->column != PS_NOWHERE)
            found->of[relocation->column][relocation->part] |= relocation->written ? WRITTEN : READ;
    }
}

static uint32_t part_begin(const ps_column *column, uint32_t part) {
    return part == PS_PART_VALUES    ? column->values
           : part == PS_PART_LENGTHS ? column->lengths
                                     : column->validity;
}

static void add(ps_piece *pieces, uint32_t *count, const ps_piece *piece) {
    PS_CHECK_OP(*count, <, (uint32_t)PS_PIECES_MAX);
    pieces[(*count)++] = *piece;
}

void ps_traffic_plan(const ps_plan *plan, ps_traffic *traffic) {
    const ps_schema *schema = &plan->schema;
    uses found;
    memset(&found, 0, sizeof found);
    memset(traffic, 0, sizeof *traffic);
    find_uses(plan, traffic, &found);
    uint32_t previous_end = 0;
    ps_piece *open[2] = {NULL, NULL}; /* whose room ends where the next part begins */
    for (uint32_t c = 0; c < schema->column_count; c++) {
        const ps_column *column = &schema->column[c];
        for (uint32_t part = 0; part < PARTS; part++) {
            const uint32_t begin = part_begin(column, part);
            if (begin == PS_NOWHERE) continue;
            PS_CHECK_OP(begin, >=, previous_end);
            previous_end = begin;
            for (uint32_t i = 0; i < 2; i++)
                if (open[i] != NULL) open[i]->room = begin - open[i]->begin;
            open[0] = open[1] = NULL;
            const uint8_t use = found.of[c][part];
            if (use == 0) continue;
            ps_piece piece = {begin, schema->arena - begin, column->width, column->extent};
            if (part == PS_PART_LENGTHS) piece.width = 4;
            if (part == PS_PART_VALIDITY) piece.width = 0;
            /* The planes of a scratch column lie rows_max apart. */
            if (column->type == PS_TYPE_SCRATCH && column->extent == PS_PER_ROW)
                piece.width = UINT32_MAX;
            /* What is written goes up too: rows that no kernel touches keep what the host put
             * there. */
            add(traffic->up, &traffic->up_count, &piece);
            open[0] = &traffic->up[traffic->up_count - 1];
            if ((use & WRITTEN) == 0) continue;
            add(traffic->down, &traffic->down_count, &piece);
            open[1] = &traffic->down[traffic->down_count - 1];
        }
    }
}

static size_t used(const ps_piece *piece, uint32_t rows, uint32_t segments) {
    const uint64_t units = piece->extent == PS_PER_ROW       ? rows
                           : piece->extent == PS_PER_SEGMENT ? (uint64_t)segments + 1
                                                             : 1;
    if (piece->width == UINT32_MAX) return rows == 0 ? 0 : piece->room;
    return piece->width == 0 ? (units + 63) / 64 * 8 : units * piece->width;
}

typedef ps_status copy_fn(ps_queue *, ps_span, size_t);

/* Copies pieces [0, count), joining one to the next where only unused room lies between. */
static ps_status copy(const ps_piece *pieces, uint32_t count, copy_fn *one, ps_queue *queue,
                      const ps_batch *batch) {
    for (uint32_t i = 0; i < count;) {
        const uint32_t begin = pieces[i].begin;
        size_t end = begin + used(&pieces[i], batch->rows, batch->segment_count);
        for (i++; i < count; i++) {
            const ps_piece *last = &pieces[i - 1];
            if (last->begin + last->room != pieces[i].begin || pieces[i].begin - end > GAP) break;
            end = pieces[i].begin + used(&pieces[i], batch->rows, batch->segment_count);
        }
        PS_TRY(one(queue, (ps_span){&batch->block, begin}, end - begin));
    }
    return PS_OK;
}

ps_status ps_traffic_up(const ps_traffic *traffic, const ps_backend *backend, ps_queue *queue,
                        const ps_batch *batch) {
    const ps_schema *schema = batch->schema;
    if (traffic->whole)
        return backend->upload(queue, (ps_span){&batch->block, 0},
                               schema->arena + batch->arena_used);
    PS_TRY(copy(traffic->up, traffic->up_count, backend->upload, queue, batch));
    if (!traffic->arena) return PS_OK;
    return backend->upload(queue, (ps_span){&batch->block, schema->arena}, batch->arena_used);
}

ps_status ps_traffic_down(const ps_traffic *traffic, const ps_backend *backend, ps_queue *queue,
                          const ps_batch *batch) {
    return copy(traffic->down, traffic->down_count, backend->download, queue, batch);
}

uint64_t ps_traffic_bytes(const ps_traffic *traffic, const ps_schema *schema, uint32_t rows,
                          uint64_t arena_bytes, bool up) {
    if (up && traffic->whole) return schema->arena + arena_bytes;
    const ps_piece *pieces = up ? traffic->up : traffic->down;
    const uint32_t count = up ? traffic->up_count : traffic->down_count;
    uint64_t bytes = up && traffic->arena ? arena_bytes : 0;
    for (uint32_t i = 0; i < count; i++) bytes += used(&pieces[i], rows, rows);
    return bytes;
}
