/* SPDX-License-Identifier: Apache-2.0
 * What an idle lane sleeps on. If one of these fails, lanes sleep on news, or never sleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/base/wake.h"

#define LONG_NS (20 * PS_NS_PER_S) /* no test waits for it */

static ps_wake wake;

static int begin(void **state) {
    (void)state;
    return ps_wake_init(&wake, NULL) == PS_OK ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    ps_wake_deinit(&wake);
    return 0;
}

/* How long it slept. */
static int64_t slept(int64_t most_ns) {
    const int64_t begin_ns = ps_clock_ns();
    ps_wake_wait(&wake, begin_ns + most_ns);
    return ps_clock_ns() - begin_ns;
}

static void test_a_signal_ends_one_sleep(void **state) {
    (void)state;
    ps_wake_signal(&wake);
    ps_wake_signal(&wake);
    assert_true(slept(LONG_NS) < LONG_NS / 2);
    assert_true(slept(10 * PS_NS_PER_MS) >= 10 * PS_NS_PER_MS);
}

static void test_a_watched_descriptor_ends_sleeps_until_it_is_read(void **state) {
    (void)state;
    int ends[2];
    atomic_bool ready = false;
    char byte;
    assert_int_equal(pipe(ends), 0);
    ps_wake_watch(&wake, ends[0], &ready);
    assert_true(slept(10 * PS_NS_PER_MS) >= 10 * PS_NS_PER_MS);
    assert_false(ready);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(slept(LONG_NS) < LONG_NS / 2);
    assert_true(ready);
    assert_true(slept(LONG_NS) < LONG_NS / 2);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_true(slept(10 * PS_NS_PER_MS) >= 10 * PS_NS_PER_MS);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A committer reads its sockets by itself: the lane must not spin meanwhile. */
static void test_what_is_not_watched_any_more_ends_none(void **state) {
    (void)state;
    int ends[2];
    atomic_bool ready = false;
    assert_int_equal(pipe(ends), 0);
    ps_wake_watch(&wake, ends[0], &ready);
    assert_int_equal(write(ends[1], "x", 1), 1);
    ps_wake_unwatch(&wake, ends[0]);
    assert_true(slept(10 * PS_NS_PER_MS) >= 10 * PS_NS_PER_MS);
    ps_wake_watch(&wake, ends[0], &ready);
    assert_true(slept(LONG_NS) < LONG_NS / 2);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_signal_ends_one_sleep, begin, end),
        cmocka_unit_test_setup_teardown(test_a_watched_descriptor_ends_sleeps_until_it_is_read,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_not_watched_any_more_ends_none, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
