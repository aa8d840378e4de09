/* SPDX-License-Identifier: Apache-2.0
 * Every detector, one row each: its kernel, its state, and how its parameters come from options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/ewma.h"
#include "kernels/slim.h"
#include "kernels/zscore.h"
#include "ml/detector.h"

#define DETECTOR_MAP(X)                                                             \
    X(ewma, EWMA,                                                                   \
      "distance from an exponentially weighted mean, in its deviations; `span` is " \
      "how many values it remembers")                                               \
    X(zscore, ZSCORE, "distance from the mean of all earlier values, in their deviations")

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
    (void)snprintf(meaning, bytes, "7, time %s", config->time == NULL ? "" : config->time);
}

/* The place of each in ps_detector_reasons. */
#define DETECTOR_REASON(word, WORD, text) reason_##word,
enum { DETECTOR_MAP(DETECTOR_REASON) reason_slim };

#define DETECTOR_LABEL(word, WORD, text) #word,
const char *const ps_detector_reasons[] = {DETECTOR_MAP(DETECTOR_LABEL) /* slim's channels */
                                           "slim:daily",
                                           "slim:weekly",
                                           "slim:shape",
                                           "slim:range",
                                           "slim:envelope",
                                           "slim:level"};
const uint32_t ps_detector_reason_count = sizeof ps_detector_reasons / sizeof *ps_detector_reasons;

#define DETECTOR_ROW(word, WORD, text) \
    {.name = #word,                    \
     .summary = text,                  \
     .kernel = PS_KERNEL_##WORD,       \
     .planes = PS_##WORD##_PLANES,     \
     .reason = reason_##word,          \
     .fill = fill_##word},
const ps_detector ps_detectors[] = {
    DETECTOR_MAP(DETECTOR_ROW) /* and one that is more than a row */
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

#define DETECTOR_NAME(word, WORD, text) "|" #word
const char ps_detector_names[] = DETECTOR_MAP(DETECTOR_NAME) "|slim";

#define DETECTOR_WORD(word, WORD, text) " " #word
const char ps_detector_words[] = "vote" DETECTOR_MAP(DETECTOR_WORD);

const char *const ps_detector_vote[] = {"ewma", "zscore", NULL};

const ps_detector *ps_detector_find(const char *name) {
    for (const ps_detector *detector = ps_detectors; detector->name != NULL; detector++)
        if (strcmp(detector->name, name) == 0) return detector;
    return NULL;
}
