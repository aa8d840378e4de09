/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/compare.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "kernels/welch.h"

enum { ROWS_MAX = 4096, LINE_MAX_BYTES = 4096, NAME_BYTES = 128 };

typedef struct row {
    char name[NAME_BYTES]; /* kernel, case and implementation */
    double ns, spread;
    ps_welch_sample rounds; /* count 0: the file does not say */
    bool seen;
} row;

typedef struct rows {
    row at[ROWS_MAX];
    uint32_t count;
} rows;

/* A text behind `"name":"`, up to the next quote. */
static void text_of(const char *line, const char *name, char *out, size_t bytes) {
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    const char *at = strstr(line, quoted);
    at = at == NULL ? "" : at + strlen(quoted);
    (void)snprintf(out, bytes, "%.*s", (int)strcspn(at, "\""), at);
}

static row row_of(const char *line) {
    char kernel[48], name[16], impl[48];
    row r = {.ns = ps_json_number(line, "ns_per_record"),
             .spread = fmax(ps_json_number(line, "spread"), 0.0)};
    text_of(line, "kernel", kernel, sizeof kernel);
    text_of(line, "case", name, sizeof name);
    text_of(line, "impl", impl, sizeof impl);
    (void)snprintf(r.name, sizeof r.name, "%-40s %-7s %-26s", kernel, name, impl);
    const double count = fmax(ps_json_number(line, "rounds"), ps_json_number(line, "runs"));
    const double deviation = ps_json_number(line, "deviation_ns");
    if (count >= 2.0 && deviation >= 0.0)
        r.rounds = (ps_welch_sample){count, ps_json_number(line, "mean_ns"),
                                     deviation * deviation * (count - 1.0)};
    return r;
}

static ps_status read_rows(const char *path, rows *out, ps_error *error) {
    char line[LINE_MAX_BYTES];
    FILE *in = fopen(path, "re");
    if (in == NULL) return ps_fail(error, PS_IO, "%s: %s", path, strerror(errno));
    uint32_t count = 0;
    while (fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, "{\"kernel\"", 9) == 0 && count++ < ROWS_MAX)
            out->at[out->count++] = row_of(line);
    (void)fclose(in);
    if (count > ROWS_MAX)
        return ps_fail(error, PS_IO, "%s: %u rows, and %d can be compared", path, count, ROWS_MAX);
    if (out->count > 0) return PS_OK;
    return ps_fail(error, PS_IO, "%s: no row of results: it is what `penstock bench --json` writes",
                   path);
}

static row *find(rows *among, const char *name) {
    for (uint32_t i = 0; i < among->count; i++)
        if (strcmp(among->at[i].name, name) == 0) return &among->at[i];
    return NULL;
}

/* 1: slower, -1: faster, 0: neither. */
static int changed(const ps_compare_config *config, const row *before, const row *after) {
    const bool sampled = before->rounds.count > 0.0 && after->rounds.count > 0.0;
    const double change = after->ns / before->ns - 1.0, band = config->band / 100.0;
    const double apart = sampled ? 0.0 : before->spread + after->spread;
    const double limit = fmax(band, apart);
    double p = 1.0;
    if (fabs(change) <= limit) return 0;
    if (sampled) {
        p = ps_tail(ps_welch_test(before->rounds, after->rounds).log_p);
        if (p > config->p) return 0;
    }
    (void)printf("%-8s %s %12.2f -> %10.2f ns  %+.1f %% ", change > 0 ? "slower" : "faster",
                 after->name, before->ns, after->ns, 100.0 * change);
    if (sampled)
        (void)printf("(p %.1e, %.0f and %.0f rounds)\n", p, before->rounds.count,
                     after->rounds.count);
    else
        (void)printf("(band %.1f %%)\n", 100.0 * limit);
    return change > 0 ? 1 : -1;
}

static void compare(const ps_compare_config *config, rows *before, const rows *after,
                    uint32_t *slower) {
    uint32_t count = 0, faster = 0;
    for (uint32_t i = 0; i < after->count; i++) {
        row *const old = find(before, after->at[i].name);
        if (old == NULL) {
            (void)printf("new      %s\n", after->at[i].name);
            continue;
        }
        old->seen = true;
        if (!(old->ns > 0.0) || !(after->at[i].ns > 0.0)) continue;
        const int way = changed(config, old, &after->at[i]);
        count++, *slower += way > 0, faster += way < 0;
    }
    for (uint32_t i = 0; i < before->count; i++)
        if (!before->at[i].seen) (void)printf("gone     %s\n", before->at[i].name);
    (void)printf("%u rows: %u slower, %u faster, the others within the band\n", count, *slower,
                 faster);
}

ps_status ps_bench_compare(const ps_compare_config *config, uint32_t *slower, ps_error *error) {
    *slower = 0;
    rows *const both = calloc(2, sizeof *both);
    if (both == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for two results");
    ps_status status = read_rows(config->before, &both[0], error);
    if (status == PS_OK) status = read_rows(config->after, &both[1], error);
    if (status == PS_OK) compare(config, &both[0], &both[1], slower);
    free(both);
    return status;
}
