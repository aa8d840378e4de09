/* SPDX-License-Identifier: Apache-2.0
 * What a log says about itself, signed: its origin, how many entries it has, and their tree's root.
 *
 *   <origin>\n<size>\n<base64 of the root>\n[<extension>\n…]       the text of a signed note
 *
 * Source: c2sp.org/tlog-checkpoint.
 */
#ifndef PS_HOST_SEAL_CHECKPOINT_H
#define PS_HOST_SEAL_CHECKPOINT_H

#include "host/seal/note.h"
#include "host/seal/proof.h"

enum {
    /* Of ours: three lines, an empty one and one signature. */
    PS_CHECKPOINT_MAX = PS_KEY_NAME_MAX + 96 + PS_NOTE_LINE_MAX
};

typedef struct ps_checkpoint {
    ps_bytes origin;     /* part of the text */
    ps_bytes extensions; /* whole lines, as they are; no bytes where there are none */
    ps_tree tree;
} ps_checkpoint;

/* From the text of a note; its size is below 2^63. Fails: PS_TAMPERED. */
ps_status ps_checkpoint_parse(ps_bytes text, ps_checkpoint *out, ps_error *error) PS_MUST_USE;

/* A note that this log's key has signed, and whose origin is the key's name.
 * Fails: PS_TAMPERED. */
ps_status ps_checkpoint_open(ps_bytes bytes, const ps_verifier *log, ps_note *note,
                             ps_checkpoint *out, ps_error *error) PS_MUST_USE;

/* The whole signed note, without extensions; the signer's name is the origin. */
ps_status ps_checkpoint_sign(const ps_tree *tree, const ps_signer *signer,
                             char out[PS_CHECKPOINT_MAX], size_t *length,
                             ps_error *error) PS_MUST_USE;

#endif
