/* SPDX-License-Identifier: Apache-2.0
 * Lines of many partitions on their way into compressed files. A few lines make a poor frame, so
 * those of a partition wait here until there are enough of them, or until a commit; where more
 * partitions want to wait than there is room for, the one with the most lines goes out early.
 */
#ifndef PS_INGEST_FRAME_POOL_H
#define PS_INGEST_FRAME_POOL_H

#include "ingest/frames.h"
#include "ingest/partfile.h"

typedef struct ps_frame_pool ps_frame_pool;

/* For partitions below `partitions`, and up to `bytes_max` bytes of lines at a time. */
ps_status ps_frame_pool_open(ps_frame_codec codec, uint32_t partitions, size_t bytes_max,
                             ps_frame_pool **out, ps_error *error) PS_MUST_USE;
void ps_frame_pool_close(ps_frame_pool *pool);
size_t ps_frame_pool_bytes(ps_frame_codec codec, uint32_t partitions, size_t bytes_max);

/* Whole lines of one partition, the first of which is the row at `first`. */
typedef struct ps_frame_lines {
    ps_partfile *file;
    uint32_t partition;
    int64_t first;
    const void *lines;
    size_t bytes;
} ps_frame_lines;
ps_status ps_frame_pool_put(ps_frame_pool *pool, const ps_frame_lines *lines,
                            ps_error *error) PS_MUST_USE;

/* How many bytes of a partition wait. */
size_t ps_frame_pool_waiting(const ps_frame_pool *pool, uint32_t partition);
/* What waits of a partition becomes a frame of its file now, or nothing ever. */
ps_status ps_frame_pool_flush(ps_frame_pool *pool, uint32_t partition, ps_error *error) PS_MUST_USE;
void ps_frame_pool_drop(ps_frame_pool *pool, uint32_t partition);

#endif
