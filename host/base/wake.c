/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/wake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/base/clock.h"

enum { EVENTS = 8 };

ps_status ps_wake_init(ps_wake *wake, ps_error *error) {
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    wake->watched = wake->fd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (wake->watched >= 0) return PS_OK;
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
    /* A full counter means that the sleeper is already being woken. */
    const ssize_t written = write(wake->fd, &one, sizeof one);
    (void)written;
}

void ps_wake_watch(const ps_wake *wake, int fd, bool *ready) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ready};
    (void)epoll_ctl(wake->watched, EPOLL_CTL_ADD, fd, &event);
}

void ps_wake_unwatch(const ps_wake *wake, int fd) {
    (void)epoll_ctl(wake->watched, EPOLL_CTL_DEL, fd, NULL);
}

/* Those that are not told of this time are the next. */
static void tell_ready(const ps_wake *wake) {
    struct epoll_event events[EVENTS];
    const int count = epoll_wait(wake->watched, events, EVENTS, 0);
    for (int i = 0; i < count; i++) *(bool *)events[i].data.ptr = true;
}

void ps_wake_wait(const ps_wake *wake, int64_t deadline_ns) {
    struct pollfd polled[] = {{.fd = wake->fd, .events = POLLIN},
                              {.fd = wake->watched, .events = POLLIN}};
    struct timespec left, *timeout = NULL;
    if (deadline_ns != INT64_MAX) {
        int64_t ns = deadline_ns - ps_clock_ns();
        if (ns < 0) ns = 0;
        left.tv_sec = ns / PS_NS_PER_S;
        left.tv_nsec = ns % PS_NS_PER_S;
        timeout = &left;
    }
    if (ppoll(polled, 2, timeout, NULL) <= 0) return;
    if (polled[1].revents & POLLIN) tell_ready(wake);
    if ((polled[0].revents & POLLIN) == 0) return;
    uint64_t count;
    const ssize_t taken = read(wake->fd, &count, sizeof count);
    (void)taken;
}
