/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/dead_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/base64.h"
#include "host/base/siphash.h"
#include "host/batch/headers.h"
#include "host/batch/rejects.h"
#include "host/flow/enrich.h"
#include "ingest/file_lock.h"

enum {
    SCAN_BYTES = 1 << 16,
    HEAD_MAX = 400,  /* of a line: source, error, reason, timestamp, most of the key */
    NAMES = 1 << 19, /* of one generation */
    GENERATIONS = 2
};

struct ps_dead_file {
    ps_dead_file *next; /* of the open ones */
    uint32_t users;
    int fd;
    ps_file_lock *lock;
    bool dirty;
    char *path;
    const ps_partitions *partitions;
    pthread_mutex_t mutex;
    char *line; /* the one being made; grows to the largest record */
    size_t line_bytes;
    /* Names of the newest lines: two open-addressing tables, the older of which is dropped when
     * the newer is half full. So at least the last quarter of a million lines are known. */
    uint64_t *names[GENERATIONS];
    uint32_t name_count;
};

/* Sinks of several lanes find each other's file here; other processes are kept out by a lock. */
static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;
static ps_dead_file *open_files;

static ps_status failed(const ps_dead_file *dead, const char *what, ps_error *error) {
    const int code = errno;
    return ps_fail(error, PS_IO, "cannot %s dead letters in %.200s: %s; %s", what, dead->path,
                   strerror(code),
                   code == ENOSPC || code == EDQUOT
                       ? "free some space and run again: nothing committed is lost"
                       : "check dead_letter.file in the pipeline file");
}

/* What tells lines apart: their first bytes and their length. 0 is an empty place. */
static uint64_t name_of(const char *line, size_t length) {
    static const uint64_t key[2] = {0x70656e73746f636b, 0x6465616466696c65};
    uint64_t name[2];
    ps_siphash128((const uint8_t *)line, (uint32_t)(length < HEAD_MAX ? length : HEAD_MAX), key,
                  name);
    const uint64_t mixed = name[0] ^ (uint64_t)length * 0x9e3779b97f4a7c15;
    return mixed == 0 ? 1 : mixed;
}

/* Where the name is in the table, or the empty place where it would be. */
static uint64_t *place_of(uint64_t *names, uint64_t name) {
    uint64_t at = name % NAMES;
    while (names[at] != 0 && names[at] != name) at = (at + 1) % NAMES;
    return &names[at];
}

static bool has_line(const ps_dead_file *dead, uint64_t name) {
    return *place_of(dead->names[0], name) != 0 || *place_of(dead->names[1], name) != 0;
}

static void note(ps_dead_file *dead, uint64_t name) {
    if (dead->name_count == NAMES / 2) {
        uint64_t *oldest = dead->names[1];
        dead->names[1] = dead->names[0];
        dead->names[0] = oldest;
        memset(oldest, 0, NAMES * sizeof *oldest);
        dead->name_count = 0;
    }
    uint64_t *place = place_of(dead->names[0], name);
    if (*place == 0) dead->name_count++;
    *place = name;
}

/* Reads the beginnings of all lines; what follows the last line break is cut off. */
static ps_status scan(ps_dead_file *dead, ps_error *error) {
    char head[HEAD_MAX];
    char *block = malloc(SCAN_BYTES);
    if (block == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to read %.200s", dead->path);
    size_t length = 0;
    int64_t at = 0, complete = 0;
    ssize_t got;
    while ((got = pread(dead->fd, block, SCAN_BYTES, at)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (length < HEAD_MAX) head[length] = block[i];
            length++;
            if (block[i] != '\n') continue;
            note(dead, name_of(head, length));
            length = 0;
            complete = at + i + 1;
        }
        at += got;
    }
    free(block);
    if (got < 0) return failed(dead, "read", error);
    if (at > complete && ftruncate(dead->fd, complete) != 0) return failed(dead, "repair", error);
    return lseek(dead->fd, complete, SEEK_SET) < 0 ? failed(dead, "append to", error) : PS_OK;
}

static void destroy(ps_dead_file *dead) {
    ps_file_lock_close(dead->lock);
    if (dead->fd >= 0) (void)close(dead->fd);
    (void)pthread_mutex_destroy(&dead->mutex);
    free(dead->names[0]);
    free(dead->names[1]);
    free(dead->line);
    free(dead->path);
    free(dead);
}

/* Before the file is read: a line that its writer has not finished must not be cut off. */
static ps_status lock_file(ps_dead_file *dead, ps_error *error) {
    const int fd = fcntl(dead->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return failed(dead, "open", error);
    const ps_status status = ps_file_lock_open(fd, &dead->lock, error);
    if (status == PS_OK) return PS_OK;
    (void)close(fd);
    if (status != PS_AGAIN) return status;
    return ps_fail(error, PS_IO,
                   "dead letters in %.200s are being written by another process: stop it, or give "
                   "each worker a dead_letter.file of its own",
                   dead->path);
}

static ps_status open_new(const char *path, const ps_partitions *partitions, ps_dead_file **out,
                          ps_error *error) {
    ps_dead_file *dead = calloc(1, sizeof *dead);
    if (dead == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for dead letters");
    dead->users = 1;
    dead->partitions = partitions;
    dead->path = strdup(path);
    (void)pthread_mutex_init(&dead->mutex, NULL);
    for (int i = 0; i < GENERATIONS; i++) dead->names[i] = calloc(NAMES, sizeof *dead->names[i]);
    const bool memory = dead->path != NULL && dead->names[0] != NULL && dead->names[1] != NULL;
    dead->fd = !memory ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ps_status status = PS_OK;
    if (!memory)
        status = ps_fail(error, PS_NO_MEMORY, "no memory for dead letters");
    else if (dead->fd < 0)
        status = failed(dead, "open", error);
    else
        status = lock_file(dead, error);
    if (status == PS_OK) status = scan(dead, error);
    if (status != PS_OK) {
        destroy(dead);
        return status;
    }
    dead->next = open_files;
    open_files = dead;
    *out = dead;
    return PS_OK;
}

ps_status ps_dead_file_open(const char *path, const ps_partitions *partitions, ps_dead_file **out,
                            ps_error *error) {
    (void)pthread_mutex_lock(&open_mutex);
    ps_dead_file *dead = open_files;
    while (dead != NULL && strcmp(dead->path, path) != 0) dead = dead->next;
    ps_status status = PS_OK;
    if (dead != NULL) {
        dead->users++;
        *out = dead;
    } else {
        status = open_new(path, partitions, out, error);
    }
    (void)pthread_mutex_unlock(&open_mutex);
    return status;
}

void ps_dead_file_close(ps_dead_file *dead) {
    if (dead == NULL) return;
    (void)pthread_mutex_lock(&open_mutex);
    if (--dead->users == 0) {
        ps_dead_file **link = &open_files;
        while (*link != dead) link = &(*link)->next;
        *link = dead->next;
        destroy(dead);
    }
    (void)pthread_mutex_unlock(&open_mutex);
}

size_t ps_dead_file_bytes(const ps_lane_env *env) {
    if (env->dead == NULL || env->dead->file == NULL) return 0;
    return (GENERATIONS * NAMES * sizeof(uint64_t)) / env->lanes + 1;
}

/* The three texts of a row, wherever it keeps them. */
typedef struct letter {
    ps_bytes key, value, headers;
} letter;

static letter letter_of(const ps_batch *batch, uint32_t row) {
    if (batch->oversize.row == row)
        return (letter){batch->oversize.key, batch->oversize.value, batch->oversize.headers};
    const ps_column *column = batch->schema->column;
    return (letter){ps_batch_text(batch, &column[PS_COLUMN_KEY], row),
                    ps_batch_text(batch, &column[PS_COLUMN_VALUE], row),
                    ps_batch_text(batch, &column[PS_COLUMN_HEADERS], row)};
}

static size_t stored(ps_bytes bytes) {
    return bytes.length == PS_NULL_LENGTH ? 0 : bytes.length;
}

static char *put_text(char *to, const char *text) {
    const size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

/* Inside quotes: reasons may name fields as a pipeline file spells them. */
static char *put_escaped(char *to, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20) {
            to += snprintf(to, 7, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\') *to++ = '\\';
        *to++ = (char)c;
    }
    return to;
}

static char *put_bytes(char *to, ps_bytes bytes) {
    if (bytes.length == PS_NULL_LENGTH) return put_text(to, "null");
    *to++ = '"';
    to = ps_base64_encode(to, bytes.data, bytes.length);
    *to++ = '"';
    return to;
}

static char *put_headers(char *to, ps_bytes packed) {
    uint32_t at = 0;
    ps_header header;
    *to++ = '[';
    while (ps_headers_next(packed, &at, &header)) {
        if (to[-1] != '[') *to++ = ',';
        *to++ = '[';
        to = put_bytes(to, header.name);
        *to++ = ',';
        to = put_bytes(to, header.value);
        *to++ = ']';
    }
    *to++ = ']';
    return to;
}

/* Headers are the worst: each of their 8 bytes of lengths becomes brackets, quotes, padding. */
static size_t line_room(const letter *of) {
    return 2048 + 2 * stored(of->key) + 2 * stored(of->value) + 4 * stored(of->headers);
}

static size_t write_line(const ps_dead_file *dead, const ps_batch *batch, uint32_t row,
                         uint32_t partition, const letter *of) {
    char source[PS_OUTPUT_TEXT_MAX], reason[256];
    const ps_reject reject = ((const uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[row];
    const uint32_t detail = ((const uint32_t *)ps_batch_system(batch, PS_COLUMN_DETAIL))[row];
    const int64_t offset = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row];
    const int64_t timestamp = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_TIMESTAMP))[row];
    const uint32_t source_length = ps_enrich_source(dead->partitions, partition, offset, source);
    (void)ps_reject_reason(reject, detail, batch->schema, reason, sizeof reason);
    char *to = put_text(dead->line, "{\"source\":\"");
    to = put_escaped(to, source, source_length);
    to = put_text(to, "\",\"error\":\"");
    to = put_text(to, ps_reject_code(reject));
    to = put_text(to, "\",\"reason\":\"");
    to = put_escaped(to, reason, strlen(reason));
    to += snprintf(to, 64, "\",\"timestamp\":%" PRId64 ",\"key\":", timestamp);
    to = put_bytes(to, of->key);
    to = put_text(to, ",\"value\":");
    to = put_bytes(to, of->value);
    to = put_text(to, ",\"headers\":");
    to = put_headers(to, of->headers);
    to = put_text(to, "}\n");
    return (size_t)(to - dead->line);
}

static ps_status write_all(ps_dead_file *dead, size_t bytes, ps_error *error) {
    for (size_t at = 0; at < bytes;) {
        const ssize_t written = write(dead->fd, dead->line + at, bytes - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed(dead, "write", error);
        at += (size_t)written;
    }
    return PS_OK;
}

static ps_status put(ps_dead_file *dead, const ps_batch *batch, uint32_t row, uint32_t partition,
                     ps_error *error) {
    const letter of = letter_of(batch, row);
    const size_t room = line_room(&of);
    if (room > dead->line_bytes) {
        char *line = realloc(dead->line, room);
        if (line == NULL)
            return ps_fail(error, PS_NO_MEMORY, "no memory for a dead letter of %zu bytes", room);
        dead->line = line;
        dead->line_bytes = room;
    }
    const size_t length = write_line(dead, batch, row, partition, &of);
    const uint64_t name = name_of(dead->line, length);
    if (has_line(dead, name)) return PS_OK;
    PS_TRY(write_all(dead, length, error));
    note(dead, name);
    dead->dirty = true;
    return PS_OK;
}

ps_status ps_dead_file_put(ps_dead_file *dead, const ps_batch *batch, uint32_t row,
                           uint32_t partition, ps_error *error) {
    (void)pthread_mutex_lock(&dead->mutex);
    const ps_status status = put(dead, batch, row, partition, error);
    (void)pthread_mutex_unlock(&dead->mutex);
    return status;
}

ps_status ps_dead_file_sync(ps_dead_file *dead, ps_error *error) {
    ps_status status = PS_OK;
    (void)pthread_mutex_lock(&dead->mutex);
    if (dead->dirty && fdatasync(dead->fd) != 0 && errno != EINVAL)
        status = failed(dead, "keep", error);
    else
        dead->dirty = false;
    (void)pthread_mutex_unlock(&dead->mutex);
    return status;
}
