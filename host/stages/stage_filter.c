/* SPDX-License-Identifier: Apache-2.0
 * filter: keeps the rows for which an expression is true.
 */
#include "host/stages/expr.h"
#include "host/stages/stages.h"
#include "kernels/where.h"

static const ps_option options[] = {
    {.name = "where",
     .help = "An expression over fields and what earlier stages added, with SQL's words, nulls and "
             "precedence (docs/expressions.md); rows for which it is true go on.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_filter_config, where)},
    {.name = NULL}};

static ps_status plan_filter(const void *config, ps_plan *plan, ps_error *error) {
    const ps_filter_config *filter = config;
    ps_where_params params = {0};
    ps_operand program;
    if (filter->where == NULL) return ps_fail(error, PS_BAD_CONFIG, "where: is required");
    PS_TRY(ps_expr_compile(filter->where, plan, &program, &params.words, error));
    const ps_operand operands[] = {
        {.home = PS_HOME_BATCH, .column = PS_NOWHERE, .part = PS_PART_VALUES, .offset = 0},
        program,
        ps_operand_values(PS_COLUMN_REJECT),
        ps_operand_values(PS_COLUMN_KEEP)};
    PS_TRY(
        ps_plan_call(plan, PS_KERNEL_WHERE, PS_PER_ROW, operands, &params, sizeof params, error));
    plan->filters = true;
    return PS_OK;
}

const ps_stage ps_stage_filter = {
    .about = {.name = "filter",
              .summary = "Keeps the rows for which an expression is true; the others go nowhere.",
              .options = options,
              .config_bytes = sizeof(ps_filter_config)},
    .plan = plan_filter};
