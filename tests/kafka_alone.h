/* SPDX-License-Identifier: Apache-2.0
 * What a source or a sink is opened with when no lane stands around it: one partition of topic `in`
 * on librdkafka's mock cluster, which has `out` and `p.state`, too.
 */
#ifndef PS_TESTS_KAFKA_ALONE_H
#define PS_TESTS_KAFKA_ALONE_H

#include <stdio.h>

#include "host/base/clock.h"
#include "ingest/kafka_link.h"
#include "tests/kafka_mock.h"

typedef struct kafka_alone {
    kafka_mock mock;
    ps_partitions partitions;
    ps_wake wake;
    ps_lane_metrics metrics;
    ps_lane_env env;
} kafka_alone;

/* `*a`: zeroed, and where it stays. Ends with kafka_alone_close. */
static inline void kafka_alone_open(kafka_alone *a) {
    static const char *const topics[] = {"in", "out", "p.state"};
    ps_error error;
    a->mock = kafka_mock_open(topics, 1);
    a->partitions.topic_count = a->partitions.count = a->partitions.topic[0].count = 1;
    (void)snprintf(a->partitions.topic[0].name, sizeof a->partitions.topic[0].name, "in");
    assert_int_equal(ps_wake_init(&a->wake, &error), PS_OK);
    a->env = (ps_lane_env){.pipeline = "p",
                           .instance = "i",
                           .lanes = 1,
                           .linger_ns = PS_NS_PER_MS,
                           .memory_bytes = 8 << 20,
                           .partitions = &a->partitions,
                           .wake = &a->wake,
                           .metrics = &a->metrics};
}

static inline void kafka_alone_close(kafka_alone *a) {
    ps_wake_deinit(&a->wake);
    kafka_mock_close(&a->mock);
}

#endif
