/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bench/chaos.h"
#include "bench/compare.h"
#include "bench/detect.h"
#include "bench/kernels.h"
#include "bench/pipeline.h"
#include "host/base/log.h"
#include "host/cli/commands.h"

typedef struct bench_options {
    const char *json, *brokers, *nab, *scores;
    int64_t rows, rounds, seed, rate;
    double minutes, band, p;
    uint32_t state;
} bench_options;

static const char *const states[] = {"auto", "delta", "replay"};

static const ps_option options[] = {
    {.name = "json",
     .help = "File for the results: machine and rows, one row an implementation and case.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, json)},
    {.name = "brokers",
     .help = "A Kafka cluster to measure on; without it only what needs none is measured.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, brokers)},
    {.name = "nab",
     .help = "Of detect: the folder of the Numenta Anomaly Benchmark, with labels/ and data/; "
             "without it only speed is measured.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, nab)},
    {.name = "scores",
     .help = "Of detect, with --nab: a folder of another program's scores, category/file.csv of "
             "timestamp,value, whose value is the row's score; they alone are judged.",
     .type = PS_OPTION_STRING,
     .at = offsetof(bench_options, scores)},
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
    {.name = "minutes",
     .preset = "10",
     .help = "Of chaos: how long faults go on.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(bench_options, minutes),
     .min = 0.1,
     .max = 10000},
    {.name = "seed",
     .preset = "1",
     .help = "Of chaos: the same seed and minutes, the same schedule.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(bench_options, seed),
     .min = 0,
     .max = 1e15},
    {.name = "rate",
     .preset = "0",
     .help = "Of chaos: events a second; 0: 1000, or 300 where it goes on for more than an hour.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(bench_options, rate),
     .min = 0,
     .max = 1e6},
    {.name = "band",
     .preset = "5",
     .help = "Of compare: by how many per cent a row may move and be as fast as it was.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(bench_options, band),
     .max = 1000},
    {.name = "p",
     .preset = "0.001",
     .help = "Of compare: the largest probability, by Welch's test, that chance alone moved a row "
             "that counts as changed.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(bench_options, p),
     .max = 1},
    {.name = "state",
     .preset = "auto",
     .help = "Of chaos: how the workers keep state, runtime.state of the pipeline.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(bench_options, state),
     .choices = "auto|delta|replay"},
    {.name = NULL}};

/* Whether `names`, separated by blanks, holds the word. */
static bool has_word(const char *names, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = names; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == 0)) return true;
    }
    return false;
}

static int check_names(const ps_args *args, const char *names) {
    for (uint32_t i = 1; i < args->count; i++) {
        if (has_word(names, args->operand[i])) continue;
        if (names[0] == 0)
            ps_log(PS_LOG_ERROR, "bench", "'%s': %s has no cases to choose from", args->operand[i],
                   args->operand[0]);
        else
            ps_log(PS_LOG_ERROR, "bench", "no case '%s': one of %s", args->operand[i], names);
        return PS_EXIT_USAGE;
    }
    return PS_EXIT_GO_ON;
}

static ps_status bench_pipeline(const ps_args *args, const bench_options *chosen, ps_error *error) {
    const ps_bench_config config = {.names = args->operand + 1,
                                    .name_count = args->count - 1,
                                    .json = chosen->json,
                                    .brokers = chosen->brokers,
                                    .rows = (uint64_t)chosen->rows,
                                    .rounds = (uint32_t)chosen->rounds};
    return ps_bench_pipeline(&config, error);
}

static ps_status bench_kernels(const ps_args *args, const bench_options *chosen, ps_error *error) {
    const ps_kernels_config config = {
        .names = args->operand + 1, .name_count = args->count - 1, .json = chosen->json};
    return ps_bench_kernels(&config, error);
}

static ps_status bench_detect(const ps_args *args, const bench_options *chosen, ps_error *error) {
    const ps_bench_detect_config config = {.names = args->operand + 1,
                                           .name_count = args->count - 1,
                                           .nab = chosen->nab,
                                           .scores = chosen->scores,
                                           .json = chosen->json};
    return ps_bench_detect(&config, error);
}

static ps_status bench_chaos(const ps_args *args, const bench_options *chosen, ps_error *error) {
    (void)args;
    const ps_chaos_config config = {.minutes = chosen->minutes,
                                    .seed = chosen->seed,
                                    .rate = chosen->rate,
                                    .state = states[chosen->state],
                                    .json = chosen->json};
    return ps_bench_chaos(&config, error);
}

static const char *no_names(void) {
    return "";
}

static const struct {
    const char *name;
    const char *(*names)(void); /* what it can be asked for */
    ps_status (*run)(const ps_args *args, const bench_options *chosen, ps_error *error);
} benches[] = {
    {"kernels", ps_bench_kernels_names, bench_kernels},
    {"pipeline", ps_bench_pipeline_names, bench_pipeline},
    {"detect", ps_bench_detect_names, bench_detect},
    {"chaos", no_names, bench_chaos},
};
enum { BENCHES = sizeof benches / sizeof *benches };

/* Its operands are files, and a row that is slower is no error of its own. */
static int bench_compare(const ps_args *args, const bench_options *chosen) {
    ps_error error = {0};
    uint32_t slower = 0;
    if (args->count != 3) {
        ps_log(PS_LOG_ERROR, "bench", "compare wants two results: OLD.json NEW.json");
        return PS_EXIT_USAGE;
    }
    const ps_compare_config config = {.before = args->operand[1],
                                      .after = args->operand[2],
                                      .band = chosen->band,
                                      .p = chosen->p};
    const ps_status status = ps_bench_compare(&config, &slower, &error);
    if (status != PS_OK) ps_log(PS_LOG_ERROR, "bench", "%s", error.message);
    return status == PS_OK && slower == 0 ? PS_EXIT_OK : PS_EXIT_FAILED;
}

static int run_one(const ps_args *args, const bench_options *chosen) {
    ps_error error = {0};
    size_t at = 0;
    if (strcmp(args->operand[0], "compare") == 0) return bench_compare(args, chosen);
    while (at < BENCHES && strcmp(args->operand[0], benches[at].name) != 0) at++;
    if (at == BENCHES) {
        ps_log(PS_LOG_ERROR, "bench",
               "no bench '%s': try `penstock bench kernels`, `penstock bench pipeline`, "
               "`penstock bench detect`, `penstock bench chaos` or `penstock bench compare`",
               args->operand[0]);
        return PS_EXIT_USAGE;
    }
    const int code = check_names(args, benches[at].names());
    if (code != PS_EXIT_GO_ON) return code;
    const ps_status status = benches[at].run(args, chosen, &error);
    if (status != PS_OK) ps_log(PS_LOG_ERROR, "bench", "%s", error.message);
    return status == PS_OK ? PS_EXIT_OK : PS_EXIT_FAILED;
}

static int bench(int argc, char **argv) {
    bench_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_bench, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = run_one(&args, &chosen);
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_bench = {
    .name = "bench",
    .operands = "kernels|pipeline|detect|chaos|compare [NAME…]",
    .summary = "Measures kernels beside the best libraries, pipelines beside a bare loop, or "
               "detectors; breaks everything; or compares two results.",
    .details =
        "kernels: NAME is a kernel; a record of 64 to 4096 bytes, a mix of these, or keys of 8 to\n"
        "36 bytes, in one thread, every implementation this machine can run beside the libraries\n"
        "that are installed.\n"
        "pipeline: NAME is a case: synthetic (events per second and core without Kafka), auto\n"
        "(`backend: auto` beside the processor by name) and, with\n"
        "--brokers, headers, json, at_least_once, intervals (how much the commit interval costs),\n"
        "and start; by name only: latency (20,000 events/s, counted from when each should have\n"
        "left), slow (10,000 events/s, and none), compressed (zstd and lz4 beside plain), seal\n"
        "(what a log of every record adds to its hash, and checking it) and plane (reading and\n"
        "writing, without stages). Each with both Kafka clients. CPU is user and "
        "system time of all threads of the process, less that of a run with nothing to do.\n"
        "detect: NAME is a detector, or vote; what it scores on planted anomalies and, with --nab\n"
        "DIR, on the Numenta Anomaly Benchmark, at the best threshold and at thresholds of other\n"
        "files; and points per second and core over 1,000,000 and over 10,000 series.\n"
        "chaos: from a build folder, three brokers, a network that loses, holds and repeats, and\n"
        "workers that are killed and frozen, for so many minutes; then a checker says what was "
        "lost,\n"
        "doubled or reordered. Exit code 1 if anything was, or if too few faults hit. Nightly:\n"
        "--minutes 240, which takes 14 GB of disk beside the program while it runs.\n"
        "compare: OLD.json NEW.json, results of kernels or pipeline: which rows are slower or\n"
        "faster by more than --band per cent, where Welch's test over the rounds of both gives\n"
        "chance no more than --p. Exit code 1 if any is slower.",
    .options = options,
    .operands_min = 1,
    .operands_max = 16,
    .run = bench,
};
