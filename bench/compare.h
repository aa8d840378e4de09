/* SPDX-License-Identifier: Apache-2.0
 * `penstock bench compare OLD NEW`: which rows of two results are slower, which are faster, and how
 * sure that is. For floors 0 to 1 only: it measures nothing.
 */
#ifndef PS_BENCH_COMPARE_H
#define PS_BENCH_COMPARE_H

#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_compare_config {
    const char *before, *after; /* files of results */
    double band;                /* per cent that a row may move by */
    double p;                   /* how likely chance alone may be, of a row that did */
} ps_compare_config;

/* A row changed where it moved by more than the band and, by Welch's test over the rounds of both,
 * a difference as large has at most that probability. Rows that do not say how their rounds lay
 * changed where they moved by more than both spreads together, too. Prints to stdout. */
ps_status ps_bench_compare(const ps_compare_config *config, uint32_t *slower,
                           ps_error *error) PS_MUST_USE;

#endif
