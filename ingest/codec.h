/* SPDX-License-Identifier: Apache-2.0
 * The codecs, and what `decode` of a pipeline file fills for them. A tombstone (null value) is not
 * decoded and not rejected: its fields are null.
 */
#ifndef PS_INGEST_CODEC_H
#define PS_INGEST_CODEC_H

#include "host/flow/parts.h"

typedef enum ps_decode_on_error { PS_DECODE_REJECT, PS_DECODE_FAIL } ps_decode_on_error;

/* One struct for all codecs: `about.options` of a codec fills its own members, ps_decode_options
 * those that lie beside it under `decode`. */
typedef struct ps_decode_config {
    ps_field_list fields;
    const char *series; /* a field's name, "$key", or NULL: the key where there is one */
    uint32_t on_error;  /* ps_decode_on_error: what the lane does with a batch that has a reject */
    ps_string_list
        columns; /* csv: names of a record's columns, in order; none: the fields in order */
    const char *delimiter; /* csv: one byte */
} ps_decode_config;

/* `series` and `on_error`, on the level of the codec's name; ends with a row without a name. */
extern const ps_option ps_decode_options[];

extern const ps_codec ps_codec_json, ps_codec_csv;
extern const ps_codec ps_codec_raw; /* no `decode`: values stay bytes, nothing is rejected */

#endif
