/* SPDX-License-Identifier: Apache-2.0
 * From YAML nodes to the structs that option tables describe. Inside host/cli/config*.c, and
 * where a command reads what such a table describes.
 */
#ifndef PS_HOST_CLI_CONFIG_READ_H
#define PS_HOST_CLI_CONFIG_READ_H

#include "host/cli/config.h"

/* Fills `out`, a zeroed struct, from the entries of a map: presets first, then what is written.
 * Faults: unknown keys, duplicates, wrong types, ranges, what is required and missing. `also` (may
 * be NULL) names keys that somebody else reads. `what` is how messages call it: "source kafka". */
typedef bool ps_also_fn(const char *key);
typedef struct ps_table {
    const char *what;
    const ps_option *options;
    ps_also_fn *also;
} ps_table;

void ps_read_options(const ps_table *table, const ps_node *node, ps_spot place, void *out,
                     ps_faults *faults);

/* Duplicate keys of a map. */
void ps_read_duplicates(const ps_node *map, ps_faults *faults);

/* The declared fields of `decode`. */
void ps_read_fields(const ps_node *node, ps_field_list *out, ps_faults *faults);

/* Whether the user wrote that option, and where; the place of `node` otherwise. */
ps_spot ps_spot_of(const ps_node *node, const char *key, ps_spot otherwise);

/* Whether a key that nobody knows was probably meant to be `name`: then its absence needs no second
 * fault. */
bool ps_read_misspelt(const ps_node *map, const char *name, ps_also_fn *known);

/* Checks between parts, once each of them has been read. */
void ps_config_cross_check(ps_config *config);

/* Resolves what `runtime` says auto for: batch_rows and series_max. */
void ps_config_size(ps_config *config);

/* The plan, or why there is none: adds no fault. Owns: deinit, always. */
ps_status ps_config_try(const ps_config *config, ps_plan *plan, ps_error *error) PS_MUST_USE;

/* What the codec refuses of its fields. */
void ps_config_check_codec(ps_config *config);

/* The faults of stages that ps_config_plan() could not come to: behind the first of a stage, in
 * stages with an option that is not right, and behind such stages. */
void ps_config_probe(ps_config *config);

#endif
