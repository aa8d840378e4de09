/* SPDX-License-Identifier: Apache-2.0
 * A lane from topic `in` to topics `out` and `dead` of librdkafka's mock cluster, for the tests of
 * the Kafka parts.
 */
#ifndef PS_TESTS_KAFKA_WORLD_H
#define PS_TESTS_KAFKA_WORLD_H

#include <stdlib.h>

#include "host/base/clock.h"
#include "host/device/backend.h"
#include "host/flow/lane.h"
#include "ingest/kafka_link.h"
#include "tests/kafka_mock.h"

enum { RECORDS = 2000, PARTITIONS = 3, ROWS_MAX = 256, ARENA_BYTES = 1 << 20, API_END_TXN = 26 };
enum { API_PRODUCE = 0, API_OFFSET_COMMIT = 8, API_TXN_OFFSET_COMMIT = 28, SECONDS_MAX = 60 };

typedef struct world {
    kafka_mock mock;
    ps_plan plan;
    ps_partitions partitions;
    ps_wake wake;
    ps_lane_metrics metrics;
    ps_kafka_source_config source;
    ps_kafka_sink_config sink;
    ps_dead_config dead;
    const char *topic;
    int64_t linger_ns;
    ps_status status; /* of the lane's end, and why */
    ps_error error;
} world;

/* For those to whom it does not matter what the records are. */
static inline void produce_any(world *w) {
    rd_kafka_t *producer = kafka_mock_producer(&w->mock);
    for (int i = 0; i < RECORDS; i++) {
        const rd_kafka_vu_t parts[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "in"},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = i % PARTITIONS},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t) "{}", 2}},
        };
        assert_null(rd_kafka_produceva(producer, parts, sizeof parts / sizeof parts[0]));
    }
    assert_int_equal(rd_kafka_flush(producer, 10000), 0);
    rd_kafka_destroy(producer);
}

static inline world *world_open_on(void (*produce)(world *), int brokers) {
    static const char *const topics[] = {"in", "out", "dead"};
    ps_error error;
    world *w = calloc(1, sizeof *w);
    w->mock = kafka_mock_open_on(topics, PARTITIONS, brokers);
    produce(w);
    assert_int_equal(ps_plan_init(&w->plan, ROWS_MAX, ARENA_BYTES, 100, NULL, &error), PS_OK);
    assert_int_equal(ps_plan_close(&w->plan, &error), PS_OK);
    assert_int_equal(ps_wake_init(&w->wake, &error), PS_OK);
    w->topic = "in";
    w->source = (ps_kafka_source_config){.brokers = w->mock.brokers, .topics = {&w->topic, 1}};
    w->sink = (ps_kafka_sink_config){.topic = "out", .commit_interval_ns = 20 * PS_NS_PER_MS};
    w->dead.topic = "dead";
    w->linger_ns = PS_NS_PER_MS;
    assert_int_equal(ps_source_kafka.discover(&w->source, &w->partitions, &error), PS_OK);
    assert_int_equal(w->partitions.count, PARTITIONS);
    return w;
}

static inline world *world_open(void (*produce)(world *)) {
    return world_open_on(produce, 1);
}

static inline void close_world(world *w) {
    ps_wake_deinit(&w->wake);
    ps_plan_deinit(&w->plan);
    kafka_mock_close(&w->mock);
    free(w);
}

static inline ps_lane_env world_env(world *w) {
    return (ps_lane_env){.pipeline = "p",
                         .instance = "i",
                         .lanes = 1,
                         .linger_ns = w->linger_ns,
                         .memory_bytes = 8 << 20,
                         .plan = &w->plan,
                         .partitions = &w->partitions,
                         .wake = &w->wake,
                         .metrics = &w->metrics,
                         .dead = &w->dead};
}

/* Runs the lane until `rows` are safely out, then drains it. */
static inline void run(world *w, uint64_t rows) {
    const ps_lane_config config = {.env = world_env(w),
                                   .backend = &ps_backend_cpu,
                                   .source = &ps_source_kafka,
                                   .source_config = &w->source,
                                   .sink = &ps_sink_kafka,
                                   .sink_config = &w->sink,
                                   .depth = 4,
                                   .os_node = -1,
                                   .exactly_once = w->sink.delivery == PS_KAFKA_EXACTLY_ONCE};
    ps_lane *lane = NULL;
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    bool draining = false;
    w->status = ps_lane_open(&config, &lane, &w->error);
    while (w->status == PS_OK && ps_clock_ns() < deadline_ns) {
        bool moved;
        int64_t again_ns;
        w->status = ps_lane_step(lane, &moved, &again_ns, &w->error);
        if (!draining && ps_read(&w->metrics.rows_in) >= rows) {
            draining = true;
            ps_lane_drain(lane);
            continue;
        }
        if (moved || w->status != PS_OK) continue;
        const int64_t soon_ns = ps_clock_ns() + PS_NS_PER_S;
        ps_wake_wait(&w->wake, again_ns < soon_ns ? again_ns : soon_ns);
    }
    ps_lane_close(lane);
}

#endif
