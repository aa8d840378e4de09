/* SPDX-License-Identifier: Apache-2.0
 * What a plan says of states that may begin from a file (host/flow/warm.h): what each of them is,
 * and which files there are. A state that nothing is said of begins blind.
 */
#ifndef PS_HOST_FLOW_WARM_PLAN_H
#define PS_HOST_FLOW_WARM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/limits.h"
#include "host/base/status.h"

enum { PS_WARM_NAME_MAX = 32, PS_WARM_OPTIONS_MAX = 256 };

/* Of repeat suppression: a file may have it where the stage has none, and the other way round. */
#define PS_WARM_QUIET "quiet"

/* All that gives a state's planes their meaning, but for where its values come from. */
typedef struct ps_state_about {
    char name[PS_WARM_NAME_MAX];       /* of the detector, one word; empty: nothing is said */
    char options[PS_WARM_OPTIONS_MAX]; /* one line */
    uint32_t format; /* of its planes: another one when they mean something else */
    bool optional;   /* planes that are 0 are those of a series that begins */
} ps_state_about;

/* A file, and the states of the stage that begins from it. */
typedef struct ps_warm_use {
    const char *path; /* borrowed */
    uint32_t first, count;
    uint32_t fresh; /* column: as the system's, but 0 where the file has the series too */
    size_t bytes;   /* of memory while the pipeline runs */
} ps_warm_use;

typedef struct ps_warm_plan {
    ps_state_about about[PS_STAGES_MAX]; /* of each state of the plan */
    ps_warm_use use[PS_STAGES_MAX];
    uint32_t use_count;
} ps_warm_plan;

struct ps_plan;

/* Of the state that was added last; texts are copied and fit. */
void ps_plan_describe(struct ps_plan *plan, const char *name, uint32_t format, const char *options,
                      bool optional);

/* States from `first` on begin from the file: its head is read and compared with what was said of
 * them. The kernels of these states look at column `fresh`. `path` is borrowed. Fails: PS_IO;
 * PS_BAD_CONFIG, saying what is different. */
ps_status ps_plan_warm(struct ps_plan *plan, const char *path, uint32_t first, uint32_t fresh,
                       ps_error *error) PS_MUST_USE;

/* Bytes that the files of a plan take in memory. */
size_t ps_plan_warm_bytes(const struct ps_plan *plan);

#endif
