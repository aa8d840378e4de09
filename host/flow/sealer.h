/* SPDX-License-Identifier: Apache-2.0
 * What seals a lane's rows: every record that the source gave, in its order, becomes an entry of
 * its partition's log. What a transaction adds to the logs goes out in that transaction; what was
 * committed is signed and shown afterwards, and never before.
 *
 *   sink:  begin a batch ──> rows ──> next, taken, … ──> the batch's own records
 *          the transaction ends ──> next(closing), taken, … ──> commit ──> committed, or undo
 *          a partition comes ──> begin ──> gather ──> apply, apply, … ──> restored
 *   lane:  step, step, … ──> leave (a partition goes) ──> finish (no more will come)
 *
 * Threads: the lane's; `gather`, `apply` and `restored` may be one other's, for a partition that
 * the lane does nothing with meanwhile.
 */
#ifndef PS_HOST_FLOW_SEALER_H
#define PS_HOST_FLOW_SEALER_H

#include "host/batch/batch.h"
#include "host/batch/partitions.h"
#include "host/flow/metrics.h"

struct ps_lane_env;
struct ps_plan;

/* A record for the transaction, in the compacted topic `<pipeline>.seal`. Borrowed until `taken`.
 */
typedef struct ps_sealed {
    uint32_t partition; /* of the source */
    ps_bytes key, value;
} ps_sealed;

typedef struct ps_sealer {
    /* Once a worker, before its lanes and after them: `*shared` is each lane's `sealer_shared`. It
     * takes `shared_memory` bytes. */
    ps_status (*share)(const struct ps_plan *plan, void **shared, ps_error *);
    void (*unshare)(void *shared);
    size_t (*shared_memory)(const struct ps_plan *plan);
    /* What its roll-up tells, from any thread; NULL: there is none. */
    const ps_roll_metrics *(*rolled)(const void *shared);

    ps_status (*open)(const struct ps_lane_env *env, void **self, ps_error *);
    void (*close)(void *self);
    /* Bytes that it takes per lane beyond its columns. */
    size_t (*memory)(const struct ps_plan *plan);

    /* Signs and writes what is due. `*ask_again_ns`: when more will be. TAMPERED, IO: it went
     * wrong. */
    ps_status (*step)(void *self, int64_t *ask_again_ns, ps_error *);
    /* AGAIN until all that is committed of the partition, or of all, is signed and written. */
    ps_status (*leave)(void *self, uint32_t partition, ps_error *);
    ps_status (*finish)(void *self, ps_error *);

    /* Once a batch, and again where it answers AGAIN: take records first; none is there: wait for
     * the lane's wake. TAMPERED: these are not the rows that follow. */
    ps_status (*rows)(void *self, const ps_batch *batch, ps_error *);
    /* The next record; `closing`: the transaction ends, and with it says where the logs stand. */
    bool (*next)(void *self, bool closing, ps_sealed *out);
    void (*taken)(void *self);
    /* All since the last time is committed; or will never be, and every log is restored. */
    void (*committed)(void *self);
    void (*undo)(void *self);
    void (*forget)(void *self, uint32_t partition);

    /* The lane's: AGAIN: files are still being written. */
    ps_status (*begin)(void *self, uint32_t partition, ps_error *);
    /* From now on records of that one's log; what came before does not count. */
    void (*gather)(void *self, uint32_t partition);
    /* A record of the topic, in the order written; others' are passed over. */
    ps_status (*apply)(void *self, uint32_t partition, ps_bytes key, ps_bytes value, ps_error *);
    /* AGAIN: begin anew with older records; `all`: there are none. */
    ps_status (*restored)(void *self, uint32_t partition, bool all, ps_error *);
    /* Where the restored log stands; false: it is empty, and may begin anywhere. */
    bool (*stands)(const void *self, uint32_t partition, int64_t *next);
} ps_sealer;

/* "<origin>/<cluster>/<topic>/<topic id>/<partition>" into PS_ORIGIN_MAX bytes: its length. */
enum { PS_ORIGIN_MAX = 512 };
uint32_t ps_seal_origin(const char *origin, const ps_partitions *all, uint32_t partition,
                        char text[PS_ORIGIN_MAX]);

#endif
