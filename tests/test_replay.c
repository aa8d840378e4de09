/* SPDX-License-Identifier: Apache-2.0
 * Heavy state in seeded worlds (tests/lane_world.inc): lanes are killed, lose partitions and abort,
 * state records are deleted as a state topic's are, and what a lane computes after reading rows
 * again must be, to the bit, what a run without any interruption computed. If this fails, a
 * pipeline with policy replay goes on with other state than it had. One world again: test_replay
 * --seed 17.
 */
#include "tests/lane_world.inc"

#include "host/state/record.h"
#include "tests/heavy_plan.h"
#include "tests/plans.h"
#include "tests/warm_file.h"

enum { USUAL = 300, SHORT = 40 };
enum { LOG_MAX = 4 * TOTAL, CHUNK_BYTES = 8192 };

/* A partition's state records: the committed ones, then those of the open transaction. */
static struct kept_log {
    struct {
        uint8_t *bytes;
        size_t count;
        int64_t round;
    } record[LOG_MAX];
    uint32_t first, committed, end; /* [first, committed) can be read */
    int64_t round;
    uint32_t point[3]; /* where the last rounds began, newest first */
} kept_log[PARTITIONS];

static double *reference; /* [PARTITIONS][TOTAL][planes]: of a row's series after that row */
static uint32_t planes_of_all;
static uint64_t full_entries, light_entries, read_again;
static uint64_t of_life, of_life_max; /* rows that a lane reads again, and may; 0: any */

static const double *reference_of(uint32_t partition, int64_t offset) {
    return reference + ((size_t)partition * TOTAL + (size_t)offset) * planes_of_all;
}

/* Some keys come often, some are evicted in between. */
static const uint8_t *key_of(uint32_t partition, int64_t offset) {
    const uint64_t mixed =
        ((uint64_t)offset * 31 + partition + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 40;
    return keys[mixed % 3 == 0 ? mixed / 3 % KEYS : mixed / 3 % 3];
}

static ps_status append(ps_batch *batch, uint32_t partition, const int64_t *offset) {
    const ps_record record = {.partition = partition,
                              .offset = *offset,
                              .key = {key_of(partition, *offset), 1},
                              .value = {(const uint8_t *)offset, sizeof *offset},
                              .headers = {NULL, PS_NULL_LENGTH}};
    const ps_status status = ps_batch_append(batch, &record);
    if (status != PS_AGAIN) put_value(batch, batch->rows - 1, *offset);
    return status;
}

static ps_status replay_start(void *self, uint32_t partition, int64_t next, ps_error *error) {
    (void)error;
    fake_source *source = self;
    assert_in_range(next, 0, world.committed[partition]);
    read_again += (uint64_t)(world.committed[partition] - next);
    of_life += (uint64_t)(world.committed[partition] - next);
    if (of_life_max > 0) assert_in_range(of_life, 0, of_life_max);
    source->next[partition] = next;
    source->started[partition] = true;
    return PS_OK;
}

static ps_status replay_fill(void *self, ps_batch *batch, int64_t *again_ns, ps_error *error) {
    (void)error, (void)again_ns;
    fake_source *source = self;
    if (source->draining || all_out()) return PS_END;
    while (!chance(world.source_again)) {
        const uint32_t p = below(PARTITIONS);
        if (!source->owned[p] || !source->started[p] || source->next[p] >= TOTAL) {
            if (chance(30)) return PS_AGAIN;
            continue;
        }
        if (append(batch, p, &source->next[p]) == PS_AGAIN) return PS_OK;
        ps_batch_position(batch, p, ++source->next[p]);
    }
    return batch->rows > 0 && chance(50) ? PS_OK : PS_AGAIN;
}

/* ---- the sink: state records as the real writer makes them */
typedef struct replay_sink {
    const ps_lane_env *env;
    ps_state_writer *writer;
    uint64_t emitted, flushed;
    int64_t open[PARTITIONS];
    bool flush;
} replay_sink;

static void roll_back(replay_sink *sink) {
    memcpy(sink->open, world.committed, sizeof sink->open);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        while (kept_log[p].end > kept_log[p].committed)
            free(kept_log[p].record[--kept_log[p].end].bytes);
}

static ps_status replay_open(const void *config, const ps_lane_env *env, void **self,
                             ps_error *error) {
    (void)config, (void)error;
    replay_sink *sink = calloc(1, sizeof *sink);
    sink->env = env;
    sink->writer = ps_state_writer_open(malloc(ps_state_writer_bytes(env->plan)), env->plan,
                                        env->partitions, CHUNK_BYTES);
    roll_back(sink); /* what the last life left open */
    of_life = 0;
    *self = sink;
    return PS_OK;
}

/* What was read again counts in neither: every record is a key of one byte and a value of eight. */
static void replay_close(void *self) {
    replay_sink *sink = self;
    assert_int_equal(ps_read(&sink->env->metrics->bytes_in),
                     9 * ps_read(&sink->env->metrics->rows_in));
    free(sink->writer);
    free(sink);
}

static ps_status replay_restore(void *self, uint32_t partition, ps_state_apply *apply,
                                void *context, int64_t *next, ps_error *error) {
    replay_sink *sink = self;
    struct kept_log *log = &kept_log[partition];
    if (chance(50)) return PS_AGAIN;
    *next = 0;
    for (uint32_t i = log->first; i < log->committed; i++) {
        ps_state_header header;
        assert_int_equal(ps_state_parse(log->record[i].bytes, log->record[i].count, &header, error),
                         PS_OK);
        header.place = i;
        ps_state_apply_chunk(log->record[i].bytes, &header, partition, apply, context);
        *next = header.watermark;
        full_entries += header.entries;
        light_entries += header.touched;
    }
    assert_int_equal(*next, world.committed[partition]);
    sink->open[partition] = world.committed[partition];
    ps_state_writer_watermark(sink->writer, partition, *next);
    for (uint32_t i = 0; i < 3; i++) log->point[i] = i == 0 ? log->committed : 0;
    log->round = INT64_MIN;
    return PS_OK;
}

/* What the restored table does not need is deleted at once. */
static void replay_restored(void *self, uint32_t partition, uint32_t oldest) {
    (void)self;
    struct kept_log *log = &kept_log[partition];
    if (oldest != UINT32_MAX && oldest > log->first) log->first = oldest;
}

static void replay_forget(void *self, uint32_t partition) {
    ps_state_writer_watermark(((replay_sink *)self)->writer, partition, PS_OFFSET_NONE);
}

static void check_rows(replay_sink *sink, const ps_batch *batch) {
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    uint32_t rows = 0;
    for (uint32_t r = 0; r < batch->run_count; r++) {
        const ps_run *run = &batch->runs[r];
        assert_int_equal(run->first_offset, offset[run->first_row]);
        for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++)
            assert_int_equal(offset[row], sink->open[run->partition]++);
        rows += run->rows;
    }
    for (uint32_t i = 0; i < batch->position_count; i++)
        assert_int_equal(batch->positions[i].next, sink->open[batch->positions[i].partition]);
    ps_count(&sink->env->metrics->sink_rows, rows);
}

/* A share of series that was lowered in mid-world; 0: it was not. */
static uint32_t lowered;
static struct {
    uint32_t partition;
    uint64_t key;
} begun[PARTITIONS * KEYS];
static uint32_t begun_count;

/* Whether the row begins a series, where so many have a place: the newest ones, whatever the share
 * was before (what a smaller table holds, a larger one holds too). */
static bool begins(uint32_t partition, int64_t offset, uint32_t share) {
    const uint8_t *key = key_of(partition, offset);
    const uint8_t *others[KEYS];
    uint32_t count = 0;
    for (int64_t before = offset - 1; before >= 0; before--) {
        const uint8_t *other = key_of(partition, before);
        if (other == key) return count >= share;
        uint32_t i = 0;
        while (i < count && others[i] != other) i++;
        if (i == count) others[count++] = other;
    }
    return true;
}

static bool has_begun(const ps_segment *segment) {
    uint32_t i = 0;
    while (i < begun_count &&
           (begun[i].partition != segment->partition || begun[i].key != segment->key[0]))
        i++;
    return i < begun_count;
}

static void check_begun(const ps_batch *batch) {
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    const uint32_t *local = ps_batch_system(batch, PS_COLUMN_LOCAL);
    for (uint32_t r = 0; r < batch->run_count; r++) {
        const ps_run *run = &batch->runs[r];
        for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
            const ps_segment *segment = &batch->segments[local[row]];
            assert_int_equal(segment->born == offset[row],
                             begins(run->partition, offset[row], lowered));
            if (segment->born != offset[row]) continue;
            if (has_begun(segment)) continue;
            begun[begun_count].partition = run->partition;
            begun[begun_count++].key = segment->key[0];
        }
    }
}

/* Every series that this batch brings forward is what it was in the run without interruption. */
static void check_bits(const ps_plan *plan, const ps_batch *batch) {
    for (uint32_t s = 0; s < batch->segment_count; s++) {
        const ps_segment *segment = &batch->segments[s];
        if (segment->kind == PS_SEGMENT_EVICTED || segment->kind == PS_SEGMENT_REPLAYED) continue;
        if (lowered != 0 && has_begun(segment)) continue; /* the reference has it from before */
        const double *wanted = reference_of(segment->partition, segment->last);
        for (uint32_t i = 0; i < plan->state_count; i++) {
            const uint32_t planes = plan->state[i].planes;
            const double *image =
                ps_batch_values(batch, &plan->schema.column[plan->state[i].image]);
            assert_memory_equal(image + (size_t)s * planes, wanted, planes * sizeof(double));
            wanted += planes;
        }
    }
}

static void write_records(replay_sink *sink, const ps_batch *batch) {
    uint8_t chunk[CHUNK_BYTES];
    size_t bytes;
    uint32_t partition;
    ps_state_writer_begin(sink->writer, batch);
    while (ps_state_writer_next(sink->writer, chunk, &bytes, &partition)) {
        struct kept_log *log = &kept_log[partition];
        assert_in_range(log->end, 0, LOG_MAX - 1);
        log->record[log->end].bytes = memcpy(malloc(bytes), chunk, bytes);
        log->record[log->end].count = bytes;
        log->record[log->end++].round = batch->sweep_round;
    }
}

static ps_status replay_abort(replay_sink *sink) {
    if (below(1000) >= world.abort_permille) return PS_OK;
    world.aborts++;
    sink->flush = false;
    roll_back(sink);
    return PS_ABORTED;
}

static ps_status replay_emit(void *self, const ps_batch *batch, uint64_t ticket, ps_error *error) {
    (void)error;
    replay_sink *sink = self;
    if (chance(world.sink_again)) return PS_AGAIN;
    const ps_status status = replay_abort(sink);
    if (status != PS_OK) return status;
    check_rows(sink, batch);
    if (lowered != 0) check_begun(batch);
    check_bits(sink->env->plan, batch);
    write_records(sink, batch);
    sink->emitted = ticket;
    return PS_OK;
}

/* As kafka_trim.c does: two whole rounds stay. */
static void commit_log(struct kept_log *log) {
    for (; log->committed < log->end; log->committed++) {
        const int64_t round = log->record[log->committed].round;
        const bool turns = log->round != round && log->round != INT64_MIN;
        log->round = round;
        if (!turns) continue;
        log->point[2] = log->point[1];
        log->point[1] = log->point[0];
        log->point[0] = log->committed;
        if (log->point[2] > log->first) log->first = log->point[2];
    }
}

static ps_status replay_flush(void *self, ps_error *error) {
    (void)error;
    ((replay_sink *)self)->flush = true;
    return PS_OK;
}

static ps_status replay_flushed(void *self, uint64_t *ticket, int64_t *again_ns, ps_error *error) {
    (void)again_ns, (void)error;
    replay_sink *sink = self;
    const ps_status status = replay_abort(sink);
    if (status != PS_OK) return status;
    if (sink->emitted > sink->flushed && (sink->flush || chance(20)) &&
        !chance(world.commit_again)) {
        memcpy(world.committed, sink->open, sizeof sink->open);
        for (uint32_t p = 0; p < PARTITIONS; p++) commit_log(&kept_log[p]);
        sink->flushed = sink->emitted;
        sink->flush = false;
    }
    if (sink->flushed > *ticket) *ticket = sink->flushed;
    return PS_OK;
}

/* ---- plans */
static bool slim; /* a detector whose planes are bits and lie together */

/* The run without interruption, row by row. */
static void compute_reference(const ps_plan *plan) {
    const size_t bytes = (ps_series_bytes(plan->series_max, ROWS_MAX) + 63) / 64 * 64;
    void *memory = memset(aligned_alloc(64, bytes), 0, bytes);
    ps_series *series = ps_series_open(memory, plan->series_max, ROWS_MAX, PARTITIONS);
    uint8_t *state = calloc(1, plan->state_bytes);
    ps_batch batch = {0};
    test_batch_memory(&batch, &plan->schema);
    planes_of_all = plan->plane_count;
    reference = calloc((size_t)PARTITIONS * TOTAL * planes_of_all, sizeof *reference);
    double *to = reference;
    for (uint32_t p = 0; p < PARTITIONS; p++)
        for (int64_t offset = 0; offset < TOTAL; offset++) {
            ps_batch_reset(&batch);
            assert_int_equal(append(&batch, p, &offset), PS_OK);
            ps_series_resolve(series, &batch, &plan->schema.column[PS_COLUMN_KEY]);
            warm_file_begin(world_warm, plan, &batch, state);
            test_plan_preset(plan, &batch);
            test_plan_run(plan, &batch, state);
            for (uint32_t i = 0; i < plan->state_count; i++) {
                const uint32_t planes = plan->state[i].planes;
                memcpy(to, ps_batch_values(&batch, &plan->schema.column[plan->state[i].image]),
                       planes * sizeof *to);
                to += planes;
            }
        }
    test_batch_free(&batch);
    free(state);
    free(memory);
}

static void forget_world(void) {
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        while (kept_log[p].end > 0) free(kept_log[p].record[--kept_log[p].end].bytes);
        memset(&kept_log[p], 0, sizeof kept_log[p]);
    }
}

static void end_worlds(ps_plan *plan, ps_partitions *partitions) {
    forget_world();
    free(reference);
    playing = 0;
    ps_warm_close(world_warm);
    world_warm = NULL;
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
}

/* Neither aborts nor partitions that move: lanes are killed, and that is all. */
static void calm_world(uint64_t seed) {
    new_world(seed);
    world.abort_permille = world.move_permille = 0;
    if (world.source_again > 50) world.source_again = 50;
    forget_world();
}

static void worlds_of(uint32_t series_max) {
    ps_plan *plan = heavy_plan(series_max, slim);
    ps_partitions *partitions = one_topic();
    uint64_t first, last, lanes = 0, aborts = 0;
    assert_int_equal(ps_warm_open(plan, &world_warm, NULL), PS_OK);
    compute_reference(plan);
    full_entries = light_entries = read_again = 0;
    seeds(FEWER_UNDER_SANITIZERS(USUAL), &first, &last);
    for (uint64_t seed = first; seed <= last; seed++) {
        new_world(seed);
        world.abort_permille /= 4; /* time enough to read again */
        world.move_permille /= 4;
        if (world.source_again > 50) world.source_again = 50;
        forget_world();
        for (; !all_out(); lanes++) (void)one_incarnation(plan, partitions, &late, false);
        aborts += world.aborts;
    }
    print_message("%llu worlds: %llu lanes, %llu aborts, %llu rows read again\n",
                  (unsigned long long)(last - first + 1), (unsigned long long)lanes,
                  (unsigned long long)aborts, (unsigned long long)read_again);
    if (last - first + 1 >= 100) {
        assert_true(read_again > 100 * (last - first + 1));
        assert_true(full_entries < light_entries || heavy_warm != NULL); /* not with every touch */
    }
    end_worlds(plan, partitions);
}

static void test_all_have_a_place(void **state) {
    (void)state;
    worlds_of(100);
}

/* Of seven series in a partition four have a place: they are evicted and begin anew all the time.
 */
static void test_evictions(void **state) {
    (void)state;
    worlds_of(4 * PARTITIONS);
}

/* If this fails, slim or `quiet` goes on with other state than it had. */
static void test_slim(void **state) {
    (void)state;
    slim = true;
    worlds_of(4 * PARTITIONS);
    slim = false;
}

#include "tests/replay_warm.inc"

/* Lanes that die again and again long before they have swept their table once. If this fails, some
 * series are never told whole, and each restart reads more of the source again than the last one.
 */
static void test_short_lives(void **state) {
    (void)state;
    ps_plan *plan = heavy_plan(KEYS * PARTITIONS, false);
    ps_partitions *partitions = one_topic();
    uint64_t first, last;
    compute_reference(plan);
    of_life_max = ps_policy_replay_rows(plan, 1);
    assert_true(2 * of_life_max < PARTITIONS * TOTAL); /* or the worlds end before it shows */
    seeds(FEWER_UNDER_SANITIZERS(SHORT), &first, &last);
    for (uint64_t seed = first; seed <= last; seed++)
        for (calm_world(seed); !all_out(); (void)one_incarnation(plan, partitions, &late, false))
            rows_of_life = 1 + below(1 + (uint32_t)(seed % 16));
    of_life_max = 0;
    end_worlds(plan, partitions);
}

/* With less room the newest series of each partition go on as they were, or the lane refuses. */
static void test_less_room(void **state) {
    (void)state;
    ps_plan *plan = heavy_plan(100, false), *small = heavy_plan(4 * PARTITIONS, false);
    ps_partitions *partitions = one_topic();
    uint64_t first, last, refused = 0, gone_on = 0;
    compute_reference(plan);
    seeds(FEWER_UNDER_SANITIZERS(USUAL), &first, &last);
    for (uint64_t seed = first; seed <= last; seed++) {
        calm_world(seed);
        lowered = begun_count = 0;
        refusal = NULL;
        (void)one_incarnation(plan, partitions, &late, false);
        lowered = 4;
        refusal = "`penstock reset FILE --state`";
        ps_status status = PS_OK;
        while (!all_out() && status != PS_BAD_CONFIG) {
            status = one_incarnation(small, partitions, &late, false);
            gone_on += status == PS_END;
        }
        refused += status == PS_BAD_CONFIG;
    }
    print_message("%llu refused, %llu went on\n", (unsigned long long)refused,
                  (unsigned long long)gone_on);
    lowered = 0;
    refusal = NULL;
    ps_plan_deinit(small);
    free(small);
    end_worlds(plan, partitions);
}

int main(int argc, char **argv) {
    world_init(argc, argv);
    fake.start = replay_start;
    fake.fill = replay_fill;
    fake_out = (ps_sink){.commits = true,
                         .open = replay_open,
                         .restore = replay_restore,
                         .restored = replay_restored,
                         .forget = replay_forget,
                         .emit = replay_emit,
                         .flush = replay_flush,
                         .flushed = replay_flushed,
                         .close = replay_close};
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_all_have_a_place, tell_world),
                                       cmocka_unit_test_teardown(test_evictions, tell_world),
                                       cmocka_unit_test_teardown(test_slim, tell_world),
                                       cmocka_unit_test_teardown(test_warm, tell_world),
                                       cmocka_unit_test_teardown(test_restored_wins, tell_world),
                                       cmocka_unit_test_teardown(test_short_lives, tell_world),
                                       cmocka_unit_test_teardown(test_less_room, tell_world)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
