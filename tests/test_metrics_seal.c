/* SPDX-License-Identifier: Apache-2.0
 * What a worker tells of its sealed logs: whoever watches it sees a log that cannot be signed, or
 * has stopped, and is not told so of one that grows and is signed as it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "host/cli/metrics_seal.h"
#include "host/cli/totals.h"
#include "host/seal/log_metrics.h"

static ps_partition_metrics all[3];
static char text[PS_METRICS_TROUBLE_MAX];

static const char *trouble(int64_t after_ns) {
    ps_metrics_trouble(all, 3, ps_clock_ns() + after_ns, text);
    return text;
}

static int begin(void **state) {
    (void)state;
    memset(all, 0, sizeof all);
    return 0;
}

/* A counter that jumps when a partition comes would tell of rows that nobody sealed. */
static void what_was_there_is_not_sealed_again(void **state) {
    (void)state;
    ps_log_begun(&all[1].log, 500, 480, PS_NS_PER_S);
    assert_int_equal(ps_read(&all[1].log.size), 500);
    assert_int_equal(ps_read(&all[1].log.signed_size), 480);
    assert_int_equal(ps_read(&all[1].log.sealed), 0);
    ps_log_grew(&all[1].log, 700);
    assert_int_equal(ps_read(&all[1].log.sealed), 200);
    ps_log_left(&all[1].log);
    ps_log_begun(&all[1].log, 900, 900, PS_NS_PER_S);
    ps_log_grew(&all[1].log, 901);
    assert_int_equal(ps_read(&all[1].log.sealed), 201);
}

/* Nobody is told of entries that are signed in time, and everybody of those that are not. */
static void late_signatures_are_told(void **state) {
    (void)state;
    ps_log_begun(&all[1].log, 0, 0, PS_NS_PER_S);
    assert_string_equal(trouble(1000 * PS_NS_PER_S), "");
    ps_log_grew(&all[1].log, 10);
    assert_string_equal(trouble(5 * PS_NS_PER_S), "");
    assert_string_equal(trouble(9 * PS_NS_PER_S), "not signed for 8 s  ");
    ps_log_signed(&all[1].log, 10);
    assert_string_equal(trouble(1000 * PS_NS_PER_S), "");
}

/* With an interval of an hour, entries wait for an hour and nothing is wrong. */
static void a_long_interval_is_no_trouble(void **state) {
    (void)state;
    ps_log_begun(&all[0].log, 0, 0, 3600 * PS_NS_PER_S);
    ps_log_grew(&all[0].log, 10);
    assert_string_equal(trouble(3000 * PS_NS_PER_S), "");
    /* What came while it was being signed has an hour more. */
    ps_log_grew(&all[0].log, 20);
    ps_log_signed(&all[0].log, 15);
    assert_string_equal(trouble(3604 * PS_NS_PER_S), "");
    assert_string_equal(trouble(3610 * PS_NS_PER_S), "not signed for 10 s  ");
}

/* A log that another worker has is that one's to tell of. */
static void a_log_that_left_is_no_trouble(void **state) {
    (void)state;
    ps_log_begun(&all[0].log, 0, 0, PS_NS_PER_S);
    ps_log_grew(&all[0].log, 10);
    ps_log_left(&all[0].log);
    assert_string_equal(trouble(1000 * PS_NS_PER_S), "");
}

/* An alarm comes before all else, on the narrowest terminal too. */
static void an_alarm_is_in_the_live_line(void **state) {
    (void)state;
    static ps_totals now, before;
    char line[256];
    ps_log_begun(&all[0].log, 10, 0, PS_NS_PER_S);
    ps_log_failed(&all[2].log);
    assert_string_equal(trouble(1000 * PS_NS_PER_S), "ALARM: 1 log stopped  ");
    ps_log_failed(&all[1].log);
    (void)trouble(0);
    now.remaining = before.remaining = -1;
    memcpy(now.trouble, text, sizeof text);
    ps_totals_live(&now, &before, 200, line, sizeof line);
    assert_memory_equal(line, "ALARM: 2 logs stopped  0 rows", 29);
    ps_totals_live(&now, &before, 30, line, sizeof line);
    assert_int_equal(strlen(line), 29);
    assert_memory_equal(line, "ALARM: 2 logs stopped", 21);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_there_is_not_sealed_again, begin),
        cmocka_unit_test_setup(late_signatures_are_told, begin),
        cmocka_unit_test_setup(a_long_interval_is_no_trouble, begin),
        cmocka_unit_test_setup(a_log_that_left_is_no_trouble, begin),
        cmocka_unit_test_setup(an_alarm_is_in_the_live_line, begin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
