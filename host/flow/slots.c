/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS_PER_HOST_MAX = 1024 };

static ps_status directory(char *path, size_t bytes, ps_error *error) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/')
        (void)snprintf(path, bytes, "%s/penstock", runtime);
    else
        (void)snprintf(path, bytes, "/tmp/penstock-%u", (unsigned)getuid());
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return ps_fail(
            error, PS_IO,
            "cannot make %s for lock files: %s; set XDG_RUNTIME_DIR to a writable folder", path,
            strerror(errno));
    struct stat about;
    /* In /tmp anybody could have made it first: a folder of somebody else's cannot be trusted with
     * locks. */
    if (lstat(path, &about) != 0 || !S_ISDIR(about.st_mode) || about.st_uid != getuid())
        return ps_fail(error, PS_IO,
                       "%s is not a folder of this user: set XDG_RUNTIME_DIR to one that is", path);
    return PS_OK;
}

/* AGAIN: somebody else holds it. */
static ps_status lock(const char *path, int *fd, ps_error *error) {
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return ps_fail(error, PS_IO, "cannot open the lock file %s: %s", path, strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return PS_OK;
    (void)close(*fd);
    return PS_AGAIN;
}

ps_status ps_slots_take(ps_slots *slots, const char *pipeline, const char *instance, uint32_t count,
                        ps_error *error) {
    char folder[256], path[640];
    memset(slots, 0, sizeof *slots);
    PS_TRY(directory(folder, sizeof folder, error));
    for (uint32_t number = 0; slots->count < count; number++) {
        if (number == SLOTS_PER_HOST_MAX) {
            ps_slots_release(slots);
            return ps_fail(error, PS_IO, "all %d lane slots of pipeline %s on this host are taken",
                           SLOTS_PER_HOST_MAX, pipeline);
        }
        (void)snprintf(path, sizeof path, "%s/%.120s-%.120s-%u.lock", folder, pipeline, instance,
                       number);
        int fd;
        const ps_status status = lock(path, &fd, error);
        if (status == PS_AGAIN) continue;
        if (status != PS_OK) {
            ps_slots_release(slots);
            return status;
        }
        slots->number[slots->count] = number;
        slots->fd[slots->count++] = fd;
    }
    return PS_OK;
}

void ps_slots_release(ps_slots *slots) {
    /* The files stay: removing one that another worker is just opening would let two hold one
     * number. */
    for (uint32_t i = 0; i < slots->count; i++) (void)close(slots->fd[i]);
    slots->count = 0;
}
