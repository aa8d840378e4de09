/* SPDX-License-Identifier: Apache-2.0
 * Seeded worlds around the real lane: a source that hesitates and loses partitions, a device that
 * finishes late, a sink that has no room, commits in groups and aborts. If this fails, rows are
 * lost, doubled or reordered under exactly those faults. One world again: PS_SEED=17
 * build/dev/test_lane.
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
#include "host/device/backend.h"
#include "host/flow/lane.h"

enum { PARTITIONS = 4, TOTAL = 400, WORLDS = 3000, ROWS_MAX = 16, STEPS_MAX = 200000 };

/* What outlives a lane, as Kafka does. */
static struct world {
    uint64_t random;
    uint32_t source_again, device_again, sink_again, commit_again, abort_permille, move_permille;
    int64_t committed[PARTITIONS]; /* everything below is out, exactly once */
    uint32_t aborts, moves;
} world;

static uint32_t below(uint32_t n) {
    world.random = world.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((world.random >> 33) % n);
}
static bool chance(uint32_t percent) {
    return below(100) < percent;
}

/* ---- the source: owns some partitions, may be told to give one up and gets it back later */
typedef struct fake_source {
    bool owned[PARTITIONS], started[PARTITIONS];
    int64_t next[PARTITIONS];
    ps_event_kind pending;
    uint32_t list[PARTITIONS], count;
    bool draining;
} fake_source;

static ps_status source_open(const void *config, const ps_lane_env *env, void **self,
                             ps_error *error) {
    (void)config;
    (void)env;
    (void)error;
    fake_source *source = calloc(1, sizeof *source);
    source->pending = PS_EVENT_ASSIGNED;
    for (uint32_t p = 0; p < PARTITIONS; p++) source->list[source->count++] = p;
    *self = source;
    return PS_OK;
}

static ps_status source_event(void *self, ps_event *out, ps_error *error) {
    (void)error;
    fake_source *source = self;
    if (source->pending == PS_EVENT_NONE && below(1000) < world.move_permille) {
        const uint32_t p = below(PARTITIONS);
        source->pending = !source->owned[p] ? PS_EVENT_ASSIGNED
                          : chance(70)      ? PS_EVENT_REVOKED
                                            : PS_EVENT_LOST;
        source->list[0] = p;
        source->count = 1;
    }
    *out = (ps_event){source->pending, source->count, source->list};
    return PS_OK;
}

static ps_status source_answer(void *self, ps_error *error) {
    (void)error;
    fake_source *source = self;
    for (uint32_t i = 0; i < source->count; i++) {
        source->owned[source->list[i]] = source->pending == PS_EVENT_ASSIGNED;
        if (source->pending != PS_EVENT_ASSIGNED) source->started[source->list[i]] = false;
    }
    source->pending = PS_EVENT_NONE;
    source->count = 0;
    world.moves++;
    return PS_OK;
}

static ps_status source_committed(void *self, uint32_t partition, int64_t *next, ps_error *error) {
    (void)self;
    (void)error;
    if (chance(50)) return PS_AGAIN;
    *next = world.committed[partition];
    return PS_OK;
}

static ps_status source_start(void *self, uint32_t partition, int64_t next, ps_error *error) {
    (void)error;
    fake_source *source = self;
    assert_int_equal(next, world.committed[partition]);
    source->next[partition] = next;
    source->started[partition] = true;
    return PS_OK;
}

static bool all_out(void) {
    for (uint32_t p = 0; p < PARTITIONS; p++)
        if (world.committed[p] < TOTAL) return false;
    return true;
}

static ps_status source_fill(void *self, ps_batch *batch, int64_t *again_ns, ps_error *error) {
    (void)error;
    (void)again_ns;
    fake_source *source = self;
    if (source->draining || all_out()) return PS_END;
    while (!chance(world.source_again)) {
        const uint32_t p = below(PARTITIONS);
        if (!source->owned[p] || !source->started[p] || source->next[p] >= TOTAL) {
            if (chance(30)) return PS_AGAIN;
            continue;
        }
        const int64_t offset = source->next[p];
        const ps_record record = {.partition = p,
                                  .offset = offset,
                                  .key = {(const uint8_t *)"k", 1},
                                  .value = {(const uint8_t *)&offset, sizeof offset},
                                  .headers = {NULL, PS_NULL_LENGTH}};
        if (ps_batch_append(batch, &record) == PS_AGAIN) return PS_OK;
        ps_batch_position(batch, p, offset + 1);
        source->next[p]++;
    }
    return batch->rows > 0 && chance(50) ? PS_OK : PS_AGAIN;
}

static void source_drain(void *self) {
    ((fake_source *)self)->draining = true;
}
static void part_close(void *self) {
    free(self);
}

static const ps_source fake = {.open = source_open,
                               .event = source_event,
                               .answer = source_answer,
                               .committed = source_committed,
                               .start = source_start,
                               .fill = source_fill,
                               .drain = source_drain,
                               .close = part_close};

/* ---- the sink: keeps what was emitted since the last commit; an abort forgets it */
typedef struct fake_sink {
    const ps_lane_env *env;
    uint64_t emitted, flushed, open_since;
    int64_t open[PARTITIONS];
    bool flush;
} fake_sink;

static ps_status sink_open(const void *config, const ps_lane_env *env, void **self,
                           ps_error *error) {
    (void)config;
    (void)error;
    fake_sink *sink = calloc(1, sizeof *sink);
    sink->env = env;
    memcpy(sink->open, world.committed, sizeof sink->open);
    *self = sink;
    return PS_OK;
}

static ps_status sink_restore(void *self, uint32_t partition, ps_state_apply *apply, void *context,
                              int64_t *next, ps_error *error) {
    (void)apply;
    (void)context;
    (void)error;
    fake_sink *sink = self;
    if (chance(50)) return PS_AGAIN;
    sink->open[partition] = *next = world.committed[partition];
    return PS_OK;
}

static ps_status maybe_abort(fake_sink *sink) {
    if (below(1000) >= world.abort_permille) return PS_OK;
    world.aborts++;
    sink->flush = false;
    memcpy(sink->open, world.committed, sizeof sink->open);
    return PS_ABORTED;
}

static ps_status sink_emit(void *self, const ps_batch *batch, uint64_t ticket, ps_error *error) {
    (void)error;
    fake_sink *sink = self;
    if (chance(world.sink_again)) return PS_AGAIN;
    const ps_status status = maybe_abort(sink);
    if (status != PS_OK) return status;
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    for (uint32_t r = 0; r < batch->run_count; r++) {
        const ps_run *run = &batch->runs[r];
        for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
            assert_int_equal(offset[row],
                             sink->open[run->partition]); /* in order, no gap, none twice */
            int64_t value;
            memcpy(&value, ps_batch_text(batch, &batch->schema->column[PS_COLUMN_VALUE], row).data,
                   sizeof value);
            assert_int_equal(value, offset[row]); /* the slot was not overwritten */
            sink->open[run->partition]++;
        }
    }
    for (uint32_t i = 0; i < batch->position_count; i++)
        assert_int_equal(batch->positions[i].next, sink->open[batch->positions[i].partition]);
    ps_count(&sink->env->metrics->sink_rows, batch->rows);
    sink->emitted = ticket;
    return PS_OK;
}

static ps_status sink_flush(void *self, ps_error *error) {
    (void)error;
    ((fake_sink *)self)->flush = true;
    return PS_OK;
}

static ps_status sink_flushed(void *self, uint64_t *ticket, int64_t *again_ns, ps_error *error) {
    (void)again_ns;
    (void)error;
    fake_sink *sink = self;
    const ps_status status = maybe_abort(sink);
    if (status != PS_OK) return status;
    if (sink->emitted > sink->flushed && (sink->flush || chance(20)) &&
        !chance(world.commit_again)) {
        memcpy(world.committed, sink->open, sizeof sink->open);
        sink->flushed = sink->emitted;
        sink->flush = false;
    }
    if (sink->flushed > *ticket) *ticket = sink->flushed;
    return PS_OK;
}

static const ps_sink fake_out = {.commits = true,
                                 .open = sink_open,
                                 .restore = sink_restore,
                                 .emit = sink_emit,
                                 .flush = sink_flush,
                                 .flushed = sink_flushed,
                                 .close = part_close};

/* ---- a device whose tickets finish late, in order */
static ps_backend late;
static uint64_t marked, finished;
static ps_status late_mark(ps_queue *queue, uint64_t ticket) {
    (void)queue;
    marked = ticket;
    return PS_OK;
}
static ps_status late_done(ps_queue *queue, uint64_t *ticket) {
    (void)queue;
    if (finished < *ticket) finished = *ticket;
    if (!chance(world.device_again) && finished < marked)
        finished += 1 + below((uint32_t)(marked - finished));
    *ticket = finished;
    return PS_OK;
}

static void one_incarnation(const ps_plan *plan, const ps_partitions *partitions) {
    ps_wake wake;
    ps_error error = {""};
    static ps_lane_metrics metrics;
    memset(&metrics, 0, sizeof metrics);
    assert_int_equal(ps_wake_init(&wake, &error), PS_OK);
    marked = finished = 0;
    const ps_lane_config config = {.env = {.pipeline = "sim",
                                           .instance = "i",
                                           .lanes = 1,
                                           .plan = plan,
                                           .partitions = partitions,
                                           .wake = &wake,
                                           .metrics = &metrics},
                                   .backend = &late,
                                   .source = &fake,
                                   .sink = &fake_out,
                                   .depth = 1 + below(PS_DEPTH_MAX),
                                   .os_node = -1,
                                   .exactly_once = true};
    ps_lane *lane = NULL;
    assert_int_equal(ps_lane_open(&config, &lane, &error), PS_OK);
    const uint32_t life = chance(30) ? below(400) : STEPS_MAX; /* some lanes are killed */
    ps_status status = PS_OK;
    uint32_t step = 0;
    for (; step < life && status == PS_OK; step++) {
        bool moved;
        int64_t again_ns;
        status = ps_lane_step(lane, &moved, &again_ns, &error);
        if (status != PS_OK && status != PS_END) fail_msg("%s", error.message);
        if (chance(1) && chance(5)) ps_lane_drain(lane);
    }
    assert_int_not_equal(step, STEPS_MAX); /* it must get on */
    ps_lane_close(lane);
    ps_wake_deinit(&wake);
}

static void test_worlds(void **state) {
    (void)state;
    ps_error error;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = calloc(1, sizeof *partitions);
    partitions->topic_count = 1;
    partitions->count = partitions->topic[0].count = PARTITIONS;
    (void)snprintf(partitions->topic[0].name, sizeof partitions->topic[0].name, "in");
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 4096, 100, NULL, &error), PS_OK);
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    late = ps_backend_cpu;
    late.mark = late_mark;
    late.done = late_done;
    const char *chosen = getenv("PS_SEED");
    const uint64_t first = chosen != NULL ? strtoull(chosen, NULL, 10) : 1;
    const uint64_t last = chosen != NULL ? first : WORLDS;
    uint64_t aborts = 0, moves = 0, lanes = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        memset(&world, 0, sizeof world);
        world.random = seed * UINT64_C(0x9e3779b97f4a7c15);
        world.source_again = below(80);
        world.device_again = below(90);
        world.sink_again = below(90);
        world.commit_again = below(90);
        world.abort_permille = below(12);
        world.move_permille = below(20);
        while (!all_out()) {
            one_incarnation(plan, partitions);
            lanes++;
        }
        aborts += world.aborts;
        moves += world.moves;
    }
    print_message("%llu worlds: %llu lanes, %llu aborts, %llu rebalances survived\n",
                  (unsigned long long)(last - first + 1), (unsigned long long)lanes,
                  (unsigned long long)aborts, (unsigned long long)moves);
    if (chosen == NULL) assert_true(aborts > WORLDS && moves > WORLDS); /* the faults did happen */
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds),
                                       cmocka_unit_test(test_state_and_offsets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
