/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/directory.h"

enum { PATH_BYTES = 4096, DEPTH_MAX = 16, COMPARE = 4096, TURN_MS = 5000, GAP_MAX = 64 };

struct ps_seal_folder {
    int fd;
    bool durable, loose;
    uint64_t kept; /* entries, where it is one of these */
    char path[];
};

/* The directory that the first `length` characters name, and all above it. */
static bool make(int at, const char *path, size_t length) {
    char part[PATH_BYTES];
    if (length >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, length);
    part[length] = '\0';
    return ps_directory_make(at, part);
}

ps_status ps_seal_folder_open(const char *path, bool create, ps_seal_folder **out,
                              ps_error *error) {
    const size_t length = strlen(path);
    if (create && !make(AT_FDCWD, path, length))
        return ps_fail(error, PS_IO, "%s: cannot be made: %s", path, strerror(errno));
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ps_fail(error, errno == ENOENT ? PS_UNKNOWN_NAME : PS_IO, "%s: cannot be opened: %s",
                       path, strerror(errno));
    *out = malloc(sizeof **out + length + 1);
    if (*out == NULL) {
        (void)close(fd);
        return ps_fail(error, PS_NO_MEMORY, "no memory for %s", path);
    }
    (*out)->fd = fd;
    (*out)->durable = (*out)->loose = false;
    (*out)->kept = 0;
    memcpy((*out)->path, path, length + 1);
    return PS_OK;
}

void ps_seal_folder_close(ps_seal_folder *folder) {
    if (folder == NULL) return;
    (void)close(folder->fd);
    free(folder);
}

const char *ps_seal_folder_path(const ps_seal_folder *folder) {
    return folder->path;
}

ps_status ps_seal_folder_lock(ps_seal_folder *folder, ps_error *error) {
    if (flock(folder->fd, LOCK_EX | LOCK_NB) == 0) return PS_OK;
    if (errno == EWOULDBLOCK)
        return ps_fail(error, PS_FENCED, "%s: another process writes there", folder->path);
    return ps_fail(error, PS_IO, "%s: cannot be locked: %s", folder->path, strerror(errno));
}

/* The log's directory may be new, and so may be those that it lies in. What may not be opened is
 * not ours. */
static void sync_outside(const ps_seal_folder *folder) {
    char path[3 * DEPTH_MAX + 3] = "..";
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        const int fd = openat(folder->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return;
        (void)fsync(fd);
        (void)close(fd);
        memcpy(path + 2 + 3 * (size_t)depth, "/..", sizeof "/..");
    }
}

void ps_seal_folder_keep(ps_seal_folder *folder, uint64_t entries) {
    if (!folder->durable) sync_outside(folder);
    folder->durable = true;
    folder->kept = entries;
}

void ps_seal_folder_loose(ps_seal_folder *folder, uint64_t entries) {
    folder->loose = true;
    folder->kept = entries;
}

void ps_seal_folder_strict(ps_seal_folder *folder) {
    folder->loose = false;
}

ps_status ps_seal_folder_turn(ps_seal_folder *folder, ps_error *error) {
    for (int waited_ms = 0; waited_ms < TURN_MS; waited_ms++) {
        if (flock(folder->fd, LOCK_EX | LOCK_NB) == 0) return PS_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return ps_fail(error, PS_IO, "%s: cannot be locked: %s", folder->path, strerror(errno));
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return ps_fail(error, PS_IO,
                   "%s: another process has held it for %d s: is one stopped that seals there?",
                   folder->path, TURN_MS / 1000);
}

void ps_seal_folder_turn_over(ps_seal_folder *folder) {
    (void)flock(folder->fd, LOCK_UN);
}

/* Up to `room` bytes from `offset`; -1: errno says why. */
static ssize_t read_all(int fd, uint8_t *to, size_t room, off_t offset) {
    size_t used = 0;
    while (used < room) {
        const ssize_t got = pread(fd, to + used, room - used, offset + (off_t)used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

static bool write_all(int fd, const uint8_t *from, size_t length, off_t offset) {
    for (size_t used = 0; used < length;) {
        const ssize_t put = pwrite(fd, from + used, length - used, offset + (off_t)used);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        used += (size_t)put;
    }
    return true;
}

ps_status ps_seal_folder_read(ps_seal_folder *folder, const char *path, uint8_t *to, size_t room,
                              size_t *length, ps_error *error) {
    uint8_t more;
    const int fd = openat(folder->fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? ps_fail(error, PS_UNKNOWN_NAME, "%s: is missing", path)
                   : ps_fail(error, PS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const ssize_t got = read_all(fd, to, room, 0);
    const ssize_t left = got == (ssize_t)room ? read_all(fd, &more, 1, got) : 0;
    const int why = errno;
    (void)close(fd);
    if (got < 0 || left < 0)
        return ps_fail(error, PS_IO, "%s: cannot be read: %s", path, strerror(why));
    if (left > 0) return ps_fail(error, PS_TAMPERED, "%s: has more than %zu bytes", path, room);
    *length = (size_t)got;
    return PS_OK;
}

static ps_status source_read(void *context, const char *path, uint8_t *to, size_t room,
                             size_t *length, ps_error *error) {
    return ps_seal_folder_read(context, path, to, room, length, error);
}

ps_tile_source ps_seal_folder_source(ps_seal_folder *folder) {
    return (ps_tile_source){source_read, folder};
}

/* What is there must be the beginning of `bytes`; the rest is written. */
static ps_status complete(int fd, const char *path, const uint8_t *bytes, size_t length,
                          ps_error *error) {
    uint8_t there[COMPARE];
    size_t at = 0;
    for (;;) {
        const ssize_t got = read_all(fd, there, sizeof there, (off_t)at);
        if (got < 0) return ps_fail(error, PS_IO, "%s: cannot be read: %s", path, strerror(errno));
        if ((size_t)got > length - at || memcmp(there, bytes + at, (size_t)got) != 0)
            return ps_fail(error, PS_TAMPERED,
                           "%s: is there with other bytes than this log has: it is of another log, "
                           "or was changed",
                           path);
        at += (size_t)got;
        if ((size_t)got < sizeof there) break;
    }
    if (write_all(fd, bytes + at, length - at, (off_t)at)) return PS_OK;
    return ps_fail(error, PS_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* The names of a file that is on the disk already: of it and of the directories it lies in. */
static bool sync_names(const ps_seal_folder *folder, const char *path) {
    char above[PS_TILE_PATH_MAX];
    (void)snprintf(above, sizeof above, "%s", path);
    for (char *slash; (slash = strrchr(above, '/')) != NULL;) {
        *slash = '\0';
        const int fd = openat(folder->fd, above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const bool done = fd >= 0 && fsync(fd) == 0;
        if (fd >= 0) (void)close(fd);
        if (!done) return false;
    }
    return fsync(folder->fd) == 0;
}

/* Does it hold nothing but what a signed checkpoint speaks of? */
static bool is_kept(const ps_seal_folder *folder, const ps_tile *tile) {
    const uint32_t level = tile->level == PS_TILE_ENTRIES ? 0 : (uint32_t)tile->level;
    const uint64_t nodes = tile->index * PS_TILE_WIDTH + tile->width;
    return !(folder->durable || folder->loose) || nodes <= folder->kept >> (level * PS_TILE_HEIGHT);
}

static ps_status sink_put(void *context, const ps_tile *tile, const uint8_t *bytes, size_t length,
                          ps_error *error) {
    const ps_seal_folder *const folder = context;
    char path[PS_TILE_PATH_MAX];
    (void)ps_tile_path(tile, path);
    if (!is_kept(folder, tile) && unlinkat(folder->fd, path, 0) != 0 && errno != ENOENT &&
        errno != ENOTDIR)
        return ps_fail(error, PS_IO, "%s: cannot be replaced: %s", path, strerror(errno));
    /* Most are new, and have nothing to be compared with. */
    int fd = openat(folder->fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const bool is_new = fd >= 0;
    if (fd < 0 &&
        (errno == EEXIST ||
         (errno == ENOENT && make(folder->fd, path, (size_t)(strrchr(path, '/') - path)))))
        fd = openat(folder->fd, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return ps_fail(error, PS_IO, "%s: cannot be made: %s", path, strerror(errno));
    ps_status status = PS_OK;
    if (!is_new)
        status = complete(fd, path, bytes, length, error);
    else if (!write_all(fd, bytes, length, 0))
        status = ps_fail(error, PS_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (status == PS_OK && folder->durable && (fsync(fd) != 0 || !sync_names(folder, path)))
        status = ps_fail(error, PS_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (close(fd) != 0 && status == PS_OK)
        status = ps_fail(error, PS_IO, "%s: cannot be written: %s", path, strerror(errno));
    return status;
}

ps_tile_sink ps_seal_folder_sink(ps_seal_folder *folder) {
    return (ps_tile_sink){sink_put, folder};
}

/* Partial tiles of more than `kept`, and what is left of their directory. Most tiles have none: to
 * ask for the directory is cheaper than for each width. */
static void drop_wider(const ps_seal_folder *folder, const ps_tile *full, unsigned long kept) {
    char tile[PS_TILE_PATH_MAX], path[PS_TILE_PATH_MAX + 4];
    (void)snprintf(path, sizeof path, "%s.p", ps_tile_path(full, tile));
    const int fd = openat(folder->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *const open = fd < 0 ? NULL : fdopendir(fd);
    if (open == NULL) {
        if (fd >= 0) (void)close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(open)) != NULL;)
        if (entry->d_name[0] != '.' && (kept == 0 || strtoul(entry->d_name, NULL, 10) > kept))
            (void)unlinkat(fd, entry->d_name, 0);
    (void)closedir(open);
    if (kept == 0) (void)unlinkat(folder->fd, path, AT_REMOVEDIR);
}

void ps_seal_folder_drop_partial(const ps_seal_folder *folder, const ps_tile *full) {
    drop_wider(folder, full, 0);
}

static bool delete_tile(const ps_seal_folder *folder, const ps_tile *tile) {
    char path[PS_TILE_PATH_MAX];
    return unlinkat(folder->fd, ps_tile_path(tile, path), 0) == 0;
}

static bool has_tile(const ps_seal_folder *folder, const ps_tile *tile) {
    char path[PS_TILE_PATH_MAX];
    return faccessat(folder->fd, ps_tile_path(tile, path), F_OK, 0) == 0;
}

/* The full one, or a directory of partial ones. */
static bool has_any(const ps_seal_folder *folder, const ps_tile *full) {
    char tile[PS_TILE_PATH_MAX], path[PS_TILE_PATH_MAX + 4];
    (void)snprintf(path, sizeof path, "%s.p", ps_tile_path(full, tile));
    return has_tile(folder, full) || faccessat(folder->fd, path, F_OK, 0) == 0;
}

/* Most logs have no more than three of the levels that there are. */
static bool has_level(const ps_seal_folder *folder, int32_t level) {
    char path[PS_TILE_PATH_MAX];
    const ps_tile first = {level, PS_TILE_WIDTH, 0};
    (void)ps_tile_path(&first, path);
    *strrchr(path, '/') = '\0';
    return faccessat(folder->fd, path, F_OK, 0) == 0;
}

/* Behind the last tile from `first` on; a file or two before it may be lost. */
static uint64_t end_of(const ps_seal_folder *folder, int32_t level, uint64_t first) {
    ps_tile tile = {level, PS_TILE_WIDTH, first};
    uint64_t end = first;
    for (; tile.index < end + GAP_MAX; tile.index++)
        if (has_any(folder, &tile)) end = tile.index + 1;
    return end;
}

/* What the tile has beyond its first `kept`. Where the full one alone has those, it stays. */
static void cut_tile(const ps_seal_folder *folder, ps_tile tile, uint32_t kept) {
    tile.width = PS_TILE_WIDTH;
    drop_wider(folder, &tile, kept);
    tile.width = kept;
    const bool spared = kept > 0 && !has_tile(folder, &tile);
    tile.width = PS_TILE_WIDTH;
    if (!spared) (void)delete_tile(folder, &tile);
}

void ps_seal_folder_cut(const ps_seal_folder *folder, uint64_t entries) {
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        const uint64_t nodes = ps_tile_nodes(level, entries), edge = nodes / PS_TILE_WIDTH;
        if (!has_level(folder, level)) continue;
        for (uint64_t end = end_of(folder, level, edge + 1); end > edge + 1; end--) {
            const ps_tile beyond = {level, PS_TILE_WIDTH, end - 1};
            ps_seal_folder_drop_partial(folder, &beyond);
            (void)delete_tile(folder, &beyond);
        }
        cut_tile(folder, (ps_tile){.level = level, .index = edge},
                 (uint32_t)(nodes % PS_TILE_WIDTH));
    }
}

ps_status ps_seal_folder_replace(ps_seal_folder *folder, const char *name, const char *bytes,
                                 size_t length, ps_error *error) {
    char beside[64];
    (void)snprintf(beside, sizeof beside, ".%.50s.new", name);
    const int fd = openat(folder->fd, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool done = fd >= 0 && write_all(fd, (const uint8_t *)bytes, length, 0);
    if (done && folder->durable) done = fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0) done = false;
    if (done) done = renameat(folder->fd, beside, folder->fd, name) == 0;
    if (done && folder->durable) done = fsync(folder->fd) == 0;
    if (done) return PS_OK;
    return ps_fail(error, PS_IO, "%s/%s: cannot be written: %s", folder->path, name,
                   strerror(errno));
}

typedef struct walk {
    ps_seal_folder_visit *visit;
    void *context;
    DIR *open[DEPTH_MAX];
    size_t end[DEPTH_MAX]; /* of the path of each */
    int depth;
    char path[PATH_BYTES];
} walk;

static ps_status descend(walk *w, int at, ps_error *error) {
    const int fd = openat(at, w->path[0] == '\0' ? "." : w->path,
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *const open = fd < 0 || w->depth == DEPTH_MAX ? NULL : fdopendir(fd);
    if (open == NULL) {
        const int why = w->depth == DEPTH_MAX ? ELOOP : errno;
        if (fd >= 0) (void)close(fd);
        return ps_fail(error, PS_IO, "%s: cannot be listed: %s", w->path, strerror(why));
    }
    w->open[w->depth] = open;
    w->end[w->depth++] = strlen(w->path);
    return PS_OK;
}

/* One name of the innermost directory. */
static ps_status step(walk *w, int at, const char *name, ps_error *error) {
    struct stat about;
    const size_t end = w->end[w->depth - 1];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return PS_OK;
    const int used =
        snprintf(w->path + end, sizeof w->path - end, "%s%s", end == 0 ? "" : "/", name);
    if ((size_t)used >= sizeof w->path - end)
        return ps_fail(error, PS_IO, "%s: the path is too long", name);
    if (fstatat(at, w->path, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? PS_OK : ps_fail(error, PS_IO, "%s: %s", w->path, strerror(errno));
    if (S_ISDIR(about.st_mode)) return descend(w, at, error);
    if (S_ISLNK(about.st_mode) && fstatat(at, w->path, &about, 0) == 0 && S_ISDIR(about.st_mode))
        return ps_fail(error, PS_IO,
                       "%s is a link to a directory, which is not followed: verify that by itself",
                       w->path);
    return w->visit(w->context, w->path, error);
}

ps_status ps_seal_folder_walk(ps_seal_folder *folder, ps_seal_folder_visit *visit, void *context,
                              ps_error *error) {
    walk *const w = malloc(sizeof *w);
    if (w == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a walk");
    w->visit = visit;
    w->context = context;
    w->depth = 0;
    w->path[0] = '\0';
    ps_status status = descend(w, folder->fd, error);
    while (status == PS_OK && w->depth > 0) {
        const struct dirent *const entry = readdir(w->open[w->depth - 1]);
        if (entry != NULL)
            status = step(w, folder->fd, entry->d_name, error);
        else
            (void)closedir(w->open[--w->depth]);
    }
    while (w->depth > 0) (void)closedir(w->open[--w->depth]);
    free(w);
    return status;
}
