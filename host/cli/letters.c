/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/letters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/base64.h"
#include "host/base/text.h"
#include "host/batch/headers.h"
#include "host/cli/term.h"

enum { ROWS_MAX = 256, KEY_COLUMNS = 24, TIME_MAX = 40, CELL_MAX = 320, CELLS = 6 };

/* Bytes of the UTF-8 character at `p` that a terminal may have, 0 where there is none: control
 * characters move cursors and ring bells. Source: RFC 3629, section 4. */
static uint32_t printable(const uint8_t *p, const uint8_t *end) {
    if (*p < 0x80) return *p >= 0x20 && *p != 0x7f;
    const uint32_t length = *p >= 0xf0 && *p <= 0xf4   ? 4
                            : *p >= 0xe0 && *p <= 0xef ? 3
                            : *p >= 0xc2 && *p <= 0xdf ? 2
                                                       : 0;
    if (length == 0 || end - p < (ptrdiff_t)length) return 0;
    for (uint32_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (*p == 0xc2 && p[1] < 0xa0) return 0; /* C1 control characters */
    if (*p == 0xe0 && p[1] < 0xa0) return 0; /* overlong */
    if (*p == 0xed && p[1] > 0x9f) return 0; /* surrogates */
    if (*p == 0xf0 && p[1] < 0x90) return 0; /* overlong */
    if (*p == 0xf4 && p[1] > 0x8f) return 0; /* past the last one */
    if (*p == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) return 0; /* turns text round */
    return length;
}

/* Into `columns` characters at most, "…" for the rest; returns what was written, NUL-terminated. */
static size_t put_text(char *to, size_t room, ps_bytes bytes, uint32_t columns) {
    if (bytes.length == PS_NULL_LENGTH) return (size_t)snprintf(to, room, "(null)");
    const uint8_t *p = bytes.data, *end = p + bytes.length;
    size_t used = 0;
    for (uint32_t column = 0; p < end; column++) {
        if (column >= columns || used + 8 >= room) {
            memcpy(to + used, "…", 3);
            used += 3;
            break;
        }
        const uint32_t length = printable(p, end);
        if (length == 0) {
            used += (size_t)snprintf(to + used, room - used, "\\x%02x", *p++);
            column += 3;
            continue;
        }
        memcpy(to + used, p, length);
        used += length;
        p += length;
    }
    to[used] = '\0';
    return used;
}

/* All of it, to stdout. */
static void print_text(ps_bytes bytes) {
    const uint8_t *p = bytes.data, *end = p + bytes.length;
    while (p < end) {
        const uint32_t length = printable(p, end);
        if (length == 0)
            (void)printf(*p == '\n' ? "\\n" : *p == '\t' ? "\\t" : "\\x%02x", *p);
        else
            (void)fwrite(p, 1, length, stdout);
        p += length == 0 ? 1 : length;
    }
}

static const char *time_text(int64_t timestamp_ms, char *text) {
    if (timestamp_ms < 0) return "-";
    struct tm parts;
    const time_t seconds = (time_t)(timestamp_ms / 1000);
    char date[TIME_MAX];
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        return "?";
    (void)snprintf(text, TIME_MAX, "%.30s.%03dZ", date, (int)(timestamp_ms % 1000));
    return text;
}

static uint32_t size_of(ps_bytes bytes) {
    return bytes.length == PS_NULL_LENGTH ? 0 : bytes.length;
}

void ps_letter_tally_add(ps_letter_tally *tally, const ps_letter *letter) {
    enum { CODES = sizeof tally->of / sizeof tally->of[0] };
    char code[sizeof tally->code[0]];
    uint32_t i = 0;
    (void)put_text(code, sizeof code, letter->code, sizeof code);
    while (i < tally->codes && strcmp(tally->code[i], code) != 0) i++;
    if (i == CODES) i = CODES - 1;
    if (i == tally->codes) {
        tally->codes++;
        (void)snprintf(tally->code[i], sizeof tally->code[i], "%s",
                       tally->codes == CODES ? "others" : code);
    }
    tally->of[i]++;
    tally->total++;
}

void ps_letter_tally_text(const ps_letter_tally *tally, char *text, size_t bytes) {
    char count[PS_TEXT_NUMBER_MAX];
    int used = snprintf(text, bytes, "%s dead letter%s", ps_text_from_count(tally->total, count),
                        tally->total == 1 ? "" : "s");
    for (uint32_t i = 0; i < tally->codes && used >= 0 && (size_t)used < bytes; i++)
        used += snprintf(text + used, bytes - (size_t)used, "%s%s %s", i == 0 ? ": " : ", ",
                         ps_text_from_count(tally->of[i], count), tally->code[i]);
}

typedef struct row {
    char cell[CELLS][CELL_MAX];
} row;

struct ps_letter_table {
    uint32_t rows, width[CELLS];
    bool begun;
    row row[ROWS_MAX];
};

static const char *const titles[CELLS] = {"SOURCE", "CODE", "TIME", "SIZE", "KEY", "REASON"};
enum { SIZE_CELL = 3 };

ps_letter_table *ps_letter_table_open(void) {
    ps_letter_table *table = calloc(1, sizeof *table);
    for (uint32_t c = 0; table != NULL && c < CELLS; c++)
        table->width[c] = (uint32_t)strlen(titles[c]);
    return table;
}

/* Characters, near enough: bytes that do not go on with one. */
static uint32_t columns_of(const char *text) {
    uint32_t columns = 0;
    for (; *text != '\0'; text++) columns += (*text & 0xc0) != 0x80;
    return columns;
}

static void print_row(const ps_letter_table *table, const char *const cell[CELLS]) {
    for (uint32_t c = 0; c < CELLS; c++) {
        const uint32_t columns = columns_of(cell[c]);
        const int pad = columns < table->width[c] ? (int)(table->width[c] - columns) : 0;
        if (c == SIZE_CELL)
            (void)printf("%*s%s  ", pad, "", cell[c]);
        else
            (void)printf("%s%*s", cell[c], c + 1 == CELLS ? 0 : pad + 2, "");
    }
    (void)putchar('\n');
}

void ps_letter_table_flush(ps_letter_table *table) {
    if (!table->begun && table->rows > 0) {
        (void)fputs(ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), stdout);
        print_row(table, titles);
        (void)fputs(ps_term_off(STDOUT_FILENO), stdout);
        table->begun = true;
    }
    for (uint32_t r = 0; r < table->rows; r++) {
        const char *cell[CELLS];
        for (uint32_t c = 0; c < CELLS; c++) cell[c] = table->row[r].cell[c];
        print_row(table, cell);
    }
    table->rows = 0;
}

void ps_letter_table_add(ps_letter_table *table, const ps_letter *letter) {
    char time[TIME_MAX];
    row *to = &table->row[table->rows++];
    (void)put_text(to->cell[0], CELL_MAX, letter->source, CELL_MAX);
    (void)put_text(to->cell[1], CELL_MAX, letter->code, 32);
    (void)snprintf(to->cell[2], CELL_MAX, "%s", time_text(letter->timestamp_ms, time));
    (void)snprintf(to->cell[3], CELL_MAX, "%u", size_of(letter->value));
    (void)put_text(to->cell[4], CELL_MAX, letter->key, KEY_COLUMNS);
    (void)put_text(to->cell[5], CELL_MAX, letter->reason, CELL_MAX);
    for (uint32_t c = 0; c < CELLS; c++) {
        const uint32_t columns = columns_of(to->cell[c]);
        if (columns > table->width[c]) table->width[c] = columns;
    }
    if (table->rows == ROWS_MAX) ps_letter_table_flush(table);
}

void ps_letter_table_close(ps_letter_table *table) {
    free(table);
}

static void show_part(const char *name, ps_bytes bytes) {
    (void)printf("  %-8s ", name);
    if (bytes.length == PS_NULL_LENGTH)
        (void)printf("(null)");
    else
        print_text(bytes);
    (void)putchar('\n');
}

void ps_letter_show(const ps_letter *letter) {
    char time[TIME_MAX], text[CELL_MAX];
    (void)put_text(text, sizeof text, letter->source, CELL_MAX);
    (void)printf("%s%s%s\n", ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), text,
                 ps_term_off(STDOUT_FILENO));
    show_part("error", letter->code);
    show_part("reason", letter->reason);
    (void)printf("  time     %s\n", time_text(letter->timestamp_ms, time));
    show_part("key", letter->key);
    ps_header header;
    for (uint32_t at = 0; ps_headers_next(letter->headers, &at, &header);) {
        (void)printf("  header   ");
        print_text(header.name);
        (void)printf(": ");
        if (header.value.length == PS_NULL_LENGTH)
            (void)printf("(null)");
        else
            print_text(header.value);
        (void)putchar('\n');
    }
    (void)printf("  bytes    %u\n", size_of(letter->value));
    show_part("value", letter->value);
}

/* Inside a JSON string: what is no character becomes U+FFFD. */
static void print_json_text(ps_bytes bytes) {
    const uint8_t *p = bytes.data, *end = p + bytes.length;
    while (p < end) {
        const uint32_t length = printable(p, end);
        if (length == 0)
            (void)printf(*p < 0x80 ? "\\u%04x" : "\\ufffd", *p);
        else
            (void)printf("%s%.*s", *p == '"' || *p == '\\' ? "\\" : "", (int)length,
                         (const char *)p);
        p += length == 0 ? 1 : length;
    }
}

static void print_base64(ps_bytes bytes) {
    if (bytes.length == PS_NULL_LENGTH) {
        (void)printf("null");
        return;
    }
    char piece[1024];
    enum { STEP = sizeof piece / 4 * 3 };
    (void)putchar('"');
    for (uint32_t at = 0; at < bytes.length; at += STEP) {
        const uint32_t have = bytes.length - at < STEP ? bytes.length - at : STEP;
        const char *end = ps_base64_encode(piece, bytes.data + at, have);
        (void)fwrite(piece, 1, (size_t)(end - piece), stdout);
    }
    (void)putchar('"');
}

static void print_headers(ps_bytes packed) {
    ps_header header;
    bool first = true;
    (void)printf(",\"headers\":[");
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header); first = false) {
        (void)printf(first ? "[" : ",[");
        print_base64(header.name);
        (void)putchar(',');
        print_base64(header.value);
        (void)putchar(']');
    }
    (void)putchar(']');
}

void ps_letter_json(const ps_letter *letter, bool full) {
    (void)printf("{\"source\":\"");
    print_json_text(letter->source);
    (void)printf("\",\"error\":\"");
    print_json_text(letter->code);
    (void)printf("\",\"reason\":\"");
    print_json_text(letter->reason);
    (void)printf("\",\"timestamp\":%" PRId64 ",\"key\":", letter->timestamp_ms);
    print_base64(letter->key);
    if (full) {
        (void)printf(",\"value\":");
        print_base64(letter->value);
        print_headers(letter->headers);
    } else {
        (void)printf(",\"bytes\":%u", size_of(letter->value));
    }
    (void)printf("}\n");
}
