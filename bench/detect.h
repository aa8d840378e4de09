/* SPDX-License-Identifier: Apache-2.0
 * `penstock bench detect`: what every detector scores on the Numenta Anomaly Benchmark, where its
 * folder is given, and how many points a second its kernel takes.
 */
#ifndef PS_BENCH_DETECT_H
#define PS_BENCH_DETECT_H

#include "bench/nab.h"
#include "ml/detector.h"

typedef struct ps_bench_detect_config {
    const char *const *names; /* detectors to measure, or vote; none: all */
    uint32_t name_count;
    const char *nab;    /* folder with labels/ and data/; NULL: speed alone */
    const char *scores; /* of another program, judged in place of detectors; NULL: none */
    const char *json;   /* file for the results, NULL: none */
} ps_bench_detect_config;

/* Prints a table to stdout as it goes and writes the JSON at the end. */
ps_status ps_bench_detect(const ps_bench_detect_config *config, ps_error *error) PS_MUST_USE;

/* The detectors and vote, separated by blanks, for messages. */
const char *ps_bench_detect_names(void);

/* What one stage scores on the benchmark: with the best threshold for all files, and with that of
 * other files (ps_nab_held_out). */
typedef struct ps_detect_nab {
    ps_nab_best best[PS_NAB_PROFILES];
    double held_out[PS_NAB_PROFILES];
    uint64_t bits; /* of all scores at the stage's own threshold, hashed */
} ps_detect_nab;

ps_status ps_detect_on_nab(const ps_nab *nab, const ps_detect_config *config, ps_detect_nab *out,
                           ps_error *error) PS_MUST_USE;

/* What scores that lie in files score: `folder`/category/file.csv of `timestamp,value`, the value a
 * row's score, which is an anomaly from some threshold on. */
ps_status ps_detect_scores_on_nab(const ps_nab *nab, const char *folder, ps_detect_nab *out,
                                  ps_error *error) PS_MUST_USE;

/* How fast a detector's kernel is over so many series, 16 points of each in a batch. */
typedef struct ps_detect_speed {
    double ns_per_point, spread;
    double bytes_per_point; /* that it reads and writes */
} ps_detect_speed;

ps_status ps_detect_measure(const ps_detector *detector, uint32_t series, ps_detect_speed *out,
                            ps_error *error) PS_MUST_USE;

#endif
