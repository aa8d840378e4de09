/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/audit_keys.h"

#include <stdlib.h>

enum { SLOTS_MIN = 1024 };

void ps_audit_keys_deinit(ps_audit_keys *keys) {
    free(keys->slot);
    *keys = (ps_audit_keys){0};
}

/* SHA-256's own bytes are as good a place as any. */
static ps_audit_key key_of(const ps_hash *key) {
    ps_audit_key out;
    memcpy(out.half, key->byte, sizeof out.half);
    return out;
}

static bool is_key(const ps_audit_key *a, const ps_audit_key *b) {
    return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/* Its slot, or the empty one where it would be. */
static size_t find(const ps_audit_keys *keys, const ps_audit_key *key) {
    size_t at = (size_t)key->half[0] & (keys->slots - 1);
    while (keys->slot[at].offset >= 0 && !is_key(&keys->slot[at], key))
        at = (at + 1) & (keys->slots - 1);
    return at;
}

static bool grow(ps_audit_keys *keys) {
    ps_audit_keys more = {.slots = keys->slots == 0 ? SLOTS_MIN : keys->slots * 2,
                          .count = keys->count};
    more.slot = malloc(more.slots * sizeof *more.slot);
    if (more.slot == NULL) return false;
    for (size_t i = 0; i < more.slots; i++) more.slot[i].offset = -1;
    for (size_t i = 0; i < keys->slots; i++)
        if (keys->slot[i].offset >= 0) more.slot[find(&more, &keys->slot[i])] = keys->slot[i];
    free(keys->slot);
    *keys = more;
    return true;
}

ps_status ps_audit_keys_add(ps_audit_keys *keys, const ps_hash *key, uint64_t index, int64_t offset,
                            ps_error *error) {
    ps_audit_key wanted = key_of(key);
    if (2 * (keys->count + 1) > keys->slots && !grow(keys))
        return ps_fail(error, PS_NO_MEMORY, "no memory for %zu keys of a compacted topic",
                       keys->count);
    wanted.index = index;
    wanted.offset = offset;
    keys->slot[find(keys, &wanted)] = wanted;
    keys->count++;
    return PS_OK;
}

bool ps_audit_keys_remove(ps_audit_keys *keys, const ps_hash *key) {
    const ps_audit_key wanted = key_of(key);
    if (keys->count == 0) return false;
    const size_t mask = keys->slots - 1;
    size_t hole = find(keys, &wanted);
    if (keys->slot[hole].offset < 0) return false;
    /* What was put behind it because it was there moves up. */
    for (size_t at = (hole + 1) & mask; keys->slot[at].offset >= 0; at = (at + 1) & mask) {
        const size_t home = (size_t)keys->slot[at].half[0] & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        keys->slot[hole] = keys->slot[at];
        hole = at;
    }
    keys->slot[hole].offset = -1;
    keys->count--;
    return true;
}

static int by_offset(const void *a, const void *b) {
    const ps_audit_key *const left = a, *const right = b;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

const ps_audit_key *ps_audit_keys_sort(ps_audit_keys *keys) {
    size_t used = 0;
    for (size_t i = 0; i < keys->slots; i++)
        if (keys->slot[i].offset >= 0) keys->slot[used++] = keys->slot[i];
    if (used > 0) qsort(keys->slot, used, sizeof *keys->slot, by_offset);
    return keys->slot;
}
