/* SPDX-License-Identifier: Apache-2.0
 * Every part by name: what a pipeline file may say. A new part is one line in registry.c.
 */
#ifndef PS_HOST_CLI_REGISTRY_H
#define PS_HOST_CLI_REGISTRY_H

#include "host/base/options.h"

typedef enum ps_part_kind {
    PS_PART_SOURCE,
    PS_PART_CODEC,
    PS_PART_STAGE,
    PS_PART_SINK,
    PS_PART_KINDS
} ps_part_kind;

/* "source", "codec", "stage", "sink". */
const char *ps_part_kind_text(ps_part_kind kind);

/* The i-th part of a kind, NULL behind the last; `about` is the first member of the ps_source,
 * ps_codec, … */
const ps_about *ps_registry_at(ps_part_kind kind, uint32_t index);
const ps_about *ps_registry_find(ps_part_kind kind, const char *name);

/* Whether any table has a MAP option of that name: what follows it in a `--set` path is one key. */
bool ps_registry_is_map(const char *option);

#endif
