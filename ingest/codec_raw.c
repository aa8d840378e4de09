/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/codec.h"

const ps_option ps_decode_options[] = {
    {.name = "series",
     .preset = NULL,
     .help = "The field that names a record's series, or $key; by default the record's "
             "key.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_decode_config, series)},
    {.name = "on_error",
     .preset = "reject",
     .help = "What becomes of a record that does not decode: reject sends it to the dead "
             "letters, fail stops the lane.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_decode_config, on_error),
     .choices = "reject|fail"},
    {.name = NULL}};

static const ps_option options[] = {{.name = NULL}};

static ps_status raw_open(const void *config, const ps_schema *schema, void **self,
                          ps_error *error) {
    (void)config;
    (void)schema;
    (void)error;
    *self = NULL;
    return PS_OK;
}

static void raw_decode(void *self, ps_batch *batch) {
    (void)self;
    (void)batch;
}

static void raw_close(void *self) {
    (void)self;
}

const ps_codec ps_codec_raw = {.about = {.name = "raw",
                                         .summary = "Values stay bytes: no field is decoded.",
                                         .options = options,
                                         .config_bytes = sizeof(ps_decode_config)},
                               .open = raw_open,
                               .decode = raw_decode,
                               .close = raw_close};
