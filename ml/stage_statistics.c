/* SPDX-License-Identifier: Apache-2.0
 * statistics: count, mean, extremes and so on of a field, per series and as of each of its rows, or
 * per batch and in the metrics.
 */
#include "ml/stage_statistics.h"

#include <stdio.h>
#include <string.h>

#include "kernels/summary.h"

/* What can be asked for: `word` in the list, and what the kernel is told. */
#define OUTPUTS(X)                       \
    X("count", PS_SUMMARY_COUNT)         \
    X("sum", PS_SUMMARY_SUM)             \
    X("mean", PS_SUMMARY_MEAN)           \
    X("variance", PS_SUMMARY_VARIANCE)   \
    X("deviation", PS_SUMMARY_DEVIATION) \
    X("min", PS_SUMMARY_LEAST)           \
    X("max", PS_SUMMARY_GREATEST)        \
    X("nan", PS_SUMMARY_NAN)

#define OUTPUT_ROW(word, what)  {word, what},
#define OUTPUT_NAME(word, what) "|" word
static const struct {
    const char *word;
    uint32_t what;
} outputs[] = {OUTPUTS(OUTPUT_ROW)};
enum { OUTPUT_COUNT = sizeof outputs / sizeof outputs[0] };
static const char output_names[] = OUTPUTS(OUTPUT_NAME);

static const char *const usual[] = {"count", "mean", "deviation", "min", "max"};

static const ps_option options[] = {
    {.name = "field",
     .help = "The declared field: a float or an int. Per batch also what an earlier stage added: a "
             "score, or the entropy of the records' bytes.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_statistics_config, field)},
    {.name = "per",
     .preset = "series",
     .help = "series: added to each event, as below. batch: events stay as they are, because where "
             "a batch ends is a matter of time; the metrics penstock_batch_value, "
             "penstock_batch_quantile and penstock_values show what all rows of a batch that "
             "decoded come to, those that a filter drops included.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_statistics_config, per),
     .choices = "series|batch"},
    {.name = "outputs",
     .help = "What is added to each event, of the values of its series up to and with its own; by "
             "default count, mean, deviation, min and max. variance and deviation are a sample's "
             "and absent with the first value. Nulls are skipped; nan counts values that are NaN, "
             "infinite or beyond 1e140, which take part in nothing else. An event without a value "
             "that takes part gets none of it.",
     .type = PS_OPTION_LIST,
     .at = offsetof(ps_statistics_config, outputs),
     .choices = output_names + 1},
    {.name = "as",
     .help = "Put before the names of the outputs: `cpu` gives cpu_mean, cpu_max; by default the "
             "field's name.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_statistics_config, as)},
    {.name = NULL}};

/* A statistics stage while it is planned. */
typedef struct statistics {
    const ps_statistics_config *config;
    ps_plan *plan;
    ps_error *error;
    uint32_t field, type;
    uint32_t count;                  /* of outputs */
    uint32_t what[2 * OUTPUT_COUNT]; /* the kernel's table: what, place */
    uint32_t column[OUTPUT_COUNT];
} statistics;

static ps_status check_field(statistics *s) {
    const char *name = s->config->field;
    PS_TRY(ps_plan_read(s->plan, name, &s->field, s->error));
    const ps_schema *schema = &s->plan->schema;
    const ps_column *column = &schema->column[s->field];
    const bool declared =
        s->field >= schema->field_first && s->field - schema->field_first < schema->field_count;
    /* A batch's may also be what an earlier stage made of every row. */
    const bool made = s->config->per == PS_STATISTICS_BATCH && column->type == PS_TYPE_F32 &&
                      column->extent == PS_PER_ROW && column->width == sizeof(float);
    if (!made && (!declared || (column->type != PS_TYPE_F64 && column->type != PS_TYPE_I64)))
        return ps_fail(s->error, PS_BAD_CONFIG,
                       "field: '%s' is not a number: declare it under decode as float or int",
                       name);
    s->type = column->type == PS_TYPE_I64 ? PS_VALUE_I64 : PS_VALUE_F64;
    return PS_OK;
}

/* One output: its column, its entry in the kernel's table, and what sinks write of it. */
static ps_status add_output(statistics *s, const char *word) {
    const char *as = s->config->as != NULL ? s->config->as : s->config->field;
    ps_output output = {.kind = PS_OUTPUT_NUMBER, .of = PS_NOWHERE, .gate = PS_NOWHERE};
    uint32_t i = 0;
    while (i < OUTPUT_COUNT && strcmp(outputs[i].word, word) != 0) i++;
    if (i == OUTPUT_COUNT)
        return ps_fail(s->error, PS_BAD_CONFIG, "outputs: '%s' is not one of %s", word,
                       output_names + 1);
    if (s->count == OUTPUT_COUNT)
        return ps_fail(s->error, PS_BAD_CONFIG, "outputs: '%s' is listed twice", word);
    if (snprintf(output.name, sizeof output.name, "%s_%s", as, word) >= (int)sizeof output.name)
        return ps_fail(s->error, PS_BAD_CONFIG, "as: '%s' is too long a name", as);
    PS_TRY(
        ps_plan_add(s->plan, output.name, PS_TYPE_NUMBER, PS_PER_ROW, 0, &output.column, s->error));
    PS_TRY(ps_plan_nan(s->plan, output.column, s->error));
    s->what[2 * s->count] = outputs[i].what;
    s->column[s->count++] = output.column;
    return ps_plan_output(s->plan, &output, s->error);
}

static ps_status add_call(statistics *s) {
    const ps_summary_params params = {
        .capacity = s->plan->series_capacity, .type = s->type, .outputs = s->count};
    char name[PS_NAME_MAX + 16];
    ps_operand table, state, image;
    const ps_operand block = {PS_HOME_BATCH, PS_NOWHERE, PS_PART_VALUES, 0};
    PS_TRY(ps_plan_constant(s->plan, s->what, 2 * s->count * sizeof s->what[0], &table, s->error));
    for (uint32_t i = 0; i < s->count; i++) {
        const ps_operand column = ps_operand_values(s->column[i]);
        PS_TRY(ps_plan_relocate(s->plan, &table, (2 * i + 1) * sizeof s->what[0], &column, true,
                                s->error));
    }
    (void)snprintf(name, sizeof name, "summary of %s", s->config->field);
    PS_TRY(ps_plan_state(s->plan, name, PS_SUMMARY_PLANES, &state, &image, s->error));
    const ps_operand operands[] = {block,
                                   table,
                                   ps_operand_values(s->field),
                                   ps_operand_validity(s->field),
                                   ps_operand_values(PS_COLUMN_ORDER),
                                   ps_operand_values(PS_COLUMN_FIRST),
                                   ps_operand_values(PS_COLUMN_SERIES),
                                   ps_operand_values(PS_COLUMN_FRESH),
                                   state,
                                   image};
    return ps_plan_call(s->plan, PS_KERNEL_SUMMARY, PS_PER_SEGMENT, operands, &params,
                        sizeof params, s->error);
}

static ps_status plan_statistics(const void *config, ps_plan *plan, ps_error *error) {
    statistics s = {.config = config, .plan = plan, .error = error};
    const ps_string_list *asked = &s.config->outputs;
    PS_TRY(check_field(&s));
    if (s.config->per == PS_STATISTICS_BATCH) {
        if (asked->count > 0 || s.config->as != NULL)
            return ps_fail(error, PS_BAD_CONFIG,
                           "%s: with per: batch nothing is added to events; leave it out",
                           asked->count > 0 ? "outputs" : "as");
        return ps_plan_watch(plan, s.field, error);
    }
    PS_TRY(ps_plan_group(plan, error));
    if (asked->count == 0)
        for (uint32_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
            PS_TRY(add_output(&s, usual[i]));
    for (uint32_t i = 0; i < asked->count; i++) PS_TRY(add_output(&s, asked->at[i]));
    return add_call(&s);
}

const ps_stage ps_stage_statistics = {
    .about = {.name = "statistics",
              .summary =
                  "Tells the count, mean, extremes and more of a field, per series or per batch.",
              .options = options,
              .config_bytes = sizeof(ps_statistics_config)},
    .plan = plan_statistics};
