/* SPDX-License-Identifier: Apache-2.0
 * Sources and sinks without Kafka, and what a pipeline file fills for each.
 */
#ifndef PS_INGEST_PARTS_H
#define PS_INGEST_PARTS_H

#include "host/flow/parts.h"

typedef struct ps_source_synthetic_config {
    int64_t rows, series, bytes, seed, partitions;
    double rate, anomalies;
} ps_source_synthetic_config;

typedef enum ps_file_format { PS_FILE_NDJSON, PS_FILE_CSV, PS_FILE_LINES } ps_file_format;

typedef struct ps_source_file_config {
    ps_string_list paths;
    uint32_t format; /* ps_file_format */
    bool header;
    int64_t line_max;
} ps_source_file_config;

typedef struct ps_sink_discard_config {
    uint32_t reserved; /* it has no option */
} ps_sink_discard_config;

typedef enum ps_file_form { PS_FILE_FORM_JSON, PS_FILE_FORM_VALUE } ps_file_form;

typedef struct ps_sink_file_config {
    const char *path;
    uint32_t form;  /* ps_file_form */
    uint32_t codec; /* ps_frame_codec */
    int64_t roll_bytes, roll_interval_ns;
    int64_t commit_bytes, commit_interval_ns;
} ps_sink_file_config;

extern const ps_source ps_source_synthetic, ps_source_file;
extern const ps_sink ps_sink_discard, ps_sink_file;

/* Which file a partition of an open file source is. */
const char *ps_source_file_path(const void *self, uint32_t partition);

#endif
