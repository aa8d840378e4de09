/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/partfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/state/record.h"

enum {
    NAME_BYTES = 64,
    SUFFIX_BYTES = 24,
    MANIFEST_BYTES = 8192,
    COPY_BYTES = 1 << 16,
    COMPACT_BYTES = 1 << 16
};

/* State records before a mark are superseded once two later sweeps have begun. */
typedef struct sweeps {
    int64_t round;           /* of the newest record */
    uint64_t newest, before; /* where the records of the newest round and of the one before begin */
    uint32_t seen;           /* rounds since the file was opened */
} sweeps;

struct ps_partfile {
    const ps_partfile_dir *dir;
    uint32_t partition;
    char *source;
    int fd;                                 /* of the open part; -1: none */
    int64_t first, length, plain, begun_ns; /* plain: bytes before they were compressed */
    int64_t *full; /* first offsets of parts that are durable and wait for the commit */
    uint32_t full_count, full_room;
    int state_fd;
    uint64_t state_length;
    uint32_t generation;
    sweeps sweeps;
    int64_t next;
    bool dirty;
};

/* What a manifest says. */
typedef struct manifest {
    int64_t next, first, length; /* first: PS_OFFSET_NONE: no part is open */
    uint32_t generation;
    uint64_t state_length;
    int64_t plain;
    char suffix[SUFFIX_BYTES]; /* of its parts; "": not said, as before there were several */
    char source[MANIFEST_BYTES];
} manifest;

ps_status ps_partfile_failed(const ps_partfile_dir *dir, const char *what, const char *name,
                             ps_error *error) {
    const int code = errno;
    const char *advice = "check sink.file.path and its permissions";
    if (code == ENOSPC || code == EDQUOT || code == EFBIG)
        advice = "free some space and run again: it goes on from the last commit, nothing is lost";
    if (code == EMFILE || code == ENFILE) advice = "raise the limit of open files (ulimit -n)";
    return ps_fail(error, PS_IO, "cannot %s %.200s/%.80s: %s; %s", what, dir->path, name,
                   strerror(code), advice);
}

static void part_name(const ps_partfile *file, int64_t first, bool open, char *name) {
    (void)snprintf(name, NAME_BYTES, "%spart-%05u-%020" PRId64 "%s", open ? "." : "",
                   file->partition, first, file->dir->suffix);
}
static void state_name(const ps_partfile *file, uint32_t generation, char *name) {
    (void)snprintf(name, NAME_BYTES, ".state-%05u-%u", file->partition, generation);
}
static void manifest_name(const ps_partfile *file, char *name) {
    (void)snprintf(name, NAME_BYTES, ".manifest-%05u", file->partition);
}

static ps_status write_all(const ps_partfile *file, int fd, const void *data, size_t bytes,
                           const char *name, ps_error *error) {
    const char *at = data;
    while (bytes > 0) {
        const ssize_t written = write(fd, at, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return ps_partfile_failed(file->dir, "write", name, error);
        at += written;
        bytes -= (size_t)written;
    }
    return PS_OK;
}

/* Opens a file of ours that must hold at least `length` bytes, and cuts off the rest. */
static ps_status open_cut(const ps_partfile *file, const char *name, uint64_t length, int *fd,
                          ps_error *error) {
    struct stat about;
    *fd = openat(file->dir->fd, name, O_RDWR | O_APPEND | O_CLOEXEC);
    if (*fd < 0) return ps_partfile_failed(file->dir, "open", name, error);
    if (fstat(*fd, &about) != 0) return ps_partfile_failed(file->dir, "read", name, error);
    if ((uint64_t)about.st_size < length)
        return ps_fail(error, PS_IO,
                       "%.200s/%s has %lld bytes where the manifest counts %llu: the folder was "
                       "changed; delete it to start again",
                       file->dir->path, name, (long long)about.st_size, (unsigned long long)length);
    if ((uint64_t)about.st_size > length && ftruncate(*fd, (off_t)length) != 0)
        return ps_partfile_failed(file->dir, "cut", name, error);
    return PS_OK;
}

/* --- the manifest: one `word value` a line */

static ps_status parse_manifest(const ps_partfile *file, char *text, manifest *out,
                                ps_error *error) {
    unsigned long long state_length = 0;
    char *source = strstr(text, "\nsource ");
    char *end = source == NULL ? NULL : strchr(source + 1, '\n');
    int64_t first = 0, length = 0, next = 0;
    uint32_t generation = 0;
    if (end == NULL || sscanf(text,
                              "penstock-file-sink 1\nnext %" SCNd64 "\nfirst %" SCNd64
                              "\nlength %" SCNd64 "\ngeneration %u\nstate %llu\n",
                              &next, &first, &length, &generation, &state_length) != 5)
        return ps_fail(
            error, PS_IO,
            "%.200s/.manifest-%05u is damaged or of a newer version; delete the folder to "
            "start again",
            file->dir->path, file->partition);
    *end = '\0';
    *out = (manifest){next, first, length, generation, state_length, length, "", ""};
    const char *plain = strstr(text, "\nplain ");
    if (plain != NULL)
        (void)sscanf(plain, "\nplain %" SCNd64 "\nsuffix %23s", &out->plain, out->suffix);
    (void)snprintf(out->source, sizeof out->source, "%s", source + 8);
    return PS_OK;
}

/* PS_END: there is none. */
static ps_status read_manifest(const ps_partfile *file, manifest *out, ps_error *error) {
    char name[NAME_BYTES], text[MANIFEST_BYTES];
    manifest_name(file, name);
    const int fd = openat(file->dir->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return PS_END;
    if (fd < 0) return ps_partfile_failed(file->dir, "open", name, error);
    const ssize_t got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (got < 0) return ps_partfile_failed(file->dir, "read", name, error);
    text[got] = '\0';
    return parse_manifest(file, text, out, error);
}

static ps_status write_manifest(const ps_partfile *file, ps_error *error) {
    char name[NAME_BYTES], aside[NAME_BYTES + 8], text[MANIFEST_BYTES];
    manifest_name(file, name);
    (void)snprintf(aside, sizeof aside, "%s.new", name);
    const int length = snprintf(
        text, sizeof text,
        "penstock-file-sink 1\nnext %" PRId64 "\nfirst %" PRId64 "\nlength %" PRId64
        "\ngeneration %u\nstate %" PRIu64 "\nplain %" PRId64 "\nsuffix %s\nsource %s\n",
        file->next, file->fd < 0 ? PS_OFFSET_NONE : file->first, file->length, file->generation,
        file->state_length, file->plain, file->dir->suffix, file->source);
    PS_CHECK_OP(length, <, (int)sizeof text);
    const int fd = openat(file->dir->fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return ps_partfile_failed(file->dir, "open", aside, error);
    ps_status status = write_all(file, fd, text, (size_t)length, aside, error);
    if (status == PS_OK && fsync(fd) != 0)
        status = ps_partfile_failed(file->dir, "sync", aside, error);
    (void)close(fd);
    PS_TRY(status);
    if (renameat(file->dir->fd, aside, file->dir->fd, name) != 0)
        return ps_partfile_failed(file->dir, "replace", name, error);
    return PS_OK;
}

/* --- opening */

/* What to do with one name of the folder that begins like ours. */
static ps_status clean_one(const ps_partfile *file, const manifest *counts, const char *name,
                           ps_error *error) {
    char part[NAME_BYTES], state[NAME_BYTES];
    (void)snprintf(part, sizeof part, ".part-%05u-", file->partition);
    (void)snprintf(state, sizeof state, ".state-%05u-", file->partition);
    if (strncmp(name, part + 1, strlen(part + 1)) == 0 && counts == NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.200s holds %.80s but no progress for it; delete the folder to start "
                       "again, or name another sink.file.path",
                       file->dir->path, name);
    const bool is_part = strncmp(name, part, strlen(part)) == 0;
    const bool is_state = strncmp(name, state, strlen(state)) == 0;
    const char *number = name + (is_part ? strlen(part) : strlen(state));
    if (!is_part && !is_state) return PS_OK;
    if (is_part && counts != NULL) {
        const int64_t first = strtoll(number, NULL, 10);
        if (first == counts->first) return PS_OK;
        const bool full = first < (counts->first != PS_OFFSET_NONE ? counts->first : counts->next);
        if (full && renameat(file->dir->fd, name, file->dir->fd, name + 1) != 0)
            return ps_partfile_failed(file->dir, "rename", name, error);
        if (full) return PS_OK;
    }
    if (is_state && counts != NULL && strtoul(number, NULL, 10) == counts->generation) return PS_OK;
    if (unlinkat(file->dir->fd, name, 0) == 0) return PS_OK;
    return ps_partfile_failed(file->dir, "remove", name, error);
}

/* Removes what the manifest does not count; without a manifest there must be no rolled part. */
static ps_status clean(const ps_partfile *file, const manifest *counts, ps_error *error) {
    const int fd = openat(file->dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) return ps_partfile_failed(file->dir, "list", ".", error);
    ps_status status = PS_OK;
    for (const struct dirent *entry; status == PS_OK && (entry = readdir(dir)) != NULL;)
        status = clean_one(file, counts, entry->d_name, error);
    (void)closedir(dir);
    return status;
}

/* The part that was open, unless it was rolled right after the commit. */
static ps_status reopen_part(ps_partfile *file, const manifest *counts, ps_error *error) {
    char open[NAME_BYTES], rolled[NAME_BYTES];
    struct stat about;
    if (counts->first == PS_OFFSET_NONE) return PS_OK;
    part_name(file, counts->first, true, open);
    part_name(file, counts->first, false, rolled);
    if (fstatat(file->dir->fd, open, &about, 0) != 0 && errno == ENOENT) {
        const bool there = fstatat(file->dir->fd, rolled, &about, 0) == 0;
        /* It was finished; and somebody may have taken it away since. */
        if (there ? about.st_size == counts->length : errno == ENOENT) return PS_OK;
        return ps_fail(error, PS_IO,
                       "%s has another size than its manifest says (%lld bytes): the folder was "
                       "changed by somebody else; put the file back, or take another folder",
                       rolled, (long long)counts->length);
    }
    PS_TRY(open_cut(file, open, (uint64_t)counts->length, &file->fd, error));
    file->first = counts->first;
    file->length = counts->length;
    file->plain = counts->plain;
    file->begun_ns = ps_clock_ns();
    return PS_OK;
}

static ps_status apply_record(const ps_partfile *file, const ps_partfile_from *from,
                              const uint8_t *record, size_t bytes, ps_error *error) {
    ps_state_header header;
    PS_TRY(ps_state_parse(record, bytes, &header, error));
    if (header.fingerprint == from->other_policy)
        return ps_fail(error, PS_BAD_CONFIG,
                       "the state in %.200s is kept by policy %s, and this plan's would not be: go "
                       "on with it by `runtime: {state: %s}`, delete the folder to start again, or "
                       "name another sink.file.path",
                       file->dir->path, ps_state_policy(header.format),
                       ps_state_policy(header.format));
    if (header.fingerprint != from->fingerprint)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.200s was written by another plan (its detectors, fields or parameters "
                       "differ); delete the folder to start again, or name another sink.file.path",
                       file->dir->path);
    ps_state_apply_chunk(record, &header, file->partition, from->apply, from->context);
    return PS_OK;
}

static ps_status restore_state(ps_partfile *file, const manifest *counts,
                               const ps_partfile_from *from, ps_error *error) {
    char name[NAME_BYTES];
    file->generation = counts->generation;
    if (counts->state_length == 0) return PS_OK;
    state_name(file, counts->generation, name);
    PS_TRY(open_cut(file, name, counts->state_length, &file->state_fd, error));
    file->state_length = counts->state_length;
    uint8_t *record = NULL;
    uint32_t room = 0;
    ps_status status = PS_OK;
    for (uint64_t at = 0; at < counts->state_length && status == PS_OK;) {
        uint32_t bytes = 0;
        bool whole = pread(file->state_fd, &bytes, 4, (off_t)at) == 4 &&
                     bytes <= counts->state_length - at - 4;
        if (whole && bytes > room) {
            free(record);
            record = malloc(bytes);
            room = record == NULL ? 0 : bytes;
            if (record == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to restore state");
        }
        whole = whole && pread(file->state_fd, record, bytes, (off_t)at + 4) == (ssize_t)bytes;
        status = whole ? apply_record(file, from, record, bytes, error)
                       : ps_fail(error, PS_IO,
                                 "%.200s/%s is damaged at byte %llu; delete the folder to start "
                                 "again",
                                 file->dir->path, name, (unsigned long long)at);
        at += 4 + (uint64_t)bytes;
    }
    free(record);
    return status;
}

static ps_status recover(ps_partfile *file, const ps_partfile_from *from, ps_error *error) {
    manifest counts;
    const ps_status found = read_manifest(file, &counts, error);
    if (found == PS_END) return clean(file, NULL, error);
    PS_TRY(found);
    if (strcmp(counts.source, file->source) != 0)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.150s holds partition %u of %.120s, not of %.120s; delete the folder to "
                       "start again, or name another sink.file.path",
                       file->dir->path, file->partition, counts.source, file->source);
    if (counts.suffix[0] != '\0' && strcmp(counts.suffix, file->dir->suffix) != 0)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.200s holds files *%s, and this job writes *%s; set form and codec as "
                       "before, delete the folder to start again, or name another sink.file.path",
                       file->dir->path, counts.suffix, file->dir->suffix);
    PS_TRY(clean(file, &counts, error));
    PS_TRY(reopen_part(file, &counts, error));
    PS_TRY(restore_state(file, &counts, from, error));
    file->next = counts.next;
    return PS_OK;
}

ps_status ps_partfile_open(const ps_partfile_dir *dir, uint32_t partition,
                           const ps_partfile_from *from, ps_partfile **out, int64_t *next,
                           ps_error *error) {
    ps_partfile *file = calloc(1, sizeof *file);
    if (file == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for partition %u", partition);
    *file = (ps_partfile){
        .dir = dir, .partition = partition, .fd = -1, .state_fd = -1, .next = PS_OFFSET_NONE};
    file->source = strdup(from->source);
    const ps_status status =
        file->source == NULL ? ps_fail(error, PS_NO_MEMORY, "no memory for partition %u", partition)
                             : recover(file, from, error);
    if (status != PS_OK) {
        ps_partfile_close(file);
        return status;
    }
    *next = file->next;
    *out = file;
    return PS_OK;
}

void ps_partfile_close(ps_partfile *file) {
    if (file == NULL) return;
    if (file->fd >= 0) (void)close(file->fd);
    if (file->state_fd >= 0) (void)close(file->state_fd);
    free(file->full);
    free(file->source);
    free(file);
}

/* --- writing */

ps_status ps_partfile_write(ps_partfile *file, int64_t offset, const void *lines, size_t bytes,
                            size_t plain, ps_error *error) {
    char name[NAME_BYTES];
    if (file->fd < 0) {
        part_name(file, offset, true, name);
        file->fd =
            openat(file->dir->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
        if (file->fd < 0) return ps_partfile_failed(file->dir, "open", name, error);
        file->first = offset;
        file->length = file->plain = 0;
        file->begun_ns = ps_clock_ns();
    }
    part_name(file, file->first, true, name);
    file->dirty = true;
    PS_TRY(write_all(file, file->fd, lines, bytes, name, error));
    file->length += (int64_t)bytes;
    file->plain += (int64_t)plain;
    return PS_OK;
}

static ps_status create_state(ps_partfile *file, uint32_t generation, int *fd, ps_error *error) {
    char name[NAME_BYTES];
    state_name(file, generation, name);
    *fd = openat(file->dir->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    return *fd < 0 ? ps_partfile_failed(file->dir, "open", name, error) : PS_OK;
}

ps_status ps_partfile_state(ps_partfile *file, int64_t round, const void *record, size_t bytes,
                            ps_error *error) {
    char name[NAME_BYTES];
    const uint32_t length = (uint32_t)bytes;
    sweeps *s = &file->sweeps;
    if (file->state_fd < 0) PS_TRY(create_state(file, file->generation, &file->state_fd, error));
    if (s->seen == 0 || round != s->round) {
        s->before = s->newest;
        s->newest = file->state_length;
        s->round = round;
        s->seen++;
    }
    state_name(file, file->generation, name);
    file->dirty = true;
    PS_TRY(write_all(file, file->state_fd, &length, sizeof length, name, error));
    PS_TRY(write_all(file, file->state_fd, record, bytes, name, error));
    file->state_length += sizeof length + bytes;
    return PS_OK;
}

void ps_partfile_position(ps_partfile *file, int64_t next) {
    file->dirty = file->dirty || next != file->next;
    if (next > file->next) file->next = next;
}

int64_t ps_partfile_bytes(const ps_partfile *file, int64_t *begun_ns) {
    *begun_ns = file->begun_ns;
    return file->fd < 0 ? 0 : file->plain;
}

/* Copies what two sweeps have not superseded into the next generation, once it is worth it. */
static ps_status compact(ps_partfile *file, ps_error *error) {
    sweeps *s = &file->sweeps;
    if (s->seen < 3 || s->before < COMPACT_BYTES || s->before < file->state_length / 2)
        return PS_OK;
    char name[NAME_BYTES], block[COPY_BYTES];
    int fd;
    PS_TRY(create_state(file, file->generation + 1, &fd, error));
    state_name(file, file->generation + 1, name);
    ps_status status = PS_OK;
    for (uint64_t at = s->before; at < file->state_length && status == PS_OK;) {
        const ssize_t got = pread(file->state_fd, block, sizeof block, (off_t)at);
        if (got <= 0) status = ps_partfile_failed(file->dir, "copy", name, error);
        if (got > 0) status = write_all(file, fd, block, (size_t)got, name, error);
        at += got > 0 ? (uint64_t)got : 0;
    }
    if (status != PS_OK) {
        (void)close(fd);
        return status;
    }
    (void)close(file->state_fd);
    file->state_fd = fd;
    file->generation++;
    file->state_length -= s->before;
    s->newest -= s->before;
    s->before = 0;
    return PS_OK;
}

ps_status ps_partfile_commit(ps_partfile *file, ps_error *error) {
    char name[NAME_BYTES];
    if (!file->dirty) return PS_OK;
    const uint32_t generation = file->generation;
    PS_TRY(compact(file, error));
    part_name(file, file->first, true, name);
    if (file->fd >= 0 && fdatasync(file->fd) != 0)
        return ps_partfile_failed(file->dir, "sync", name, error);
    state_name(file, file->generation, name);
    if (file->state_fd >= 0 && fdatasync(file->state_fd) != 0)
        return ps_partfile_failed(file->dir, "sync", name, error);
    /* The names of new files must be there before a manifest counts them. */
    if (fsync(file->dir->fd) != 0) return ps_partfile_failed(file->dir, "sync", ".", error);
    PS_TRY(write_manifest(file, error));
    file->dirty = false;
    if (generation == file->generation) return PS_OK;
    if (fsync(file->dir->fd) != 0) return ps_partfile_failed(file->dir, "sync", ".", error);
    state_name(file, generation, name);
    return unlinkat(file->dir->fd, name, 0) == 0
               ? PS_OK
               : ps_partfile_failed(file->dir, "remove", name, error);
}

/* Synced and closed at once: a job whose parts are small must not run out of open files. */
ps_status ps_partfile_split(ps_partfile *file, ps_error *error) {
    char name[NAME_BYTES];
    PS_CHECK(file->fd >= 0);
    if (file->full_count == file->full_room) {
        const uint32_t room = file->full_room * 2 + 16;
        int64_t *grown = realloc(file->full, room * sizeof *grown);
        if (grown == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a list of files");
        file->full = grown;
        file->full_room = room;
    }
    part_name(file, file->first, true, name);
    if (fdatasync(file->fd) != 0) return ps_partfile_failed(file->dir, "sync", name, error);
    (void)close(file->fd);
    file->full[file->full_count++] = file->first;
    file->fd = -1;
    file->length = file->plain = 0;
    file->dirty = true;
    return PS_OK;
}

static ps_status publish(const ps_partfile *file, int64_t first, ps_error *error) {
    char open[NAME_BYTES], rolled[NAME_BYTES];
    part_name(file, first, true, open);
    part_name(file, first, false, rolled);
    if (renameat(file->dir->fd, open, file->dir->fd, rolled) == 0) return PS_OK;
    return ps_partfile_failed(file->dir, "rename", open, error);
}

ps_status ps_partfile_publish(ps_partfile *file, bool all, ps_error *error) {
    PS_CHECK(!file->dirty);
    for (uint32_t i = 0; i < file->full_count; i++) PS_TRY(publish(file, file->full[i], error));
    file->full_count = 0;
    if (!all || file->fd < 0) return PS_OK;
    PS_TRY(publish(file, file->first, error));
    (void)close(file->fd);
    file->fd = -1;
    file->length = file->plain = 0;
    return PS_OK;
}

bool ps_partfile_is_dirty(const ps_partfile *file) {
    return file->dirty;
}
