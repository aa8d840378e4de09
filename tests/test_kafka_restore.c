/* SPDX-License-Identifier: Apache-2.0
 * What a Kafka lane goes back to, on librdkafka's mock cluster: state records of which one is torn,
 * and answers that come too late. If this fails, a worker goes on with state or offsets that are
 * not those of its output.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/kafka_source_parts.h"
#include "ingest/kafka_state_parts.h"
#include "tests/batches.h"
#include "tests/kafka_alone.h"

enum { FETCH = 1, LIST_OFFSETS = 2, ROWS_MAX = 64, CHUNK_BYTES = 700, SECONDS_MAX = 30 };

typedef kafka_alone world;

static world *open_world(void) {
    world *w = calloc(1, sizeof *w);
    kafka_alone_open(w);
    return w;
}

static void close_world(world *w) {
    kafka_alone_close(w);
    free(w);
}

/* ---- a torn state record */

/* A batch of `ROWS_MAX` series, whose plane holds `value`, up to source offset `next`. */
static void fill(ps_batch *batch, const ps_plan *plan, int64_t next, double value) {
    ps_batch_reset(batch);
    double *image = ps_batch_values(batch, &plan->schema.column[plan->state[0].image]);
    for (uint32_t s = 0; s < ROWS_MAX; s++) {
        batch->segments[s] = (ps_segment){.partition = 0, .key = {s, 1}, .last = next - 1};
        image[s] = value;
    }
    batch->segment_count = ROWS_MAX;
    ps_batch_position(batch, 0, next);
}

/* Writes the batch's state record, `missing` of its chunks left out at the end. */
static void write_record(ps_state_writer *writer, const ps_batch *batch, rd_kafka_t *producer,
                         uint32_t missing) {
    uint8_t chunk[16][CHUNK_BYTES];
    size_t bytes[16];
    uint32_t count = 0, partition;
    ps_state_writer_begin(writer, batch);
    while (ps_state_writer_next(writer, chunk[count], &bytes[count], &partition)) count++;
    assert_in_range(count, 3, 15);
    for (uint32_t i = 0; i + missing < count; i++) {
        const rd_kafka_vu_t parts[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "p.state"},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {chunk[i], bytes[i]}},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        };
        assert_null(rd_kafka_produceva(producer, parts, sizeof parts / sizeof parts[0]));
    }
}

static void note(void *context, uint32_t partition, const ps_state_entry *entries, uint32_t count) {
    double *values = context;
    (void)partition;
    for (const ps_state_entry *entry = entries; entry < entries + count; entry++)
        if (entry->planes != NULL) values[entry->key[0]] = entry->planes[0];
}

/* `*config`: to outlive the sink. */
static void *open_sink(const world *w, ps_kafka_sink_config *config) {
    ps_error error;
    void *sink;
    *config = (ps_kafka_sink_config){.brokers = w->mock.brokers,
                                     .topic = "out",
                                     .delivery = PS_KAFKA_AT_LEAST_ONCE,
                                     .commit_interval_ns = PS_NS_PER_S};
    assert_int_equal(ps_sink_kafka.open(config, &w->env, &sink, &error), PS_OK);
    return sink;
}

/* `*aborted`: how often the reading began anew. */
static int64_t restore(world *w, void *sink, double *values, int *aborted) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    ps_error error = {""};
    int64_t next = 0;
    ps_status status = PS_AGAIN;
    while (status != PS_OK && ps_clock_ns() < deadline_ns) {
        status = ps_sink_kafka.restore(sink, 0, note, values, &next, &error);
        *aborted += status == PS_ABORTED;
        if (status == PS_ABORTED)
            for (int i = 0; i < ROWS_MAX; i++) values[i] = 0;
        else if (status == PS_AGAIN)
            ps_wake_wait(&w->wake, ps_clock_ns() + 10 * PS_NS_PER_MS);
        else if (status != PS_OK)
            fail_msg("%s", error.message);
    }
    assert_int_equal(status, PS_OK);
    return next;
}

/* A world with a plan that keeps state, and who writes it. */
typedef struct writing {
    world *w;
    ps_plan *plan;
    ps_batch batch;
    void *memory;
    ps_state_writer *writer;
    rd_kafka_t *producer;
} writing;

static void open_writing(writing *of) {
    ps_operand operand, image;
    ps_error error;
    of->w = open_world();
    of->plan = calloc(1, sizeof *of->plan);
    assert_int_equal(ps_plan_init(of->plan, ROWS_MAX, 1 << 16, 1000, NULL, &error), PS_OK);
    assert_int_equal(ps_plan_state(of->plan, "test", 1, &operand, &image, &error), PS_OK);
    of->plan->groups = true;
    assert_int_equal(ps_plan_close(of->plan, &error), PS_OK);
    of->w->env.plan = of->plan;
    test_batch_memory(&of->batch, &of->plan->schema);
    of->memory = malloc(ps_state_writer_bytes(of->plan));
    of->writer = ps_state_writer_open(of->memory, of->plan, &of->w->partitions, CHUNK_BYTES);
    of->producer = kafka_mock_producer(&of->w->mock);
}

static void close_writing(writing *of) {
    rd_kafka_destroy(of->producer);
    free(of->memory);
    test_batch_free(&of->batch);
    ps_plan_deinit(of->plan);
    free(of->plan);
    close_world(of->w);
}

static void write_state(writing *of, int64_t next, double value, uint32_t missing) {
    fill(&of->batch, of->plan, next, value);
    write_record(of->writer, &of->batch, of->producer, missing);
    assert_int_equal(rd_kafka_flush(of->producer, 10000), 0);
}

static void expect_in(const writing *of, void *sink, int64_t next, double value, int anew) {
    double values[ROWS_MAX] = {0};
    int aborted = 0;
    assert_int_equal(restore(of->w, sink, values, &aborted), next);
    for (int i = 0; i < ROWS_MAX; i++) assert_true(values[i] == value);
    assert_int_equal(aborted, anew);
}

static void expect_state(const writing *of, int64_t next, double value, int anew) {
    ps_kafka_sink_config config;
    void *sink = open_sink(of->w, &config);
    expect_in(of, sink, next, value, anew);
    ps_sink_kafka.close(sink);
}

/* If this fails, a worker whose topic has lost rows that heavy state needs advises what does not
 * help. */
static void test_rows_are_gone(void **state) {
    (void)state;
    const char *topic = "in";
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    void *source;
    ps_error error = {""};
    writing of;
    open_writing(&of);
    of.plan->replays = true;
    const ps_kafka_source_config config = {.brokers = of.w->mock.brokers, .topics = {&topic, 1}};
    assert_int_equal(ps_source_kafka.open(&config, &of.w->env, &source, &error), PS_OK);
    ps_status status = PS_OK;
    for (bool given = false; status == PS_OK && ps_clock_ns() < deadline_ns; (void)usleep(1000)) {
        ps_event event = {PS_EVENT_NONE, 0, NULL};
        int64_t again_ns;
        status = ps_source_kafka.event(source, &event, &error);
        if (!given && event.kind == PS_EVENT_ASSIGNED) {
            given = true;
            assert_int_equal(ps_source_kafka.start(source, 0, 80288, &error), PS_OK);
            assert_int_equal(ps_source_kafka.answer(source, &error), PS_OK);
        } else if (given) {
            status = ps_source_kafka.fill(source, &of.batch, &again_ns, &error);
            if (status == PS_AGAIN) status = PS_OK;
        }
    }
    assert_int_equal(status, PS_IO);
    assert_non_null(strstr(error.message, "begin at offset 80288, which is out of range"));
    assert_non_null(strstr(error.message, "`penstock reset FILE --state`"));
    ps_source_kafka.close(source);
    close_writing(&of);
}

/* If this fails, an upgrade that makes state heavy offers to forget it all, and nothing else. */
static void test_other_policy(void **state) {
    (void)state;
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    double values[ROWS_MAX];
    int64_t next;
    void *sink;
    ps_error error = {""};
    writing of;
    open_writing(&of);
    write_state(&of, 100, 1.0, 0);
    const uint64_t print = of.plan->fingerprint;
    of.plan->fingerprint = of.plan->other_policy;
    of.plan->other_policy = print;
    of.plan->replays = true;
    const ps_kafka_sink_config config = {.brokers = of.w->mock.brokers,
                                         .topic = "out",
                                         .delivery = PS_KAFKA_AT_LEAST_ONCE,
                                         .commit_interval_ns = PS_NS_PER_S};
    assert_int_equal(ps_sink_kafka.open(&config, &of.w->env, &sink, &error), PS_OK);
    ps_status status = PS_AGAIN;
    while (status == PS_AGAIN && ps_clock_ns() < deadline_ns) {
        status = ps_sink_kafka.restore(sink, 0, note, values, &next, &error);
        if (status == PS_AGAIN) ps_wake_wait(&of.w->wake, ps_clock_ns() + 10 * PS_NS_PER_MS);
    }
    assert_int_equal(status, PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "`runtime: {state: delta}`"));
    ps_sink_kafka.close(sink);
    close_writing(&of);
}

static void test_torn_record(void **state) {
    (void)state;
    writing of;
    open_writing(&of);
    write_state(&of, 100, 1.0, 0);
    write_state(&of, 200, 2.0, 1); /* and here the writer died */
    expect_state(&of, 100, 1.0, 1);
    write_state(&of, 150, 3.0, 0);
    expect_state(&of, 150, 3.0, 1);
    close_writing(&of);
}

/* If this fails, a worker ends when another one deletes old state records just as it reads them. */
static void test_deleted_meanwhile(void **state) {
    (void)state;
    writing of;
    open_writing(&of);
    write_state(&of, 100, 1.0, 0);
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(
                         of.w->mock.cluster, 1, FETCH, 1, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, 0),
                     0);
    expect_state(&of, 100, 1.0, 1);
    close_writing(&of);
}

/* If this fails, a worker ends when the broker that it asks has just started and knows no topics.
 */
static void test_unknown_for_a_moment(void **state) {
    (void)state;
    writing of;
    open_writing(&of);
    write_state(&of, 100, 1.0, 0);
    const rd_kafka_resp_err_t unknown = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(
                         of.w->mock.cluster, 1, LIST_OFFSETS, 2, unknown, 0, unknown, 0),
                     0);
    expect_state(&of, 100, 1.0, 0);
    close_writing(&of);
}

/* If this fails, a worker stands still for a minute beside a broker that has come back. */
static void test_leader_has_changed(void **state) {
    (void)state;
    writing of;
    open_writing(&of);
    write_state(&of, 100, 1.0, 0);
    ps_kafka_sink_config config;
    void *sink = open_sink(of.w, &config);
    expect_in(&of, sink, 100, 1.0, 0);
    assert_int_equal(rd_kafka_mock_partition_set_leader(of.w->mock.cluster, "p.state", 0, 1), 0);
    expect_in(&of, sink, 100, 1.0, 0);
    ps_sink_kafka.close(sink);
    close_writing(&of);
}

/* ---- an answer from before the partition left */

static rd_kafka_t *open_other(const world *w) {
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", w->mock.brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "group.id", "p", reason, sizeof reason);
    return rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
}

static void commit(rd_kafka_t *client, int64_t offset, bool wait) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "in", 0)->offset = offset;
    assert_int_equal(rd_kafka_commit(client, list, !wait), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

static int64_t committed(ps_kafka_source *source) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    int64_t next = -1;
    ps_error error = {""};
    while (ps_clock_ns() < deadline_ns) {
        const ps_status status = ps_kafka_watch_committed(source, 0, &next, &error);
        if (status == PS_OK) return next;
        if (status != PS_AGAIN) fail_msg("%s", error.message);
        (void)usleep(1000);
    }
    fail_msg("%s", "no answer");
    return -1;
}

static bool is_asking(ps_kafka_source *source) {
    pthread_mutex_lock(&source->watch.mutex);
    const bool asking = source->watch.asked[0] == PS_KAFKA_ASKED_NOW;
    pthread_mutex_unlock(&source->watch.mutex);
    return asking;
}

/* The thread is still within its call to the broker: it holds the client. */
static bool is_waiting(ps_kafka_source *source) {
    const bool waiting = pthread_mutex_trylock(&source->watch.client) != 0;
    if (!waiting) pthread_mutex_unlock(&source->watch.client);
    return waiting;
}

static void test_stale_answer(void **state) {
    (void)state;
    world *w = open_world();
    ps_kafka_source *source = calloc(1, sizeof *source);
    const ps_kafka_source_config config = {.brokers = w->mock.brokers};
    const ps_kafka_recipe recipe = {
        .role = PS_KAFKA_READER, .brokers = w->mock.brokers, .group = "p", .memory_bytes = 1 << 20};
    ps_error error;
    int64_t next;
    rd_kafka_t *other = open_other(w);
    source->config = &config;
    source->env = &w->env;
    source->group = "p";
    source->place = calloc(2, sizeof *source->place);
    commit(other, 5, true);
    assert_int_equal(ps_kafka_client_open(&recipe, &source->client, &error), PS_OK);
    assert_int_equal(ps_kafka_watch_open(source, &error), PS_OK);
    assert_int_equal(committed(source), 5);
    /* Asked, and while the answer is on its way the partition goes to another and comes back. */
    assert_int_equal(rd_kafka_mock_broker_set_rtt(w->mock.cluster, 1, 600), 0);
    assert_int_equal(ps_kafka_watch_committed(source, 0, &next, &error), PS_AGAIN);
    while (!is_asking(source)) (void)usleep(1000);
    (void)usleep(100000);
    ps_kafka_watch_forget(source, 0);
    commit(other, 9, false);
    (void)usleep(100000);
    assert_true(is_waiting(source)); /* or nothing is stale here */
    assert_int_equal(ps_kafka_watch_committed(source, 0, &next, &error), PS_AGAIN);
    assert_int_equal(committed(source), 9);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(w->mock.cluster, 1, 0), 0);
    /* One that is there already, too. */
    assert_int_equal(ps_kafka_watch_committed(source, 0, &next, &error), PS_AGAIN);
    (void)usleep(300000);
    ps_kafka_watch_forget(source, 0);
    commit(other, 12, true);
    assert_int_equal(committed(source), 12);
    ps_kafka_watch_close(source);
    ps_kafka_client_close(source->client);
    rd_kafka_destroy(other);
    free(source->place);
    free(source);
    close_world(w);
}

/* ---- a partition without a record */

/* Its position is 0, and that is one to commit like any other. If this fails, --until-end waits for
 * ever for a partition that is empty, where the sink leaves the group's offsets to the source. */
static void test_commit_of_zero(void **state) {
    (void)state;
    world *w = open_world();
    ps_kafka_source *source = calloc(1, sizeof *source);
    const ps_position zero = {.partition = 0, .next = 0};
    ps_error error;
    source->env = &w->env;
    source->group = "p";
    source->safe = malloc(sizeof *source->safe);
    source->safe[0] = PS_OFFSET_NONE;
    source->client = open_other(w);  /* takes a busy machine a while */
    source->safe_ns = ps_clock_ns(); /* so that it is committed below, and not before */
    assert_int_equal(ps_kafka_source_commit(source, &zero, 1, &error), PS_OK);
    ps_kafka_source_commit_due(source, PS_KAFKA_COMMIT_ANSWERED);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "in", 0);
    assert_int_equal(rd_kafka_committed(source->client, list, 10000), 0);
    assert_int_equal(list->elems[0].offset, 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(source->client);
    free(source->safe);
    free(source);
    close_world(w);
}

/* ---- the source's cluster is not the sink's */

/* The consumer belongs to the lane, which may be replacing it: here it is gone. */
static void test_two_clusters(void **state) {
    (void)state;
    world *w = open_world(), *far = open_world();
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_kafka_source *source = calloc(1, sizeof *source);
    const ps_kafka_source_config from = {.brokers = far->mock.brokers};
    const ps_kafka_sink_config to = {
        .brokers = w->mock.brokers, .topic = "out", .commit_interval_ns = PS_NS_PER_S};
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX * PS_NS_PER_S;
    ps_error error = {""};
    void *sink;
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 1 << 16, 1000, NULL, &error), PS_OK);
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    source->config = &from;
    source->group = "p";
    w->env.plan = plan;
    w->env.source = &ps_source_kafka;
    w->env.source_self = source;
    assert_int_equal(ps_sink_kafka.open(&to, &w->env, &sink, &error), PS_OK);
    ps_status status = PS_OK;
    while (status == PS_OK && ps_clock_ns() < deadline_ns) {
        uint64_t ticket = 0;
        int64_t again_ns = ps_clock_ns() + PS_NS_PER_S;
        status = ps_sink_kafka.flushed(sink, &ticket, &again_ns, &error);
        (void)usleep(1000);
    }
    assert_int_equal(status, PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "two clusters"));
    ps_sink_kafka.close(sink);
    free(source);
    ps_plan_deinit(plan);
    free(plan);
    close_world(far);
    close_world(w);
}

/* ---- a commit and an abort, both before the lane looks */

/* If this fails, rows that are out are missing from the totals. */
static void test_commit_before_abort(void **state) {
    (void)state;
    ps_kafka_sink *sink = calloc(1, sizeof *sink);
    ps_error error = {""};
    uint64_t ticket = 3;
    int64_t again_ns = INT64_MAX;
    sink->exactly_once = sink->aborted = true;
    sink->flushed = 5;
    sink->phase = PS_KAFKA_GIVING_UP;
    (void)pthread_mutex_init(&sink->mutex, NULL);
    assert_int_equal(ps_sink_kafka.flushed(sink, &ticket, &again_ns, &error), PS_OK);
    assert_int_equal(ticket, 5);
    assert_int_equal(ps_sink_kafka.flushed(sink, &ticket, &again_ns, &error), PS_ABORTED);
    sink->status = PS_IO;
    sink->flushed = 7;
    assert_int_equal(ps_sink_kafka.flushed(sink, &ticket, &again_ns, &error), PS_OK);
    assert_int_equal(ticket, 7);
    assert_int_equal(ps_sink_kafka.flushed(sink, &ticket, &again_ns, &error), PS_IO);
    (void)pthread_mutex_destroy(&sink->mutex);
    free(sink);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_before_abort), cmocka_unit_test(test_two_clusters),
        cmocka_unit_test(test_torn_record),         cmocka_unit_test(test_stale_answer),
        cmocka_unit_test(test_deleted_meanwhile),   cmocka_unit_test(test_unknown_for_a_moment),
        cmocka_unit_test(test_commit_of_zero),      cmocka_unit_test(test_leader_has_changed),
        cmocka_unit_test(test_other_policy),        cmocka_unit_test(test_rows_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
