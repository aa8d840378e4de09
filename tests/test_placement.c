/* SPDX-License-Identifier: Apache-2.0
 * Breaks if: a kernel goes unmeasured and so counts as free; measuring a device takes longer the
 * slower it is; what was measured or learned is lost; a lane stays where its batches take longer
 * than elsewhere, follows a single outlier, or cannot make up its mind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/flow/placement.h"
#include "host/stages/stages.h"
#include "ml/stage_detect.h"
#include "simd/dispatch.h"

enum { ROWS = 4096, TEXT = ROWS * 256, SLOW_MS = 8 };

static char folder[] = "/tmp/penstock-placement.XXXXXX";
static uint32_t launches;

static int fresh(void **state) {
    ps_error error;
    (void)state;
    launches = 0;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL) return -1;
    setenv("XDG_CACHE_HOME", folder, 1);
    return ps_dispatch_init(&error) == PS_OK ? 0 : -1;
}

static int clean(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static ps_status count_launch(ps_queue *queue, ps_call *call, const void *params, uint32_t begin,
                              uint32_t end) {
    launches++;
    return ps_backend_cpu.launch(queue, call, params, begin, end);
}
static ps_status slow_launch(ps_queue *queue, ps_call *call, const void *params, uint32_t begin,
                             uint32_t end) {
    const int64_t until = ps_clock_read(CLOCK_THREAD_CPUTIME_ID) + SLOW_MS * PS_NS_PER_MS;
    while (ps_clock_read(CLOCK_THREAD_CPUTIME_ID) < until) {}
    return count_launch(queue, call, params, begin, end);
}

static void every_kernel_is_measured(void **state) {
    (void)state;
    ps_error error;
    ps_backend counted = ps_backend_cpu;
    ps_costs costs, again;
    counted.launch = count_launch;
    assert_false(ps_costs_load(&counted, 0, &costs));
    assert_int_equal(ps_costs_measure(&counted, 0, NULL, &costs, &error), PS_OK);
    assert_int_equal(costs.launches, launches);
    assert_true(launches <= PS_CALIBRATION_LAUNCHES_MAX);
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++) {
        const ps_cost *cost = &costs.kernel[id];
        /* Only a machine ten times slower than any would run out of time. */
        if (cost->known == 0 && costs.took_ns < PS_CALIBRATION_NS_MAX)
            fail_msg("%s has no sample", ps_kernels[id].name);
        if (cost->known != 0) assert_true(ps_cost_of(cost, ROWS, TEXT) > 0);
    }
    assert_true(costs.kernel[PS_KERNEL_SHA256].row_ns + costs.kernel[PS_KERNEL_SHA256].byte_ns > 0);
    costs.kernel[PS_KERNEL_SHA256].factor = 1.75;
    ps_costs_keep(&costs);
    assert_true(ps_costs_load(&counted, 0, &again));
    assert_memory_equal(&costs, &again, sizeof costs);
}

/* Work and not time is bounded: the slower a launch, the fewer there are. */
static void a_slow_device_is_given_up(void **state) {
    (void)state;
    ps_error error;
    ps_backend slow = ps_backend_cpu;
    ps_costs costs;
    slow.launch = slow_launch;
    assert_int_equal(ps_costs_measure(&slow, 0, NULL, &costs, &error), PS_OK);
    const uint32_t last_kernel = 3 * 2;
    assert_true(launches > 10);
    assert_true(launches <= PS_CALIBRATION_NS_MAX / (SLOW_MS * PS_NS_PER_MS) + last_kernel);
    assert_int_equal(costs.kernel[PS_KERNEL_ENTROPY].known, 0);
}

static void stops_when_the_job_ends(void **state) {
    (void)state;
    ps_error error;
    ps_costs costs;
    const atomic_bool stop = true;
    assert_int_equal(ps_costs_measure(&ps_backend_cpu, 0, &stop, &costs, &error), PS_AGAIN);
    assert_false(ps_costs_load(&ps_backend_cpu, 0, &costs));
}

static void breaks_even_where_it_must(void **state) {
    (void)state;
    ps_costs here = {0}, there = {0};
    here.kernel[PS_KERNEL_EWMA] = (ps_cost){.row_ns = 10, .factor = 1, .known = 1};
    there.kernel[PS_KERNEL_EWMA] =
        (ps_cost){.fixed_ns = 5000, .row_ns = 1, .factor = 1, .known = 1};
    there.copy_ns = 1000;
    there.up_byte_ns = 0.25; /* 16 bytes up, 4 down: 5 ns of the 9 that a row gains */
    there.down_byte_ns = 0.25;
    assert_int_equal(ps_break_even(&here, &there, PS_KERNEL_EWMA, 256), 7000 / 4 + 1);
    there.kernel[PS_KERNEL_EWMA].factor = 6; /* 36 ns a row and launch, as batches say */
    assert_int_equal(ps_break_even(&here, &there, PS_KERNEL_EWMA, 256), 0);
    assert_int_equal(ps_break_even(&here, &there, PS_KERNEL_VOTE, 256), 0); /* unknown */
}

static void one_batch_proves_little(void **state) {
    (void)state;
    ps_cost cost = {.row_ns = 10, .factor = 1, .known = 1};
    ps_cost_correct(&cost, 1000);
    assert_true(cost.factor <= 1.0 + 1.0 / 16);
    for (int i = 0; i < 200; i++) ps_cost_correct(&cost, 30 / ps_cost_of(&cost, 1, 0));
    assert_true(cost.factor > 2.9 && cost.factor < 3.1);
}

/* A plan, and a placement with figures of the test's own. */
typedef struct world {
    ps_plan plan;
    ps_placement placement;
    ps_judge judge;
    ps_backend device;
    const ps_backend *now;
    int64_t now_ns;
    uint32_t moves;
} world;

static world *open_world(double here_row_ns, double there_row_ns) {
    static const char *const detectors[] = {"ewma"};
    static const ps_field fields[] = {{"cpu", "cpu", PS_FIELD_FLOAT, PS_UNIT_MS, false, false}};
    const ps_field_list list = {fields, 1};
    const ps_hash_config hash = {.of = "value"};
    const ps_detect_config detect = {
        .field = "cpu", .detectors = {detectors, 1}, .vote = 1, .span = 50, .warmup = 3};
    ps_error error = {""};
    world *w = calloc(1, sizeof *w);
    assert_int_equal(ps_plan_init(&w->plan, ROWS, 1 << 21, 1000, &list, &error), PS_OK);
    assert_int_equal(ps_stage_hash.plan(&hash, &w->plan, &error), PS_OK);
    assert_int_equal(ps_stage_detect.plan(&detect, &w->plan, &error), PS_OK);
    assert_int_equal(ps_plan_close(&w->plan, &error), PS_OK);
    w->device = ps_backend_cpu;
    w->device.name = "device";
    w->now = &ps_backend_cpu;
    ps_model *model = &w->placement.model;
    model->device = &w->device;
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++) {
        model->here.kernel[id] = (ps_cost){.row_ns = here_row_ns, .factor = 1, .known = 1};
        model->there.kernel[id] = (ps_cost){.row_ns = there_row_ns, .factor = 1, .known = 1};
    }
    model->there.copy_ns = 1;
    ps_judge_init(&w->judge, &w->plan, &w->placement, 1);
    return w;
}

static void close_world(world *w) {
    ps_plan_deinit(&w->plan);
    free(w);
}

/* `count` batches whose calls take so much a row; the lane goes where it is told. */
static void batches(world *w, uint32_t count, double here_row_ns, double there_row_ns) {
    for (uint32_t i = 0; i < count; i++) {
        w->now_ns += 10 * PS_NS_PER_MS;
        if (w->now == &ps_backend_cpu)
            for (uint32_t c = 0; c < w->plan.call_count; c++)
                ps_judge_call(&w->judge, c, ROWS, TEXT, ROWS * here_row_ns);
        else {
            const double ns = ROWS * there_row_ns * w->plan.call_count;
            ps_judge_device(&w->judge, ROWS, TEXT, ns, 1.1 * ns);
        }
        const ps_backend *to = ps_judge_batch(&w->judge, w->now, ROWS, TEXT, w->now_ns);
        if (to == NULL) continue;
        assert_ptr_not_equal(to, w->now);
        w->now = to;
        w->moves++;
        ps_judge_moved(&w->judge, true, w->now_ns);
    }
}

static void nothing_is_judged_before_it_is_known(void **state) {
    (void)state;
    world *w = open_world(10, 1);
    batches(w, 1000, 10, 1);
    assert_int_equal(w->moves, 0);
    atomic_store(&w->placement.known, &w->placement.model); /* measured meanwhile */
    batches(w, PS_JUDGE_BATCHES_MIN + 1, 10, 1);
    assert_int_equal(w->moves, 1);
    assert_ptr_equal(w->now, &w->device);
    close_world(w);
}

/* The model promised a tenth; batches take three times what the processor takes. */
static void a_device_that_disappoints_is_left(void **state) {
    (void)state;
    world *w = open_world(10, 1);
    atomic_store(&w->placement.known, &w->placement.model);
    w->now = &w->device;
    batches(w, 200, 10, 30);
    assert_int_equal(w->moves, 1);
    assert_ptr_equal(w->now, &ps_backend_cpu);
    batches(w, 100000, 10, 30);
    assert_int_equal(w->moves, 1);
    close_world(w);
}

static void a_processor_that_disappoints_is_left(void **state) {
    (void)state;
    world *w = open_world(10, 12);
    atomic_store(&w->placement.known, &w->placement.model);
    batches(w, 10000, 10, 12);
    assert_int_equal(w->moves, 0);
    batches(w, 10000, 40, 12);
    assert_int_equal(w->moves, 1);
    assert_ptr_equal(w->now, &w->device);
    close_world(w);
}

/* Within what tells them apart it stays, wherever it is. */
static void equals_do_not_alternate(void **state) {
    (void)state;
    for (int on_device = 0; on_device < 2; on_device++) {
        world *w = open_world(10, 9);
        atomic_store(&w->placement.known, &w->placement.model);
        if (on_device) w->now = &w->device;
        uint32_t random = 1;
        for (uint32_t i = 0; i < 20000; i++) {
            random = random * 1664525 + 1013904223;
            const double noise = 0.9 + 0.2 * (random >> 16) / 65536.0;
            batches(w, 1, 10 * noise, 9 * noise);
        }
        assert_int_equal(w->moves, 0);
        close_world(w);
    }
}

/* Wherever it is not it seems to be faster: every move doubles the pause before the next. */
static void the_fickle_settle(void **state) {
    (void)state;
    world *w = open_world(10, 10);
    atomic_store(&w->placement.known, &w->placement.model);
    for (uint32_t i = 0; i < 400; i++) {
        ps_model *model = &w->judge.model;
        ps_costs *elsewhere = w->now == &ps_backend_cpu ? &model->there : &model->here;
        for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++) elsewhere->kernel[id].factor = 1;
        batches(w, 100, 40, 40);
    }
    print_message("%u moves in 400 s\n", w->moves);
    assert_true(w->moves >= 2 && w->moves <= 10);
    close_world(w);
}

static void what_does_not_open_is_not_asked_again(void **state) {
    (void)state;
    world *w = open_world(10, 1);
    atomic_store(&w->placement.known, &w->placement.model);
    for (uint32_t i = 0; i <= PS_JUDGE_BATCHES_MIN; i++)
        if (ps_judge_batch(&w->judge, w->now, ROWS, TEXT, w->now_ns) != NULL)
            ps_judge_moved(&w->judge, false, w->now_ns);
    batches(w, 10000, 10, 1);
    assert_int_equal(w->moves, 0);
    close_world(w);
}

/* Many lanes share a device, and small batches are not worth a trip. */
static void lanes_and_rows_count(void **state) {
    (void)state;
    world *w = open_world(10, 1);
    ps_model *model = &w->placement.model;
    model->there.copy_ns = 5000;
    ps_traffic *traffic = &w->judge.traffic;
    assert_true(ps_placement_batch_ns(&w->plan, traffic, &model->there, ROWS, TEXT) <
                ps_placement_batch_ns(&w->plan, traffic, &model->here, ROWS, TEXT));
    assert_true(ps_placement_batch_ns(&w->plan, traffic, &model->there, 10, 2560) >
                ps_placement_batch_ns(&w->plan, traffic, &model->here, 10, 2560));
    model->there.kernel[PS_KERNEL_EWMA].known = 0; /* it cannot do that one */
    assert_true(ps_placement_batch_ns(&w->plan, traffic, &model->there, ROWS, TEXT) >= 1e18);
    model->there.kernel[PS_KERNEL_EWMA].known = 1;
    atomic_store(&w->placement.known, model);
    ps_judge_init(&w->judge, &w->plan, &w->placement, 100);
    batches(w, 1000, 10, 1);
    assert_int_equal(w->moves, 0);
    close_world(w);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
    const struct CMUnitTest tests[] = {
        TEST(every_kernel_is_measured),
        TEST(a_slow_device_is_given_up),
        TEST(stops_when_the_job_ends),
        TEST(breaks_even_where_it_must),
        TEST(one_batch_proves_little),
        TEST(nothing_is_judged_before_it_is_known),
        TEST(a_device_that_disappoints_is_left),
        TEST(a_processor_that_disappoints_is_left),
        TEST(equals_do_not_alternate),
        TEST(the_fickle_settle),
        TEST(what_does_not_open_is_not_asked_again),
        TEST(lanes_and_rows_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
