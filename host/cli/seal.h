/* SPDX-License-Identifier: Apache-2.0
 * What the verbs of `penstock seal` share: its options, keys and files from the command line, a log
 * in a directory with its checkpoint read.
 */
#ifndef PS_HOST_CLI_SEAL_H
#define PS_HOST_CLI_SEAL_H

#include "host/cli/args.h"
#include "host/seal/checkpoint.h"
#include "host/seal/folder.h"

typedef struct ps_seal_options {
    ps_string_list key;
    const char *into, *signer, *policy;
    int64_t wait_ns;
    const char *output, *index, *entry, *leaf, *listen;
    bool json;
} ps_seal_options;

/* One verb: `operand` are the words behind it. Returns the exit code. */
typedef struct ps_seal_job {
    const ps_seal_options *chosen;
    const char *const *operand;
    uint32_t count;
} ps_seal_job;

int ps_seal_keygen(const ps_seal_job *job);
int ps_seal_show(const ps_seal_job *job);
int ps_seal_prove(const ps_seal_job *job);
int ps_seal_rollup(const ps_seal_job *job);
int ps_seal_serve(const ps_seal_job *job);
int ps_seal_verify(const ps_seal_job *job); /* DIR, with every log below it */
int ps_seal_verify_proof(const ps_seal_job *job);
int ps_seal_verify_consistency(const ps_seal_job *job);

/* Prints an error. TAMPERED: 1; a wrong option: 2; otherwise `else_code`. */
int ps_seal_failed(ps_status status, const ps_error *error, int else_code);

/* A key as text, or the file it is in. */
ps_status ps_seal_key(const char *text, ps_verifier *out, ps_error *error) PS_MUST_USE;

/* A whole file, `-` for stdin. Owns: the caller frees the bytes. */
ps_status ps_seal_file(const char *path, uint8_t **bytes, size_t *length,
                       ps_error *error) PS_MUST_USE;

/* --index as a number. */
ps_status ps_seal_index(const ps_seal_options *chosen, uint64_t *out, ps_error *error) PS_MUST_USE;

/* A directory and its checkpoint, of which `key` says who has signed it: the first --key, else the
 * log's own. */
typedef struct ps_seal_log {
    ps_seal_folder *folder;
    ps_tile_source source;
    uint8_t *bytes; /* of the checkpoint */
    size_t length;
    ps_note note;
    ps_checkpoint checkpoint;
    ps_verifier key;
    bool has_key;
} ps_seal_log;

/* Fails: PS_TAMPERED: a key is there and has not signed it. Owns: ps_seal_log_deinit in either
 * case. */
ps_status ps_seal_log_init(ps_seal_log *log, const char *path, const ps_seal_options *chosen,
                           ps_error *error) PS_MUST_USE;
void ps_seal_log_deinit(ps_seal_log *log);

/* One entry and its leaf hash. Owns: the caller frees `*bundle`, which the entry is part of. */
ps_status ps_seal_log_entry(const ps_seal_log *log, uint64_t index, uint8_t **bundle,
                            ps_bytes *entry, ps_error *error) PS_MUST_USE;

/* An entry in words, on stdout; one that is not of our form in hex. */
void ps_seal_print_entry(ps_bytes entry, bool json);

#endif
