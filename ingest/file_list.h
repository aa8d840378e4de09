/* SPDX-License-Identifier: Apache-2.0
 * The files that patterns name, in byte order of their paths, each once: their index is the
 * partition, so it must not depend on the locale or on who asks.
 */
#ifndef PS_INGEST_FILE_LIST_H
#define PS_INGEST_FILE_LIST_H

#include "host/base/options.h"
#include "host/base/status.h"

typedef struct ps_file_list {
    char **path;
    uint32_t count;
} ps_file_list;

/* Fails, naming the pattern, where one matches nothing or matches what is not a regular file. */
ps_status ps_file_list_init(ps_file_list *list, const ps_string_list *patterns,
                            ps_error *error) PS_MUST_USE;
void ps_file_list_deinit(ps_file_list *list);

#endif
