/* SPDX-License-Identifier: Apache-2.0
 * Checks a whole log by itself: every entry against its tile, every tile against the one above, the
 * root against the checkpoint, the checkpoint against the key; in a directory, whose files can be
 * listed, older partial tiles and what lies beyond the checkpoint too. Where an entry and its hash
 * differ, the checkpoint says which of them was changed.
 */
#ifndef PS_HOST_SEAL_VERIFY_H
#define PS_HOST_SEAL_VERIFY_H

#include "host/seal/checkpoint.h"
#include "host/seal/folder.h"

/* Who listens. `file` is inside the log; a fault is tampering, a remark is not. `progress` comes
 * with every bundle; each may be NULL. `entries` gets those of a bundle, in order, as far as
 * they can be had; null (PS_NULL_LENGTH) is one that differs from its tile. Whether the tile is the
 * signed one shows at the end. What it returns other than PS_OK ends the check. */
typedef struct ps_verify_watch {
    void (*fault)(void *context, const char *file, const char *what);
    void (*remark)(void *context, const char *file, const char *what);
    void (*progress)(void *context, uint64_t entries, uint64_t size);
    ps_status (*entries)(void *context, uint64_t first, const ps_bytes *entries, uint32_t count,
                         ps_error *error);
    void *context; /* borrowed */
} ps_verify_watch;

typedef struct ps_verify_report {
    char origin[PS_KEY_NAME_MAX];
    ps_tree tree;     /* as the checkpoint has it */
    uint64_t entries; /* hashed */
    uint64_t files;   /* tiles and bundles that were compared */
    uint64_t beyond;  /* that the checkpoint does not speak of yet */
    uint64_t faults;
    bool is_signed; /* by the key that was given, or by the one in the log's `vkey` */
    bool own_key;   /* it was the latter, which whoever changes a log may change too */
} ps_verify_report;

/* `key` may be NULL. Memory is bounded, whatever the log's size.
 * Fails: PS_TAMPERED: faults were found; PS_UNKNOWN_NAME: there is no checkpoint, or nothing to
 * check its signature with: it cannot be told; PS_IO: a file cannot be read. */
ps_status ps_verify_folder(ps_seal_folder *folder, const ps_verifier *key,
                           const ps_verify_watch *watch, ps_verify_report *report,
                           ps_error *error) PS_MUST_USE;

/* The same of a log whose files cannot be listed: all that its checkpoint speaks of. */
ps_status ps_verify_source(const ps_tile_source *source, const ps_verifier *key,
                           const ps_verify_watch *watch, ps_verify_report *report,
                           ps_error *error) PS_MUST_USE;

#endif
