/* SPDX-License-Identifier: Apache-2.0
 * The stages that belong to no other folder: hash, entropy and filter.
 */
#ifndef PS_HOST_STAGES_STAGES_H
#define PS_HOST_STAGES_STAGES_H

#include "host/flow/parts.h"

typedef struct ps_hash_config {
    uint32_t algorithm; /* ps_hash_algorithm */
    const char *of, *as;
} ps_hash_config;

typedef struct ps_filter_config {
    const char *where;
} ps_filter_config;

typedef struct ps_entropy_config {
    const char *of, *as;
} ps_entropy_config;

extern const ps_stage ps_stage_hash;
extern const ps_stage ps_stage_entropy;
extern const ps_stage ps_stage_filter;

#endif
