/* SPDX-License-Identifier: Apache-2.0
 * One check of a log, under way: what verify.c (the tree) and verify_rest.c (all other files)
 * share.
 */
#ifndef PS_HOST_SEAL_VERIFY_PARTS_H
#define PS_HOST_SEAL_VERIFY_PARTS_H

#include "host/seal/leaves.h"
#include "host/seal/verify.h"

enum { PS_BUNDLE_MAX = PS_TILE_WIDTH * (2 + PS_ENTRY_BYTES_MAX) };

typedef struct ps_verify {
    ps_seal_folder *folder; /* NULL: its files cannot be listed */
    ps_tile_source source;
    const ps_verify_watch *watch;
    ps_verify_report *report;
    ps_leaves *leaves;
    ps_tiler *tiler;
    ps_frontier frontier; /* of the entries so far */
    ps_tiles tiles;       /* for the way from a hash to the root */
    ps_note note;
    uint8_t tile[PS_TILE_BYTES];
    uint8_t bundle[PS_BUNDLE_MAX]; /* whose pages are used as far as bundles are long */
    uint8_t other[PS_BUNDLE_MAX];
} ps_verify;

void ps_verify_fault(const ps_verify *v, const char *file, const char *format, ...) PS_PRINTF(3, 4);
void ps_verify_remark(const ps_verify *v, const char *file, const char *format, ...)
    PS_PRINTF(3, 4);

/* A file that is missing, or has another length, is a fault, and `*there` says so; what else goes
 * wrong ends the check. */
ps_status ps_verify_load(const ps_verify *v, const ps_tile *tile, uint8_t *to, size_t room,
                         size_t *length, bool *there, ps_error *error) PS_MUST_USE;

/* Everything in the directory that the tree did not need. */
ps_status ps_verify_rest(ps_verify *v, ps_error *error) PS_MUST_USE;

#endif
