/* SPDX-License-Identifier: Apache-2.0
 * The Numenta Anomaly Benchmark: its series with their labelled windows, and its way of scoring,
 * written anew from the published description: within a window the earliest row at or above the
 * threshold counts, the earlier the more; outside, every row at or above it costs, the further
 * behind a window the more; a window without any costs its weight. The first rows of a file are
 * probation and never count.
 * Source: A. Lavin and S. Ahmad, Evaluating real-time anomaly detection algorithms: the Numenta
 * Anomaly Benchmark (2015); corpus 1.1.
 */
#ifndef PS_BENCH_NAB_H
#define PS_BENCH_NAB_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/status.h"

typedef enum ps_nab_profile {
    PS_NAB_STANDARD,
    PS_NAB_LOW_FP, /* a false positive costs twice as much */
    PS_NAB_LOW_FN, /* a window that is missed costs twice as much */
    PS_NAB_PROFILES
} ps_nab_profile;

typedef struct ps_nab_window {
    int64_t begin_ns, end_ns;
    uint32_t first, last; /* rows, both of them inside */
} ps_nab_window;

typedef struct ps_nab_file {
    char *name; /* "category/file.csv" */
    uint32_t rows, probation;
    int64_t *time_ns;
    double *value;
    ps_nab_window *window; /* in their order */
    uint32_t windows;
    uint32_t *inside; /* of a row: the index of its window, or PS_NAB_OUTSIDE */
    double *weight;   /* of a row: the sigmoid, -1 to 1, before the profile's weights */
} ps_nab_file;

#define PS_NAB_OUTSIDE UINT32_MAX

typedef struct ps_nab {
    ps_nab_file *file; /* sorted by name */
    uint32_t files;
    uint64_t rows;
} ps_nab;

/* Reads `folder`/labels/combined_windows.json and the files that it names under `folder`/data.
 * Owns: ps_nab_close. Fails: PS_IO, PS_BAD_CONFIG with file and line. */
ps_status ps_nab_open(const char *folder, ps_nab **out, ps_error *error) PS_MUST_USE;
void ps_nab_close(ps_nab *nab);

/* Fills what follows from the windows: `inside`, `weight`, `probation`. For ps_nab_open and tests.
 */
ps_status ps_nab_file_weigh(ps_nab_file *file, ps_error *error) PS_MUST_USE;

/* Points of one file whose rows have these scores, at a threshold; a score that is NaN reaches
 * none. Without any detection it is -(weight of a miss) for each window that has a row past the
 * probation. */
double ps_nab_points(const ps_nab_file *file, const float *score, double threshold,
                     ps_nab_profile profile);

/* 0 for no detection at all, 100 for every window from its first row on and nothing else: of the
 * points of all files together. */
double ps_nab_score(const ps_nab *nab, double points, ps_nab_profile profile);

typedef struct ps_nab_best {
    double score, threshold;
} ps_nab_best;

/* The best that one threshold for all files gives, of all there are. `score[file][row]`. Fails:
 * PS_NO_MEMORY. */
ps_status ps_nab_optimum(const ps_nab *nab, const float *const *score, ps_nab_profile profile,
                         ps_nab_best *out, ps_error *error) PS_MUST_USE;

/* The same with the threshold of every file chosen on others: files are dealt into halves, either
 * half takes the best of `thresholds` on the other one, points of both are pooled; the mean of
 * PS_NAB_SPLITS ways to deal, the same every time. `points[file * count + i]`: of threshold i. */
enum { PS_NAB_SPLITS = 16 };
double ps_nab_held_out(const ps_nab *nab, const double *points, uint32_t count,
                       ps_nab_profile profile);

#endif
