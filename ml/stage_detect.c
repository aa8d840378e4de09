/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/stage_detect.h"

#include <stdio.h>
#include <string.h>

#include "host/base/text.h"
#include "kernels/score.h"
#include "kernels/suppress.h"
#include "kernels/vote.h"
#include "ml/detector.h"

/* A detect stage while it is planned: the columns that its calls share. */
typedef struct detect {
    const ps_detect_config *config;
    ps_plan *plan;
    ps_error *error;
    const ps_detector *detector[PS_DETECTORS_MAX];
    uint32_t count;
    uint32_t field, scores, channels, score, anomaly, why;
    uint32_t fresh;                   /* column: whether a series begins from the initial state */
    uint32_t stride;                  /* rows from a detector's scores to the next one's */
    uint8_t weight[PS_DETECTORS_MAX]; /* where it is weighed, `vote` PS_VOTE_WEIGHED */
    uint32_t vote;
    ps_operand time, timed; /* when a row was measured, and whether that is known */
    uint32_t how;           /* PS_TIME_RECORD_MS or PS_TIME_FIELD_NS */
    double threshold[PS_DETECTORS_MAX];
} detect;

static ps_status check_field(detect *d) {
    const char *name = d->config->field;
    PS_TRY(ps_plan_read(d->plan, name, &d->field, d->error));
    const ps_schema *schema = &d->plan->schema;
    const ps_type type = schema->column[d->field].type;
    const bool declared =
        d->field >= schema->field_first && d->field - schema->field_first < schema->field_count;
    if (!declared || schema->column[d->field].time || (type != PS_TYPE_F64 && type != PS_TYPE_I64))
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "field: '%s' is not a number: declare it under decode as float or int",
                       name);
    return PS_OK;
}

static ps_status check_time(detect *d) {
    uint32_t time = PS_COLUMN_TIMESTAMP;
    d->how = d->config->time == NULL ? PS_TIME_RECORD_MS : PS_TIME_FIELD_NS;
    if (d->how == PS_TIME_FIELD_NS) {
        PS_TRY(ps_plan_read(d->plan, d->config->time, &time, d->error));
        if (!d->plan->schema.column[time].time)
            return ps_fail(d->error, PS_BAD_CONFIG, "time: '%s' is not declared as timestamp",
                           d->config->time);
    }
    d->time = ps_operand_values(time);
    /* The record's has none, and its kernels do not look. */
    d->timed = ps_operand_validity(d->how == PS_TIME_FIELD_NS ? time : d->field);
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

static ps_status read_weight(detect *d, const ps_string_pair *pair) {
    int64_t weight = 0;
    uint32_t i = 0;
    while (i < d->count && strcmp(d->detector[i]->name, pair->name) != 0) i++;
    if (i == d->count)
        return ps_fail(d->error, PS_BAD_CONFIG, "weights: '%s' is not among the detectors",
                       pair->name);
    if (!ps_text_integer(pair->value, &weight) || weight < 0 || weight > UINT8_MAX)
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "weights: '%s' of %s is not a whole number from 0 to 255", pair->value,
                       pair->name);
    d->weight[i] = (uint8_t)weight;
    return PS_OK;
}

static ps_status check_weights(detect *d) {
    const ps_string_map *weights = &d->config->weights;
    uint32_t sum = 0;
    d->vote = (uint32_t)d->config->vote;
    if (weights->count == 0) return PS_OK;
    if (d->vote != 1)
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "vote and weights exclude each other: leave one out");
    d->vote = PS_VOTE_WEIGHED;
    for (uint32_t i = 0; i < d->count; i++) d->weight[i] = 1;
    for (uint32_t i = 0; i < weights->count; i++) PS_TRY(read_weight(d, &weights->at[i]));
    for (uint32_t i = 0; i < d->count; i++) sum += d->weight[i];
    if (sum == 0)
        return ps_fail(d->error, PS_BAD_CONFIG, "weights: all are 0, so no detector has a say");
    if (d->count > 1) return PS_OK;
    return ps_fail(d->error, PS_BAD_CONFIG,
                   "weights: %s is the only detector, so there is nothing to weigh: leave weights "
                   "out, or add detectors",
                   d->detector[0]->name);
}

static ps_status check_verdict(detect *d) {
    const ps_detect_config *config = d->config;
    if (config->vote < 1 || config->vote > (int64_t)d->count)
        return ps_fail(d->error, PS_BAD_CONFIG, "vote: %lld is not between 1 and the %u detectors",
                       (long long)config->vote, d->count);
    PS_TRY(ps_detect_sensitivity_check(config, d->error));
    if (config->threshold != 0.0 && config->sensitivity != NULL &&
        strcmp(config->sensitivity, "auto") != 0)
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "threshold and sensitivity exclude each other: leave one out");
    PS_CHECK_OP(config->preset, <, (uint32_t)PS_DETECT_PRESETS);
    for (uint32_t i = 0; i < d->count; i++)
        d->threshold[i] = ps_detect_threshold(config, d->detector[i]);
    if (config->weights.count > 0 && d->threshold[0] > (double)PS_VOTE_BOUND)
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "threshold: a score counts as at most %g where detectors are weighed, and "
                       "the threshold is %g: set threshold to less, or sensitivity to more",
                       (double)PS_VOTE_BOUND, d->threshold[0]);
    if (config->quiet_ns > 0 && config->quiet_rows_min > config->quiet_rows_max)
        return ps_fail(d->error, PS_BAD_CONFIG,
                       "quiet_rows_min: %lld is more than quiet_rows_max, %lld",
                       (long long)config->quiet_rows_min, (long long)config->quiet_rows_max);
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

/* A plane per detector, as far from the next as scores are, where one of them has channels. */
static ps_status add_channels(detect *d) {
    bool any = false;
    for (uint32_t i = 0; i < d->count; i++) any |= d->detector[i]->timed;
    d->channels = d->scores; /* nobody looks there */
    if (!any) return PS_OK;
    char name[PS_NAME_MAX];
    (void)snprintf(name, sizeof name, "$channels-%u", d->plan->schema.column_count);
    const uint32_t rows_max = d->plan->schema.rows_max;
    const uint32_t width = (d->count * d->stride + rows_max - 1) / rows_max;
    return ps_plan_add(d->plan, name, PS_TYPE_SCRATCH, PS_PER_ROW, width, &d->channels, d->error);
}

/* Columns of their own, behind each other, where they go out. */
static ps_status add_own_scores(detect *d) {
    enum { FLOATS = PS_COLUMN_ALIGNMENT / sizeof(float) };
    for (uint32_t i = 0; i < d->count; i++) {
        char what[PS_NAME_MAX];
        uint32_t column;
        (void)snprintf(what, sizeof what, "score_%.40s", d->detector[i]->name);
        PS_TRY(add_column(d, what, PS_TYPE_F32, 0, &column));
        PS_TRY(ps_plan_nan(d->plan, column, d->error));
        if (i == 0) d->scores = column;
    }
    d->stride = (d->plan->schema.rows_max + FLOATS - 1) / FLOATS * FLOATS;
    return PS_OK;
}

static ps_status add_scores(detect *d) {
    char name[PS_NAME_MAX];
    if (d->config->scores) return add_own_scores(d);
    (void)snprintf(name, sizeof name, "$scores-%u", d->plan->schema.column_count);
    d->stride = d->plan->schema.rows_max;
    PS_TRY(ps_plan_add(d->plan, name, PS_TYPE_SCRATCH, PS_PER_ROW, 4 * d->count, &d->scores,
                       d->error));
    return ps_plan_nan(d->plan, d->scores, d->error);
}

static ps_operand scores_of(const detect *d, uint32_t index) {
    if (d->config->scores) return ps_operand_values(d->scores + index);
    ps_operand scores = ps_operand_values(d->scores);
    scores.offset = (size_t)index * sizeof(float) * d->stride;
    return scores;
}

/* Of a stage of its own: it may know a series that begins in another one. */
static ps_status add_fresh(detect *d) {
    char name[PS_NAME_MAX];
    d->fresh = PS_COLUMN_FRESH;
    if (d->config->warm_state == NULL) return PS_OK;
    (void)snprintf(name, sizeof name, "$fresh-%u", d->plan->schema.column_count);
    return ps_plan_add(d->plan, name, PS_TYPE_U8, PS_PER_SEGMENT, 0, &d->fresh, d->error);
}

static ps_status add_warm(detect *d, uint32_t first_state) {
    const char *path = d->config->warm_state;
    if (path == NULL) return PS_OK;
    const ps_status status = ps_plan_warm(d->plan, path, first_state, d->fresh, d->error);
    return status == PS_OK ? PS_OK : ps_fail_in(d->error, status, "warm_state");
}

static ps_status add_columns(detect *d) {
    PS_TRY(add_scores(d));
    PS_TRY(add_channels(d));
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
    char meaning[PS_WARM_OPTIONS_MAX], state_name[512];
    detector->fill(&setting, params, meaning, sizeof meaning);
    const char *time = d->config->time == NULL ? "" : d->config->time;
    (void)snprintf(state_name, sizeof state_name, "%s(%s%s%s) of %s", detector->name, meaning,
                   detector->timed ? ", time " : "", detector->timed ? time : "", field->name);
    ps_operand state, image;
    ps_operand channels = ps_operand_values(d->channels);
    PS_TRY(ps_plan_state(d->plan, state_name, ps_detector_planes(detector, d->config), &state,
                         &image, d->error));
    if (detector->timed || detector->together) ps_plan_together(d->plan);
    ps_plan_describe(d->plan, detector->name, detector->format, meaning, false);
    channels.offset = (size_t)index * d->stride;
    const ps_operand operands[] = {ps_operand_values(d->field),
                                   ps_operand_validity(d->field),
                                   ps_operand_values(PS_COLUMN_ORDER),
                                   ps_operand_values(PS_COLUMN_FIRST),
                                   ps_operand_values(PS_COLUMN_SERIES),
                                   ps_operand_values(d->fresh),
                                   state,
                                   image,
                                   scores_of(d, index),
                                   d->time,
                                   d->timed,
                                   channels};
    return ps_plan_call(d->plan, detector->kernel, PS_PER_SEGMENT, operands, params,
                        ps_kernels[detector->kernel].params_bytes, d->error);
}

/* Scores are compared with the first detector's threshold, each in its own measure. */
static ps_status add_vote(detect *d) {
    ps_vote_params params = {.detectors = d->count,
                             .stride = d->stride,
                             .vote = d->vote,
                             .bound = PS_VOTE_BOUND,
                             .threshold = (float)d->threshold[0]};
    for (uint32_t i = 0; i < d->count; i++) {
        params.scale[i] = (float)(d->threshold[0] / d->threshold[i]);
        params.reason[i] = (uint8_t)d->detector[i]->reason;
        params.channels |= (uint32_t)d->detector[i]->timed << i;
    }
    memcpy(params.weight, d->weight, sizeof params.weight);
    const ps_operand operands[] = {scores_of(d, 0), ps_operand_values(d->channels),
                                   ps_operand_values(d->score), ps_operand_values(d->anomaly),
                                   ps_operand_values(d->why)};
    return ps_plan_call(d->plan, PS_KERNEL_VOTE, PS_PER_ROW, operands, &params, sizeof params,
                        d->error);
}

/* After the vote. Scores are data and stay; verdicts are what somebody is woken by. */
static ps_status add_suppress(detect *d) {
    const ps_detect_config *config = d->config;
    if (config->quiet_ns == 0) return PS_OK;
    const ps_suppress_params params = {.quiet_ms = (double)config->quiet_ns / 1e6,
                                       .rows_least = (uint32_t)config->quiet_rows_min,
                                       .rows_most = (uint32_t)config->quiet_rows_max,
                                       .capacity = d->plan->series_capacity,
                                       .time = d->how};
    char state_name[512];
    (void)snprintf(state_name, sizeof state_name, "quiet(time %s) of %s",
                   config->time == NULL ? "" : config->time, d->plan->schema.column[d->score].name);
    ps_operand state, image;
    PS_TRY(ps_plan_state(d->plan, state_name, PS_SUPPRESS_PLANES, &state, &image, d->error));
    ps_plan_describe(d->plan, PS_WARM_QUIET, 0, "", true);
    const ps_operand operands[] = {ps_operand_values(d->score),
                                   ps_operand_values(d->anomaly),
                                   ps_operand_values(d->why),
                                   ps_operand_values(PS_COLUMN_ORDER),
                                   ps_operand_values(PS_COLUMN_FIRST),
                                   ps_operand_values(PS_COLUMN_SERIES),
                                   ps_operand_values(d->fresh),
                                   state,
                                   image,
                                   d->time,
                                   d->timed};
    return ps_plan_call(d->plan, PS_KERNEL_SUPPRESS, PS_PER_SEGMENT, operands, &params,
                        sizeof params, d->error);
}

static ps_status add_output(detect *d, const char *what, ps_output_kind kind, uint32_t column) {
    /* A row without a score has no verdict either: fields that are null leave out all three. */
    ps_output output = {.kind = kind, .column = column, .of = PS_NOWHERE, .gate = d->score};
    if (kind == PS_OUTPUT_LABEL) {
        output.labels = ps_detector_reasons;
        output.label_count = ps_detector_reason_count;
    }
    PS_TRY(name_of(d, what, output.name));
    return ps_plan_output(d->plan, &output, d->error);
}

static ps_status add_score_outputs(detect *d) {
    for (uint32_t i = 0; i < d->count && d->config->scores; i++) {
        char what[PS_NAME_MAX];
        (void)snprintf(what, sizeof what, "score_%.40s", d->detector[i]->name);
        PS_TRY(add_output(d, what, PS_OUTPUT_SCORE, d->scores + i));
    }
    return PS_OK;
}

/* A score is -log10 of a probability, so each level is a thousand times less likely than the last.
 */
static ps_status add_severity(detect *d) {
    static const char *const levels[] = {"low", "medium", "high", "critical"};
    ps_output output = {.kind = PS_OUTPUT_LEVEL,
                        .column = d->anomaly,
                        .of = PS_NOWHERE,
                        .gate = d->score,
                        .labels = levels,
                        .label_count = sizeof levels / sizeof *levels,
                        .levels = {(float)d->threshold[0], 3.0f}};
    if (!d->config->severity) return PS_OK;
    PS_TRY(name_of(d, "severity", output.name));
    return ps_plan_output(d->plan, &output, d->error);
}

static ps_status plan_detect(const void *config, ps_plan *plan, ps_error *error) {
    detect d = {.config = config, .plan = plan, .error = error};
    PS_TRY(check_field(&d));
    PS_TRY(check_time(&d));
    PS_TRY(check_detectors(&d));
    PS_TRY(ps_detect_options_check(d.config, error));
    PS_TRY(check_weights(&d));
    PS_TRY(check_verdict(&d));
    PS_TRY(ps_plan_group(plan, error));
    const uint32_t first_state = plan->state_count;
    PS_TRY(add_fresh(&d));
    PS_TRY(add_columns(&d));
    for (uint32_t i = 0; i < d.count; i++) PS_TRY(add_detector(&d, i));
    PS_TRY(add_vote(&d));
    PS_TRY(add_suppress(&d));
    PS_TRY(add_warm(&d, first_state));
    PS_TRY(add_output(&d, "score", PS_OUTPUT_SCORE, d.score));
    PS_TRY(add_output(&d, "anomaly", PS_OUTPUT_FLAG, d.anomaly));
    PS_TRY(add_output(&d, "why", PS_OUTPUT_LABEL, d.why));
    PS_TRY(add_severity(&d));
    PS_TRY(add_score_outputs(&d));
    /* Of several detect stages, the last one's verdicts are what the metrics count. */
    plan->anomaly_column = d.anomaly;
    return PS_OK;
}

const ps_stage ps_stage_detect = {
    .about = {.name = "detect",
              .summary = "Scores a field of every series and says which rows are anomalies.",
              .options = ps_detect_options,
              .config_bytes = sizeof(ps_detect_config),
              .effective = ps_detect_effective},
    .plan = plan_detect};
