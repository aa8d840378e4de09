/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/seal_logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/seal/folder.h"

static ps_status put(ps_seal_logs *logs, const char *path, ps_error *error) {
    if (logs->count == logs->room) {
        const uint32_t room = logs->room == 0 ? 64 : logs->room * 2;
        char **const more = realloc(logs->path, room * sizeof *more);
        if (more == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for %u logs", room);
        logs->path = more;
        logs->room = room;
    }
    logs->path[logs->count] = strdup(path);
    if (logs->path[logs->count] == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a path");
    logs->count++;
    return PS_OK;
}

static ps_status visit(void *context, const char *path, ps_error *error) {
    static const char name[] = "/checkpoint";
    ps_seal_logs *const logs = context;
    char whole[PS_SEAL_PATH_MAX];
    const size_t length = strlen(path), tail = sizeof name - 1;
    if (length <= tail || strcmp(path + length - tail, name) != 0) return PS_OK;
    (void)snprintf(whole, sizeof whole, "%s/%.*s", logs->root, (int)(length - tail), path);
    return put(logs, whole, error);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static ps_status walk(ps_seal_logs *logs, ps_error *error) {
    ps_seal_folder *folder = NULL;
    char path[PS_SEAL_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/checkpoint", logs->root);
    if (access(path, F_OK) == 0) return put(logs, logs->root, error);
    PS_TRY(ps_seal_folder_open(logs->root, false, &folder, error));
    const ps_status status = ps_seal_folder_walk(folder, visit, logs, error);
    ps_seal_folder_close(folder);
    PS_TRY(status);
    if (logs->count == 0)
        return ps_fail(error, PS_UNKNOWN_NAME, "%s: has no log in it, nor below", logs->root);
    qsort(logs->path, logs->count, sizeof *logs->path, by_name);
    return PS_OK;
}

ps_status ps_seal_logs_init(ps_seal_logs *logs, const char *root, ps_error *error) {
    *logs = (ps_seal_logs){.root = root};
    return walk(logs, error);
}

void ps_seal_logs_deinit(ps_seal_logs *logs) {
    for (uint32_t i = 0; i < logs->count; i++) free(logs->path[i]);
    free(logs->path);
}
