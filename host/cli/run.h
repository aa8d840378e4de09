/* SPDX-License-Identifier: Apache-2.0
 * Running a pipeline to its end and watching it: what `run` and `quickstart` share.
 */
#ifndef PS_HOST_CLI_RUN_H
#define PS_HOST_CLI_RUN_H

#include "host/cli/http.h"
#include "host/cli/totals.h"

typedef struct ps_run_look {
    const char *where; /* the command, for messages */
    bool live;         /* draw the live line */
    bool announce;     /* say that it has started */
    ps_http *http;     /* NULL: none */
    /* What it holds too little of is measured beside the job. NULL: the back-end is given. */
    ps_placement *placement;
} ps_run_look;

typedef struct ps_run_result {
    ps_totals totals;
    const char *backend; /* where the first lane was in the end */
    double seconds;      /* since the first lane was ready */
    bool told;           /* a lane failed and has said why */
} ps_run_result;

/* SIGTERM and SIGINT drain the pipeline that runs; a second one ends the process at once. Before
 * anything runs one is enough: `farewell`, which is borrowed, goes to stdout. */
void ps_run_catch_signals(const char *farewell);

/* Drains what runs now. Threads: any. */
void ps_run_stop(void);

ps_status ps_run_pipeline(const ps_pipeline_config *config, const ps_run_look *look,
                          ps_run_result *result, ps_error *error) PS_MUST_USE;

#endif
