/* SPDX-License-Identifier: Apache-2.0
 * A lane: one thread, one source, one sink, one in-order device queue and a ring of `depth`
 * batches. Lanes share nothing.
 *
 * released <= freed <= emitted <= finished <= submitted <= freed + depth; slot = ticket % depth.
 * A free slot is the credit: without one the source is not asked. A sink that has copied a batch
 * frees its slot before it is safely out. Data goes one way; only two numbers come back, the sink's
 * flushed ticket and the source's commit.
 */
#ifndef PS_HOST_FLOW_LANE_H
#define PS_HOST_FLOW_LANE_H

#include "host/device/backend.h"
#include "host/flow/parts.h"
#include "host/flow/placement.h"
#include "host/mem/topology.h"

typedef struct ps_lane ps_lane;

typedef struct ps_lane_config {
    ps_lane_env env; /* its plan, wake and metrics outlive the lane */
    const ps_backend *backend;
    const ps_placement *placement; /* NULL: stay on `backend` */
    const struct ps_warm *warm;    /* what series begin with, shared; NULL: all begin blind */
    const ps_source *source;
    const void *source_config;
    const ps_codec *codec; /* NULL: work on raw bytes */
    const void *codec_config;
    const ps_sink *sink;
    const void *sink_config;
    uint32_t depth;
    int os_node;         /* NUMA node of its memory, -1: any */
    bool exactly_once;   /* a restored state must stand exactly at the committed offset */
    bool fail_on_reject; /* decode.on_error: fail */
} ps_lane_config;

/* Bytes of the lane's own arena: slots, series table, state. One term of the memory ceiling. */
size_t ps_lane_bytes(const ps_plan *plan, uint32_t depth);

/* Opens source, sink and device and takes all memory. Blocks; afterwards nothing does. */
ps_status ps_lane_open(const ps_lane_config *config, ps_lane **out, ps_error *error) PS_MUST_USE;
void ps_lane_close(ps_lane *lane);

/* Moves whatever can move, without blocking. END: all rows are safely out. `*ask_again_ns`: call
 * again by then even if the wake stays silent. An error is final for this lane: what is uncommitted
 * is not lost, a new lane reads it again. */
ps_status ps_lane_step(ps_lane *lane, bool *moved, int64_t *ask_again_ns,
                       ps_error *error) PS_MUST_USE;

/* Asks the lane to finish what it holds; further steps end with PS_END. */
void ps_lane_drain(ps_lane *lane);

/* True once every partition it was given is being read (or it was given none). */
bool ps_lane_ready(const ps_lane *lane);

/* Where it computes now. */
const ps_backend *ps_lane_backend(const ps_lane *lane);

/* Has it go on there as soon as nothing is under way. For tests: else batches say so. */
void ps_lane_move_to(ps_lane *lane, const ps_backend *backend);

/* Rows left until the ends seen at start; -1: unknown. */
int64_t ps_lane_remaining(const ps_lane *lane);

#endif
