/* SPDX-License-Identifier: Apache-2.0
 * What an idle lane sleeps on: an eventfd that sources, sinks and devices write when asking again
 * may succeed, and descriptors of those that read sockets themselves.
 */
#ifndef PS_HOST_BASE_WAKE_H
#define PS_HOST_BASE_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_wake {
    int fd;      /* librdkafka's queues write 8 bytes to it themselves; nobody reads it */
    int watched; /* an epoll of it, and of what is watched */
    _Atomic int64_t asked_ns; /* when a sleep last ended, and told who was ready */
} ps_wake;

ps_status ps_wake_init(ps_wake *wake, ps_error *error) PS_MUST_USE;
void ps_wake_deinit(ps_wake *wake);

/* Threads: any. Never blocks. */
void ps_wake_signal(const ps_wake *wake);

/* A descriptor that ends the sleep while it is readable, and sets `ready` then, which whoever
 * sleeps looks at: it must read it, or unwatch it, or it sleeps no more. A closed one is not
 * watched any more. Threads: any. */
void ps_wake_watch(const ps_wake *wake, int fd, atomic_bool *ready);
void ps_wake_unwatch(const ps_wake *wake, int fd);

/* Sleeps until signalled, until something watched is readable, or until `deadline_ns` (monotonic;
 * INT64_MAX: for ever), then clears the signal. */
void ps_wake_wait(ps_wake *wake, int64_t deadline_ns);

#endif
