/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/letter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/base64.h"
#include "host/base/limits.h"
#include "host/base/text.h"
#include "host/batch/headers.h"
#include "ingest/json.h"

enum { SOURCE, ERROR, REASON, TIMESTAMP, KEY, VALUE, HEADERS, MEMBERS };
static const char *const members[MEMBERS] = {"source", "error", "reason", "timestamp",
                                             "key",    "value", "headers"};

static const uint8_t *last_slash(const uint8_t *begin, const uint8_t *end) {
    while (end > begin && end[-1] != '/') end--;
    return end == begin ? NULL : end - 1;
}

static bool whole_number(const uint8_t *begin, const uint8_t *end, int64_t *value) {
    char digits[24];
    const size_t length = (size_t)(end - begin);
    if (length == 0 || length >= sizeof digits) return false;
    memcpy(digits, begin, length);
    digits[length] = '\0';
    return ps_text_integer(digits, value) && *value >= 0;
}

bool ps_letter_locate(ps_letter *letter, ps_bytes source) {
    const uint8_t *end = source.data + source.length;
    if (source.length > 0 && memchr(source.data, '\0', source.length) != NULL) return false;
    const uint8_t *right = last_slash(source.data, end);
    const uint8_t *left = right == NULL ? NULL : last_slash(source.data, right);
    int64_t partition;
    if (left == NULL || left == source.data || left - source.data >= PS_LETTER_TOPIC_MAX)
        return false;
    if (!whole_number(left + 1, right, &partition) || partition > INT32_MAX ||
        !whole_number(right + 1, end, &letter->offset))
        return false;
    memcpy(letter->topic, source.data, (size_t)(left - source.data));
    letter->topic[left - source.data] = '\0';
    letter->partition = (int32_t)partition;
    letter->source = source;
    return true;
}

/* A file that is read line by line. */
typedef struct reader {
    ps_json *json;
    char *line;
    size_t line_room;
    uint8_t *out; /* what was decoded of the line; never more than the line */
    size_t out_room, used;
} reader;

static bool take_text(reader *r, const ps_json_value *value, ps_bytes *text) {
    if (value->kind != PS_JSON_STRING) return false;
    *text = value->text;
    if (!value->escaped) return true;
    uint8_t *to = r->out + r->used;
    *text = (ps_bytes){to, ps_json_unescape(value->text, to)};
    r->used += text->length;
    return true;
}

static bool take_base64(reader *r, ps_bytes text, ps_bytes *bytes) {
    uint8_t *to = r->out + r->used;
    size_t length;
    if (!ps_base64_decode(text.data, text.length, to, &length)) return false;
    r->used += length;
    *bytes = (ps_bytes){to, (uint32_t)length};
    return true;
}

static bool take_bytes(reader *r, const ps_json_value *value, ps_bytes *bytes) {
    *bytes = (ps_bytes){NULL, PS_NULL_LENGTH};
    if (value->kind == PS_JSON_NULL) return true;
    return value->kind == PS_JSON_STRING && !value->escaped && take_base64(r, value->text, bytes);
}

static const uint8_t *over(const uint8_t *p, char wanted) {
    while (*p == ' ' || *p == '\t') p++;
    if (*p != (uint8_t)wanted) return NULL;
    p++;
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

/* A base64 string or null of a text that is known to be JSON: NULL where it is something else. */
static const uint8_t *take_part(reader *r, const uint8_t *p, ps_bytes *part) {
    *part = (ps_bytes){NULL, PS_NULL_LENGTH};
    if (memcmp(p, "null", 4) == 0) return p + 4;
    if (*p != '"') return NULL;
    const uint8_t *end = memchr(p + 1, '"', (size_t)((uint8_t *)r->line + r->line_room - p - 1));
    if (end == NULL || !take_base64(r, (ps_bytes){p + 1, (uint32_t)(end - p - 1)}, part))
        return NULL;
    return end + 1;
}

/* [["name","value"],…] into packed headers. */
static bool take_headers(reader *r, const ps_json_value *value, ps_bytes *packed, uint8_t *to) {
    if (value->kind != PS_JSON_COMPOUND) return false;
    uint8_t *const begin = to;
    const uint8_t *p = over(value->text.data, '[');
    const uint8_t *end = value->text.data + value->text.length - 1;
    while (p != NULL && p < end) {
        ps_bytes name, content;
        p = over(p, '[');
        if (p != NULL) p = take_part(r, p, &name);
        if (p == NULL || name.length == PS_NULL_LENGTH) return false;
        p = over(p, ',');
        if (p != NULL) p = take_part(r, p, &content);
        if (p != NULL) p = over(p, ']');
        if (p == NULL) return false;
        to = ps_headers_put(to, name, content);
        if (p < end) p = over(p, ',');
    }
    *packed = (ps_bytes){begin, (uint32_t)(to - begin)};
    return p != NULL;
}

static bool take_line(reader *r, size_t length, ps_letter *letter) {
    ps_json_value value[MEMBERS];
    ps_json_fault fault;
    ps_bytes source;
    const ps_bytes line = {(const uint8_t *)r->line, (uint32_t)length};
    r->used = 0;
    if (ps_json_read(r->json, line, value, &fault) != PS_REJECT_NONE) return false;
    if (value[TIMESTAMP].kind != PS_JSON_NUMBER || value[TIMESTAMP].text.length >= 24) return false;
    char digits[24];
    memcpy(digits, value[TIMESTAMP].text.data, value[TIMESTAMP].text.length);
    digits[value[TIMESTAMP].text.length] = '\0';
    /* Packed headers are the longer form where they are empty: room of their own, behind. */
    uint8_t *headers = r->out + length;
    return ps_text_integer(digits, &letter->timestamp_ms) &&
           take_text(r, &value[SOURCE], &source) && ps_letter_locate(letter, source) &&
           take_text(r, &value[ERROR], &letter->code) &&
           take_text(r, &value[REASON], &letter->reason) &&
           take_bytes(r, &value[KEY], &letter->key) &&
           take_bytes(r, &value[VALUE], &letter->value) &&
           take_headers(r, &value[HEADERS], &letter->headers, headers);
}

/* Room behind the line for the JSON reader, and for what is made of it: a header of two empty texts
 * takes 7 bytes there and 8 packed. */
static bool make_room(reader *r, size_t length) {
    const size_t wanted = length + PS_ARENA_PADDING;
    if (r->line_room < wanted) {
        char *line = realloc(r->line, wanted);
        if (line == NULL) return false;
        r->line = line;
        r->line_room = wanted;
    }
    memset(r->line + length, 0, PS_ARENA_PADDING);
    if (r->out_room >= 3 * wanted) return true;
    free(r->out);
    r->out = malloc(3 * wanted);
    r->out_room = r->out == NULL ? 0 : 3 * wanted;
    return r->out != NULL;
}

static ps_status read_lines(reader *r, FILE *file, ps_letter_fn *fn, void *context,
                            uint64_t *strangers, ps_error *error) {
    ssize_t length;
    while ((length = getline(&r->line, &r->line_room, file)) > 0) {
        if (r->line[length - 1] != '\n') break;
        length--;
        if (!make_room(r, (size_t)length))
            return ps_fail(error, PS_NO_MEMORY, "no memory for a line of %zd bytes", length);
        ps_letter letter = {.offset = 0};
        if (length >= UINT32_MAX || !take_line(r, (size_t)length, &letter)) {
            ++*strangers;
            continue;
        }
        const ps_status status = fn(context, &letter, error);
        if (status != PS_OK) return status == PS_END ? PS_OK : status;
    }
    return PS_OK;
}

ps_status ps_letter_read_file(const char *path, ps_letter_fn *fn, void *context,
                              uint64_t *strangers, ps_error *error) {
    reader r = {.json = NULL};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return ps_fail(error, PS_IO, "cannot read dead letters in %.200s: %s", path,
                       strerror(errno));
    ps_status status = ps_json_open(members, MEMBERS, &r.json, error);
    if (status == PS_OK) status = read_lines(&r, file, fn, context, strangers, error);
    if (status == PS_OK && ferror(file))
        status = ps_fail(error, PS_IO, "cannot read dead letters in %.200s", path);
    ps_json_close(r.json);
    free(r.line);
    free(r.out);
    (void)fclose(file);
    return status;
}
