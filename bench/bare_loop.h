/* SPDX-License-Identifier: Apache-2.0
 * The yardstick: the leanest exactly-once loop that librdkafka allows, without a worker around it.
 * One consumer and one transactional producer per thread, batch consumption, produce without a copy
 * out of the fetched messages, which are kept until the commit. It appends the same headers or the
 * same JSON member as penstock does, with a score that is a constant.
 */
#ifndef PS_BENCH_BARE_LOOP_H
#define PS_BENCH_BARE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/status.h"

typedef enum ps_bare_form {
    PS_BARE_PLAIN,   /* as it came, with its timestamp */
    PS_BARE_HEADERS, /* ps-source, ps-sha256, ps-score, ps-anomaly */
    PS_BARE_JSON     /* the object with a member `penstock` appended */
} ps_bare_form;

typedef struct ps_bare_config {
    const char *brokers, *source, *output, *group;
    uint32_t threads;
    ps_bare_form form;
    bool exactly_once;
    bool hash; /* else a constant digest */
    int64_t commit_interval_ns;
    uint32_t linger_ms;
    const char *codec;    /* of what it writes; NULL: none */
    uint32_t batch_bytes; /* of what it writes, before that; 0: a megabyte */
} ps_bare_config;

/* Runs from the group's committed offsets to the ends seen at start; `rows` is how many records
 * went through. The source must hold no transaction markers. */
ps_status ps_bare_loop(const ps_bare_config *config, uint64_t *rows, ps_error *error) PS_MUST_USE;

#endif
