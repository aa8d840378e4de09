/* SPDX-License-Identifier: Apache-2.0
 * A partition without a record, on librdkafka's mock cluster. If this fails, --until-end waits for
 * ever where a worker had to go back before it had committed anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/kafka_source_parts.h"
#include "tests/batches.h"
#include "tests/kafka_mock.h"

enum { SECONDS_MAX = 30, LATER_MS = 1500 };

static void await_partition(void *source) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    ps_event event = {PS_EVENT_NONE, 0, NULL};
    ps_error error = {""};
    while (event.kind == PS_EVENT_NONE && ps_clock_ns() < deadline_ns) {
        assert_int_equal(ps_source_kafka.event(source, &event, &error), PS_OK);
        (void)usleep(1000);
    }
    assert_int_equal(event.kind, PS_EVENT_ASSIGNED);
}

/* How many positions the source tells within the time; all of them are 0. */
static uint32_t positions(void *source, ps_batch *batch, int64_t ms) {
    const int64_t until_ns = ps_clock_ns() + ms * PS_NS_PER_MS;
    ps_error error = {""};
    ps_event none;
    int64_t again_ns = INT64_MAX;
    ps_batch_reset(batch);
    while (batch->position_count == 0 && ps_clock_ns() < until_ns) {
        const ps_status status = ps_source_kafka.fill(source, batch, &again_ns, &error);
        if (status != PS_OK && status != PS_AGAIN) fail_msg("%s", error.message);
        assert_int_equal(ps_source_kafka.event(source, &none, &error), PS_OK);
        (void)usleep(1000);
    }
    for (uint32_t i = 0; i < batch->position_count; i++)
        assert_int_equal(batch->positions[i].next, 0);
    return batch->position_count;
}

static void test_told_again_after_going_back(void **state) {
    (void)state;
    static const char *const topics[] = {"in", "out", "p.state"};
    kafka_mock mock = kafka_mock_open(topics, 1);
    ps_partitions *partitions = calloc(1, sizeof *partitions);
    ps_lane_metrics *metrics = calloc(1, sizeof *metrics);
    test_batch *tb = test_batch_open(64, 1 << 16);
    ps_wake wake;
    ps_error error = {""};
    void *source;
    partitions->topic_count = partitions->count = partitions->topic[0].count = 1;
    (void)snprintf(partitions->topic[0].name, sizeof partitions->topic[0].name, "in");
    assert_int_equal(ps_wake_init(&wake, &error), PS_OK);
    const ps_lane_env env = {.pipeline = "p",
                             .instance = "i",
                             .lanes = 1,
                             .linger_ns = PS_NS_PER_MS,
                             .memory_bytes = 8 << 20,
                             .partitions = partitions,
                             .wake = &wake,
                             .metrics = metrics};
    const ps_kafka_source_config config = {.brokers = mock.brokers};
    assert_int_equal(ps_source_kafka.open(&config, &env, &source, &error), PS_OK);
    await_partition(source);
    assert_int_equal(ps_source_kafka.start(source, 0, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(ps_source_kafka.answer(source, &error), PS_OK);
    assert_int_equal(positions(source, &tb->batch, SECONDS_MAX * 1000), 1);
    /* The transaction that held it was aborted: nothing is committed, as before. */
    assert_int_equal(ps_source_kafka.start(source, 0, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(positions(source, &tb->batch, SECONDS_MAX * 1000), 1);
    /* This time it was not: there is nothing to tell. */
    assert_int_equal(ps_source_kafka.start(source, 0, 0, &error), PS_OK);
    assert_int_equal(positions(source, &tb->batch, LATER_MS), 0);
    ps_source_kafka.close(source);
    test_batch_close(tb);
    ps_wake_deinit(&wake);
    free(metrics);
    free(partitions);
    kafka_mock_close(&mock);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told_again_after_going_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
