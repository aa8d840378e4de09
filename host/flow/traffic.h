/* SPDX-License-Identifier: Apache-2.0
 * What of a batch crosses to a device with memory of its own and back: the columns that the plan's
 * calls read, and those that they write, each up to the rows in use. Found once per plan.
 */
#ifndef PS_HOST_FLOW_TRAFFIC_H
#define PS_HOST_FLOW_TRAFFIC_H

#include "host/device/backend.h"
#include "host/flow/plan.h"

enum { PS_PIECES_MAX = 3 * PS_COLUMNS_MAX };

/* One part of a column. */
typedef struct ps_piece {
    uint32_t begin; /* byte offset in the block */
    uint32_t room;  /* bytes until the next part of a column begins */
    uint32_t width; /* bytes per unit; 0: bits, a validity; UINT32_MAX: all of the room, always */
    ps_extent extent;
} ps_piece;

typedef struct ps_traffic {
    bool whole; /* some kernel finds its columns by itself: everything goes up */
    bool arena; /* some kernel reads keys, values or strings */
    uint32_t up_count, down_count;
    ps_piece up[PS_PIECES_MAX], down[PS_PIECES_MAX];
} ps_traffic;

void ps_traffic_plan(const ps_plan *plan, ps_traffic *traffic);

/* Queues the copies of one batch. Neighbours that are both wanted travel as one. */
ps_status ps_traffic_up(const ps_traffic *traffic, const ps_backend *backend, ps_queue *queue,
                        const ps_batch *batch) PS_MUST_USE;
ps_status ps_traffic_down(const ps_traffic *traffic, const ps_backend *backend, ps_queue *queue,
                          const ps_batch *batch) PS_MUST_USE;

/* Bytes of a batch of so many rows and arena bytes, for the choice of a back-end. */
uint64_t ps_traffic_bytes(const ps_traffic *traffic, const ps_schema *schema, uint32_t rows,
                          uint64_t arena_bytes, bool up);

#endif
