/* SPDX-License-Identifier: Apache-2.0
 * A log wherever it lies: in a directory, or behind a URL.
 */
#ifndef PS_HOST_SEAL_PLACE_H
#define PS_HOST_SEAL_PLACE_H

#include "host/seal/folder.h"
#include "host/seal/web.h"

typedef struct ps_seal_place {
    ps_seal_folder *folder; /* NULL: a URL, whose files cannot be listed */
    ps_seal_web *web;
    ps_tile_source source;
} ps_seal_place;

/* A directory or a URL that begins with http:// or https://. `out` is zeroed first. Owns:
 * ps_seal_place_close in either case. */
ps_status ps_seal_place_open(const char *where, ps_seal_place *out, ps_error *error) PS_MUST_USE;
void ps_seal_place_close(ps_seal_place *place);

#endif
