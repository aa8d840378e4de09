/* SPDX-License-Identifier: Apache-2.0
 * One file through a detect stage: `timestamp,value` in, the same lines with `anomaly_score,alert`
 * behind them out, in pieces, so that a file may be of any length.
 */
#ifndef PS_HOST_CLI_SCORE_FILE_H
#define PS_HOST_CLI_SCORE_FILE_H

#include <stdio.h>

#include "ingest/series_csv.h"
#include "ml/solo.h"

enum { PS_SCORE_LEVELS_MAX = 4 };

typedef struct ps_score_run ps_score_run;

/* What all files came to, for one stage. */
typedef struct ps_score_total {
    double threshold;
    uint64_t alerts;
} ps_score_total;

typedef struct ps_score_totals {
    uint32_t files, count;
    uint64_t rows;
    double days; /* of the series' own clocks */
    ps_score_total at[PS_SCORE_LEVELS_MAX];
} ps_score_totals;

/* The first configuration writes the scores, the others are only counted. Owns:
 * ps_score_run_close. */
ps_status ps_score_run_open(const ps_detect_config *configs, uint32_t count, ps_score_run **out,
                            ps_error *error) PS_MUST_USE;
void ps_score_run_close(ps_score_run *run);

/* What a state calls the series of the next file; true: a state that is loaded has it. */
bool ps_score_run_name(ps_score_run *run, const char *name);

/* The state of each file that comes, when it ends, goes into a file that is there in the end. */
ps_status ps_score_run_save(ps_score_run *run, const char *path, ps_error *error) PS_MUST_USE;
ps_status ps_score_run_saved(ps_score_run *run, ps_error *error) PS_MUST_USE;

/* One file, a series of its own. `out` stays the caller's. */
ps_status ps_score_run_file(ps_score_run *run, const char *path, FILE *out,
                            ps_error *error) PS_MUST_USE;

const ps_score_totals *ps_score_run_totals(const ps_score_run *run);

#endif
