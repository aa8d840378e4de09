/* SPDX-License-Identifier: Apache-2.0
 * A log as plain files in a directory, which a web server serves as they are: `checkpoint`, `vkey`
 * and `tile/…`. A tile is written in place: nobody asks for it before a checkpoint refers to it,
 * and what a killed writer left of it is completed by the next. A checkpoint is replaced at once,
 * by rename. Nothing waits for the disk: files that a power failure has taken can be made again
 * from what they were made of. A log that cannot be made again asks for more:
 * ps_seal_folder_keep().
 */
#ifndef PS_HOST_SEAL_FOLDER_H
#define PS_HOST_SEAL_FOLDER_H

#include "host/seal/tiler.h"

typedef struct ps_seal_folder ps_seal_folder;

/* The directory, with those above it, is made where `create` says so. Fails: PS_UNKNOWN_NAME: there
 * is none; PS_IO. */
ps_status ps_seal_folder_open(const char *path, bool create, ps_seal_folder **out,
                              ps_error *error) PS_MUST_USE;
void ps_seal_folder_close(ps_seal_folder *folder);
const char *ps_seal_folder_path(const ps_seal_folder *folder);

/* This process alone writes there, until the folder is closed. Fails: PS_FENCED: another does;
 * PS_IO. */
ps_status ps_seal_folder_lock(ps_seal_folder *folder, ps_error *error) PS_MUST_USE;

/* From now on what a call has written is on the disk when it returns, and a tile that reaches
 * beyond the first `entries` takes the place of what is there: that was never signed. */
void ps_seal_folder_keep(ps_seal_folder *folder, uint64_t entries);

/* A tile that reaches beyond the first `entries` takes the place of what is there, as above,
 * without waiting for the disk; until ps_seal_folder_strict(). */
void ps_seal_folder_loose(ps_seal_folder *folder, uint64_t entries);
void ps_seal_folder_strict(ps_seal_folder *folder);

/* For the moment in which a checkpoint is compared with the one that is there and takes its place:
 * processes that share the directory take turns. Fails, PS_IO: one has held it for long. */
ps_status ps_seal_folder_turn(ps_seal_folder *folder, ps_error *error) PS_MUST_USE;
void ps_seal_folder_turn_over(ps_seal_folder *folder);

/* Its files as a source and a sink of tiles. put: PS_TAMPERED where the file is there with other
 * bytes than these; the same bytes are left alone. */
ps_tile_source ps_seal_folder_source(ps_seal_folder *folder);
ps_tile_sink ps_seal_folder_sink(ps_seal_folder *folder);

/* One file: of `room` bytes at most. Fails: PS_UNKNOWN_NAME: there is none; PS_TAMPERED: it is
 * larger. */
ps_status ps_seal_folder_read(ps_seal_folder *folder, const char *path, uint8_t *to, size_t room,
                              size_t *length, ps_error *error) PS_MUST_USE;

/* Deletes the partial tiles that a full one, which is there, has replaced. */
void ps_seal_folder_drop_partial(const ps_seal_folder *folder, const ps_tile *full);

/* Deletes tiles that reach beyond the first `entries`, which were never signed: what a killed
 * writer left would be taken for a part of the log once that is as large. The last ones first, so
 * that one that is killed here leaves none behind a gap. */
void ps_seal_folder_cut(const ps_seal_folder *folder, uint64_t entries);

/* Puts a whole file in the place of what was there. */
ps_status ps_seal_folder_replace(ps_seal_folder *folder, const char *name, const char *bytes,
                                 size_t length, ps_error *error) PS_MUST_USE;

/* Visits every file below the directory with its path in it; stops at the first status that is not
 * PS_OK, and returns that. In no order. */
typedef ps_status ps_seal_folder_visit(void *context, const char *path, ps_error *error);
ps_status ps_seal_folder_walk(ps_seal_folder *folder, ps_seal_folder_visit *visit, void *context,
                              ps_error *error) PS_MUST_USE;

#endif
