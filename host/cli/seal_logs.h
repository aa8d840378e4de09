/* SPDX-License-Identifier: Apache-2.0
 * The logs below a directory, which is one itself or has some below it.
 */
#ifndef PS_HOST_CLI_SEAL_LOGS_H
#define PS_HOST_CLI_SEAL_LOGS_H

#include <stdint.h>

#include "host/base/status.h"

enum { PS_SEAL_PATH_MAX = 4096 };

typedef struct ps_seal_logs {
    char **path; /* by name */
    uint32_t count, room;
    const char *root;
} ps_seal_logs;

/* Owns: ps_seal_logs_deinit in either case. Fails: PS_UNKNOWN_NAME: none is there; PS_IO. */
ps_status ps_seal_logs_init(ps_seal_logs *logs, const char *root, ps_error *error) PS_MUST_USE;
void ps_seal_logs_deinit(ps_seal_logs *logs);

#endif
