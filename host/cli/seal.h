/* SPDX-License-Identifier: Apache-2.0
 * What the verbs of `penstock seal` share: its options, keys and files from the command line, a log
 * in a directory with its checkpoint read.
 */
#ifndef PS_HOST_CLI_SEAL_H
#define PS_HOST_CLI_SEAL_H

#include "host/cli/args.h"
#include "host/cli/pool.h"
#include "host/seal/checkpoint.h"
#include "host/seal/place.h"

typedef struct ps_seal_options {
    ps_string_list key, property;
    const char *into, *signer, *policy;
    int64_t wait_ns;
    const char *output, *index, *entry, *leaf, *listen;
    const char *dir, *brokers, *pipeline, *partition, *offset, *from;
    bool json;
} ps_seal_options;

/* One verb: `operand` are the words behind it. Returns the exit code. */
typedef struct ps_seal_job {
    const ps_seal_options *chosen;
    const char *const *operand;
    uint32_t count;
    ps_pool *pool;
} ps_seal_job;

int ps_seal_keygen(const ps_seal_job *job);
int ps_seal_show(const ps_seal_job *job);
int ps_seal_prove(const ps_seal_job *job);
int ps_seal_rollup(const ps_seal_job *job);
int ps_seal_serve(const ps_seal_job *job);
int ps_seal_verify(const ps_seal_job *job); /* DIR, with every log below it */
int ps_seal_verify_proof(const ps_seal_job *job);
int ps_seal_verify_consistency(const ps_seal_job *job);
int ps_seal_verify_topic(const ps_seal_job *job);
int ps_seal_verify_record(const ps_seal_job *job);

/* Prints an error. TAMPERED: 1; a wrong option: 2; otherwise `else_code`. */
int ps_seal_failed(ps_status status, const ps_error *error, int else_code);

/* The same of a verification: 3 otherwise; with --json the object that says so is printed too. */
int ps_seal_refuted(const ps_seal_options *chosen, ps_status status, const ps_error *error);

/* ok, tampered, cannot_tell: what a verification's `result` is. */
const char *ps_seal_result(ps_status status);

/* "name":"text", escaped, to stdout. */
void ps_seal_put_text(const char *name, const char *text);

/* A key as text, or the file it is in. */
ps_status ps_seal_key(const char *text, ps_verifier *out, ps_error *error) PS_MUST_USE;

/* A whole file, `-` for stdin. Owns: the caller frees the bytes. */
ps_status ps_seal_file(const char *path, uint8_t **bytes, size_t *length,
                       ps_error *error) PS_MUST_USE;

/* --index as a number. */
ps_status ps_seal_index(const ps_seal_options *chosen, uint64_t *out, ps_error *error) PS_MUST_USE;

/* A number from 0 that option `name` must say. */
ps_status ps_seal_number(const char *name, const char *text, uint64_t *out,
                         ps_error *error) PS_MUST_USE;

/* A log and its checkpoint, of which `key` says who has signed it: one of --key, else the log's
 * own. */
typedef struct ps_seal_log {
    ps_seal_place place;
    uint8_t *bytes; /* of the checkpoint */
    size_t length;
    ps_note note;
    ps_checkpoint checkpoint;
    ps_verifier key;
    bool has_key;
} ps_seal_log;

/* `path`: a directory or a URL. Fails: PS_TAMPERED: a key is there and has not signed it. Owns:
 * ps_seal_log_deinit in either case. */
ps_status ps_seal_log_init(ps_seal_log *log, const char *path, const ps_seal_options *chosen,
                           ps_error *error) PS_MUST_USE;
void ps_seal_log_deinit(ps_seal_log *log);

/* One entry and its leaf hash. Owns: the caller frees `*bundle`, which the entry is part of. */
ps_status ps_seal_log_entry(const ps_seal_log *log, uint64_t index, uint8_t **bundle,
                            ps_bytes *entry, ps_error *error) PS_MUST_USE;

/* An entry in words, on stdout; one that is not of our form in hex. */
void ps_seal_print_entry(ps_bytes entry, bool json);

/* What leads from an entry to the checkpoint's root. Fails: PS_TAMPERED: nothing does. */
ps_status ps_seal_log_prove(const ps_seal_log *log, uint64_t index, ps_bytes entry, ps_proof *proof,
                            ps_error *error) PS_MUST_USE;

/* Where the program is in a long check, on a terminal. */
typedef struct ps_seal_live {
    int64_t started_ns, shown_ns;
    bool on;
} ps_seal_live;
void ps_seal_live_begin(ps_seal_live *live, bool wanted);
void ps_seal_live_tell(ps_seal_live *live, uint64_t entries, uint64_t size);
void ps_seal_live_hide(const ps_seal_live *live);

#endif
