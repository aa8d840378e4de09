/* SPDX-License-Identifier: Apache-2.0
 * forecast: what a series will be some rows on, and between which bounds.
 */
#ifndef PS_ML_STAGE_FORECAST_H
#define PS_ML_STAGE_FORECAST_H

#include "host/flow/parts.h"

typedef struct ps_forecast_config {
    const char *field;
    uint32_t method; /* PS_FORECAST_… of the kernel */
    int64_t horizon;
    double level;
    int64_t season; /* 0: it is found */
    int64_t season_max;
    int64_t level_span, span, warmup;
    double damping;
    const char *as;
} ps_forecast_config;

extern const ps_stage ps_stage_forecast;

#endif
