/* SPDX-License-Identifier: Apache-2.0
 * drift: says when the mean of a series is no longer what it was.
 */
#ifndef PS_ML_STAGE_DRIFT_H
#define PS_ML_STAGE_DRIFT_H

#include "host/flow/parts.h"

typedef struct ps_drift_config {
    const char *field;
    int64_t baseline, window;
    double threshold, effect;
    bool renew;
    const char *as;
} ps_drift_config;

extern const ps_stage ps_stage_drift;

#endif
