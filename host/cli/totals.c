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
    ps_metrics_trouble(ps_pipeline_partition_metrics(pipeline, 0),
                       ps_pipeline_partitions(pipeline)->count, out->time_ns, out->trouble);
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

/* What a live line shows; what the last one lacks matters least on a narrow terminal. */
typedef struct layout {
    bool brief;   /* numbers are rounded and close to their units */
    int bar;      /* its length */
    bool percent; /* how far it is, where the end is known */
    bool left;    /* for how long it still goes on */
    bool bytes;
} layout;

static const layout layouts[] = {
    {false, 20, true, true, true}, {false, 10, true, true, true}, {true, 20, true, true, true},
    {true, 10, true, true, true},  {true, 4, true, true, true},   {true, 4, true, false, true},
    {true, 4, true, false, false}, {true, 0, true, false, false}, {true, 0, false, false, false},
};

enum { BAR_MAX = 20, PIECE_MAX = PS_TEXT_NUMBER_MAX };

/* "197.2 k" as "197.2k" where columns are few. */
static const char *tight(const layout *as, char *text) {
    char *space = as->brief ? strchr(text, ' ') : NULL;
    if (space != NULL) memmove(space, space + 1, strlen(space));
    return text;
}

static const char *count_text(const layout *as, uint64_t count, char *text) {
    enum { EXACT_MAX = 9999 };
    if (!as->brief || count <= EXACT_MAX) return ps_text_from_count(count, text);
    (void)ps_text_about_count((double)count, text);
    return tight(as, text);
}

/* "[######----]  61 % 12 s left  ", or nothing where the end is not known. */
static void put_progress(const layout *as, const ps_totals *now, double rows_per_second, char *text,
                         size_t bytes) {
    text[0] = '\0';
    const uint64_t all = now->rows_in + (uint64_t)(now->remaining < 0 ? 0 : now->remaining);
    if (now->remaining < 0 || all == 0 || !as->percent) return;
    const double done = (double)now->rows_in / (double)all;
    char bar[BAR_MAX + 4] = "", left[40] = "";
    if (as->bar > 0) {
        const int filled = (int)(done * as->bar);
        bar[0] = '[';
        for (int i = 0; i < as->bar; i++) bar[i + 1] = i < filled ? '#' : '-';
        bar[as->bar + 1] = ']';
        bar[as->bar + 2] = ' ';
    }
    if (rows_per_second > 0 && as->left)
        put_time((double)now->remaining / rows_per_second, left, sizeof left);
    (void)snprintf(text, bytes, "%s%3.0f%s%%%s%s%s%s", bar, done * 100, as->brief ? "" : " ",
                   left[0] == '\0' ? "" : " ", tight(as, left),
                   left[0] == '\0' || as->brief ? "" : " left", as->brief ? " " : "  ");
}

static int put_line(const layout *as, const ps_totals *now, const ps_totals *before, char *line,
                    size_t bytes) {
    const double seconds = (double)(now->time_ns - before->time_ns) / 1e9;
    const double rows_per_second = rate(now->rows_in, before->rows_in, seconds);
    const char *gap = as->brief ? " " : "  ";
    char progress[96], number[PIECE_MAX], per_second[PIECE_MAX], lag[PIECE_MAX + 8] = "";
    char size[40] = "", rejects[PIECE_MAX], anomalies[PIECE_MAX], rows[PIECE_MAX];
    put_progress(as, now, rows_per_second, progress, sizeof progress);
    (void)ps_text_about_count(rows_per_second, per_second);
    if (as->bytes)
        (void)snprintf(size, sizeof size, "%s%.1f%sMB/s", gap,
                       rate(now->bytes_in, before->bytes_in, seconds) / 1e6, as->brief ? "" : " ");
    if (now->lag >= 0)
        (void)snprintf(lag, sizeof lag, "%slag %s", gap,
                       count_text(as, (uint64_t)now->lag, number));
    return snprintf(line, bytes, "%s%s%s rows%s%s%s%s%s%srejects %s%sanomalies %s", now->trouble,
                    progress, count_text(as, now->rows_in, rows), gap, tight(as, per_second),
                    as->brief ? "/s" : " rows/s", size, lag, gap,
                    count_text(as, now->rows_rejected, rejects), gap,
                    count_text(as, now->anomalies, anomalies));
}

void ps_totals_live(const ps_totals *now, const ps_totals *before, uint32_t columns, char *line,
                    size_t bytes) {
    /* A line that wraps would leave its first part behind when it is redrawn; it is ASCII, so bytes
     * are columns. */
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (put_line(&layouts[i], now, before, line, bytes) < (int)columns) return;
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
        "%s row%s in, %s out, %s filtered, %s rejected, %s anomal%s in %.2f s (%s rows/s)",
        ps_text_from_count(totals->rows_in, in), totals->rows_in == 1 ? "" : "s",
        ps_text_from_count(totals->rows_out, out),
        ps_text_from_count(totals->rows_filtered, filtered),
        ps_text_from_count(totals->rows_rejected, rejected),
        ps_text_from_count(totals->anomalies, anomalies), totals->anomalies == 1 ? "y" : "ies",
        seconds, ps_text_about_count(rate(totals->rows_in, 0, seconds), per_second));
}
