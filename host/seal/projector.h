/* SPDX-License-Identifier: Apache-2.0
 * Writes a lane's logs as plain files and signs them, on a thread of its own, in the order in which
 * it is told to: tiles first, some of them together, then the checkpoint that refers to them.
 * Between the lane and the thread is a ring of bounded size; what in it goes into the lane's
 * transaction stays until it is there too.
 *
 * Threads: all calls are the lane's; the logs' `folder` and `signer` are set before the first item
 * of theirs.
 */
#ifndef PS_HOST_SEAL_PROJECTOR_H
#define PS_HOST_SEAL_PROJECTOR_H

#include "host/base/wake.h"
#include "host/seal/checkpoint.h"
#include "host/seal/entry.h"
#include "host/seal/folder.h"
#include "host/seal/log_metrics.h"
#include "host/seal/roller.h"

enum {
    PS_PROJECTOR_SLOTS = 96,
    PS_SEALED_BYTES = 2 + PS_SEAL_ENTRY_BYTES, /* of an entry in its bundle */
    PS_SEALED_BUNDLE = PS_TILE_WIDTH * PS_SEALED_BYTES
};

/* A log as files. */
typedef struct ps_projected {
    ps_seal_folder *folder; /* NULL: it was not opened yet */
    ps_signer signer;
    uint32_t partition;
    ps_log_metrics *metrics; /* NULL: nobody asks */
    bool named;              /* its `vkey` is there */
    ps_tree signed_tree;     /* last; see ps_projector_signed() */
} ps_projected;

/* The checkpoint in the folder, signed by us; size 0: there is none. Fails: PS_TAMPERED: it is
 * another's; PS_IO. */
ps_status ps_projected_shown(const ps_projected *projected, ps_tree *out,
                             ps_error *error) PS_MUST_USE;

typedef struct ps_projector ps_projector;

typedef struct ps_projected_tile {
    uint32_t log;
    ps_tile tile;
    ps_bytes bytes;
} ps_projected_tile;

size_t ps_projector_bytes(void);

/* `logs`, [count], is borrowed, and so is who is offered each checkpoint; NULL: nobody. */
ps_status ps_projector_open(ps_projected *logs, ps_roller *roller, ps_wake *wake,
                            ps_projector **out, ps_error *error) PS_MUST_USE;
/* What it was told to write is written. */
void ps_projector_close(ps_projector *projector);

/* False: no room for so many items; the wake is signalled when there is more. */
bool ps_projector_has_room(ps_projector *projector, uint32_t items);
/* There must be room. `goes_out`: the transaction takes it too. */
void ps_projector_tile(ps_projector *projector, const ps_projected_tile *what, bool goes_out);
void ps_projector_checkpoint(ps_projector *projector, uint32_t log, const ps_frontier *frontier);

/* The oldest tile that the transaction has not taken; borrowed until it is. False: there is none.
 */
bool ps_projector_unsent(ps_projector *projector, ps_projected_tile *out);
void ps_projector_sent(ps_projector *projector);
/* The transaction will not take what is there. */
void ps_projector_unwanted(ps_projector *projector);

/* Nothing is left to write; if there is, the wake is signalled later. */
bool ps_projector_idle(ps_projector *projector);
ps_status ps_projector_status(ps_projector *projector, ps_error *error) PS_MUST_USE;
ps_tree ps_projector_signed(ps_projector *projector, uint32_t log);

#endif
