/* SPDX-License-Identifier: Apache-2.0
 * Series with planted anomalies, in the form of the benchmark's corpus: what a detector is worth on
 * data that nobody chose its weights on. The same series on every machine with the same sine.
 */
#ifndef PS_BENCH_PLANTED_H
#define PS_BENCH_PLANTED_H

#include "bench/nab.h"

/* Every kind of anomaly in every kind of series, several times, each series with other numbers.
 * Owns: ps_nab_close. Fails: PS_NO_MEMORY. */
ps_status ps_planted_open(ps_nab **out, ps_error *error) PS_MUST_USE;

#endif
