/* SPDX-License-Identifier: Apache-2.0
 * Every detector, one row each: its kernel, its state, and how its parameters come from options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cusum.h"
#include "kernels/discord.h"
#include "kernels/ewma.h"
#include "kernels/half_space_trees.h"
#include "kernels/hampel.h"
#include "kernels/holt_winters.h"
#include "kernels/iqr.h"
#include "kernels/mzscore.h"
#include "kernels/prototype.h"
#include "kernels/slim.h"
#include "kernels/spectral_residual.h"
#include "kernels/zscore.h"
#include "ml/detector.h"

#define DETECTOR_MAP(X)                                                                         \
    X(ewma, EWMA,                                                                               \
      "distance from an exponentially weighted mean, in its deviations; `span` is "             \
      "how many values it remembers")                                                           \
    X(zscore, ZSCORE, "distance from the mean of all earlier values, in their deviations")      \
    X(cusum, CUSUM,                                                                             \
      "drift of many values together: sums of their deviations from ewma's mean, less `slack` " \
      "each, begun anew at score `reset`")                                                      \
    X(hampel, HAMPEL,                                                                           \
      "distance from the median of the last `window` values, in median absolute deviations")    \
    X(mzscore, MZSCORE,                                                                         \
      "the modified z-score: distance from a running median, in median absolute deviations; "   \
      "`memory` is how many values it remembers")                                               \
    X(iqr, IQR,                                                                                 \
      "distance from the middle of the running quartiles, in the range between them; "          \
      "`memory` as for mzscore")                                                                \
    X(holt_winters, HOLT_WINTERS,                                                               \
      "error of a forecast from level, damped trend and, where `season` says how many rows it " \
      "has or that it is to be found, season")

/* Those whose planes lie together. */
#define DETECTOR_TOGETHER(X)                                                                      \
    X(discord, DISCORD,                                                                           \
      "how unlike the shape of the last `length` values is to all shapes among the last 512, in " \
      "their own deviation but at least `floor` of the series'; slow, for few series; `span` as " \
      "for spectral_residual")                                                                    \
    X(half_space_trees, HALF_SPACE_TREES,                                                         \
      "how few of the last thousand values lay where a value and its step from the last one "     \
      "lie, by eight trees that halve that plane; `span` as for spectral_residual")               \
    X(prototype, PROTOTYPE,                                                                       \
      "how far the last four values are, together, from the nearest of 32 shapes that the "       \
      "series had lately; `span` as for spectral_residual")                                       \
    X(spectral_residual, SPECTRAL_RESIDUAL,                                                       \
      "how far a value stands out of the last 59 once their regular frequencies are taken "       \
      "away, by how far others did; `span` is how many of those it remembers")

static void fill_ewma(const ps_detector_setting *setting, void *params, char *meaning,
                      size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_ewma_params p = {.alpha = 2.0 / ((double)config->span + 1.0),
                              .warmup = (uint32_t)config->warmup,
                              .capacity = setting->capacity,
                              .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64, config->span);
}

static void fill_zscore(const ps_detector_setting *setting, void *params, char *meaning,
                        size_t bytes) {
    const ps_zscore_params p = {.warmup = (uint32_t)setting->config->warmup,
                                .capacity = setting->capacity,
                                .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "all");
}

static void fill_cusum(const ps_detector_setting *setting, void *params, char *meaning,
                       size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_cusum_params p = {.alpha = 2.0 / ((double)config->span + 1.0),
                               .slack = config->slack,
                               .reset = config->reset,
                               .warmup = (uint32_t)config->warmup,
                               .capacity = setting->capacity,
                               .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64 " slack=%.17g reset=%.17g", config->span,
                   config->slack, config->reset);
}

static void fill_hampel(const ps_detector_setting *setting, void *params, char *meaning,
                        size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_hampel_params p = {.window = (uint32_t)config->window,
                                .warmup = (uint32_t)config->warmup,
                                .capacity = setting->capacity,
                                .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "window=%" PRId64, config->window);
}

static void fill_mzscore(const ps_detector_setting *setting, void *params, char *meaning,
                         size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_mzscore_params p = {.memory = (double)config->memory,
                                 .warmup = (uint32_t)config->warmup,
                                 .capacity = setting->capacity,
                                 .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "memory=%" PRId64, config->memory);
}

static void fill_iqr(const ps_detector_setting *setting, void *params, char *meaning,
                     size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_iqr_params p = {.memory = (double)config->memory,
                             .warmup = (uint32_t)config->warmup,
                             .capacity = setting->capacity,
                             .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "memory=%" PRId64, config->memory);
}

/* The season of holt_winters: one row of it is none. */
typedef struct turn_rows {
    uint32_t parts, learn;
} turn_rows;

static turn_rows season_of(const ps_detect_config *config) {
    const int64_t rows = config->season == 0 ? config->season_max : config->season;
    if (rows < 2) return (turn_rows){0, 0};
    const uint32_t parts = (uint32_t)rows;
    return (turn_rows){parts, config->season == 0 ? PS_SEASON_TURNS * parts : 0};
}

/* A season must have been met once before its parts are more than the level; one that is found
 * was. */
static void fill_holt_winters(const ps_detector_setting *setting, void *params, char *meaning,
                              size_t bytes) {
    const ps_detect_config *config = setting->config;
    const turn_rows season = season_of(config);
    const int64_t turn = season.learn > 0 ? 0 : season.parts + season.parts / 2;
    char rows[40];
    (void)snprintf(rows, sizeof rows, season.learn > 0 ? "auto season_max=%u" : "%u",
                   season.learn > 0 || season.parts > 0 ? season.parts : 1);
    const ps_holt_winters_params p = {.level = 2.0 / ((double)config->level_span + 1.0),
                                      .trend = 0.1 * 2.0 / ((double)config->level_span + 1.0),
                                      .season = 0.1,
                                      .variance = 2.0 / ((double)config->span + 1.0),
                                      .damping = 0.98,
                                      .parts = season.parts,
                                      .learn = season.learn,
                                      .warmup =
                                          (uint32_t)(config->warmup > turn ? config->warmup : turn),
                                      .capacity = setting->capacity,
                                      .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64 " level_span=%" PRId64 " season=%s",
                   config->span, config->level_span, rows);
}

static void fill_discord(const ps_detector_setting *setting, void *params, char *meaning,
                         size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_discord_params p = {.least = 2.0 / ((double)config->span + 1.0),
                                 .flat = config->floor,
                                 .length = (uint32_t)config->length,
                                 .warmup = (uint32_t)config->warmup,
                                 .capacity = setting->capacity,
                                 .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64 " length=%" PRId64 " floor=%.17g", config->span,
                   config->length, config->floor);
}

static void fill_half_space_trees(const ps_detector_setting *setting, void *params, char *meaning,
                                  size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_half_space_trees_params p = {.least = 2.0 / ((double)config->span + 1.0),
                                          .warmup = (uint32_t)config->warmup,
                                          .capacity = setting->capacity,
                                          .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64, config->span);
}

static void fill_prototype(const ps_detector_setting *setting, void *params, char *meaning,
                           size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_prototype_params p = {.least = 2.0 / ((double)config->span + 1.0),
                                   .warmup = (uint32_t)config->warmup,
                                   .capacity = setting->capacity,
                                   .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64, config->span);
}

static void fill_spectral_residual(const ps_detector_setting *setting, void *params, char *meaning,
                                   size_t bytes) {
    const ps_detect_config *config = setting->config;
    const ps_spectral_residual_params p = {.least = 2.0 / ((double)config->span + 1.0),
                                           .warmup = (uint32_t)config->warmup,
                                           .capacity = setting->capacity,
                                           .type = setting->type};
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "span=%" PRId64, config->span);
}

static const struct {
    double envelope, calibrated, level;
} slim_weights[PS_DETECT_PRESETS] = {
    [PS_DETECT_GENERIC] = {1.0, 0.25, 2.0}, [PS_DETECT_EVENTS] = {1.5, 0.5, 0.0}};

static void fill_slim(const ps_detector_setting *setting, void *params, char *meaning,
                      size_t bytes) {
    const ps_detect_config *config = setting->config;
    PS_CHECK_OP(config->preset, <, (uint32_t)PS_DETECT_PRESETS);
    const ps_slim_params p = {
        .envelope = slim_weights[config->preset].envelope,
        .calibrated = slim_weights[config->preset].calibrated,
        .level = slim_weights[config->preset].level,
        .warmup = (uint32_t)config->warmup,
        .type = setting->type,
        .time = config->time == NULL ? PS_TIME_RECORD_MS : PS_TIME_FIELD_NS,
    };
    memcpy(params, &p, sizeof p);
    (void)snprintf(meaning, bytes, "7");
}

/* The place of each in ps_detector_reasons. */
#define DETECTOR_REASON(word, WORD, text) reason_##word,
enum { DETECTOR_MAP(DETECTOR_REASON) DETECTOR_TOGETHER(DETECTOR_REASON) reason_slim };

#define DETECTOR_LABEL(word, WORD, text) #word,
const char *const ps_detector_reasons[] = {
    DETECTOR_MAP(DETECTOR_LABEL) DETECTOR_TOGETHER(DETECTOR_LABEL) /* slim's channels */
    "slim:daily",
    "slim:weekly",
    "slim:shape",
    "slim:range",
    "slim:envelope",
    "slim:level"};
const uint32_t ps_detector_reason_count = sizeof ps_detector_reasons / sizeof *ps_detector_reasons;

#define DETECTOR_MEMBERS(word, WORD, text)                                                    \
    .name = #word, .summary = text, .kernel = PS_KERNEL_##WORD, .planes = PS_##WORD##_PLANES, \
    .reason = reason_##word, .fill = fill_##word
#define DETECTOR_ROW(word, WORD, text) {DETECTOR_MEMBERS(word, WORD, text)},
#define DETECTOR_TOGETHER_ROW(word, WORD, text) \
    {DETECTOR_MEMBERS(word, WORD, text), .together = true},
const ps_detector ps_detectors[] = {
    DETECTOR_MAP(DETECTOR_ROW)
        DETECTOR_TOGETHER(DETECTOR_TOGETHER_ROW) /* and one that is more than a row */
    {.name = "slim",
     .summary =
         "how unlike its daily and weekly rhythm, its recent shapes, its range and its level "
         "a value is; it knows the hour by `time`, adds its findings up by `preset`, and "
         "keeps 3.6 KiB of state per series",
     .kernel = PS_KERNEL_SLIM,
     .planes = PS_SLIM_PLANES,
     .reason = reason_slim,
     .timed = true,
     .threshold = {[PS_DETECT_GENERIC] = 6.5, [PS_DETECT_EVENTS] = 8.0},
     .fill = fill_slim},
    {.name = NULL}};

uint32_t ps_detector_planes(const ps_detector *detector, const ps_detect_config *config) {
    if (detector->kernel != PS_KERNEL_HOLT_WINTERS) return detector->planes;
    const turn_rows season = season_of(config);
    return detector->planes + season.parts +
           (season.learn > 0 ? PS_HOLT_WINTERS_FOUND + season.learn : 0);
}

#define DETECTOR_NAME(word, WORD, text) "|" #word
const char ps_detector_names[] =
    DETECTOR_MAP(DETECTOR_NAME) DETECTOR_TOGETHER(DETECTOR_NAME) "|slim";

#define DETECTOR_WORD(word, WORD, text) " " #word
const char ps_detector_words[] =
    "vote" DETECTOR_MAP(DETECTOR_WORD) DETECTOR_TOGETHER(DETECTOR_WORD) " slim";

/* docs/detection.md says what each of them adds. */
static const char *const vote[] = {"slim", "cusum"};
static const ps_string_pair weights[] = {{"slim", "4"}, {"cusum", "1"}};
const ps_string_list ps_detector_vote = {vote, sizeof vote / sizeof *vote};
const ps_string_map ps_detector_weights = {weights, sizeof weights / sizeof *weights};

const ps_detector *ps_detector_find(const char *name) {
    for (const ps_detector *detector = ps_detectors; detector->name != NULL; detector++)
        if (strcmp(detector->name, name) == 0) return detector;
    return NULL;
}
