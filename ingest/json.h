/* SPDX-License-Identifier: Apache-2.0
 * Reads one JSON text in one pass: all of it is checked against RFC 8259 (structure, numbers,
 * UTF-8, escapes, depth), and the values of declared paths are handed out where they lie,
 * undecoded.
 *
 * A path is names separated by dots and descends into objects: a name that itself contains a dot
 * cannot be declared. Of members with the same name the first counts. A path through something that
 * is not an object is absent.
 */
#ifndef PS_INGEST_JSON_H
#define PS_INGEST_JSON_H

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "host/batch/rejects.h"

typedef enum ps_json_kind {
    PS_JSON_ABSENT,
    PS_JSON_NULL,
    PS_JSON_FALSE,
    PS_JSON_TRUE,
    PS_JSON_NUMBER,
    PS_JSON_STRING,
    PS_JSON_COMPOUND /* an object or an array */
} ps_json_kind;

/* A value inside the text. */
typedef struct ps_json_value {
    ps_json_kind kind;
    bool escaped;  /* a string that holds backslashes: ps_json_unescape makes its text */
    ps_bytes text; /* of a string: between the quotes; of a number, an object or an array: all of
                      it, well-formed */
} ps_json_value;

typedef struct ps_json_fault {
    ps_reject reject;
    uint32_t detail; /* byte position */
} ps_json_fault;

typedef struct ps_json ps_json; /* the declared paths */

/* `paths` are borrowed until close. Fails with PS_BAD_CONFIG on an empty name in a path, or too
 * many names. Threads: one at a time; it remembers the shape of the last text. */
ps_status ps_json_open(const char *const *paths, uint32_t count, ps_json **out,
                       ps_error *error) PS_MUST_USE;
void ps_json_close(ps_json *json);

/* Fills values[path]. PS_REJECT_NONE: the text is well-formed and an object; else `values` is of no
 * use. `text` must have PS_ARENA_PADDING readable bytes behind it. Never allocates.
 *
 * Fails: EMPTY (no bytes) · TRUNCATED (well-formed as far as it goes) · SYNTAX (also control
 * characters in strings, escapes of lone surrogates, a byte order mark) · INVALID_UTF8 · TOO_DEEP ·
 * NOT_OBJECT (well-formed, but an array or a scalar). */
ps_reject ps_json_read(ps_json *json, ps_bytes text, ps_json_value *values, ps_json_fault *fault);

/* Writes what an escaped string of a checked text means to `to`, which has string.length bytes of
 * room; returns its length, never more than that. */
uint32_t ps_json_unescape(ps_bytes string, uint8_t *to);

#endif
