/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/wake.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/epoll.h"

enum { EVENTS = 8 };

/* Each write is an event, told once: it need not be read, and 2^64 of them never come. */
static bool watch_signal(const ps_wake *wake) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    return epoll_ctl(wake->watched, EPOLL_CTL_ADD, wake->fd, &event) == 0;
}

ps_status ps_wake_init(ps_wake *wake, ps_error *error) {
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    wake->watched = wake->fd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (wake->watched >= 0 && watch_signal(wake)) return PS_OK;
    const int reason = errno;
    ps_wake_deinit(wake);
    return ps_fail(error, PS_IO,
                   "cannot make an eventfd: %s; raise the limit of open files (ulimit -n)",
                   strerror(reason));
}

void ps_wake_deinit(ps_wake *wake) {
    if (wake->fd < 0) return;
    (void)close(wake->fd);
    if (wake->watched >= 0) (void)close(wake->watched);
    wake->fd = wake->watched = -1;
}

void ps_wake_signal(const ps_wake *wake) {
    const uint64_t one = 1;
    const ssize_t written = write(wake->fd, &one, sizeof one);
    (void)written;
}

void ps_wake_watch(const ps_wake *wake, int fd, atomic_bool *ready) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ready};
    (void)epoll_ctl(wake->watched, EPOLL_CTL_ADD, fd, &event);
}

void ps_wake_unwatch(const ps_wake *wake, int fd) {
    (void)epoll_ctl(wake->watched, EPOLL_CTL_DEL, fd, NULL);
}

void ps_wake_wait(ps_wake *wake, int64_t deadline_ns) {
    struct epoll_event events[EVENTS];
    /* Those that are not told of this time are the next. */
    const int count = ps_epoll_wait(wake->watched, events, EVENTS, deadline_ns);
    for (int i = 0; i < count; i++) {
        atomic_bool *ready = events[i].data.ptr;
        if (ready != NULL) atomic_store_explicit(ready, true, memory_order_relaxed);
    }
    atomic_store_explicit(&wake->asked_ns, ps_clock_ns(), memory_order_relaxed);
}
