/* SPDX-License-Identifier: Apache-2.0
 * What the file sink keeps of one partition, and its one commit point.
 *
 *   part-00003-00000000000000001234.ndjson    rolled; the number is its first row's offset
 *   .part-00003-00000000000000099999.ndjson   being written
 *   .state-00003-7                            state records, u32 length before each; 7th generation
 *   .manifest-00003                           what of all this counts
 *
 * Parts are for everybody to read (0644), the rest is the owner's alone (0600).
 *
 * A commit makes the data durable, then replaces the manifest (written aside, synced, renamed),
 * then renames the parts that are full. When the partition is opened again, what lies beyond the
 * manifest is cut off, and a rename that a crash prevented is made up for. Where a part ends
 * depends on its rows alone (on their bytes before they were compressed), so a job that was killed
 * leaves the same rows in the same files as one that was not.
 */
#ifndef PS_INGEST_PARTFILE_H
#define PS_INGEST_PARTFILE_H

#include "host/flow/parts.h"

typedef struct ps_partfile ps_partfile;

/* The folder, shared by the partitions of a lane. */
typedef struct ps_partfile_dir {
    const char *path, *suffix; /* ".ndjson", ".ndjson.zst" */
    int fd;
} ps_partfile_dir;

/* Opens what the manifest says there is, and removes the rest. `source` names where the rows come
 * from (topic and partition, or the file): a manifest of another source is PS_BAD_CONFIG. `apply`
 * receives the state that was kept; `fingerprint` and `other_policy` are the plan's. `*next` is
 * where rows go on, PS_OFFSET_NONE: at the beginning. */
typedef struct ps_partfile_from {
    const char *source;
    uint64_t fingerprint, other_policy;
    ps_state_apply *apply;
    void *context;
} ps_partfile_from;
ps_status ps_partfile_open(const ps_partfile_dir *dir, uint32_t partition,
                           const ps_partfile_from *from, ps_partfile **out, int64_t *next,
                           ps_error *error) PS_MUST_USE;
/* Uncommitted rows stay behind and are cut off by the next open. */
void ps_partfile_close(ps_partfile *file);

/* Whole lines, the first of which is the row at `offset`, or a frame of them; `plain` bytes before
 * they were compressed. */
ps_status ps_partfile_write(ps_partfile *file, int64_t offset, const void *lines, size_t bytes,
                            size_t plain, ps_error *error) PS_MUST_USE;
/* One state record, of sweep `round`. */
ps_status ps_partfile_state(ps_partfile *file, int64_t round, const void *record, size_t bytes,
                            ps_error *error) PS_MUST_USE;
void ps_partfile_position(ps_partfile *file, int64_t next);

/* The part being written is full: the next row begins another. */
ps_status ps_partfile_split(ps_partfile *file, ps_error *error) PS_MUST_USE;
/* Plain bytes in the part being written, and when it was begun (monotonic); 0 bytes: there is none.
 */
int64_t ps_partfile_bytes(const ps_partfile *file, int64_t *begun_ns);

/* Makes everything durable; nothing to do where nothing changed. After that, and after a sync of
 * the folder, full parts may get their names; `all`: the one being written too. */
ps_status ps_partfile_commit(ps_partfile *file, ps_error *error) PS_MUST_USE;
ps_status ps_partfile_publish(ps_partfile *file, bool all, ps_error *error) PS_MUST_USE;
/* Whether something is not yet committed. */
bool ps_partfile_is_dirty(const ps_partfile *file);

/* Errors of files, with what to do about a full disk. */
ps_status ps_partfile_failed(const ps_partfile_dir *dir, const char *what, const char *name,
                             ps_error *error);

#endif
