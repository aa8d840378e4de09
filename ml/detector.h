/* SPDX-License-Identifier: Apache-2.0
 * What a detector is: a kernel that scores each value of a series, and the state it keeps. All
 * detectors share one list of buffers: value, validity, order, first, series, fresh, state, image,
 * score; and, but where their row says otherwise, one scale (kernels/score.h).
 */
#ifndef PS_ML_DETECTOR_H
#define PS_ML_DETECTOR_H

#include "host/flow/plan.h"
#include "ml/stage_detect.h"

/* What a detector may know when it is planned. */
typedef struct ps_detector_setting {
    const ps_detect_config *config;
    uint32_t capacity; /* series per state plane */
    uint32_t type;     /* of the value column: PS_VALUE_F64 or PS_VALUE_I64 */
} ps_detector_setting;

typedef struct ps_detector {
    const char *name;    /* in a pipeline file, and as `why` */
    const char *summary; /* one sentence, options included */
    ps_kernel_id kernel;
    uint32_t planes; /* doubles of state per series, those apart that an option asks for */
    uint32_t
        format; /* of the planes: raised when they mean something else, see tests/test_warm.c */
    uint32_t reason; /* what it has found, in ps_detector_reasons; of its first channel if timed */
    /* Its kernel has three buffers more: time, the time's validity, and the channel that a row's
     * score owes most to, which counts up from `reason`. A series' planes lie together. */
    bool timed;
    bool together; /* its planes do too; where a state has many and a value reads all of them */
    /* Where its score is an anomaly at medium sensitivity, per preset; 0: PS_DETECTOR_THRESHOLD. */
    double threshold[PS_DETECT_PRESETS];
    /* Fills the kernel's parameters, at most PS_PARAMS_MAX bytes, and says in `meaning` all that
     * gives the state its meaning: a state written under another text is not read. */
    void (*fill)(const ps_detector_setting *setting, void *params, char *meaning, size_t bytes);
} ps_detector;

#define PS_DETECTOR_THRESHOLD 6.0

/* What `why` says, by number: a detector's name, behind it the channel where there are several. */
extern const char *const ps_detector_reasons[];
extern const uint32_t ps_detector_reason_count;

enum { PS_DETECTORS_MAX = 16 }; /* of one stage: as many as kernel vote compares */

extern const ps_detector ps_detectors[]; /* ends with a row whose name is NULL */

/* Their names behind a bar each: "|ewma|zscore", so that + 1 is what an option's choices want. */
extern const char ps_detector_names[];
/* What `penstock score --detector` takes, behind blanks: "vote ewma zscore". */
extern const char ps_detector_words[];

/* The default set, which `penstock score --detector vote` stands for, and its weights. */
extern const ps_string_list ps_detector_vote;
extern const ps_string_map ps_detector_weights;

/* Doubles of state per series: a season's parts are as many as it has rows. */
uint32_t ps_detector_planes(const ps_detector *detector, const ps_detect_config *config);

const ps_detector *ps_detector_find(const char *name);

/* The score from which a row is an anomaly to it, of a sensitivity that was checked. */
double ps_detect_threshold(const ps_detect_config *config, const ps_detector *detector);

#endif
