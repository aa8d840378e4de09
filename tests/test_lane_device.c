/* SPDX-License-Identifier: Apache-2.0
 * The seeded worlds of tests/lane_world.inc with a device that has memory of its own, puts off what
 * it is told and dies now and then, and state per series. If this fails, a lane copies too little
 * or too early, restores the wrong thing, or loses rows with its device. One world again:
 * build/dev/test_lane_device --seed 17.
 */
#include "tests/lane_world.inc"

#include "ml/stage_detect.h"
#include "tests/far_device.h"

enum { FAR_WORLDS = FEWER_UNDER_SANITIZERS(600) };

static void far_worlds(uint32_t usual, uint32_t series_max) {
    static const char *const names[] = {"ewma"};
    const ps_field fields[] = {{.name = "x", .type = PS_FIELD_FLOAT}};
    const ps_field_list list = {.count = 1, .at = (ps_field *)(uintptr_t)fields};
    const ps_detect_config detect = {
        .field = "x", .detectors = {names, 1}, .vote = 1, .span = SPAN, .warmup = 2};
    ps_error error;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = one_topic();
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, series_max, &list, &error), PS_OK);
    assert_int_equal(ps_stage_detect.plan(&detect, plan, &error), PS_OK);
    plan_filter(plan);
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    uint64_t first, last, moves = 0, aborts = 0;
    seeds(usual, &first, &last);
    far = (far_world){.below = below};
    decodes_with = &fates_codec;
    for (uint64_t seed = first; seed <= last; seed++) {
        new_world(seed);
        far.idle_percent = world.device_again;
        far.lost_permille = below(3) == 0 ? below(8) : 0;
        bool lost = false;
        while (!all_out())
            lost = one_incarnation(plan, partitions, lost && chance(50) ? &late : &far_device,
                                   lost) == PS_DEVICE;
        moves += world.moves;
        aborts += world.aborts;
    }
    print_message("%llu far worlds: %llu devices lost, %llu aborts, %llu rebalances survived\n",
                  (unsigned long long)(last - first + 1), (unsigned long long)far.lost,
                  (unsigned long long)aborts, (unsigned long long)moves);
    const uint64_t worlds = last - first + 1;
    if (worlds >= 100) assert_true(far.lost > worlds && moves > worlds);
    playing = 0;
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
}

static void test_far_worlds(void **state) {
    (void)state;
    far_worlds(FAR_WORLDS, 100);
}

/* Of seven series in a partition three have a place: ids change hands all the time. */
static void test_far_evictions(void **state) {
    (void)state;
    far_worlds(FAR_WORLDS, 3 * PARTITIONS);
}

/* Lanes go from the device to the processor and back between batches: nobody may notice. */
static void test_wandering(void **state) {
    (void)state;
    wanders_to = &late;
    far_worlds(FAR_WORLDS / 4, 3 * PARTITIONS);
    print_message("%llu moves\n", (unsigned long long)wandered);
    assert_true(wandered > 0);
    wanders_to = NULL;
}

int main(int argc, char **argv) {
    world_init(argc, argv);
    far_quiet();
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_far_worlds, tell_world),
                                       cmocka_unit_test_teardown(test_far_evictions, tell_world),
                                       cmocka_unit_test_teardown(test_wandering, tell_world)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
