/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/quiet.h"

#include <stdint.h>

#include "host/base/clock.h"

enum { STEPS = 16384, FIRST_TRIES = 500, WORSE_PERCENT = 10 };

static double time_additions(void) {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    const int64_t from = ps_clock_read(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < STEPS; i++) {
        a++, b++, c++, d++;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
        a++, b++, c++, d++;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
    }
    return (double)(ps_clock_read(CLOCK_THREAD_CPUTIME_ID) - from);
}

bool ps_quiet_core(void) {
    static double least;
    double now = time_additions();
    if (least == 0)
        for (uint32_t i = 0; i < FIRST_TRIES; i++) {
            if (least == 0 || now < least) least = now;
            now = time_additions();
        }
    if (now < least) least = now;
    return now * 100 <= least * (100 + WORSE_PERCENT);
}
