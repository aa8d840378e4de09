/* SPDX-License-Identifier: Apache-2.0
 * multivariate: scores rows by several fields together.
 */
#ifndef PS_ML_STAGE_MULTIVARIATE_H
#define PS_ML_STAGE_MULTIVARIATE_H

#include "host/flow/parts.h"

typedef struct ps_multivariate_config {
    ps_string_list fields;
    uint32_t method; /* PS_MULTIVARIATE_… of the kernel */
    double threshold, explained, shrinkage;
    int64_t span, warmup, refit;
    const char *as;
} ps_multivariate_config;

extern const ps_stage ps_stage_multivariate;

#endif
