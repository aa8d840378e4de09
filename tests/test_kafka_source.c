/* SPDX-License-Identifier: Apache-2.0
 * The source by itself, on librdkafka's mock cluster. If this fails, --until-end waits for ever
 * where a worker had to go back before it had committed anything, or a worker stands still for ever
 * once its member is fenced, or without a word while its brokers are away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/kafka_source_parts.h"
#include "tests/batches.h"
#include "tests/kafka_alone.h"

enum { SECONDS_MAX = 30, LATER_MS = 1500 };

typedef struct world {
    kafka_alone at;
    test_batch *batch;
    ps_string_pair session;
    ps_kafka_source_config config;
    void *source;
} world;

static world *open_world(void) {
    world *w = calloc(1, sizeof *w);
    ps_error error = {""};
    assert_non_null(w);
    kafka_alone_open(&w->at);
    w->batch = test_batch_open(64, 1 << 16);
    w->session =
        (ps_string_pair){"session.timeout.ms", "3000"}; /* so long the group waits for one */
    w->config =
        (ps_kafka_source_config){.brokers = w->at.mock.brokers, .properties = {&w->session, 1}};
    assert_int_equal(ps_source_kafka.open(&w->config, &w->at.env, &w->source, &error), PS_OK);
    return w;
}

static void close_world(world *w) {
    ps_source_kafka.close(w->source);
    test_batch_close(w->batch);
    kafka_alone_close(&w->at);
    free(w);
}

static void await_event(world *w, ps_event_kind kind) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    ps_event event = {PS_EVENT_NONE, 0, NULL};
    ps_error error = {""};
    int64_t again_ns = INT64_MAX;
    while (event.kind != kind && ps_clock_ns() < deadline_ns) {
        const ps_status status =
            ps_source_kafka.fill(w->source, &w->batch->batch, &again_ns, &error);
        if (status != PS_OK && status != PS_AGAIN) fail_msg("%s", error.message);
        assert_int_equal(ps_source_kafka.event(w->source, &event, &error), PS_OK);
        (void)usleep(1000);
    }
    assert_int_equal(event.kind, kind);
}

/* How many positions the source tells within the time; all of them are 0. */
static uint32_t positions(world *w, int64_t ms) {
    ps_batch *batch = &w->batch->batch;
    const int64_t until_ns = ps_clock_ns() + ms * PS_NS_PER_MS;
    ps_error error = {""};
    ps_event none;
    int64_t again_ns = INT64_MAX;
    ps_batch_reset(batch);
    while (batch->position_count == 0 && ps_clock_ns() < until_ns) {
        const ps_status status = ps_source_kafka.fill(w->source, batch, &again_ns, &error);
        if (status != PS_OK && status != PS_AGAIN) fail_msg("%s", error.message);
        assert_int_equal(ps_source_kafka.event(w->source, &none, &error), PS_OK);
        (void)usleep(1000);
    }
    for (uint32_t i = 0; i < batch->position_count; i++)
        assert_int_equal(batch->positions[i].next, 0);
    return batch->position_count;
}

static void test_told_again_after_going_back(void **state) {
    (void)state;
    ps_error error = {""};
    world *w = open_world();
    await_event(w, PS_EVENT_ASSIGNED);
    assert_int_equal(ps_source_kafka.start(w->source, 0, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(ps_source_kafka.answer(w->source, &error), PS_OK);
    assert_int_equal(positions(w, SECONDS_MAX * 1000), 1);
    /* The transaction that held it was aborted: nothing is committed, as before. */
    assert_int_equal(ps_source_kafka.start(w->source, 0, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(positions(w, SECONDS_MAX * 1000), 1);
    /* This time it was not: there is nothing to tell. */
    assert_int_equal(ps_source_kafka.start(w->source, 0, 0, &error), PS_OK);
    assert_int_equal(positions(w, LATER_MS), 0);
    close_world(w);
}

/* An heir of the same name joins while this member's state is still being restored. */
static void test_fenced_before_the_answer(void **state) {
    (void)state;
    ps_error error = {""};
    world *w = open_world();
    await_event(w, PS_EVENT_ASSIGNED);
    (void)rd_kafka_test_fatal_error(((ps_kafka_source *)w->source)->client,
                                    RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "an heir");
    await_event(w, PS_EVENT_LOST);
    (void)alarm(SECONDS_MAX); /* librdkafka waited for the answer, and the lane for librdkafka */
    assert_int_equal(ps_source_kafka.answer(w->source, &error), PS_OK);
    (void)alarm(0);
    await_event(w, PS_EVENT_ASSIGNED);
    assert_int_equal(ps_source_kafka.start(w->source, 0, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(ps_source_kafka.answer(w->source, &error), PS_OK);
    assert_int_equal(positions(w, SECONDS_MAX * 1000), 1);
    close_world(w);
}

static void await_committed(world *w) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    ps_status status = PS_AGAIN;
    ps_error error = {""};
    int64_t next;
    while (status == PS_AGAIN && ps_clock_ns() < deadline_ns) {
        status = ps_source_kafka.committed(w->source, 0, &next, &error);
        (void)usleep(1000);
    }
    assert_int_equal(status, PS_OK);
}

/* Without it a worker that the group had given up unheard commits what others have done since. */
static void test_another_member_begins_anew(void **state) {
    (void)state;
    const uint32_t partition = 0;
    world *w = open_world();
    w->at.env.source_self = w->source;
    await_event(w, PS_EVENT_ASSIGNED);
    await_committed(w);
    assert_true(ps_kafka_link_unbroken(&w->at.env, NULL, &partition, 1));
    /* As if this one had asked under another id. */
    ps_kafka_watch *watch = &((ps_kafka_source *)w->source)->watch;
    pthread_mutex_lock(&watch->mutex);
    (void)snprintf(watch->member, sizeof watch->member, "another");
    pthread_mutex_unlock(&watch->mutex);
    assert_false(ps_kafka_link_unbroken(&w->at.env, NULL, &partition, 1));
    assert_false(ps_kafka_link_unbroken(&w->at.env, NULL, &partition, 1)); /* and not only once */
    await_committed(w);
    assert_true(ps_kafka_link_unbroken(&w->at.env, NULL, &partition, 1));
    close_world(w);
}

/* Whether what goes to `log` instead of stderr says it in time, while the lane asks on. */
static bool is_said(world *w, int log, const char *words) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    char text[8192] = "";
    ps_error error = {""};
    int64_t next;
    while (strstr(text, words) == NULL && ps_clock_ns() < deadline_ns) {
        assert_int_equal(ps_source_kafka.committed(w->source, 0, &next, &error), PS_AGAIN);
        (void)usleep(10000);
        const ssize_t length = pread(log, text, sizeof text - 1, 0);
        text[length < 0 ? 0 : length] = '\0';
    }
    return strstr(text, words) != NULL;
}

/* Without it a worker whose brokers go away in the midst of a rebalance stands still without a
 * word. */
static void test_who_waits_says_so(void **state) {
    (void)state;
    world *w = open_world();
    await_event(w, PS_EVENT_ASSIGNED);
    assert_int_equal(rd_kafka_mock_broker_set_down(w->at.mock.cluster, 1), 0);
    FILE *log = tmpfile();
    assert_non_null(log);
    const int before = dup(STDERR_FILENO);
    (void)dup2(fileno(log), STDERR_FILENO);
    const bool said = is_said(w, fileno(log), "has said at");
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    (void)fclose(log);
    assert_true(said);
    assert_int_equal(rd_kafka_mock_broker_set_up(w->at.mock.cluster, 1), 0);
    await_committed(w);
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_again_after_going_back),
        cmocka_unit_test(test_fenced_before_the_answer),
        cmocka_unit_test(test_another_member_begins_anew),
        cmocka_unit_test(test_who_waits_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
