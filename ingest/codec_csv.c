/* SPDX-License-Identifier: Apache-2.0
 * One line of comma-separated values per record, quoted as RFC 4180 says: "" inside quotes is one
 * quote. An empty column is null, quoted or not. A line has exactly as many columns as are named:
 * fewer is `missing_field` where a required one is absent, else `truncated`; more is `syntax`. Text
 * must be UTF-8. Numbers follow JSON's grammar; bool is true or false; a timestamp is a number or
 * RFC 3339. A line break at the end of the value is not part of it. Columns are named by `columns`,
 * else by the file's own header line where the source has one, else by the fields in order.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/codec.h"
#include "ingest/columns.h"
#include "ingest/scan.h"

enum { COLUMNS_MAX = 1024, NO_FIELD = 0xffff, LAYOUTS_MAX = 256 };

static const ps_option options[] = {
    {.name = "fields",
     .preset = NULL,
     .help = "The columns to decode: name and type, or the long form, whose path is the "
             "column's name.",
     .type = PS_OPTION_FIELDS,
     .at = offsetof(ps_decode_config, fields)},
    {.name = "columns",
     .help = "Names of a line's columns, in order; by default those of the file's header line "
             "(source.file.header), else the fields.",
     .type = PS_OPTION_LIST,
     .at = offsetof(ps_decode_config, columns)},
    {.name = "delimiter",
     .preset = ",",
     .help = "The character between columns, one byte.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_decode_config, delimiter)},
    {.name = NULL}};

/* Which columns a line has. */
typedef struct layout {
    uint32_t column_count;
    uint16_t field_of[COLUMNS_MAX]; /* the field that a column of the line belongs to */
} layout;

typedef struct codec_csv {
    ps_field_list fields;
    ps_field_column *columns; /* [fields] of the batch at hand */
    uint8_t delimiter;
    bool configured;  /* the pipeline file names the columns: headings say nothing new */
    const layout *at; /* of the run at hand */
    uint32_t layout_count;
    layout layouts[LAYOUTS_MAX]; /* the first is what the pipeline file says */
    uint16_t layout_of[PS_PARTITIONS_MAX];
} codec_csv;

/* A column of a line. */
typedef struct cell {
    ps_bytes text;
    bool doubled; /* holds "" */
} cell;

static void csv_close(void *self) {
    codec_csv *codec = self;
    if (codec == NULL) return;
    free(codec->columns);
    free(codec);
}

static const char *path_of(const ps_field *field) {
    return field->path != NULL ? field->path : field->name;
}

static ps_status map_columns(codec_csv *codec, const ps_string_list *names, ps_error *error) {
    layout *to = &codec->layouts[0];
    to->column_count = names->count;
    if (names->count > COLUMNS_MAX)
        return ps_fail(error, PS_BAD_CONFIG,
                       "decode.csv.columns names %u columns; at most %d can be", names->count,
                       COLUMNS_MAX);
    memset(to->field_of, 0xff, sizeof to->field_of);
    for (uint32_t i = 0; i < codec->fields.count; i++) {
        const ps_field *field = &codec->fields.at[i];
        const char *name = path_of(field);
        uint32_t at = 0;
        while (at < names->count && strcmp(names->at[at], name) != 0) at++;
        if (at == names->count)
            return ps_fail(
                error, PS_BAD_CONFIG,
                "field '%.64s' reads column '%.64s', which decode.csv.columns does not name",
                field->name, name);
        if (to->field_of[at] != NO_FIELD)
            return ps_fail(error, PS_BAD_CONFIG, "two fields read CSV column '%.64s'; declare one",
                           name);
        to->field_of[at] = (uint16_t)i;
    }
    return PS_OK;
}

static ps_status csv_open(const void *config, const ps_schema *schema, void **self,
                          ps_error *error) {
    const ps_decode_config *decode = config;
    const char *delimiter = decode->delimiter == NULL ? "," : decode->delimiter;
    PS_TRY(ps_field_check(&decode->fields, schema, error));
    if (strlen(delimiter) != 1 || strchr("\"\r\n", *delimiter) != NULL)
        return ps_fail(
            error, PS_BAD_CONFIG,
            "decode.csv.delimiter is '%.16s'; it must be one byte, neither a quote nor a "
            "line break",
            delimiter);
    codec_csv *codec = calloc(1, sizeof *codec);
    if (codec == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the CSV codec");
    codec->fields = decode->fields;
    codec->delimiter = (uint8_t)*delimiter;
    codec->columns = calloc((size_t)decode->fields.count + 1, sizeof *codec->columns);
    if (codec->columns == NULL) {
        csv_close(codec);
        return ps_fail(error, PS_NO_MEMORY, "no memory for %u CSV fields", decode->fields.count);
    }
    codec->layout_count = 1;
    codec->configured = decode->columns.count > 0;
    if (codec->configured) {
        const ps_status status = map_columns(codec, &decode->columns, error);
        if (status == PS_OK) *self = codec;
        if (status != PS_OK) csv_close(codec);
        return status;
    }
    layout *to = &codec->layouts[0];
    to->column_count = decode->fields.count;
    for (uint32_t i = 0; i < to->column_count; i++) to->field_of[i] = (uint16_t)i;
    *self = codec;
    return PS_OK;
}

/* `p` is behind the opening quote; `*next` becomes the byte behind the column, or the fault. */
static ps_reject read_quoted(const codec_csv *codec, const uint8_t *p, const uint8_t *end,
                             cell *out, const uint8_t **next) {
    const uint8_t *begin = p;
    for (;; p += 2) {
        p = memchr(p, '"', (size_t)(end - p));
        *next = end;
        if (p == NULL) return PS_REJECT_TRUNCATED;
        if (p + 1 == end || p[1] != '"') break;
        out->doubled = true;
    }
    out->text = (ps_bytes){begin, (uint32_t)(p - begin)};
    *next = p + 1;
    return p + 1 == end || p[1] == codec->delimiter ? PS_REJECT_NONE : PS_REJECT_SYNTAX;
}

static ps_reject read_cell(const codec_csv *codec, const uint8_t *p, const uint8_t *end, cell *out,
                           const uint8_t **next) {
    out->doubled = false;
    if (p < end && *p == '"') return read_quoted(codec, p + 1, end, out, next);
    const uint8_t *begin = p;
    while (p < end && *p != codec->delimiter && *p != '"') p++;
    out->text = (ps_bytes){begin, (uint32_t)(p - begin)};
    *next = p;
    return p < end && *p == '"' ? PS_REJECT_SYNTAX : PS_REJECT_NONE;
}

/* --- the header line of a file */

static bool is_name(const cell *read, const char *name) {
    size_t n = 0;
    for (uint32_t i = 0; i < read->text.length; i++) {
        /* A file may hold NUL bytes; a name ends with one. */
        if (name[n] == '\0' || (uint8_t)name[n++] != read->text.data[i]) return false;
        i += read->doubled && read->text.data[i] == '"'; /* its twin */
    }
    return name[n] == '\0';
}

/* The columns that a header line names, each with the field that reads it. */
static ps_status map_heading(const codec_csv *codec, const ps_heading *heading, layout *to,
                             ps_error *error) {
    const uint8_t *p = heading->line.data, *end = p + heading->line.length;
    memset(to, 0xff, sizeof *to);
    to->column_count = 0;
    for (;;) {
        cell read;
        const uint8_t *next;
        if (to->column_count == COLUMNS_MAX)
            return ps_fail(error, PS_BAD_CONFIG,
                           "%.250s: the header line names more than %d columns", heading->where,
                           COLUMNS_MAX);
        if (read_cell(codec, p, end, &read, &next) != PS_REJECT_NONE)
            return ps_fail(error, PS_BAD_CONFIG,
                           "%.250s: the header line is not well-formed at byte %u: %.*s",
                           heading->where, (uint32_t)(next - heading->line.data),
                           heading->line.length > 100 ? 100 : (int)heading->line.length,
                           (const char *)heading->line.data);
        for (uint32_t i = 0; i < codec->fields.count; i++)
            if (is_name(&read, path_of(&codec->fields.at[i])))
                to->field_of[to->column_count] = (uint16_t)i;
        to->column_count++;
        if (next == end) return PS_OK;
        p = next + 1;
    }
}

/* Each field has one column. */
static ps_status check_heading(const codec_csv *codec, const ps_heading *heading,
                               const layout *found, ps_error *error) {
    for (uint32_t i = 0; i < codec->fields.count; i++) {
        const ps_field *field = &codec->fields.at[i];
        uint32_t count = 0;
        for (uint32_t c = 0; c < found->column_count; c++) count += found->field_of[c] == i;
        if (count == 1) continue;
        if (count > 1)
            return ps_fail(error, PS_BAD_CONFIG,
                           "%.250s: the header line names column '%.64s' %u times; name the "
                           "columns in decode.csv.columns",
                           heading->where, path_of(field), count);
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.250s: field '%.64s' reads column '%.64s', which the header line does not "
                       "name (or another field reads it too): %.*s",
                       heading->where, field->name, path_of(field),
                       heading->line.length > 100 ? 100 : (int)heading->line.length,
                       (const char *)heading->line.data);
    }
    return PS_OK;
}

/* Files mostly have the same columns: a layout is kept once. */
static ps_status csv_heading(void *self, uint32_t partition, const ps_heading *heading,
                             ps_error *error) {
    codec_csv *codec = self;
    if (codec->configured) return PS_OK;
    if (codec->layout_count == LAYOUTS_MAX)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.250s: the files before have %d different header lines; that is as many "
                       "as one job takes",
                       heading->where, LAYOUTS_MAX - 1);
    layout *found = &codec->layouts[codec->layout_count];
    PS_TRY(map_heading(codec, heading, found, error));
    PS_TRY(check_heading(codec, heading, found, error));
    uint32_t same = 1;
    while (memcmp(&codec->layouts[same], found, sizeof *found) != 0) same++;
    if (same == codec->layout_count) codec->layout_count++;
    codec->layout_of[partition] = (uint16_t)same;
    return PS_OK;
}

/* --- the fields of a line */

static ps_reject put_string(ps_batch *batch, const ps_field_column *column, uint32_t row,
                            const cell *from) {
    if (!from->doubled) {
        ps_field_string(column, row, (uint32_t)(from->text.data - ps_batch_arena(batch)),
                        from->text.length);
        return PS_REJECT_NONE;
    }
    const uint32_t at = ps_batch_reserve(batch, from->text.length);
    if (at == PS_NOWHERE) return PS_REJECT_TOO_LARGE;
    uint8_t *to = ps_batch_arena(batch) + at;
    uint32_t length = 0;
    for (uint32_t i = 0; i < from->text.length; i++) {
        to[length++] = from->text.data[i];
        i += from->text.data[i] == '"'; /* its twin */
    }
    batch->arena_used -= from->text.length - length;
    ps_field_string(column, row, at, length);
    return PS_REJECT_NONE;
}

static bool is_word(ps_bytes text, const char *word) {
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static ps_reject put(ps_batch *batch, const ps_field_column *column, uint32_t row,
                     const cell *from) {
    const ps_bytes text = from->text;
    if (text.length == 0) {
        ps_field_null(column, row);
        return column->required ? PS_REJECT_MISSING_FIELD : PS_REJECT_NONE;
    }
    ps_reject reject = PS_REJECT_WRONG_TYPE;
    switch (column->type) {
    case PS_FIELD_STRING:
        return put_string(batch, column, row, from);
    case PS_FIELD_BOOL:
        if (!is_word(text, "true") && !is_word(text, "false")) return reject;
        ps_field_bool(column, row, text.length == 4);
        return PS_REJECT_NONE;
    case PS_FIELD_TIMESTAMP:
        reject = ps_field_time_text(column, row, text);
        if (reject != PS_REJECT_WRONG_TYPE) return reject;
        return ps_field_number_text(column, row, text);
    case PS_FIELD_FLOAT:
    case PS_FIELD_INT:
        break;
    }
    return ps_field_number_text(column, row, text);
}

static bool is_utf8(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        const int length = ps_scan_utf8(p, end);
        if (length <= 0) return false;
        p += length;
    }
    return true;
}

/* The line has no column from `i` on: which field that leaves without one. */
static ps_reject absent(const codec_csv *codec, uint32_t i, uint32_t *detail) {
    const layout *columns = codec->at;
    bool named = false;
    for (; i < columns->column_count; i++) {
        const uint32_t field = columns->field_of[i];
        if (field == NO_FIELD) continue;
        if (codec->columns[field].required) {
            *detail = field;
            return PS_REJECT_MISSING_FIELD;
        }
        if (!named) *detail = PS_REJECT_BEFORE + field;
        named = true;
    }
    return PS_REJECT_TRUNCATED;
}

/* The structure of the whole line comes first; the first bad field is kept for later. */
static ps_reject decode_line(codec_csv *codec, ps_batch *batch, uint32_t row, ps_bytes line,
                             uint32_t *detail) {
    const uint8_t *p = line.data, *end = p + line.length;
    const layout *columns = codec->at;
    ps_reject bad_field = PS_REJECT_NONE;
    uint32_t which = 0;
    for (uint32_t i = 0;; i++) {
        cell read;
        const uint8_t *next;
        *detail = (uint32_t)(p - line.data);
        if (i >= columns->column_count) return PS_REJECT_SYNTAX;
        const ps_reject reject = read_cell(codec, p, end, &read, &next);
        *detail = (uint32_t)(next - line.data);
        if (reject != PS_REJECT_NONE) return reject;
        const uint32_t field = columns->field_of[i];
        if (field != NO_FIELD && bad_field == PS_REJECT_NONE) {
            bad_field = put(batch, &codec->columns[field], row, &read);
            which = field;
        }
        if (next == end && i + 1 < columns->column_count) return absent(codec, i + 1, detail);
        if (next == end) break;
        p = next + 1;
    }
    *detail = which;
    return bad_field;
}

static void decode_row(codec_csv *codec, ps_batch *batch, uint32_t row, ps_bytes line) {
    uint32_t detail = 0;
    ps_reject reject = PS_REJECT_EMPTY;
    if (line.length > 0) {
        if (line.data[line.length - 1] == '\n') line.length--;
        if (line.length > 0 && line.data[line.length - 1] == '\r') line.length--;
        reject = is_utf8(line.data, line.data + line.length)
                     ? decode_line(codec, batch, row, line, &detail)
                     : PS_REJECT_INVALID_UTF8;
    }
    if (reject != PS_REJECT_NONE)
        ps_row_reject(batch, codec->columns, codec->fields.count, row, reject, detail);
}

static void decode_run(codec_csv *codec, ps_batch *batch, const ps_run *run) {
    const ps_column *value = &batch->schema->column[PS_COLUMN_VALUE];
    const uint8_t *rejects = ps_batch_system(batch, PS_COLUMN_REJECT);
    codec->at = &codec->layouts[codec->layout_of[run->partition]];
    for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
        const ps_bytes line = ps_batch_text(batch, value, row);
        if (rejects[row] == PS_REJECT_NONE && line.data != NULL) {
            decode_row(codec, batch, row, line);
        } else {
            for (uint32_t i = 0; i < codec->fields.count; i++)
                ps_field_null(&codec->columns[i], row);
        }
    }
}

static void csv_decode(void *self, ps_batch *batch) {
    codec_csv *codec = self;
    ps_field_columns(&codec->fields, batch, codec->columns);
    for (uint32_t i = 0; i < batch->run_count; i++) decode_run(codec, batch, &batch->runs[i]);
}

static size_t csv_memory(const void *config, const ps_schema *schema) {
    (void)config;
    (void)schema;
    return sizeof(codec_csv);
}

const ps_codec ps_codec_csv = {
    .about = {.name = "csv",
              .summary = "Comma-separated values, one line a record (RFC 4180).",
              .options = options,
              .config_bytes = sizeof(ps_decode_config)},
    .escape = '"',
    .open = csv_open,
    .heading = csv_heading,
    .decode = csv_decode,
    .memory = csv_memory,
    .close = csv_close};
