/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ps_status ps_line_reader_init(ps_line_reader *reader, uint32_t line_max, ps_error *error) {
    *reader = (ps_line_reader){.fd = -1, .line_max = line_max};
    reader->buf = malloc((size_t)line_max + PS_LINE_BLOCK);
    if (reader->buf != NULL) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY,
                   "no memory for lines of %u bytes; lower source.file.line_max", line_max);
}

void ps_line_reader_deinit(ps_line_reader *reader) {
    ps_line_reader_close(reader);
    free(reader->buf);
    reader->buf = NULL;
}

ps_status ps_line_reader_open(ps_line_reader *reader, const char *path, ps_error *error) {
    ps_line_reader_close(reader);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        return ps_fail(error, PS_IO, "cannot open %.300s: %s", path, strerror(errno));
    (void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    reader->path = path;
    reader->at_end = false;
    reader->line = 0;
    reader->read_bytes = 0;
    reader->begin = reader->used = reader->scanned = 0;
    return PS_OK;
}

void ps_line_reader_close(ps_line_reader *reader) {
    if (reader->fd >= 0) (void)close(reader->fd);
    reader->fd = -1;
    reader->path = NULL;
}

/* Moves what is left to the front and reads one block behind it. */
static ps_status refill(ps_line_reader *reader, ps_error *error) {
    memmove(reader->buf, reader->buf + reader->begin, reader->used - reader->begin);
    reader->used -= reader->begin;
    reader->begin = 0;
    ssize_t got;
    do {
        got = read(reader->fd, reader->buf + reader->used, PS_LINE_BLOCK);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return ps_fail(error, PS_IO, "cannot read %.300s: %s", reader->path, strerror(errno));
    reader->at_end = got == 0;
    reader->used += (uint32_t)got;
    reader->read_bytes += (uint64_t)got;
    return PS_OK;
}

static ps_bytes trimmed(const uint8_t *begin, uint32_t length) {
    if (length > 0 && begin[length - 1] == '\r') length--;
    return (ps_bytes){begin, length};
}

ps_status ps_line_reader_peek(ps_line_reader *reader, ps_bytes *line, ps_error *error) {
    for (;;) {
        const uint8_t *begin = reader->buf + reader->begin;
        const uint32_t have = reader->used - reader->begin;
        const uint8_t *end = memchr(begin + reader->scanned, '\n', have - reader->scanned);
        if (end != NULL && end - begin <= (ptrdiff_t)reader->line_max) {
            reader->scanned = (uint32_t)(end - begin);
            *line = trimmed(begin, reader->scanned);
            return PS_OK;
        }
        if (have > reader->line_max)
            return ps_fail(error, PS_IO,
                           "%.250s, line %lld (counted from 0) is longer than %u bytes; raise "
                           "source.file.line_max or break the line",
                           reader->path, (long long)reader->line, reader->line_max);
        reader->scanned = have;
        if (reader->at_end) {
            *line = trimmed(begin, have);
            return have == 0 ? PS_END : PS_OK;
        }
        PS_TRY(refill(reader, error));
    }
}

int64_t ps_line_reader_position(const ps_line_reader *reader) {
    return (int64_t)reader->read_bytes - (int64_t)(reader->used - reader->begin);
}

void ps_line_reader_next(ps_line_reader *reader) {
    reader->begin += reader->scanned;
    reader->begin += reader->begin < reader->used; /* the line break, unless the file ended first */
    reader->scanned = 0;
    reader->line++;
}

ps_status ps_line_reader_skip(ps_line_reader *reader, int64_t *lines, ps_error *error) {
    reader->scanned = 0;
    while (*lines > 0) {
        const uint8_t *begin = reader->buf + reader->begin;
        const uint8_t *end = memchr(begin, '\n', reader->used - reader->begin);
        if (end == NULL) break;
        reader->begin = (uint32_t)(end - reader->buf) + 1;
        reader->line++;
        --*lines;
    }
    if (*lines == 0) return PS_OK;
    if (reader->at_end) {
        const bool last = reader->begin < reader->used; /* a line that the file's end closes */
        reader->begin = reader->used;
        reader->line += last;
        *lines -= last;
        return *lines == 0 ? PS_OK : PS_END;
    }
    /* A line longer than a block must not fill the buffer: only whether it goes on matters. */
    if (reader->used > reader->begin) {
        reader->buf[0] = 0;
        reader->begin = 0;
        reader->used = 1;
    }
    PS_TRY(refill(reader, error));
    return PS_AGAIN;
}
