/* SPDX-License-Identifier: Apache-2.0
 * The published vectors of tests/golden/tlog as tests read them: files, lines, fields, base64.
 */
#ifndef TESTS_SEAL_GOLDEN_H
#define TESTS_SEAL_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/bytes.h"
#include "host/seal/base64.h"
#include "host/seal/lines.h"
#include "host/seal/proof.h"

#define GOLDEN "tests/golden/tlog/"

enum { GOLDEN_FIELDS = 8 };

/* The whole file with a NUL behind it; the caller frees it. */
static inline char *golden_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("%s is missing", path);
    char *bytes = malloc(1 << 20);
    *length = fread(bytes, 1, (1 << 20) - 1, file);
    bytes[*length] = '\0';
    (void)fclose(file);
    return bytes;
}

/* Cuts the next line at its tabs; false at the end. Comments are passed over. */
static inline bool golden_next(char **rest, char *field[GOLDEN_FIELDS]) {
    static char none[1];
    while (**rest == '#') *rest = strchr(*rest, '\n') + 1;
    if (**rest == '\0') return false;
    char *at = *rest, *stop = strchr(at, '\n');
    *stop = '\0';
    *rest = stop + 1;
    for (int i = 0; i < GOLDEN_FIELDS; i++) {
        field[i] = at;
        char *const tab = strchr(at, '\t');
        if (tab != NULL) *tab = '\0';
        at = tab == NULL ? none : tab + 1;
    }
    return true;
}

static inline uint64_t golden_number(const char *text) {
    return strtoull(text, NULL, 10);
}

/* The caller frees the bytes. */
static inline ps_bytes golden_bytes(const char *base64) {
    const size_t length = strlen(base64);
    size_t bytes = 0;
    uint8_t *out = malloc(PS_BASE64_BYTES(length) + 1);
    assert_true(ps_base64_read(base64, length, out, PS_BASE64_BYTES(length), &bytes));
    return (ps_bytes){out, (uint32_t)bytes};
}

static inline bool golden_hash(const char *base64, ps_hash *out) {
    return ps_hash_read((ps_bytes){(const uint8_t *)base64, (uint32_t)strlen(base64)}, out);
}

/* False: one of them has not 32 bytes, or there are too many. */
static inline bool golden_proof(char *list, ps_proof *out) {
    out->count = 0;
    if (*list == '\0') return true;
    for (char *at = list; at != NULL;) {
        char *const comma = strchr(at, ',');
        if (comma != NULL) *comma = '\0';
        if (out->count == PS_PROOF_MAX || !golden_hash(at, &out->hash[out->count++])) return false;
        at = comma == NULL ? NULL : comma + 1;
    }
    return true;
}

#endif
