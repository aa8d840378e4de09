/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/score_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "host/flow/shortest.h"

enum { ROWS = 1024, TEXT_BYTES = 1 << 18, NS_PER_S = 1000000000, S_PER_DAY = 86400 };

struct ps_score_run {
    ps_solo *solo[PS_SCORE_LEVELS_MAX];
    ps_warm_writer *save; /* NULL: nobody wants the state */
    const char *name;     /* of the file's series; borrowed */
    ps_series_csv csv;
    ps_score_totals totals;
    int64_t first_ns, last_ns; /* of the file at hand */
    uint32_t rows, text_used;  /* of the piece at hand */
    int64_t time_ns[ROWS];
    double value[ROWS];
    float score[ROWS], other_score[ROWS];
    uint8_t anomaly[ROWS], other_anomaly[ROWS];
    uint32_t text_end[ROWS];                    /* of a row's `timestamp,value` */
    char text[TEXT_BYTES + PS_SERIES_LINE_MAX]; /* as the file has them */
};

ps_status ps_score_run_open(const ps_detect_config *configs, uint32_t count, ps_score_run **out,
                            ps_error *error) {
    PS_CHECK_OP(count, <=, (uint32_t)PS_SCORE_LEVELS_MAX);
    ps_score_run *run = calloc(1, sizeof *run);
    if (run == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a piece of a file");
    ps_status status = ps_series_csv_init(&run->csv, error);
    for (uint32_t i = 0; i < count && status == PS_OK; i++) {
        status = ps_solo_open(&configs[i], ROWS, &run->solo[i], error);
        if (status != PS_OK) break;
        run->totals.at[run->totals.count++].threshold = ps_solo_threshold(run->solo[i]);
    }
    if (status == PS_OK)
        *out = run;
    else
        ps_score_run_close(run);
    return status;
}

void ps_score_run_close(ps_score_run *run) {
    if (run == NULL) return;
    for (uint32_t i = 0; i < PS_SCORE_LEVELS_MAX; i++) ps_solo_close(run->solo[i]);
    ps_warm_writer_close(run->save);
    ps_series_csv_deinit(&run->csv);
    free(run);
}

static void compute(ps_score_run *run) {
    for (uint32_t i = 0; i < run->totals.count; i++) {
        uint8_t *anomaly = i == 0 ? run->anomaly : run->other_anomaly;
        const ps_solo_rows rows = {.count = run->rows,
                                   .time_ns = run->time_ns,
                                   .value = run->value,
                                   .score = i == 0 ? run->score : run->other_score,
                                   .anomaly = anomaly};
        ps_solo_run(run->solo[i], &rows);
        for (uint32_t row = 0; row < run->rows; row++) run->totals.at[i].alerts += anomaly[row];
    }
}

static void write_row(const ps_score_run *run, uint32_t row, FILE *out) {
    char score[PS_SHORTEST_MAX];
    const uint32_t begin = row == 0 ? 0 : run->text_end[row - 1];
    const float x = run->score[row];
    const uint32_t length = x == x ? ps_shortest_f32(x, score) : 0; /* NaN: there is none */
    (void)fprintf(out, "%.*s,%.*s,%d\n", (int)(run->text_end[row] - begin), run->text + begin,
                  (int)length, score, run->anomaly[row]);
}

static ps_status flush(ps_score_run *run, FILE *out, ps_error *error) {
    compute(run);
    for (uint32_t row = 0; row < run->rows; row++) write_row(run, row, out);
    run->totals.rows += run->rows;
    run->rows = run->text_used = 0;
    if (!ferror(out)) return PS_OK;
    return ps_fail(error, PS_IO, "cannot write the scores: %s", strerror(errno));
}

static void keep_text(ps_score_run *run, ps_bytes text, char end) {
    memcpy(run->text + run->text_used, text.data, text.length);
    run->text_used += text.length;
    if (end != '\0') run->text[run->text_used++] = end;
}

static void keep(ps_score_run *run, const ps_series_row *row) {
    keep_text(run, row->time_text, ',');
    keep_text(run, row->value_text, '\0');
    run->text_end[run->rows] = run->text_used;
    run->time_ns[run->rows] = row->time_ns;
    run->value[run->rows++] = row->value;
    if (row->time_ns < run->first_ns) run->first_ns = row->time_ns;
    if (row->time_ns > run->last_ns) run->last_ns = row->time_ns;
}

bool ps_score_run_name(ps_score_run *run, const char *name) {
    run->name = name;
    return ps_solo_restart_as(run->solo[0], name);
}

ps_status ps_score_run_save(ps_score_run *run, const char *path, ps_error *error) {
    return ps_solo_writer(run->solo[0], path, &run->save, error);
}

ps_status ps_score_run_saved(ps_score_run *run, ps_error *error) {
    return run->save == NULL ? PS_OK : ps_warm_writer_finish(run->save, error);
}

ps_status ps_score_run_file(ps_score_run *run, const char *path, FILE *out, ps_error *error) {
    ps_series_row row;
    ps_status status;
    for (uint32_t i = 0; i < run->totals.count; i++)
        (void)ps_solo_restart_as(run->solo[i], run->name);
    run->first_ns = INT64_MAX;
    run->last_ns = INT64_MIN;
    run->rows = run->text_used = 0;
    PS_TRY(ps_series_csv_open(&run->csv, path, error));
    (void)fprintf(out, "timestamp,value,anomaly_score,alert\n");
    while ((status = ps_series_csv_next(&run->csv, &row, error)) == PS_OK) {
        keep(run, &row);
        if (run->rows == ROWS || run->text_used > TEXT_BYTES) PS_TRY(flush(run, out, error));
    }
    if (status != PS_END) return status;
    PS_TRY(flush(run, out, error));
    if (run->save != NULL) PS_TRY(ps_solo_save(run->solo[0], run->save, error));
    run->totals.files++;
    if (run->last_ns > run->first_ns)
        run->totals.days += ((double)run->last_ns - (double)run->first_ns) / NS_PER_S / S_PER_DAY;
    return PS_OK;
}

const ps_score_totals *ps_score_run_totals(const ps_score_run *run) {
    return &run->totals;
}
