/* SPDX-License-Identifier: Apache-2.0
 * Measuring whole processes: what a child took in wall time, CPU of all its threads and memory, and
 * what several such runs say together.
 */
#ifndef PS_BENCH_MEASURE_H
#define PS_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/base/status.h"

typedef struct ps_measure {
    double wall_s, cpu_s; /* user and system, all threads */
    double rss_mib;       /* the most that was resident */
    int exit_code;        /* 128 + the signal where it was killed */
    char line[4096];      /* the last line on its stdout */
    char last_words[400]; /* of a quiet one: the end of what it wrote to stderr */
} ps_measure;

/* What runs in the child: its return value is the exit code. */
typedef int ps_child(void *context);

/* Forks a child that calls `child`. stdout is read, stderr goes where the parent's goes unless
 * `quiet`. The parent must have no threads. */
ps_status ps_measure_child(ps_child *child, void *context, bool quiet, ps_measure *out,
                           ps_error *error) PS_MUST_USE;

/* Runs this very program with other words; argv ends with NULL. */
ps_status ps_measure_self(const char *const *argv, bool quiet, ps_measure *out,
                          ps_error *error) PS_MUST_USE;

enum { PS_SAMPLES_MAX = 32 };

typedef struct ps_samples {
    double at[PS_SAMPLES_MAX];
    uint32_t count;
} ps_samples;

void ps_samples_add(ps_samples *samples, double value);
double ps_samples_median(const ps_samples *samples);
double ps_samples_spread(const ps_samples *samples); /* (max - min) / median */
double ps_samples_mean(const ps_samples *samples);
double ps_samples_deviation(const ps_samples *samples); /* of a sample; 0 of fewer than two */

/* Each round's ratio by itself, own / (other + more), then their median: the runs were within
 * seconds of each other, and what the machine did in other rounds is not theirs. `more` and
 * `spread`, the ratios' own, may be NULL. 0: there is no round of all. */
double ps_samples_ratio(const ps_samples *own, const ps_samples *other, const ps_samples *more,
                        double *spread);

/* A number behind `"name":` in a line of flat JSON, or -1. */
double ps_json_number(const char *line, const char *name);

/* `"machine":{…}`: processor, cores, memory, kernel, compiler, build, versions. */
void ps_machine_print(FILE *out);

#endif
