/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/detect.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/planted.h"
#include "host/base/check.h"
#include "host/base/clock.h"
#include "host/base/text.h"
#include "simd/dispatch.h"

enum { RESULTS_MAX = 6 * (PS_DETECTORS_MAX + 1), CASES = 2, NAME_BYTES = 32 };

static const uint32_t series_counts[CASES] = {1000000, 10000};

typedef struct nab_result {
    const char *corpus;    /* "nab", "planted" */
    char name[NAME_BYTES]; /* "ewma", or "slim events" where a preset changes its scores */
    ps_detect_nab nab;
} nab_result;

typedef struct speed_result {
    const ps_detector *detector;
    uint32_t series;
    ps_detect_speed speed;
} speed_result;

typedef struct bench {
    const ps_bench_detect_config *config;
    ps_nab *nab, *planted;
    nab_result nab_of[RESULTS_MAX];
    speed_result speed_of[RESULTS_MAX];
    uint32_t nab_count, speed_count;
} bench;

const char *ps_bench_detect_names(void) {
    return ps_detector_words;
}

static bool wants(const bench *b, const char *name) {
    for (uint32_t i = 0; i < b->config->name_count; i++)
        if (strcmp(b->config->names[i], name) == 0) return true;
    return b->config->name_count == 0;
}

static void print_nab(const nab_result *r) {
    (void)printf("%-20s", r->name);
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++)
        (void)printf("  %6.2f (%7.2f)", r->nab.best[p].score, r->nab.best[p].threshold);
    (void)printf("  |");
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++) (void)printf("  %6.2f", r->nab.held_out[p]);
    (void)printf("\n");
    (void)fflush(stdout);
}

/* What is judged under one name. */
typedef struct candidate {
    const char *name;
    ps_string_list detectors;
    ps_string_map weights;
} candidate;

/* One set of detectors with one preset; a preset after the first only where it changes a score. */
static ps_status judge(bench *b, const ps_nab *nab, const candidate *of, const char *preset,
                       ps_error *error) {
    const bool first = strchr(preset, ' ') == NULL;
    ps_detect_config config = {0};
    const ps_option *options = ps_stage_detect.about.options;
    ps_options_preset(options, &config);
    PS_TRY(ps_option_parse(ps_option_find(options, "preset"), preset + !first, &config, error));
    config.detectors = of->detectors;
    config.weights = of->weights;
    /* Made for it: its sum goes on for as long as an anomaly does. Planted anomalies are to compare
     * detectors, not what they do with repeats. */
    if (nab == b->planted || ps_detector_find(of->detectors.at[0])->timed)
        config.quiet_ns = INT64_C(12) * 3600 * PS_NS_PER_S;
    nab_result *r = &b->nab_of[b->nab_count];
    PS_TRY(ps_detect_on_nab(nab, &config, &r->nab, error));
    r->corpus = nab == b->planted ? "planted" : "nab";
    if (!first && r[-1].nab.bits == r->nab.bits) return PS_OK;
    (void)snprintf(r->name, sizeof r->name, "%.21s%.10s", of->name, first ? "" : preset);
    b->nab_count++;
    print_nab(r);
    return PS_OK;
}

static ps_status judge_presets(bench *b, const ps_nab *nab, const candidate *of, ps_error *error) {
    const char *words = ps_option_find(ps_stage_detect.about.options, "preset")->choices;
    size_t length = 0;
    for (uint32_t i = 0; b->nab_count < RESULTS_MAX; i++) {
        char preset[NAME_BYTES];
        const char *word = ps_words_at(words, i, &length);
        if (word == NULL) break;
        (void)snprintf(preset, sizeof preset, "%s%.*s", i == 0 ? "" : " ", (int)length, word);
        PS_TRY(judge(b, nab, of, preset, error));
        if (nab == b->planted) break; /* presets are tuned on the other ones */
    }
    return PS_OK;
}

static ps_status judge_all(bench *b, const ps_nab *nab, const char *title, ps_error *error) {
    const candidate vote = {"vote", ps_detector_vote, ps_detector_weights};
    (void)printf("%s, %u series, %llu rows: at the best threshold (which), and at thresholds of "
                 "other files\n%-20s  %16s  %16s  %16s  |  %6s  %6s  %6s\n",
                 title, nab->files, (unsigned long long)nab->rows, "", "standard", "low-FP",
                 "low-FN", "std", "low-FP", "low-FN");
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        const candidate alone = {.name = d->name, .detectors = {&d->name, 1}};
        if (wants(b, d->name)) PS_TRY(judge_presets(b, nab, &alone, error));
    }
    return wants(b, "vote") ? judge_presets(b, nab, &vote, error) : PS_OK;
}

static ps_status judge_scores(bench *b, ps_error *error) {
    nab_result *r = &b->nab_of[b->nab_count++];
    const char *slash = strrchr(b->config->scores, '/');
    r->corpus = "nab";
    (void)snprintf(r->name, sizeof r->name, "%.31s", slash == NULL ? b->config->scores : slash + 1);
    PS_TRY(ps_detect_scores_on_nab(b->nab, b->config->scores, &r->nab, error));
    print_nab(r);
    return PS_OK;
}

static ps_status measure_all(bench *b, ps_error *error) {
    (void)printf("\none core, 16 points per series and batch\n%-20s  %9s  %12s  %10s  %8s  %s\n",
                 "", "series", "M points/s", "ns/point", "spread", "bytes a point touches");
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        if (!wants(b, d->name)) continue;
        for (uint32_t i = 0; i < CASES; i++) {
            speed_result *r = &b->speed_of[b->speed_count++];
            *r = (speed_result){.detector = d, .series = series_counts[i]};
            PS_TRY(ps_detect_measure(d, r->series, &r->speed, error));
            (void)printf("%-20s  %9u  %12.1f  %10.2f  %6.0f %%  %.0f\n", d->name, r->series,
                         1e3 / r->speed.ns_per_point, r->speed.ns_per_point, 100 * r->speed.spread,
                         r->speed.bytes_per_point);
            (void)fflush(stdout);
        }
    }
    return PS_OK;
}

/* The members that every row of the harness has. */
static void write_begin(FILE *out, const char *kernel, const char *name, const char *impl,
                        const ps_detect_speed *speed) {
    (void)fprintf(out,
                  "{\"kernel\":\"%s\",\"case\":\"%s\",\"impl\":\"%s\",\"kind\":\"own\","
                  "\"chosen\":true,\"ns_per_record\":%.2f,\"gb_per_s\":%.4f,\"spread\":%.3f",
                  kernel, name, impl, speed->ns_per_point,
                  speed->ns_per_point > 0 ? speed->bytes_per_point / speed->ns_per_point : 0.0,
                  speed->spread);
}

static void write_nab(FILE *out, const nab_result *r) {
    static const char *const names[PS_NAB_PROFILES] = {"standard", "low_fp", "low_fn"};
    const ps_detect_speed none = {0};
    write_begin(out, r->name, r->corpus, "penstock", &none);
    for (uint32_t p = 0; p < PS_NAB_PROFILES; p++) {
        char threshold[NAME_BYTES] = "null"; /* where no detection at all is best */
        if (isfinite(r->nab.best[p].threshold))
            (void)snprintf(threshold, sizeof threshold, "%.6g", r->nab.best[p].threshold);
        (void)fprintf(out, ",\"%s\":%.4f,\"%s_threshold\":%s,\"%s_held_out\":%.4f", names[p],
                      r->nab.best[p].score, names[p], threshold, names[p], r->nab.held_out[p]);
    }
    (void)fprintf(out, "}");
}

static void write_speed(FILE *out, const speed_result *r) {
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%u", r->series);
    write_begin(out, r->detector->name, name, ps_dispatch_chosen(r->detector->kernel), &r->speed);
    (void)fprintf(out, ",\"points_per_s\":%.0f,\"bytes_per_point\":%.1f,\"state_bytes\":%u}",
                  1e9 / r->speed.ns_per_point, r->speed.bytes_per_point,
                  r->detector->planes * (uint32_t)sizeof(double));
}

static ps_status write_json(const bench *b, ps_error *error) {
    const char *path = b->config->json;
    double load[3];
    if (path == NULL) return PS_OK;
    FILE *out = fopen(path, "we");
    if (out == NULL) return ps_fail(error, PS_IO, "%.300s: %s", path, strerror(errno));
    (void)fprintf(out, "{");
    ps_machine_print(out);
    /* Who else was there: figures of a machine that is shared are read with it. */
    if (getloadavg(load, 3) == 3)
        (void)fprintf(out, ",\n\"load\":[%.2f,%.2f,%.2f]", load[0], load[1], load[2]);
    (void)fprintf(out, ",\n\"rows\":[\n");
    for (uint32_t i = 0; i < b->nab_count; i++) {
        write_nab(out, &b->nab_of[i]);
        (void)fprintf(out, i + 1 < b->nab_count + b->speed_count ? ",\n" : "\n");
    }
    for (uint32_t i = 0; i < b->speed_count; i++) {
        write_speed(out, &b->speed_of[i]);
        (void)fprintf(out, i + 1 < b->speed_count ? ",\n" : "\n");
    }
    (void)fprintf(out, "]}\n");
    if (fclose(out) == 0) return PS_OK;
    return ps_fail(error, PS_IO, "%.300s: %s", path, strerror(errno));
}

static ps_status run(bench *b, ps_error *error) {
    PS_TRY(ps_dispatch_init(error));
    if (b->config->nab != NULL) {
        PS_TRY(ps_nab_open(b->config->nab, &b->nab, error));
        PS_TRY(b->config->scores == NULL ? judge_all(b, b->nab, "NAB", error)
                                         : judge_scores(b, error));
    } else {
        (void)printf("No NAB without --nab DIR: a folder with labels/ and data/ of "
                     "https://github.com/numenta/NAB, such as a clone of it.\n");
    }
    if (b->config->scores == NULL) {
        PS_TRY(ps_planted_open(&b->planted, error));
        PS_TRY(judge_all(b, b->planted, "\nPlanted anomalies, all quiet for 12 hours", error));
        PS_TRY(measure_all(b, error));
    }
    return write_json(b, error);
}

ps_status ps_bench_detect(const ps_bench_detect_config *config, ps_error *error) {
    bench *b = calloc(1, sizeof *b);
    if (b == NULL) return ps_fail(error, PS_NO_MEMORY, "out of memory");
    b->config = config;
    const ps_status status = run(b, error);
    ps_nab_close(b->nab);
    ps_nab_close(b->planted);
    free(b);
    return status;
}
