/* SPDX-License-Identifier: Apache-2.0
 * Breaks if: calibration leaves a slow implementation chosen, takes too long, changes something
 * when it is stopped, or forgets its result; if what a sanitizer's build measured is believed by
 * the program that people use; if a cache that names what is not there is believed;
 * or if PS_ISA does not win over what was measured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/device/choice.h"
#include "simd/calibrate.h"
#include "simd/dispatch.h"

static char folder[] = "/tmp/penstock-choice.XXXXXX";

static int fresh(void **state) {
    ps_error error;
    (void)state;
    unsetenv("PS_ISA");
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder)) return -1;
    setenv("XDG_CACHE_HOME", folder, 1);
    return ps_choice_init(&error) == PS_OK ? 0 : -1;
}

static int clean(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static bool has_choice(ps_kernel_id id) {
    return ps_dispatch_count(id) > 1;
}

static void finds_the_faster_one(void **state) {
    const atomic_bool stop = false;
    (void)state;
    assert_true(ps_dispatch_choose(PS_KERNEL_SHA256, "scalar"));
    assert_true(ps_dispatch_choose(PS_KERNEL_CRC32C, "scalar"));
    assert_true(ps_dispatch_choose(PS_KERNEL_MERKLE, "scalar"));
    const int64_t from = ps_clock_read(CLOCK_THREAD_CPUTIME_ID);
    assert_true(ps_calibrate(&stop));
    const int64_t took = ps_clock_read(CLOCK_THREAD_CPUTIME_ID) - from;
    assert_true(took < 10 * 200 * PS_NS_PER_MS); /* sanitizers slow it down, not tenfold */
    print_message("calibration took %lld ms\n", (long long)(took / PS_NS_PER_MS));
    /* Where there are instructions for it, no table or loop is faster: by a factor of ten. */
    if (has_choice(PS_KERNEL_SHA256))
        assert_string_not_equal(ps_dispatch_chosen(PS_KERNEL_SHA256), "scalar");
    if (has_choice(PS_KERNEL_CRC32C))
        assert_string_not_equal(ps_dispatch_chosen(PS_KERNEL_CRC32C), "scalar");
    if (has_choice(PS_KERNEL_MERKLE))
        assert_string_not_equal(ps_dispatch_chosen(PS_KERNEL_MERKLE), "scalar");
}

static void stops_without_a_trace(void **state) {
    const atomic_bool stop = true;
    (void)state;
    assert_true(ps_dispatch_choose(PS_KERNEL_SHA256, "scalar"));
    assert_false(ps_calibrate(&stop));
    assert_string_equal(ps_dispatch_chosen(PS_KERNEL_SHA256), "scalar");
}

static void text_goes_there_and_back(void **state) {
    char text[PS_CALIBRATION_TEXT_MAX], again[PS_CALIBRATION_TEXT_MAX];
    (void)state;
    assert_true(ps_dispatch_choose(PS_KERNEL_XXH3, "scalar"));
    const size_t bytes = ps_calibration_text(text);
    const char *last;
    (void)ps_dispatch_at(PS_KERNEL_XXH3, ps_dispatch_count(PS_KERNEL_XXH3) - 1, &last);
    assert_true(ps_dispatch_choose(PS_KERNEL_XXH3, last));
    assert_true(ps_calibration_apply(text, bytes));
    assert_string_equal(ps_dispatch_chosen(PS_KERNEL_XXH3), "scalar");
    assert_int_equal(ps_calibration_text(again), bytes);
    assert_memory_equal(text, again, bytes);

    assert_false(ps_calibration_apply(text, bytes - 1));
    assert_false(ps_calibration_apply("", 0));
    static const char *const bad[] = {"sha256\tabacus\n", "md5\tscalar\n", "sha256 scalar\n", "\n",
                                      "sha256\tscalar\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ps_calibration_apply(bad[i], strlen(bad[i])));
}

static void is_kept(void **state) {
    ps_error error;
    (void)state;
    assert_string_equal(ps_choice_by(), "not measured yet");
    ps_choice_measure(NULL);
    assert_string_equal(ps_choice_by(), "measured");
    char chosen[64];
    snprintf(chosen, sizeof chosen, "%s", ps_dispatch_chosen(PS_KERNEL_SHA256));
    assert_int_equal(ps_choice_init(&error), PS_OK);
    assert_string_equal(ps_choice_by(), "measured");
    assert_string_equal(ps_dispatch_chosen(PS_KERNEL_SHA256), chosen);
}

static void another_build_has_another_file(void **state) {
    char optimised[PS_CACHE_NAME_MAX], checked[PS_CACHE_NAME_MAX], again[PS_CACHE_NAME_MAX];
    (void)state;
    ps_choice_cache_name("Release: -O3", optimised);
    ps_choice_cache_name("Release: -O3", again);
    ps_choice_cache_name("Debug: -O1 -fsanitize=address", checked);
    assert_string_equal(optimised, again);
    assert_string_not_equal(optimised, checked);
}

static void a_job_that_ends_first_keeps_nothing(void **state) {
    ps_error error;
    const atomic_bool stop = true;
    (void)state;
    ps_choice_measure(&stop);
    assert_false(ps_choice_known());
    assert_int_equal(ps_choice_init(&error), PS_OK);
    assert_string_equal(ps_choice_by(), "not measured yet");
}

static void is_measured_anew(void **state) {
    (void)state;
    ps_choice_measure(NULL);
    assert_true(ps_dispatch_choose(PS_KERNEL_XXH3, "scalar"));
    ps_choice_measure(NULL); /* known: nothing happens */
    assert_string_equal(ps_dispatch_chosen(PS_KERNEL_XXH3), "scalar");
    ps_choice_forget();
    assert_false(ps_choice_known());
    ps_choice_measure(NULL);
    assert_true(ps_choice_known());
}

static void a_level_is_a_level(void **state) {
    ps_error error;
    (void)state;
    ps_choice_measure(NULL);
    setenv("PS_ISA", "scalar", 1);
    assert_int_equal(ps_choice_init(&error), PS_OK);
    assert_string_equal(ps_choice_by(), "PS_ISA");
    assert_string_equal(ps_dispatch_chosen(PS_KERNEL_SHA256), "scalar");
    ps_choice_measure(NULL);
    assert_string_equal(ps_choice_by(), "PS_ISA");
    const atomic_bool stop = false;
    assert_true(ps_calibrate(&stop));
    assert_string_equal(ps_dispatch_chosen(PS_KERNEL_SHA256), "scalar");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
    const struct CMUnitTest tests[] = {
        TEST(finds_the_faster_one),
        TEST(stops_without_a_trace),
        TEST(text_goes_there_and_back),
        TEST(is_kept),
        TEST(another_build_has_another_file),
        TEST(a_job_that_ends_first_keeps_nothing),
        TEST(is_measured_anew),
        TEST(a_level_is_a_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
