/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/directory.h"
#include "host/base/log.h"
#include "host/cli/commands.h"
#include "host/cli/score_file.h"
#include "ml/detector.h"
#include "simd/dispatch.h"

typedef struct score_options {
    ps_string_list detector, weight;
    const char *output, *save, *series;
    bool levels;
    ps_detect_config detect;
} score_options;

static const ps_option options[] = {
    {.name = "detector",
     .help = "A detector, several behind commas, or vote: those that are the default set.",
     .type = PS_OPTION_LIST,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(score_options, detector)},
    {.name = "weights",
     .help = "Instead of --vote: NAME=N, several behind commas, how much each detector's score "
             "counts in their mean: whole numbers from 0 to 255, 1 unless given.",
     .type = PS_OPTION_LIST,
     .at = offsetof(score_options, weight)},
    {.name = "output",
     .help = "Or -o: a folder, made where it is missing, for a file of the same name each.",
     .type = PS_OPTION_STRING,
     .at = offsetof(score_options, output)},
    {.name = "levels",
     .help = "Also print to stderr how many alerts a day low, medium and high sensitivity give.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(score_options, levels)},
    {.name = "load-state",
     .help = "A file of --save-state that series begin from, where it has them.",
     .type = PS_OPTION_STRING,
     .at = offsetof(score_options, detect) + offsetof(ps_detect_config, warm_state)},
    {.name = "save-state",
     .help = "A file for what the detectors know of each series in the end: for --load-state, and "
             "for warm_state of a pipeline.",
     .type = PS_OPTION_STRING,
     .at = offsetof(score_options, save)},
    {.name = "series",
     .help = "What a state calls the series of the one file; else it is the file's base name, less "
             ".csv.",
     .type = PS_OPTION_STRING,
     .at = offsetof(score_options, series)},
    {.name = NULL}};

/* "low", "medium" and "high" of the stage's own sensitivity. */
static const char *const level_names[] = {"low", "medium", "high"};
enum { LEVELS = sizeof level_names / sizeof *level_names };

/* What stage detect calls warm_state is --load-state here. */
static const char *as_written(const char *message, const char **option) {
    static const char stages[] = "warm_state: ";
    const bool is = strncmp(message, stages, sizeof stages - 1) == 0;
    *option = is ? "--load-state: " : "";
    return is ? message + sizeof stages - 1 : message;
}

static int failed(ps_status status, const ps_error *error) {
    if (status == PS_OK) return PS_EXIT_OK;
    const char *option, *message = as_written(error->message, &option);
    ps_log(PS_LOG_ERROR, "score", "%s%s", option, message);
    return status == PS_BAD_CONFIG ? PS_EXIT_USAGE : PS_EXIT_FAILED;
}

enum { WORDS_MAX = PS_DETECTORS_MAX + 1 }; /* one too many is for the stage to refuse */

/* As the stage takes them: every word between commas an entry. */
static ps_string_list listed(const ps_string_list *written, ps_pool *pool) {
    const char **at = ps_pool_take(pool, WORDS_MAX * sizeof *at);
    ps_string_list list = {at, 0};
    for (uint32_t i = 0; i < written->count; i++)
        for (const char *name = written->at[i]; name != NULL && list.count < WORDS_MAX;) {
            const size_t length = strcspn(name, ",");
            at[list.count++] = ps_pool_text(pool, name, length);
            name = name[length] == ',' ? name + length + 1 : NULL;
        }
    return list;
}

static ps_status read_weights(const ps_string_list *written, ps_pool *pool, ps_string_map *weights,
                              ps_error *error) {
    const ps_string_list words = listed(written, pool);
    ps_string_pair *at = ps_pool_take(pool, WORDS_MAX * sizeof *at);
    for (uint32_t i = 0; i < words.count; i++) {
        const char *equals = strchr(words.at[i], '=');
        if (equals == NULL)
            return ps_fail(error, PS_BAD_CONFIG, "--weights: '%s' is not NAME=N, as in slim=4",
                           words.at[i]);
        at[i].name = ps_pool_text(pool, words.at[i], (size_t)(equals - words.at[i]));
        at[i].value = equals + 1;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(at[k].name, at[i].name) == 0)
                return ps_fail(error, PS_BAD_CONFIG, "--weights: '%s' is listed twice", at[i].name);
    }
    *weights = (ps_string_map){at, words.count};
    return PS_OK;
}

static ps_status with_level(ps_detect_config *config, const char *level, ps_error *error) {
    config->threshold = 0.0;
    return ps_option_parse(ps_option_find(ps_stage_detect.about.options, "sensitivity"), level,
                           config, error);
}

static ps_status open_run(const score_options *chosen, const ps_string_list *detectors,
                          ps_score_run **run, ps_error *error) {
    ps_detect_config configs[1 + LEVELS];
    for (uint32_t i = 0; i <= LEVELS; i++) {
        configs[i] = chosen->detect;
        configs[i].detectors = *detectors;
        if (detectors->count == 1 && strcmp(detectors->at[0], "vote") == 0) {
            configs[i].detectors = ps_detector_vote;
            if (configs[i].weights.count == 0) configs[i].weights = ps_detector_weights;
        }
        if (i > 0) PS_TRY(with_level(&configs[i], level_names[i - 1], error));
    }
    return ps_score_run_open(configs, chosen->levels ? 1 + LEVELS : 1, run, error);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static ps_status make_folder(const char *path, ps_pool *pool, ps_error *error) {
    char *part = ps_pool_text(pool, path, strlen(path));
    if (ps_directory_make(AT_FDCWD, part)) return PS_OK;
    return ps_fail(error, PS_IO, "cannot make %.300s: %s", path, strerror(errno));
}

/* Two files of one name would overwrite each other, and one in the folder itself. */
static ps_status check_names(const ps_args *args, const char *folder, ps_error *error) {
    struct stat there, here;
    for (uint32_t i = 0; i < args->count; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(base_name(args->operand[i]), base_name(args->operand[k])) == 0)
                return ps_fail(error, PS_BAD_CONFIG, "%.200s and %.200s have the same base name",
                               args->operand[k], args->operand[i]);
        char *end = NULL;
        char path[4096];
        (void)snprintf(path, sizeof path, "%s", args->operand[i]);
        end = path + (base_name(path) - path);
        (void)snprintf(end, sizeof path - (size_t)(end - path), ".");
        if (stat(path, &here) == 0 && stat(folder, &there) == 0 && here.st_dev == there.st_dev &&
            here.st_ino == there.st_ino)
            return ps_fail(error, PS_BAD_CONFIG,
                           "%.300s lies in the folder that -o names and would be overwritten",
                           args->operand[i]);
    }
    return PS_OK;
}

/* What a state calls the series of a file. */
static const char *series_of(const score_options *chosen, const ps_args *args, uint32_t file) {
    const char *name = base_name(args->operand[file]);
    const size_t length = strlen(name);
    if (chosen->series != NULL) return chosen->series;
    const bool ends = length > 4 && strcmp(name + length - 4, ".csv") == 0;
    return ps_pool_text(args->pool, name, ends ? length - 4 : length);
}

static ps_status check_series(const score_options *chosen, const ps_args *args, ps_error *error) {
    if (chosen->series != NULL && args->count > 1)
        return ps_fail(error, PS_BAD_CONFIG, "--series: names one series, and there are %u files",
                       args->count);
    for (uint32_t i = 0; i < args->count; i++) {
        const char *name = series_of(chosen, args, i);
        if (name[0] == '\0' || strlen(name) >= PS_SOLO_NAME_MAX)
            return ps_fail(error, PS_BAD_CONFIG,
                           "a series has a name of 1 to %d bytes: see --series",
                           PS_SOLO_NAME_MAX - 1);
        for (uint32_t k = 0; k < i && chosen->save != NULL; k++)
            if (strcmp(name, series_of(chosen, args, k)) == 0)
                return ps_fail(error, PS_BAD_CONFIG, "%.200s and %.200s are both series %.80s",
                               args->operand[k], args->operand[i], name);
    }
    return PS_OK;
}

/* Under another name until it is whole. */
static ps_status score_into(ps_score_run *run, const char *path, const char *folder, ps_pool *pool,
                            ps_error *error) {
    const char *name = ps_pool_format(pool, "%s/%s", folder, base_name(path));
    const char *part = ps_pool_format(pool, "%s.part", name);
    FILE *out = fopen(part, "we");
    if (out == NULL) return ps_fail(error, PS_IO, "cannot write %.300s: %s", part, strerror(errno));
    ps_status status = ps_score_run_file(run, path, out, error);
    if (fclose(out) != 0 && status == PS_OK)
        status = ps_fail(error, PS_IO, "cannot write %.300s: %s", part, strerror(errno));
    if (status == PS_OK && rename(part, name) != 0)
        status = ps_fail(error, PS_IO, "cannot rename %.300s: %s", part, strerror(errno));
    if (status != PS_OK) (void)unlink(part);
    return status;
}

static void print_levels(const ps_score_totals *totals) {
    (void)fprintf(stderr, "sensitivity  threshold      alerts  alerts/day and series\n");
    for (uint32_t i = 1; i < totals->count; i++) {
        const ps_score_total *level = &totals->at[i];
        (void)fprintf(stderr, "%-11s  %9g  %10llu  ", level_names[i - 1], level->threshold,
                      (unsigned long long)level->alerts);
        if (totals->days > 0)
            (void)fprintf(stderr, "%21.3f\n", (double)level->alerts / totals->days);
        else
            (void)fprintf(stderr, "%21s\n", "-");
    }
}

static ps_status score_files(const score_options *chosen, const ps_args *args, ps_score_run *run,
                             ps_error *error) {
    PS_TRY(check_series(chosen, args, error));
    if (chosen->save != NULL) PS_TRY(ps_score_run_save(run, chosen->save, error));
    if (chosen->output != NULL) {
        PS_TRY(make_folder(chosen->output, args->pool, error));
        PS_TRY(check_names(args, chosen->output, error));
    }
    for (uint32_t i = 0; i < args->count; i++) {
        const char *path = args->operand[i], *name = series_of(chosen, args, i);
        if (!ps_score_run_name(run, name) && chosen->detect.warm_state != NULL)
            ps_log(PS_LOG_WARNING, "score", "%s: series %s is not in it, and begins blind",
                   chosen->detect.warm_state, name);
        PS_TRY(chosen->output == NULL ? ps_score_run_file(run, path, stdout, error)
                                      : score_into(run, path, chosen->output, args->pool, error));
    }
    PS_TRY(ps_score_run_saved(run, error));
    const ps_score_totals *totals = ps_score_run_totals(run);
    ps_log(PS_LOG_INFO, "score", "%llu rows of %u series, %llu alerts at threshold %g",
           (unsigned long long)totals->rows, totals->files,
           (unsigned long long)totals->at[0].alerts, totals->at[0].threshold);
    if (chosen->levels) print_levels(totals);
    return PS_OK;
}

static int work(score_options *chosen, const ps_args *args) {
    ps_error error = {0};
    ps_score_run *run = NULL;
    if (chosen->detector.count == 0)
        return failed(ps_fail(&error, PS_BAD_CONFIG, "--detector: name one of %s, or vote",
                              ps_detector_names + 1),
                      &error);
    if (chosen->output == NULL && args->count > 1)
        return failed(ps_fail(&error, PS_BAD_CONFIG,
                              "more than one file: name a folder for their scores with -o"),
                      &error);
    const ps_string_list detectors = listed(&chosen->detector, args->pool);
    ps_status status = ps_dispatch_init(&error);
    if (status == PS_OK)
        status = read_weights(&chosen->weight, args->pool, &chosen->detect.weights, &error);
    if (status == PS_OK) status = open_run(chosen, &detectors, &run, &error);
    if (status == PS_OK) status = score_files(chosen, args, run, &error);
    ps_score_run_close(run);
    return failed(status, &error);
}

static int score(int argc, char **argv) {
    score_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_score, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = work(&chosen, &args);
    ps_args_deinit(&args);
    return code;
}

/* A file is scored to be looked at: an anomaly that lasts is one alert. */
static const char *const presets[] = {"quiet", "12h", NULL};

const ps_command ps_command_score = {
    .name = "score",
    .operands = "FILE.csv…",
    .summary =
        "Scores series in files: timestamp,value in, timestamp,value,anomaly_score,alert out.",
    .details =
        "A file is a series. Its first line is `timestamp,value`; a timestamp is ISO 8601, with T\n"
        "or a space and in UTC unless it says otherwise, or epoch seconds or milliseconds; a "
        "value\n"
        "that is blank, NaN or infinite has no score. Scores are those of stage detect, and so "
        "are\n"
        "the options, but that repeats are suppressed, --quiet 12h, unless another time is named\n"
        "(0s: none): an anomaly that is silenced by it scores below the threshold. One file goes\n"
        "to stdout, or several to the folder that -o names. --save-state keeps what the detectors\n"
        "know in the end, under the series' names; with --load-state scores go on from there, to\n"
        "the bit as if both were one file.",
    .options = options,
    .stage = &ps_stage_detect.about,
    .stage_at = offsetof(score_options, detect),
    .stage_without = "field|detectors|weights|scores|time|as|warm_state",
    .stage_presets = presets,
    .operands_min = 1,
    .operands_max = 1000000,
    .run = score,
};
