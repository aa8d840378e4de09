/* SPDX-License-Identifier: Apache-2.0
 * entropy: how evenly the bytes of the value, the key or a text field are spread, as one more
 * output.
 */
#include <stdio.h>
#include <string.h>

#include "host/stages/stages.h"
#include "kernels/entropy.h"

static const ps_option options[] = {
    {.name = "of",
     .preset = "value",
     .help = "Which bytes: value, key, or a declared field that is a string. Bits per byte, 0 to "
             "8; 0 where it is empty, absent where it is null.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_entropy_config, of)},
    {.name = "as",
     .preset = "entropy",
     .help = "What the output is called; filters know it by that name.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_entropy_config, as)},
    {.name = NULL}};

static ps_status plan_entropy(const void *config, ps_plan *plan, ps_error *error) {
    const ps_entropy_config *entropy = config;
    const ps_entropy_params params = {0};
    uint32_t source, column;
    /* The record's own, even where a declared field has that name. */
    if (strcmp(entropy->of, "value") == 0)
        source = PS_COLUMN_VALUE;
    else if (strcmp(entropy->of, "key") == 0)
        source = PS_COLUMN_KEY;
    else
        PS_TRY(ps_plan_read(plan, entropy->of, &source, error));
    if (plan->schema.column[source].type != PS_TYPE_TEXT || source == PS_COLUMN_HEADERS)
        return ps_fail(error, PS_BAD_CONFIG,
                       "of: '%s' is not a string: entropy takes value, key or a string field",
                       entropy->of);
    PS_TRY(ps_plan_add(plan, entropy->as, PS_TYPE_F32, PS_PER_ROW, 0, &column, error));
    const ps_operand operands[] = {ps_operand_arena(), ps_operand_values(source),
                                   ps_operand_lengths(source), ps_operand_values(column)};
    PS_TRY(
        ps_plan_call(plan, PS_KERNEL_ENTROPY, PS_PER_ROW, operands, &params, sizeof params, error));
    ps_output output = {
        .kind = PS_OUTPUT_SCORE, .column = column, .of = source, .gate = PS_NOWHERE};
    (void)snprintf(output.name, sizeof output.name, "%s", entropy->as);
    return ps_plan_output(plan, &output, error);
}

const ps_stage ps_stage_entropy = {
    .about = {.name = "entropy",
              .summary = "Adds the entropy of the bytes of the value, the key or a field.",
              .options = options,
              .config_bytes = sizeof(ps_entropy_config)},
    .plan = plan_entropy};
