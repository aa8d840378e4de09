/* SPDX-License-Identifier: Apache-2.0 */
#include "host/batch/rejects.h"

#include <inttypes.h>
#include <stdio.h>

typedef enum detail_kind {
    DETAIL_NONE,
    DETAIL_BYTE,
    DETAIL_FIELD,
    DETAIL_TYPE,
    DETAIL_END
} detail_kind;

#define ROW_(name, text, left, right, detail) [PS_REJECT_##name] = text,
static const char *const codes[PS_REJECT_COUNT] = {"none", PS_REJECT_MAP(ROW_)};
#undef ROW_
#define ROW_(name, text, left, right, detail) [PS_REJECT_##name] = left,
static const char *const before[PS_REJECT_COUNT] = {"accepted", PS_REJECT_MAP(ROW_)};
#undef ROW_
#define ROW_(name, text, left, right, detail) [PS_REJECT_##name] = right,
static const char *const after[PS_REJECT_COUNT] = {"", PS_REJECT_MAP(ROW_)};
#undef ROW_
#define ROW_(name, text, left, right, detail) [PS_REJECT_##name] = detail,
static const detail_kind kinds[PS_REJECT_COUNT] = {PS_REJECT_MAP(ROW_)};
#undef ROW_

const char *ps_reject_code(ps_reject reject) {
    return (unsigned)reject < PS_REJECT_COUNT ? codes[reject] : "unknown";
}

/* The field's name as declared; a detail out of range still gives a sentence. */
static const char *field_name(const ps_schema *schema, uint32_t detail) {
    return detail < schema->field_count ? schema->column[schema->field_first + detail].name : "?";
}

/* Its type, as the pipeline file calls it. */
static const char *field_type(const ps_schema *schema, uint32_t detail) {
    if (detail >= schema->field_count) return "?";
    const ps_column *field = &schema->column[schema->field_first + detail];
    switch (field->type) {
    case PS_TYPE_TEXT:
        return "string";
    case PS_TYPE_F64:
        return "float";
    case PS_TYPE_BOOL:
        return "bool";
    default:
        return field->time ? "timestamp" : "int";
    }
}

size_t ps_reject_reason(ps_reject reject, uint32_t detail, const ps_schema *schema, char *text,
                        size_t bytes) {
    if ((unsigned)reject >= PS_REJECT_COUNT) reject = PS_REJECT_NONE;
    int length = 0;
    detail_kind kind = kinds[reject];
    if (kind == DETAIL_END && detail < PS_REJECT_BEFORE) kind = DETAIL_BYTE;
    switch (kind) {
    case DETAIL_NONE:
        length = snprintf(text, bytes, "%s", before[reject]);
        break;
    case DETAIL_BYTE:
        length = snprintf(text, bytes, "%s%" PRIu32 "%s", before[reject], detail, after[reject]);
        break;
    case DETAIL_FIELD:
        length = snprintf(text, bytes, "%s%s%s", before[reject], field_name(schema, detail),
                          after[reject]);
        break;
    case DETAIL_TYPE:
        length = snprintf(text, bytes, "%s%s%s%s", before[reject], field_name(schema, detail),
                          after[reject], field_type(schema, detail));
        break;
    case DETAIL_END:
        length = snprintf(text, bytes, "the record ends before field '%s'",
                          field_name(schema, detail - PS_REJECT_BEFORE));
        break;
    }
    if (length < 0) return 0;
    return (size_t)length < bytes ? (size_t)length : bytes - 1;
}
