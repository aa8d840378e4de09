/* SPDX-License-Identifier: Apache-2.0
 * The plan of a pipeline: columns, state, constants, kernel calls and outputs. Stages append to it
 * at start-up and never run; the lane executes it on whatever back-end it has. A stage never
 * mentions a back-end.
 */
#ifndef PS_HOST_FLOW_PLAN_H
#define PS_HOST_FLOW_PLAN_H

#include "host/base/options.h"
#include "host/batch/batch.h"
#include "host/flow/output.h"
#include "host/flow/policy.h"
#include "host/flow/warm_plan.h"
#include "kernels/table.h"

typedef enum ps_home { PS_HOME_BATCH, PS_HOME_STATE, PS_HOME_CONSTANT } ps_home;
typedef enum ps_column_part { PS_PART_VALUES, PS_PART_LENGTHS, PS_PART_VALIDITY } ps_column_part;

typedef struct ps_operand {
    ps_home home;
    uint32_t column;     /* PS_HOME_BATCH: index of a column; PS_NOWHERE: the block itself */
    ps_column_part part; /* of that column */
    size_t offset;       /* bytes further on */
} ps_operand;

typedef struct ps_call_plan {
    ps_kernel_id kernel;
    ps_extent extent; /* PS_PER_ROW: n = rows; PS_PER_SEGMENT: n = segments */
    uint32_t operand_count;
    ps_operand operand[PS_OPERANDS_MAX];
    uint32_t params_bytes;
    uint8_t params[PS_PARAMS_MAX];
} ps_call_plan;

/* `planes` doubles per series, plane-major in the state block or, `together`, series-major. */
typedef struct ps_state_plan {
    uint32_t planes;
    bool together;
    size_t offset;  /* in the state block */
    uint32_t image; /* column of after-images: [segments][planes] doubles */
} ps_state_plan;

/* A field that the metrics sum up per batch. */
typedef struct ps_watch_plan {
    uint32_t column, type; /* PS_VALUE_F64 or PS_VALUE_I64 */
} ps_watch_plan;

/* A word of a constant that is fixed only when the plan is closed: where a column lies. */
typedef struct ps_relocation {
    size_t at; /* in the constants */
    uint32_t column;
    ps_column_part part;
    bool written; /* by the kernel that looks there; else it reads */
} ps_relocation;

/* What the stage `seal` asks for (host/flow/sealer.h); columns. */
typedef struct ps_seal_plan {
    const struct ps_sealer *sealer; /* NULL: nothing is sealed */
    const void *config;
    const char *origin;   /* what all logs' origins begin with */
    uint32_t key, value;  /* DIGEST of each */
    uint32_t index, leaf; /* U64 and DIGEST that sealing fills in */
} ps_seal_plan;

typedef struct ps_plan {
    ps_schema schema;
    uint32_t series_max, series_capacity;
    uint32_t call_count, state_count, output_count, nan_count, relocation_count, watch_count;
    uint32_t plane_count; /* of all states together */
    ps_call_plan call[PS_CALLS_MAX];
    ps_state_plan state[PS_STAGES_MAX];
    ps_output output[PS_OUTPUTS_MAX];
    ps_relocation relocation[PS_RELOCATIONS_MAX];
    ps_watch_plan watch[PS_WATCHES_MAX];
    ps_warm_plan warm;
    uint32_t nan_column[PS_OUTPUTS_MAX]; /* every batch begins with NaN there; in a U8 with 0 */
    size_t state_bytes;                  /* the state block of a lane */
    uint32_t anomaly_column;             /* U8 that the metrics count, or PS_NOWHERE */
    bool filters;                        /* KEEP says which rows go out; else all do */
    ps_policy policy;
    bool replays; /* what became of it */
    ps_seal_plan seal;
    bool groups;                    /* some call works per segment: series are resolved */
    char series_field[PS_NAME_MAX]; /* the field that names the series; empty: the record's key */
    uint8_t *constants;             /* PS_HOME_CONSTANT, owned */
    size_t constant_bytes;
    uint64_t fingerprint, other_policy; /* of a state record; were it by the other policy */
} ps_plan;

/* A plan whose schema has the system columns and the fields. */
ps_status ps_plan_init(ps_plan *plan, uint32_t rows_max, uint32_t arena_bytes, uint32_t series_max,
                       const ps_field_list *fields, ps_error *error) PS_MUST_USE;
void ps_plan_deinit(ps_plan *plan);

/* A declared field, `value`, `key`, or a column that an earlier stage added; else
 * PS_UNKNOWN_NAME. */
ps_status ps_plan_read(ps_plan *plan, const char *name, uint32_t *column,
                       ps_error *error) PS_MUST_USE;
ps_status ps_plan_add(ps_plan *plan, const char *name, ps_type type, ps_extent extent,
                      uint32_t width, uint32_t *column, ps_error *error) PS_MUST_USE;
/* `planes` doubles per series, and the column of their after-images. `name` tells two states apart
 * in the fingerprint: it must say everything that gives the planes their meaning (detector, field,
 * parameters). */
ps_status ps_plan_state(ps_plan *plan, const char *name, uint32_t planes, ps_operand *state,
                        ps_operand *image, ps_error *error) PS_MUST_USE;
/* The state that was added last is series-major, for a kernel that reads all of a series. */
void ps_plan_together(ps_plan *plan);
/* Bytes that kernels read, copied. */
ps_status ps_plan_constant(ps_plan *plan, const void *bytes, size_t count, ps_operand *operand,
                           ps_error *error) PS_MUST_USE;
/* The u32 that lies `at` bytes into `constant` becomes, when the plan is closed, the byte offset in
 * the block of what `target` names: for kernels that find their columns by themselves, to read or,
 * where `written`, to write them. */
ps_status ps_plan_relocate(ps_plan *plan, const ps_operand *constant, size_t at,
                           const ps_operand *target, bool written, ps_error *error) PS_MUST_USE;
ps_status ps_plan_call(ps_plan *plan, ps_kernel_id kernel, ps_extent extent,
                       const ps_operand *operands, const void *params, size_t params_bytes,
                       ps_error *error) PS_MUST_USE;
ps_status ps_plan_output(ps_plan *plan, const ps_output *output, ps_error *error) PS_MUST_USE;
/* A number field of the schema shows per batch in the metrics. */
ps_status ps_plan_watch(ps_plan *plan, uint32_t column, ps_error *error) PS_MUST_USE;
/* An F32 (of `width` planes) or NUMBER column begins every batch as NaN, a U8 one as 0. */
ps_status ps_plan_nan(ps_plan *plan, uint32_t column, ps_error *error) PS_MUST_USE;
/* The column of the SHA-256 of a TEXT column: of an earlier stage where one has asked for it. */
ps_status ps_plan_sha256(ps_plan *plan, uint32_t of, const char *name, uint32_t *column,
                         ps_error *error) PS_MUST_USE;
/* Makes sure that rows are grouped by series: the first stage that asks adds the `segment` call. */
ps_status ps_plan_group(ps_plan *plan, ps_error *error) PS_MUST_USE;

/* Fixes the policy, the schema and the fingerprint. */
ps_status ps_plan_close(ps_plan *plan, ps_error *error) PS_MUST_USE;

static inline ps_operand ps_operand_values(uint32_t column) {
    return (ps_operand){PS_HOME_BATCH, column, PS_PART_VALUES, 0};
}
static inline ps_operand ps_operand_lengths(uint32_t column) {
    return (ps_operand){PS_HOME_BATCH, column, PS_PART_LENGTHS, 0};
}
static inline ps_operand ps_operand_validity(uint32_t column) {
    return (ps_operand){PS_HOME_BATCH, column, PS_PART_VALIDITY, 0};
}
/* The byte arena that `begin` columns point into. */
ps_operand ps_operand_arena(void);

#endif
