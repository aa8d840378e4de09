/* SPDX-License-Identifier: Apache-2.0
 * The verifier keys of `--key`: each log takes the one that is named as its origin, else the one
 * that its origin lies below: a pipeline's key signs all of its logs, for each under the log's own
 * name. Where a key was replaced by another of that name, both may be given: who signed decides.
 */
#ifndef PS_HOST_CLI_SEAL_KEYS_H
#define PS_HOST_CLI_SEAL_KEYS_H

#include "host/cli/seal.h"

typedef struct ps_seal_keys {
    ps_verifier *key;
    bool *used;
    uint32_t count;
    ps_verifier renamed; /* of the log that was asked about last */
} ps_seal_keys;

/* Owns: ps_seal_keys_deinit in either case. */
ps_status ps_seal_keys_init(ps_seal_keys *keys, const ps_string_list *texts,
                            ps_error *error) PS_MUST_USE;
void ps_seal_keys_deinit(ps_seal_keys *keys);

/* Of `count` keys those that are named as the origin: the one that has signed the note, else one
 * whose line in it is forged, else the first. NULL: none is named so. */
const ps_verifier *ps_seal_key_of(const ps_verifier *keys, uint32_t count, const ps_note *note,
                                  ps_bytes origin);

/* The same of --key, where a key whose name the origin lies below counts as one of that log's.
 * Valid until the next call. The key is used then. */
const ps_verifier *ps_seal_keys_find(ps_seal_keys *keys, const ps_note *note, ps_bytes origin);

/* The --key that a checkpoint is to be checked with: the same, and the first where none is for it.
 * At least one was given. */
ps_status ps_seal_key_for(const ps_seal_options *chosen, ps_bytes checkpoint, ps_verifier *out,
                          ps_error *error) PS_MUST_USE;

/* The key for a log; `only`: it is the only one, and a single key is for it. NULL: none was given,
 * or, `*missing`, none of those is for it. */
const ps_verifier *ps_seal_keys_choose(ps_seal_keys *keys, const ps_tile_source *log, bool only,
                                       bool *missing);

/* How many keys were given whose log was not there; says which. */
uint32_t ps_seal_keys_unused(const ps_seal_keys *keys, const char *where);

#endif
