/* SPDX-License-Identifier: Apache-2.0
 * Why a record is a reject: the stable codes of the dead letters, and the sentence that goes with
 * each.
 */
#ifndef PS_HOST_BATCH_REJECTS_H
#define PS_HOST_BATCH_REJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "host/batch/schema.h"

/* The code as users see it; the sentence before and behind its detail; what the detail is. */
#define PS_REJECT_MAP(X)                                                                      \
    X(TRUNCATED, "truncated", "the record ends too early, at byte ", "", DETAIL_END)          \
    X(SYNTAX, "syntax", "the record is not well-formed at byte ", "", DETAIL_BYTE)            \
    X(NOT_OBJECT, "not_object", "the record is not a JSON object", "", DETAIL_NONE)           \
    X(WRONG_TYPE, "wrong_type", "field '", "' is not of its declared type, ", DETAIL_TYPE)    \
    X(MISSING_FIELD, "missing_field", "field '", "' is required, and absent or null",         \
      DETAIL_FIELD)                                                                           \
    X(INVALID_UTF8, "invalid_utf8", "the record is not valid UTF-8", "", DETAIL_NONE)         \
    X(OUT_OF_RANGE, "out_of_range", "field '", "' does not fit its type, ", DETAIL_TYPE)      \
    X(TOO_DEEP, "too_deep", "the record is nested deeper than 64 levels", "", DETAIL_NONE)    \
    X(EMPTY, "empty", "the value is empty", "", DETAIL_NONE)                                  \
    X(TOO_LARGE, "too_large", "the record does not fit runtime.batch_bytes", "", DETAIL_NONE) \
    X(OUTPUT_REFUSED, "output_refused", "the sink refused the enriched record", "", DETAIL_NONE)

#define PS_REJECT_ROW_(name, code, left, right, detail) PS_REJECT_##name,
typedef enum ps_reject { PS_REJECT_NONE, PS_REJECT_MAP(PS_REJECT_ROW_) PS_REJECT_COUNT } ps_reject;
#undef PS_REJECT_ROW_

/* Of TRUNCATED: this and a field's number where it is known which value should have come next, else
 * a byte's; no record is so long. */
#define PS_REJECT_BEFORE UINT32_C(0x80000000)

/* "missing_field"; "none" for PS_REJECT_NONE. */
const char *ps_reject_code(ps_reject reject);

/* The sentence, into `text` of `bytes`; field names come from the schema. Returns its length. */
size_t ps_reject_reason(ps_reject reject, uint32_t detail, const ps_schema *schema, char *text,
                        size_t bytes);

#endif
