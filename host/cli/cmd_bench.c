/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bench/pipeline.h"
#include "host/base/log.h"
#include "host/cli/commands.h"

typedef struct bench_options {
    const char *json, *brokers;
    int64_t rows, rounds;
} bench_options;

static const ps_option options[] = {
    {.name = "json",
     .help = "File for the results: machine and rows, one row an implementation and case.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, json)},
    {.name = "brokers",
     .help = "A Kafka cluster to measure on; without it only what needs none is measured.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, brokers)},
    {.name = "rows",
     .preset = "1000000",
     .help = "Events of a run on Kafka.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(bench_options, rows),
     .min = 1000,
     .max = 1e9},
    {.name = "rounds",
     .preset = "3",
     .help =
         "How often each is run, one after the other in turn; medians are shown. Fewer on a slow "
         "machine, so that all of it ends within 180 s.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(bench_options, rounds),
     .min = 1,
     .max = 30},
    {.name = NULL}};

static int check_names(const ps_args *args) {
    for (uint32_t i = 1; i < args->count; i++) {
        const size_t length = strlen(args->operand[i]);
        const char *at = ps_bench_pipeline_names();
        while (at && !(strncmp(at, args->operand[i], length) == 0 &&
                       (at[length] == ' ' || at[length] == 0))) {
            at = strchr(at, ' ');
            if (at) at++;
        }
        if (at) continue;
        ps_log(PS_LOG_ERROR, "bench", "no case '%s': one of %s", args->operand[i],
               ps_bench_pipeline_names());
        return PS_EXIT_USAGE;
    }
    return PS_EXIT_GO_ON;
}

static int bench(int argc, char **argv) {
    bench_options chosen = {0};
    ps_args args;
    ps_error error = {0};
    int code = ps_args_init(&args, &ps_command_bench, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON && strcmp(args.operand[0], "pipeline") != 0) {
        ps_log(PS_LOG_ERROR, "bench", "no bench '%s': try `penstock bench pipeline`",
               args.operand[0]);
        code = PS_EXIT_USAGE;
    }
    if (code == PS_EXIT_GO_ON) code = check_names(&args);
    if (code == PS_EXIT_GO_ON) {
        const ps_bench_config config = {.names = args.operand + 1,
                                        .name_count = args.count - 1,
                                        .json = chosen.json,
                                        .brokers = chosen.brokers,
                                        .rows = (uint64_t)chosen.rows,
                                        .rounds = (uint32_t)chosen.rounds};
        const ps_status status = ps_bench_pipeline(&config, &error);
        if (status != PS_OK) ps_log(PS_LOG_ERROR, "bench", "%s", error.message);
        code = status == PS_OK ? PS_EXIT_OK : PS_EXIT_FAILED;
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_bench = {
    .name = "bench",
    .operands = "pipeline [NAME…]",
    .summary = "Measures whole pipelines, beside a bare librdkafka loop that does the same.",
    .details = "NAME is a case: synthetic (events per second and core without Kafka) and, with "
               "--brokers, headers, json,\n"
               "at_least_once, plain (bare loop only), latency (20,000 events/s, counted from when "
               "each should have\n"
               "left) and start. CPU is user and system time of all threads of the process, less "
               "that of a run with\n"
               "nothing to do.",
    .options = options,
    .operands_min = 1,
    .operands_max = 16,
    .run = bench,
};
