/* SPDX-License-Identifier: Apache-2.0
 * Option tables of what is not a part: the top of a pipeline file, `runtime`,
 * `dead_letter`, `metrics`, a field.
 */
#ifndef PS_HOST_CLI_TABLES_H
#define PS_HOST_CLI_TABLES_H

#include "host/cli/config.h"

/* The long form of a declared field. */
typedef struct ps_long_field {
    const char *path;
    uint32_t type, unit;
    bool required, from_string;
} ps_long_field;

extern const ps_option ps_top_options[];
extern const ps_option ps_runtime_options[];
extern const ps_option ps_dead_options[];
extern const ps_option ps_metrics_options[];
extern const ps_option ps_long_field_options[];

#endif
