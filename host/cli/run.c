/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/run.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/cli/args.h"
#include "host/cli/monitor.h"
#include "host/device/choice.h"
#include "simd/dispatch.h"

/* What a signal stops: a handler gets no argument. */
static _Atomic(ps_pipeline *) running;
static atomic_bool ended;
static _Atomic int64_t first_signal_ns;
static const char *farewell; /* of a run that a signal ends before it has begun */

/* A second signal ends the drain. It is one only when somebody had time to grow impatient:
 * coreutils' timeout, for one, signals the process and then its whole group. */
#define IMPATIENT_NS PS_NS_PER_S

static void on_signal(int number) {
    (void)number;
    ps_pipeline *pipeline = atomic_load(&running);
    const int64_t now_ns = ps_clock_ns();
    int64_t first_ns = 0;
    if (!atomic_compare_exchange_strong(&first_signal_ns, &first_ns, now_ns)) {
        if (now_ns - first_ns > IMPATIENT_NS) _exit(PS_EXIT_FAILED);
        return;
    }
    if (pipeline != NULL) {
        ps_pipeline_stop(pipeline);
        return;
    }
    /* How a run went is not changed by who comes too late to stop it. */
    if (atomic_load(&ended)) return;
    const ssize_t said = write(STDOUT_FILENO, farewell, strlen(farewell));
    (void)said;
    _exit(PS_EXIT_OK); /* nothing has begun, so nothing is to be drained */
}

void ps_run_catch_signals(const char *words) {
    farewell = words;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    /* A limit on file sizes is a full disk like any other: the write says so. */
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGXFSZ, &action, NULL);
}

/* Who stops a pipeline from another thread is done with it before it is closed. */
static pthread_mutex_t stopping = PTHREAD_MUTEX_INITIALIZER;

void ps_run_stop(void) {
    pthread_mutex_lock(&stopping);
    ps_pipeline *pipeline = atomic_load(&running);
    if (pipeline != NULL) ps_pipeline_stop(pipeline);
    pthread_mutex_unlock(&stopping);
}

/* What the machine has not been asked yet: lanes run on defaults until this knows better. */
typedef struct measuring {
    ps_placement *placement;
    pthread_t thread;
    atomic_bool stop;
    bool started;
} measuring;

static void *measure(void *argument) {
    measuring *m = argument;
    ps_choice_measure(&m->stop);
    /* Behind it, because what kernels cost depends on it. */
    if (m->placement != NULL && m->placement->unmeasured)
        ps_placement_measure(m->placement, &m->stop);
    return NULL;
}

static void measuring_start(measuring *m, ps_placement *placement) {
    m->placement = placement;
    atomic_init(&m->stop, false);
    if (!ps_choice_known() || (placement != NULL && placement->unmeasured))
        m->started = pthread_create(&m->thread, NULL, measure, m) == 0;
}

static void measuring_stop(measuring *m) {
    atomic_store(&m->stop, true);
    if (m->started) (void)pthread_join(m->thread, NULL);
}

ps_status ps_run_pipeline(const ps_pipeline_config *config, const ps_run_look *look,
                          ps_run_result *result, ps_error *error) {
    ps_pipeline *pipeline = NULL;
    ps_monitor *monitor = NULL;
    const int64_t begin_ns = ps_clock_ns();
    PS_TRY(ps_pipeline_open(config, &pipeline, error));
    ps_status status = ps_monitor_open(pipeline, look->live, &monitor, error);
    if (status == PS_OK) {
        ps_http_watch(look->http, pipeline, monitor);
        if (look->announce)
            ps_log(PS_LOG_INFO, look->where, "started: %u lane%s on %s (%s)",
                   ps_pipeline_lanes(pipeline), ps_pipeline_lanes(pipeline) == 1 ? "" : "s",
                   config->backend->name, ps_dispatch_isa());
        atomic_store(&running, pipeline);
        measuring beside = {.started = false};
        measuring_start(&beside, look->placement);
        status = ps_pipeline_run(pipeline, error);
        measuring_stop(&beside);
        atomic_store(&ended, true);
        pthread_mutex_lock(&stopping);
        atomic_store(&running, NULL);
        pthread_mutex_unlock(&stopping);
    }
    ps_http_watch(look->http, NULL, NULL);
    ps_monitor_close(monitor);
    const int64_t ready_ns = ps_pipeline_ready_ns(pipeline);
    ps_totals_take(pipeline, &result->totals);
    const ps_lane_metrics *first = ps_pipeline_metrics(pipeline, 0);
    result->backend = atomic_load((_Atomic(const char *) *)(uintptr_t)&first->backend);
    if (result->backend == NULL) result->backend = config->backend->name;
    for (uint32_t i = 0; i < ps_pipeline_lanes(pipeline); i++)
        result->told = result->told || ps_pipeline_health(pipeline, i) == PS_HEALTH_FAILED;
    result->seconds = (double)(ps_clock_ns() - (ready_ns == 0 ? begin_ns : ready_ns)) / 1e9;
    ps_pipeline_close(pipeline);
    return status;
}
