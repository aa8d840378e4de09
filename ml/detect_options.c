/* SPDX-License-Identifier: Apache-2.0
 * What a pipeline file may say of the stage detect; `penstock score` has the same options.
 */
#include <stdio.h>
#include <string.h>

#include "host/base/text.h"
#include "kernels/discord.h"
#include "kernels/hampel.h"
#include "kernels/holt_winters.h"
#include "kernels/score.h"
#include "ml/detector.h"
#include "ml/stage_detect.h"

const ps_option ps_detect_options[] = {
    {.name = "field",
     .help = "The declared field to watch: a float or an int.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_detect_config, field)},
    {.name = "detectors",
     .help = "Which detectors score it; `why` names the one that found most.",
     .type = PS_OPTION_LIST,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_detect_config, detectors),
     .choices = ps_detector_names + 1},
    {.name = "vote",
     .preset = "1",
     .help = "How many of the detectors must reach the threshold; at most as many as are listed.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, vote),
     .min = 1,
     .max = PS_DETECTORS_MAX},
    {.name = "weights",
     .help = "Instead of vote: the score is the quadratic mean of the detectors' scores by these "
             "weights, whole numbers from 0 to 255, 1 unless given: {slim: 4, cusum: 1}. A score "
             "counts as at most 20 in it; a detector of weight 0 has no say.",
     .type = PS_OPTION_MAP,
     .at = offsetof(ps_detect_config, weights)},
    {.name = "scores",
     .preset = "false",
     .help = "Whether each detector's own score goes out too, as score_NAME, before it is scaled "
             "or voted on.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_detect_config, scores)},
    {.name = "severity",
     .preset = "false",
     .help = "Whether an anomaly's severity goes out too: low from the threshold on, medium, high "
             "and critical where the score is 3, 6 and 9 more, so a thousand times less likely "
             "each.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_detect_config, severity)},
    {.name = "preset",
     .preset = "generic",
     .help = "What slim looks for: `generic` suits any series; `events` gives few, sure alerts on "
             "metrics with a daily and weekly rhythm. Other detectors do not change.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_detect_config, preset),
     .choices = "generic|events"},
    {.name = "threshold",
     .help = "The score from which a row is an anomaly, the same for every detector; takes the "
             "place of sensitivity.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_detect_config, threshold),
     .min = 0.01,
     .max = PS_SCORE_MAX},
    {.name = "sensitivity",
     .preset = "auto",
     .help = "low, medium, high or a number from 0.1 to 10 that the detectors' own thresholds are "
             "divided by: low is 2/3, medium and auto 1, high 1.5. Their own are 6, of slim 6.5 "
             "(generic) or 8 (events). Where they differ, scores are scaled to the first one's.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_detect_config, sensitivity)},
    {.name = "time",
     .help =
         "A declared timestamp field that says when a value was measured, for slim and `quiet`; "
         "without it the record's timestamp does. A row without a time has the series' last.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_detect_config, time)},
    {.name = "quiet",
     .preset = "0s",
     .help = "How long a series is quiet after an alert, by its own clock: rows that would be "
             "anomalies are none, unless they score more than twice the alert. `score` stays what "
             "the detectors say. 0s: every row is judged by itself; 12h suits the events preset.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(ps_detect_config, quiet_ns),
     .max = 1e18},
    {.name = "quiet_rows_min",
     .preset = "12",
     .help = "Of quiet: it lasts for at least so many rows of the series.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, quiet_rows_min),
     .max = 1000000},
    {.name = "quiet_rows_max",
     .preset = "160",
     .help = "Of quiet: it lasts for less than so many rows, whatever the clock says.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, quiet_rows_max),
     .min = 1,
     .max = 1000000},
    {.name = "span",
     .preset = "288",
     .help = "Of ewma and cusum: how many values their mean remembers, alpha = 2 / (span + 1); of "
             "holt_winters, its errors' variance; of discord, half_space_trees, "
             "prototype and spectral_residual, what they measured.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, span),
     .min = 2,
     .max = 1000000},
    {.name = "warmup",
     .preset = "30",
     .help = "How many values of a series come before its scores count; until then they are 0.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, warmup),
     .min = 2,
     .max = 1000000},
    {.name = "slack",
     .preset = "0.5",
     .help =
         "Of cusum: what is taken off its sums at each value, in deviations; half of the change "
         "that is to be found.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_detect_config, slack),
     .min = 0.01,
     .max = 10},
    {.name = "reset",
     .preset = "12",
     .help =
         "Of cusum: the score at which its sums begin anew; a threshold far above it is reached by "
         "few.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_detect_config, reset),
     .min = 0.01,
     .max = PS_SCORE_MAX},
    {.name = "window",
     .preset = "63",
     .help = "Of hampel: how many values it looks back.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, window),
     .min = 3,
     .max = PS_HAMPEL_WINDOW},
    {.name = "length",
     .preset = "8",
     .help = "Of discord: how many values a shape has.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, length),
     .min = 4,
     .max = PS_DISCORD_LENGTH_MAX},
    {.name = "floor",
     .preset = "4",
     .help = "Of discord: the least deviation that a shape is measured in, in deviations of the "
             "series. At 0.01 shapes count whatever their size; at 4 small ones are nearly flat.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_detect_config, floor),
     .min = 0.01,
     .max = 1000},
    {.name = "memory",
     .preset = "4096",
     .help = "Of mzscore and iqr: the values after which what came before counts half.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, memory),
     .min = 64,
     .max = 1e9},
    {.name = "season",
     .preset = "1",
     .help = "Of holt_winters: how many rows of a series a season has, each a number of state; 1: "
             "there is none. auto: found in the first 4 * season_max values of each series by "
             "their autocorrelation; until then there is none.",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(ps_detect_config, season),
     .min = 1,
     .max = PS_HOLT_WINTERS_SEASON_MAX},
    {.name = "season_max",
     .preset = "24",
     .help = "Of season auto: the longest that is looked for. Five times as many numbers are kept.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, season_max),
     .min = 2,
     .max = PS_HOLT_WINTERS_SEASON_MAX},
    {.name = "level_span",
     .preset = "20",
     .help = "Of holt_winters: how many values its level remembers.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_detect_config, level_span),
     .min = 1,
     .max = 1000000},
    {.name = "as",
     .help = "Put before the names of the outputs: `cpu` gives cpu_score, cpu_anomaly, cpu_why.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_detect_config, as)},
    {.name = "warm_state",
     .help =
         "A file of `penstock score --save-state`: a series that is in it does not begin blind, "
         "but only if the pipeline's own state has nothing of it. Detectors and options of their "
         "state must be those of the file. Its bytes are held in memory.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_detect_config, warm_state)},
    {.name = NULL}};

/* Options that only some detectors have: numbers of eight bytes. */
static const struct {
    const char *option, *detectors;
} owned[] = {{"span", "ewma|cusum|holt_winters|discord|half_space_trees|prototype|"
                      "spectral_residual"},
             {"slack", "cusum"},
             {"reset", "cusum"},
             {"window", "hampel"},
             {"length", "discord"},
             {"floor", "discord"},
             {"memory", "mzscore|iqr"},
             {"season", "holt_winters"},
             {"season_max", "holt_winters"},
             {"level_span", "holt_winters"}};

/* An option that says what it says anyway is no mistake: a file that lists all of them is right.
 * A 0 where none is allowed is nobody's word: a configuration made in C. */
static bool is_preset(const ps_option *option, const ps_detect_config *config) {
    static const char nothing[sizeof(double)];
    ps_detect_config other = {0};
    ps_options_preset(ps_detect_options, &other);
    const char *at = (const char *)config + option->at;
    return memcmp(at, (const char *)&other + option->at, sizeof nothing) == 0 ||
           memcmp(at, nothing, sizeof nothing) == 0;
}

static bool is_used(const ps_detect_config *config, const char *detectors) {
    uint32_t index;
    for (uint32_t i = 0; i < config->detectors.count; i++)
        if (ps_words_find(detectors, config->detectors.at[i], &index)) return true;
    return false;
}

ps_status ps_detect_options_check(const ps_detect_config *config, ps_error *error) {
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (!is_used(config, owned[i].detectors) &&
            !is_preset(ps_option_find(ps_detect_options, owned[i].option), config))
            return ps_fail(error, PS_BAD_CONFIG,
                           "%s: no detector here has it, only %s: leave it out, or add one",
                           owned[i].option, owned[i].detectors);
    return PS_OK;
}

/* What the words of `sensitivity` stand for. One false alarm in as many values of noise is what a
 * score promises; less than that is what data that is not normal keeps. */
static const struct {
    const char *word;
    double sensitivity;
} words[] = {{"low", 2.0 / 3.0}, {"medium", 1.0}, {"high", 1.5}, {"auto", 1.0}};

/* 0: it is neither a word nor a number that may be. */
static double sensitivity_of(const ps_detect_config *config) {
    double number;
    if (config->sensitivity == NULL) return 1.0;
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, config->sensitivity) == 0) return words[i].sensitivity;
    const bool is = ps_text_number(config->sensitivity, &number);
    return is && number >= 0.1 && number <= 10.0 ? number : 0.0;
}

ps_status ps_detect_sensitivity_check(const ps_detect_config *config, ps_error *error) {
    if (sensitivity_of(config) != 0.0) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "sensitivity: '%s' is not low, medium, high, auto or a number from 0.1 to 10",
                   config->sensitivity);
}

double ps_detect_threshold(const ps_detect_config *config, const ps_detector *detector) {
    if (config->threshold != 0.0) return config->threshold;
    const double own = detector->threshold[config->preset];
    return (own == 0.0 ? PS_DETECTOR_THRESHOLD : own) / sensitivity_of(config);
}

/* "6", or "slim 6.5, cusum 6" where they differ. */
static const char *put_thresholds(const ps_detect_config *config, char *text) {
    size_t used = 0;
    double first = 0.0;
    bool differ = false;
    for (uint32_t i = 0; i < config->detectors.count && used < PS_OPTION_TEXT_MAX; i++) {
        const ps_detector *detector = ps_detector_find(config->detectors.at[i]);
        if (detector == NULL) continue;
        const double own = ps_detect_threshold(config, detector);
        if (used == 0) first = own;
        differ |= own != first;
        used += (size_t)snprintf(text + used, PS_OPTION_TEXT_MAX - used, "%s%s %.4g",
                                 used == 0 ? "" : ", ", detector->name, own);
    }
    if (!differ && used > 0) (void)snprintf(text, PS_OPTION_TEXT_MAX, "%.4g", first);
    return text;
}

const char *ps_detect_effective(const ps_option *option, const void *config, char *text) {
    const ps_detect_config *detect = config;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (strcmp(owned[i].option, option->name) == 0 && !is_used(detect, owned[i].detectors))
            return text;
    if (strcmp(option->name, "vote") == 0 && detect->weights.count > 0) return text;
    if (strncmp(option->name, "quiet_", 6) == 0 && detect->quiet_ns == 0) return text;
    if (strcmp(option->name, "preset") == 0 && !is_used(detect, "slim")) return text;
    if (strcmp(option->name, "threshold") == 0 && sensitivity_of(detect) != 0.0)
        return put_thresholds(detect, text);
    if (strcmp(option->name, "sensitivity") == 0 && detect->threshold != 0.0) return text;
    return ps_option_value(option, config, text);
}
