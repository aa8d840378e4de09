/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/launch.h"
#include "ingest/kafka_reset.h"

enum { WAIT_S = 45 }; /* sessions are 10 s unless the user says more */

typedef struct reset_options {
    ps_string_list set, to;
    bool state;
} reset_options;

static const ps_option options[] = {
    {.name = "to",
     .help = "earliest, latest, or [TOPIC/]PARTITION=OFFSET,… (partitions not named stay).",
     .type = PS_OPTION_LIST,
     .at = offsetof(reset_options, to)},
    {.name = "state",
     .help = "Forget what the detectors have learned, too.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(reset_options, state)},
    {.name = "set",
     .help = "Override one value of the file, as in run.",
     .type = PS_OPTION_LIST,
     .at = offsetof(reset_options, set)},
    {.name = NULL}};

/* "[TOPIC/]PARTITION=OFFSET"; topics may hold neither `/` nor `=`. */
static bool parse_offset(ps_pool *pool, const char *text, ps_reset_offset *out) {
    const char *equals = strchr(text, '=');
    const char *slash = strchr(text, '/');
    if (equals == NULL || (slash != NULL && slash > equals)) return false;
    const char *digits = slash == NULL ? text : slash + 1;
    int64_t partition = 0;
    out->topic = slash == NULL ? NULL : ps_pool_text(pool, text, (size_t)(slash - text));
    const bool good =
        ps_text_integer(ps_pool_text(pool, digits, (size_t)(equals - digits)), &partition) &&
        ps_text_integer(equals + 1, &out->offset);
    out->partition = (int32_t)partition;
    return good && partition >= 0 && partition <= INT32_MAX && out->offset >= 0;
}

static int wrong_target(const char *text) {
    ps_log(PS_LOG_ERROR, "reset", "--to: '%s' is not earliest, latest or [TOPIC/]PARTITION=OFFSET",
           text);
    return PS_EXIT_USAGE;
}

static int parse_offsets(ps_pool *pool, const ps_string_list *to, ps_reset_request *request) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < to->count; i++)
        for (const char *at = to->at[i]; at != NULL; at = strchr(at + 1, ',')) most++;
    ps_reset_offset *offsets = ps_pool_take(pool, most * sizeof *offsets);
    for (uint32_t i = 0; i < to->count; i++) {
        char *rest = ps_pool_text(pool, to->at[i], strlen(to->at[i]));
        for (char *word; (word = strsep(&rest, ",")) != NULL; request->offset_count++)
            if (!parse_offset(pool, word, &offsets[request->offset_count]))
                return wrong_target(word);
    }
    request->to = PS_RESET_OFFSETS;
    request->offsets = offsets;
    return PS_EXIT_GO_ON;
}

static int parse_target(ps_pool *pool, const reset_options *chosen, ps_reset_request *request) {
    const ps_string_list *to = &chosen->to;
    request->forget_state = chosen->state;
    if (to->count == 0) {
        if (chosen->state) return PS_EXIT_GO_ON; /* PS_RESET_STAY */
        ps_log(PS_LOG_ERROR, "reset", "say where to: --to earliest, latest or offsets; or --state");
        return PS_EXIT_USAGE;
    }
    if (strcmp(to->at[0], "earliest") == 0)
        request->to = PS_RESET_EARLIEST;
    else if (strcmp(to->at[0], "latest") == 0)
        request->to = PS_RESET_LATEST;
    else
        return parse_offsets(pool, to, request);
    return to->count == 1 ? PS_EXIT_GO_ON : wrong_target(to->at[1]);
}

static void told(void *context, const char *topic, int32_t partition, int64_t from, int64_t to) {
    uint32_t *count = context;
    *count += from != to;
    char before[32] = "none";
    if (from != PS_OFFSET_NONE) (void)snprintf(before, sizeof before, "%" PRId64, from);
    (void)printf("%s/%" PRId32 ": %s -> %" PRId64 "\n", topic, partition, before, to);
}

/* A worker that has just stopped is a member until its session ends: that long it is worth waiting.
 */
static ps_status reset_patiently(const ps_reset_request *request, uint32_t *count,
                                 ps_error *error) {
    const int64_t until_ns = ps_clock_ns() + WAIT_S * PS_NS_PER_S;
    const struct timespec pause = {.tv_nsec = 500 * PS_NS_PER_MS};
    bool said = false;
    for (;;) {
        const ps_status status = ps_kafka_reset(request, told, count, error);
        if (status != PS_AGAIN || ps_clock_ns() >= until_ns) return status;
        if (!said)
            ps_log(PS_LOG_INFO, "reset", "%s; waiting %d s for that", error->message, WAIT_S);
        said = true;
        (void)nanosleep(&pause, NULL);
    }
}

static int reset_launched(const ps_launch *launch, ps_reset_request *request) {
    const ps_config *config = &launch->config;
    if (strcmp(config->source.about->name, "kafka") != 0) {
        ps_log(PS_LOG_ERROR, "reset",
               "source %s has no group to move: to start again, delete the sink's folder, or give "
               "the job another `pipeline` name",
               config->source.about->name);
        return PS_EXIT_USAGE;
    }
    const ps_sink *sink = ps_config_sink(config);
    if (sink->keeps_positions) {
        ps_log(
            PS_LOG_ERROR, "reset",
            "sink %s keeps the positions itself, inside its `path`, and the group's would not be "
            "asked: delete that folder to start again",
            config->sink.about->name);
        return PS_EXIT_USAGE;
    }
    request->pipeline = launch->pipeline.name;
    request->source_config = config->source.config;
    request->sink_config =
        strcmp(config->sink.about->name, "kafka") == 0 ? config->sink.config : NULL;
    request->plan = &launch->plan;
    if (request->sink_config != NULL && launch->plan.replays && request->to != PS_RESET_STAY &&
        !request->forget_state) {
        ps_log(PS_LOG_ERROR, "reset",
               "policy replay (runtime.state) rebuilds this pipeline's state from the records "
               "before the place where it stands, which must not move under it: add --state to "
               "forget what the detectors have learned and begin anew there");
        return PS_EXIT_USAGE;
    }
    ps_error error;
    uint32_t count = 0;
    const ps_status status = reset_patiently(request, &count, &error);
    if (status != PS_OK) return ps_launch_failed("reset", status, &error);
    ps_log(PS_LOG_INFO, "reset", "%u partition%s moved%s", count, count == 1 ? "" : "s",
           request->forget_state ? ", detector state forgotten" : "");
    return PS_EXIT_OK;
}

static int reset(int argc, char **argv) {
    reset_options chosen = {0};
    ps_args args;
    ps_reset_request request = {.to = PS_RESET_STAY};
    int code = ps_args_init(&args, &ps_command_reset, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = parse_target(args.pool, &chosen, &request);
    if (code == PS_EXIT_GO_ON) {
        ps_launch launch;
        code = ps_launch_init(&launch, "reset", args.operand[0], NULL, &chosen.set);
        if (code == PS_EXIT_GO_ON) code = reset_launched(&launch, &request);
        ps_launch_deinit(&launch);
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_reset = {
    .name = "reset",
    .operands = "FILE",
    .summary = "Moves a pipeline's consumer group and its state together.",
    .details =
        "Stop every worker of the pipeline first. What the detectors have learned is kept and\n"
        "goes on at the new place, unless --state forgets it. Where `penstock explain` says "
        "policy\n"
        "replay, --to needs --state.",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = reset,
};
