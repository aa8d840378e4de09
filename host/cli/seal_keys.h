/* SPDX-License-Identifier: Apache-2.0
 * The verifier keys of `--key`: each log takes the one that is named as its origin.
 */
#ifndef PS_HOST_CLI_SEAL_KEYS_H
#define PS_HOST_CLI_SEAL_KEYS_H

#include "host/cli/seal.h"

typedef struct ps_seal_keys {
    ps_verifier *key;
    bool *used;
    uint32_t count;
} ps_seal_keys;

/* Owns: ps_seal_keys_deinit in either case. */
ps_status ps_seal_keys_init(ps_seal_keys *keys, const ps_string_list *texts,
                            ps_error *error) PS_MUST_USE;
void ps_seal_keys_deinit(ps_seal_keys *keys);

/* The key for a log; `only`: it is the only one, and a single key is for it. NULL: none was given,
 * or, `*missing`, none of those is for it. */
const ps_verifier *ps_seal_keys_choose(ps_seal_keys *keys, const ps_tile_source *log, bool only,
                                       bool *missing);

/* How many keys were given whose log was not there; says which. */
uint32_t ps_seal_keys_unused(const ps_seal_keys *keys, const char *where);

#endif
