/* SPDX-License-Identifier: Apache-2.0
 * Waiting on an epoll until a moment, to the nanosecond, in one call to the kernel.
 */
#ifndef PS_HOST_BASE_EPOLL_H
#define PS_HOST_BASE_EPOLL_H

#include <stdint.h>
#include <sys/epoll.h>

/* As epoll_wait() does, but until `until_ns` (monotonic; INT64_MAX: for ever; what is over: not at
 * all). Interrupted: 0, as when the time is over. */
int ps_epoll_wait(int epoll, struct epoll_event *events, int events_max, int64_t until_ns);

#endif
