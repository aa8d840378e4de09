/* SPDX-License-Identifier: Apache-2.0
 * A client of a cluster against brokers that do what a script says. If this fails, a lane waits for
 * ever for a broker that is gone, takes one request's answer for another's, or asks who is not the
 * leader any more.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/wire/client.h"
#include "ingest/wire/error.h"
#include "tests/wire_world.h"

static int64_t in_ms(int64_t ms) {
    return ps_clock_ns() + ms * PS_NS_PER_MS;
}

static ps_wire_client *client_of(const char *brokers) {
    static const char *const topics[] = {"topic"};
    const ps_wire_client_recipe recipe = {.brokers = brokers,
                                          .client_id = "test",
                                          .topics = topics,
                                          .topic_count = 1,
                                          .nodes_max = 4,
                                          .partitions_max = 8,
                                          .receive_bytes = {1 << 20, 1 << 16, 1 << 16},
                                          .keys = {"group", "transactional"}};
    ps_wire_client *client = NULL;
    ps_error why;
    if (ps_wire_client_open(&recipe, &client, &why) != PS_OK) fail_msg("%s", why.message);
    return client;
}

static bool is_known(void *client) {
    return ps_wire_client_topic(client, 0)->known;
}

static void wait_for(ps_wire_client *client, bool (*done)(void *), void *opaque) {
    ps_error why = {"time is over"};
    if (ps_wire_client_wait(client, done, opaque, in_ms(5000), &why) != PS_OK)
        fail_msg("%s, %s", why.message, ps_wire_client_trouble(client));
}

static ps_status list(ps_wire_client *client, int32_t node, int64_t ms, ps_error *why) {
    const ps_wire_list_offsets_request_list_offsets_partition partition = {0, -1, -1};
    const ps_wire_list_offsets_request_list_offsets_topic topic = {
        {(const uint8_t *)"topic", 5}, 1, &partition};
    const ps_wire_list_offsets_request request = {-1, 0, 1, &topic};
    const ps_wire_call call = {
        .node = node, .api = PS_WIRE_LIST_OFFSETS, .version = -1, .request = &request};
    int16_t version = -1;
    const void *response = NULL;
    const ps_status status = ps_wire_client_ask(client, &call, in_ms(ms), &version, &response, why);
    if (status != PS_OK) return status;
    const ps_wire_list_offsets_response *answer = response;
    assert_int_equal(version, ps_wire_versions(PS_WIRE_LIST_OFFSETS).max);
    assert_int_equal(answer->topics[0].partitions_count, 1);
    return PS_OK;
}

static void knows_who_leads(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 4);
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    assert_int_equal(ps_wire_client_topic(client, 0)->partitions, 4);
    assert_int_equal(ps_wire_client_topic(client, 0)->id[0], 7);
    for (uint32_t p = 0; p < 4; p++) {
        const ps_wire_leader leader = ps_wire_client_leader(client, 0, p);
        assert_int_equal(leader.node, p % 2 + 1);
        assert_int_equal(leader.epoch, 3);
    }
    ps_error why;
    assert_int_equal(list(client, 1, 5000, &why), PS_OK);
    assert_int_equal(list(client, 2, 5000, &why), PS_OK);
    assert_true(ps_wire_client_feature(client, "transaction.version", 2));
    assert_false(ps_wire_client_feature(client, "transaction.version", 3));
    assert_true(ps_wire_client_heard_ns(client) > 0);
    ps_wire_client_close(client);
    wire_world_close(world);
}

/* The first of the list is a port where nobody listens, the second is no answer at all. */
static wire_does silent(void *opaque, wire_question *question) {
    (void)opaque, (void)question;
    return WIRE_IS_SILENT;
}

static void asks_the_next_one(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    wire_broker *gone = wire_broker_open(9, silent, NULL);
    char brokers[256];
    (void)snprintf(brokers, sizeof brokers, "127.0.0.1:%u, 127.0.0.1:%u", wire_broker_port(gone),
                   wire_broker_port(world->brokers[0]));
    wire_broker_close(gone);
    ps_wire_client *client = client_of(brokers);
    wait_for(client, is_known, client);
    ps_wire_client_close(client);
    wire_world_close(world);
}

static void refuses_what_is_no_address(void **state) {
    (void)state;
    static const char *const bad[] = {"",           "host",  "host:",    "host:0",
                                      "host:65536", ":9092", "a:1,,b:2", "host:12x"};
    static const char *const topics[] = {"topic"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const ps_wire_client_recipe recipe = {.brokers = bad[i],
                                              .client_id = "test",
                                              .topics = topics,
                                              .topic_count = 1,
                                              .nodes_max = 1,
                                              .partitions_max = 1,
                                              .receive_bytes = {0, 0, 1000}};
        ps_wire_client *client = NULL;
        ps_error why;
        assert_int_equal(ps_wire_client_open(&recipe, &client, &why), PS_BAD_CONFIG);
        assert_null(client);
    }
}

static bool has_moved(void *client) {
    return ps_wire_client_leader(client, 0, 0).node == 2;
}

/* A broker that lags behind tells what was: it is asked again, and an older epoch never counts. */
static void follows_a_leader(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 1);
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    wire_brokers_lock();
    world->logs[0].leader = 2;
    world->logs[0].epoch = 4;
    world->stale_leader = 1;
    world->metadata_stale = 1;
    wire_brokers_unlock();
    ps_wire_client_refresh(client);
    ps_error why;
    assert_int_equal(ps_wire_client_wait(client, has_moved, client, in_ms(500), &why), PS_AGAIN);
    ps_wire_client_refresh(client);
    wait_for(client, has_moved, client);
    wire_brokers_lock();
    world->metadata_stale = 1;
    const uint32_t before = world->asked[PS_WIRE_METADATA];
    wire_brokers_unlock();
    ps_wire_client_refresh(client);
    assert_int_equal(ps_wire_client_wait(client, NULL, NULL, in_ms(600), &why), PS_AGAIN);
    assert_int_equal(ps_wire_client_leader(client, 0, 0).node, 2);
    assert_int_equal(ps_wire_client_leader(client, 0, 0).epoch, 4);
    wire_brokers_lock();
    assert_int_equal(world->asked[PS_WIRE_METADATA], before + 1);
    wire_brokers_unlock();
    ps_wire_client_lead(client, 0, 0, (ps_wire_leader){1, 3});
    assert_int_equal(ps_wire_client_leader(client, 0, 0).node, 2);
    ps_wire_client_lead(client, 0, 0, (ps_wire_leader){1, 5});
    assert_int_equal(ps_wire_client_leader(client, 0, 0).node, 1);
    ps_wire_client_close(client);
    wire_world_close(world);
}

static int faults;

static bool odd_once(wire_world *world, wire_question *question, wire_does *does) {
    (void)world, (void)does;
    if (question->api == PS_WIRE_LIST_OFFSETS && faults > 0) {
        faults--;
        question->odd = true;
    }
    return false;
}

static bool hang_up_once(wire_world *world, wire_question *question, wire_does *does) {
    (void)world;
    if (question->api != PS_WIRE_LIST_OFFSETS || faults == 0) return false;
    faults--;
    *does = WIRE_HANGS_UP;
    return true;
}

static bool silent_once(wire_world *world, wire_question *question, wire_does *does) {
    (void)world;
    if (question->api != PS_WIRE_LIST_OFFSETS || faults == 0) return false;
    faults--;
    *does = WIRE_IS_SILENT;
    return true;
}

/* Whatever goes wrong with one answer, the request fails, and the next one is answered. */
static void survives(wire_hook *hook, const char *says, int64_t ms) {
    wire_world *world = wire_world_open(1, 1);
    world->hook = hook;
    faults = 1;
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    ps_error why;
    const int64_t begin = ps_clock_ns();
    assert_int_equal(list(client, 1, ms, &why), PS_IO);
    assert_true(ps_clock_ns() - begin < (ms + 2000) * PS_NS_PER_MS);
    if (strstr(why.message, says) == NULL) fail_msg("%s", why.message);
    const char *name = strstr(why.message, "127.0.0.1:"); /* once is enough */
    assert_non_null(name);
    assert_null(strstr(name + 1, "127.0.0.1:"));
    assert_int_equal(list(client, 1, 5000, &why), PS_OK);
    ps_wire_client_close(client);
    wire_world_close(world);
}

static void another_answer_than_asked(void **state) {
    (void)state;
    survives(odd_once, "not", 3000);
}

static void a_connection_that_breaks(void **state) {
    (void)state;
    survives(hang_up_once, "closed the connection", 3000);
}

static void an_answer_that_never_comes(void **state) {
    (void)state;
    survives(silent_once, "no answer within", 300);
}

static bool hurried(wire_world *world, wire_question *question, wire_does *does) {
    (void)world;
    if (question->api == PS_WIRE_METADATA) question->delay_ms = faults;
    if (question->api == PS_WIRE_API_VERSIONS) question->delay_ms = faults / 10;
    if (question->api == PS_WIRE_LIST_OFFSETS && faults > 0) *does = WIRE_IS_SILENT;
    return question->api == PS_WIRE_LIST_OFFSETS && faults > 0;
}

/* If this fails, a lane stands still for longer than it was told to: behind another question that
 * has more time, or for as long again as a connection took. */
static void asks_no_longer_than_that(void **state) {
    (void)state;
    for (int behind = 0; behind < 2; behind++) {
        wire_world *world = wire_world_open(1, 1);
        ps_wire_client *client = client_of(world->addresses);
        wait_for(client, is_known, client);
        ps_error why;
        if (behind) assert_int_equal(list(client, 1, 5000, &why), PS_OK);
        wire_brokers_lock();
        world->hook = hurried;
        faults = 3000;
        wire_brokers_unlock();
        if (behind) ps_wire_client_refresh(client);
        if (behind)
            assert_int_equal(ps_wire_client_wait(client, NULL, NULL, in_ms(150), &why), PS_AGAIN);
        const int64_t begin = ps_clock_ns();
        assert_int_equal(list(client, 1, 400, &why), PS_IO);
        const int64_t took_ms = (ps_clock_ns() - begin) / PS_NS_PER_MS;
        if (took_ms < 395 || took_ms > 550) fail_msg("%lld ms", (long long)took_ms);
        wire_brokers_lock();
        faults = 0;
        wire_brokers_unlock();
        assert_int_equal(list(client, 1, 5000, &why), PS_OK);
        ps_wire_client_close(client);
        wire_world_close(world);
    }
}

static bool group_is_at_1(void *client) {
    return ps_wire_client_coordinator(client, PS_WIRE_OF_GROUP) == 1;
}

static bool group_is_at_2(void *client) {
    return ps_wire_client_coordinator(client, PS_WIRE_OF_GROUP) == 2;
}

static void finds_a_coordinator_that_moves(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 1);
    ps_wire_client *client = client_of(world->addresses);
    assert_int_equal(ps_wire_client_coordinator(client, PS_WIRE_OF_GROUP), PS_WIRE_NODE_NONE);
    wait_for(client, group_is_at_1, client);
    wire_brokers_lock();
    world->coordinator = 0; /* nobody, for a while */
    wire_brokers_unlock();
    ps_wire_client_coordinator_moved(client, PS_WIRE_OF_GROUP);
    ps_error why;
    assert_int_equal(ps_wire_client_wait(client, group_is_at_2, client, in_ms(200), &why),
                     PS_AGAIN);
    wire_brokers_lock();
    assert_in_range(world->asked[PS_WIRE_FIND_COORDINATOR], 3, 30);
    world->coordinator = 2;
    wire_brokers_unlock();
    wait_for(client, group_is_at_2, client);
    ps_wire_client_close(client);
    wire_world_close(world);
}

/* Both are gone and one comes back elsewhere: the list that is asked first still leads there. */
static void a_broker_is_killed(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 2);
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    ps_error why;
    assert_int_equal(list(client, 1, 5000, &why), PS_OK);
    wire_kill(world, 1);
    wire_brokers_lock();
    world->logs[0].leader = 2;
    world->logs[0].epoch++;
    wire_brokers_unlock();
    assert_int_equal(list(client, 1, 300, &why), PS_IO);
    wait_for(client, has_moved, client);
    assert_int_equal(list(client, 2, 5000, &why), PS_OK);
    ps_wire_client_close(client);
    wire_world_close(world);
}

/* Nothing to do costs nothing: the deadline is in the future and the descriptor is silent. */
static void sleeps_when_idle(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 2);
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    ps_error why;
    assert_int_equal(ps_wire_client_wait(client, NULL, NULL, in_ms(50), &why), PS_AGAIN);
    assert_true(ps_wire_client_deadline(client) > in_ms(10000));
    ps_wire_client_close(client);
    wire_world_close(world);
}

/* Whom it asks first it knows by an address, and then by its id: as two. */
static bool throttle_both(wire_world *world, wire_question *question, wire_does *does) {
    (void)world, (void)does;
    if (question->api == PS_WIRE_METADATA && faults-- > 0)
        ((ps_wire_metadata_response *)question->answer)->throttle_time_ms = 150;
    return false;
}

/* If this fails, a client that a broker throttles burns a core until it may ask again. */
static void sleeps_while_throttled(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    world->hook = throttle_both;
    faults = 2;
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    const int64_t heard_ns = ps_wire_client_heard_ns(client);
    assert_non_null(strstr(ps_wire_client_trouble(client), "throttles us for 150 ms"));
    uint32_t steps = 0, asked = 1;
    for (; asked < 3 && steps < 1000; steps++) {
        ps_wire_client_refresh(client);
        ps_error why;
        const int64_t left_ns = ps_wire_client_deadline(client) - ps_clock_ns();
        struct pollfd one = {.fd = ps_wire_client_fd(client), .events = POLLIN};
        (void)poll(&one, 1, left_ns <= 0 ? 0 : (int)(left_ns / PS_NS_PER_MS) + 1);
        assert_int_equal(ps_wire_client_step(client, ps_clock_ns(), &why), PS_OK);
        wire_brokers_lock();
        asked = world->asked[PS_WIRE_METADATA];
        wire_brokers_unlock();
    }
    assert_true(steps < 40);
    assert_true(ps_clock_ns() - heard_ns >= 149 * PS_NS_PER_MS);
    ps_wire_client_close(client);
    wire_world_close(world);
}

/* Who sleeps on it says when something came: a step in between asks the kernel nothing. */
static void looks_at_its_sockets_when_the_bell_rings(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 1);
    ps_wire_client *client = client_of(world->addresses);
    wait_for(client, is_known, client);
    wire_brokers_lock();
    world->logs[0].leader = 2;
    world->logs[0].epoch = 4;
    wire_brokers_unlock();
    const ps_wake nobody = {.asked_ns = 0};
    atomic_bool *ready = ps_wire_client_bell(client, &nobody);
    assert_true(*ready);
    ps_wire_client_refresh(client);
    const int64_t now_ns = in_ms(1000);
    ps_error why;
    struct pollfd one = {.fd = ps_wire_client_fd(client), .events = POLLIN};
    assert_int_equal(ps_wire_client_step(client, now_ns, &why), PS_OK);
    assert_int_equal(ps_wire_client_push(client, &why), PS_OK);
    assert_false(*ready);
    assert_int_equal(poll(&one, 1, 5000), 1);
    assert_int_equal(ps_wire_client_step(client, now_ns, &why), PS_OK);
    assert_int_equal(poll(&one, 1, 0), 1);
    for (int i = 0; i < 100 && !has_moved(client); i++) {
        *ready = poll(&one, 1, 1000) == 1;
        assert_int_equal(ps_wire_client_step(client, now_ns, &why), PS_OK);
    }
    assert_true(has_moved(client));
    ps_wire_client_close(client);
    wire_world_close(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_who_leads),
        cmocka_unit_test(asks_the_next_one),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(follows_a_leader),
        cmocka_unit_test(looks_at_its_sockets_when_the_bell_rings),
        cmocka_unit_test(another_answer_than_asked),
        cmocka_unit_test(a_connection_that_breaks),
        cmocka_unit_test(an_answer_that_never_comes),
        cmocka_unit_test(asks_no_longer_than_that),
        cmocka_unit_test(finds_a_coordinator_that_moves),
        cmocka_unit_test(a_broker_is_killed),
        cmocka_unit_test(sleeps_when_idle),
        cmocka_unit_test(sleeps_while_throttled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
