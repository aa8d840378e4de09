/* SPDX-License-Identifier: Apache-2.0
 * Recursive descent; strings and numbers go sixteen and eight bytes at a time. Records of one topic
 * look alike, so the branches are predicted, and this costs less than an index of the whole text
 * built first and walked afterwards (docs/benchmarks.md).
 */
#include <string.h>

#include "ingest/json_paths.h"
#include "ingest/number.h"
#include "ingest/scan.h"

/* One text while it is read. */
typedef struct reader {
    const uint8_t *begin, *end;
    ps_json *json;
    ps_json_value *values;
    uint64_t seen[PS_JSON_EDGES_MAX / 64];
    uint32_t depth, member;
    ps_reject reject;
    const uint8_t *fault;
} reader;

static const uint8_t *skip(reader *r, const uint8_t *p);
static const uint8_t *read_object(reader *r, const uint8_t *p, uint32_t at);

__attribute__((cold, noinline)) static const uint8_t *fail(reader *r, const uint8_t *p,
                                                           ps_reject reject) {
    r->reject = reject;
    r->fault = p < r->end ? p : r->end;
    return NULL;
}

/* Something else was due at `p`. */
__attribute__((cold, noinline)) static const uint8_t *unexpected(reader *r, const uint8_t *p) {
    if (p >= r->end) return fail(r, p, PS_REJECT_TRUNCATED);
    return fail(r, p, ps_scan_utf8(p, r->end) == 0 ? PS_REJECT_INVALID_UTF8 : PS_REJECT_SYNTAX);
}

static inline bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static inline const uint8_t *skip_blank(const reader *r, const uint8_t *p) {
    while (p < r->end && __builtin_expect(is_blank(*p), 0)) p++;
    return p;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const uint8_t *p) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t c = p[i], lower = (uint8_t)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* The place of the first byte of \uXXXX at `p` that is wrong or missing. */
static const uint8_t *bad_hex(const reader *r, const uint8_t *p) {
    for (p += 2; p < r->end; p++) {
        const uint8_t lower = (uint8_t)(*p | 0x20);
        if (!((*p >= '0' && *p <= '9') || (lower >= 'a' && lower <= 'f'))) return p;
    }
    return p;
}

/* `p` is at \u. A high surrogate must be followed by the escape of a low one: alone it is no
 * character, and no UTF-8 could be written for it. */
static const uint8_t *unicode_escape(reader *r, const uint8_t *p) {
    const int32_t unit = r->end - p < 6 ? -1 : hex4(p + 2);
    if (unit < 0) return unexpected(r, bad_hex(r, p));
    if (unit < 0xd800 || unit > 0xdfff) return p + 6;
    if (unit > 0xdbff) return fail(r, p, PS_REJECT_SYNTAX);
    const uint8_t *low = p + 6;
    if (low >= r->end || (low + 1 == r->end && *low == '\\')) return unexpected(r, r->end);
    if (low[0] != '\\' || low[1] != 'u') return fail(r, p, PS_REJECT_SYNTAX);
    const int32_t second = r->end - low < 6 ? -1 : hex4(low + 2);
    if (second < 0) return unexpected(r, bad_hex(r, low));
    return second < 0xdc00 || second > 0xdfff ? fail(r, p, PS_REJECT_SYNTAX) : low + 6;
}

static const uint8_t *escape(reader *r, const uint8_t *p) {
    if (p + 1 >= r->end) return unexpected(r, r->end);
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        return unicode_escape(r, p);
    default:
        return unexpected(r, p + 1);
    }
}

/* Bytes beyond ASCII: as many as there are. */
static const uint8_t *beyond_ascii(reader *r, const uint8_t *p) {
    do {
        const int length = ps_scan_utf8(p, r->end);
        if (length == 0) return fail(r, p, PS_REJECT_INVALID_UTF8);
        if (length < 0) return fail(r, r->end, PS_REJECT_TRUNCATED);
        p += length;
    } while (p < r->end && *p >= 0x80);
    return p;
}

/* What ps_scan_plain stopped at and is not a quote: an escape, UTF-8, or a fault. */
__attribute__((noinline)) static const uint8_t *string_rest(reader *r, const uint8_t *p,
                                                            bool *escaped) {
    for (;;) {
        if (p >= r->end) return unexpected(r, r->end);
        if (*p == '"') return p + 1;
        if (*p == '\\') {
            *escaped = true;
            p = escape(r, p);
        } else {
            p = *p >= 0x80 ? beyond_ascii(r, p) : unexpected(r, p);
        }
        if (p == NULL) return NULL;
        p = ps_scan_plain(p, r->end);
    }
}

/* `p` is behind the opening quote; returns the byte behind the closing one. */
static inline const uint8_t *read_string(reader *r, const uint8_t *p, bool *escaped) {
    p = ps_scan_plain(p, r->end);
    if (__builtin_expect(p < r->end && *p == '"', 1)) return p + 1;
    return string_rest(r, p, escaped);
}

static const uint8_t *read_literal(reader *r, const uint8_t *p, const char *word) {
    for (; *word != '\0'; word++, p++)
        if (p >= r->end || *p != (uint8_t)*word) return unexpected(r, p);
    return p;
}

__attribute__((noinline)) static const uint8_t *read_long_number(reader *r, const uint8_t *p) {
    ps_number number;
    return ps_number_read(p, r->end, &number) == PS_NUMBER_OK ? number.end
                                                              : unexpected(r, number.end);
}

/* Where a number ends. One look at 16 bytes settles nearly all of them. */
static inline const uint8_t *read_number(reader *r, const uint8_t *p) {
    const uint8_t *q = p + (*p == '-');
    const uint32_t other = ~ps_scan_digits(q);
    uint32_t length = (uint32_t)__builtin_ctz(other);
    bool plain = length > 0 && (length == 1 || *q != '0');
    if (length < 16 && q[length] == '.') {
        const uint32_t fraction = (uint32_t)__builtin_ctz(other >> (length + 1));
        plain = plain && fraction > 0;
        length += 1 + fraction;
    }
    plain = plain && length < 16 && (q[length] | 0x20) != 'e' && length <= r->end - q;
    return __builtin_expect(plain, 1) ? q + length : read_long_number(r, p);
}

static inline bool deeper(reader *r) {
    return ++r->depth <= PS_JSON_DEPTH_MAX;
}

/* `p` is behind the bracket. */
static const uint8_t *skip_array(reader *r, const uint8_t *p) {
    if (!deeper(r)) return fail(r, p - 1, PS_REJECT_TOO_DEEP);
    p = skip_blank(r, p);
    if (p < r->end && *p == ']') {
        r->depth--;
        return p + 1;
    }
    for (;;) {
        p = skip(r, p);
        if (p == NULL) return NULL;
        p = skip_blank(r, p);
        if (p >= r->end || (*p != ',' && *p != ']')) return unexpected(r, p);
        if (*p++ == ']') break;
        p = skip_blank(r, p);
    }
    r->depth--;
    return p;
}

/* Checks one value that nobody asked for. */
static const uint8_t *skip(reader *r, const uint8_t *p) {
    if (p >= r->end) return unexpected(r, p);
    bool escaped = false;
    switch (*p) {
    case '"':
        return read_string(r, p + 1, &escaped);
    case '{':
        return read_object(r, p + 1, PS_JSON_NONE);
    case '[':
        return skip_array(r, p + 1);
    case 't':
        return read_literal(r, p, "true");
    case 'f':
        return read_literal(r, p, "false");
    case 'n':
        return read_literal(r, p, "null");
    default:
        return read_number(r, p);
    }
}

/* Reads the value of a declared member for the first time. */
static const uint8_t *take(reader *r, const uint8_t *p, const ps_json_edge *e) {
    if (p >= r->end) return unexpected(r, p);
    ps_json_value unused;
    ps_json_value *value = e->value == PS_JSON_NONE ? &unused : &r->values[e->value];
    switch (*p) {
    case '"': {
        const uint8_t *text = p + 1;
        value->kind = PS_JSON_STRING;
        value->escaped = false;
        p = read_string(r, text, &value->escaped);
        if (p != NULL) value->text = (ps_bytes){text, (uint32_t)(p - 1 - text)};
        return p;
    }
    case '{':
    case '[': {
        const uint8_t *text = p;
        value->kind = PS_JSON_COMPOUND;
        p = *text == '{' ? read_object(r, text + 1, e->child) : skip_array(r, text + 1);
        if (p != NULL) value->text = (ps_bytes){text, (uint32_t)(p - text)};
        return p;
    }
    case 't':
        value->kind = PS_JSON_TRUE;
        return read_literal(r, p, "true");
    case 'f':
        value->kind = PS_JSON_FALSE;
        return read_literal(r, p, "false");
    case 'n':
        value->kind = PS_JSON_NULL;
        return read_literal(r, p, "null");
    default:
        value->kind = PS_JSON_NUMBER;
        value->text.data = p;
        p = read_number(r, p);
        if (p != NULL) value->text.length = (uint32_t)(p - value->text.data);
        return p;
    }
}

__attribute__((noinline)) static const ps_json_edge *find_escaped(const ps_json *json, uint32_t at,
                                                                  ps_bytes name) {
    uint8_t plain[6 * PS_JSON_NAME_MAX + 8];
    if (name.length > 6 * PS_JSON_NAME_MAX) return NULL;
    return ps_json_find(json, at, plain, ps_json_unescape(name, plain));
}

static void remember(ps_json_memory *memory, ps_bytes member, uint32_t at,
                     const ps_json_edge *edge) {
    memory->mask = 0;
    if (member.length > sizeof memory->bytes) return;
    memcpy(memory->bytes, member.data, member.length);
    memory->mask = (uint32_t)((UINT64_C(1) << member.length) - 1);
    memory->length = (uint16_t)member.length;
    memory->node = (uint16_t)at;
    memory->edge = edge;
}

/* A member's name, `p` being at its opening quote, and the colon behind it: finds the declared edge
 * and returns the byte behind the colon. */
__attribute__((noinline)) static const uint8_t *read_name(reader *r, const uint8_t *p, uint32_t at,
                                                          const ps_json_edge **edge,
                                                          ps_json_memory *memory) {
    if (p >= r->end || *p != '"') return unexpected(r, p);
    const uint8_t *name = p + 1;
    bool escaped = false;
    p = read_string(r, name, &escaped);
    if (p == NULL) return NULL;
    const ps_bytes text = {name, (uint32_t)(p - 1 - name)};
    *edge = NULL;
    if (at != PS_JSON_NONE)
        *edge = escaped ? find_escaped(r->json, at, text)
                        : ps_json_find(r->json, at, name, text.length);
    p = skip_blank(r, p);
    if (p >= r->end || *p != ':') return unexpected(r, p);
    p++;
    if (memory != NULL) remember(memory, (ps_bytes){name - 1, (uint32_t)(p - name) + 1}, at, *edge);
    return p;
}

/* The same, guessing that it is what stood there in the last record. */
static inline const uint8_t *guess_name(reader *r, const uint8_t *p, uint32_t at,
                                        const ps_json_edge **edge) {
    ps_json_memory *memory = NULL;
    if (r->member < PS_JSON_MEMORY) {
        memory = &r->json->memory[r->member++];
        const uint32_t equal = ps_scan_equal(p, memory->bytes);
        if (__builtin_expect((equal & memory->mask) == memory->mask && memory->mask != 0 &&
                                 memory->node == at && memory->length <= r->end - p,
                             1)) {
            *edge = memory->edge;
            return p + memory->length;
        }
    }
    return read_name(r, p, at, edge, memory);
}

/* `p` is behind the brace; `at` is the node of declared names, or PS_JSON_NONE. */
static const uint8_t *read_object(reader *r, const uint8_t *p, uint32_t at) {
    if (!deeper(r)) return fail(r, p - 1, PS_REJECT_TOO_DEEP);
    p = skip_blank(r, p);
    if (p < r->end && *p == '}') {
        r->depth--;
        return p + 1;
    }
    for (;;) {
        const ps_json_edge *e;
        p = guess_name(r, p, at, &e);
        if (p == NULL) return NULL;
        p = skip_blank(r, p);
        if (e != NULL) {
            const uint32_t index = (uint32_t)(e - r->json->edge);
            const uint64_t bit = UINT64_C(1) << (index & 63);
            const bool first = (r->seen[index >> 6] & bit) == 0;
            r->seen[index >> 6] |= bit;
            p = first ? take(r, p, e) : skip(r, p);
        } else {
            p = skip(r, p);
        }
        if (p == NULL) return NULL;
        p = skip_blank(r, p);
        if (p >= r->end || (*p != ',' && *p != '}')) return unexpected(r, p);
        if (*p++ == '}') break;
        p = skip_blank(r, p);
    }
    r->depth--;
    return p;
}

ps_reject ps_json_read(ps_json *json, ps_bytes text, ps_json_value *values, ps_json_fault *fault) {
    *fault = (ps_json_fault){PS_REJECT_NONE, 0};
    for (uint32_t i = 0; i < json->path_count; i++) values[i].kind = PS_JSON_ABSENT;
    if (text.length == 0) {
        fault->reject = PS_REJECT_EMPTY;
        return fault->reject;
    }
    reader r = {.begin = text.data, .end = text.data + text.length, .json = json, .values = values};
    const uint8_t *p = skip_blank(&r, r.begin);
    const bool object = p < r.end && *p == '{';
    p = object ? read_object(&r, p + 1, 0) : skip(&r, p);
    if (p != NULL) {
        p = skip_blank(&r, p);
        if (p < r.end) p = unexpected(&r, p);
    }
    for (uint32_t i = 0; i < json->alias_count; i++)
        values[json->alias[i].path] = values[json->alias[i].same_as];
    if (p != NULL && object) return PS_REJECT_NONE;
    fault->reject = p != NULL ? PS_REJECT_NOT_OBJECT : r.reject;
    fault->detail = p != NULL ? 0 : (uint32_t)(r.fault - r.begin);
    return fault->reject;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (uint8_t)code;
    } else if (code < 0x800) {
        *to++ = (uint8_t)(0xc0 | code >> 6);
        *to++ = (uint8_t)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (uint8_t)(0xe0 | code >> 12);
        *to++ = (uint8_t)(0x80 | ((code >> 6) & 0x3f));
        *to++ = (uint8_t)(0x80 | (code & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | code >> 18);
        *to++ = (uint8_t)(0x80 | ((code >> 12) & 0x3f));
        *to++ = (uint8_t)(0x80 | ((code >> 6) & 0x3f));
        *to++ = (uint8_t)(0x80 | (code & 0x3f));
    }
    return to;
}

uint32_t ps_json_unescape(ps_bytes string, uint8_t *to) {
    static const char from[] = "bfnrt", meant[] = "\b\f\n\r\t";
    uint8_t *out = to;
    const uint8_t *p = string.data, *end = p + string.length;
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
        } else if (p[1] != 'u') {
            const char *found = strchr(from, p[1]);
            *out++ = found == NULL ? p[1] : (uint8_t)meant[found - from];
            p += 2;
        } else {
            uint32_t code = (uint32_t)hex4(p + 2);
            p += 6;
            if (code >= 0xd800 && code <= 0xdbff) {
                code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex4(p + 2) - 0xdc00);
                p += 6;
            }
            out = put_utf8(out, code);
        }
    }
    return (uint32_t)(out - to);
}
