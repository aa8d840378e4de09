/* SPDX-License-Identifier: Apache-2.0
 * risk: how near the trends of several fields bring a series to failing.
 */
#ifndef PS_ML_STAGE_RISK_H
#define PS_ML_STAGE_RISK_H

#include "host/flow/parts.h"

typedef struct ps_risk_config {
    ps_string_list fields;
    ps_string_map limits, weights;
    int64_t horizon_ns, span, warmup;
    double confidence;
    const char *time, *as;
} ps_risk_config;

extern const ps_stage ps_stage_risk;

#endif
