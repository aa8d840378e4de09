/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/cli/commands.h"
#include "host/cli/http.h"
#include "host/cli/launch.h"
#include "host/cli/run.h"
#include "host/cli/term.h"
#include "simd/dispatch.h"

typedef enum run_summary { SUMMARY_NONE, SUMMARY_JSON } run_summary;

typedef struct run_options {
    ps_string_list set;
    bool until_end;
    uint32_t summary;
} run_options;

static const ps_option options[] = {
    {.name = "set",
     .help = "Override one value: runtime.lanes=2, stages.0.hash.algorithm=xxh3.",
     .type = PS_OPTION_LIST,
     .at = offsetof(run_options, set)},
    {.name = "until-end",
     .help = "End when the group's committed offsets have reached, in every partition, the ends "
             "seen at start.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(run_options, until_end)},
    {.name = "summary",
     .preset = "none",
     .help = "What the last line on stdout is.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(run_options, summary),
     .choices = "none|json"},
    {.name = NULL}};

static void print_summary(const ps_run_result *result, uint32_t summary) {
    char text[1024];
    ps_totals_sentence(&result->totals, result->seconds, text, sizeof text);
    ps_log(PS_LOG_INFO, "run", "%s", text);
    if (summary != SUMMARY_JSON) return;
    ps_totals_json(&result->totals, result->seconds, result->backend, ps_dispatch_isa(), text,
                   sizeof text);
    (void)printf("%s\n", text);
}

/* For the handler of signals: of a run that has not begun. */
static const char *empty_summary(const ps_launch *launch, uint32_t summary) {
    static char line[1026];
    char text[1024];
    const ps_totals nothing = {0};
    if (summary != SUMMARY_JSON) return "";
    ps_totals_json(&nothing, 0, launch->pipeline.backend->name, ps_dispatch_isa(), text,
                   sizeof text);
    (void)snprintf(line, sizeof line, "%s\n", text);
    return line;
}

static int run_launched(ps_launch *launch, const run_options *chosen) {
    ps_error error;
    ps_http *http = NULL;
    const ps_metrics_source source = {NULL, &launch->plan, launch->pipeline.name,
                                      launch->pipeline.backend->name, ps_dispatch_isa()};
    ps_status status = ps_kernels_self_test(&error);
    if (status != PS_OK) return ps_launch_failed("run", status, &error);
    launch->pipeline.until_end = chosen->until_end;
    ps_run_catch_signals(empty_summary(launch, chosen->summary));
    if (launch->config.metrics.listen != NULL) {
        status = ps_http_open(launch->config.metrics.listen, &source, &http, &error);
        if (status != PS_OK) return ps_launch_failed("run", status, &error);
    }
    const ps_run_look look = {.where = "run",
                              .live = ps_term_is(STDERR_FILENO),
                              .announce = true,
                              .http = http,
                              .placement = &launch->placement};
    if (launch->pipeline.source->foreign != NULL || launch->pipeline.sink->foreign != NULL)
        ps_log(PS_LOG_INFO, "run", "Kafka client %s: %s", launch->client.name, launch->client.why);
    char sized[PS_SIZED_TEXT_MAX];
    if (ps_config_sized(&launch->config, sized)) ps_log(PS_LOG_INFO, "run", "%s", sized);
    ps_run_result result = {0};
    status = ps_run_pipeline(&launch->pipeline, &look, &result, &error);
    ps_http_close(http);
    if (status != PS_OK && result.seconds == 0) return ps_launch_failed("run", status, &error);
    print_summary(&result, chosen->summary);
    if (status == PS_OK) return PS_EXIT_OK;
    if (!result.told) return ps_launch_failed("run", status, &error);
    return status == PS_BAD_CONFIG ? PS_EXIT_USAGE : PS_EXIT_FAILED;
}

static int run(int argc, char **argv) {
    run_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_run, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) {
        ps_launch launch;
        code = ps_launch_init(&launch, "run", args.operand[0], NULL, &chosen.set);
        if (code == PS_EXIT_GO_ON && !ps_config_check_memory(&launch.config)) {
            ps_faults_print(&launch.config.faults);
            code = PS_EXIT_USAGE;
        }
        if (code == PS_EXIT_GO_ON) code = run_launched(&launch, &chosen);
        ps_launch_deinit(&launch);
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_run = {
    .name = "run",
    .operands = "FILE",
    .summary = "Runs a pipeline.",
    .details = "Bounded sources end by themselves. SIGTERM and SIGINT drain, commit and exit 0, or "
               "1 where\n"
               "the sink has not confirmed all after 20 s; a second one exits at once. On a "
               "terminal a live\n"
               "line shows how it goes. Exit code 0: done, 1: the work failed, 2: the pipeline "
               "file or the\n"
               "command line is wrong.",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
