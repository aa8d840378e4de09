/* SPDX-License-Identifier: Apache-2.0
 * A proof that travels alone: the index of an entry, the hashes that lead from it to the root, and
 * the signed checkpoint with that root. Who has the entry and the log's key needs nothing else.
 *
 *   c2sp.org/tlog-proof@v1\n[extra <base64>\n]index <i>\n<base64 hash>\n…\n\n<signed checkpoint>
 *
 * Source: c2sp.org/tlog-proof.
 */
#ifndef PS_HOST_SEAL_PROOF_FILE_H
#define PS_HOST_SEAL_PROOF_FILE_H

#include "host/seal/base64.h"
#include "host/seal/checkpoint.h"

enum {
    PS_PROOF_EXTRA_MAX = 1024, /* bytes that we write */
    /* The head of a file, without the checkpoint. */
    PS_PROOF_FILE_MAX = 80 + PS_BASE64_LENGTH(PS_PROOF_EXTRA_MAX) + PS_PROOF_MAX * 45
};

typedef struct ps_proof_file {
    ps_bytes extra; /* base64, not authenticated; no bytes where there is none */
    uint64_t index;
    ps_proof proof;
    ps_bytes checkpoint; /* the signed note, part of the bytes read */
} ps_proof_file;

/* Form only. Fails: PS_TAMPERED. */
ps_status ps_proof_file_parse(ps_bytes bytes, ps_proof_file *out, ps_error *error) PS_MUST_USE;

/* What comes before the checkpoint, the empty line included: its length. `extra` has at most
 * PS_PROOF_EXTRA_MAX bytes; none: no line of it. */
size_t ps_proof_file_write(uint64_t index, const ps_proof *proof, ps_bytes extra,
                           char out[PS_PROOF_FILE_MAX]);

/* Checks the whole of it for this leaf hash: signature, origin, and the way to the root.
 * Fails: PS_TAMPERED, saying which. */
ps_status ps_proof_file_verify(const ps_proof_file *file, const ps_hash *leaf,
                               const ps_verifier *log, ps_tree *tree, ps_error *error) PS_MUST_USE;

#endif
