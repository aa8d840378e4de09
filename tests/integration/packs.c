/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/packs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unframe.h"

static void fault(packs *p, const record *r, const char *what) {
    if (p->faults++ < 10)
        (void)fprintf(stderr, "packs: partition %" PRId32 ", offset %" PRId64 ": %s\n",
                      r->partition, r->offset, what);
}

static bool header_is(const record *r, uint32_t i, const char *name, const char *value) {
    if (i >= r->header_count || strcmp(r->headers[i].name, name) != 0) return false;
    const text *found = &r->headers[i].value;
    return found->size == strlen(value) && memcmp(found->data, value, found->size) == 0;
}

static int64_t header_number(const record *r, uint32_t i, const char *name) {
    char digits[24] = "";
    if (i >= r->header_count || strcmp(r->headers[i].name, name) != 0) return -1;
    const text *found = &r->headers[i].value;
    if (found->size == 0 || found->size >= sizeof digits) return -1;
    memcpy(digits, found->data, found->size);
    return strtoll(digits, NULL, 10);
}

/* The offset in `"penstock":{"source":"topic/partition/offset"` of a line, the last in it. */
static int64_t source_offset(const uint8_t *line, size_t bytes) {
    static const char name[] = "\"penstock\":{\"source\":\"";
    for (size_t i = bytes; i-- > 0;) {
        if (i + sizeof name > bytes || memcmp(line + i, name, sizeof name - 1) != 0) continue;
        const uint8_t *begin = line + i + sizeof name - 1;
        const uint8_t *end = memchr(begin, '"', bytes - i - sizeof name + 1);
        if (end == NULL) return -1;
        while (end > begin && end[-1] != '/') end--;
        return strtoll((const char *)end, NULL, 10);
    }
    return -1;
}

static void take_lines(packs *p, const record *r, const uint8_t *lines, size_t bytes) {
    int64_t first = -1, last = -1;
    uint64_t rows = 0;
    for (size_t at = 0; at < bytes; rows++) {
        const uint8_t *end = memchr(lines + at, '\n', bytes - at);
        if (end == NULL) {
            fault(p, r, "the last line has no end");
            break;
        }
        record line = *r;
        line.header_count = 0;
        line.value = (text){lines + at, (size_t)(end - lines) - at};
        last = source_offset(line.value.data, line.value.size);
        if (rows == 0) first = last;
        p->visit(p->context, &line);
        at = (size_t)(end - lines) + 1;
    }
    if (header_number(r, 2, "ps-rows") != (int64_t)rows || rows == 0)
        fault(p, r, "ps-rows is not the number of lines");
    if (header_number(r, 3, "ps-first") != first || header_number(r, 4, "ps-last") != last)
        fault(p, r, "ps-first and ps-last are not the lines' source offsets");
    if (rows > p->rows_max) fault(p, r, "it has more rows than pack.rows");
    if (rows > p->largest) p->largest = rows;
    p->rows += rows;
}

void packs_take(packs *p, const record *r) {
    if (r->value.data == NULL) { /* a tombstone */
        p->visit(p->context, r);
        return;
    }
    p->records++;
    const char *encoding = strcmp(p->codec, "none") == 0 ? "identity" : p->codec;
    if (r->header_count != 5 || !header_is(r, 0, "content-type", "application/x-ndjson") ||
        !header_is(r, 1, "content-encoding", encoding))
        fault(p, r, "the headers are not those of a pack");
    if (r->key.data != NULL) fault(p, r, "it has a key");
    size_t bytes;
    uint8_t *lines = unframe(encoding, r->value.data, r->value.size, &bytes);
    if (lines == NULL)
        fault(p, r, "the value is no whole frame");
    else
        take_lines(p, r, lines, bytes);
    free(lines);
}
