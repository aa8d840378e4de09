/* SPDX-License-Identifier: Apache-2.0
 * Reading partitions of a cluster where nothing breaks. If this fails, records are lost, doubled or
 * out of order, or those of aborted transactions are shown.
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
#include "tests/wire_reader.h"

static void all_of_it_and_in_order(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 4);
    for (int32_t p = 0; p < 4; p++) append(world, p, 20);
    reader *r = read_world(world);
    for (uint32_t p = 0; p < 4; p++) ps_wire_fetcher_start(r->fetcher, p, 0, p, PS_WIRE_EARLIEST);
    run_until(r, PS_WIRE_END, 4);
    for (uint32_t p = 0; p < 4; p++) saw(r, p, 0, 200);
    assert_int_equal(ps_wire_fetcher_end(r->fetcher, 0), 200);
    wire_brokers_lock();
    append(world, 1, 1);
    const uint32_t named = world->named;
    wire_brokers_unlock();
    run_until(r, PS_WIRE_END, 5);
    saw(r, 1, 0, 210);
    wire_brokers_lock();
    assert_int_equal(world->full, 2); /* one session a broker, and only what changed is named */
    assert_in_range(world->named - named, 0, 3);
    wire_brokers_unlock();
    close_reader(r);
}

/* What topics take at most would be memory, if every answer moved on to where there was room. */
static void a_large_buffer_is_not_walked(void **state) {
    (void)state;
    enum { LARGE = 40000, USUAL = 24000 };
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 200);
    reader *r = read_world_keeping(world, 1 << 20, USUAL);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 0, 2000);
    assert_in_range(r->highest - r->lowest, 1, USUAL);
    const wire_make large = {.producer_id = -1, .count = 20, .value_bytes = LARGE / 20};
    wire_brokers_lock();
    wire_append(world, 0, &large);
    append(world, 0, 200);
    wire_brokers_unlock();
    run_until(r, PS_WIRE_RECORD, 2020);
    assert_in_range(r->highest - r->lowest, LARGE, LARGE + USUAL);
    r->lowest = r->highest = NULL;
    run_until(r, PS_WIRE_END, 2);
    saw(r, 0, 0, 4020);
    assert_in_range(r->highest - r->lowest, 1, USUAL);
    close_reader(r);
}

static void from_an_offset_in_a_batch(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 2);
    append(world, 0, 3);
    append(world, 1, 3);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 17);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, PS_WIRE_LATEST);
    run_until(r, PS_WIRE_END, 2);
    saw(r, 0, 17, 30);
    saw(r, 1, 30, 30);
    close_reader(r);
}

static void what_was_aborted_is_not_shown(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    wire_log *log = &world->logs[0];
    const wire_make plain = {.producer_id = -1, .count = 10};
    const wire_make good = {.producer_id = 5, .count = 10, .transactional = true};
    const wire_make bad = {.producer_id = 6, .count = 10, .transactional = true};
    const wire_make commit = {.producer_id = 5, .transactional = true, .commit = true};
    const wire_make abort = {.producer_id = 6, .transactional = true, .abort = true};
    wire_append(world, 0, &plain);  /* 0 */
    wire_append(world, 0, &bad);    /* 10: hidden */
    wire_append(world, 0, &good);   /* 20 */
    wire_append(world, 0, &bad);    /* 30: hidden */
    wire_append(world, 0, &abort);  /* 40 */
    wire_append(world, 0, &commit); /* 41 */
    wire_append(world, 0, &bad);    /* 42: the same producer, and this one is committed */
    const wire_make commit_6 = {.producer_id = 6, .transactional = true, .commit = true};
    wire_append(world, 0, &commit_6);                /* 52 */
    wire_append(world, 0, &bad);                     /* 53: hidden */
    wire_append(world, 0, &abort);                   /* 63 */
    log->aborted[0][0] = 6, log->aborted[0][1] = 53; /* in the wrong order */
    log->aborted[1][0] = 6, log->aborted[1][1] = 10;
    log->aborted_count = 2;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    assert_int_equal(r->count[0], 30);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(r->seen[0][i], i);
        assert_int_equal(r->seen[0][10 + i], 20 + i);
        assert_int_equal(r->seen[0][20 + i], 42 + i);
    }
    assert_int_equal(r->told[PS_WIRE_PASSED], 1);
    assert_int_equal(r->last.next, 64);
    close_reader(r);
}

static void what_is_open_waits(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 1);
    const wire_make open = {.producer_id = 5, .count = 10, .transactional = true};
    wire_append(world, 0, &open);
    world->logs[0].stable = 10;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    assert_int_equal(ps_wire_fetcher_end(r->fetcher, 0), 10);
    assert_int_equal(r->last.next >= 10, 1);
    close_reader(r);
}

static void compressed_ones(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    const wire_make make = {.producer_id = -1, .count = 50, .codec = PS_WIRE_ZSTD};
    for (int i = 0; i < 10; i++) wire_append(world, 0, &make);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 123);
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 123, 500);
    close_reader(r);
}

/* If this fails, a record is lost, or another one put in its place, when its reader has no room for
 * it yet. Only the last partition that there may be is read. */
static void the_same_until_it_is_taken(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    const wire_make packed = {.producer_id = -1, .count = 10, .codec = PS_WIRE_ZSTD};
    append(world, 0, 1);
    wire_append(world, 0, &packed);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, WIRE_PARTITIONS - 1, 0, 0, 3);
    int64_t due = 3;
    while (due < 20) {
        ps_wire_fetched f, again;
        step(r);
        while (ps_wire_fetcher_next(r->fetcher, &f, &r->why) == PS_OK) {
            for (int i = 0; i < 2; i++) {
                step(r); /* more may have come */
                assert_int_equal(ps_wire_fetcher_next(r->fetcher, &again, &r->why), PS_OK);
                assert_int_equal(again.news, f.news);
                assert_int_equal(again.partition, WIRE_PARTITIONS - 1);
                assert_int_equal(again.next, f.next);
            }
            ps_wire_fetcher_taken(r->fetcher);
            if (f.news != PS_WIRE_RECORD) continue;
            assert_int_equal(f.record.offset, due++);
            assert_int_equal(again.record.offset, f.record.offset);
            assert_int_equal(again.record.timestamp_ms, f.record.timestamp_ms);
            assert_ptr_equal(again.record.value.data, f.record.value.data);
            assert_int_equal(again.record.header_count, f.record.header_count);
        }
        pause_for(r);
    }
    close_reader(r);
}

static bool whole_from_now_on(wire_world *world, wire_question *question, wire_does *does) {
    (void)does;
    if (question->api == PS_WIRE_FETCH && world->asked[PS_WIRE_FETCH] > 1) world->logs[0].cut = 0;
    return false;
}

static void the_last_batch_is_cut(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 3);
    world->logs[0].cut = 100;
    world->hook = whole_from_now_on;
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    saw(r, 0, 0, 30);
    close_reader(r);
}

/* Nothing comes: it turns a few times for each Fetch that the broker answers, and sleeps. */
static void sleeps_when_idle(void **state) {
    (void)state;
    wire_world *world = wire_world_open(2, 2);
    reader *r = read_world(world);
    ps_wire_fetched f;
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    run_until(r, PS_WIRE_END, 2);
    const int64_t until = ps_clock_ns() + 400 * PS_NS_PER_MS;
    uint32_t turns = 0;
    for (; ps_clock_ns() < until; turns++) {
        step(r);
        assert_int_equal(ps_wire_fetcher_next(r->fetcher, &f, &r->why), PS_AGAIN);
        const int64_t left = ps_wire_fetcher_deadline(r->fetcher) - ps_clock_ns();
        struct pollfd one = {.fd = ps_wire_client_fd(r->client), .events = POLLIN};
        if (left > 0) (void)poll(&one, 1, 100);
    }
    wire_brokers_lock();
    assert_in_range(turns, 1, 4 * world->asked[PS_WIRE_FETCH]);
    assert_in_range(world->asked[PS_WIRE_FETCH], 10, 60);
    wire_brokers_unlock();
    close_reader(r);
}

/* What was fetched before does not show, though it was held, or on its way. */
static void stopped_and_started_meanwhile(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 2);
    append(world, 0, 300);
    append(world, 1, 300);
    reader *r = read_world(world);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    ps_wire_fetcher_start(r->fetcher, 1, 0, 1, 0);
    for (uint32_t i = 1; i <= 20; i++) {
        run_until(r, PS_WIRE_RECORD, i * 73);
        ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 1000 + i);
        r->count[0] = 0;
        step(r);
        if (i % 3 > 0) continue;
        ps_wire_fetcher_stop(r->fetcher, 0);
        const uint32_t before = r->told[PS_WIRE_RECORD], other = r->count[1];
        run_until(r, PS_WIRE_RECORD, before + 30);
        assert_int_equal(r->count[1] - other, 30);
        ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 1000 + i);
    }
    run_until(r, PS_WIRE_END, 2);
    saw(r, 0, 1020, 3000);
    saw(r, 1, 0, 3000);
    close_reader(r);
}

/* Steps until so many Fetches have gathered; whether the newest one does is what the lane is told.
 */
static void run_until_gathering(reader *r, uint32_t count) {
    ps_wire_fetched f;
    for (;;) {
        step(r);
        while (ps_wire_fetcher_next(r->fetcher, &f, &r->why) == PS_OK)
            ps_wire_fetcher_taken(r->fetcher);
        wire_brokers_lock();
        const bool enough = r->world->gathering >= count;
        wire_brokers_unlock();
        if (enough) return;
        pause_for(r);
    }
}

/* If this fails, a slow stream costs an answer for each of its records, or the first one after a
 * silence waits. */
static void what_trickles_in_is_gathered(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 60); /* several answers */
    reader *r = read_world_gathering(world, 8000);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until_gathering(r, 1);
    assert_false(ps_wire_fetcher_gathers(r->fetcher)); /* the first answer came at once */
    /* On a slow machine the answer is there before we look: the next one says it, too. */
    for (uint32_t count = 2; count == 2 || !ps_wire_fetcher_gathers(r->fetcher); count++)
        run_until_gathering(r, count);
    wire_brokers_lock();
    const int32_t least_bytes = (int32_t)world->least_bytes, wait_ms = (int32_t)world->wait_ms;
    wire_brokers_unlock();
    assert_int_equal(least_bytes, 8000);
    assert_int_equal(wait_ms, 7);
    for (bool waits = false; !waits; pause_for(r)) { /* behind the answer without records */
        ps_wire_fetched f;
        step(r);
        while (ps_wire_fetcher_next(r->fetcher, &f, &r->why) == PS_OK)
            ps_wire_fetcher_taken(r->fetcher);
        wire_brokers_lock();
        waits = world->least_bytes == 1;
        wire_brokers_unlock();
    }
    assert_false(ps_wire_fetcher_gathers(r->fetcher));
    wire_brokers_lock();
    assert_int_equal(world->least_bytes, 1);
    assert_int_equal(world->wait_ms, 20);
    wire_brokers_unlock();
    close_reader(r);
}

/* If this fails, rows that nobody sees before a commit wake a lane more often than the commit, or
 * an answer comes too late for it. */
static void until_a_commit_is_due(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 60);
    reader *r = read_world_gathering(world, 8000);
    ps_wire_fetcher_gather_until(r->fetcher, INT64_MAX);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until_gathering(r, 1);
    wire_brokers_lock();
    assert_int_equal(world->wait_ms, 20); /* and no longer than when there is nothing */
    wire_brokers_unlock();
    ps_wire_fetcher_gather_until(r->fetcher, 1);
    run_until_gathering(r, 2);
    wire_brokers_lock();
    assert_int_equal(world->wait_ms, 7);
    wire_brokers_unlock();
    close_reader(r);
}

/* If this fails, whoever is behind waits between answers that are full. */
static void a_backlog_is_not_gathered(void **state) {
    (void)state;
    wire_world *world = wire_world_open(1, 1);
    append(world, 0, 300);
    reader *r = read_world_gathering(world, 100);
    ps_wire_fetcher_start(r->fetcher, 0, 0, 0, 0);
    run_until(r, PS_WIRE_END, 1);
    wire_brokers_lock();
    assert_int_equal(world->gathering, 0);
    wire_brokers_unlock();
    close_reader(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_and_in_order),
        cmocka_unit_test(a_large_buffer_is_not_walked),
        cmocka_unit_test(from_an_offset_in_a_batch),
        cmocka_unit_test(what_was_aborted_is_not_shown),
        cmocka_unit_test(what_is_open_waits),
        cmocka_unit_test(compressed_ones),
        cmocka_unit_test(the_same_until_it_is_taken),
        cmocka_unit_test(the_last_batch_is_cut),
        cmocka_unit_test(sleeps_when_idle),
        cmocka_unit_test(stopped_and_started_meanwhile),
        cmocka_unit_test(what_trickles_in_is_gathered),
        cmocka_unit_test(until_a_commit_is_due),
        cmocka_unit_test(a_backlog_is_not_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
