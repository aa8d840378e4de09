/* SPDX-License-Identifier: Apache-2.0
 * Dead letters in a file: one JSON object a line,
 *
 *   {"source":"topic/partition/offset","error":"syntax","reason":"…","timestamp":1700000000000,
 *    "key":"…","value":"…","headers":[["name","value"],…]}          (bytes in base64, null as null)
 *
 * The file has no transaction, and needs none to hold every reject exactly once: reading a record
 * again rejects it again with the same line, and a line that is among the newest of the file is not
 * written twice. Offsets alone would not do: a record that the broker refuses becomes a reject
 * after later ones, and a topic that was made anew counts from 0 again. "The newest" are at least a
 * quarter of a million lines, more than two lanes can have uncommitted; with many lanes that all
 * reject all rows, a crash may leave some twice, none missing. A line that a crash cut short is
 * removed when the file is opened.
 */
#ifndef PS_INGEST_DEAD_FILE_H
#define PS_INGEST_DEAD_FILE_H

#include "host/flow/parts.h"

typedef struct ps_dead_file ps_dead_file;

/* Opens `path`, making it if need be, and reads what it holds. Lanes of one process that open the
 * same path share one file. Threads: any may open, put, sync and close. */
ps_status ps_dead_file_open(const char *path, const ps_partitions *partitions, ps_dead_file **out,
                            ps_error *error) PS_MUST_USE;

/* What an open file takes, as one lane's share. */
size_t ps_dead_file_bytes(const ps_lane_env *env);

/* Appends a rejected row unless the file has it. */
ps_status ps_dead_file_put(ps_dead_file *dead, const ps_batch *batch, uint32_t row,
                           uint32_t partition, ps_error *error) PS_MUST_USE;

/* All that was put is on disk when this returns. */
ps_status ps_dead_file_sync(ps_dead_file *dead, ps_error *error) PS_MUST_USE;

void ps_dead_file_close(ps_dead_file *dead);

#endif
