/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/stage_forecast.h"

#include <inttypes.h>
#include <stdio.h>

#include "kernels/beta.h"
#include "kernels/forecast.h"
#include "ml/found_call.h"

enum {
    SEASON_MAX = 192,
    FOUND_MAX = 96, /* a season that is found is met four times before */
    HORIZON_MAX = 192,
    QUANTILES = 128 /* degrees of freedom beyond that count as so many */
};

static const ps_option options[] = {
    {.name = "field",
     .help = "The declared field to forecast: a float or an int.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_forecast_config, field)},
    {.name = "method",
     .preset = "additive",
     .help = "additive and multiplicative: Holt-Winters with a damped trend and a season that is "
             "added to the level or multiplies it (then only values above 0 count); naive: what "
             "was a season before, which another method has to beat.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_forecast_config, method),
     .choices = "additive|multiplicative|naive"},
    {.name = "horizon",
     .preset = "1",
     .help = "How many rows of the series ahead. Every event with a value gets `forecast` and, "
             "once twice as many forecasts came due, forecast_low and forecast_high.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_forecast_config, horizon),
     .min = 1,
     .max = HORIZON_MAX},
    {.name = "level",
     .preset = "0.95",
     .help = "The part of values that lies between forecast_low and forecast_high: quantiles of "
             "Student's t times what these forecasts' errors have been.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_forecast_config, level),
     .min = 0.5,
     .max = 0.9999},
    {.name = "season",
     .preset = "auto",
     .help = "How many rows of a series a season has, each a number of state; 1: there is none. "
             "auto: found in the first 4 * season_max values of each series by their "
             "autocorrelation; until then there is no forecast.",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(ps_forecast_config, season),
     .min = 1,
     .max = SEASON_MAX},
    {.name = "season_max",
     .preset = "24",
     .help = "Of season auto: the longest that is looked for. Five times as many numbers are kept.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_forecast_config, season_max),
     .min = 2,
     .max = FOUND_MAX},
    {.name = "level_span",
     .preset = "20",
     .help = "How many values the level remembers; the trend ten times as many.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_forecast_config, level_span),
     .min = 2,
     .max = 1000000},
    {.name = "damping",
     .preset = "0.98",
     .help = "What is left of the trend a row on; 1: all of it.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_forecast_config, damping),
     .max = 1},
    {.name = "span",
     .preset = "288",
     .help = "How many errors the bounds remember.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_forecast_config, span),
     .min = 4,
     .max = 1000000},
    {.name = "warmup",
     .preset = "10",
     .help = "How many values of a series come before it is forecast; at least one and a half "
             "seasons do.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_forecast_config, warmup),
     .min = 1,
     .max = 1000000},
    {.name = "as",
     .help = "Put before the names of the outputs: `cpu` gives cpu_forecast, cpu_forecast_low.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_forecast_config, as)},
    {.name = NULL}};

/* Where both tails together are `outside`: halved until a double has no more digits. */
static double student_quantile(double outside, double df) {
    const double log_outside = ps_log(outside);
    double low = 0.0, high = 1.0;
    while (ps_student_log_tail(high, df) > log_outside) high *= 2.0;
    for (uint32_t i = 0; i < 52; i++) {
        const double middle = 0.5 * (low + high);
        if (ps_student_log_tail(middle, df) > log_outside)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static ps_status add_quantiles(const ps_forecast_config *config, ps_plan *plan,
                               ps_operand *quantiles, ps_error *error) {
    double quantile[QUANTILES];
    for (uint32_t i = 0; i < QUANTILES; i++)
        quantile[i] = student_quantile(1.0 - config->level, i + 1.0);
    return ps_plan_constant(plan, quantile, sizeof quantile, quantiles, error);
}

static ps_forecast_params params_of(const ps_forecast_config *config) {
    const bool found = config->season == 0;
    const uint32_t parts = (uint32_t)(found ? config->season_max : config->season);
    const double level = 2.0 / ((double)config->level_span + 1.0);
    ps_forecast_params params = {.weights = {level, 0.1 * level, 0.1, config->damping},
                                 .variance = 2.0 / ((double)config->span + 1.0),
                                 .horizon = (uint32_t)config->horizon,
                                 .parts = parts,
                                 .learn = found ? PS_SEASON_TURNS * parts : 0,
                                 .method = config->method,
                                 .warmup = (uint32_t)config->warmup,
                                 .quantiles = QUANTILES};
    if (params.warmup < parts + parts / 2) params.warmup = parts + parts / 2;
    double left = 1.0;
    for (uint32_t i = 0; i < params.horizon; i++) {
        left *= config->damping;
        params.damped += left;
    }
    return params;
}

static ps_status plan_forecast(const void *config, ps_plan *plan, ps_error *error) {
    const ps_forecast_config *forecast = config;
    ps_found_call call = {.plan = plan, .error = error, .as = forecast->as};
    const ps_forecast_params params = params_of(forecast);
    ps_operand quantiles;
    PS_TRY(ps_found_call_field(&call, "field", forecast->field));
    PS_TRY(ps_found_call_output(&call, "forecast", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(&call, "forecast_low", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(&call, "forecast_high", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(add_quantiles(forecast, plan, &quantiles, error));
    char meaning[256];
    (void)snprintf(meaning, sizeof meaning,
                   "forecast(%u %u %u %u %u %" PRId64 " %" PRId64 " %.17g) of %s", params.method,
                   params.horizon, params.parts, params.learn, params.warmup, forecast->level_span,
                   forecast->span, forecast->damping, forecast->field);
    return ps_found_call_add(&call, &(ps_found_kernel){.kernel = PS_KERNEL_FORECAST,
                                                       .meaning = meaning,
                                                       .planes = PS_FORECAST_PLANES + params.parts +
                                                                 params.horizon + params.learn,
                                                       .together = true,
                                                       .constant = &quantiles,
                                                       .params = &params,
                                                       .params_bytes = sizeof params});
}

const ps_stage ps_stage_forecast = {
    .about = {.name = "forecast",
              .summary = "Adds what a field of a series will be some rows on, with its bounds.",
              .options = options,
              .config_bytes = sizeof(ps_forecast_config)},
    .plan = plan_forecast};
