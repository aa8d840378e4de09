/* SPDX-License-Identifier: Apache-2.0
 * Rows on their way to logs that take batches by their sequences, while answers are bad, late or
 * never come. If this fails, rows are lost, doubled or in another order after a leader has moved,
 * or an idle lane burns a core.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/wire/error.h"
#include "tests/wire_ledger.h"

enum { ROW_BYTES = 200, ROWS = 40 }; /* four rows or so are a batch */

static int64_t cpu_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * PS_NS_PER_S + now.tv_nsec;
}

static ledger *begun(uint32_t nodes, int32_t partitions, bool idempotent) {
    ledger *l = open_ledger(
        &(ledger_plan){.nodes = nodes, .partitions = partitions, .idempotent = idempotent});
    init(l);
    return l;
}

static void rows_arrive_in_order(void **state) {
    (void)state;
    ledger *l = begun(2, 4, true);
    for (uint32_t i = 0; i < ROWS; i++)
        for (uint32_t p = 0; p < 4; p++) put_rows(l, p, i, 1, ROW_BYTES);
    assert_int_equal(ps_wire_producer_waiting(l->producer), 4 * ROWS);
    assert_int_equal(drain(l), PS_OK);
    int32_t next[4] = {0};
    for (uint32_t i = 0; i < times(l, PS_WIRE_PRODUCE); i++) {
        const came *one = nth(l, PS_WIRE_PRODUCE, i);
        assert_int_equal(one->sequence, next[one->partition]);
        assert_int_equal(one->node, one->partition % 2 + 1);
        assert_int_equal(one->code, 0);
        assert_int_equal(one->epoch, FIRST_EPOCH);
        assert_false(one->flag);
        assert_true(one->count <= 4);
        next[one->partition] += (int32_t)one->count;
    }
    for (uint32_t p = 0; p < 4; p++) {
        has_rows(l, p, ROWS);
        assert_int_equal(next[p], ROWS);
        assert_int_equal(l->sent[p], ROWS);
    }
    close_ledger(l);
}

/* A batch that is not full leaves after its time, and the deadline says when. */
static void lingers(void **state) {
    (void)state;
    ledger *l = open_ledger(
        &(ledger_plan){.nodes = 1, .partitions = 1, .idempotent = true, .linger_ms = 80});
    init(l);
    put_rows(l, 0, 0, ROWS, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    put_rows(l, 0, ROWS, 1, ROW_BYTES);
    const int64_t before_ns = ps_clock_ns();
    assert_true(ps_wire_producer_deadline(l->producer) <= before_ns + 80 * PS_NS_PER_MS);
    run_for(l, 30);
    put_rows(l, 0, ROWS + 1, 1, ROW_BYTES);
    assert_int_equal(ps_wire_producer_waiting(l->producer), 2);
    assert_int_equal(drain(l), PS_OK);
    const int64_t took_ns = ps_clock_ns() - before_ns;
    assert_true(took_ns >= 75 * PS_NS_PER_MS && took_ns < 1000 * PS_NS_PER_MS);
    assert_int_equal(nth(l, PS_WIRE_PRODUCE, times(l, PS_WIRE_PRODUCE) - 1)->count, 2);
    put_rows(l, 0, ROWS + 2, 1, 5000); /* a large one is full by itself */
    run_for(l, 40);
    has_rows(l, 0, ROWS + 3);
    close_ledger(l);
}

/* Behind a batch whose answer is late the next ones leave all the same. If this fails, every row of
 * a broker that is slow for once waits for two of its answers. */
static void leaves_behind_one_that_is_late(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    goes_wrong(
        l, (ledger_fault){
               .api = PS_WIRE_PRODUCE, .from = 1, .times = 1, .applies = true, .delay_ms = 500});
    const uint32_t before = ps_wire_client_sent(l->client);
    for (uint32_t row = 1; row <= PS_WIRE_PRODUCES_MAX + 2; row++) {
        put_rows(l, 0, row, 1, ROW_BYTES);
        run_for(l, 20);
        const uint32_t most = row < PS_WIRE_PRODUCES_MAX ? row : PS_WIRE_PRODUCES_MAX;
        assert_int_equal(ps_wire_client_sent(l->client) - before, most);
    }
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, PS_WIRE_PRODUCES_MAX + 3);
    assert_int_equal(nth(l, PS_WIRE_PRODUCE, times(l, PS_WIRE_PRODUCE) - 1)->count, 2);
    close_ledger(l);
}

static void a_large_row_goes_alone(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    put_rows(l, 0, 0, 2, 50);
    put_rows(l, 0, 2, 1, 5000);
    put_rows(l, 0, 3, 2, 50);
    assert_int_equal(put(l, 0, 5, 8000), PS_UNSUPPORTED);
    ps_wire_producer_limit(l->producer, 0, 4000);
    assert_int_equal(put(l, 0, 5, 5000), PS_UNSUPPORTED);
    put_rows(l, 0, 5, 1, 3500);
    assert_int_equal(put(l, 0, 6, 3500), PS_AGAIN); /* two large ones are all there is room for */
    assert_int_equal(drain(l), PS_OK);
    static const uint32_t counts[] = {2, 1, 2, 1};
    assert_int_equal(times(l, PS_WIRE_PRODUCE), 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(nth(l, PS_WIRE_PRODUCE, i)->count, counts[i]);
    has_rows(l, 0, 6);
    close_ledger(l);
}

static void no_buffer_is_free(void **state) {
    (void)state;
    ledger *l = open_ledger(
        &(ledger_plan){.nodes = 1, .partitions = 1, .idempotent = true, .batches_max = 3});
    init(l);
    uint32_t row = 0;
    while (put(l, 0, row, ROW_BYTES) == PS_OK) row++;
    assert_true(row >= 9 && row <= 12);
    assert_int_equal(drain(l), PS_OK);
    put_rows(l, 0, row, 3, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, row + 3);
    close_ledger(l);
}

/* Every batch that came again has the bytes and the sequence that it had. */
static uint32_t same_again(const ledger *l) {
    uint32_t again = 0;
    const uint32_t count = came_so_far(l);
    for (uint32_t i = 0; i < count; i++) {
        const came *one = &l->came[i];
        for (uint32_t j = 0; j < i && one->api == PS_WIRE_PRODUCE; j++) {
            const came *before = &l->came[j];
            if (before->api != PS_WIRE_PRODUCE || before->partition != one->partition ||
                before->first != one->first)
                continue;
            assert_int_equal(one->sequence, before->sequence);
            assert_int_equal(one->crc, before->crc);
            assert_int_equal(one->count, before->count);
            again++;
            break;
        }
    }
    return again;
}

/* If this fails, a batch that a broker found too large comes again as large as it was. */
static void batches_end_earlier(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    put_rows(l, 0, 0, 2, ROW_BYTES);
    ps_wire_producer_fill(l->producer, 300); /* the open one has two rows already */
    put_rows(l, 0, 2, 2, ROW_BYTES);
    put_rows(l, 0, 4, 4, 50);
    put_rows(l, 0, 8, 1, 900); /* larger by itself, and in no large buffer */
    put_rows(l, 0, 9, 2, 50);
    put_rows(l, 0, 11, 1, 7000);
    ps_wire_producer_fill(l->producer, 0);
    put_rows(l, 0, 12, 2, 50);
    ps_wire_producer_fill(l->producer, 1 << 20);
    put_rows(l, 0, 14, 6, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, 20);
    static const uint32_t counts[] = {2, 1, 1, 3, 1, 1, 2, 1, 1, 1, 4, 2};
    assert_int_equal(times(l, PS_WIRE_PRODUCE), sizeof counts / sizeof counts[0]);
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        assert_int_equal(nth(l, PS_WIRE_PRODUCE, i)->count, counts[i]);
    close_ledger(l);
}

/* Rows, retries and large rows are the same under every codec; what it would make larger goes as
 * it is. */
static void batches_are_compressed(void **state) {
    (void)state;
    for (uint8_t codec = PS_WIRE_NONE; codec < PS_WIRE_CODECS; codec++) {
        ledger *l = open_ledger(&(ledger_plan){
            .nodes = 1, .partitions = 1, .idempotent = true, .codec = codec, .batches_max = 8});
        init(l);
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                     .from = 2,
                                     .times = 1,
                                     .code = PS_WIRE_ERROR_NOT_ENOUGH_REPLICAS});
        put_rows(l, 0, 0, ROWS / 2, ROW_BYTES);
        put_rows(l, 0, ROWS / 2, 1, 5000);
        assert_int_equal(drain(l), PS_OK);
        l->noise = true;
        put_rows(l, 0, ROWS / 2 + 1, 4, ROW_BYTES);
        assert_int_equal(drain(l), PS_OK);
        has_rows(l, 0, ROWS / 2 + 5);
        const uint32_t count = times(l, PS_WIRE_PRODUCE);
        assert_true(same_again(l) >= 1);
        for (uint32_t i = 0; i + 1 < count; i++) {
            assert_int_equal(nth(l, PS_WIRE_PRODUCE, i)->codec, codec);
            if (codec != PS_WIRE_NONE) assert_true(nth(l, PS_WIRE_PRODUCE, i)->bytes < 500);
        }
        assert_int_equal(nth(l, PS_WIRE_PRODUCE, count - 1)->codec, PS_WIRE_NONE);
        close_ledger(l);
    }
}

/* Batches of one partition are under way when the `fault` comes, on their second. */
static ledger *after(ledger_fault fault) {
    ledger *l = begun(2, 1, true);
    fault.api = PS_WIRE_PRODUCE;
    goes_wrong(l, fault);
    put_rows(l, 0, 0, ROWS, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, ROWS);
    assert_int_equal(l->sent[0], ROWS);
    return l;
}

static void a_batch_is_retried(void **state) {
    (void)state;
    ledger *l = after((ledger_fault){
        .from = 2, .times = 1, .code = PS_WIRE_ERROR_NOT_ENOUGH_REPLICAS, .delay_ms = 20});
    /* Those behind it were under way: nobody may take this for a failure. */
    assert_int_equal(times_answered(l, PS_WIRE_PRODUCE, PS_WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER),
                     4);
    assert_int_equal(same_again(l), 5);
    close_ledger(l);
}

/* A broker that has just come back may have forgotten this producer, and then takes whatever
 * sequence comes first: a batch that is tried again goes alone, or the one behind it stands before
 * it in the log. Seen with Kafka 4.1.2 where records' timestamps were old. */
static void one_at_a_time_after_trouble(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    for (uint32_t i = 0; i < 2; i++)
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                     .from = i == 0 ? 2 : 7,
                                     .times = 1,
                                     .code = PS_WIRE_ERROR_NOT_LEADER_OR_FOLLOWER,
                                     .delay_ms = 20});
    put_rows(l, 0, 0, ROWS, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, ROWS);
    assert_int_equal(nth(l, PS_WIRE_PRODUCE, 6)->sequence, nth(l, PS_WIRE_PRODUCE, 1)->sequence);
    /* Those that were under way with it the first time, and none the second. */
    assert_int_equal(times_answered(l, PS_WIRE_PRODUCE, PS_WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER),
                     4);
    close_ledger(l);
}

static void it_was_written_though(void **state) {
    (void)state;
    ledger *l = after((ledger_fault){.from = 2,
                                     .times = 1,
                                     .code = PS_WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                                     .applies = true});
    assert_true(same_again(l) >= 1);
    close_ledger(l);
    l = after((ledger_fault){
        .from = 3, .times = 1, .code = PS_WIRE_ERROR_DUPLICATE_SEQUENCE_NUMBER, .applies = true});
    assert_int_equal(same_again(l), 0);
    close_ledger(l);
}

static void a_batch_is_missing(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                 .from = 1,
                                 .times = 1,
                                 .code = PS_WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER});
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_ABORTED);
    assert_non_null(strstr(l->why.message, "OUT_OF_ORDER"));
    init(l);
    assert_int_equal(ps_wire_producer_waiting(l->producer), 0);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    assert_int_equal(nth(l, PS_WIRE_PRODUCE, 1)->sequence, 0);
    close_ledger(l);
}

static void moves(bool tells) {
    ledger *l = begun(2, 1, true);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    wire_brokers_lock();
    l->world->tells_leader = tells;
    l->world->metadata_stale = tells ? 1000000 : 0;
    l->world->stale_leader = 1;
    l->world->logs[0].leader = 2;
    l->world->logs[0].epoch++;
    const uint32_t before = l->world->asked[PS_WIRE_METADATA];
    wire_brokers_unlock();
    put_rows(l, 0, 1, ROWS, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, ROWS + 1);
    assert_true(same_again(l) >= 1);
    wire_brokers_lock();
    if (!tells) assert_true(l->world->asked[PS_WIRE_METADATA] > before);
    wire_brokers_unlock();
    close_ledger(l);
}

static void the_leader_moves(void **state) {
    (void)state;
    moves(false);
    moves(true);
}

static void a_connection_breaks(void **state) {
    (void)state;
    for (int applies = 0; applies < 2; applies++) {
        ledger *l = after(
            (ledger_fault){.from = 4, .times = 1, .does = WIRE_HANGS_UP, .applies = applies != 0});
        assert_true(same_again(l) >= 1);
        close_ledger(l);
    }
}

/* Of the last one nobody knows any more what it was: it is an id that nobody had. */
static void idempotent_only(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    assert_int_equal(nth(l, PS_WIRE_INIT_PRODUCER_ID, 0)->id, -1);
    /* Its sequences go on over what commit means to it: all is answered. */
    put_rows(l, 0, 1, 1, ROW_BYTES);
    assert_int_equal(
        ps_wire_producer_commit(l->producer, NULL, 0, NULL, ps_clock_ns() + PS_NS_PER_S, &l->why),
        PS_OK);
    put_rows(l, 0, 2, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    has_rows(l, 0, 3);
    assert_int_equal(nth(l, PS_WIRE_PRODUCE, 2)->sequence, 2);
    init(l);
    assert_int_equal(nth(l, PS_WIRE_INIT_PRODUCER_ID, 1)->id, -1);
    assert_int_equal(times(l, PS_WIRE_END_TXN), 0);
    assert_false(ps_wire_producer_doubts(l->producer));
    close_ledger(l);
}

static void an_idle_one_sleeps(void **state) {
    (void)state;
    ledger *l = begun(1, 2, false);
    assert_int_equal(ps_wire_producer_deadline(l->producer), ps_wire_client_deadline(l->client));
    put_rows(l, 0, 0, ROWS, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    run_for(l, 5);
    assert_int_equal(ps_wire_producer_deadline(l->producer), ps_wire_client_deadline(l->client));
    assert_true(ps_wire_client_deadline(l->client) > ps_clock_ns() + PS_NS_PER_S);
    /* Nobody leads it. */
    wire_brokers_lock();
    l->world->logs[0].leader = -1;
    l->world->logs[0].epoch++;
    wire_brokers_unlock();
    put_rows(l, 0, ROWS, 1, ROW_BYTES);
    const int64_t before_ns = cpu_ns(), until_ns = ps_clock_ns() + 300 * PS_NS_PER_MS;
    uint32_t steps = 0;
    for (; ps_clock_ns() < until_ns; steps++) {
        assert_int_equal(ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why), PS_OK);
        int64_t ms = (ps_wire_producer_deadline(l->producer) - ps_clock_ns()) / PS_NS_PER_MS + 1;
        struct pollfd wait = {.fd = ps_wire_client_fd(l->client), .events = POLLIN};
        (void)poll(&wait, 1, ms < 0 ? 0 : ms > 100 ? 100 : (int)ms);
    }
    assert_true(steps < 100);
    assert_true(cpu_ns() - before_ns < 100 * PS_NS_PER_MS);
    close_ledger(l);
}

/* Who waits for a coordinator, with a batch that was to be sent long ago, sleeps as well. */
static void a_waiting_init_sleeps(void **state) {
    (void)state;
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
    for (int round = 0; round < 2; round++) {
        wire_brokers_lock();
        l->world->coordinator = round == 0 ? 0 : 1;
        wire_brokers_unlock();
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_INIT_PRODUCER_ID,
                                     .from = 1,
                                     .times = 1000,
                                     .code = PS_WIRE_ERROR_CONCURRENT_TRANSACTIONS});
        const int64_t before_ns = cpu_ns();
        assert_int_equal(
            ps_wire_producer_init(l->producer, ps_clock_ns() + 300 * PS_NS_PER_MS, &l->why),
            PS_AGAIN);
        assert_true(cpu_ns() - before_ns < 100 * PS_NS_PER_MS);
    }
    close_ledger(l);
}

/* Its client lives on, and may not answer to it any more. */
static void closes_amid_a_produce(void **state) {
    (void)state;
    ledger *l = begun(1, 1, true);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE, .from = 1, .times = 1, .delay_ms = 100});
    put_rows(l, 0, 0, 1, ROW_BYTES);
    run_for(l, 50);
    assert_int_equal(ps_wire_producer_waiting(l->producer), 1);
    ps_wire_producer_close(l->producer);
    l->producer = NULL;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ps_wire_client_step(l->client, ps_clock_ns(), &l->why), PS_OK);
        (void)poll(NULL, 0, 2);
    }
    close_ledger(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_arrive_in_order),
        cmocka_unit_test(lingers),
        cmocka_unit_test(leaves_behind_one_that_is_late),
        cmocka_unit_test(a_large_row_goes_alone),
        cmocka_unit_test(no_buffer_is_free),
        cmocka_unit_test(batches_end_earlier),
        cmocka_unit_test(batches_are_compressed),
        cmocka_unit_test(a_batch_is_retried),
        cmocka_unit_test(it_was_written_though),
        cmocka_unit_test(a_batch_is_missing),
        cmocka_unit_test(the_leader_moves),
        cmocka_unit_test(a_connection_breaks),
        cmocka_unit_test(idempotent_only),
        cmocka_unit_test(an_idle_one_sleeps),
        cmocka_unit_test(a_waiting_init_sleeps),
        cmocka_unit_test(one_at_a_time_after_trouble),
        cmocka_unit_test(closes_amid_a_produce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
