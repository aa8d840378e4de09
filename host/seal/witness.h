/* SPDX-License-Identifier: Apache-2.0
 * The witnesses of a policy, as one log speaks with them: each is handed a checkpoint with a proof
 * that it extends what that witness has seen last, and answers with its cosignature, which counts
 * once it was checked.
 *
 *   begin ──> ask, ask, … until nobody is due ──> begin with the next checkpoint …
 *                └─ quorum? ──> note
 *
 * Threads: one at a time; ask waits for an answer, as long as the timeout, and nothing else does.
 * Source: c2sp.org/tlog-witness.
 */
#ifndef PS_HOST_SEAL_WITNESS_H
#define PS_HOST_SEAL_WITNESS_H

#include "host/seal/policy.h"

enum {
    PS_WITNESSES_MAX = PS_NOTE_LINES_MAX - 1,
    PS_WITNESS_ANSWER_MAX = 65536, /* bytes; ten witnesses' keys would not need 10,000 */
    /* A checkpoint of ours with all of their lines. */
    PS_COSIGNED_MAX = PS_CHECKPOINT_MAX + PS_WITNESSES_MAX * PS_NOTE_LINE_MAX
};

typedef enum ps_witness_verdict {
    PS_WITNESS_WAITING, /* not asked about this checkpoint yet */
    PS_WITNESS_COSIGNED,
    PS_WITNESS_NO_ANSWER,  /* nobody there, too late, or it has troubles of its own */
    PS_WITNESS_REFUSED,    /* its operator, or ours, has to do something */
    PS_WITNESS_BAD_ANSWER, /* not what its key would say */
    PS_WITNESS_FORKED      /* it has cosigned another history of this log: it is not asked again */
} ps_witness_verdict;

typedef struct ps_witness {
    const ps_verifier *key;
    ps_bytes name, url; /* as the policy has them; no bytes: it cannot be asked */
    ps_witness_verdict verdict;
    char why[256];      /* in words, unless it has cosigned or waits */
    uint64_t size_seen; /* what it has cosigned last, as far as we know */
    uint64_t time_s;    /* of the cosignature */
    uint32_t failures;  /* in a row; each doubles the time until it is asked again */
    int64_t due_ns;
    size_t line_length;
    char line[PS_NOTE_LINE_MAX];
} ps_witness;

typedef struct ps_witnesses ps_witnesses;

/* `policy` and its text are borrowed until it is closed. Fails: PS_BAD_CONFIG: more than
 * PS_WITNESSES_MAX; PS_UNSUPPORTED: one is to be asked, and there is no libcurl. */
ps_status ps_witnesses_open(const ps_seal_policy *policy, uint32_t timeout_ms, ps_witnesses **out,
                            ps_error *error) PS_MUST_USE;
void ps_witnesses_close(ps_witnesses *witnesses);

/* From now on this checkpoint is the one to cosign: a note of the log's own key alone. */
void ps_witnesses_begin(ps_witnesses *witnesses, ps_bytes note, const ps_tree *tree);

/* Takes what a checkpoint that was cosigned before tells: who has seen its tree, and where it is
 * the one to cosign, the cosignatures. */
void ps_witnesses_recall(ps_witnesses *witnesses, ps_bytes note, const ps_tree *tree);

/* Asks one that is due, those that have not failed before the others; `tiles` prove. Whatever comes
 * of it is in its verdict. Fails: PS_END: nobody is due; else as the tiles' source does. */
ps_status ps_witnesses_ask(ps_witnesses *witnesses, ps_tiles *tiles, int64_t now_ns,
                           ps_error *error) PS_MUST_USE;

/* When the next will be due; INT64_MAX: nobody. */
int64_t ps_witnesses_due(const ps_witnesses *witnesses);

uint32_t ps_witnesses_count(const ps_witnesses *witnesses);
const ps_witness *ps_witnesses_at(const ps_witnesses *witnesses, uint32_t index);
bool ps_witnesses_have_quorum(ps_witnesses *witnesses);

/* The checkpoint with all cosignatures; valid until the next call. */
ps_bytes ps_witnesses_note(ps_witnesses *witnesses);

/* What add-checkpoint answers: the one line of that key, checked, in a form of its own. Lines of
 * other keys are passed over. Fails: PS_TAMPERED, saying what is wrong. */
ps_status ps_witness_read(ps_bytes text, ps_bytes answer, const ps_verifier *key, ps_witness *out,
                          ps_error *error) PS_MUST_USE;

#endif
