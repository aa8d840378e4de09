/* SPDX-License-Identifier: Apache-2.0
 * Seeded worlds around the real lane (tests/lane_world.inc). If this fails, rows are lost, doubled,
 * reordered or miscounted under exactly those faults. One world again: build/dev/test_lane
 * --seed 17.
 */
#include "tests/lane_world.inc"

#include "host/base/clock.h"

enum { WORLDS = FEWER_UNDER_SANITIZERS(3000) };

static void test_worlds(void **state) {
    (void)state;
    static const ps_field fields[] = {{.name = "x", .type = PS_FIELD_FLOAT}};
    static const ps_field_list list = {.count = 1, .at = fields};
    ps_error error;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = one_topic();
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, 100, &list, &error), PS_OK);
    plan_filter(plan);
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    uint64_t first, last;
    seeds(WORLDS, &first, &last);
    uint64_t aborts = 0, moves = 0, lanes = 0, faults = 0;
    decodes_with = &fates_codec;
    for (uint64_t seed = first; seed <= last; seed++) {
        new_world(seed);
        while (!all_out()) {
            (void)one_incarnation(plan, partitions, &late, false);
            lanes++;
        }
        aborts += world.aborts;
        moves += world.moves;
        faults += world.faults;
    }
    print_message("%llu worlds: %llu lanes, %llu faults, %llu aborts, %llu rebalances survived\n",
                  (unsigned long long)(last - first + 1), (unsigned long long)lanes,
                  (unsigned long long)faults, (unsigned long long)aborts,
                  (unsigned long long)moves);
    const uint64_t worlds = last - first + 1;
    if (worlds >= 100) assert_true(aborts > worlds && moves > worlds); /* the faults did happen */
    if (worlds >= 100) assert_true(faults > worlds / 3);
    playing = 0;
    decodes_with = NULL;
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
}

/* ---- what a state topic and a group may say of one partition, reading after reading */
#define ABORTED INT64_C(-1) /* a torn record was read */

static struct script {
    int64_t restored[16], committed[16]; /* the last one stays */
    uint32_t readings, questions;
    int64_t started; /* where the lane began to read */
} script;

static int64_t script_at(const int64_t *answers, uint32_t at) {
    uint32_t last = 0;
    while (last < 15 && answers[last + 1] != 0) last++;
    return answers[at < last ? at : last];
}

static ps_status script_event(void *self, ps_event *out, ps_error *error) {
    (void)error;
    fake_source *source = self;
    source->count = source->pending == PS_EVENT_NONE ? 0 : 1;
    *out = (ps_event){source->pending, source->count, source->list};
    return PS_OK;
}

static ps_status script_committed(void *self, uint32_t partition, int64_t *next, ps_error *error) {
    (void)self, (void)partition, (void)error;
    *next = script_at(script.committed, script.questions++);
    return PS_OK;
}

static ps_status script_start(void *self, uint32_t partition, int64_t next, ps_error *error) {
    (void)self, (void)partition, (void)error;
    script.started = next;
    return PS_OK;
}

static ps_status script_restore(void *self, uint32_t partition, ps_state_apply *apply,
                                void *context, int64_t *next, ps_error *error) {
    (void)self, (void)partition, (void)apply, (void)context, (void)error;
    *next = script_at(script.restored, script.readings++);
    return *next == ABORTED ? PS_ABORTED : PS_OK;
}

/* How the lane ends or begins, and how long that takes. */
static ps_status play(bool exactly_once, const struct script *of, int64_t *took_ns,
                      ps_error *error) {
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = calloc(1, sizeof *partitions);
    ps_operand state, image;
    ps_wake wake;
    static ps_lane_metrics metrics;
    ps_source source = fake;
    ps_sink sink = fake_out;
    partitions->topic_count = partitions->count = partitions->topic[0].count = 1;
    (void)snprintf(partitions->topic[0].name, sizeof partitions->topic[0].name, "in");
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, 100, NULL, error), PS_OK);
    assert_int_equal(ps_plan_state(plan, "test", 1, &state, &image, error), PS_OK);
    plan->groups = true;
    assert_int_equal(ps_plan_close(plan, error), PS_OK);
    assert_int_equal(ps_wake_init(&wake, error), PS_OK);
    source.event = script_event;
    source.committed = script_committed;
    source.start = script_start;
    sink.restore = script_restore;
    memset(&world, 0, sizeof world);
    script = *of;
    script.started = -2;
    const ps_lane_config config = {.env = {.pipeline = "sim",
                                           .instance = "i",
                                           .lanes = 1,
                                           .plan = plan,
                                           .partitions = partitions,
                                           .wake = &wake,
                                           .metrics = &metrics},
                                   .backend = &ps_backend_cpu,
                                   .source = &source,
                                   .sink = &sink,
                                   .depth = 2,
                                   .os_node = -1,
                                   .exactly_once = exactly_once};
    ps_lane *lane = NULL;
    const int64_t begin_ns = ps_clock_ns();
    ps_status status = ps_lane_open(&config, &lane, error);
    while (status == PS_OK && script.started == -2 && ps_clock_ns() - begin_ns < 40 * PS_NS_PER_S) {
        bool moved;
        int64_t again_ns;
        status = ps_lane_step(lane, &moved, &again_ns, error);
    }
    *took_ns = ps_clock_ns() - begin_ns;
    ps_lane_close(lane);
    ps_wake_deinit(&wake);
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
    return status;
}

/* If this fails, a worker begins with state that does not belong to where it reads, or waits for
 * state that cannot come. */
static void test_state_and_offsets(void **unused) {
    (void)unused;
    static const struct {
        const char *says; /* NULL: the lane begins at `started` */
        bool exactly_once;
        int64_t started;
        uint32_t readings;
        int64_t restored[8], committed[8];
    } cases[] = {
        {NULL, true, 10, 1, {10}, {10}},
        {NULL, true, 10, 2, {ABORTED, 10}, {10}},
        {NULL, true, PS_OFFSET_NONE, 1, {PS_OFFSET_NONE}, {PS_OFFSET_NONE}},
        /* Another worker was just finishing: once, and several times over. */
        {NULL, true, 20, 2, {10, 20}, {20}},
        {NULL, true, 30, 3, {10, 20, 30}, {20, 30}},
        /* What was committed before the last reading began is in it, or nowhere. */
        {"holds no state", true, 0, 2, {PS_OFFSET_NONE}, {20}},
        {"stands at 10", true, 0, 2, {10}, {20}},
        {"stands at 15", true, 0, 3, {10, 20, 15}, {20, 30}},
        {"moved by hand", true, 0, 1, {20}, {10}},
        {"has committed none", true, 0, 1, {20}, {PS_OFFSET_NONE}},
        {"holds no state", false, 0, 2, {PS_OFFSET_NONE}, {20}},
        {NULL, false, 20, 1, {20}, {10}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script of = {.readings = 0};
        ps_error error = {""};
        int64_t took_ns;
        memcpy(of.restored, cases[i].restored, sizeof cases[i].restored);
        memcpy(of.committed, cases[i].committed, sizeof cases[i].committed);
        const ps_status status = play(cases[i].exactly_once, &of, &took_ns, &error);
        if (cases[i].says == NULL) {
            if (status != PS_OK) fail_msg("case %zu: %s", i, error.message);
            assert_true(script.started == cases[i].started);
        } else {
            assert_int_equal(status, PS_IO);
            if (strstr(error.message, cases[i].says) == NULL)
                fail_msg("case %zu: %s", i, error.message);
        }
        assert_int_equal(script.readings, cases[i].readings);
        assert_true(took_ns < 5 * PS_NS_PER_S);
    }
}

int main(int argc, char **argv) {
    world_init(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_worlds, tell_world),
                                       cmocka_unit_test(test_state_and_offsets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
