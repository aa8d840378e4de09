/* SPDX-License-Identifier: Apache-2.0
 * Command lines from the same option tables as pipeline files: `--rows 10` and `rows: 10` are one
 * parser. A BOOL row is a flag without a value; a LIST row may be repeated.
 */
#ifndef PS_HOST_CLI_ARGS_H
#define PS_HOST_CLI_ARGS_H

#include "host/base/options.h"
#include "host/cli/pool.h"

enum {
    PS_EXIT_OK = 0,
    PS_EXIT_FAILED = 1,
    PS_EXIT_USAGE = 2,
    PS_EXIT_CANNOT_TELL = 3, /* of a verification */
    PS_EXIT_GO_ON = -1
};

typedef struct ps_command {
    const char *name;
    const char *operands; /* "FILE", as the usage line shows it */
    const char *summary;  /* one line */
    const char *details;  /* a paragraph or NULL */
    const ps_option *options;
    const ps_about *stage;     /* whose options the command takes too, or NULL … */
    size_t stage_at;           /* … into this place of what is filled … */
    const char *stage_without; /* … but for these, "a|b" */
    /* What is preset otherwise than in the stage: option, value, …, NULL. NULL: nothing. */
    const char *const *stage_presets;
    uint32_t operands_min, operands_max;
    int (*run)(int argc, char **argv); /* argv[0] is the command; the exit code */
} ps_command;

typedef struct ps_args {
    ps_pool *pool;
    const char **operand;
    uint32_t count;
} ps_args;

/* Fills `out` (presets, then what is written) and the operands. PS_EXIT_GO_ON, or the code to leave
 * with: help was asked for, or a message was printed. Owns: ps_args_deinit in either case. */
int ps_args_init(ps_args *args, const ps_command *command, int argc, char **argv, void *out);
void ps_args_deinit(ps_args *args);

/* `--help` of one command, to stdout. */
void ps_command_help(const ps_command *command);

#endif
