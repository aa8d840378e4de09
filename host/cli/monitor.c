/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/monitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/cli/notify.h"
#include "host/cli/term.h"
#include "host/cli/totals.h"

#define TICK_NS (200 * PS_NS_PER_MS)
enum { HISTORY = 10 }; /* ticks that a rate is averaged over */

typedef struct watch {
    uint64_t moved; /* counters that change with any progress, summed */
    int64_t since_ns;
    _Atomic uint32_t stalled_s;
} watch;

struct ps_monitor {
    const ps_pipeline *pipeline;
    bool live, told; /* the service manager knows that it is ready */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
    watch lane[PS_LANES_MAX];
    ps_totals history[HISTORY];
    uint64_t ticks;
};

static bool has_work(const ps_lane_metrics *lane) {
    const int64_t lag =
        atomic_load_explicit((_Atomic int64_t *)(uintptr_t)&lane->lag, memory_order_relaxed);
    const uint64_t done =
        ps_read(&lane->rows_out) + ps_read(&lane->rows_filtered) + ps_read(&lane->rows_rejected);
    return lag > 0 || ps_read(&lane->rows_in) > done;
}

static void watch_lane(ps_monitor *monitor, uint32_t i, int64_t now_ns) {
    const ps_lane_metrics *lane = ps_pipeline_metrics(monitor->pipeline, i);
    const uint64_t moved = ps_read(&lane->rows_in) + ps_read(&lane->rows_out) +
                           ps_read(&lane->commits) + ps_read(&lane->batches) +
                           ps_read(&lane->restores);
    watch *at = &monitor->lane[i];
    if (moved != at->moved || !has_work(lane) || at->since_ns == 0) {
        at->moved = moved;
        at->since_ns = now_ns;
    }
    atomic_store_explicit(&at->stalled_s, (uint32_t)((now_ns - at->since_ns) / PS_NS_PER_S),
                          memory_order_relaxed);
}

static void tick(ps_monitor *monitor) {
    const int64_t now_ns = ps_clock_ns();
    for (uint32_t i = 0; i < ps_pipeline_lanes(monitor->pipeline); i++)
        watch_lane(monitor, i, now_ns);
    if (!monitor->told && ps_pipeline_ready_ns(monitor->pipeline) != 0) {
        ps_notify("READY=1");
        monitor->told = true;
    }
    if (!monitor->live) return;
    ps_totals *now = &monitor->history[monitor->ticks % HISTORY];
    const uint64_t first = monitor->ticks < HISTORY ? 0 : monitor->ticks - HISTORY + 1;
    ps_totals_take(monitor->pipeline, now);
    char line[256];
    ps_totals_live(now, &monitor->history[first % HISTORY], ps_term_columns(STDERR_FILENO), line,
                   sizeof line);
    if (monitor->ticks++ > 0) ps_log_live(line);
}

static void *monitor_main(void *argument) {
    ps_monitor *monitor = argument;
    (void)pthread_mutex_lock(&monitor->lock);
    while (!monitor->stopping) {
        tick(monitor);
        ps_clock_wait(&monitor->stop, &monitor->lock, ps_clock_ns() + TICK_NS);
    }
    (void)pthread_mutex_unlock(&monitor->lock);
    if (monitor->live) ps_log_live("");
    return NULL;
}

ps_status ps_monitor_open(const ps_pipeline *pipeline, bool live, ps_monitor **out,
                          ps_error *error) {
    ps_monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the monitor");
    monitor->pipeline = pipeline;
    monitor->live = live;
    (void)pthread_cond_init(&monitor->stop, NULL);
    (void)pthread_mutex_init(&monitor->lock, NULL);
    if (pthread_create(&monitor->thread, NULL, monitor_main, monitor) != 0) {
        free(monitor);
        return ps_fail(error, PS_NO_MEMORY,
                       "cannot start the monitor's thread: raise the limit of processes");
    }
    *out = monitor;
    return PS_OK;
}

void ps_monitor_close(ps_monitor *monitor) {
    if (monitor == NULL) return;
    (void)pthread_mutex_lock(&monitor->lock);
    monitor->stopping = true;
    (void)pthread_cond_signal(&monitor->stop);
    (void)pthread_mutex_unlock(&monitor->lock);
    (void)pthread_join(monitor->thread, NULL);
    (void)pthread_cond_destroy(&monitor->stop);
    (void)pthread_mutex_destroy(&monitor->lock);
    free(monitor);
}

uint32_t ps_monitor_stalled_s(const ps_monitor *monitor, uint32_t lane) {
    return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)&monitor->lane[lane].stalled_s,
                                memory_order_relaxed);
}
