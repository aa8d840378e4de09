/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detect.h"
#include "host/base/check.h"
#include "ingest/series_csv.h"
#include "kernels/vote.h"
#include "ml/solo.h"

/* Thresholds that are tried where not all scores can be: a stage that is quiet after an alert
 * scores differently at each of them. */
enum { GRID = 164, BATCH_ROWS = 1024 };
#define GRID_FIRST 0.5
#define GRID_RATIO 1.04 /* the last is 298 */

typedef struct scores {
    const ps_nab *nab;
    float **of;       /* [file][row] */
    uint8_t *anomaly; /* of one file */
} scores;

static bool take(const ps_nab *nab, scores *s) {
    uint32_t rows_max = 1;
    *s = (scores){.nab = nab, .of = calloc(nab->files, sizeof *s->of)};
    for (uint32_t i = 0; s->of != NULL && i < nab->files; i++) {
        s->of[i] = calloc(nab->file[i].rows + 1, sizeof *s->of[i]);
        if (s->of[i] == NULL) return false;
        if (nab->file[i].rows > rows_max) rows_max = nab->file[i].rows;
    }
    s->anomaly = malloc(rows_max);
    return s->of != NULL && s->anomaly != NULL;
}

static void give(scores *s) {
    for (uint32_t i = 0; s->of != NULL && i < s->nab->files; i++) free(s->of[i]);
    free(s->of);
    free(s->anomaly);
}

/* All files at a threshold, each a series of its own; 0: the configuration's. */
static ps_status run(scores *s, const ps_detect_config *config, double threshold, ps_error *error) {
    ps_detect_config own = *config;
    ps_solo *solo = NULL;
    if (threshold != 0.0) own.threshold = threshold;
    /* Beyond what a weighed vote can score there is nothing to be quiet after. */
    if (own.weights.count > 0 && threshold > (double)PS_VOTE_BOUND)
        own.threshold = (double)PS_VOTE_BOUND;
    PS_TRY(ps_solo_open(&own, BATCH_ROWS, &solo, error));
    for (uint32_t i = 0; i < s->nab->files; i++) {
        const ps_nab_file *file = &s->nab->file[i];
        const ps_solo_rows rows = {.count = file->rows,
                                   .time_ns = file->time_ns,
                                   .value = file->value,
                                   .score = s->of[i],
                                   .anomaly = s->anomaly};
        ps_solo_restart(solo);
        ps_solo_run(solo, &rows);
    }
    ps_solo_close(solo);
    return PS_OK;
}

/* Whether what a row scores depends on the threshold: the stage is quiet after an alert. */
static bool is_quiet(const ps_detect_config *config) {
    return config->quiet_ns != 0;
}

static uint64_t hash(const scores *s) {
    uint64_t sum = UINT64_C(14695981039346656037);
    for (uint32_t i = 0; i < s->nab->files; i++)
        for (uint32_t row = 0; row < s->nab->file[i].rows; row++) {
            uint32_t bits;
            memcpy(&bits, &s->of[i][row], sizeof bits);
            sum = (sum ^ bits) * UINT64_C(1099511628211);
        }
    return sum;
}

/* points[profile][file][threshold] of the grid. */
static ps_status fill_grid(scores *s, const ps_detect_config *config, double *points,
                           ps_error *error) {
    const size_t stride = (size_t)s->nab->files * GRID;
    double threshold = GRID_FIRST;
    for (uint32_t i = 0; i < GRID; i++, threshold *= GRID_RATIO) {
        if (is_quiet(config)) PS_TRY(run(s, config, threshold, error));
        for (uint32_t file = 0; file < s->nab->files; file++)
            for (uint32_t p = 0; p < PS_NAB_PROFILES; p++)
                points[p * stride + (size_t)file * GRID + i] =
                    ps_nab_points(&s->nab->file[file], s->of[file], threshold, (ps_nab_profile)p);
    }
    return PS_OK;
}

static ps_nab_best best_of_grid(const ps_nab *nab, const double *points, ps_nab_profile profile) {
    ps_nab_best best = {.score = -HUGE_VAL};
    double threshold = GRID_FIRST;
    for (uint32_t i = 0; i < GRID; i++, threshold *= GRID_RATIO) {
        double sum = 0.0;
        for (uint32_t file = 0; file < nab->files; file++) sum += points[(size_t)file * GRID + i];
        const double score = ps_nab_score(nab, sum, profile);
        if (score > best.score) best = (ps_nab_best){score, threshold};
    }
    return best;
}

/* What rows have scored already; `is_quiet` or not, they stay what they are. */
static ps_status judge_as_is(scores *s, double *points, ps_detect_nab *out, ps_error *error) {
    static const ps_detect_config loud = {0};
    const size_t stride = (size_t)s->nab->files * GRID;
    out->bits = hash(s);
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++)
        PS_TRY(ps_nab_optimum(s->nab, (const float *const *)s->of, (ps_nab_profile)p, &out->best[p],
                              error));
    PS_TRY(fill_grid(s, &loud, points, error));
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++)
        out->held_out[p] = ps_nab_held_out(s->nab, points + p * stride, GRID, (ps_nab_profile)p);
    return PS_OK;
}

static ps_status judge(scores *s, const ps_detect_config *config, double *points,
                       ps_detect_nab *out, ps_error *error) {
    const size_t stride = (size_t)s->nab->files * GRID;
    PS_TRY(run(s, config, 0.0, error));
    out->bits = hash(s);
    for (uint32_t p = 0; p < PS_NAB_PROFILES && !is_quiet(config); p++)
        PS_TRY(ps_nab_optimum(s->nab, (const float *const *)s->of, (ps_nab_profile)p, &out->best[p],
                              error));
    PS_TRY(fill_grid(s, config, points, error));
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++) {
        const double *mine = points + p * stride;
        if (is_quiet(config)) out->best[p] = best_of_grid(s->nab, mine, (ps_nab_profile)p);
        out->held_out[p] = ps_nab_held_out(s->nab, mine, GRID, (ps_nab_profile)p);
    }
    return PS_OK;
}

static ps_status read_scores(const ps_nab_file *file, const char *folder, ps_series_csv *csv,
                             float *to, ps_error *error) {
    char path[4096];
    ps_series_row row;
    ps_status status;
    uint32_t rows = 0;
    (void)snprintf(path, sizeof path, "%s/%s", folder, file->name);
    PS_TRY(ps_series_csv_open(csv, path, error));
    while ((status = ps_series_csv_next(csv, &row, error)) == PS_OK && rows < file->rows)
        to[rows++] = (float)row.value;
    if (status != PS_OK && status != PS_END) return status;
    if (status == PS_END && rows == file->rows) return PS_OK;
    return ps_fail(error, PS_IO, "%.300s has not %u rows, as the benchmark's file", path,
                   file->rows);
}

static ps_status read_all_scores(scores *s, const char *folder, ps_error *error) {
    ps_series_csv csv;
    ps_status status = ps_series_csv_init(&csv, error);
    for (uint32_t i = 0; i < s->nab->files && status == PS_OK; i++)
        status = read_scores(&s->nab->file[i], folder, &csv, s->of[i], error);
    ps_series_csv_deinit(&csv);
    return status;
}

ps_status ps_detect_scores_on_nab(const ps_nab *nab, const char *folder, ps_detect_nab *out,
                                  ps_error *error) {
    scores s;
    double *points = malloc((size_t)PS_NAB_PROFILES * nab->files * GRID * sizeof *points);
    const bool room = take(nab, &s) && points != NULL;
    ps_status status = room ? read_all_scores(&s, folder, error)
                            : ps_fail(error, PS_NO_MEMORY, "no memory for all scores");
    if (status == PS_OK) status = judge_as_is(&s, points, out, error);
    give(&s);
    free(points);
    return status;
}

ps_status ps_detect_on_nab(const ps_nab *nab, const ps_detect_config *config, ps_detect_nab *out,
                           ps_error *error) {
    scores s;
    double *points = malloc((size_t)PS_NAB_PROFILES * nab->files * GRID * sizeof *points);
    const bool room = take(nab, &s) && points != NULL;
    const ps_status status = room ? judge(&s, config, points, out, error)
                                  : ps_fail(error, PS_NO_MEMORY, "no memory for all scores");
    give(&s);
    free(points);
    return status;
}
