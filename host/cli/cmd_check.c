/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "host/base/log.h"
#include "host/cli/commands.h"
#include "host/cli/config.h"

typedef struct check_options {
    ps_string_list set;
} check_options;

static const ps_option options[] = {
    {.name = "set",
     .help = "Override one value: runtime.lanes=2, stages.0.hash.algorithm=xxh3.",
     .type = PS_OPTION_LIST,
     .at = offsetof(check_options, set)},
    {.name = NULL}};

static int check(int argc, char **argv) {
    check_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_check, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) {
        ps_config config;
        bool good = ps_config_init(&config, args.operand[0], NULL, &chosen.set);
        good = ps_config_check_memory(&config) && good;
        good = good && ps_config_check_warm(&config);
        ps_faults_print(&config.faults);
        if (good)
            (void)printf("%s: pipeline '%s' is fine\n", config.faults.file, config.top.pipeline);
        else
            ps_log(PS_LOG_ERROR, "check", "%u fault%s in %s", config.faults.count,
                   config.faults.count == 1 ? "" : "s", config.faults.file);
        ps_config_deinit(&config);
        code = good ? PS_EXIT_OK : PS_EXIT_USAGE;
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_check = {
    .name = "check",
    .operands = "FILE",
    .summary = "Validates a pipeline file without touching the network: every fault at once.",
    .details = "Each fault is one line, FILE:LINE:COL: message. FILE may be - for standard input.\n"
               "Exit code 0: fine, 2: there is a fault.",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = check,
};
