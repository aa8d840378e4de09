/* SPDX-License-Identifier: Apache-2.0 */
#include "ml/stage_drift.h"

#include <inttypes.h>
#include <stdio.h>

#include "kernels/drift.h"
#include "ml/found_call.h"

enum { VALUES_MAX = 1000000 };

static const ps_option options[] = {
    {.name = "field",
     .help = "The declared field to watch: a float or an int.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_drift_config, field)},
    {.name = "baseline",
     .preset = "1000",
     .help = "How many values of a series are its baseline: the first ones, or those behind its "
             "last drift.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_drift_config, baseline),
     .min = 2,
     .max = VALUES_MAX},
    {.name = "window",
     .preset = "256",
     .help = "How many of the last values are compared with it, a multiple of 8. A test comes with "
             "every eighth of them, and its results with the event that completes it: drift_t, "
             "drift_df, drift_p, drift_change (of the mean), drift_score (-log10 of p) and drift.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_drift_config, window),
     .min = PS_DRIFT_PANES,
     .max = VALUES_MAX},
    {.name = "threshold",
     .preset = "6",
     .help = "The drift_score from which it is a drift: 6 is a p of one in a million.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_drift_config, threshold),
     .min = 0.01,
     .max = PS_SCORE_MAX},
    {.name = "effect",
     .preset = "0.25",
     .help = "How far the means must be from each other, in deviations of the baseline: of many "
             "values the smallest difference is significant.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_drift_config, effect),
     .max = 1e6},
    {.name = "renew",
     .preset = "true",
     .help = "Whether a drift begins a new baseline; without it every test after a drift says so "
             "again.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_drift_config, renew)},
    {.name = "as",
     .help = "Put before the names of the outputs: `cpu` gives cpu_drift, cpu_drift_p.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_drift_config, as)},
    {.name = NULL}};

/* In the order of the kernel's words. */
static ps_status add_outputs(ps_found_call *call) {
    PS_TRY(ps_found_call_output(call, "drift_t", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(call, "drift_df", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(call, "drift_p", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(call, "drift_change", PS_OUTPUT_NUMBER, NULL, 0));
    PS_TRY(ps_found_call_output(call, "drift_score", PS_OUTPUT_SCORE, NULL, 0));
    return ps_found_call_output(call, "drift", PS_OUTPUT_FLAG, NULL, 0);
}

static ps_status plan_drift(const void *config, ps_plan *plan, ps_error *error) {
    const ps_drift_config *drift = config;
    ps_found_call call = {.plan = plan, .error = error, .as = drift->as};
    if (drift->window % PS_DRIFT_PANES != 0)
        return ps_fail(error, PS_BAD_CONFIG, "window: %" PRId64 " is not a multiple of %u",
                       drift->window, PS_DRIFT_PANES);
    PS_TRY(ps_found_call_field(&call, "field", drift->field));
    PS_TRY(add_outputs(&call));
    const ps_drift_params params = {.score = drift->threshold,
                                    .effect = drift->effect,
                                    .baseline = (uint32_t)drift->baseline,
                                    .pane = (uint32_t)(drift->window / PS_DRIFT_PANES),
                                    .renew = drift->renew,
                                    .capacity = plan->series_capacity};
    char meaning[256], verdict[64] = "";
    /* Where a drift begins no new baseline, what counts as one may change and the state stays. */
    if (drift->renew)
        (void)snprintf(verdict, sizeof verdict, " %.17g %.17g", drift->threshold, drift->effect);
    (void)snprintf(meaning, sizeof meaning, "drift(%" PRId64 " %" PRId64 "%s %d) of %s",
                   drift->baseline, drift->window, verdict, drift->renew, drift->field);
    return ps_found_call_add(&call, &(ps_found_kernel){.kernel = PS_KERNEL_DRIFT,
                                                       .meaning = meaning,
                                                       .planes = PS_DRIFT_PLANES,
                                                       .params = &params,
                                                       .params_bytes = sizeof params});
}

const ps_stage ps_stage_drift = {
    .about = {.name = "drift",
              .summary = "Says when the mean of a field of a series is no longer what it was.",
              .options = options,
              .config_bytes = sizeof(ps_drift_config)},
    .plan = plan_drift};
