/* SPDX-License-Identifier: Apache-2.0
 * A folder that one process at a time writes to; its lanes share it.
 */
#ifndef PS_INGEST_FOLDER_H
#define PS_INGEST_FOLDER_H

#include "ingest/file_lock.h"

/* Makes the folder and all above it, opens it, and locks it by a file `.lock` inside. Fails, naming
 * the process, where another has it. Owns: what it gave is closed by the caller, on failure too. */
ps_status ps_folder_open(const char *path, int *fd, ps_file_lock **lock,
                         ps_error *error) PS_MUST_USE;

#endif
