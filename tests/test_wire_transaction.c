/* SPDX-License-Identifier: Apache-2.0
 * Transactions in both dialects, against a coordinator that is late, moves, fences and refuses. If
 * this fails, what is read is counted twice or never after a bad day, or one batch that a broker
 * will never take stops a lane without a word.
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
#include "tests/wire_ledger.h"

enum { ROW_BYTES = 200, ROWS = 20 };

static ledger *begun(bool first_dialect) {
    ledger *l =
        open_ledger(&(ledger_plan){.nodes = 2, .partitions = 2, .first_dialect = first_dialect});
    init(l);
    return l;
}

static void fault(ledger *l, ps_wire_api api, int16_t code) {
    goes_wrong(l, (ledger_fault){.api = api, .from = 1, .times = 1, .code = code});
}

static void put_both(ledger *l, uint32_t from) {
    put_rows(l, 0, from, ROWS, ROW_BYTES);
    put_rows(l, 1, from, ROWS, ROW_BYTES);
}

static void is_committed(ledger *l, uint32_t rows, int64_t next) {
    has_rows(l, 0, rows);
    has_rows(l, 1, rows);
    wire_brokers_lock();
    assert_int_equal(l->committed, next);
    assert_false(l->open);
    wire_brokers_unlock();
}

static int32_t place(const ledger *l, ps_wire_api api, int64_t from) {
    const uint32_t count = came_so_far(l);
    for (uint32_t i = (uint32_t)from; i < count; i++)
        if (l->came[i].api == api) return (int32_t)i;
    fail_msg("it was not asked");
    return -1;
}

static void first_dialect(void **state) {
    (void)state;
    ledger *l = begun(true);
    uint32_t at = came_so_far(l);
    for (uint32_t round = 0; round < 3; round++) {
        put_both(l, round * ROWS);
        assert_int_equal(commit(l, 100 + round, 3000), PS_OK);
        is_committed(l, (round + 1) * ROWS, 100 + round);
        const int32_t added = place(l, PS_WIRE_ADD_PARTITIONS_TO_TXN, at);
        const int32_t produced = place(l, PS_WIRE_PRODUCE, at);
        const int32_t group = place(l, PS_WIRE_ADD_OFFSETS_TO_TXN, at);
        const int32_t offsets = place(l, PS_WIRE_TXN_OFFSET_COMMIT, at);
        const int32_t ended = place(l, PS_WIRE_END_TXN, at);
        assert_true(added < produced && produced < group && group < offsets && offsets < ended);
        assert_int_equal(l->came[produced].sequence, round * ROWS);
        assert_int_equal(l->came[produced].epoch, FIRST_EPOCH);
        assert_true(l->came[produced].flag && l->came[ended].flag);
        at = came_so_far(l);
    }
    const uint32_t count = came_so_far(l);
    for (uint32_t i = 0; i < count; i++) {
        const came *one = &l->came[i];
        assert_int_equal(one->code, 0);
        if (one->api == PS_WIRE_PRODUCE) assert_true(one->version <= 11);
        if (one->api == PS_WIRE_TXN_OFFSET_COMMIT) assert_true(one->version <= 4);
        if (one->api == PS_WIRE_END_TXN) assert_true(one->version <= 4);
    }
    assert_false(ps_wire_producer_doubts(l->producer));
    close_ledger(l);
}

/* A retry of adding partitions comes by its own time, not by some other wake. */
static void adding_is_retried(void **state) {
    (void)state;
    ledger *l = begun(true);
    fault(l, PS_WIRE_ADD_PARTITIONS_TO_TXN, PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    put_both(l, 0);
    const int64_t before_ns = ps_clock_ns();
    assert_int_equal(commit(l, 7, 3000), PS_OK);
    assert_true(ps_clock_ns() - before_ns < 1000 * PS_NS_PER_MS);
    is_committed(l, ROWS, 7);
    close_ledger(l);
    /* One that is refused is heard over those that were not tried. */
    l = begun(true);
    fault(l, PS_WIRE_ADD_PARTITIONS_TO_TXN, PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED);
    put_both(l, 0);
    assert_int_equal(commit(l, 7, 3000), PS_IO);
    assert_non_null(strstr(l->why.message, "TOPIC_AUTHORIZATION_FAILED"));
    close_ledger(l);
}

static void a_lost_connection_is_doubted(void **state) {
    (void)state;
    static const ps_wire_api apis[] = {PS_WIRE_PRODUCE, PS_WIRE_ADD_PARTITIONS_TO_TXN,
                                       PS_WIRE_TXN_OFFSET_COMMIT, PS_WIRE_END_TXN};
    for (int second = 0; second < 2; second++)
        for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
            ledger *l = begun(!second);
            if (second && apis[i] == PS_WIRE_ADD_PARTITIONS_TO_TXN) {
                close_ledger(l);
                continue;
            }
            goes_wrong(
                l,
                (ledger_fault){
                    .api = apis[i], .from = 1, .times = 1, .does = WIRE_HANGS_UP, .applies = true});
            put_both(l, 0);
            assert_int_equal(commit(l, 9, 3000), PS_OK);
            is_committed(l, ROWS, 9);
            assert_int_equal(ps_wire_producer_doubts(l->producer), !second);
            init(l);
            assert_false(ps_wire_producer_doubts(l->producer));
            close_ledger(l);
        }
}

static void second_dialect(void **state) {
    (void)state;
    ledger *l = begun(false);
    for (uint32_t round = 0; round < 3; round++) {
        const uint32_t at = came_so_far(l);
        put_both(l, round * ROWS);
        assert_int_equal(commit(l, 100 + round, 3000), PS_OK);
        is_committed(l, (round + 1) * ROWS, 100 + round);
        const came *produced = &l->came[place(l, PS_WIRE_PRODUCE, at)];
        assert_int_equal(produced->sequence, 0);
        assert_int_equal(produced->epoch, FIRST_EPOCH + (int)round);
        assert_true(produced->version >= 12);
        const came *ended = &l->came[place(l, PS_WIRE_END_TXN, at)];
        assert_int_equal(ended->version, 5);
        assert_int_equal(ended->epoch, FIRST_EPOCH + (int)round);
        assert_true(place(l, PS_WIRE_TXN_OFFSET_COMMIT, at) < place(l, PS_WIRE_END_TXN, at));
    }
    assert_int_equal(times(l, PS_WIRE_ADD_PARTITIONS_TO_TXN), 0);
    assert_int_equal(times(l, PS_WIRE_ADD_OFFSETS_TO_TXN), 0);
    /* Nothing was put: there is no transaction to end. */
    assert_int_equal(
        ps_wire_producer_commit(l->producer, NULL, 0, NULL, ps_clock_ns() + PS_NS_PER_S, &l->why),
        PS_OK);
    assert_int_equal(times(l, PS_WIRE_END_TXN), 3);
    close_ledger(l);
}

/* Until the first answer of a transaction: a broker that is still ending the last one refuses it,
 * and would call those behind it out of order. */
static void one_at_a_time_at_first(void **state) {
    (void)state;
    ledger *l = begun(false);
    for (uint32_t round = 0; round < 2; round++) {
        const uint32_t before = times(l, PS_WIRE_PRODUCE);
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                     .from = 1,
                                     .times = 2,
                                     .code = PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS,
                                     .delay_ms = 20});
        put_rows(l, 0, round * ROWS, ROWS, ROW_BYTES);
        assert_int_equal(commit(l, 5, 3000), PS_OK);
        for (uint32_t i = before; i < times(l, PS_WIRE_PRODUCE); i++)
            assert_int_equal(nth(l, PS_WIRE_PRODUCE, i)->code,
                             i < before + 2 ? PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS : 0);
    }
    has_rows(l, 0, 2 * ROWS);
    close_ledger(l);
}

static void an_end_is_retried(void **state) {
    (void)state;
    ledger *l = begun(false);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_END_TXN,
                                 .from = 1,
                                 .times = 3,
                                 .code = PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS});
    fault(l, PS_WIRE_TXN_OFFSET_COMMIT, PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS);
    put_both(l, 0);
    assert_int_equal(commit(l, 5, 3000), PS_OK);
    is_committed(l, ROWS, 5);
    assert_int_equal(times(l, PS_WIRE_END_TXN), 4);
    close_ledger(l);
}

/* A commit goes on where it was: what was acknowledged is not sent again, and what is put
 * meanwhile waits for the next transaction. */
static void a_commit_goes_on(void **state) {
    (void)state;
    for (int second = 0; second < 2; second++)
        for (int applies = 0; applies < 2; applies++) {
            ledger *l = begun(!second);
            goes_wrong(l, (ledger_fault){.api = PS_WIRE_END_TXN,
                                         .from = 1,
                                         .times = 1,
                                         .does = WIRE_IS_SILENT,
                                         .applies = applies != 0});
            put_both(l, 0);
            assert_int_equal(commit(l, 5, 600), PS_AGAIN);
            const uint32_t before = came_so_far(l);
            put_both(l, ROWS);
            run_for(l, 50);
            assert_int_equal(came_so_far(l), before);
            assert_int_equal(commit(l, 5, 3000), PS_OK);
            assert_int_equal(times(l, PS_WIRE_TXN_OFFSET_COMMIT), 1);
            is_committed(l, ROWS, 5);
            assert_int_equal(commit(l, 6, 3000), PS_OK);
            is_committed(l, 2 * ROWS, 6);
            close_ledger(l);
        }
}

static void a_commit_waits_for_produces(void **state) {
    (void)state;
    ledger *l = begun(false);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                 .from = 1,
                                 .times = 100000,
                                 .code = PS_WIRE_ERROR_NOT_ENOUGH_REPLICAS});
    put_both(l, 0);
    assert_int_equal(commit(l, 5, 100), PS_AGAIN);
    assert_int_equal(times(l, PS_WIRE_TXN_OFFSET_COMMIT), 0);
    wire_brokers_lock();
    l->faults[0].times = 0;
    wire_brokers_unlock();
    assert_int_equal(commit(l, 5, 3000), PS_OK);
    is_committed(l, ROWS, 5);
    close_ledger(l);
}

static void the_coordinator_moves(void **state) {
    (void)state;
    for (int second = 0; second < 2; second++) {
        ledger *l = begun(!second);
        wire_brokers_lock();
        l->world->coordinator = 2;
        wire_brokers_unlock();
        put_both(l, 0);
        assert_int_equal(commit(l, 5, 3000), PS_OK);
        is_committed(l, ROWS, 5);
        const came *ended = nth(l, PS_WIRE_END_TXN, times(l, PS_WIRE_END_TXN) - 1);
        assert_int_equal(ended->node, 2);
        close_ledger(l);
    }
}

static void a_successor_fences(void **state) {
    (void)state;
    ledger *l = begun(false);
    fault(l, PS_WIRE_END_TXN, PS_WIRE_ERROR_PRODUCER_FENCED);
    put_both(l, 0);
    assert_int_equal(commit(l, 5, 3000), PS_FENCED);
    close_ledger(l);
    static const int16_t codes[] = {PS_WIRE_ERROR_PRODUCER_FENCED,
                                    PS_WIRE_ERROR_INVALID_PRODUCER_EPOCH};
    for (int i = 0; i < 2; i++) {
        l = begun(false);
        fault(l, PS_WIRE_INIT_PRODUCER_ID, codes[i]);
        assert_int_equal(ps_wire_producer_init(l->producer, ps_clock_ns() + PS_NS_PER_S, &l->why),
                         PS_FENCED);
        init(l);
        assert_int_equal(nth(l, PS_WIRE_INIT_PRODUCER_ID, 2)->id, -1);
        close_ledger(l);
    }
}

static void what_cannot_be_committed(void **state) {
    (void)state;
    static const struct {
        ps_wire_api api;
        int16_t code;
        ps_status status;
    } cases[] = {
        {PS_WIRE_PRODUCE, 47, PS_ABORTED},
        {PS_WIRE_PRODUCE, 48, PS_ABORTED},
        {PS_WIRE_PRODUCE, 120, PS_ABORTED},
        {PS_WIRE_PRODUCE, 90, PS_ABORTED},
        {PS_WIRE_TXN_OFFSET_COMMIT, 48, PS_ABORTED},
        {PS_WIRE_TXN_OFFSET_COMMIT, 22, PS_ABORTED},
        {PS_WIRE_END_TXN, 47, PS_ABORTED},
        {PS_WIRE_END_TXN, 48, PS_ABORTED},
        {PS_WIRE_END_TXN, 120, PS_ABORTED},
        {PS_WIRE_PRODUCE, 29, PS_IO},
        {PS_WIRE_PRODUCE, 53, PS_IO},
        {PS_WIRE_TXN_OFFSET_COMMIT, 30, PS_IO},
        {PS_WIRE_END_TXN, 53, PS_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ledger *l = begun(false);
        fault(l, cases[i].api, cases[i].code);
        put_rows(l, 0, 0, 1, ROW_BYTES);
        assert_int_equal(commit(l, 5, 3000), cases[i].status);
        assert_non_null(strstr(l->why.message, ps_wire_error_name(cases[i].code)));
        assert_int_equal(commit(l, 5, 3000), cases[i].status); /* and it stays so */
        assert_int_equal(put(l, 0, 1, ROW_BYTES), cases[i].status);
        if (cases[i].status == PS_ABORTED) {
            memset(l->sent, 0, sizeof l->sent);
            init(l);
            put_rows(l, 0, 0, 1, ROW_BYTES);
            assert_int_equal(commit(l, 6, 3000), PS_OK);
            assert_int_equal(l->committed, 6);
        }
        close_ledger(l);
    }
}

/* What is open is ended before a new epoch is asked for: 3.9 takes its own producer for another
 * one otherwise. */
static void init_ends_its_own(void **state) {
    (void)state;
    for (int second = 0; second < 2; second++) {
        ledger *l = begun(!second);
        const came *first = nth(l, PS_WIRE_INIT_PRODUCER_ID, 0);
        assert_true(first->id == -1 && first->epoch == -1);
        assert_int_equal(times(l, PS_WIRE_END_TXN), 0);
        put_rows(l, 0, 0, 1, ROW_BYTES);
        assert_int_equal(drain(l), PS_OK);
        init(l);
        const came *ended = nth(l, PS_WIRE_END_TXN, 0);
        const came *again = nth(l, PS_WIRE_INIT_PRODUCER_ID, 1);
        assert_true(ended < again && !ended->flag);
        assert_int_equal(ended->epoch, FIRST_EPOCH);
        assert_int_equal(ended->id, PRODUCER_ID);
        assert_int_equal(again->id, PRODUCER_ID);
        assert_int_equal(again->epoch, FIRST_EPOCH + second);
        assert_int_equal(again->code, 0);
        close_ledger(l);
    }
}

/* If this fails, a lane that is over its quota is muted by the broker, and cuts its connection
 * because no answer comes; or it burns a core until it may go on. */
static void throttled(void **state) {
    (void)state;
    ledger *l = begun(false);
    goes_wrong(
        l, (ledger_fault){
               .api = PS_WIRE_PRODUCE, .from = 1, .times = 1, .applies = true, .throttle_ms = 150});
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_TXN_OFFSET_COMMIT,
                                 .from = 1,
                                 .times = 1,
                                 .applies = true,
                                 .throttle_ms = 100});
    put_rows(l, 0, 0, ROWS, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    assert_true(l->steps < 100);
    assert_true(nth(l, PS_WIRE_PRODUCE, 1)->at_ns - nth(l, PS_WIRE_PRODUCE, 0)->at_ns >=
                149 * PS_NS_PER_MS);
    assert_int_equal(commit(l, 5, 3000), PS_OK);
    assert_true(nth(l, PS_WIRE_END_TXN, 0)->at_ns - nth(l, PS_WIRE_TXN_OFFSET_COMMIT, 0)->at_ns >=
                99 * PS_NS_PER_MS);
    assert_int_equal(times(l, PS_WIRE_TXN_OFFSET_COMMIT), 1);
    close_ledger(l);
}

/* If this fails, what is put after a failed init is written in an epoch that may be a successor's.
 */
static void a_failed_init_leaves_nothing(void **state) {
    (void)state;
    static const int16_t codes[] = {PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS,
                                    PS_WIRE_ERROR_PRODUCER_FENCED,
                                    PS_WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED};
    static const ps_status statuses[] = {PS_AGAIN, PS_FENCED, PS_IO};
    for (int i = 0; i < 3; i++) {
        ledger *l = begun(false);
        put_rows(l, 0, 0, 1, ROW_BYTES);
        goes_wrong(
            l, (ledger_fault){
                   .api = PS_WIRE_INIT_PRODUCER_ID, .from = 1, .times = 1000, .code = codes[i]});
        assert_int_equal(
            ps_wire_producer_init(l->producer, ps_clock_ns() + 100 * PS_NS_PER_MS, &l->why),
            statuses[i]);
        assert_int_equal(put(l, 0, 0, ROW_BYTES), PS_ABORTED);
        assert_int_equal(ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why), PS_ABORTED);
        assert_non_null(strstr(l->why.message, "init"));
        assert_int_equal(commit(l, 5, 500), PS_ABORTED);
        assert_int_equal(times(l, PS_WIRE_PRODUCE), 0);
        wire_brokers_lock();
        l->faults[0].times = 0;
        wire_brokers_unlock();
        init(l);
        put_both(l, 0);
        assert_int_equal(commit(l, 5, 3000), PS_OK);
        is_committed(l, ROWS, 5);
        close_ledger(l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_dialect),
        cmocka_unit_test(adding_is_retried),
        cmocka_unit_test(a_lost_connection_is_doubted),
        cmocka_unit_test(second_dialect),
        cmocka_unit_test(one_at_a_time_at_first),
        cmocka_unit_test(an_end_is_retried),
        cmocka_unit_test(a_commit_goes_on),
        cmocka_unit_test(a_commit_waits_for_produces),
        cmocka_unit_test(the_coordinator_moves),
        cmocka_unit_test(a_successor_fences),
        cmocka_unit_test(what_cannot_be_committed),
        cmocka_unit_test(init_ends_its_own),
        cmocka_unit_test(throttled),
        cmocka_unit_test(a_failed_init_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
