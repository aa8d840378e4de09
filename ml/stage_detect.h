/* SPDX-License-Identifier: Apache-2.0
 * detect: scores a field with one or more detectors and lets them vote.
 */
#ifndef PS_ML_STAGE_DETECT_H
#define PS_ML_STAGE_DETECT_H

#include "host/flow/parts.h"

typedef struct ps_detect_config {
    const char *field;
    ps_string_list detectors;
    int64_t vote;
    uint32_t preset;
    double threshold;     /* 0: sensitivity says it */
    uint32_t sensitivity; /* low, medium, high, auto */
    const char *time;
    int64_t span, warmup;
    const char *as;
} ps_detect_config;

extern const ps_stage ps_stage_detect;

#endif
