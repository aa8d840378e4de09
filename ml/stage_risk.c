/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/stage_risk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/text.h"
#include "kernels/risk.h"
#include "ml/found_call.h"

enum { MEANING_BYTES = 1024 };

static const ps_option options[] = {
    {.name = "fields",
     .help = "The declared fields whose trends count, 1 to 8: floats or ints.",
     .type = PS_OPTION_LIST,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_risk_config, fields)},
    {.name = "limits",
     .help = "Where each of them fails: `{wear: 0.9, oil: \"< 20\"}`. A bare number or `>`: above "
             "it; `<`: below.",
     .type = PS_OPTION_MAP,
     .at = offsetof(ps_risk_config, limits)},
    {.name = "weights",
     .help = "How likely a field that reached its limit is a failure, 0 to 1, by default 1: `{oil: "
             "0.5}`.",
     .type = PS_OPTION_MAP,
     .at = offsetof(ps_risk_config, weights)},
    {.name = "horizon",
     .preset = "1h",
     .help = "The time to a limit that counts half; none at all counts whole.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(ps_risk_config, horizon_ns),
     .min = 1e6,
     .max = 1e18},
    {.name = "confidence",
     .preset = "0.95",
     .help = "How sure a trend must be to count: 1 less the probability that values without one "
             "have one as steep.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_risk_config, confidence),
     .max = 1},
    {.name = "span",
     .preset = "100",
     .help = "How many values of a field its trend remembers.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_risk_config, span),
     .min = 5,
     .max = 1000000},
    {.name = "warmup",
     .preset = "20",
     .help = "How many values of a field come before it takes part.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_risk_config, warmup),
     .min = 3,
     .max = 1000000},
    {.name = "time",
     .help =
         "A declared timestamp field that says when a row was measured; without it the record's "
         "timestamp does. A row without a time has the series' latest.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_risk_config, time)},
    {.name = "as",
     .help = "Put before the names of the outputs: risk, risk_seconds, risk_confidence, "
             "risk_factor and, for each field, risk_FIELD.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_risk_config, as)},
    {.name = NULL}};

/* A risk stage while it is planned. */
typedef struct risk {
    const ps_risk_config *config;
    ps_found_call call;
    double constant[PS_RISK_FIELDS_MAX * PS_RISK_CONSTANTS];
    char meaning[MEANING_BYTES];
} risk;

static const char *value_of(const ps_string_map *map, const char *name) {
    for (uint32_t i = 0; i < map->count; i++)
        if (strcmp(map->at[i].name, name) == 0) return map->at[i].value;
    return NULL;
}

static ps_status read_limit(risk *r, const char *name, double *of) {
    const char *text = value_of(&r->config->limits, name), *at = text;
    if (text == NULL)
        return ps_fail(r->call.error, PS_BAD_CONFIG, "limits: there is none of '%s'", name);
    of[1] = at[0] == '<' ? -1.0 : 1.0;
    at += at[0] == '<' || at[0] == '>';
    at += strspn(at, " ");
    if (ps_text_number(at, &of[0]) && of[0] >= -PS_FOUND_LIMIT && of[0] <= PS_FOUND_LIMIT)
        return PS_OK;
    return ps_fail(r->call.error, PS_BAD_CONFIG,
                   "limits: '%s' of %s is not a number, or one behind < or >", text, name);
}

static ps_status read_weight(risk *r, const char *name, double *weight) {
    const char *text = value_of(&r->config->weights, name);
    *weight = 1.0;
    if (text == NULL || (ps_text_number(text, weight) && *weight >= 0.0 && *weight <= 1.0))
        return PS_OK;
    return ps_fail(r->call.error, PS_BAD_CONFIG, "weights: '%s' of %s is not from 0 to 1", text,
                   name);
}

/* What is told of a field that is none would be told to nobody. */
static ps_status check_names(const risk *r, const char *option, const ps_string_map *map) {
    const ps_string_list *fields = &r->config->fields;
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t k = 0;
        while (k < fields->count && strcmp(fields->at[k], map->at[i].name) != 0) k++;
        if (k == fields->count)
            return ps_fail(r->call.error, PS_BAD_CONFIG, "%s: '%s' is not one of fields", option,
                           map->at[i].name);
    }
    return PS_OK;
}

/* Listed twice a field would count twice, and its output would be there twice. */
static ps_status check_once(const risk *r) {
    const ps_string_list *fields = &r->config->fields;
    for (uint32_t i = 1; i < fields->count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(fields->at[i], fields->at[k]) == 0)
                return ps_fail(r->call.error, PS_BAD_CONFIG, "fields: '%s' is listed twice",
                               fields->at[i]);
    return PS_OK;
}

static ps_status read_fields(risk *r) {
    const ps_string_list *fields = &r->config->fields;
    if (fields->count == 0 || fields->count > PS_RISK_FIELDS_MAX)
        return ps_fail(r->call.error, PS_BAD_CONFIG, "fields: name 1 to %u, not %u",
                       PS_RISK_FIELDS_MAX, fields->count);
    PS_TRY(check_once(r));
    PS_TRY(check_names(r, "limits", &r->config->limits));
    PS_TRY(check_names(r, "weights", &r->config->weights));
    for (uint32_t i = 0; i < fields->count; i++) {
        double *const of = &r->constant[PS_RISK_CONSTANTS * i];
        PS_TRY(ps_found_call_field(&r->call, "fields", fields->at[i]));
        PS_TRY(read_limit(r, fields->at[i], of));
        PS_TRY(read_weight(r, fields->at[i], &of[2]));
    }
    return ps_found_call_time(&r->call, r->config->time);
}

/* In the order of the kernel's words. */
static ps_status add_outputs(risk *r) {
    const ps_string_list *fields = &r->config->fields;
    PS_TRY(ps_found_call_output(&r->call, "risk", PS_OUTPUT_SCORE, NULL, 0));
    PS_TRY(ps_found_call_output(&r->call, "risk_seconds", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(&r->call, "risk_confidence", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(
        ps_found_call_output(&r->call, "risk_factor", PS_OUTPUT_LABEL, fields->at, fields->count));
    for (uint32_t i = 0; i < fields->count; i++) {
        char name[PS_NAME_MAX];
        if (snprintf(name, sizeof name, "risk_%s", fields->at[i]) >= (int)sizeof name)
            return ps_fail(r->call.error, PS_BAD_CONFIG, "fields: '%s' is too long a name",
                           fields->at[i]);
        PS_TRY(ps_found_call_output(&r->call, name, PS_OUTPUT_NUMBER, NULL, 0));
    }
    return PS_OK;
}

/* Limits and weights are not the state's: they may change and it stays. */
static const char *meaning_of(risk *r) {
    const ps_risk_config *config = r->config;
    size_t used = (size_t)snprintf(r->meaning, sizeof r->meaning, "risk(%" PRId64 " time %s) of",
                                   config->span, config->time == NULL ? "" : config->time);
    for (uint32_t i = 0; i < config->fields.count && used < sizeof r->meaning; i++)
        used += (size_t)snprintf(r->meaning + used, sizeof r->meaning - used, " %s",
                                 config->fields.at[i]);
    return r->meaning;
}

static ps_status plan_risk(const void *config, ps_plan *plan, ps_error *error) {
    risk r = {.config = config};
    r.call = (ps_found_call){.plan = plan, .error = error, .as = r.config->as};
    PS_TRY(read_fields(&r));
    PS_TRY(add_outputs(&r));
    const uint32_t fields = r.config->fields.count;
    const ps_risk_params params = {.keep = 1.0 - 2.0 / ((double)r.config->span + 1.0),
                                   .horizon = (double)r.config->horizon_ns / 1e9,
                                   .confidence = r.config->confidence,
                                   .fields = fields,
                                   .warmup = (uint32_t)r.config->warmup,
                                   .capacity = plan->series_capacity};
    ps_operand limits;
    PS_TRY(ps_plan_constant(plan, r.constant, fields * PS_RISK_CONSTANTS * sizeof(double), &limits,
                            error));
    return ps_found_call_add(&r.call,
                             &(ps_found_kernel){.kernel = PS_KERNEL_RISK,
                                                .meaning = meaning_of(&r),
                                                .planes = PS_RISK_TRENDS + PS_RISK_TREND * fields,
                                                .constant = &limits,
                                                .params = &params,
                                                .params_bytes = sizeof params});
}

const ps_stage ps_stage_risk = {
    .about = {.name = "risk",
              .summary = "Adds how near the trends of several fields bring a series to failing.",
              .options = options,
              .config_bytes = sizeof(ps_risk_config)},
    .plan = plan_risk};
