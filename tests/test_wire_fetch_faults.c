/* SPDX-License-Identifier: Apache-2.0
 * Reading partitions of a small cluster that breaks in every way that Kafka's protocol knows. If
 * this fails, records are lost or doubled after such a day, or a partition stands still and nobody
 * says why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/wire/error.h"
#include "tests/wire_reader.h"

static int faults;

static bool hang_up_once(wire_world *world, wire_question *question, wire_does *does) {
    (void)world;
    if (question->api != PS_WIRE_FETCH || faults-- != 1) return false;
    *does = WIRE_HANGS_UP;
    return true;
}

static void a_fetch_is_broken_off(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 2);
    append(world, 0, 300);
    append(world, 1, 300);
    world->hook = hang_up_once;
    faults = 5;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    run_until(r, PS_WIRE_END, 2);
    saw(r, 0, 0, 3000);
    saw(r, 1, 0, 3000);
    wire_brokers_lock();
    assert_int_equal(world->full, 2);
    wire_brokers_unlock();
    close_reader(r);
}

static bool lose_session(wire_world *world, wire_question *question, wire_does *does) {
    (void)does;
    if (question->api == PS_WIRE_FETCH && faults-- == 1) world->sessions[0].id = -5;
    return false;
}

static void a_session_is_lost(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 300);
    world->hook = lose_session;
    faults = 4;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 0, 3000);
    wire_brokers_lock();
    assert_int_equal(world->full, 2);
    wire_brokers_unlock();
    close_reader(r);
}

static void moves(bool tells_leader) {
    wire_world *world = wire_world_open(2, 2);
    append(world, 0, 300);
    append(world, 1, 300);
    world->tells_leader = tells_leader;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    run_until(r, PS_WIRE_RECORD, 500);
    wire_brokers_lock();
    world->logs[0].leader = 2;
    world->logs[0].epoch++;
    world->logs[1].epoch++; /* its leader was elected again: FENCED_LEADER_EPOCH */
    wire_brokers_unlock();
    run_until(r, PS_WIRE_END, 2);
    saw(r, 0, 0, 3000);
    saw(r, 1, 0, 3000);
    wire_brokers_lock();
    assert_true(world->leader_fetches[0] > 0 && world->leader_fetches[1] > 0);
    wire_brokers_unlock();
    close_reader(r);
}

static void a_leader_moves(void **state) {
    (void)state;
    moves(false);
}

static void a_leader_moves_and_says_where(void **state) {
    (void)state;
    moves(true);
}

static void a_leader_is_killed(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 2);
    append(world, 0, 300);
    append(world, 1, 300);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    run_until(r, PS_WIRE_RECORD, 500);
    wire_kill(world, 1);
    wire_brokers_lock();
    world->logs[0].leader = 2;
    world->logs[0].epoch++;
    wire_brokers_unlock();
    run_until(r, PS_WIRE_END, 2);
    saw(r, 0, 0, 3000);
    saw(r, 1, 0, 3000);
    close_reader(r);
}

static void the_log_start_went_past(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 10);
    world->logs[0].start = 40;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 7);
    run_until(r, PS_WIRE_GONE, 1);
    assert_int_equal(r->last.next, 7);
    assert_int_equal(r->last.first, 40);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, r->last.first);
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 40, 100);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 101); /* behind the end */
    run_until(r, PS_WIRE_GONE, 2);
    assert_int_equal(r->last.next, 101);
    assert_int_equal(r->last.first, 40);
    close_reader(r);
}

static void the_log_lost_its_end(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 10);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    step(r);
    wire_brokers_lock();
    assert_int_equal(world->last_epoch, 3); /* so the broker can notice */
    world->logs[0].diverging_end = 60;
    wire_brokers_unlock();
    run_until(r, PS_WIRE_CUT_BACK, 1);
    assert_int_equal(r->last.next, 100);
    assert_int_equal(r->last.first, 60);
    close_reader(r);
}

static void a_topic_is_made_anew(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 10);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    wire_brokers_lock();
    world->id[0] = 8;
    wire_brokers_unlock();
    run_until(r, PS_WIRE_NO_TOPIC, 1);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 90);
    run_until(r, PS_WIRE_END, 2);
    assert_int_equal(r->count[0], 110);
    wire_brokers_lock();
    world->topic_error = PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    world->logs[0].error = PS_WIRE_ERROR_UNKNOWN_TOPIC_ID;
    wire_brokers_unlock();
    run_until(r, PS_WIRE_NO_TOPIC, 2);
    close_reader(r);
}

static void it_is_not_allowed(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 1);
    world->logs[0].error = PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_REFUSED, 1);
    assert_int_equal(r->last.code, PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED);
    close_reader(r);
}

static void a_disk_fails_for_a_while(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 1);
    world->logs[0].error = PS_WIRE_ERROR_KAFKA_STORAGE_ERROR;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    const int64_t until = ps_clock_ns() + 300 * PS_NS_PER_MS;
    ps_wire_fetched f;
    while (ps_clock_ns() < until) {
        step(r);
        assert_int_equal(ps_wire_fetcher_next(r->fetcher, &f, &r->why), PS_AGAIN);
        pause_for(r);
    }
    wire_brokers_lock();
    assert_in_range(world->asked[PS_WIRE_FETCH], 2, 20); /* not as fast as it can */
    world->logs[0].error = 0;
    wire_brokers_unlock();
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 0, 10);
    close_reader(r);
}

static void a_flipped_bit(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 2);
    append(world, 0, 2);
    append(world, 1, 2);
    world->logs[0].bytes[world->logs[0].used - 20] ^= 1;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    run_until(r, PS_WIRE_BAD, 1);
    assert_int_equal(r->last.partition, 0);
    assert_int_equal(r->last.next, 10);
    assert_non_null(strstr(r->why.message, "check sum"));
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 0, 10);
    saw(r, 1, 0, 20);
    close_reader(r);
}

static void is_told_to_wait(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 20);
    world->throttle_ms = 100;
    reader *r = read_world(world);
    const int64_t begin = ps_clock_ns();
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 0, 200);
    wire_brokers_lock();
    const int64_t fetches = world->asked[PS_WIRE_FETCH];
    wire_brokers_unlock();
    assert_true(ps_clock_ns() - begin >= (fetches - 1) * 100 * PS_NS_PER_MS);
    close_reader(r);
}

/* If this fails, a batch that is larger than the buffer is fetched again and again, and nobody
 * hears of it. */
static void an_answer_is_too_large(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 3);
    wire_append(world, 0, &(wire_make){.producer_id = -1, .count = 10, .value_bytes = 4000});
    reader *r = read_world_into(world, 20000);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    const int64_t until_ns = ps_clock_ns() + 3 * PS_NS_PER_S;
    ps_status status = PS_OK;
    ps_wire_fetched f;
    uint32_t count = 0;
    while (status == PS_OK && ps_clock_ns() < until_ns) {
        status = ps_wire_fetcher_step(r->fetcher, ps_clock_ns(), &r->why);
        while (ps_wire_fetcher_next(r->fetcher, &f, NULL) == PS_OK) {
            count += f.news == PS_WIRE_RECORD;
            ps_wire_fetcher_taken(r->fetcher);
        }
        pause_for(r);
    }
    assert_int_equal(status, PS_UNSUPPORTED);
    assert_int_equal(count, 30); /* what came before is read */
    assert_non_null(strstr(r->why.message, "there is room for 20000"));
    assert_non_null(strstr(r->why.message, "for answers to Fetch"));
    close_reader(r);
}

/* Reads for so long, and asks twice on the way what stalls. */
static bool stalls(reader *r, int64_t ms, ps_wire_stalled *out) {
    for (int i = 0; i < 2; i++) {
        const int64_t until = ps_clock_ns() + ms / 2 * PS_NS_PER_MS;
        ps_wire_fetched f;
        while (ps_clock_ns() < until) {
            step(r);
            while (ps_wire_fetcher_next(r->fetcher, &f, NULL) == PS_OK)
                ps_wire_fetcher_taken(r->fetcher);
            pause_for(r);
        }
        step(r);
        if (!ps_wire_fetcher_stalled(r->fetcher, out)) return false;
    }
    return true;
}

static void partition_is(reader *r, int32_t leader, int16_t error) {
    wire_brokers_lock();
    r->world->logs[1].leader = leader;
    r->world->logs[1].epoch++;
    r->world->logs[1].error = error;
    wire_brokers_unlock();
}

/* What is tried again for ever is named while it lasts, and only then. */
static void a_partition_stalls(void **state) {
    (void)state;
    static const struct {
        int32_t leader; /* 9: of which nobody knows */
        int16_t error;
        const char *why;
    } cases[] = {
        {1, PS_WIRE_ERROR_NOT_LEADER_OR_FOLLOWER, "NOT_LEADER_OR_FOLLOWER (6)"},
        {1, PS_WIRE_ERROR_KAFKA_STORAGE_ERROR, "KAFKA_STORAGE_ERROR (56)"},
        {-1, PS_WIRE_ERROR_LEADER_NOT_AVAILABLE, "no leader now"},
        {9, PS_WIRE_ERROR_NOT_LEADER_OR_FOLLOWER, "no room at the start"},
    };
    wire_world *world = wire_world_open(1, 2);
    append(world, 0, 3);
    append(world, 1, 3);
    reader *r = read_world(world);
    ps_wire_stalled stalled;
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    assert_false(stalls(r, 200, &stalled));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int64_t began_ns = ps_clock_ns();
        ps_error why;
        partition_is(r, cases[i].leader, cases[i].error);
        assert_true(stalls(r, 3000, &stalled));
        assert_int_equal(stalled.within, 1);
        assert_in_range(stalled.since_ns, began_ns, ps_clock_ns());
        ps_wire_stalled_why(r->client, &stalled, &why);
        assert_non_null(strstr(why.message, cases[i].why));
        partition_is(r, 1, 0);
        const int64_t until_ns = ps_clock_ns() + 5 * PS_NS_PER_S;
        while (stalls(r, 100, &stalled)) assert_true(ps_clock_ns() < until_ns);
    }
    close_reader(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_too_large),
        cmocka_unit_test(a_fetch_is_broken_off),
        cmocka_unit_test(a_session_is_lost),
        cmocka_unit_test(a_leader_moves),
        cmocka_unit_test(a_leader_moves_and_says_where),
        cmocka_unit_test(a_leader_is_killed),
        cmocka_unit_test(the_log_start_went_past),
        cmocka_unit_test(the_log_lost_its_end),
        cmocka_unit_test(a_topic_is_made_anew),
        cmocka_unit_test(it_is_not_allowed),
        cmocka_unit_test(a_disk_fails_for_a_while),
        cmocka_unit_test(a_flipped_bit),
        cmocka_unit_test(is_told_to_wait),
        cmocka_unit_test(a_partition_stalls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
