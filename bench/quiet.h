/* SPDX-License-Identifier: Apache-2.0
 * Whether this core is shared at this moment: on a virtual machine the other thread of a core may
 * run another customer's work, which no counter here shows. Code that fills a unit of the core then
 * takes up to twice as long, code that waits for its own results hardly longer: a ratio of the two
 * says who was next door and not which is faster.
 */
#ifndef PS_BENCH_QUIET_H
#define PS_BENCH_QUIET_H

#include <stdbool.h>

/* Ten microseconds of additions that keep every integer unit busy, beside the fastest such so far;
 * the first call of a process finds that out, which takes a few milliseconds. */
bool ps_quiet_core(void);

#endif
