/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/enrich.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/flow/sealer.h"
#include "host/flow/shortest.h"

enum {
    SLACK = 32,      /* short texts are copied in whole pieces of this many bytes */
    ESCAPED_MAX = 6, /* bytes that JSON needs for one */
    NAME_MAX_BYTES = ESCAPED_MAX * PS_NAME_MAX + 8,
    HEX_MAX = 64,
    LENGTH_MAX = 5,        /* bytes of a length in a record */
    LENGTH_SHORT_MAX = 63, /* of what has its length in one */
    PREFIX_MAX = 256 + 12  /* topic/partition/ */
};

/* An output with all that does not depend on the row. Places are bytes into a block. */
typedef struct member {
    ps_output_kind kind;
    uint32_t width;       /* of the column */
    uint32_t values;      /* place of the column */
    uint32_t of;          /* place of the lengths whose null leaves it out, or PS_NOWHERE */
    uint32_t gate;        /* place of the floats whose NaN leaves it out, or PS_NOWHERE */
    uint32_t name_length; /* of the header */
    uint32_t lead_length; /* of the JSON up to the value */
    uint32_t mark_length; /* of a record's header up to the value's length, or to the value */
    uint32_t label_count;
    ps_output_levels levels;
    const char *const *labels;         /* plain */
    const char **quoted;               /* as JSON, quotes included */
    char name[PS_NAME_MAX + 8];        /* "ps-sha256" */
    char lead[NAME_MAX_BYTES + SLACK]; /* `,"sha256":"` */
    char mark[PS_NAME_MAX + 8 + 2 * LENGTH_MAX + SLACK];
} member;

typedef struct prefix {
    uint32_t plain, escaped; /* in `bytes` */
    uint16_t plain_length, escaped_length;
} prefix;

struct ps_enricher {
    uint32_t member_count;
    size_t text_max, json_max, record_max;
    prefix *prefix; /* of each partition */
    prefix *origin; /* likewise; NULL: nothing is sealed */
    char *bytes;    /* of both */
    size_t bytes_used;
    member member[PS_OUTPUTS_MAX];
};

/* Text as the inside of a JSON string. Returns its length, at most ESCAPED_MAX a byte. */
static uint32_t escape(const char *text, char *to) {
    static const char digits[] = "0123456789abcdef";
    char *at = to;
    for (; *text != '\0'; text++) {
        const uint8_t c = (uint8_t)*text;
        if (c < 0x20) {
            memcpy(at, "\\u00", 4);
            at[4] = digits[c >> 4];
            at[5] = digits[c & 15];
            at += 6;
            continue;
        }
        if (c == '"' || c == '\\') *at++ = '\\';
        *at++ = (char)c;
    }
    return (uint32_t)(at - to);
}

/* Copies past the end of short texts, where both sides have SLACK bytes to spare: a copy of fixed
 * size is two instructions, one of a size only known at run time is a call. */
static char *put(char *to, const char *text, uint32_t length) {
    memcpy(to, text, SLACK);
    if (length > SLACK) memcpy(to + SLACK, text + SLACK, length - SLACK);
    return to + length;
}

static float score_at(const member *m, const uint8_t *block, uint32_t row) {
    float score;
    memcpy(&score, block + m->gate + 4 * (size_t)row, sizeof score);
    return score;
}

/* Which of its labels, of a row that is not left out. */
static uint32_t label_of(const member *m, const uint8_t *block, uint32_t row) {
    if (m->kind == PS_OUTPUT_LABEL) return block[m->values + row];
    return ps_output_level(m->levels, m->label_count, score_at(m, block, row));
}

static bool is_left_out(const member *m, const uint8_t *block, uint32_t row) {
    if (m->of != PS_NOWHERE) {
        uint32_t length;
        memcpy(&length, block + m->of + 4 * (size_t)row, sizeof length);
        if (length == PS_NULL_LENGTH) return true;
    }
    if (m->gate != PS_NOWHERE && isnan(score_at(m, block, row))) return true;
    if (m->kind == PS_OUTPUT_NUMBER) {
        double number;
        memcpy(&number, block + m->values + 8 * (size_t)row, sizeof number);
        return number != number;
    }
    if (m->kind == PS_OUTPUT_LEVEL) return block[m->values + row] == 0;
    return m->kind == PS_OUTPUT_LABEL && block[m->values + row] >= m->label_count;
}

static char *put_hex(const member *m, const uint8_t *at, char *to) {
    uint64_t wide;
    uint32_t narrow;
    if (m->width == 8) {
        memcpy(&wide, at, sizeof wide);
        ps_hex_u64(wide, to);
    } else if (m->width == 4) {
        memcpy(&narrow, at, sizeof narrow);
        ps_hex_u32(narrow, to);
    } else {
        ps_hex_bytes(at, m->width, to);
    }
    return to + 2 * m->width;
}

static char *put_score(const uint8_t *at, char *to) {
    float score;
    memcpy(&score, at, sizeof score);
    return to + ps_shortest_f32(score, to);
}

static char *put_number(const uint8_t *at, char *to) {
    double number;
    memcpy(&number, at, sizeof number);
    return to + ps_shortest_f64(number, to);
}

static char *put_index(const uint8_t *at, char *to) {
    int64_t count;
    memcpy(&count, at, sizeof count);
    return to + ps_decimal_i64(count, to);
}

/* It has nothing that JSON would escape. */
static char *put_origin(const ps_enricher *enricher, uint32_t partition, char *to) {
    const prefix *origin = &enricher->origin[partition];
    return put(to, enricher->bytes + origin->plain, origin->plain_length);
}

static char *put_header(const member *m, const uint8_t *block, uint32_t row, char *to) {
    const uint8_t *at = block + m->values + (size_t)m->width * row;
    switch (m->kind) {
    case PS_OUTPUT_HEX:
        return put_hex(m, at, to);
    case PS_OUTPUT_SCORE:
        return put_score(at, to);
    case PS_OUTPUT_NUMBER:
        return put_number(at, to);
    case PS_OUTPUT_FLAG:
        *to = (char)('0' + (*at != 0));
        return to + 1;
    case PS_OUTPUT_INDEX:
        return put_index(at, to);
    case PS_OUTPUT_LABEL:
    case PS_OUTPUT_LEVEL:
    case PS_OUTPUT_ORIGIN: /* it is not in the block */
        break;
    }
    return stpcpy(to, m->labels[label_of(m, block, row)]);
}

static char *put_member(const member *m, const uint8_t *block, uint32_t row, char *to) {
    const uint8_t *at = block + m->values + (size_t)m->width * row;
    to = put(to, m->lead, m->lead_length);
    switch (m->kind) {
    case PS_OUTPUT_HEX:
        to = put_hex(m, at, to);
        *to = '"';
        return to + 1;
    case PS_OUTPUT_FLAG:
        memcpy(to, *at != 0 ? "true\0" : "false", 5);
        return to + 5 - (*at != 0);
    case PS_OUTPUT_SCORE:
    case PS_OUTPUT_NUMBER:
    case PS_OUTPUT_INDEX:
        return put_header(m, block, row, to);
    case PS_OUTPUT_LABEL:
    case PS_OUTPUT_LEVEL:
    case PS_OUTPUT_ORIGIN:
        break;
    }
    return stpcpy(to, m->quoted[label_of(m, block, row)]);
}

static ps_header header_of(const char *name, uint32_t length, const char *from, const char *to) {
    return (ps_header){{(const uint8_t *)name, length},
                       {(const uint8_t *)from, (uint32_t)(to - from)}};
}

uint32_t ps_enrich_headers(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                           uint32_t partition, char *text, ps_header *out) {
    const uint8_t *block = batch->block.host;
    const prefix *source = &enricher->prefix[partition];
    const int64_t *offsets = ps_batch_system(batch, PS_COLUMN_OFFSET);
    char *at = put(text, enricher->bytes + source->plain, source->plain_length);
    at += ps_decimal_i64(offsets[row], at);
    out[0] = header_of("ps-source", 9, text, at);
    uint32_t count = 1;
    for (uint32_t i = 0; i < enricher->member_count; i++) {
        const member *m = &enricher->member[i];
        if (is_left_out(m, block, row)) continue;
        char *end = m->kind == PS_OUTPUT_ORIGIN ? put_origin(enricher, partition, at)
                                                : put_header(m, block, row, at);
        out[count++] = header_of(m->name, m->name_length, at, end);
        at = end;
    }
    return count;
}

/* A length as a record has it: zigzag, so twice as much, seven bits a byte. */
static char *put_length(char *to, uint32_t length) {
    uint64_t rest = 2 * (uint64_t)length;
    for (; rest > 127; rest >>= 7) *to++ = (char)(rest | 128);
    *to++ = (char)rest;
    return to;
}

/* Of labels, the only values of any length. */
static char *put_label(const member *m, const uint8_t *block, uint32_t row, char *to) {
    const char *const label = m->labels[label_of(m, block, row)];
    return stpcpy(put_length(to, (uint32_t)strlen(label)), label);
}

static char *put_source(const prefix *source, const char *prefixes, int64_t offset, char *to) {
    static const char mark[SLACK] = "\x12ps-source"; /* nine bytes of name */
    to = put(to, mark, 10);
    if (source->plain_length + PS_DECIMAL_MAX > LENGTH_SHORT_MAX) {
        char digits[PS_DECIMAL_MAX];
        const uint32_t length = ps_decimal_i64(offset, digits);
        to = put_length(to, source->plain_length + length);
        to = put(to, prefixes + source->plain, source->plain_length);
        memcpy(to, digits, length);
        return to + length;
    }
    char *const value = to + 1, *at = put(value, prefixes + source->plain, source->plain_length);
    at += ps_decimal_i64(offset, at);
    *to = (char)(2 * (at - value));
    return at;
}

uint8_t *ps_enrich_record(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                          uint32_t partition, uint8_t *to, uint32_t *count) {
    const uint8_t *block = batch->block.host;
    const int64_t *offsets = ps_batch_system(batch, PS_COLUMN_OFFSET);
    char *at = put_source(&enricher->prefix[partition], enricher->bytes, offsets[row], (char *)to);
    *count = 1;
    for (uint32_t i = 0; i < enricher->member_count; i++) {
        const member *m = &enricher->member[i];
        if (is_left_out(m, block, row)) continue;
        ++*count;
        at = put(at, m->mark, m->mark_length);
        if (m->kind == PS_OUTPUT_HEX) {
            at = put_header(m, block, row, at);
        } else if (m->labels != NULL) {
            at = put_label(m, block, row, at);
        } else if (m->kind == PS_OUTPUT_ORIGIN) {
            at = put_length(at, enricher->origin[partition].plain_length);
            at = put_origin(enricher, partition, at);
        } else {
            char *const end = put_header(m, block, row, at + 1);
            *at = (char)(2 * (end - at - 1));
            at = end;
        }
    }
    return (uint8_t *)at;
}

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Where the object's last brace is, or 0: it is no object. The codec has checked all else. */
static uint32_t find_brace(ps_bytes value, bool *empty) {
    uint32_t begin = 0, end = value.length;
    while (begin < end && is_space(value.data[begin])) begin++;
    while (end > begin && is_space(value.data[end - 1])) end--;
    if (end - begin < 2 || value.data[begin] != '{' || value.data[end - 1] != '}') return 0;
    uint32_t last = end - 2;
    while (last > begin && is_space(value.data[last])) last--;
    *empty = last == begin;
    return end - 1;
}

size_t ps_enrich_json(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                      uint32_t partition, char *to) {
    static const char lead[SLACK + SLACK] = ",\"penstock\":{\"source\":\"";
    const uint32_t lead_length = sizeof ",\"penstock\":{\"source\":\"" - 1;
    const ps_bytes value = ps_batch_text(batch, &batch->schema->column[PS_COLUMN_VALUE], row);
    if (value.length == PS_NULL_LENGTH) return 0;
    bool empty = false;
    const uint32_t brace = find_brace(value, &empty);
    if (brace == 0) return 0;
    const prefix *source = &enricher->prefix[partition];
    const int64_t *offsets = ps_batch_system(batch, PS_COLUMN_OFFSET);
    memcpy(to, value.data, brace);
    char *at = put(to + brace, lead + empty, lead_length - empty);
    at = put(at, enricher->bytes + source->escaped, source->escaped_length);
    at += ps_decimal_i64(offsets[row], at);
    *at++ = '"';
    for (uint32_t i = 0; i < enricher->member_count; i++) {
        const member *m = &enricher->member[i];
        if (is_left_out(m, batch->block.host, row)) continue;
        if (m->kind != PS_OUTPUT_ORIGIN) {
            at = put_member(m, batch->block.host, row, at);
            continue;
        }
        at = put_origin(enricher, partition, put(at, m->lead, m->lead_length));
        *at++ = '"';
    }
    *at++ = '}';
    memcpy(at, value.data + brace, value.length - brace);
    return (size_t)(at - to) + value.length - brace;
}

size_t ps_enrich_line(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                      uint32_t partition, char *to) {
    const size_t length = ps_enrich_json(enricher, batch, row, partition, to);
    if (length == 0) return 0;
    /* Inside strings JSON has no line break as such. */
    for (char *at = to; (at = memchr(at, '\n', length - (size_t)(at - to))) != NULL;) *at++ = ' ';
    for (char *at = to; (at = memchr(at, '\r', length - (size_t)(at - to))) != NULL;) *at++ = ' ';
    to[length] = '\n';
    return length + 1;
}

uint32_t ps_enrich_source(const ps_partitions *partitions, uint32_t partition, int64_t offset,
                          char *text) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(partitions, partition, &within);
    char *at = stpcpy(text, partitions->topic[topic].name);
    *at++ = '/';
    at += ps_decimal_i64(within, at);
    *at++ = '/';
    return (uint32_t)(at - text) + ps_decimal_i64(offset, at);
}

size_t ps_enricher_text_max(const ps_enricher *enricher) {
    return enricher->text_max;
}

size_t ps_enricher_record_max(const ps_enricher *enricher) {
    return enricher->record_max;
}

size_t ps_enricher_json_max(const ps_enricher *enricher) {
    return enricher->json_max;
}

/* A label's text as a JSON string; owned. */
static char *quote(const char *label) {
    char *text = malloc(ESCAPED_MAX * strlen(label) + 3);
    if (text == NULL) return NULL;
    text[0] = '"';
    const uint32_t length = 1 + escape(label, text + 1);
    text[length] = '"';
    text[length + 1] = '\0';
    return text;
}

static bool quote_labels(member *m, const ps_output *output) {
    m->labels = output->labels;
    m->quoted = calloc(output->label_count, sizeof *m->quoted);
    if (m->quoted == NULL) return false;
    for (; m->label_count < output->label_count; m->label_count++) {
        m->quoted[m->label_count] = quote(output->labels[m->label_count]);
        if (m->quoted[m->label_count] == NULL) return false;
    }
    return true;
}

/* The most bytes that its value takes as a header and as JSON. */
static void measure(ps_enricher *enricher, const member *m) {
    size_t text = HEX_MAX, json = HEX_MAX + 2;
    for (uint32_t i = 0; i < m->label_count; i++) {
        const size_t plain = strlen(m->labels[i]), quoted = strlen(m->quoted[i]);
        if (text < plain) text = plain;
        if (json < quoted) json = quoted;
    }
    if (m->kind == PS_OUTPUT_ORIGIN) text = json = PS_ORIGIN_MAX + SLACK;
    enricher->text_max += text + 1; /* labels are copied with their NUL */
    enricher->record_max += m->mark_length + LENGTH_MAX + text + 1;
    enricher->json_max += m->lead_length + json + 1;
}

static bool add_member(ps_enricher *enricher, const ps_schema *schema, const ps_output *output) {
    member *m = &enricher->member[enricher->member_count++];
    m->kind = output->kind;
    const bool quoted = m->kind == PS_OUTPUT_HEX || m->kind == PS_OUTPUT_ORIGIN;
    m->width = schema->column[output->column].width;
    m->values = schema->column[output->column].values;
    m->of = output->of == PS_NOWHERE ? PS_NOWHERE : schema->column[output->of].lengths;
    m->gate = output->gate == PS_NOWHERE ? PS_NOWHERE : schema->column[output->gate].values;
    /* A score that is no number has no text. */
    if (m->kind == PS_OUTPUT_SCORE && m->gate == PS_NOWHERE) m->gate = m->values;
    m->name_length =
        (uint32_t)(stpcpy(stpcpy(m->name, output->bare ? "" : "ps-"), output->name) - m->name);
    char *at = stpcpy(m->lead, ",\"");
    at += escape(output->name, at);
    at = stpcpy(at, quoted ? "\":\"" : "\":");
    m->lead_length = (uint32_t)(at - m->lead);
    at = stpcpy(put_length(m->mark, m->name_length), m->name);
    /* What is as long in every row says so here. */
    if (m->kind == PS_OUTPUT_HEX) at = put_length(at, 2 * m->width);
    m->mark_length = (uint32_t)(at - m->mark);
    m->levels = output->levels;
    if (output->labels != NULL && !quote_labels(m, output)) return false;
    measure(enricher, m);
    return true;
}

/* Room for so many more bytes, and for copies in pieces behind them. */
static char *grow(ps_enricher *enricher, size_t more) {
    char *grown = realloc(enricher->bytes, enricher->bytes_used + more + SLACK);
    if (grown == NULL) return NULL;
    enricher->bytes = grown;
    return grown + enricher->bytes_used;
}

/* The beginning of every partition's `source`: topic names never change. */
static bool add_prefixes(ps_enricher *enricher, const ps_partitions *partitions) {
    size_t longest = 0;
    enricher->prefix = calloc(partitions->count + 1, sizeof *enricher->prefix);
    for (uint32_t p = 0; enricher->prefix != NULL && p < partitions->count; p++) {
        char plain[PREFIX_MAX + PS_DECIMAL_MAX];
        const uint32_t length = ps_enrich_source(partitions, p, 0, plain) - 1;
        plain[length] = '\0';
        char *to = grow(enricher, (1 + ESCAPED_MAX) * (size_t)length);
        if (to == NULL) return false;
        memcpy(to, plain, length);
        const uint32_t escaped = escape(plain, to + length);
        const uint32_t begin = (uint32_t)enricher->bytes_used;
        enricher->prefix[p] = (prefix){begin, begin + length, (uint16_t)length, (uint16_t)escaped};
        enricher->bytes_used += length + escaped;
        if (longest < escaped) longest = escaped;
    }
    /* The pieces that copies end with lie in what comes next, and past all of it. */
    enricher->text_max += longest + PS_DECIMAL_MAX + SLACK;
    enricher->json_max += longest + PS_DECIMAL_MAX + 3 * SLACK;
    enricher->record_max += longest + PS_DECIMAL_MAX + 2 * SLACK; /* its name's, and the last's */
    return enricher->prefix != NULL;
}

/* The log of every partition. */
static bool add_origins(ps_enricher *enricher, const char *origin,
                        const ps_partitions *partitions) {
    if (origin == NULL) return true;
    enricher->origin = calloc(partitions->count + 1, sizeof *enricher->origin);
    for (uint32_t p = 0; enricher->origin != NULL && p < partitions->count; p++) {
        char text[PS_ORIGIN_MAX];
        const uint32_t length = ps_seal_origin(origin, partitions, p, text);
        char *to = grow(enricher, length);
        if (to == NULL) return false;
        memcpy(to, text, length);
        enricher->origin[p].plain = (uint32_t)enricher->bytes_used;
        enricher->origin[p].plain_length = (uint16_t)length;
        enricher->bytes_used += length;
    }
    return enricher->origin != NULL;
}

ps_status ps_enricher_open(const ps_plan *plan, const ps_partitions *partitions, ps_enricher **out,
                           ps_error *error) {
    ps_enricher *enricher = calloc(1, sizeof *enricher);
    bool ok = enricher != NULL;
    if (ok) {
        ok = add_prefixes(enricher, partitions) &&
             add_origins(enricher, plan->seal.origin, partitions);
        for (uint32_t i = 0; ok && i < plan->output_count; i++)
            ok = add_member(enricher, &plan->schema, &plan->output[i]);
    }
    if (!ok) {
        ps_enricher_close(enricher);
        return ps_fail(error, PS_NO_MEMORY, "no memory for the names of %u partitions",
                       partitions->count);
    }
    *out = enricher;
    return PS_OK;
}

void ps_enricher_close(ps_enricher *enricher) {
    if (enricher == NULL) return;
    for (uint32_t i = 0; i < enricher->member_count; i++) {
        const member *m = &enricher->member[i];
        for (uint32_t k = 0; k < m->label_count; k++) free((char *)(uintptr_t)m->quoted[k]);
        free(m->quoted);
    }
    free(enricher->prefix);
    free(enricher->origin);
    free(enricher->bytes);
    free(enricher);
}
