/* SPDX-License-Identifier: Apache-2.0
 * The subcommands: one file each, one row each in main.c.
 */
#ifndef PS_HOST_CLI_COMMANDS_H
#define PS_HOST_CLI_COMMANDS_H

#include "host/cli/args.h"

extern const ps_command ps_command_run;
extern const ps_command ps_command_check;
extern const ps_command ps_command_explain;
extern const ps_command ps_command_devices;
extern const ps_command ps_command_quickstart;
extern const ps_command ps_command_gen;
extern const ps_command ps_command_score;
extern const ps_command ps_command_bench;
extern const ps_command ps_command_dead;
extern const ps_command ps_command_reset;
extern const ps_command ps_command_seal;
extern const ps_command ps_command_help_;

/* All of them, in the order `penstock help` lists them; NULL behind the last. */
const ps_command *ps_command_at(uint32_t index);

/* The overview: what `penstock`, `penstock help` and `penstock --help` print. */
void ps_overview_print(void);

#endif
