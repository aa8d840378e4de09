/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/stage_multivariate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/multivariate.h"
#include "ml/found_call.h"

enum { MEANING_BYTES = 1024 };

static const ps_option options[] = {
    {.name = "fields",
     .help = "The declared fields, 2 to 8: floats or ints. A row that lacks one is not scored.",
     .type = PS_OPTION_LIST,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_multivariate_config, fields)},
    {.name = "method",
     .preset = "mahalanobis",
     .help = "mahalanobis: distance from the means in deviations, correlations taken off; pca: "
             "Hotelling's T2 within the principal components and Q, the distance from them. Adds "
             "joint_score, joint_t2, joint_q (pca), joint_anomaly and joint_why, the field that "
             "gives most.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_multivariate_config, method),
     .choices = "mahalanobis|pca"},
    {.name = "threshold",
     .preset = "6",
     .help = "The joint_score from which a row is an anomaly: -log10 of a probability.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_multivariate_config, threshold),
     .min = 0.01,
     .max = PS_SCORE_MAX},
    {.name = "explained",
     .preset = "0.9",
     .help = "Of pca: the part of the variance that the kept components have together.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_multivariate_config, explained),
     .min = 0.1,
     .max = 1},
    {.name = "shrinkage",
     .preset = "0.01",
     .help = "How far correlations are drawn towards 0, so that fields that always agree do not "
             "make the least disagreement infinite.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_multivariate_config, shrinkage),
     .min = 1e-6,
     .max = 0.999},
    {.name = "span",
     .preset = "1000",
     .help = "How many rows the means and covariances remember.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_multivariate_config, span),
     .min = 24,
     .max = 1000000},
    {.name = "warmup",
     .preset = "100",
     .help = "How many rows of a series come before it is scored.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_multivariate_config, warmup),
     .min = 12,
     .max = 1000000},
    {.name = "refit",
     .preset = "64",
     .help = "How many rows of a series one model scores before another is made of what was "
             "learned since.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_multivariate_config, refit),
     .min = 1,
     .max = 1000000},
    {.name = "as",
     .help = "Put before the names of the outputs: `net` gives net_joint_score.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_multivariate_config, as)},
    {.name = NULL}};

static ps_status read_fields(ps_found_call *call, const ps_string_list *fields) {
    if (fields->count < 2 || fields->count > PS_MULTIVARIATE_FIELDS_MAX)
        return ps_fail(call->error, PS_BAD_CONFIG, "fields: name 2 to %u, not %u",
                       PS_MULTIVARIATE_FIELDS_MAX, fields->count);
    for (uint32_t i = 0; i < fields->count; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(fields->at[i], fields->at[k]) == 0)
                return ps_fail(call->error, PS_BAD_CONFIG, "fields: '%s' is listed twice",
                               fields->at[i]);
        PS_TRY(ps_found_call_field(call, "fields", fields->at[i]));
    }
    return PS_OK;
}

/* In the order of the kernel's words. */
static ps_status add_outputs(ps_found_call *call, const ps_string_list *fields) {
    PS_TRY(ps_found_call_output(call, "joint_score", PS_OUTPUT_SCORE, NULL, 0));
    PS_TRY(ps_found_call_output(call, "joint_t2", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(call, "joint_q", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(call, "joint_anomaly", PS_OUTPUT_FLAG, NULL, 0));
    /* One column is counted: a detect stage's where there is one before. */
    if (call->plan->anomaly_column == PS_NOWHERE)
        call->plan->anomaly_column = call->place[call->places - 1].target.column;
    return ps_found_call_output(call, "joint_why", PS_OUTPUT_LABEL, fields->at, fields->count);
}

/* All that a kept model depends on. */
static const char *meaning_of(const ps_multivariate_config *config, char *meaning) {
    size_t used = (size_t)snprintf(
        meaning, MEANING_BYTES,
        "multivariate(%u %" PRId64 " %" PRId64 " %" PRId64 " %.17g %.17g) of", config->method,
        config->span, config->warmup, config->refit, config->shrinkage, config->explained);
    for (uint32_t i = 0; i < config->fields.count && used < MEANING_BYTES; i++)
        used += (size_t)snprintf(meaning + used, MEANING_BYTES - used, " %s", config->fields.at[i]);
    return meaning;
}

static ps_status plan_multivariate(const void *config, ps_plan *plan, ps_error *error) {
    const ps_multivariate_config *of = config;
    ps_found_call call = {.plan = plan, .error = error, .as = of->as};
    char meaning[MEANING_BYTES];
    PS_TRY(read_fields(&call, &of->fields));
    PS_TRY(add_outputs(&call, &of->fields));
    const ps_multivariate_params params = {.alpha = 2.0 / ((double)of->span + 1.0),
                                           .shrinkage = of->shrinkage,
                                           .explained = of->explained,
                                           .threshold = of->threshold,
                                           .fields = of->fields.count,
                                           .method = of->method,
                                           .warmup = (uint32_t)of->warmup,
                                           .refit = (uint32_t)of->refit};
    return ps_found_call_add(
        &call, &(ps_found_kernel){.kernel = PS_KERNEL_MULTIVARIATE,
                                  .meaning = meaning_of(of, meaning),
                                  .planes = ps_multivariate_planes(params.fields, params.method),
                                  .together = true,
                                  .params = &params,
                                  .params_bytes = sizeof params});
}

const ps_stage ps_stage_multivariate = {
    .about = {.name = "multivariate",
              .summary = "Scores several fields of a series together and says which rows are "
                         "anomalies.",
              .options = options,
              .config_bytes = sizeof(ps_multivariate_config)},
    .plan = plan_multivariate};
