/* SPDX-License-Identifier: Apache-2.0
 * What a plan appends to an event, as the stages that ask for it say it.
 */
#ifndef PS_HOST_FLOW_OUTPUT_H
#define PS_HOST_FLOW_OUTPUT_H

#include "host/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ps_output_kind {
    PS_OUTPUT_HEX,    /* digests and integers, lower case, most significant digit first */
    PS_OUTPUT_SCORE,  /* F32, shortest decimal that round-trips; left out where NaN */
    PS_OUTPUT_NUMBER, /* NUMBER, likewise */
    PS_OUTPUT_FLAG,   /* U8: header 0 or 1, member true or false */
    PS_OUTPUT_LABEL,  /* U8: index into `labels`; left out where 255 */
    PS_OUTPUT_LEVEL,  /* U8, a flag: where set, the label that `gate` reaches */
    PS_OUTPUT_INDEX,  /* U64, decimal */
    PS_OUTPUT_ORIGIN  /* of no column: the log that the row's partition is sealed in */
} ps_output_kind;

typedef struct ps_output_levels {
    float first, step;
} ps_output_levels;

/* One member that the plan appends to an event: header `ps-<name>`, or `<name>` inside "penstock".
 */
typedef struct ps_output {
    char name[PS_NAME_MAX];
    ps_output_kind kind;
    bool bare;                 /* the header's name is the name as it is */
    uint32_t column;           /* index; PS_OUTPUT_ORIGIN: any */
    uint32_t of;               /* TEXT column whose null leaves this output out, or PS_NOWHERE */
    uint32_t gate;             /* F32 column whose NaN leaves this output out, or PS_NOWHERE */
    const char *const *labels; /* static or the configuration's */
    uint32_t label_count;
    ps_output_levels levels; /* of PS_OUTPUT_LEVEL */
} ps_output;

/* Which of `count` labels a score has: label i from first + i step on, the first below that too. */
static inline uint32_t ps_output_level(ps_output_levels of, uint32_t count, float score) {
    uint32_t label = 0;
    while (label + 1 < count && score >= of.first + of.step * (float)(label + 1)) label++;
    return label;
}

#endif
