/* SPDX-License-Identifier: Apache-2.0
 * A plan of detectors and statistics over a field `x` that keeps more than a kilobyte per series,
 * for tests of policy replay. Included behind tests/lane_world.inc, which has the bounds.
 */
#ifndef PS_TESTS_HEAVY_PLAN_H
#define PS_TESTS_HEAVY_PLAN_H

#include "ml/stage_detect.h"
#include "ml/stage_statistics.h"

static const char *heavy_warm; /* what its detectors begin with; NULL: nothing */

static inline ps_plan *heavy_plan(uint32_t series_max, bool slim) {
    enum { STATISTICS = 21 };
    static const ps_field fields[] = {{.name = "x", .type = PS_FIELD_FLOAT}};
    const ps_field_list list = {.count = 1, .at = (ps_field *)(uintptr_t)fields};
    static const char *const detectors[] = {"ewma", "slim"}, *const outputs[] = {"mean"};
    const ps_detect_config detect = {.field = "x",
                                     .detectors = {detectors, slim ? 2 : 1},
                                     .vote = 1,
                                     .threshold = slim ? 1.0 : 0.0,
                                     .quiet_ns = slim ? INT64_C(3600000000000) : 0,
                                     .quiet_rows_max = 5,
                                     .span = SPAN,
                                     .warmup = 2,
                                     .warm_state = heavy_warm};
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_error error = {""};
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, series_max, &list, &error), PS_OK);
    if (ps_stage_detect.plan(&detect, plan, &error) != PS_OK) fail_msg("%s", error.message);
    for (uint32_t i = 0; i < STATISTICS; i++) {
        char as[16];
        (void)snprintf(as, sizeof as, "s%u", i);
        const ps_statistics_config statistics = {.field = "x", .outputs = {outputs, 1}, .as = as};
        if (ps_stage_statistics.plan(&statistics, plan, &error) != PS_OK)
            fail_msg("%s", error.message);
    }
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    assert_true(plan->replays); /* by itself: a kilobyte and more a series */
    return plan;
}

#endif
