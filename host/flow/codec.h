/* SPDX-License-Identifier: Apache-2.0
 * How the bytes of a record become columns: one of the parts that host/flow/parts.h is about.
 */
#ifndef PS_HOST_FLOW_CODEC_H
#define PS_HOST_FLOW_CODEC_H

#include "host/base/options.h"
#include "host/batch/batch.h"

/* What stands before the records of a partition and says how to read them: the first line of a CSV
 * file. */
typedef struct ps_heading {
    const char *where; /* for messages: the file's name */
    ps_bytes line;
} ps_heading;

/* Decodes declared fields of rows that a source appended: values into their columns, bad rows into
 * REJECT and DETAIL. */
typedef struct ps_codec {
    ps_about about;
    char escape; /* values without this byte decode in place; with it they need room in the arena;
                    0: never */
    ps_status (*open)(const void *config, const ps_schema *schema, void **self, ps_error *);
    /* How the records of this partition are to be read; told before the first batch. NULL: it does
     * not care. */
    ps_status (*heading)(void *self, uint32_t partition, const ps_heading *heading, ps_error *);
    void (*decode)(void *self, ps_batch *batch);
    /* Worst-case bytes per lane. NULL: nothing worth a term. */
    size_t (*memory)(const void *config, const ps_schema *schema);
    void (*close)(void *self);
} ps_codec;

#endif
