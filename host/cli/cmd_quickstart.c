/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/launch.h"
#include "host/cli/quickstart.h"
#include "host/cli/run.h"
#include "host/cli/term.h"
#include "ingest/kafka_mock.h"

typedef struct quickstart_options {
    int64_t rows, seed, seconds_ns;
    bool print;
} quickstart_options;

static const ps_option options[] = {
    {.name = "rows",
     .preset = "100000",
     .help = "Events to make.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(quickstart_options, rows),
     .min = 1000,
     .max = 10000000},
    {.name = "seed",
     .preset = "1",
     .help = "Other seeds plant other anomalies.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(quickstart_options, seed),
     .max = 9e15},
    {.name = "time",
     .preset = "5s",
     .help = "How long the events are spread over, so that there is something to watch.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(quickstart_options, seconds_ns),
     .max = 600e9},
    {.name = "print",
     .help = "Print the pipeline file to start your own from, and do nothing else.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(quickstart_options, print)},
    {.name = NULL}};

/* The embedded broker keeps the newest 5 MB of a partition: many partitions hold everything. */
enum { SERIES = 500, EVENT_BYTES = 256, PARTITIONS = 12 };
#define ANOMALIES 0.0005

static const char pipeline_file[] =
    "pipeline: quickstart\n"
    "source:\n"
    "  kafka: {brokers: \"%s\", topics: [telemetry]}\n"
    "decode:\n"
    "  json: {fields: {host: string, cpu: float, ts: timestamp}}\n"
    "  series: host                     # each host has its own idea of normal\n"
    "stages:\n"
    "  - hash: {algorithm: sha256, of: value}\n"
    "  - detect: {field: cpu, detectors: [ewma], time: ts, threshold: 6}\n"
    "sink:\n"
    "  kafka: {topic: telemetry.enriched, delivery: exactly_once, form: headers}\n"
    "dead_letter: {topic: telemetry.dead}\n"
    "runtime: {lanes: 1, series_max: 10000}\n";

static ps_status open_broker(ps_kafka_mock **mock, ps_error *error) {
    static const char *const topics[] = {"telemetry", "telemetry.enriched", "telemetry.dead",
                                         "quickstart.state"};
    PS_TRY(ps_kafka_mock_open(1, mock, error));
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        PS_TRY(ps_kafka_mock_topic(*mock, topics[i], PARTITIONS, error));
    return PS_OK;
}

static void print_verdict(const ps_quickstart_count *count) {
    char alarms[PS_TEXT_NUMBER_MAX], rows[PS_TEXT_NUMBER_MAX];
    (void)printf("%sfound %llu of %llu planted anomalies, %s false alarms in %s events%s\n",
                 ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), (unsigned long long)count->found,
                 (unsigned long long)count->planted,
                 ps_text_from_count(count->false_alarms, alarms),
                 ps_text_from_count(count->seen, rows), ps_term_off(STDOUT_FILENO));
}

static int run_on(const char *brokers, const quickstart_options *chosen) {
    char text[sizeof pipeline_file + 256];
    /* The embedded broker knows only messages that the other one no longer speaks. */
    static const char *const client[] = {"runtime.client=librdkafka"};
    static const ps_string_list sets = {client, 1};
    ps_launch launch;
    ps_error error;
    ps_quickstart *ends = NULL;
    ps_quickstart_count count = {0};
    ps_run_result result = {0};
    const ps_run_look look = {.where = "quickstart"};
    ps_quickstart_plan plan = {.brokers = brokers,
                               .from = "telemetry",
                               .to = "telemetry.enriched",
                               .rows = (uint64_t)chosen->rows,
                               .seconds = (double)chosen->seconds_ns / 1e9,
                               .finished = ps_run_stop};
    ps_telemetry_init(&plan.telemetry, (uint64_t)chosen->seed, SERIES, EVENT_BYTES, ANOMALIES);
    (void)snprintf(text, sizeof text, pipeline_file, brokers);
    int code = ps_launch_init(&launch, "quickstart", "quickstart", text, &sets);
    if (code == PS_EXIT_GO_ON) {
        ps_run_catch_signals("");
        ps_status status = ps_quickstart_open(&plan, &ends, &error);
        if (status == PS_OK) status = ps_run_pipeline(&launch.pipeline, &look, &result, &error);
        if (status == PS_OK) status = ps_quickstart_finish(ends, &count, &error);
        code = status == PS_OK ? PS_EXIT_OK : ps_launch_failed("quickstart", status, &error);
    }
    ps_quickstart_close(ends);
    ps_launch_deinit(&launch);
    if (code == PS_EXIT_OK) print_verdict(&count);
    return code;
}

static int start(const quickstart_options *chosen) {
    ps_kafka_mock *mock = NULL;
    ps_error error;
    int code = PS_EXIT_FAILED;
    char rows[PS_TEXT_NUMBER_MAX];
    if (chosen->print) {
        (void)printf(pipeline_file, "localhost:9092");
        return PS_EXIT_OK;
    }
    const ps_status status = open_broker(&mock, &error);
    if (status != PS_OK) {
        code = ps_launch_failed("quickstart", status, &error);
    } else {
        (void)printf("%s generated events of %d hosts -> Kafka -> json, sha256, ewma -> Kafka; "
                     "`penstock quickstart --print` shows the pipeline file\n",
                     ps_text_from_count((uint64_t)chosen->rows, rows), SERIES);
        (void)printf(
            "The embedded broker is honest about its limits: it fences nobody, keeps no "
            "offsets of transactions and filters no aborted records, so exactly once needs "
            "a real Kafka.\n\n");
        (void)fflush(stdout);
        ps_log_quiet();
        code = run_on(ps_kafka_mock_brokers(mock), chosen);
    }
    ps_kafka_mock_close(mock);
    return code;
}

static int quickstart(int argc, char **argv) {
    quickstart_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_quickstart, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = start(&chosen);
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_quickstart = {
    .name = "quickstart",
    .operands = "",
    .summary = "The main job on an embedded broker and generated telemetry, in seconds.",
    .details = "Plants anomalies, shows enriched events as they come, and counts what was found.",
    .options = options,
    .run = quickstart,
};
