/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/stage_detect.h"

#include <stdio.h>
#include <string.h>

#include "kernels/score.h"
#include "kernels/vote.h"
#include "ml/detector.h"

/* What `sensitivity` stands for, in the order of its choices: one false alarm in as many values of
 * noise is what the score promises, less than that is what data that is not normal keeps. */
enum { LOW, MEDIUM, HIGH, AUTO };
static const double thresholds[] = {[LOW] = 9.0, [MEDIUM] = 6.0, [HIGH] = 4.0, [AUTO] = 6.0};

static const ps_option options[] = {
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
    {.name = "preset",
     .preset = "generic",
     .help = "A set of detector parameters; there is one so far, which changes nothing.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_detect_config, preset),
     .choices = "generic"},
    {.name = "threshold",
     .help = "The score from which a row is an anomaly, -log10 of a tail probability; takes the "
             "place of sensitivity.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_detect_config, threshold),
     .min = 0.01,
     .max = PS_SCORE_MAX},
    {.name = "sensitivity",
     .preset = "auto",
     .help = "The threshold in a word: low is 9, medium 6, high 4; auto is what `threshold` says, "
             "else 6.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_detect_config, sensitivity),
     .choices = "low|medium|high|auto"},
    {.name = "time",
     .help = "A declared timestamp field that says when a value was measured; checked, and used by "
             "no detector yet.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_detect_config, time)},
    {.name = "span",
     .preset = "288",
     .help = "Of ewma: how many values its mean remembers, alpha = 2 / (span + 1).",
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
    {.name = "as",
     .help = "Put before the names of the outputs: `cpu` gives cpu_score, cpu_anomaly, cpu_why.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_detect_config, as)},
    {.name = NULL}};

/* A detect stage while it is planned: the columns that its calls share. */
typedef struct detect {
    const ps_detect_config *config;
    ps_plan *plan;
    ps_error *error;
    const ps_detector *detector[PS_DETECTORS_MAX];
    uint32_t count;
    uint32_t field, scores, score, anomaly, why;
    double threshold;
} detect;

static ps_status check_field(detect *d) {
    const char *name = d->config->field;
    PS_TRY(ps_plan_read(d->plan, name, &d->field, d->error));
    const ps_schema *schema = &d->plan->schema;
    const ps_type type = schema->column[d->field].type;
    const bool declared =
        d->field >= schema->field_first && d->field - schema->field_first < schema->field_count;
    if (!declared || (type != PS_TYPE_F64 && type != PS_TYPE_I64))
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "field: '%s' is not a number: declare it under decode as float or int",
                       name);
    if (d->config->time == NULL) return PS_OK;
    uint32_t time;
    PS_TRY(ps_plan_read(d->plan, d->config->time, &time, d->error));
    if (!schema->column[time].time)
        return ps_fail(d->error, PS_BAD_CONFIG, "time: '%s' is not declared as timestamp",
                       d->config->time);
    return PS_OK;
}

static ps_status check_detectors(detect *d) {
    const ps_string_list *names = &d->config->detectors;
    if (names->count == 0 || names->count > PS_DETECTORS_MAX)
        return ps_fail(d->error, PS_BAD_CONFIG, "detectors: name 1 to %d of %s", PS_DETECTORS_MAX,
                       ps_detector_names + 1);
    for (uint32_t i = 0; i < names->count; i++) {
        d->detector[i] = ps_detector_find(names->at[i]);
        if (d->detector[i] == NULL)
            return ps_fail(d->error, PS_BAD_CONFIG, "detectors: '%s' is not one of %s",
                           names->at[i], ps_detector_names + 1);
        for (uint32_t k = 0; k < i; k++)
            if (d->detector[k] == d->detector[i])
                return ps_fail(d->error, PS_BAD_CONFIG, "detectors: '%s' is listed twice",
                               names->at[i]);
    }
    d->count = names->count;
    return PS_OK;
}

static ps_status check_verdict(detect *d) {
    const ps_detect_config *config = d->config;
    if (config->vote < 1 || config->vote > (int64_t)d->count)
        return ps_fail(d->error, PS_BAD_CONFIG, "vote: %lld is not between 1 and the %u detectors",
                       (long long)config->vote, d->count);
    PS_CHECK_OP(config->sensitivity, <, (uint32_t)(sizeof thresholds / sizeof *thresholds));
    if (config->threshold != 0.0 && config->sensitivity != AUTO)
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "threshold and sensitivity exclude each other: leave one out");
    d->threshold = config->threshold != 0.0 ? config->threshold : thresholds[config->sensitivity];
    return PS_OK;
}

/* "score", or "cpu_score" where the stage has a name of its own. */
static ps_status name_of(const detect *d, const char *what, char *name) {
    const char *as = d->config->as;
    const int length = as == NULL ? snprintf(name, PS_NAME_MAX, "%s", what)
                                  : snprintf(name, PS_NAME_MAX, "%s_%s", as, what);
    if (length < PS_NAME_MAX) return PS_OK;
    return ps_fail(d->error, PS_BAD_CONFIG, "as: '%s' is too long a name", as);
}

static ps_status add_column(detect *d, const char *what, ps_type type, uint32_t width,
                            uint32_t *column) {
    char name[PS_NAME_MAX];
    PS_TRY(name_of(d, what, name));
    return ps_plan_add(d->plan, name, type, PS_PER_ROW, width, column, d->error);
}

static ps_status add_columns(detect *d) {
    char name[PS_NAME_MAX];
    (void)snprintf(name, sizeof name, "$scores-%u", d->plan->schema.column_count);
    PS_TRY(ps_plan_add(d->plan, name, PS_TYPE_SCRATCH, PS_PER_ROW, 4 * d->count, &d->scores,
                       d->error));
    PS_TRY(ps_plan_nan(d->plan, d->scores, d->error));
    PS_TRY(add_column(d, "score", PS_TYPE_F32, 0, &d->score));
    PS_TRY(add_column(d, "anomaly", PS_TYPE_U8, 0, &d->anomaly));
    return add_column(d, "why", PS_TYPE_U8, 0, &d->why);
}

/* Its scores are plane `index` of the stage's: rows without a value keep the NaN they begin with.
 */
static ps_status add_detector(detect *d, uint32_t index) {
    const ps_detector *detector = d->detector[index];
    const ps_column *field = &d->plan->schema.column[d->field];
    const ps_detector_setting setting = {.config = d->config,
                                         .capacity = d->plan->series_capacity,
                                         .type = field->type == PS_TYPE_I64 ? PS_VALUE_I64
                                                                            : PS_VALUE_F64};
    uint8_t params[PS_PARAMS_MAX] = {0};
    char meaning[256], state_name[512];
    detector->fill(&setting, params, meaning, sizeof meaning);
    (void)snprintf(state_name, sizeof state_name, "%s(%s) of %s", detector->name, meaning,
                   field->name);
    ps_operand state, image, scores = ps_operand_values(d->scores);
    PS_TRY(ps_plan_state(d->plan, state_name, detector->planes, &state, &image, d->error));
    scores.offset = (size_t)index * sizeof(float) * d->plan->schema.rows_max;
    const ps_operand operands[] = {ps_operand_values(d->field),
                                   ps_operand_validity(d->field),
                                   ps_operand_values(PS_COLUMN_ORDER),
                                   ps_operand_values(PS_COLUMN_FIRST),
                                   ps_operand_values(PS_COLUMN_SERIES),
                                   ps_operand_values(PS_COLUMN_FRESH),
                                   state,
                                   image,
                                   scores};
    return ps_plan_call(d->plan, detector->kernel, PS_PER_SEGMENT, operands, params,
                        ps_kernels[detector->kernel].params_bytes, d->error);
}

static ps_status add_vote(detect *d) {
    const ps_vote_params params = {.detectors = d->count,
                                   .stride = d->plan->schema.rows_max,
                                   .vote = (uint32_t)d->config->vote,
                                   .threshold = (float)d->threshold};
    const ps_operand operands[] = {ps_operand_values(d->scores), ps_operand_values(d->score),
                                   ps_operand_values(d->anomaly), ps_operand_values(d->why)};
    return ps_plan_call(d->plan, PS_KERNEL_VOTE, PS_PER_ROW, operands, &params, sizeof params,
                        d->error);
}

static ps_status add_output(detect *d, const char *what, ps_output_kind kind, uint32_t column) {
    /* A row without a score has no verdict either: fields that are null leave out all three. */
    ps_output output = {.kind = kind, .column = column, .of = PS_NOWHERE, .gate = d->score};
    if (kind == PS_OUTPUT_LABEL) {
        output.labels = d->config->detectors.at;
        output.label_count = d->count;
    }
    PS_TRY(name_of(d, what, output.name));
    return ps_plan_output(d->plan, &output, d->error);
}

static ps_status plan_detect(const void *config, ps_plan *plan, ps_error *error) {
    detect d = {.config = config, .plan = plan, .error = error};
    PS_TRY(check_field(&d));
    PS_TRY(check_detectors(&d));
    PS_TRY(check_verdict(&d));
    PS_TRY(ps_plan_group(plan, error));
    PS_TRY(add_columns(&d));
    for (uint32_t i = 0; i < d.count; i++) PS_TRY(add_detector(&d, i));
    PS_TRY(add_vote(&d));
    PS_TRY(add_output(&d, "score", PS_OUTPUT_SCORE, d.score));
    PS_TRY(add_output(&d, "anomaly", PS_OUTPUT_FLAG, d.anomaly));
    PS_TRY(add_output(&d, "why", PS_OUTPUT_LABEL, d.why));
    /* Of several detect stages, the last one's verdicts are what the metrics count. */
    plan->anomaly_column = d.anomaly;
    return PS_OK;
}

const ps_stage ps_stage_detect = {
    .about = {.name = "detect",
              .summary = "Scores a field of every series and says which rows are anomalies.",
              .options = options,
              .config_bytes = sizeof(ps_detect_config)},
    .plan = plan_detect};
