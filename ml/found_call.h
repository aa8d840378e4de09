/* SPDX-License-Identifier: Apache-2.0
 * What stages have in common whose kernel finds its columns by itself (kernels/found.h): the table
 * of its call, the fields it reads, and what it adds to events.
 */
#ifndef PS_ML_FOUND_CALL_H
#define PS_ML_FOUND_CALL_H

#include "host/flow/plan.h"

enum { PS_FOUND_CALL_WORDS = 64 };

/* A call while it is planned. Begins as {.plan, .as, .error}; words follow each other as they are
 * added. */
typedef struct ps_found_call {
    ps_plan *plan;
    ps_error *error;
    const char *as;       /* put before the names of what is added; NULL: nothing */
    uint32_t words, gate; /* gate: the score that the verdicts are left out with */
    uint32_t word[PS_FOUND_CALL_WORDS];
    struct ps_found_place {
        uint32_t at;
        ps_operand target;
        bool written;
    } place[PS_FOUND_CALL_WORDS];
    uint32_t places;
} ps_found_call;

/* What the kernel keeps, and is told. */
typedef struct ps_found_kernel {
    ps_kernel_id kernel;
    const char *meaning; /* of the state, in the fingerprint */
    uint32_t planes;
    bool together;
    const ps_operand *constant; /* a buffer behind the table; NULL: there is none */
    const void *params;
    size_t params_bytes;
} ps_found_kernel;

/* Three words: a declared number, `option` names it in messages. */
ps_status ps_found_call_field(ps_found_call *call, const char *option,
                              const char *name) PS_MUST_USE;
/* Three words: a declared timestamp, or the record's where `name` is NULL. */
ps_status ps_found_call_time(ps_found_call *call, const char *name) PS_MUST_USE;
/* One word: a column that is also an output. The first PS_OUTPUT_SCORE is the gate of flags and
 * labels behind it. */
ps_status ps_found_call_output(ps_found_call *call, const char *what, ps_output_kind kind,
                               const char *const *labels, uint32_t label_count) PS_MUST_USE;
/* The call itself: block, table, constant, order, first, series, fresh, state, image. */
ps_status ps_found_call_add(ps_found_call *call, const ps_found_kernel *kernel) PS_MUST_USE;

#endif
