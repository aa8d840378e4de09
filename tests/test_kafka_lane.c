/* SPDX-License-Identifier: Apache-2.0
 * A lane from Kafka to Kafka on librdkafka's mock cluster: payloads byte for byte, and errors that
 * a broker can answer, injected by request. The mock filters no aborted records and stores no
 * offsets of transactions, so after an abort the lane begins at the beginning and what it wrote is
 * there more than once: here it is checked that nothing is missing. Exactly once is checked on a
 * real broker (tests/integration).
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "host/base/clock.h"
#include "host/device/backend.h"
#include "host/flow/lane.h"
#include "ingest/kafka_link.h"
#include "tests/kafka_world.h"

/* Value of record `i`: every shape that must pass unharmed. NULL: a tombstone. */
static const char *value_of(int i, size_t *length) {
    static char text[64];
    *length = 0;
    if (i % 50 == 7) return NULL;
    if (i % 50 == 8) return "";
    *length = (size_t)snprintf(text, sizeof text, "value-%d-", i) + 3;
    memcpy(text + *length - 3, "\0\xff\n", 3);
    return text;
}

static const char *key_of(int i, size_t *length) {
    *length = 0;
    if (i % 50 == 9) return NULL;
    if (i % 50 == 10) return "";
    *length = 3;
    return i % 2 == 0 ? "a\0b" : "odd";
}

static void produce(world *w) {
    rd_kafka_t *producer = kafka_mock_producer(&w->mock);
    for (int i = 0; i < RECORDS; i++) {
        size_t value_length, key_length;
        const char *value = value_of(i, &value_length), *key = key_of(i, &key_length);
        rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
        if (i % 3 == 0) rd_kafka_header_add(headers, "same", -1, "one", 3);
        if (i % 3 == 0) rd_kafka_header_add(headers, "same", -1, "\0two", 4);
        if (i % 3 == 0) rd_kafka_header_add(headers, "none", -1, NULL, 0);
        const rd_kafka_vu_t parts[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "in"},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = i % PARTITIONS},
            {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key, key_length}},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value, value_length}},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
            {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = 1700000000000 + i},
            {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        };
        assert_null(rd_kafka_produceva(producer, parts, sizeof parts / sizeof parts[0]));
    }
    assert_int_equal(rd_kafka_flush(producer, 10000), 0);
    rd_kafka_destroy(producer);
}

static world *open_world(void) {
    return world_open(produce);
}

typedef struct read_back {
    uint32_t times[RECORDS];
    uint32_t records;
} read_back;

static void check_headers(const rd_kafka_message_t *message, int i) {
    rd_kafka_headers_t *headers;
    const char *name, *source;
    const void *value;
    size_t length, at = 0;
    char expected[64];
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    if (i % 3 == 0) {
        assert_int_equal(rd_kafka_header_get_all(headers, 0, &name, &value, &length), 0);
        assert_string_equal(name, "same");
        assert_memory_equal(value, "one", 3);
        assert_int_equal(rd_kafka_header_get_all(headers, 1, &name, &value, &length), 0);
        assert_int_equal(length, 4);
        assert_memory_equal(value, "\0two", 4);
        assert_int_equal(rd_kafka_header_get_all(headers, 2, &name, &value, &length), 0);
        assert_null(value);
        at = 3;
    }
    assert_int_equal(rd_kafka_header_get_all(headers, at, &name, (const void **)&source, &length),
                     0);
    assert_string_equal(name, "ps-source");
    (void)snprintf(expected, sizeof expected, "in/%d/%d", i % PARTITIONS, i / PARTITIONS);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(source, expected, length);
}

static void check_record(read_back *all, const rd_kafka_message_t *message) {
    rd_kafka_timestamp_type_t type;
    const int i = (int)(rd_kafka_message_timestamp(message, &type) - 1700000000000);
    assert_in_range(i, 0, RECORDS - 1);
    size_t value_length, key_length;
    const char *value = value_of(i, &value_length), *key = key_of(i, &key_length);
    assert_int_equal(message->partition, i % PARTITIONS);
    assert_int_equal(message->payload == NULL, value == NULL);
    assert_int_equal(message->len, value_length);
    if (value_length > 0) assert_memory_equal(message->payload, value, value_length);
    assert_int_equal(message->key == NULL, key == NULL);
    assert_int_equal(message->key_len, key_length);
    if (key_length > 0) assert_memory_equal(message->key, key, key_length);
    check_headers(message, i);
    all->times[i]++;
    all->records++;
}

static read_back *read_all(const world *w, const char *topic, bool check) {
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    read_back *all = calloc(1, sizeof *all);
    rd_kafka_conf_set(conf, "bootstrap.servers", w->mock.brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", reason, sizeof reason);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", reason, sizeof reason);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer);
    for (int p = 0; p < PARTITIONS; p++)
        assert_int_equal(rd_kafka_consume_start_queue(handle, p, RD_KAFKA_OFFSET_BEGINNING, queue),
                         0);
    for (int ended = 0; ended < PARTITIONS;) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(queue, 5000);
        assert_non_null(message);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ended++;
        else if (message->err == 0 && check)
            check_record(all, message);
        else if (message->err == 0)
            all->records++;
        rd_kafka_message_destroy(message);
    }
    for (int p = 0; p < PARTITIONS; p++) (void)rd_kafka_consume_stop(handle, p);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(consumer);
    return all;
}

static void check_complete(const world *w, bool once) {
    read_back *all = read_all(w, "out", true);
    for (int i = 0; i < RECORDS; i++) {
        assert_true(all->times[i] >= 1);
        if (once) assert_int_equal(all->times[i], 1);
    }
    free(all);
}

static void test_payloads(void **state) {
    (void)state;
    for (uint32_t delivery = 0; delivery < 2; delivery++) {
        world *w = open_world();
        w->sink.delivery = delivery;
        run(w, RECORDS);
        assert_int_equal(w->status, PS_END);
        check_complete(w, true);
        assert_int_equal(ps_read(&w->metrics.rows_out), RECORDS);
        assert_int_equal(ps_read(&w->metrics.aborts), 0);
        close_world(w);
    }
}

/* What a broker may answer once to one request, and the lane must survive. */
static void test_errors(void **state) {
    (void)state;
    static const struct {
        int16_t api;
        rd_kafka_resp_err_t err;
        uint32_t delivery;
    } cases[] = {
        {API_END_TXN, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, PS_KAFKA_EXACTLY_ONCE},
        {API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, PS_KAFKA_EXACTLY_ONCE},
        {API_END_TXN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, PS_KAFKA_EXACTLY_ONCE},
        {API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, PS_KAFKA_EXACTLY_ONCE},
        {API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
         PS_KAFKA_EXACTLY_ONCE},
        {API_PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, PS_KAFKA_EXACTLY_ONCE},
        {API_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, PS_KAFKA_EXACTLY_ONCE},
        {API_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, PS_KAFKA_AT_LEAST_ONCE},
        {API_PRODUCE, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, PS_KAFKA_AT_LEAST_ONCE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world *w = open_world();
        w->sink.delivery = cases[i].delivery;
        rd_kafka_mock_push_request_errors(w->mock.cluster, cases[i].api, 1, cases[i].err);
        run(w, RECORDS);
        if (w->status != PS_END) print_error("case %zu: %s\n", i, w->error.message);
        assert_int_equal(w->status, PS_END);
        check_complete(w, false);
        /* A refusal of a whole batch condemns none of its records. */
        assert_int_equal(ps_read(&w->metrics.rows_rejected), 0);
        close_world(w);
    }
}

/* In a process of its own: librdkafka 2.15.1 now and then dies of an assertion of its own
 * (txn_req_cnt in rdkafka_txnmgr.c) when a producer is fenced while it adds partitions. For a
 * worker that is the end it was told of anyhow; here it is no answer, so the question is asked
 * again. */
static int fenced_world(void) {
    world *w = open_world();
    rd_kafka_mock_push_request_errors(
        w->mock.cluster, API_END_TXN, 4, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
    run(w, RECORDS);
    const bool right =
        w->status == PS_FENCED && strstr(w->error.message, "runtime.instance") != NULL;
    close_world(w);
    return right ? 0 : 1;
}

/* Two live workers with one id would fence each other for ever: one must leave. */
static void test_fenced(void **state) {
    (void)state;
    for (int attempt = 0; attempt < 5; attempt++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(fenced_world());
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) continue;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        return;
    }
    fail_msg("%s", "librdkafka aborted five times");
}

/* One record that the output topic will not take, at the end of partition 0; its offset. */
static int64_t produce_large(const world *w) {
    char large[1500];
    memset(large, 'x', sizeof large);
    rd_kafka_t *producer = kafka_mock_producer(&w->mock);
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "in"},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {large, sizeof large}},
    };
    assert_null(rd_kafka_produceva(producer, parts, 3));
    assert_int_equal(rd_kafka_flush(producer, 10000), 0);
    rd_kafka_destroy(producer);
    return (RECORDS + PARTITIONS - 1) / PARTITIONS;
}

/* What the topic never takes becomes a dead letter at once, in the same transaction. */
static void test_too_large(void **state) {
    (void)state;
    world *w = open_world();
    (void)produce_large(w);
    const ps_string_pair pair = {"message.max.bytes", "1520"};
    w->sink.properties = (ps_string_map){&pair, 1};
    run(w, RECORDS + 1);
    /* The dead letter is larger still, so it is refused too, and that is said. */
    assert_int_equal(w->status, PS_IO);
    assert_non_null(strstr(w->error.message, "max.message.bytes"));
    close_world(w);
}

/* Stands in for the system's while `sync_fails`: what is not on disk must not be passed. */
static bool sync_fails;

int fdatasync(int fd) {
    if (!sync_fails) return fsync(fd);
    errno = EIO;
    return -1;
}

static int64_t committed_of(const world *w, int32_t partition) {
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", w->mock.brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "group.id", "p", reason, sizeof reason);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "in", partition);
    assert_int_equal(rd_kafka_committed(client, list, 10000), 0);
    const int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return offset;
}

/* A dead letter that a crash would lose, while its offset is committed, is lost for good. */
static void test_dead_letters_first(void **state) {
    (void)state;
    char path[] = "/tmp/penstock-dead-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    for (uint32_t fails = 0; fails < 2; fails++) {
        world *w = open_world();
        const int64_t large_at = produce_large(w);
        const ps_string_pair pair = {"message.max.bytes", "1520"};
        w->sink.properties = (ps_string_map){&pair, 1};
        w->sink.delivery = PS_KAFKA_AT_LEAST_ONCE;
        w->dead = (ps_dead_config){.file = path};
        sync_fails = fails == 1;
        if (fails == 1) assert_int_equal(truncate(path, 0), 0);
        run(w, RECORDS + 1);
        sync_fails = false;
        /* A lane that had just ended hears of it no more; its offsets stay all the same. */
        if (fails == 0) assert_int_equal(w->status, PS_END);
        if (fails == 1) assert_true(committed_of(w, 0) <= large_at);
        if (fails == 0) assert_true(committed_of(w, 0) > large_at);
        close_world(w);
    }
    (void)unlink(path);
}

static ps_status open_with(const char *name, const char *value, ps_kafka_role role,
                           ps_error *error) {
    const ps_string_pair pair = {name, value};
    const ps_string_map properties = {&pair, 1};
    const ps_kafka_recipe recipe = {.role = role,
                                    .brokers = "127.0.0.1:1",
                                    .properties = &properties,
                                    .group = "g",
                                    .member = "m",
                                    .transactional = "t",
                                    .memory_bytes = 8 << 20,
                                    .linger_ns = PS_NS_PER_MS};
    rd_kafka_t *client = NULL;
    const ps_status status = ps_kafka_client_open(&recipe, &client, error);
    ps_kafka_client_close(client);
    return status;
}

static void test_properties(void **state) {
    (void)state;
    ps_error error;
    assert_int_equal(open_with("linger.ms", "7", PS_KAFKA_TRANSACTIONAL, &error), PS_OK);
    assert_int_equal(open_with("fetch.max.bytes", "3000000", PS_KAFKA_CONSUMER, &error), PS_OK);
    assert_int_equal(open_with("group.protocol", "consumer", PS_KAFKA_CONSUMER, &error), PS_OK);
    static const struct {
        const char *name, *value;
        ps_kafka_role role;
    } bad[] = {
        {"enable.auto.commit", "true", PS_KAFKA_CONSUMER},
        {"isolation.level", "read_uncommitted", PS_KAFKA_CONSUMER},
        {"enable.idempotence", "false", PS_KAFKA_IDEMPOTENT},
        {"acks", "1", PS_KAFKA_TRANSACTIONAL},
        {"transactional.id", "mine", PS_KAFKA_TRANSACTIONAL},
        {"no.such.property", "1", PS_KAFKA_CONSUMER},
        {"linger.ms", "soon", PS_KAFKA_TRANSACTIONAL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(open_with(bad[i].name, bad[i].value, bad[i].role, &error), PS_BAD_CONFIG);
        assert_non_null(strstr(error.message, bad[i].name));
    }
    assert_int_equal(open_with("ssl.key.password", "hunter2", PS_KAFKA_ADMIN, &error), PS_OK);
}

static void test_missing_topic(void **state) {
    (void)state;
    world *w = open_world();
    w->sink.topic = "absent";
    rd_kafka_mock_topic_set_error(w->mock.cluster, "absent",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    run(w, RECORDS);
    assert_int_equal(w->status, PS_IO);
    assert_non_null(strstr(w->error.message, "absent"));
    close_world(w);
}

static rd_kafka_t *open_member(const world *w) {
    static const char *const settings[][2] = {
        {"group.id", "p"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"heartbeat.interval.ms", "200"}};
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_conf_set(conf, "bootstrap.servers", w->mock.brokers, reason, sizeof reason);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason);
    rd_kafka_t *member = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    rd_kafka_topic_partition_list_add(list, "in", RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(member, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    return member;
}

/* The next event of this kind; whatever `other` is told meanwhile is served. */
static ps_event await_event(void *source, ps_event_kind kind, rd_kafka_t *other) {
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX / 3 * PS_NS_PER_S;
    ps_event event = {PS_EVENT_NONE, 0, NULL};
    ps_error error = {""};
    while (event.kind == PS_EVENT_NONE && ps_clock_ns() < deadline_ns) {
        if (ps_source_kafka.event(source, &event, &error) != PS_OK) fail_msg("%s", error.message);
        rd_kafka_message_t *message = other == NULL ? NULL : rd_kafka_consumer_poll(other, 0);
        if (message != NULL) rd_kafka_message_destroy(message);
        (void)usleep(1000);
    }
    assert_int_equal(event.kind, kind);
    return event;
}

/* In the middle of a rebalance a group takes no offsets. If this fails, --until-end waits for ever
 * for a position that was refused once, and after a restart rows come again. */
static void test_refused_offsets(void **state) {
    (void)state;
    world *w = open_world();
    const ps_lane_env env = world_env(w);
    const int64_t deadline_ns = ps_clock_ns() + SECONDS_MAX / 3 * PS_NS_PER_S;
    void *source;
    ps_error error = {""};
    assert_int_equal(ps_source_kafka.open(&w->source, &env, &source, &error), PS_OK);
    (void)await_event(source, PS_EVENT_ASSIGNED, NULL);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        assert_int_equal(ps_source_kafka.start(source, p, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(ps_source_kafka.answer(source, &error), PS_OK);
    rd_kafka_mock_push_request_errors(w->mock.cluster, API_OFFSET_COMMIT, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE);
    const ps_position refused = {.partition = 1, .next = 77};
    assert_int_equal(ps_source_kafka.commit(source, &refused, 1, &error), PS_OK);
    int64_t committed = PS_OFFSET_NONE;
    for (int64_t next = 1; committed != 77 && ps_clock_ns() < deadline_ns; next++) {
        const ps_position other = {.partition = 0, .next = next};
        (void)usleep(120000);
        ps_event event;
        assert_int_equal(ps_source_kafka.event(source, &event, &error), PS_OK);
        assert_int_equal(ps_source_kafka.commit(source, &other, 1, &error), PS_OK);
        committed = committed_of(w, 1);
    }
    assert_int_equal(committed, 77);
    ps_source_kafka.close(source);
    close_world(w);
}

/* After an abort nothing is filled until all is restored, and records that were fetched before lie
 * in front of the news that another worker came. */
static void test_rebalance_is_heard_while_going_back(void **state) {
    (void)state;
    world *w = open_world();
    const ps_lane_env env = world_env(w);
    void *source;
    ps_error error = {""};
    assert_int_equal(ps_source_kafka.open(&w->source, &env, &source, &error), PS_OK);
    const ps_event event = await_event(source, PS_EVENT_ASSIGNED, NULL);
    assert_int_equal(event.count, PARTITIONS);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        assert_int_equal(ps_source_kafka.start(source, p, PS_OFFSET_NONE, &error), PS_OK);
    assert_int_equal(ps_source_kafka.answer(source, &error), PS_OK);
    const int64_t until_ns = ps_clock_ns() + 2 * PS_NS_PER_S;
    while (ps_clock_ns() < until_ns) { /* records are taken, and nobody wants them */
        ps_event none = {PS_EVENT_NONE, 0, NULL};
        assert_int_equal(ps_source_kafka.event(source, &none, &error), PS_OK);
        (void)usleep(1000);
    }
    for (uint32_t p = 0; p < PARTITIONS; p++) ps_source_kafka.stop(source, p);
    rd_kafka_t *other = open_member(w);
    (void)await_event(source, PS_EVENT_REVOKED, other);
    rd_kafka_destroy(other);
    ps_source_kafka.close(source);
    close_world(w);
}

int main(int count, char **arguments) {
    if (count > 1) cmocka_set_test_filter(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fenced), /* first: it forks, and nothing may run beside that */
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_rebalance_is_heard_while_going_back),
        cmocka_unit_test(test_refused_offsets),
        cmocka_unit_test(test_missing_topic),
        cmocka_unit_test(test_dead_letters_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
