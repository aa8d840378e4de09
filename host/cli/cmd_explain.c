/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/explain.h"
#include "host/cli/launch.h"
#include "host/cli/term.h"
#include "simd/dispatch.h"

typedef struct explain_options {
    ps_string_list set;
    bool json;
} explain_options;

static const ps_option options[] = {
    {.name = "set",
     .help = "Override one value: runtime.lanes=2, stages.0.hash.algorithm=xxh3.",
     .type = PS_OPTION_LIST,
     .at = offsetof(explain_options, set)},
    {.name = "json",
     .help = "One JSON object on stdout.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(explain_options, json)},
    {.name = NULL}};

static void heading(const char *text) {
    (void)printf("\n%s%s%s\n", ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), text,
                 ps_term_off(STDOUT_FILENO));
}

/* What is set, part by part, so that defaults are seen too. */
static void print_part(const char *kind, const ps_chosen *part) {
    if (part->about == NULL) return;
    (void)printf("  %-7s %-10s", kind, part->about->name);
    for (const ps_option *option = part->about->options; option->name != NULL; option++) {
        char value[PS_OPTION_TEXT_MAX];
        const char *shown = part->about->effective == NULL
                                ? ps_option_value(option, part->config, value)
                                : part->about->effective(option, part->config, value);
        if (shown[0] != '\0') (void)printf(" %s=%s", option->name, shown);
    }
    (void)printf("\n");
}

static void print_parts(const ps_launch *launch) {
    const ps_config *config = &launch->config;
    heading("parts");
    print_part("source", &config->source);
    print_part("decode", &config->codec);
    for (uint32_t i = 0; i < config->stage_count; i++) print_part("stage", &config->stage[i]);
    print_part("sink", &config->sink);
    (void)printf("  series  %s\n", launch->plan.series_field[0] == '\0'
                                       ? "the record's key"
                                       : launch->plan.series_field);
    (void)printf("  rejects %s\n", ps_explain_rejects(config));
}

static void print_calls(const ps_plan *plan) {
    char text[PS_EXPLAIN_TEXT_MAX];
    heading("kernel calls, in order");
    if (plan->call_count == 0) (void)printf("  none: rows pass through\n");
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        (void)printf("  %2u %-8s %-16s per %s: ", i, ps_kernels[call->kernel].name,
                     ps_dispatch_chosen(call->kernel),
                     call->extent == PS_PER_ROW ? "row" : "segment");
        for (uint32_t o = 0; o < call->operand_count; o++)
            (void)printf("%s%s", o == 0 ? "" : ", ",
                         ps_explain_operand(plan, &call->operand[o], text));
        (void)printf("\n");
    }
}

static void print_columns(const ps_plan *plan) {
    static const char *const extents[] = {"row", "segment", "batch"};
    const ps_schema *schema = &plan->schema;
    char size[PS_TEXT_NUMBER_MAX];
    heading("columns of a batch");
    for (uint32_t i = 0; i < schema->column_count; i++) {
        const ps_column *column = &schema->column[i];
        (void)printf("  %-20s %-9s per %-8s at %u\n", column->name, ps_explain_type(column->type),
                     extents[column->extent], column->values);
    }
    (void)printf("  %-20s %s for keys, values and headers, at %u\n", "(arena)",
                 ps_text_about_size(schema->arena_bytes, size), schema->arena);
}

static void print_outputs(const ps_plan *plan) {
    heading("appended to every event");
    (void)printf("  ps-source (topic/partition/offset)");
    for (uint32_t i = 0; i < plan->output_count; i++)
        (void)printf(", %s%s", plan->output[i].bare ? "" : "ps-", plan->output[i].name);
    (void)printf("\n");
}

static void print_memory(const ps_launch *launch, const ps_ceiling *ceiling) {
    char size[PS_TEXT_NUMBER_MAX];
    heading("memory ceiling");
    for (uint32_t i = 0; i < ceiling->count; i++) {
        const ps_memory_term *term = &ceiling->term[i];
        (void)printf("  %12s  %s", ps_text_about_size((double)(term->times * term->bytes), size),
                     term->what);
        if (term->times > 1)
            (void)printf(" (%u x %s)", term->times, ps_text_about_size((double)term->bytes, size));
        (void)printf("\n");
    }
    (void)printf("  %12s  in all", ps_text_about_size((double)ceiling->total, size));
    if (ceiling->beside > 0)
        (void)printf("; without the device, %s",
                     ps_text_about_size((double)(ceiling->total - ceiling->beside), size));
    const int64_t max = launch->pipeline.memory_max;
    (void)printf("%s of runtime.memory_max %s: %s\n", ceiling->beside > 0 ? "" : ",",
                 ps_text_about_size((double)max, size),
                 ps_ceiling_fits(ceiling, max) ? "fits" : "does not fit, `run` refuses to start");
    char sized[PS_SIZED_TEXT_MAX];
    if (ps_config_sized(&launch->config, sized)) (void)printf("  %s\n", sized);
}

static void print_text(const ps_launch *launch, const ps_ceiling *ceiling) {
    const char *why = "";
    const char *delivery = ps_config_delivery(&launch->config, &why);
    (void)printf("pipeline %s: %u lane%s\n", launch->pipeline.name, ceiling->lanes,
                 ceiling->lanes == 1 ? "" : "s");
    (void)printf("delivery %s: %s\n", delivery, why);
    (void)printf("back-end %s: %s; instruction set %s\n", launch->pipeline.backend->name,
                 ps_explain_backend_why(launch), ps_dispatch_isa());
    (void)printf("client   %s: %s\n", launch->client.name, launch->client.why);
    print_parts(launch);
    print_calls(&launch->plan);
    print_columns(&launch->plan);
    print_outputs(&launch->plan);
    if (launch->plan.state_count > 0) {
        char size[PS_TEXT_NUMBER_MAX];
        heading("state");
        (void)printf("  policy %s\n",
                     launch->plan.replays
                         ? "replay: a commit writes a slice of the table, a restart reads the "
                           "records since then again"
                         : "delta: each commit writes the state of the series it touched");
        if (ceiling->restore_bytes > 0)
            (void)printf("  a restore reads at most %s, whatever the input was\n",
                         ps_text_about_size((double)ceiling->restore_bytes, size));
        if (launch->plan.replays)
            (void)printf("  and at most %" PRIu64 " of the source's records again, "
                         "however short it lived before\n",
                         ceiling->replay_rows);
    }
    print_memory(launch, ceiling);
}

static int explain_launched(ps_launch *launch, bool json) {
    ps_ceiling ceiling;
    ps_error error;
    (void)!ps_pipeline_ceiling(&launch->pipeline, &ceiling, &error);
    if (json)
        ps_explain_json(launch, &ceiling);
    else
        print_text(launch, &ceiling);
    if (ps_config_check_memory(&launch->config)) return PS_EXIT_OK;
    ps_faults_print(&launch->config.faults);
    return PS_EXIT_USAGE;
}

static int explain(int argc, char **argv) {
    explain_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_explain, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) {
        ps_launch launch;
        code = ps_launch_init(&launch, "explain", args.operand[0], NULL, &chosen.set);
        if (code == PS_EXIT_GO_ON) code = explain_launched(&launch, chosen.json);
        ps_launch_deinit(&launch);
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_explain = {
    .name = "explain",
    .operands = "FILE",
    .summary = "Shows the plan: columns, kernel calls, back-end, delivery, the memory ceiling.",
    .details = "Asks nobody: no broker is needed. Exit code 2 where the memory ceiling is above\n"
               "runtime.memory_max: `run` would refuse.",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = explain,
};
