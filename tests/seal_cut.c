/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/seal_cut.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EFFECTS_MAX = 4096, FDS_MAX = 256, PATH_BYTES = 200 };

int __real_openat(int at, const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *bytes, size_t length, off_t offset);
int __real_renameat(int from_at, const char *from, int to_at, const char *to);
int __real_unlinkat(int at, const char *path, int flags);
int __real_mkdirat(int at, const char *path, mode_t mode);
int __real_fsync(int fd);

int __wrap_openat(int at, const char *path, int flags, ...);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t length, off_t offset);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_unlinkat(int at, const char *path, int flags);
int __wrap_mkdirat(int at, const char *path, mode_t mode);
int __wrap_fsync(int fd);

/* Something that is not on the disk yet. CONTENT belongs to a file, the others to its name. */
typedef struct effect {
    enum { CONTENT, CREATED, RENAMED, REMOVED } kind;
    bool is_done;
    char path[PATH_BYTES];
    uint8_t *before; /* what the name stood for; NULL: for nothing */
    size_t length;
} effect;

static struct {
    bool is_on, power;
    char root[PATH_BYTES];
    uint32_t call, end, seed, effects;
    effect at[EFFECTS_MAX];
    char fd_path[FDS_MAX][PATH_BYTES];
} cut;

void cut_begin(const char *root, uint32_t call, bool power, uint32_t seed) {
    memset(&cut, 0, sizeof cut);
    cut.is_on = true;
    cut.end = call;
    cut.power = power;
    cut.seed = seed;
    (void)snprintf(cut.root, sizeof cut.root, "%s", root);
}

static bool coin(void) {
    cut.seed = cut.seed * 1664525u + 1013904223u;
    return cut.seed >> 31;
}

static void whole(const char *path, char out[2 * PATH_BYTES]) {
    (void)snprintf(out, 2 * PATH_BYTES, "%s/%s", cut.root, path);
}

static void put_back(const effect *one) {
    char path[2 * PATH_BYTES];
    whole(one->path, path);
    (void)remove(path);
    if (one->before == NULL) return;
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) return; /* so is the directory that it was in */
    if (write(fd, one->before, one->length) != (ssize_t)one->length) abort();
    (void)close(fd);
}

static void lose(void) {
    for (uint32_t i = cut.effects; i-- > 0;) {
        const effect *const one = &cut.at[i];
        char path[2 * PATH_BYTES];
        struct stat about;
        if (one->is_done || coin()) continue;
        whole(one->path, path);
        if (one->kind == CREATED)
            (void)remove(path);
        else if (one->kind != CONTENT)
            put_back(one);
        else if (stat(path, &about) == 0 && truncate(path, coin() ? 0 : about.st_size / 2) != 0)
            abort();
    }
}

/* Is this the call? Then it is done by half, if at all, by who asks. */
static bool is_the_end(void) {
    return cut.is_on && ++cut.call == cut.end;
}

static void end_here(void) {
    if (cut.power) lose();
    _exit(CUT_CODE);
}

static effect *note_effect(int kind, const char *path) {
    if (!cut.is_on || !cut.power) return NULL;
    if (cut.effects == EFFECTS_MAX) abort();
    effect *const one = &cut.at[cut.effects++];
    one->kind = (unsigned)kind;
    (void)snprintf(one->path, sizeof one->path, "%s", path);
    return one;
}

static void keep_bytes(effect *one, const char *path) {
    char file[2 * PATH_BYTES];
    whole(path, file);
    const int fd = one == NULL ? -1 : open(file, O_RDONLY);
    if (fd < 0) return;
    one->before = malloc(1 << 20);
    const ssize_t got = read(fd, one->before, 1 << 20);
    one->length = got < 0 ? 0 : (size_t)got;
    (void)close(fd);
}

int __wrap_openat(int at, const char *path, int flags, ...) {
    va_list values;
    va_start(values, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(values, unsigned) : 0;
    va_end(values);
    const bool creates = (flags & O_CREAT) != 0 && faccessat(at, path, F_OK, 0) != 0;
    if (creates && is_the_end()) end_here();
    const int fd = __real_openat(at, path, flags, mode);
    if (fd >= 0 && creates) (void)note_effect(CREATED, path);
    if (fd >= 0 && fd < FDS_MAX) (void)snprintf(cut.fd_path[fd], PATH_BYTES, "%s", path);
    return fd;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    const bool ends = is_the_end();
    (void)note_effect(CONTENT, cut.fd_path[fd]);
    const ssize_t put = __real_pwrite(fd, bytes, ends ? length / 2 : length, offset);
    if (ends) end_here();
    return put;
}

int __wrap_renameat(int from_at, const char *from, int to_at, const char *to) {
    if (is_the_end()) end_here();
    effect *const one = note_effect(RENAMED, to);
    keep_bytes(one, to);
    /* What was written under the old name may still be lost under the new one. */
    for (uint32_t i = 0; i < cut.effects; i++)
        if (cut.at[i].kind != RENAMED && strcmp(cut.at[i].path, from) == 0) {
            cut.at[i].is_done |= cut.at[i].kind != CONTENT;
            (void)snprintf(cut.at[i].path, PATH_BYTES, "%s", to);
        }
    return __real_renameat(from_at, from, to_at, to);
}

int __wrap_unlinkat(int at, const char *path, int flags) {
    if (faccessat(at, path, F_OK, 0) != 0) return __real_unlinkat(at, path, flags);
    if (is_the_end()) end_here();
    /* A directory that comes back is empty, and nobody's. */
    if ((flags & AT_REMOVEDIR) == 0) keep_bytes(note_effect(REMOVED, path), path);
    return __real_unlinkat(at, path, flags);
}

int __wrap_mkdirat(int at, const char *path, mode_t mode) {
    if (is_the_end()) end_here();
    const int result = __real_mkdirat(at, path, mode);
    if (result == 0) (void)note_effect(CREATED, path);
    return result;
}

/* The directory of a name, as fsync() is told of it. */
static bool is_in(const char *path, const char *folder) {
    const char *const slash = strrchr(path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    return strlen(folder) == length && strncmp(path, folder, length) == 0;
}

int __wrap_fsync(int fd) {
    if (is_the_end()) end_here();
    const char *const path = fd < FDS_MAX ? cut.fd_path[fd] : "";
    for (uint32_t i = 0; i < cut.effects; i++) {
        effect *const one = &cut.at[i];
        one->is_done |=
            one->kind == CONTENT ? strcmp(one->path, path) == 0 : is_in(one->path, path);
    }
    return 0; /* nobody waits for a disk here */
}
