/* SPDX-License-Identifier: Apache-2.0
 * A log that grows in a directory: entries go in, tiles and signed checkpoints come out. It goes on
 * from where the last checkpoint was signed; what had been written behind that is written again,
 * and must come out the same.
 *
 *   open ──> add, add, … ──> publish ──> add … ──> close
 *
 * Start-up reads a few tiles a level, however large the log is.
 */
#ifndef PS_HOST_SEAL_APPENDER_H
#define PS_HOST_SEAL_APPENDER_H

#include "host/seal/checkpoint.h"
#include "host/seal/folder.h"

typedef struct ps_appender ps_appender;

/* The log in `folder`, which stays the caller's; an empty one where it has no checkpoint. `signer`
 * is borrowed until it is closed. Entries have up to `entry_bytes_max` bytes.
 * Fails: PS_TAMPERED: the checkpoint is not signed by this key, or its root is not that of the
 * tiles. */
ps_status ps_appender_open(ps_seal_folder *folder, const ps_signer *signer,
                           uint32_t entry_bytes_max, ps_appender **out,
                           ps_error *error) PS_MUST_USE;

/* The same from a tree that the caller knows to be the last that was signed. */
ps_status ps_appender_open_tree(ps_seal_folder *folder, const ps_signer *signer,
                                uint32_t entry_bytes_max, const ps_tree *tree, ps_appender **out,
                                ps_error *error) PS_MUST_USE;
void ps_appender_close(ps_appender *appender);

const ps_frontier *ps_appender_frontier(const ps_appender *appender);

/* Entries behind the last; hashed here, by the batch. Fails: PS_TAMPERED: a tile is there with
 * other bytes; PS_IO. Then the appender is of no more use. */
ps_status ps_appender_add(ps_appender *appender, const ps_bytes *entries, uint32_t count,
                          ps_error *error) PS_MUST_USE;

/* Partial tiles, and the signed checkpoint over all that was added, which is written nowhere. */
ps_status ps_appender_sign(ps_appender *appender, char out[PS_CHECKPOINT_MAX], size_t *length,
                           ps_error *error) PS_MUST_USE;

/* Partial tiles, then the checkpoint over all that was added, then `vkey`. */
ps_status ps_appender_publish(ps_appender *appender, ps_error *error) PS_MUST_USE;

#endif
