/* SPDX-License-Identifier: Apache-2.0
 * Which columns a batch has and where each lies in its block. A pipeline has one schema: the plan
 * makes it at start-up, every batch borrows it. Offsets are the same on the host and on a device,
 * so one copy moves a whole batch.
 *
 * Layout: fixed-size columns first, the byte arena last, so that a copy stops at the bytes in use.
 * Text and bytes are a pair of columns `begin` and `length` into the arena (Arrow's list-view
 * layout: key, value and headers of a record lie together as they came). Validity is a bitmap,
 * least significant bit first (Arrow); a text's null is PS_NULL_LENGTH.
 */
#ifndef PS_HOST_BATCH_SCHEMA_H
#define PS_HOST_BATCH_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/limits.h"
#include "host/base/status.h"

typedef enum ps_type {
    PS_TYPE_TEXT,   /* begin and length into the arena: strings and raw bytes */
    PS_TYPE_F64,    /* 8 bytes and a validity bit */
    PS_TYPE_I64,    /* likewise: integers, and timestamps in nanoseconds since 1970 */
    PS_TYPE_BOOL,   /* 1 byte and a validity bit */
    PS_TYPE_F32,    /* 4 bytes; null is the canonical NaN */
    PS_TYPE_NUMBER, /* 8 bytes, a double; null is the canonical NaN */
    PS_TYPE_U8,     /* 1 byte, never null */
    PS_TYPE_U32,    /* 4 bytes, never null */
    PS_TYPE_U64,    /* 8 bytes, never null */
    PS_TYPE_DIGEST, /* 32 bytes, never null by itself: its source column says so */
    PS_TYPE_SCRATCH /* `width` bytes per unit */
} ps_type;

/* How many elements a column has. */
typedef enum ps_extent { PS_PER_ROW, PS_PER_SEGMENT, PS_ONCE } ps_extent;

#define PS_NOWHERE UINT32_MAX

typedef struct ps_column {
    char name[PS_NAME_MAX];
    ps_type type;
    ps_extent extent;
    uint32_t width;    /* bytes per element of `values` */
    uint32_t values;   /* byte offset in the block; for TEXT: the `begin` column, u32 */
    uint32_t lengths;  /* TEXT only: the `length` column, u32; else PS_NOWHERE */
    uint32_t validity; /* bitmap; PS_NOWHERE where the type needs none */
    bool time;         /* an I64 that is a timestamp */
} ps_column;

/* Columns that every batch has, in this order at the front of `column`. */
typedef enum ps_system_column {
    PS_COLUMN_VALUE,     /* TEXT: the record's value */
    PS_COLUMN_KEY,       /* TEXT */
    PS_COLUMN_HEADERS,   /* TEXT: packed, see host/batch/headers.h; null: the record has none */
    PS_COLUMN_OFFSET,    /* I64, no validity: the source's offset */
    PS_COLUMN_TIMESTAMP, /* I64, no validity: milliseconds since 1970, -1: none */
    PS_COLUMN_FLAGS,     /* U8: PS_ROW_… */
    PS_COLUMN_REJECT,    /* U8: 0, or why the row is a reject (ps_reject) */
    PS_COLUMN_DETAIL,    /* U32: of the reject: a byte position or the index of a field */
    PS_COLUMN_LOCAL,  /* U32: which segment of the batch the row belongs to; PS_NO_SEGMENT: none */
    PS_COLUMN_RANK,   /* U32: how many rows of that segment came before it */
    PS_COLUMN_ORDER,  /* U32: rows grouped by segment, in time order within each */
    PS_COLUMN_FIRST,  /* U32 per segment + 1: where each segment begins in ORDER */
    PS_COLUMN_SERIES, /* U32 per segment: index of its state */
    PS_COLUMN_FRESH,  /* U8 per segment: 1: begins from the initial state */
    PS_COLUMN_KEEP,   /* U8: 0: filtered out */
    PS_SYSTEM_COLUMNS
} ps_system_column;

#define PS_ROW_LOG_APPEND_TIME 1u /* the timestamp is the broker's */

/* Any column can be an OpenCL sub-buffer, and no two columns share a cache line. Columns lie in the
 * order in which they were added. */
enum { PS_COLUMN_ALIGNMENT = 512 };

typedef struct ps_schema {
    uint32_t rows_max;     /* per batch */
    uint32_t segments_max; /* per batch: at most one per row, and as many again for the sweep, or
                            * fewer where their state is heavy */
    uint32_t column_count;
    ps_column column[PS_COLUMNS_MAX];
    uint32_t arena;       /* byte offset where the arena begins: the end of the columns */
    uint32_t arena_bytes; /* capacity, without the padding behind it */
    size_t block_bytes;   /* the whole block, padding included */
    char escape; /* a value that holds this byte may need as much room again to be decoded; 0: none
                  */
    uint32_t field_first; /* decoded fields are column[field_first …] in the order of their
                             declaration */
    uint32_t field_count;
} ps_schema;

/* Starts a schema with the system columns. `arena_bytes` must hold the largest record the pipeline
 * accepts. */
void ps_schema_init(ps_schema *schema, uint32_t rows_max, uint32_t arena_bytes);

/* Appends a column; names are unique, but that one may hide value, key, headers, offset or
 * timestamp of the record. Fails with PS_BAD_CONFIG on a name in use or one column too many. */
ps_status ps_schema_add(ps_schema *schema, const char *name, ps_type type, ps_extent extent,
                        uint32_t width, uint32_t *index, ps_error *error) PS_MUST_USE;

/* Fixes the offsets. Fails with PS_BAD_CONFIG when a block would pass 2 GiB. No column is added
 * afterwards. */
ps_status ps_schema_close(ps_schema *schema, ps_error *error) PS_MUST_USE;

/* The column of that name, or NULL. */
const ps_column *ps_schema_find(const ps_schema *schema, const char *name);

/* Bytes of one element of `type`; 0 for PS_TYPE_SCRATCH. */
uint32_t ps_type_width(ps_type type);

#endif
