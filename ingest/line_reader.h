/* SPDX-License-Identifier: Apache-2.0
 * Lines of a file of any size through one buffer. A line ends with \n or \r\n, or with the file.
 */
#ifndef PS_INGEST_LINE_READER_H
#define PS_INGEST_LINE_READER_H

#include <stdbool.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

enum { PS_LINE_BLOCK = 1 << 18 /* bytes asked of the file at once */ };

typedef struct ps_line_reader {
    const char *path; /* borrowed; NULL: no file is open */
    int fd;
    bool at_end;          /* the file has no more bytes than are in the buffer */
    int64_t line;         /* number of the line at hand */
    uint64_t read_bytes;  /* of this file */
    uint8_t *buf;         /* buf_bytes and PS_LINE_BLOCK more */
    uint32_t line_max;    /* a longer line is an error that names it */
    uint32_t begin, used; /* bytes of the buffer not yet handed out */
    uint32_t scanned;     /* of those, looked through without finding a line's end */
} ps_line_reader;

/* Owns: a buffer of line_max + PS_LINE_BLOCK bytes. */
ps_status ps_line_reader_init(ps_line_reader *reader, uint32_t line_max,
                              ps_error *error) PS_MUST_USE;
void ps_line_reader_deinit(ps_line_reader *reader);

ps_status ps_line_reader_open(ps_line_reader *reader, const char *path,
                              ps_error *error) PS_MUST_USE;
void ps_line_reader_close(ps_line_reader *reader);

/* The line at hand without its end, borrowed until the next call; it stays at hand until
 * ps_line_reader_next. PS_END: the file is at its end. */
ps_status ps_line_reader_peek(ps_line_reader *reader, ps_bytes *line, ps_error *error) PS_MUST_USE;
void ps_line_reader_next(ps_line_reader *reader);
/* Bytes of the file before the line at hand; about that where it follows a long line that was
 * passed over. */
int64_t ps_line_reader_position(const ps_line_reader *reader);

/* Passes over up to `*lines` lines, counting down, one block of the file at a time: AGAIN while
 * there is more to do, END when the file has fewer. Lines of any length. */
ps_status ps_line_reader_skip(ps_line_reader *reader, int64_t *lines, ps_error *error) PS_MUST_USE;

#endif
