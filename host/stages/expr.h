/* SPDX-License-Identifier: Apache-2.0
 * A filter's expression, compiled for kernel where (docs/expressions.md is the language).
 *
 * Text to tokens (expr_lex.c), tokens to a tree (expr_parse.c), types and columns
 * (expr_type.c), instructions (expr_emit.c). All of it runs at start-up only.
 */
#ifndef PS_HOST_STAGES_EXPR_H
#define PS_HOST_STAGES_EXPR_H

#include "host/flow/plan.h"

enum {
    PS_EXPR_BYTES_MAX = 16384, /* of an expression's text */
    PS_EXPR_NODES_MAX = 2048,  /* names, literals and operators */
    PS_EXPR_DEPTH_MAX = 64     /* parentheses, `not` and minus signs within one another */
};

/* Adds the program to the plan's constants, its column offsets as relocations: `program` is the
 * kernel's second buffer, `words` its parameter.
 * Fails with PS_BAD_CONFIG and `where:COLUMN: …`, bytes counted from 1. */
ps_status ps_expr_compile(const char *text, ps_plan *plan, ps_operand *program, uint32_t *words,
                          ps_error *error) PS_MUST_USE;

#endif
