/* SPDX-License-Identifier: Apache-2.0
 * Entries of a compacted topic that have no record: a later entry with the same key explains them.
 * Until one comes they are kept by the first half of their key's hash.
 */
#ifndef PS_HOST_SEAL_AUDIT_KEYS_H
#define PS_HOST_SEAL_AUDIT_KEYS_H

#include "host/base/status.h"
#include "host/seal/hash.h"

typedef struct ps_audit_key {
    uint64_t half[2];
    uint64_t index;
    int64_t offset; /* -1: an empty slot */
} ps_audit_key;

typedef struct ps_audit_keys {
    ps_audit_key *slot; /* open addressing, at most half full */
    size_t slots, count;
} ps_audit_keys;

void ps_audit_keys_deinit(ps_audit_keys *keys);

/* A key that is not there yet. */
ps_status ps_audit_keys_add(ps_audit_keys *keys, const ps_hash *key, uint64_t index, int64_t offset,
                            ps_error *error) PS_MUST_USE;

/* False: it is not there. */
bool ps_audit_keys_remove(ps_audit_keys *keys, const ps_hash *key);

/* What is left, by offset: `count` of them from the first slot on. Nothing else works behind it. */
const ps_audit_key *ps_audit_keys_sort(ps_audit_keys *keys);

#endif
