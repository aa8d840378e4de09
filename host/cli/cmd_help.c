/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/manual.h"
#include "host/cli/metrics_text.h"

typedef struct help_options {
    bool markdown, metrics;
} help_options;

static const ps_option options[] = {
    {.name = "markdown",
     .help = "Print the whole manual as Markdown: docs/configuration.md.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(help_options, markdown)},
    {.name = "metrics",
     .help = "Print docs/metrics.md.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(help_options, metrics)},
    {.name = NULL}};

static void offer(void *context, const char *name) {
    ps_nearest_offer(context, name);
}

static int help_about(const char *name) {
    bool found = false;
    const ps_command *command = NULL;
    for (uint32_t i = 0; (command = ps_command_at(i)) != NULL; i++) {
        if (strcmp(command->name, name) != 0) continue;
        ps_command_help(command);
        found = true;
    }
    if (ps_manual_print(name) || found) return PS_EXIT_OK;
    ps_nearest nearest = ps_nearest_to(name);
    ps_manual_names(offer, &nearest);
    for (uint32_t i = 0; (command = ps_command_at(i)) != NULL; i++)
        ps_nearest_offer(&nearest, command->name);
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_log(PS_LOG_ERROR, "help", "nothing is called '%s'; did you mean '%s'?", name, meant);
    else
        ps_log(PS_LOG_ERROR, "help",
               "nothing is called '%s'; try source, decode, stage, sink, runtime, a detector, an "
               "option or a command",
               name);
    return PS_EXIT_USAGE;
}

static int help(int argc, char **argv) {
    help_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_help_, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) {
        code = PS_EXIT_OK;
        if (chosen.markdown)
            ps_manual_markdown();
        else if (chosen.metrics)
            ps_metrics_markdown();
        else if (args.count == 0)
            ps_overview_print();
        else
            code = help_about(args.operand[0]);
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_help_ = {
    .name = "help",
    .operands = "[PART]",
    .summary = "Documents a command, source, decoder, stage, detector, sink, section or option.",
    .options = options,
    .operands_max = 1,
    .run = help,
};
