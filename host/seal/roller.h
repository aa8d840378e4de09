/* SPDX-License-Identifier: Apache-2.0
 * Rolls up what a worker seals: the freshly signed checkpoints of all its lanes' logs go into one
 * log of checkpoints (rollup.h), on a thread of its own, so that neither a disk nor a witness that
 * makes it wait holds up a lane. What waits is one checkpoint a partition: a newer one takes the
 * place of an older one that was not taken yet.
 *
 *   projectors ── offer ──> [newest of each partition] ── at most once an interval ──> roll-up
 *
 * What goes wrong is said as a warning and tried again; what was not signed is added again.
 */
#ifndef PS_HOST_SEAL_ROLLER_H
#define PS_HOST_SEAL_ROLLER_H

#include "host/flow/metrics.h"
#include "host/seal/rollup.h"
#include "host/seal/stage_seal.h"

enum { PS_ROLLER_STOP_MS = 5000 /* that witnesses still have when it is closed */ };

typedef struct ps_roller ps_roller;

typedef struct ps_roller_options {
    ps_rollup_options rollup; /* what it borrows stays until the roller is closed */
    int64_t interval_ns;      /* between two signatures of the roll-up, at least */
    uint32_t partitions;      /* of the source, at most */
} ps_roller_options;

/* Bytes that it takes, its roll-up included; `asks`: there is a policy. */
size_t ps_roller_bytes(uint32_t partitions, bool asks);

/* Fails: as ps_rollup_open() does; PS_NO_MEMORY. */
ps_status ps_roller_open(const ps_roller_options *options, ps_roller **out,
                         ps_error *error) PS_MUST_USE;

/* Threads: any. Neither waits nor takes memory. */
void ps_roller_offer(ps_roller *roller, const ps_published *published);

/* From any thread. */
const ps_roll_metrics *ps_roller_metrics(const ps_roller *roller);

/* What was offered is signed first. A witness that does not answer holds this up for
 * PS_ROLLER_STOP_MS and the timeout of one question. */
void ps_roller_close(ps_roller *roller);

#endif
