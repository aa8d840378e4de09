/* SPDX-License-Identifier: Apache-2.0
 * Which tree of each log a roll-up holds last, so that the same checkpoint is not added twice and a
 * log that went back is noticed. Kept in a file of the roll-up's directory from time to time; what
 * it lacks is read from the entries behind it, so it may be old, or gone, but not wrong.
 */
#ifndef PS_HOST_SEAL_ORIGINS_H
#define PS_HOST_SEAL_ORIGINS_H

#include "host/seal/checkpoint.h"
#include "host/seal/folder.h"

enum { PS_ORIGINS_MAX = 65536 };

typedef struct ps_origin {
    ps_hash name; /* SHA-256 of the origin */
    ps_tree tree;
} ps_origin;

typedef struct ps_origins {
    uint64_t size; /* entries of the roll-up that this speaks of */
    uint32_t count, room;
    ps_origin *at; /* by name */
} ps_origins;

void ps_origins_deinit(ps_origins *origins);

/* NULL: there is no such log yet. */
const ps_tree *ps_origins_find(const ps_origins *origins, ps_bytes origin);

/* Fails: PS_NO_MEMORY; PS_BAD_CONFIG: more than PS_ORIGINS_MAX. */
ps_status ps_origins_put(ps_origins *origins, ps_bytes origin, const ps_tree *tree,
                         ps_error *error) PS_MUST_USE;

/* From the file's bytes, for a log of at most `size_max`. False: it is not what was written, and
 * nothing of it counts. */
bool ps_origins_read(ps_origins *origins, ps_bytes bytes, uint64_t size_max);

/* Fills zeroed memory from the file, as far as that is one, and from the entries behind it in a log
 * of `size`. Owns: ps_origins_deinit() in either case. Fails: PS_TAMPERED: an entry is no
 * checkpoint; else as the folder does. */
ps_status ps_origins_init(ps_origins *origins, ps_seal_folder *folder, uint64_t size,
                          ps_error *error) PS_MUST_USE;
ps_status ps_origins_save(const ps_origins *origins, ps_seal_folder *folder,
                          ps_error *error) PS_MUST_USE;

#endif
