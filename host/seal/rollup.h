/* SPDX-License-Identifier: Apache-2.0
 * A log of logs' checkpoints: one origin for witnesses to cosign, however many partitions are
 * sealed. Its entries are the signed notes as they are; its own checkpoint is published with the
 * cosignatures of the policy's quorum, or not at all.
 *
 *   add, add … ──> publish: tiles and `.signed` on the disk ──> witnesses ──> `checkpoint`
 *
 * Nothing that was signed is ever signed otherwise: what another run may have told a witness is in
 * `.signed`, on the disk, before a witness is asked, and the next run goes on from there. What was
 * added and not signed is forgotten, and is to be added again.
 *
 * Threads: add and find may be called while publish waits for a witness in another thread.
 */
#ifndef PS_HOST_SEAL_ROLLUP_H
#define PS_HOST_SEAL_ROLLUP_H

#include "host/seal/witness.h"

typedef struct ps_rollup ps_rollup;

typedef struct ps_rollup_options {
    const char *dir;              /* made where it is missing; no other log's */
    const ps_signer *signer;      /* of ps_rollup_signer(); borrowed until it is closed */
    const ps_seal_policy *policy; /* NULL: nobody is asked; borrowed likewise */
    uint32_t timeout_ms;          /* of one question to a witness */
} ps_rollup_options;

/* The origins of roll-ups end in `/rollup`; other logs' must not. The signer is the same secret
 * under such a name. */
bool ps_rollup_is_origin(ps_bytes origin);
ps_status ps_rollup_signer(const ps_signer *from, ps_signer *out, ps_error *error) PS_MUST_USE;

/* Reads a few tiles a level, and up to some thousand entries.
 * Fails: PS_FENCED: another process has it open; PS_TAMPERED: what is there is not what this key
 * has signed; PS_UNSUPPORTED: witnesses, and no libcurl; PS_IO. */
ps_status ps_rollup_open(const ps_rollup_options *options, ps_rollup **out,
                         ps_error *error) PS_MUST_USE;
void ps_rollup_close(ps_rollup *rollup);

/* Signed last, here or by an earlier run. For who calls publish. */
ps_tree ps_rollup_tree(const ps_rollup *rollup);

/* Fails: PS_TAMPERED: that tree is not the beginning of this one; as its files do. */
ps_status ps_rollup_extends(ps_rollup *rollup, const ps_tree *before, ps_error *error) PS_MUST_USE;

/* A freshly signed checkpoint of the log of that key. `*added`, which may be NULL: false where it
 * is the one that was added last. Fails: PS_TAMPERED: not signed by that key, or the log has gone
 * back or another way since the last; PS_BAD_CONFIG: a note of more than PS_ENTRY_BYTES_MAX; else
 * it must be opened anew. */
ps_status ps_rollup_add(ps_rollup *rollup, ps_bytes note, const ps_verifier *log, bool *added,
                        ps_error *error) PS_MUST_USE;

/* The tree of that origin that was added last; false: none. */
bool ps_rollup_find(ps_rollup *rollup, ps_bytes origin, ps_tree *out);

typedef struct ps_rollup_report {
    ps_tree tree;       /* signed last; size 0: nothing yet */
    uint64_t published; /* entries that the published checkpoint speaks of */
    uint32_t witnesses, cosigned, forked;
    int64_t due_ns; /* on ps_clock_ns(): when a witness may be asked again; INT64_MAX: never */
} ps_rollup_report;

/* Signs what was added, asks each witness that is due, and publishes as soon as the quorum is
 * there. To be called whenever something was added, and again at `due_ns`. Fails: PS_AGAIN: signed,
 * but its quorum is not there yet, and why; PS_TAMPERED: nor will it be, since a witness has seen
 * another history; else it must be opened anew. `report` is filled in any case. */
ps_status ps_rollup_publish(ps_rollup *rollup, ps_rollup_report *report,
                            ps_error *error) PS_MUST_USE;

/* From any thread: a publish that waits asks nobody else. */
void ps_rollup_stop(ps_rollup *rollup);

/* NULL: there is no policy. For who calls publish. */
const ps_witnesses *ps_rollup_witnesses(const ps_rollup *rollup);

#endif
