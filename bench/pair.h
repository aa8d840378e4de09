/* SPDX-License-Identifier: Apache-2.0
 * Two threads that take the items of a call between them, each the next one that nobody has: what
 * two lanes get done together, where one core may be slower for a while than the other.
 */
#ifndef PS_BENCH_PAIR_H
#define PS_BENCH_PAIR_H

#include <stdint.h>

/* One item, by the caller (thread 0) or by the other one (thread 1). */
typedef void ps_pair_item(void *const *buf, const void *params, uint32_t item, uint32_t thread);

/* Items [begin, end); returns when all are done. The other thread starts with the first call and
 * then waits for the next one: what it takes to start a thread is not what is measured.
 * Threads: one caller at a time. */
void ps_pair_run(ps_pair_item *fn, void *const *buf, const void *params, uint32_t begin,
                 uint32_t end);

#endif
