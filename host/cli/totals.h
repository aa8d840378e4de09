/* SPDX-License-Identifier: Apache-2.0
 * The counters of all lanes, summed at one moment, and how they look: the live line and the
 * summary.
 */
#ifndef PS_HOST_CLI_TOTALS_H
#define PS_HOST_CLI_TOTALS_H

#include "host/cli/metrics_seal.h"

typedef struct ps_totals {
    uint64_t rows_in, rows_out, rows_filtered, rows_rejected, anomalies, bytes_in;
    uint64_t commits, aborts;
    int64_t lag;                          /* -1: unknown to some lane */
    int64_t remaining;                    /* rows until the ends seen at start, -1: unknown */
    int64_t time_ns;                      /* monotonic: when it was taken */
    char trouble[PS_METRICS_TROUBLE_MAX]; /* of sealed logs: before all else */
} ps_totals;

void ps_totals_take(const ps_pipeline *pipeline, ps_totals *out);

/* One line without its end: rows, rows/s, MB/s, lag, rejects, anomalies; a bar and the time left
 * where the end is known. `before` is an earlier moment, for the rates. */
void ps_totals_live(const ps_totals *now, const ps_totals *before, uint32_t columns, char *line,
                    size_t bytes);

/* The summary as one JSON object, members as the contract names them. */
void ps_totals_json(const ps_totals *totals, double seconds, const char *backend, const char *isa,
                    char *text, size_t bytes);

/* "1,000,000 rows in, 999,990 out, … in 0.52 s (1.92 M rows/s)". */
void ps_totals_sentence(const ps_totals *totals, double seconds, char *text, size_t bytes);

#endif
