/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/launch.h"

#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "host/cli/args.h"
#include "host/cli/tables.h"
#include "host/device/backend.h"
#include "host/device/choice.h"

int ps_launch_failed(const char *where, ps_status status, const ps_error *error) {
    ps_log(PS_LOG_ERROR, where, "%s", error->message);
    return status == PS_BAD_CONFIG ? PS_EXIT_USAGE : PS_EXIT_FAILED;
}

/* What is named must be there: a job that was meant for a GPU must not crawl along unnoticed. */
static ps_status named(const ps_runtime *runtime, const ps_backend **out, ps_error *error) {
    char name[PS_OPTION_TEXT_MAX];
    const char *why = "";
    const ps_option *option = ps_option_find(ps_runtime_options, "backend");
    (void)ps_option_value(option, runtime, name);
    *out = ps_backend_find(name);
    PS_CHECK(*out != NULL);
    if ((*out)->devices(&why) > 0) return PS_OK;
    return ps_fail(
        error, PS_BAD_CONFIG,
        "runtime.backend: %s has no device here (%s); take auto or cpu, or see `penstock "
        "devices`",
        name, why);
}

/* Whether drivers may be loaded just to look. Who gives the worker little memory wants a small one:
 * there a driver must fit in as well. */
static bool has_room(ps_pipeline_config *pipeline) {
    ps_ceiling with;
    pipeline->driver_bytes = ps_backend_driver_bytes(NULL);
    if (pipeline->driver_bytes <= (size_t)pipeline->memory_max / 2 ||
        (ps_pipeline_ceiling(pipeline, &with, NULL) == PS_OK &&
         with.total <= (size_t)pipeline->memory_max))
        return true;
    pipeline->driver_bytes = 0;
    return false;
}

static void choose(ps_launch *launch) {
    ps_placement *placement = &launch->placement;
    launch->pipeline.backend_auto = true;
    launch->pipeline.placement = placement;
    if (has_room(&launch->pipeline)) {
        ps_placement_choose(&launch->plan, (uint32_t)launch->config.runtime.lanes, placement);
        return;
    }
    *placement = (ps_placement){.backend = &ps_backend_cpu};
    (void)snprintf(
        placement->why, sizeof placement->why,
        "runtime.memory_max asks for a small worker, and a device's driver takes %zu MiB "
        "of the host's memory; raise it to twice that, or set PS_GPU=ignore",
        ps_backend_driver_bytes(NULL) >> 20);
    ps_log(PS_LOG_INFO, "run", "on cpu: %s", placement->why);
}

int ps_launch_init(ps_launch *launch, const char *command, const char *file, const char *text,
                   const ps_string_list *sets) {
    ps_error error;
    memset(launch, 0, sizeof *launch);
    if (!ps_config_init(&launch->config, file, text, sets)) {
        ps_faults_print(&launch->config.faults);
        return PS_EXIT_USAGE;
    }
    ps_status status = ps_choice_init(&error);
    if (status != PS_OK) return ps_launch_failed(command, status, &error);
    status = ps_config_plan(&launch->config, &launch->plan, &error);
    if (status != PS_OK) return ps_launch_failed(command, status, &error);
    ps_config_pipeline(&launch->config, &launch->plan, &launch->pipeline);
    ps_client_choose(&launch->config, &launch->client);
    launch->placement = (ps_placement){.why = "runtime.backend asks for it"};
    if (launch->config.runtime.backend == 0) {
        choose(launch);
    } else {
        status = named(&launch->config.runtime, &launch->placement.backend, &error);
        if (status != PS_OK) return ps_launch_failed(command, status, &error);
        launch->pipeline.driver_bytes = ps_backend_driver_bytes(launch->placement.backend);
    }
    launch->pipeline.backend = launch->placement.backend;
    if (launch->pipeline.codec != NULL) launch->plan.schema.escape = launch->pipeline.codec->escape;
    return PS_EXIT_GO_ON;
}

void ps_launch_deinit(ps_launch *launch) {
    ps_plan_deinit(&launch->plan);
    ps_config_deinit(&launch->config);
}
