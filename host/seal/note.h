/* SPDX-License-Identifier: Apache-2.0
 * Signed notes: a text, an empty line, and a line for each signature. Who reads one trusts nothing
 * in it before a key that it knows has signed the text; signatures of other keys are passed over.
 *
 *   <text>\n\n— <name> <base64 of id and signature>\n…
 *
 * Source: c2sp.org/signed-note; what is refused is what golang.org/x/mod/sumdb/note refuses.
 */
#ifndef PS_HOST_SEAL_NOTE_H
#define PS_HOST_SEAL_NOTE_H

#include "host/seal/key.h"

enum {
    PS_NOTE_LINES_MAX = 100,
    PS_NOTE_BYTES_MAX = 1000000,
    /* A signature line of ours: dash, name, base64 of id, time and signature. */
    PS_NOTE_LINE_MAX = PS_KEY_NAME_MAX + 128
};

typedef struct ps_note_line {
    ps_bytes name, base64; /* of id and signature, which is not empty */
    uint32_t id;
} ps_note_line;

/* Parts of the bytes that it was read from. */
typedef struct ps_note {
    ps_bytes text; /* its last newline included */
    uint32_t lines;
    ps_note_line line[PS_NOTE_LINES_MAX];
} ps_note;

typedef enum ps_note_verdict {
    PS_NOTE_UNSIGNED, /* not by this key */
    PS_NOTE_SIGNED,
    PS_NOTE_FORGED /* a line with its name and id that it has not made */
} ps_note_verdict;

/* Form only. Fails: PS_TAMPERED, saying what is wrong. */
ps_status ps_note_parse(ps_bytes bytes, ps_note *out, ps_error *error) PS_MUST_USE;

/* The first line of that key decides. `time_s`, which may be NULL, gets a cosignature's time, 0 of
 * any other. */
ps_note_verdict ps_note_verify(const ps_note *note, const ps_verifier *verifier, uint64_t *time_s);

/* A note that at least one of these keys has signed, and none of them has a forged line in.
 * Fails: PS_TAMPERED. */
ps_status ps_note_open(ps_bytes bytes, const ps_verifier *verifiers, uint32_t count, ps_note *out,
                       ps_error *error) PS_MUST_USE;

/* One signature line with its newline, to go behind the text and its empty line: into
 * PS_NOTE_LINE_MAX bytes, `*length` without the NUL. `time_s` is for PS_KEY_COSIGNATURE alone. */
ps_status ps_note_sign(ps_bytes text, const ps_signer *signer, uint64_t time_s,
                       char line[PS_NOTE_LINE_MAX], size_t *length, ps_error *error) PS_MUST_USE;

#endif
