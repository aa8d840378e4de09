/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/epoll.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/clock.h"

/* epoll_pwait2() is of Linux 5.11 and of glibc 2.35: a kernel may have it where the library has
 * not, and the other way round. */
static int wait_in_one(int epoll, struct epoll_event *events, int events_max,
                       const struct timespec *left) {
#ifdef SYS_epoll_pwait2
    const long count = syscall(SYS_epoll_pwait2, epoll, events, events_max, left, NULL, 0);
    if (count >= 0 || errno == EINTR) return count < 0 ? 0 : (int)count;
#endif
    struct pollfd one = {.fd = epoll, .events = POLLIN};
    if (ppoll(&one, 1, left, NULL) <= 0) return 0;
    const int taken = epoll_wait(epoll, events, events_max, 0);
    return taken < 0 ? 0 : taken;
}

int ps_epoll_wait(int epoll, struct epoll_event *events, int events_max, int64_t until_ns) {
    if (until_ns == INT64_MAX) return wait_in_one(epoll, events, events_max, NULL);
    int64_t ns = until_ns <= 0 ? 0 : until_ns - ps_clock_ns();
    if (ns < 0) ns = 0;
    const struct timespec left = {ns / PS_NS_PER_S, ns % PS_NS_PER_S};
    return wait_in_one(epoll, events, events_max, &left);
}
