/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/totals.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/text.h"

void ps_totals_take(const ps_pipeline *pipeline, ps_totals *out) {
    memset(out, 0, sizeof *out);
    out->time_ns = ps_clock_ns();
    for (uint32_t i = 0; i < ps_pipeline_lanes(pipeline); i++) {
        const ps_lane_metrics *lane = ps_pipeline_metrics(pipeline, i);
        out->rows_in += ps_read(&lane->rows_in);
        out->rows_out += ps_read(&lane->rows_out);
        out->rows_filtered += ps_read(&lane->rows_filtered);
        out->rows_rejected += ps_read(&lane->rows_rejected);
        out->anomalies += ps_read(&lane->anomalies);
        out->bytes_in += ps_read(&lane->bytes_in);
        out->commits += ps_read(&lane->commits);
        out->aborts += ps_read(&lane->aborts);
        const int64_t lag =
            atomic_load_explicit((_Atomic int64_t *)(uintptr_t)&lane->lag, memory_order_relaxed);
        out->lag = lag < 0 || out->lag < 0 ? -1 : out->lag + lag;
    }
    out->remaining = ps_pipeline_remaining(pipeline);
}

static double rate(uint64_t now, uint64_t before, double seconds) {
    return seconds <= 0 || now < before ? 0 : (double)(now - before) / seconds;
}

static void put_time(double seconds, char *text, size_t bytes) {
    const int64_t whole = (int64_t)(seconds + 0.5);
    if (whole < 60)
        (void)snprintf(text, bytes, "%" PRId64 " s", whole);
    else if (whole < 3600)
        (void)snprintf(text, bytes, "%" PRId64 ":%02d min", whole / 60, (int)(whole % 60));
    else
        (void)snprintf(text, bytes, "%" PRId64 ":%02d h", whole / 3600, (int)(whole / 60 % 60));
}

/* "[######----] 61 % 12 s left", or nothing where the end is not known. */
static void put_bar(const ps_totals *now, double rows_per_second, uint32_t columns, char *text,
                    size_t bytes) {
    enum { BAR_MAX = 20 };
    text[0] = '\0';
    const uint64_t all = now->rows_in + (uint64_t)(now->remaining < 0 ? 0 : now->remaining);
    if (now->remaining < 0 || all == 0) return;
    const double done = (double)now->rows_in / (double)all;
    char bar[BAR_MAX + 3] = "", left[40] = "";
    if (columns >= 110) {
        const int filled = (int)(done * BAR_MAX);
        bar[0] = '[';
        for (int i = 0; i < BAR_MAX; i++) bar[i + 1] = i < filled ? '#' : '-';
        bar[BAR_MAX + 1] = ']';
    }
    if (rows_per_second > 0) put_time((double)now->remaining / rows_per_second, left, sizeof left);
    (void)snprintf(text, bytes, "%s %3.0f %%%s%s%s  ", bar, done * 100, left[0] == '\0' ? "" : " ",
                   left, left[0] == '\0' ? "" : " left");
}

void ps_totals_live(const ps_totals *now, const ps_totals *before, uint32_t columns, char *line,
                    size_t bytes) {
    const double seconds = (double)(now->time_ns - before->time_ns) / 1e9;
    const double rows_per_second = rate(now->rows_in, before->rows_in, seconds);
    char bar[96], rows[PS_TEXT_NUMBER_MAX], per_second[PS_TEXT_NUMBER_MAX],
        lag[PS_TEXT_NUMBER_MAX + 8] = "";
    char number[PS_TEXT_NUMBER_MAX];
    put_bar(now, rows_per_second, columns, bar, sizeof bar);
    if (now->lag >= 0)
        (void)snprintf(lag, sizeof lag, "  lag %s", ps_text_from_count((uint64_t)now->lag, number));
    (void)snprintf(line, bytes,
                   "%s%s rows  %s rows/s  %.1f MB/s%s  rejects %" PRIu64 "  anomalies %" PRIu64,
                   bar, ps_text_from_count(now->rows_in, rows),
                   ps_text_about_count(rows_per_second, per_second),
                   rate(now->bytes_in, before->bytes_in, seconds) / 1e6, lag, now->rows_rejected,
                   now->anomalies);
    /* A line that wraps would leave its first part behind when it is redrawn; it is ASCII, so bytes
     * are columns. */
    if (columns > 1 && columns - 1 < bytes) line[columns - 1] = '\0';
}

void ps_totals_json(const ps_totals *totals, double seconds, const char *backend, const char *isa,
                    char *text, size_t bytes) {
    (void)snprintf(text, bytes,
                   "{\"rows_in\":%" PRIu64 ",\"rows_out\":%" PRIu64 ",\"rows_filtered\":%" PRIu64
                   ",\"rows_rejected\":%" PRIu64 ",\"anomalies\":%" PRIu64
                   ",\"seconds\":%.3f,\"rows_per_second\":%.0f,\"bytes_in\":%" PRIu64
                   ",\"backend\":\"%s\",\"isa\":\"%s\"}",
                   totals->rows_in, totals->rows_out, totals->rows_filtered, totals->rows_rejected,
                   totals->anomalies, seconds, rate(totals->rows_in, 0, seconds), totals->bytes_in,
                   backend, isa);
}

void ps_totals_sentence(const ps_totals *totals, double seconds, char *text, size_t bytes) {
    char in[PS_TEXT_NUMBER_MAX], out[PS_TEXT_NUMBER_MAX], filtered[PS_TEXT_NUMBER_MAX];
    char rejected[PS_TEXT_NUMBER_MAX], anomalies[PS_TEXT_NUMBER_MAX],
        per_second[PS_TEXT_NUMBER_MAX];
    (void)snprintf(
        text, bytes,
        "%s rows in, %s out, %s filtered, %s rejected, %s anomalies in %.2f s (%s rows/s)",
        ps_text_from_count(totals->rows_in, in), ps_text_from_count(totals->rows_out, out),
        ps_text_from_count(totals->rows_filtered, filtered),
        ps_text_from_count(totals->rows_rejected, rejected),
        ps_text_from_count(totals->anomalies, anomalies), seconds,
        ps_text_about_count(rate(totals->rows_in, 0, seconds), per_second));
}
