/* SPDX-License-Identifier: Apache-2.0
 * statistics: what the values of a field come to.
 */
#ifndef PS_ML_STAGE_STATISTICS_H
#define PS_ML_STAGE_STATISTICS_H

#include "host/flow/parts.h"

typedef enum ps_statistics_per { PS_STATISTICS_SERIES, PS_STATISTICS_BATCH } ps_statistics_per;

typedef struct ps_statistics_config {
    const char *field;
    ps_string_list outputs;
    const char *as;
    uint32_t per; /* ps_statistics_per */
} ps_statistics_config;

extern const ps_stage ps_stage_statistics;

#endif
