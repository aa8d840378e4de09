/* SPDX-License-Identifier: Apache-2.0
 * Records of every length, shape and order for the kernels of the form (bytes, begin, length,
 * out).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/limits.h"
#include "kernels/dialect.h"
#include "tests/check_kernels.h"

enum { RECORDS_MAX = 5000 };

/* Packed without gaps, so most begin unaligned; exactly PS_ARENA_PADDING bytes may be read behind
 * the last. */
check_records check_records_take(ps_check *c, const uint32_t *length, uint32_t n) {
    check_records r = {.n = n};
    size_t bytes = 0;
    r.begin = check_take(c, n * sizeof *r.begin);
    r.length = check_take(c, n * sizeof *r.length);
    for (uint32_t i = 0; i < n; i++) {
        r.begin[i] = (uint32_t)bytes;
        r.length[i] = length[i];
        bytes += length[i] == PS_NULL ? 0 : length[i];
    }
    r.bytes = check_take(c, bytes + PS_ARENA_PADDING);
    for (size_t i = 0; i < bytes + PS_ARENA_PADDING; i++) r.bytes[i] = (uint8_t)check_random(c);
    return r;
}

static void compare(ps_check *c, const void *params, const check_records *r, uint32_t out_bytes,
                    const char *what) {
    const size_t bytes = (size_t)r->n * out_bytes;
    uint8_t *expected = check_take(c, bytes), *actual = check_take(c, bytes);
    void *buf[4] = {r->bytes, r->begin, r->length, expected};
    memset(expected, 0x11, bytes);
    memset(actual, 0x11, bytes);
    c->kernel->reference(buf, params, 0, r->n);
    buf[3] = actual;
    c->fn(buf, params, 0, r->n);
    uint32_t row = 0;
    while (row < r->n && !memcmp(expected + row * out_bytes, actual + row * out_bytes, out_bytes))
        row++;
    check_that(c, row == r->n, "%s: row %u of %u differs, length %u", what, row, r->n,
               row < r->n ? r->length[row] : 0);
    /* Any split into ranges gives the same bytes, and nothing outside a range is written. */
    memset(actual, 0x22, bytes);
    const uint32_t a = r->n ? (uint32_t)(check_random(c) % r->n) : 0;
    const uint32_t b = a + (uint32_t)(check_random(c) % (r->n - a + 1));
    c->fn(buf, params, a, b);
    bool outside = true;
    for (size_t i = 0; i < bytes; i++)
        if (i / out_bytes < a || i / out_bytes >= b) outside &= actual[i] == 0x22;
    check_that(c, outside, "%s: [%u, %u) writes outside itself", what, a, b);
    const size_t at = (size_t)a * out_bytes;
    check_that(c, !memcmp(expected + at, actual + at, (size_t)(b - a) * out_bytes),
               "%s: [%u, %u) differs", what, a, b);
}

void check_lengths(ps_check *c, const void *params, const uint32_t *length, uint32_t n,
                   uint32_t out_bytes, const char *what) {
    const check_records r = check_records_take(c, length, n);
    compare(c, params, &r, out_bytes, what);
    check_release(c);
}

/* Equal lengths in counts around the sizes of groups, alone and next to others. */
static void check_shapes(ps_check *c, const void *params, uint32_t out_bytes) {
    static const uint32_t counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65};
    static const uint32_t lengths[] = {0, 1, 54, 55, 56, 63, 64, 119, 120, 300};
    uint32_t length[80];
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (uint32_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            for (uint32_t row = 0; row < counts[i]; row++) length[row] = lengths[k];
            check_lengths(c, params, length, counts[i], out_bytes, "equal lengths");
            length[counts[i]] = 200;
            length[counts[i] + 1] = PS_NULL;
            length[counts[i] + 2] = 1000;
            check_lengths(c, params, length, counts[i] + 3, out_bytes, "equal lengths and others");
        }
}

/* Windows of nothing but short records of several lengths, as keys are, without and with nulls and
 * a longer one among them. */
static void check_keys(ps_check *c, const void *params, uint32_t out_bytes) {
    static const struct {
        uint32_t least, most;
    } keys[] = {{0, 12}, {8, 36}, {0, 48}, {1, 64}, {17, 32}, {17, 64}, {30, 100}, {17, 128}};
    enum { KEYS = 2100 };
    static uint32_t length[KEYS];
    for (uint32_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const uint32_t range = keys[i].most - keys[i].least + 1;
        for (uint32_t row = 0; row < KEYS; row++)
            length[row] = keys[i].least + (uint32_t)(check_random(c) % range);
        check_lengths(c, params, length, KEYS, out_bytes, "keys");
        for (uint32_t row = 0; row < KEYS; row += 1 + (uint32_t)(check_random(c) % 40))
            length[row] = PS_NULL;
        check_lengths(c, params, length, KEYS, out_bytes, "keys and nulls");
        length[KEYS / 2] = 129;
        check_lengths(c, params, length, KEYS, out_bytes, "keys, nulls and a longer one");
    }
}

void check_bytes_kernel(ps_check *c, const void *params, uint32_t out_bytes) {
    static const uint32_t edges[] = {1023, 1024,  1025,  1087, 1088, 1089, 2047,    2048,  2049,
                                     4095, 4096,  4097,  6070, 6071, 6072, 6073,    6080,  6144,
                                     8191, 8192,  8193,  6135, 6136, 6137, PS_NULL, 65535, 65536,
                                     0,    65537, 70000, 1,    9000, 9001, 9002,    9003,  100000};
    static uint32_t length[RECORDS_MAX];
    for (uint32_t i = 0; i <= 1100; i++) length[i] = i;
    check_lengths(c, params, length, 1101, out_bytes, "every length to 1100");
    check_lengths(c, params, edges, sizeof edges / sizeof edges[0], out_bytes, "edges");
    for (uint32_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        check_lengths(c, params, edges + i, 1, out_bytes, "one record");
    for (uint32_t i = 0; i < RECORDS_MAX; i++)
        length[i] = check_random(c) % 16 == 0 ? PS_NULL : (uint32_t)(check_random(c) % 700);
    check_lengths(c, params, length, RECORDS_MAX, out_bytes, "mixed lengths");
    for (uint32_t i = 0; i < 100; i++) length[i] = PS_NULL;
    check_lengths(c, params, length, 100, out_bytes, "nulls only");
    check_shapes(c, params, out_bytes);
    check_keys(c, params, out_bytes);

    /* Records may share bytes: every row here is a piece of the same 700. */
    for (uint32_t i = 0; i < 300; i++) length[i] = i == 0 ? 700 : 0;
    check_records r = check_records_take(c, length, 300);
    for (uint32_t i = 1; i < r.n; i++) {
        r.begin[i] = (uint32_t)(check_random(c) % 700);
        r.length[i] = (uint32_t)(check_random(c) % (701 - r.begin[i]));
    }
    compare(c, params, &r, out_bytes, "overlapping records");
    check_release(c);
}

static uint32_t parse_message(const char *text, uint8_t *bytes) {
    uint32_t count, value, length = 0;
    int used;
    used = 0;
    if (sscanf(text, "%u%%251%n", &count, &used) == 1 && used > 0) {
        for (uint32_t i = 0; i < count; i++) bytes[i] = (uint8_t)(i % 251);
        return count;
    }
    if (sscanf(text, "%ux%2x", &count, &value) == 2) {
        memset(bytes, (int)value, count);
        return count;
    }
    while (sscanf(text, "%2x%n", &value, &used) == 1) {
        bytes[length++] = (uint8_t)value;
        text += used;
    }
    return length;
}

void check_vectors(ps_check *c, const void *params, const char *file, uint32_t out_bytes) {
    enum { MESSAGE_MAX = 1000000 };
    static char line[8192], message[4096], answer[4096];
    uint32_t lines = 0;
    uint8_t *bytes = check_take(c, MESSAGE_MAX + PS_ARENA_PADDING);
    uint32_t *begin = check_take(c, sizeof *begin), *length = check_take(c, sizeof *length);
    uint64_t *out = check_take(c, 32);
    FILE *in = fopen(file, "r");
    while (in && fgets(line, sizeof line, in)) {
        uint64_t expected[4];
        if (line[0] == '#' || sscanf(line, "%4095s %4095s", message, answer) != 2) continue;
        *begin = 0;
        *length = strcmp(message, "-") == 0 ? 0 : parse_message(message, bytes);
        parse_message(answer, (uint8_t *)expected);
        c->fn((void *const[]){bytes, begin, length, out}, params, 0, 1);
        check_that(c, !memcmp(out, expected, out_bytes), "%s: %.40s", file, line);
        lines++;
    }
    check_that(c, lines > 0, "%s: no vectors", file);
    if (in) fclose(in);
    check_release(c);
}

void check_library(ps_check *c, const void *params, uint32_t out_bytes,
                   void (*library)(const uint8_t *, size_t, void *)) {
    static uint32_t length[1104] = {4095, 65537, 300000};
    for (uint32_t i = 0; i <= 1100; i++) length[i + 3] = i;
    const check_records r = check_records_take(c, length, 1104);
    uint8_t *out = check_take(c, (size_t)r.n * out_bytes);
    c->fn((void *const[]){r.bytes, r.begin, r.length, out}, params, 0, r.n);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < r.n; i++) {
        uint64_t expected[4];
        library(r.bytes + r.begin[i], r.length[i], expected);
        wrong += memcmp(out + i * out_bytes, expected, out_bytes) != 0;
    }
    check_that(c, wrong == 0, "%u of %u records differ from the library", wrong, r.n);
    check_release(c);
}

void check_bench_bytes(ps_check *c, const void *params, uint32_t length) {
    enum { TOTAL = 512 * 1024 }; /* in the second-level cache */
    static uint32_t lengths[TOTAL / 8];
    const bool mixed = length == 0;
    uint64_t total = 0;
    uint32_t n = 0;
    char what[32];
    if (!c->bench || !c->device || c->failed) return;
    while (total < TOTAL - 4096 && n < 4096) {
        lengths[n] = mixed ? 64 + (uint32_t)(check_random(c) % 4033) : length;
        total += lengths[n++];
    }
    snprintf(what, sizeof what, mixed ? "64-4096 B" : "%u B", length);
    const check_records r = check_records_take(c, lengths, n);
    void *buf[4] = {r.bytes, r.begin, r.length, check_take(c, (size_t)n * 32)};
    check_bench(c, what, buf, params, n, total);
    check_release(c);
}
