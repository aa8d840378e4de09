/* SPDX-License-Identifier: Apache-2.0
 * Time. The monotonic clock orders and measures; the wall clock only labels.
 */
#ifndef PS_HOST_BASE_CLOCK_H
#define PS_HOST_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define PS_NS_PER_US INT64_C(1000)
#define PS_NS_PER_MS INT64_C(1000000)
#define PS_NS_PER_S  INT64_C(1000000000)

static inline int64_t ps_clock_read(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * PS_NS_PER_S + t.tv_nsec;
}

/* Monotonic, nanoseconds since an arbitrary start. */
static inline int64_t ps_clock_ns(void) {
    return ps_clock_read(CLOCK_MONOTONIC);
}

/* Waits for a change, at most until then. The wall clock may be set meanwhile, by hours. */
static inline void ps_clock_wait(pthread_cond_t *changed, pthread_mutex_t *mutex,
                                 int64_t until_ns) {
    const struct timespec until = {.tv_sec = (time_t)(until_ns / PS_NS_PER_S),
                                   .tv_nsec = (long)(until_ns % PS_NS_PER_S)};
    (void)pthread_cond_clockwait(changed, mutex, CLOCK_MONOTONIC, &until);
}

/* Wall clock, milliseconds since 1970-01-01 UTC, as Kafka counts. */
static inline int64_t ps_clock_wall_ms(void) {
    return ps_clock_read(CLOCK_REALTIME) / PS_NS_PER_MS;
}

#endif
