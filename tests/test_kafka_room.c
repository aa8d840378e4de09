/* SPDX-License-Identifier: Apache-2.0
 * Clusters with more brokers than penstock's own client has room for. If this fails, `client: auto`
 * ends the worker where librdkafka would do, or a large cluster is refused that would have fitted.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "host/flow/pipeline.h"
#include "tests/kafka_world.h"

enum { MANY = 24, MEMORY_MAX = 160 << 20 };

static void *stop_when_done(void *argument) {
    ps_pipeline *pipeline = argument;
    const int64_t until_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    while (ps_read(&ps_pipeline_metrics(pipeline, 0)->sink_rows) < RECORDS &&
           ps_pipeline_health(pipeline, 0) < PS_HEALTH_FAILED && ps_clock_ns() < until_ns)
        (void)nanosleep(&(struct timespec){.tv_nsec = PS_NS_PER_MS}, NULL);
    ps_pipeline_stop(pipeline);
    return NULL;
}

static ps_status runs(world *w, bool any, uint64_t *rows) {
    const ps_pipeline_config config = {.name = "p",
                                       .instance = "room",
                                       .plan = &w->plan,
                                       .backend = &ps_backend_cpu,
                                       .source = &ps_source_kafka,
                                       .source_config = &w->source,
                                       .sink = &ps_sink_kafka,
                                       .sink_config = &w->sink,
                                       .dead = &w->dead,
                                       .lanes = 1,
                                       .depth = 4,
                                       .linger_ns = w->linger_ns,
                                       .memory_max = MEMORY_MAX,
                                       .native = true,
                                       .native_auto = any};
    ps_pipeline *pipeline = NULL;
    ps_status status = ps_pipeline_open(&config, &pipeline, &w->error);
    pthread_t thread;
    if (status == PS_OK)
        assert_int_equal(pthread_create(&thread, NULL, stop_when_done, pipeline), 0);
    if (status == PS_OK) status = ps_pipeline_run(pipeline, &w->error);
    if (pipeline != NULL) (void)pthread_join(thread, NULL);
    if (pipeline != NULL) *rows = ps_read(&ps_pipeline_metrics(pipeline, 0)->sink_rows);
    ps_pipeline_close(pipeline);
    return status;
}

static void test_auto_takes_librdkafka(void **state) {
    (void)state;
    uint64_t rows = 0;
    world *w = world_open_on(produce_any, MANY);
    w->source.batch_max = 1 << 20;
    w->source.expansion = 4;
    assert_int_equal(runs(w, false, &rows), PS_BAD_CONFIG);
    assert_non_null(strstr(w->error.message, "24 brokers"));
    assert_non_null(strstr(w->error.message, "use runtime.client: librdkafka"));
    if (runs(w, true, &rows) != PS_OK) fail_msg("%s", w->error.message);
    assert_int_equal(rows, RECORDS);
    close_world(w);
}

/* A lane's env where so many brokers were found. */
static ps_status suits(world *w, uint32_t brokers, int64_t memory_bytes) {
    ps_lane_env env = world_env(w);
    w->partitions.brokers = brokers;
    env.memory_bytes = memory_bytes;
    w->error = (ps_error){""};
    return ps_sink_kafka.suits(&w->sink, &env, &w->error);
}

static void test_sink(void **state) {
    (void)state;
    world *w = world_open(produce_any);
    assert_int_equal(suits(w, 3, 8 << 20), PS_OK);
    assert_int_equal(suits(w, 40, 32 << 20), PS_OK);
    assert_int_equal(suits(w, 100, 4 << 20), PS_BAD_CONFIG);
    assert_non_null(strstr(w->error.message, "100 brokers"));
    w->sink.brokers = "elsewhere:9092"; /* nobody has asked there */
    assert_int_equal(suits(w, 100, 4 << 20), PS_OK);
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_auto_takes_librdkafka),
                                       cmocka_unit_test(test_sink)};
    return cmocka_run_group_tests_name("kafka_room", tests, NULL, NULL);
}
