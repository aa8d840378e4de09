/* SPDX-License-Identifier: Apache-2.0
 * How many rows a batch has and how many series a lane keeps, where the file leaves it open: as
 * many as usual, or as many as memory_max has room for. The answer follows from the file alone, not
 * from the machine's cores, so that a restart elsewhere keeps as many series.
 */
#include <stdio.h>
#include <string.h>

#include "host/cli/config_read.h"

/* Usual numbers; the least that a batch is made for the sake of more series; what series are
 * rounded to, so that some bytes more or less elsewhere do not change their number; and the share
 * of memory_max that batches may have before series get less. */
enum { ROWS = 32768, ROWS_LEAST = 1024, SERIES = 1000000, STEP = 1024, BATCHES_PART = 4 };

typedef struct sizing {
    ps_config *config;
    ps_plan *plan;
    uint32_t lanes;
    size_t memory_max;
} sizing;

/* What the sizes as they are would take; SIZE_MAX: there is no such plan. */
static size_t bytes_now(const sizing *s, size_t *batches) {
    ps_pipeline_config pipeline;
    ps_error error;
    size_t bytes = SIZE_MAX;
    *batches = SIZE_MAX;
    if (ps_config_try(s->config, s->plan, &error) == PS_OK) {
        ps_config_pipeline(s->config, s->plan, &pipeline);
        bytes = ps_pipeline_bytes(&pipeline, s->lanes);
        *batches = s->lanes * (ps_lane_bytes(s->plan, pipeline.depth) - ps_lane_bytes(s->plan, 0));
    }
    ps_plan_deinit(s->plan);
    return bytes;
}

static bool fits_now(const sizing *s) {
    size_t batches;
    return bytes_now(s, &batches) <= s->memory_max;
}

/* With as few lanes and as short queues as the ceiling is ready to take. */
static bool fits_somehow(const sizing *s) {
    ps_pipeline_config pipeline;
    ps_ceiling ceiling;
    ps_error error;
    bool fits = false;
    if (ps_config_try(s->config, s->plan, &error) == PS_OK) {
        ps_config_pipeline(s->config, s->plan, &pipeline);
        fits = ps_pipeline_ceiling(&pipeline, &ceiling, &error) == PS_OK;
    }
    ps_plan_deinit(s->plan);
    return fits;
}

/* Where series give way too, batches need not fit beside all of them. */
static void size_rows(const sizing *s, bool series_open) {
    int64_t *rows = &s->config->runtime.batch_rows;
    for (; *rows > ROWS_LEAST; *rows /= 2) {
        size_t batches;
        const size_t bytes = bytes_now(s, &batches);
        if (bytes <= s->memory_max) return;
        if (series_open && batches <= s->memory_max / BATCHES_PART) return;
    }
}

static void size_series(const sizing *s) {
    int64_t *series = &s->config->runtime.series_max;
    int64_t most = SERIES / STEP + 1, least = 1; /* steps: too many, and never fewer */
    while (most - least > 1) {
        const int64_t middle = least + (most - least) / 2;
        *series = middle * STEP;
        if (fits_now(s))
            least = middle;
        else
            most = middle;
    }
    *series = least * STEP;
}

static void size_open(sizing *s, bool rows_open, bool series_open) {
    ps_config *config = s->config;
    size_t batches;
    if (fits_somehow(s)) return;
    if (rows_open) size_rows(s, series_open);
    config->sized.rows = config->runtime.batch_rows < ROWS && rows_open;
    if (!series_open || fits_now(s)) return;
    config->sized.usual = bytes_now(s, &batches);
    config->sized.series = true;
    size_series(s);
}

void ps_config_size(ps_config *config) {
    ps_runtime *runtime = &config->runtime;
    const bool rows_open = runtime->batch_rows == 0, series_open = runtime->series_max == 0;
    if (rows_open) runtime->batch_rows = ROWS;
    if (series_open) runtime->series_max = SERIES;
    if (config->runtime_faulty || config->source.about == NULL || config->sink.about == NULL ||
        config->source.faulty || config->codec.faulty || config->sink.faulty)
        return;
    sizing s = {.config = config,
                .plan = ps_pool_take(config->pool, sizeof *s.plan),
                .lanes = runtime->lanes == 0 ? 1 : (uint32_t)runtime->lanes,
                .memory_max = (size_t)runtime->memory_max};
    if (rows_open || series_open) size_open(&s, rows_open, series_open);
}

bool ps_config_sized(const ps_config *config, char *text) {
    const ps_sized *sized = &config->sized;
    const ps_runtime *runtime = &config->runtime;
    char rows[64] = "", series[64] = "", more[160] = "";
    if (!sized->rows && !sized->series) return false;
    if (sized->rows)
        (void)snprintf(rows, sizeof rows, "batch_rows %lld", (long long)runtime->batch_rows);
    if (sized->series)
        (void)snprintf(series, sizeof series, "series_max %lld%s", (long long)runtime->series_max,
                       sized->rows ? " and " : "");
    if (sized->series && sized->usual != SIZE_MAX)
        (void)snprintf(more, sizeof more, "; for %d series set memory_max to %zuMiB%s", SERIES,
                       (sized->usual >> 20) + 1,
                       runtime->lanes == 0 ? ", for more lanes set series_max lower" : "");
    (void)snprintf(text, PS_SIZED_TEXT_MAX, "%s%s of `runtime` follow%s from memory_max%s", series,
                   rows, sized->rows && sized->series ? "" : "s", more);
    return true;
}
