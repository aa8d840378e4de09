/* SPDX-License-Identifier: Apache-2.0
 * One series in a file: lines of `timestamp,value` behind a line that says so. What `penstock
 * score` reads, and the form of the public benchmark's files.
 */
#ifndef PS_INGEST_SERIES_CSV_H
#define PS_INGEST_SERIES_CSV_H

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "ingest/line_reader.h"

enum { PS_SERIES_LINE_MAX = 4096 };

typedef struct ps_series_row {
    ps_bytes time_text, value_text; /* as written; borrowed until the next row */
    int64_t time_ns;
    double value; /* NaN: none is written, or one that is not finite */
} ps_series_row;

typedef struct ps_series_csv {
    ps_line_reader lines;
    const char *path;
    int64_t line; /* the number of the last one read, from 1 */
} ps_series_csv;

/* Owns: a buffer, until ps_series_csv_deinit. */
ps_status ps_series_csv_init(ps_series_csv *csv, ps_error *error) PS_MUST_USE;
void ps_series_csv_deinit(ps_series_csv *csv);

/* Opens a file, after any other, and reads its first line. `path` is borrowed.
 * Fails: PS_IO, also where the line does not begin with timestamp,value. */
ps_status ps_series_csv_open(ps_series_csv *csv, const char *path, ps_error *error) PS_MUST_USE;

/* The next row; empty lines are passed over, columns behind the second are not looked at. PS_END:
 * there is none. Fails: PS_IO, naming file and line where one is no row: data is not usage. */
ps_status ps_series_csv_next(ps_series_csv *csv, ps_series_row *row, ps_error *error) PS_MUST_USE;

/* Nanoseconds since 1970. ISO 8601 with T or a space, in UTC unless it says otherwise, seconds and
 * clock may be left out; or a number, seconds below 10^11 and milliseconds from there on (in
 * seconds that is the year 5138). False: it is none of these. */
bool ps_series_time(ps_bytes text, int64_t *ns);

#endif
