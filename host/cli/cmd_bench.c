/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bench/pipeline.h"
#include "host/base/log.h"
#include "host/cli/commands.h"
#include "host/cli/launch.h"
#include "simd/dispatch.h"

typedef struct bench_options {
    const char *json, *brokers;
    int64_t rows, rounds;
} bench_options;

static const ps_option options[] = {
    {.name = "json",
     .help = "File for the results.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, json)},
    {.name = "brokers",
     .help = "Kafka to measure against; without it only what needs none.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, brokers)},
    {.name = "rows",
     .preset = "2000000",
     .help = "Rows of a run on Kafka.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(bench_options, rows),
     .min = 1000,
     .max = 1e9},
    {.name = "rounds",
     .preset = "3",
     .help = "How often each case runs; medians are shown.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(bench_options, rounds),
     .min = 1,
     .max = 100},
    {.name = NULL}
};

static int bench_pipeline(const bench_options *chosen, const ps_args *args) {
    const ps_bench_config config = {.names = args->operand + 1,
                                    .name_count = args->count - 1,
                                    .json = chosen->json,
                                    .brokers = chosen->brokers,
                                    .rows = (uint64_t)chosen->rows,
                                    .rounds = (uint32_t)chosen->rounds};
    ps_error error;
    ps_status status = ps_dispatch_init(&error);
    if (status == PS_OK) status = ps_bench_pipeline(&config, &error);
    return status == PS_OK ? PS_EXIT_OK : ps_launch_failed("bench", status, &error);
}

static int bench(int argc, char **argv) {
    bench_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_bench, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON && strcmp(args.operand[0], "pipeline") == 0) {
        code = bench_pipeline(&chosen, &args);
    } else if (code == PS_EXIT_GO_ON) {
        ps_log(PS_LOG_ERROR, "bench", "there is no bench '%s'; there is: pipeline",
               args.operand[0]);
        code = PS_EXIT_USAGE;
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_bench = {
    .name = "bench",
    .operands = "pipeline [NAME…]",
    .summary = "Measures whole pipelines beside the leanest loop that does the same.",
    .options = options,
    .operands_min = 1,
    .operands_max = 64,
    .run = bench,
};
