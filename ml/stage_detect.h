/* SPDX-License-Identifier: Apache-2.0
 * detect: scores a field with one or more detectors and lets them vote.
 */
#ifndef PS_ML_STAGE_DETECT_H
#define PS_ML_STAGE_DETECT_H

#include "host/flow/parts.h"

typedef enum ps_detect_preset {
    PS_DETECT_GENERIC,
    PS_DETECT_EVENTS,
    PS_DETECT_PRESETS
} ps_detect_preset;

typedef struct ps_detect_config {
    const char *field;
    ps_string_list detectors;
    int64_t vote;
    ps_string_map weights;   /* a detector's name, a whole number; empty: `vote` says who wins */
    bool scores;             /* every detector's own goes out too */
    bool severity;           /* so does how far beyond the threshold an anomaly is, in words */
    uint32_t preset;         /* ps_detect_preset */
    double threshold;        /* 0: sensitivity says it */
    const char *sensitivity; /* low, medium, high, auto or a number; NULL: auto */
    const char *time;
    int64_t span, warmup;
    int64_t quiet_ns; /* 0: every row is judged by itself */
    int64_t quiet_rows_min, quiet_rows_max;
    double slack, reset;
    int64_t window, memory, level_span;
    int64_t season; /* 0: it is found */
    int64_t season_max;
    int64_t length;
    double floor;
    const char *as;
    const char *warm_state; /* NULL: series begin blind */
} ps_detect_config;

extern const ps_option ps_detect_options[]; /* ml/detect_options.c */
extern const ps_stage ps_stage_detect;

/* Refuses what is said for a detector that is not among those of `config`. */
ps_status ps_detect_options_check(const ps_detect_config *config, ps_error *error) PS_MUST_USE;
ps_status ps_detect_sensitivity_check(const ps_detect_config *config, ps_error *error) PS_MUST_USE;

/* As ps_about has it: thresholds that sensitivity gives; options that nobody here has are "". */
const char *ps_detect_effective(const ps_option *option, const void *config, char *text);

#endif
