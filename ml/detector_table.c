/* SPDX-License-Identifier: Apache-2.0
 * Every detector, one row each: its kernel, its state, and how its parameters come from options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/ewma.h"
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

#define DETECTOR_ROW(word, WORD, text) \
    {#word, text, PS_KERNEL_##WORD, PS_##WORD##_PLANES, fill_##word},
const ps_detector ps_detectors[] = {DETECTOR_MAP(DETECTOR_ROW){.name = NULL}};

#define DETECTOR_NAME(word, WORD, text) "|" #word
const char ps_detector_names[] = DETECTOR_MAP(DETECTOR_NAME);

const ps_detector *ps_detector_find(const char *name) {
    for (const ps_detector *detector = ps_detectors; detector->name != NULL; detector++)
        if (strcmp(detector->name, name) == 0) return detector;
    return NULL;
}
