/* SPDX-License-Identifier: Apache-2.0
 * From a pipeline file to what runs: plan, back-end and pipeline_config, as `run`, `explain` and
 * `quickstart` need them.
 */
#ifndef PS_HOST_CLI_LAUNCH_H
#define PS_HOST_CLI_LAUNCH_H

#include "host/cli/client.h"
#include "host/flow/placement.h"

typedef struct ps_launch {
    ps_config config;
    ps_plan plan;
    ps_pipeline_config pipeline;
    ps_placement placement; /* of the back-end, and why */
    ps_client_choice client;
} ps_launch;

/* Reads (ps_config_init), checks and plans; faults and other messages are printed under `command`.
 * PS_EXIT_GO_ON or the exit code. Large: keep it in static or heap memory. Owns: deinit in either
 * case. */
int ps_launch_init(ps_launch *launch, const char *command, const char *file, const char *text,
                   const ps_string_list *sets);
void ps_launch_deinit(ps_launch *launch);

/* Prints an error under `where` and says which exit code it means. */
int ps_launch_failed(const char *where, ps_status status, const ps_error *error);

#endif
