/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host/base/directory.h"

enum { PATH_BYTES = 4096 };

static ps_status make(const char *path, ps_error *error) {
    char part[PATH_BYTES];
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return ps_fail(error, PS_BAD_CONFIG, "sink.file.path has %zu bytes; 1 to %d are possible",
                       length, PATH_BYTES - 1);
    memcpy(part, path, length + 1);
    if (ps_directory_make(AT_FDCWD, part)) return PS_OK;
    return ps_fail(error, PS_IO, "cannot make the folder %.300s: %s", part, strerror(errno));
}

static ps_status failed(const char *path, ps_error *error) {
    return ps_fail(error, PS_IO, "cannot open the folder %.300s: %s; check sink.file.path", path,
                   strerror(errno));
}

ps_status ps_folder_open(const char *path, int *fd, ps_file_lock **lock, ps_error *error) {
    PS_TRY(make(path, error));
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) return failed(path, error);
    const int lock_fd = openat(*fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_fd < 0) return failed(path, error);
    const ps_status status = ps_file_lock_open(lock_fd, lock, error);
    if (status == PS_OK) {
        ps_file_lock_sign(*lock);
        return PS_OK;
    }
    const long holder = ps_file_lock_signed(lock_fd);
    (void)close(lock_fd);
    if (status != PS_AGAIN) return status;
    return ps_fail(error, PS_IO,
                   "%.300s is in use by process %ld; stop it, or name another sink.file.path", path,
                   holder);
}
