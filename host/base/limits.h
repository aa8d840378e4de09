/* SPDX-License-Identifier: Apache-2.0
 * Every bound that is fixed when penstock is compiled. What a user may change is an option, not a
 * limit.
 */
#ifndef PS_HOST_BASE_LIMITS_H
#define PS_HOST_BASE_LIMITS_H

enum {
    PS_LANES_MAX = 256,
    PS_DEPTH_MAX = 16,  /* batches in flight per lane */
    PS_RUNS_MAX = 4096, /* runs per batch: a batch is closed when it has no room for another */
    PS_PARTITIONS_MAX = 16384, /* partitions of all source topics together */
    PS_TOPICS_MAX = 64,
    PS_FIELDS_MAX = 64,         /* decoded fields of a pipeline */
    PS_STAGES_MAX = 32,         /* stages of a pipeline */
    PS_COLUMNS_MAX = 256,       /* columns of a plan, system columns included */
    PS_CALLS_MAX = 128,         /* kernel calls of a plan */
    PS_OPERANDS_MAX = 12,       /* buffers of a kernel */
    PS_OUTPUTS_MAX = 64,        /* members that a plan appends to an event */
    PS_RELOCATIONS_MAX = 1024,  /* words of constants that say where a column lies */
    PS_WATCHES_MAX = 8,         /* fields that are summed up per batch */
    PS_PARAMS_MAX = 128,        /* bytes of a kernel's parameters */
    PS_STATE_PLANES_MAX = 1024, /* doubles of state per series, all stages together */
    PS_NAME_MAX = 64,           /* bytes of a name in a pipeline file, the final NUL included */
    PS_JSON_DEPTH_MAX = 64,
    PS_ARENA_PADDING =
        64 /* readable bytes behind the last record: SIMD decoders read past the end */
};

#endif
