/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/series_csv.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "ingest/number.h"

#define EPOCH_MS_FROM 1e11 /* numbers this large count milliseconds */

ps_status ps_series_csv_init(ps_series_csv *csv, ps_error *error) {
    *csv = (ps_series_csv){.path = NULL};
    return ps_line_reader_init(&csv->lines, PS_SERIES_LINE_MAX, error);
}

void ps_series_csv_deinit(ps_series_csv *csv) {
    ps_line_reader_deinit(&csv->lines);
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Without blanks around it, and without quotes if they enclose it. */
static ps_bytes trim(ps_bytes text) {
    while (text.length > 0 && is_blank(text.data[0])) text.data++, text.length--;
    while (text.length > 0 && is_blank(text.data[text.length - 1])) text.length--;
    if (text.length >= 2 && text.data[0] == '"' && text.data[text.length - 1] == '"') {
        text.data++;
        text.length -= 2;
    }
    return text;
}

static bool is_word(ps_bytes text, const char *word) {
    return text.length == strlen(word) &&
           strncasecmp((const char *)text.data, word, text.length) == 0;
}

/* The two columns of a line; false: there is no second one. */
static bool split(ps_bytes line, ps_bytes *first, ps_bytes *second) {
    const uint8_t *comma = memchr(line.data, ',', line.length);
    if (comma == NULL) return false;
    *first = (ps_bytes){line.data, (uint32_t)(comma - line.data)};
    const uint32_t rest = line.length - first->length - 1;
    const uint8_t *end = memchr(comma + 1, ',', rest);
    *second = (ps_bytes){comma + 1, end == NULL ? rest : (uint32_t)(end - comma - 1)};
    return true;
}

static ps_status read_line(ps_series_csv *csv, ps_bytes *line, ps_error *error) {
    if (csv->line > 0) ps_line_reader_next(&csv->lines);
    csv->line++;
    const ps_status status = ps_line_reader_peek(&csv->lines, line, error);
    if (status != PS_IO || csv->lines.used - csv->lines.begin <= PS_SERIES_LINE_MAX) return status;
    return ps_fail(error, PS_IO, "%.300s:%lld: a line of more than %d bytes", csv->path,
                   (long long)csv->line, PS_SERIES_LINE_MAX);
}

ps_status ps_series_csv_open(ps_series_csv *csv, const char *path, ps_error *error) {
    ps_bytes line, first, second;
    csv->path = path;
    csv->line = 0;
    PS_TRY(ps_line_reader_open(&csv->lines, path, error));
    const ps_status status = read_line(csv, &line, error);
    if (status != PS_OK && status != PS_END) return status;
    if (status == PS_OK && line.length >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
        line = (ps_bytes){line.data + 3, line.length - 3}; /* a byte order mark */
    if (status == PS_OK && split(line, &first, &second) && is_word(trim(first), "timestamp") &&
        is_word(trim(second), "value"))
        return PS_OK;
    return ps_fail(error, PS_IO, "%.300s:1: the first line must be timestamp,value", path);
}

/* A scanned number as nanoseconds, its unit by its size. */
static bool epoch(const ps_number *number, int64_t *ns) {
    double size;
    if (!ps_number_double(number, &size)) return false;
    return ps_number_time(number, fabs(size) < EPOCH_MS_FROM ? PS_UNIT_S : PS_UNIT_MS, ns);
}

bool ps_series_time(ps_bytes text, int64_t *ns) {
    static const char *const missing[] = {"", "Z", ":00Z", "T00:00:00Z"};
    enum { TEXT_MAX = 48 };
    uint8_t whole[TEXT_MAX + 2 * PS_NUMBER_PADDING] = {0};
    ps_number number;
    if (text.length == 0 || text.length > TEXT_MAX) return false;
    memcpy(whole, text.data, text.length);
    if (ps_number_read(whole, whole + text.length, &number) == PS_NUMBER_OK &&
        number.end == whole + text.length)
        return epoch(&number, ns);
    for (uint32_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        const size_t more = strlen(missing[i]);
        memcpy(whole + text.length, missing[i], more);
        if (ps_time_parse(whole, text.length + (uint32_t)more, ns) == PS_TIME_OK) return true;
    }
    return false;
}

/* What stands for a value that there is not. */
static bool is_no_value(ps_bytes text) {
    static const char *const words[] = {"nan", "inf", "infinity", "null", "none", "na", "n/a"};
    if (text.length == 0) return true;
    if (text.data[0] == '-' || text.data[0] == '+') text.data++, text.length--;
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(text, words[i])) return true;
    return false;
}

static bool read_value(ps_bytes text, double *value) {
    enum { TEXT_MAX = 512 };
    uint8_t whole[TEXT_MAX + PS_NUMBER_PADDING] = {0};
    ps_number number;
    *value = (double)NAN;
    if (is_no_value(text)) return true;
    if (text.data[0] == '+') text.data++, text.length--;
    if (text.length > TEXT_MAX) return false;
    memcpy(whole, text.data, text.length);
    const uint8_t *end = whole + text.length;
    if (ps_number_read(whole, end, &number) != PS_NUMBER_OK || number.end != end) return false;
    if (!ps_number_double(&number, value)) *value = (double)NAN; /* 1e400 is not finite */
    return true;
}

static ps_status bad(const ps_series_csv *csv, const char *what, ps_bytes text, const char *hint,
                     ps_error *error) {
    const int shown = text.length > 60 ? 60 : (int)text.length;
    return ps_fail(error, PS_IO, "%.300s:%lld: %s '%.*s' %s", csv->path, (long long)csv->line, what,
                   shown, (const char *)text.data, hint);
}

ps_status ps_series_csv_next(ps_series_csv *csv, ps_series_row *row, ps_error *error) {
    ps_bytes line;
    do {
        PS_TRY(read_line(csv, &line, error));
    } while (trim(line).length == 0);
    if (!split(line, &row->time_text, &row->value_text))
        return bad(csv, "line", line, "is not timestamp,value", error);
    const ps_bytes time = trim(row->time_text), value = trim(row->value_text);
    if (!ps_series_time(time, &row->time_ns))
        return bad(csv, "timestamp", time,
                   "is neither ISO 8601, such as 2026-01-31 12:00:00, nor epoch seconds or "
                   "milliseconds",
                   error);
    if (!read_value(value, &row->value)) return bad(csv, "value", value, "is not a number", error);
    return PS_OK;
}
