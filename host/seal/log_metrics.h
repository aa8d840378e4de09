/* SPDX-License-Identifier: Apache-2.0
 * What a log tells of itself to who watches the worker; `log` is NULL where nobody does.
 */
#ifndef PS_HOST_SEAL_LOG_METRICS_H
#define PS_HOST_SEAL_LOG_METRICS_H

#include "host/base/clock.h"
#include "host/flow/metrics.h"

/* It was restored, and rows come. */
static inline void ps_log_begun(ps_log_metrics *log, uint64_t size, uint64_t signed_size,
                                int64_t interval_ns) {
    if (log == NULL) return;
    const int64_t now_ns = ps_clock_ns();
    ps_set(&log->size, size);
    ps_set(&log->signed_size, signed_size);
    ps_set_time(&log->signed_ns, now_ns);
    ps_set_time(&log->behind_ns, now_ns);
    ps_set_time(&log->interval_ns, interval_ns);
    ps_set(&log->mine, 1);
}

/* Another worker's from now on. */
static inline void ps_log_left(ps_log_metrics *log) {
    if (log != NULL) ps_set(&log->mine, 0);
}

/* So many entries are committed. */
static inline void ps_log_grew(ps_log_metrics *log, uint64_t size) {
    if (log == NULL) return;
    if (ps_read(&log->signed_size) >= ps_read(&log->size))
        ps_set_time(&log->behind_ns, ps_clock_ns());
    ps_count(&log->sealed, size - ps_read(&log->size));
    ps_set(&log->size, size);
}

static inline void ps_log_signed(ps_log_metrics *log, uint64_t size) {
    if (log == NULL) return;
    ps_set_time(&log->signed_ns, ps_clock_ns());
    ps_set(&log->signed_size, size);
}

static inline void ps_log_failed(ps_log_metrics *log) {
    if (log != NULL) ps_count(&log->faults, 1);
}

#endif
