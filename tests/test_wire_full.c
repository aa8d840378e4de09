/* SPDX-License-Identifier: Apache-2.0
 * What a producer does when nothing more fits: no buffer is free, as many requests are under way as
 * may be, and the socket takes no byte more. It says so, sleeps, takes no memory, loses nothing,
 * and goes on when the broker does.
 */
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "ingest/wire/client_parts.h"
#include "tests/wire_ledger.h"

/* Batches of a mebibyte: the kernel keeps some of them for a broker that does not read. */
enum { PARTITIONS = 2, BATCHES = 12, BATCH_BYTES = 1 << 20, ROW_BYTES = 7000, STILL_MS = 300 };

static int64_t cpu_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * PS_NS_PER_S + now.tv_nsec;
}

/* Of the whole process. */
static size_t heap_bytes(void) {
    const struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

/* Both partitions have had an answer, and rows 0. */
static ledger *begun(void) {
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1,
                                           .partitions = PARTITIONS,
                                           .idempotent = true,
                                           .batches_max = BATCHES,
                                           .batch_bytes = BATCH_BYTES});
    init(l);
    for (uint32_t p = 0; p < PARTITIONS; p++) put_rows(l, p, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    return l;
}

/* Rows to both until there is room for none; where each got to. */
static void fill_up(ledger *l, uint32_t *rows) {
    for (bool some = true; some;) {
        some = false;
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            ps_status status;
            while ((status = put(l, p, rows[p], ROW_BYTES)) == PS_OK) {
                rows[p]++;
                some = true;
                p = (p + 1) % PARTITIONS;
            }
            assert_int_equal(status, PS_AGAIN);
        }
        assert_int_equal(ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why), PS_OK);
    }
}

/* Time goes by as it does in a lane, which asks again and again whether there is room. */
static void stands_still(ledger *l, const uint32_t *rows) {
    const uint64_t waiting = ps_wire_producer_waiting(l->producer);
    const uint32_t sent = ps_wire_client_sent(l->client);
    const size_t heap = heap_bytes();
    const int64_t before_ns = cpu_ns(), until_ns = ps_clock_ns() + STILL_MS * PS_NS_PER_MS;
    uint32_t steps = 0;
    for (; ps_clock_ns() < until_ns; steps++) {
        for (uint32_t p = 0; p < PARTITIONS; p++)
            assert_int_equal(put(l, p, rows[p], ROW_BYTES), PS_AGAIN);
        assert_int_equal(ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why), PS_OK);
        assert_true(ps_wire_producer_deadline(l->producer) > ps_clock_ns());
        struct pollfd wait = {.fd = ps_wire_client_fd(l->client), .events = POLLIN};
        (void)poll(&wait, 1, 10);
    }
    assert_true(steps < STILL_MS / 10 * 3);
    assert_int_equal(ps_wire_producer_waiting(l->producer), waiting);
    assert_int_equal(ps_wire_client_sent(l->client), sent);
    assert_int_equal(heap_bytes(), heap);
    assert_true(cpu_ns() - before_ns < STILL_MS * PS_NS_PER_MS / 3);
}

/* What waited arrives, and what comes after it. */
static void goes_on(ledger *l, uint32_t *rows) {
    assert_int_equal(drain(l), PS_OK);
    for (uint32_t p = 0; p < PARTITIONS; p++) put_rows(l, p, rows[p]++, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        has_rows(l, p, rows[p]);
        assert_int_equal(l->sent[p], rows[p]);
    }
    assert_int_equal(l->told, 0);
    close_ledger(l);
}

static const ps_wire_link *produces(const ledger *l) {
    const ps_wire_link *found = NULL;
    for (uint32_t i = 0; i < l->client->node_count; i++) {
        const ps_wire_link *link = &l->client->nodes[i].links[PS_WIRE_TO_PRODUCE];
        if (link->connection != NULL && link->dialled) found = link;
    }
    assert_non_null(found);
    return found;
}

/* It reads what comes, and is late with its first answer. */
static void of_a_broker_that_does_not_answer(void **state) {
    (void)state;
    ledger *l = begun();
    uint32_t rows[PARTITIONS] = {1, 1};
    const uint32_t before = ps_wire_client_sent(l->client);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                 .from = 1,
                                 .times = 1,
                                 .applies = true,
                                 .delay_ms = 4 * STILL_MS});
    fill_up(l, rows);
    /* The buffers' worth, and no more. */
    const uint64_t most = (uint64_t)BATCHES * BATCH_BYTES / ROW_BYTES;
    assert_in_range(ps_wire_producer_waiting(l->producer), most * 9 / 10, most);
    assert_in_range(ps_wire_client_sent(l->client) - before, 2, PS_WIRE_PRODUCES_MAX);
    run_for(l, 50);
    stands_still(l, rows);
    goes_on(l, rows);
}

/* It is stopped: it keeps its connections, and the kernel takes only so much for it. */
static void of_a_broker_that_does_not_read(void **state) {
    (void)state;
    ledger *l = begun();
    uint32_t rows[PARTITIONS] = {1, 1};
    const uint32_t before = came_so_far(l);
    wire_broker_freeze(l->world->brokers[0], true);
    fill_up(l, rows);
    run_for(l, 50);
    /* The socket is full: what is left of a request waits for it. */
    assert_true((produces(l)->events & POLLOUT) != 0);
    stands_still(l, rows);
    assert_int_equal(came_so_far(l), before);
    wire_broker_freeze(l->world->brokers[0], false);
    goes_on(l, rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_broker_that_does_not_answer),
        cmocka_unit_test(of_a_broker_that_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
