/* SPDX-License-Identifier: Apache-2.0
 * The seeded worlds of tests/lane_world.inc with a device that has memory of its own, puts off what
 * it is told and dies now and then, and state per series. If this fails, a lane copies too little
 * or too early, restores the wrong thing, or loses rows with its device. One world again:
 * build/dev/test_lane_device --seed 17.
 */
#include "tests/lane_world.inc"

#include "host/base/siphash.h"
#include "ml/stage_detect.h"
#include "tests/far_device.h"
#include "tests/warm_file.h"

enum { FAR_WORLDS = FEWER_UNDER_SANITIZERS(600) };

static const char *warm_state; /* of the detectors; NULL: none */

static void far_worlds(uint32_t usual, uint32_t series_max) {
    static const char *const names[] = {"ewma"};
    const ps_field fields[] = {{.name = "x", .type = PS_FIELD_FLOAT}};
    const ps_field_list list = {.count = 1, .at = (ps_field *)(uintptr_t)fields};
    const ps_detect_config detect = {.field = "x",
                                     .detectors = {names, 1},
                                     .vote = 1,
                                     .span = SPAN,
                                     .warmup = 2,
                                     .warm_state = warm_state};
    ps_error error;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = one_topic();
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, series_max, &list, &error), PS_OK);
    assert_int_equal(ps_stage_detect.plan(&detect, plan, &error), PS_OK);
    plan_filter(plan);
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    assert_int_equal(ps_warm_open(plan, &world_warm, &error), PS_OK);
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
    ps_warm_close(world_warm);
    world_warm = NULL;
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

/* Two of three series are in the file. */
static void planes_of_key(const uint64_t *key, double *planes) {
    static const uint64_t sip_key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    for (uint32_t k = 0; k < KEYS; k++) {
        uint64_t own[2];
        ps_siphash128(keys[k], 1, sip_key, own);
        if (k % 3 == 2 || own[0] != key[0] || own[1] != key[1]) continue;
        planes[0] = 10.0 * k;
        planes[1] = 4.0;
        planes[2] = 7.0 + k;
    }
}

/* If this fails, planes that a series begins with come late or to another one, or an abort or a
 * rebalance takes them for what was restored. */
static void far_warm(uint32_t series_max, const ps_backend *other) {
    static const char *const names[] = {"ewma"};
    static const ps_field field = {.name = "x", .type = PS_FIELD_FLOAT};
    const ps_field_list list = {.count = 1, .at = &field};
    const ps_detect_config detect = {
        .field = "x", .detectors = {names, 1}, .vote = 1, .span = SPAN, .warmup = 2};
    ps_plan *plan = calloc(1, sizeof *plan);
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, series_max, &list, NULL), PS_OK);
    assert_int_equal(ps_stage_detect.plan(&detect, plan, NULL), PS_OK);
    ps_warm_writer *writer = warm_file_open(plan);
    for (uint32_t k = 0; k < KEYS; k++) {
        static const uint64_t sip_key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
        uint64_t key[2];
        double planes[PS_EWMA_PLANES] = {0};
        ps_siphash128(keys[k], 1, sip_key, key);
        planes_of_key(key, planes);
        if (k % 3 != 2) warm_file_add(writer, (ps_bytes){keys[k], 1}, planes);
    }
    warm_state = warm_file_close(writer);
    warm_planes = planes_of_key;
    wanders_to = other;
    far_worlds(FAR_WORLDS / 3, series_max);
    wanders_to = NULL;
    warm_planes = NULL;
    warm_state = NULL;
    warm_file_remove();
    ps_plan_deinit(plan);
    free(plan);
}

static void test_warm(void **state) {
    (void)state;
    far_warm(100, NULL);
}

static void test_warm_evictions(void **state) {
    (void)state;
    far_warm(3 * PARTITIONS, &late);
}

int main(int argc, char **argv) {
    world_init(argc, argv);
    far_quiet();
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_far_worlds, tell_world),
                                       cmocka_unit_test_teardown(test_far_evictions, tell_world),
                                       cmocka_unit_test_teardown(test_warm, tell_world),
                                       cmocka_unit_test_teardown(test_warm_evictions, tell_world),
                                       cmocka_unit_test_teardown(test_wandering, tell_world)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
