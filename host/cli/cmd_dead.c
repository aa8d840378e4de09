/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/config.h"
#include "host/cli/launch.h"
#include "host/cli/letters.h"
#include "ingest/kafka_dead.h"

typedef struct dead_options {
    ps_letter_wish wish;
    ps_string_list set;
    const char *to;
    int64_t limit;
    bool dry_run, json;
} dead_options;

static const ps_option options[] = {
    {.name = "code",
     .help = "Only letters with this error code; several with commas.",
     .type = PS_OPTION_LIST,
     .at = offsetof(dead_options, wish.codes)},
    {.name = "partition",
     .help = "Only records of this source partition: [TOPIC/]PARTITION.",
     .type = PS_OPTION_LIST,
     .at = offsetof(dead_options, wish.partitions)},
    {.name = "from",
     .help = "Only records of this time or later: 2026-01-31T12:00:00Z, milliseconds since 1970, "
             "or how long ago as 2h.",
     .type = PS_OPTION_STRING,
     .at = offsetof(dead_options, wish.from)},
    {.name = "until",
     .help = "Only records before this time, written as in --from.",
     .type = PS_OPTION_STRING,
     .at = offsetof(dead_options, wish.until)},
    {.name = "limit",
     .preset = "0",
     .help = "At most so many letters; 0: all.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(dead_options, limit),
     .min = 0,
     .max = 1e15},
    {.name = "to",
     .help = "replay: this topic instead of the one each record came from.",
     .type = PS_OPTION_STRING,
     .at = offsetof(dead_options, to)},
    {.name = "dry-run",
     .help = "replay: show what it would do, and write nothing.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(dead_options, dry_run)},
    {.name = "json",
     .help = "One JSON object a line; show: as a dead-letter file has them.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(dead_options, json)},
    {.name = "set",
     .help = "Override one value of the file, as in run.",
     .type = PS_OPTION_LIST,
     .at = offsetof(dead_options, set)},
    {.name = NULL}};

typedef enum verb { LS, SHOW, REPLAY, VERBS } verb;
static const char *const verbs[VERBS] = {"ls", "show", "replay"};

/* One run of the command. */
typedef struct job {
    const dead_options *chosen;
    const ps_config *config;
    verb verb;
    ps_letter_filter filter;
    ps_dead_pipeline pipeline;
    ps_letter_table *table; /* NULL: no table is asked for */
    ps_replay *replay;
    ps_letter_tally tally;
    uint64_t known, strangers;
} job;

static bool is_kafka(const ps_chosen *part) {
    return strcmp(part->about->name, "kafka") == 0;
}

static void print_letter(const job *j, const ps_letter *letter) {
    if (j->table != NULL)
        ps_letter_table_add(j->table, letter);
    else if (j->chosen->json)
        ps_letter_json(letter, j->verb == SHOW);
    else if (j->verb == SHOW)
        ps_letter_show(letter);
}

static ps_status take(void *context, const ps_letter *letter, ps_error *error) {
    job *j = context;
    const bool passes = ps_letter_passes(&j->filter, letter);
    if (j->replay != NULL) {
        bool known = false;
        PS_TRY(ps_replay_put(j->replay, passes ? letter : NULL, &known, error));
        j->known += known;
        if (known) return PS_OK;
    }
    if (!passes) return PS_OK;
    ps_letter_tally_add(&j->tally, letter);
    if (j->verb != REPLAY || j->chosen->dry_run) print_letter(j, letter);
    return j->tally.total == (uint64_t)j->chosen->limit ? PS_END : PS_OK;
}

static ps_status read_all(job *j, ps_error *error) {
    const ps_dead_config *dead = &j->config->dead;
    if (dead->file != NULL) return ps_letter_read_file(dead->file, take, j, &j->strangers, error);
    return ps_kafka_dead_read(&j->pipeline, dead->topic, take, j, &j->strangers, error);
}

static ps_status replay(job *j, ps_error *error) {
    if (j->pipeline.source_config == NULL && j->pipeline.sink_config == NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "this pipeline has no Kafka to replay to; `penstock dead show --json` hands "
                       "the records out");
    if (j->pipeline.source_config == NULL && j->chosen->to == NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "source %s takes no records back: say which topic with --to",
                       j->config->source.about->name);
    PS_TRY(ps_replay_open(&j->pipeline, j->chosen->to, j->chosen->dry_run, &j->replay, error));
    PS_TRY(read_all(j, error));
    return ps_replay_finish(j->replay, error);
}

static void tell_replay(const job *j) {
    const dead_options *chosen = j->chosen;
    if (chosen->json && !chosen->dry_run)
        (void)printf("{\"replayed\":%" PRIu64 ",\"known\":%" PRIu64 "}\n", j->tally.total,
                     j->known);
    char text[400], count[PS_TEXT_NUMBER_MAX];
    ps_letter_tally_text(&j->tally, text, sizeof text);
    ps_log(PS_LOG_INFO, "dead", "%s %s %.200s; %s had been replayed before", text,
           chosen->dry_run ? "would go to" : "replayed to",
           chosen->to == NULL ? "where they came from" : chosen->to,
           ps_text_from_count(j->known, count));
}

static void tell(const job *j) {
    char text[400], count[PS_TEXT_NUMBER_MAX];
    if (j->table != NULL) ps_letter_table_flush(j->table);
    if (j->verb == REPLAY) {
        tell_replay(j);
    } else {
        ps_letter_tally_text(&j->tally, text, sizeof text);
        ps_log(PS_LOG_INFO, "dead", "%s", text);
    }
    if (j->strangers > 0)
        ps_log(PS_LOG_WARNING, "dead", "%s record%s no penstock wrote as dead letters: left alone",
               ps_text_from_count(j->strangers, count), j->strangers == 1 ? "" : "s");
}

/* Who names letters wants these. */
static int found(const job *j) {
    if (j->chosen->wish.sources.count == 0 || j->tally.total + j->known > 0) return PS_EXIT_OK;
    ps_log(PS_LOG_ERROR, "dead", "no such letter: `penstock dead ls` prints what there is");
    return PS_EXIT_FAILED;
}

static int run(job *j) {
    const ps_config *config = j->config;
    ps_error error = {{0}};
    if (!config->has_dead) {
        ps_log(PS_LOG_ERROR, "dead", "the pipeline has no dead_letter: there is nothing to read");
        return PS_EXIT_USAGE;
    }
    j->pipeline = (ps_dead_pipeline){
        .name = config->top.pipeline,
        .source_config = is_kafka(&config->source) ? config->source.config : NULL,
        .sink_config = is_kafka(&config->sink) ? config->sink.config : NULL};
    if (!j->chosen->json && (j->verb == LS || j->chosen->dry_run))
        j->table = ps_letter_table_open();
    const ps_status status = j->verb == REPLAY ? replay(j, &error) : read_all(j, &error);
    int code = PS_EXIT_OK;
    if (status == PS_OK) {
        tell(j);
        code = found(j);
    } else {
        code = ps_launch_failed("dead", status, &error);
    }
    ps_replay_close(j->replay);
    ps_letter_table_close(j->table);
    return code;
}

static int choose_verb(const char *word, verb *out) {
    ps_nearest nearest = ps_nearest_to(word);
    for (uint32_t v = 0; v < VERBS; v++) {
        *out = (verb)v;
        if (strcmp(word, verbs[v]) == 0) return PS_EXIT_GO_ON;
        ps_nearest_offer(&nearest, verbs[v]);
    }
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_log(PS_LOG_ERROR, "dead", "cannot '%s'; did you mean '%s'?", word, meant);
    else
        ps_log(PS_LOG_ERROR, "dead", "cannot '%s': ls, show or replay", word);
    return PS_EXIT_USAGE;
}

static int choose(job *j, const ps_args *args, dead_options *chosen) {
    ps_error error;
    const int code = choose_verb(args->operand[0], &j->verb);
    if (code != PS_EXIT_GO_ON) return code;
    if (j->verb != REPLAY && (chosen->to != NULL || chosen->dry_run)) {
        ps_log(PS_LOG_ERROR, "dead", "only replay takes --%s", chosen->dry_run ? "dry-run" : "to");
        return PS_EXIT_USAGE;
    }
    chosen->wish.sources = (ps_string_list){args->operand + 2, args->count - 2};
    const ps_status status = ps_letter_filter_init(&j->filter, &chosen->wish, args->pool, &error);
    return status == PS_OK ? PS_EXIT_GO_ON : ps_launch_failed("dead", status, &error);
}

static int dead(int argc, char **argv) {
    dead_options chosen = {0};
    ps_args args;
    job j = {.chosen = &chosen};
    int code = ps_args_init(&args, &ps_command_dead, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = choose(&j, &args, &chosen);
    if (code == PS_EXIT_GO_ON) {
        ps_config config;
        j.config = &config;
        if (ps_config_init(&config, args.operand[1], NULL, &chosen.set)) {
            code = run(&j);
        } else {
            ps_faults_print(&config.faults);
            code = PS_EXIT_USAGE;
        }
        ps_config_deinit(&config);
    }
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_dead = {
    .name = "dead",
    .operands = "ls|show|replay FILE [TOPIC/PARTITION/OFFSET]…",
    .summary = "Lists a pipeline's dead letters, shows them in full, puts their records back.",
    .details =
        "FILE is the pipeline's: its dead_letter says where they lie, its Kafka parts how to get "
        "there.\n"
        "replay writes each record as it came (key, value, timestamp, headers, partition) into\n"
        "the topic that it came from, in transactions that also note in the topic\n"
        "PIPELINE.replay which letters they were: a letter goes into a topic once, however often\n"
        "and with whatever options the command is run or killed.",
    .options = options,
    .operands_min = 2,
    .operands_max = 1000,
    .run = dead,
};
