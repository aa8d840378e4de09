/* SPDX-License-Identifier: Apache-2.0
 * Batches that no broker will ever take. If this fails, one of them stops a lane without a word, or
 * goes missing from a transaction that is committed.
 */
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

enum { ROW_BYTES = 200 };

static void is_void(ledger *l, ps_status as) {
    assert_int_equal(ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why), as);
    assert_int_equal(put(l, 0, 9, ROW_BYTES), as);
    assert_int_equal(commit(l, 5, 500), as);
    assert_int_equal(times(l, PS_WIRE_TXN_OFFSET_COMMIT) + times(l, PS_WIRE_END_TXN), 0);
}

/* And another init makes it good. */
static void begins_anew(ledger *l, uint32_t partition) {
    memset(l->sent, 0, sizeof l->sent);
    l->told = 0;
    init(l);
    put_rows(l, partition, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    assert_int_equal(l->sent[partition], 1);
    assert_int_equal(l->told, 0);
}

typedef struct refusal {
    int16_t code;
    int32_t rows; /* that are named */
    ps_status status;
} refusal;

static const refusal refusals[] = {
    {PS_WIRE_ERROR_MESSAGE_TOO_LARGE, 0, PS_ABORTED},
    {PS_WIRE_ERROR_RECORD_LIST_TOO_LARGE, 0, PS_ABORTED},
    {PS_WIRE_ERROR_INVALID_RECORD, 0, PS_ABORTED},
    {PS_WIRE_ERROR_INVALID_RECORD, 2, PS_ABORTED},
    {PS_WIRE_ERROR_INVALID_TIMESTAMP, 1, PS_ABORTED},
    {PS_WIRE_ERROR_UNKNOWN_SERVER_ERROR, 0, PS_ABORTED},
    {PS_WIRE_ERROR_INVALID_TOPIC_EXCEPTION, 0, PS_IO},
    {PS_WIRE_ERROR_UNSUPPORTED_VERSION, 0, PS_IO},
    {PS_WIRE_ERROR_INVALID_REQUEST, 0, PS_IO},
    {PS_WIRE_ERROR_POLICY_VIOLATION, 0, PS_IO},
    {PS_WIRE_ERROR_UNSUPPORTED_COMPRESSION_TYPE, 0, PS_IO},
    {PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED, 0, PS_IO},
    {PS_WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED, 0, PS_IO},
    {PS_WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0, PS_IO},
    {1234, 0, PS_ABORTED}, /* of a newer broker */
};

/* Its rows are named where the broker names them, so that who put them may do without. */
static void a_batch_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const refusal *of = &refusals[i];
        ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
        init(l);
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                     .from = 1,
                                     .times = 1,
                                     .code = of->code,
                                     .refused = {1, 2},
                                     .refused_count = of->rows});
        put_rows(l, 0, 0, 3, ROW_BYTES);
        put_rows(l, 0, 3, 3, ROW_BYTES); /* behind it: not to blame, and not told */
        assert_int_equal(drain(l), of->status);
        assert_non_null(strstr(l->why.message, ps_wire_error_name(of->code)));
        assert_non_null(strstr(l->why.message, ps_wire_error_text(of->code)));
        assert_int_equal(l->told, 1);
        assert_int_equal(l->refused_code, of->code);
        assert_int_equal(l->refused_count, of->rows);
        for (int32_t row = 0; row < of->rows; row++) assert_int_equal(l->refused[row], row + 1);
        for (uint32_t row = 0; row < 3; row++) assert_int_equal(l->refused_tags[row], row);
        is_void(l, of->status);
        assert_int_equal(l->told, 1);
        assert_int_equal(l->sent[0], 0);
        close_ledger(l);
    }
}

static void then_it_begins_anew(void **state) {
    (void)state;
    for (int idempotent = 0; idempotent < 2; idempotent++) {
        ledger *l =
            open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1, .idempotent = idempotent != 0});
        init(l);
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                     .from = 1,
                                     .times = 1,
                                     .code = PS_WIRE_ERROR_MESSAGE_TOO_LARGE});
        put_rows(l, 0, 0, 3, ROW_BYTES);
        assert_int_equal(drain(l), PS_ABORTED);
        begins_anew(l, 0);
        close_ledger(l);
    }
}

/* Until its batch is told of; drain does not wait so long. */
static ps_status told(ledger *l) {
    const int64_t until_ns = ps_clock_ns() + 5 * PS_NS_PER_S;
    ps_status status = PS_OK;
    while (status == PS_OK && ps_clock_ns() < until_ns) {
        status = ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why);
        (void)nanosleep(&(struct timespec){.tv_nsec = PS_NS_PER_MS}, NULL);
    }
    return status;
}

static void topic_says(ledger *l, int16_t code) {
    wire_brokers_lock();
    l->world->topic_error = code;
    wire_brokers_unlock();
}

static void a_topic_is_deleted(void **state) {
    (void)state;
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
    init(l);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(drain(l), PS_OK);
    topic_says(l, PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                 .from = 1,
                                 .times = 1000,
                                 .code = PS_WIRE_ERROR_UNKNOWN_TOPIC_ID});
    put_rows(l, 0, 1, 1, ROW_BYTES);
    assert_int_equal(told(l), PS_ABORTED);
    assert_int_equal(l->told, 1);
    assert_int_equal(l->refused_code, PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(l->refused_tags[0], 1);
    is_void(l, PS_ABORTED);
    close_ledger(l);
}

/* It was only that brokers did not know of it yet. */
static void a_topic_is_missed_once(void **state) {
    (void)state;
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
    topic_says(l, PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    init(l);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    run_for(l, 500);
    topic_says(l, 0);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                 .from = 1,
                                 .times = 2,
                                 .code = PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION});
    assert_int_equal(drain(l), PS_OK);
    assert_int_equal(l->told, 0);
    has_rows(l, 0, 1);
    close_ledger(l);
}

static void metadata_is_refused(void **state) {
    (void)state;
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
    topic_says(l, PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED);
    init(l);
    put_rows(l, 0, 0, 1, ROW_BYTES);
    assert_int_equal(told(l), PS_IO);
    assert_int_equal(l->refused_code, PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED);
    topic_says(l, 0);
    close_ledger(l);
}

static void a_partition_is_not_there(void **state) {
    (void)state;
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
    init(l);
    put_rows(l, 3, 0, 1, ROW_BYTES);
    assert_int_equal(told(l), PS_ABORTED);
    assert_int_equal(l->refused_code, PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    begins_anew(l, 0);
    close_ledger(l);
}

/* If this fails, thousands of records that a broker names stop a lane without a word, or are
 * committed without having been written. */
static void an_answer_is_too_large(void **state) {
    (void)state;
    static const struct {
        int32_t flood;
        const char *words;
    } cases[] = {
        {4000, "a sentence about one record"}, /* more than the receive buffer */
        {8000, NULL},                          /* more, once it is unfolded, than it unfolds to */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 1});
        init(l);
        goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                     .from = 1,
                                     .times = 1000,
                                     .code = PS_WIRE_ERROR_INVALID_RECORD,
                                     .flood = cases[i].flood,
                                     .words = cases[i].words});
        put_rows(l, 0, 0, 3, ROW_BYTES);
        assert_int_equal(i == 0 ? drain(l) : commit(l, 3, 2000), PS_UNSUPPORTED);
        assert_non_null(strstr(l->why.message, "answers to Produce"));
        const ps_status then = commit(l, 3, 500);
        assert_true(then == PS_UNSUPPORTED || then == PS_IO);
        assert_int_equal(put(l, 0, 9, ROW_BYTES), PS_IO); /* not: too large a row */
        assert_int_equal(times(l, PS_WIRE_TXN_OFFSET_COMMIT) + times(l, PS_WIRE_END_TXN), 0);
        assert_int_equal(l->sent[0], 0);
        close_ledger(l);
    }
}

/* A broker that says "again" for ever is named while it does, and only then. */
static void a_partition_stalls(void **state) {
    (void)state;
    ledger *l = open_ledger(&(ledger_plan){.nodes = 1, .partitions = 2});
    ps_wire_stalled stalled;
    const int64_t began_ns = ps_clock_ns();
    init(l);
    goes_wrong(l, (ledger_fault){.api = PS_WIRE_PRODUCE,
                                 .from = 1,
                                 .times = 1000000,
                                 .code = PS_WIRE_ERROR_NOT_ENOUGH_REPLICAS});
    put_rows(l, 1, 0, 3, ROW_BYTES);
    run_for(l, 300);
    assert_false(ps_wire_producer_stalled(l->producer, began_ns, &stalled));
    assert_true(ps_wire_producer_stalled(l->producer, ps_clock_ns(), &stalled));
    assert_int_equal(stalled.within, 1);
    assert_int_equal(stalled.code, PS_WIRE_ERROR_NOT_ENOUGH_REPLICAS);
    assert_in_range(stalled.since_ns, began_ns, ps_clock_ns());
    wire_brokers_lock();
    l->faults[0].times = 0;
    wire_brokers_unlock();
    assert_int_equal(drain(l), PS_OK);
    assert_false(ps_wire_producer_stalled(l->producer, ps_clock_ns(), &stalled));
    close_ledger(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_refused),  cmocka_unit_test(then_it_begins_anew),
        cmocka_unit_test(a_topic_is_deleted),  cmocka_unit_test(a_topic_is_missed_once),
        cmocka_unit_test(metadata_is_refused), cmocka_unit_test(a_partition_is_not_there),
        cmocka_unit_test(a_partition_stalls),  cmocka_unit_test(an_answer_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
