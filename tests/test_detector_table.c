/* SPDX-License-Identifier: Apache-2.0
 * The table of detectors: if this fails, a detector is not found under the name that the manual
 * gives it, or `ps-why` names another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/text.h"
#include "kernels/slim.h"
#include "ml/detector.h"
#include "tests/plans.h"

/* The table is the one place that names detectors: an option's choices come from it. */
static void detectors_have_names(void **unused) {
    (void)unused;
    const ps_option *option = ps_option_find(ps_stage_detect.about.options, "detectors");
    assert_string_equal(option->choices, ps_detector_names + 1);
    uint32_t index;
    for (const ps_detector *detector = ps_detectors; detector->name != NULL; detector++) {
        assert_ptr_equal(ps_detector_find(detector->name), detector);
        assert_true(ps_words_find(option->choices, detector->name, &index));
        assert_int_equal(ps_kernels[detector->kernel].buffers, detector->timed ? 12 : 9);
        const char *const reason = ps_detector_reasons[detector->reason];
        assert_memory_equal(reason, detector->name, strlen(detector->name));
        assert_int_equal(reason[strlen(detector->name)], detector->timed ? ':' : 0);
    }
    const uint32_t slim = ps_detector_find("slim")->reason;
    assert_string_equal(ps_detector_reasons[slim + PS_SLIM_WEEKLY], "slim:weekly");
    assert_null(ps_detector_find("none"));
}

/* If this fails, a restored state is put where its kernel does not look for it. */
static void states_lie_as_kernels_read_them(void **unused) {
    (void)unused;
    static const char *const together[] = {"discord", "half_space_trees", "prototype",
                                           "spectral_residual", "slim"};
    static const ps_field field = {.name = "cpu", .path = "cpu", .type = PS_FIELD_FLOAT};
    uint32_t found = 0;
    for (const ps_detector *d = ps_detectors; d->name != NULL; d++) {
        ps_plan *plan = test_plan_open(64, 32, &field, 1);
        ps_detect_config config = {0};
        ps_options_preset(ps_stage_detect.about.options, &config);
        config.field = "cpu";
        config.detectors = (ps_string_list){&d->name, 1};
        assert_int_equal(ps_stage_detect.plan(&config, plan, NULL), PS_OK);
        const bool listed = found < 5 && strcmp(d->name, together[found]) == 0;
        assert_int_equal(plan->state[0].together, listed);
        found += listed;
        test_plan_close(plan);
    }
    assert_int_equal(found, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(detectors_have_names),
                                       cmocka_unit_test(states_lie_as_kernels_read_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
