/* SPDX-License-Identifier: Apache-2.0
 * If this fails, a worker that was killed goes on with another state than its committed output
 * implies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/siphash.h"
#include "host/batch/series.h"
#include "host/state/sets.h"
#include "tests/batches.h"

enum { ROWS_MAX = 128, SERIES_MAX = 60, PARTITIONS = 2, KEYS = 90, PLANES = 2 };

/* A detector of two planes: how many rows, and the sum of their offsets. */
typedef struct worker {
    ps_series *series;
    double plane[PLANES][SERIES_MAX + ROWS_MAX];
    int64_t watermark[PARTITIONS];
} worker;

static worker *worker_open(void) {
    worker *w = calloc(1, sizeof *w);
    const size_t bytes = (ps_series_bytes(SERIES_MAX, ROWS_MAX) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    memset(memory, 0, bytes);
    w->series = ps_series_open(memory, SERIES_MAX, ROWS_MAX, PARTITIONS);
    return w;
}
static void worker_close(worker *w) {
    free(w->series); /* the table begins its memory */
    free(w);
}

static void compute(worker *w, const ps_plan *plan, ps_batch *batch) {
    ps_series_resolve(w->series, batch, &plan->schema.column[PS_COLUMN_KEY]);
    const uint32_t *local = ps_batch_system(batch, PS_COLUMN_LOCAL),
                   *id = ps_batch_system(batch, PS_COLUMN_SERIES);
    const uint8_t *fresh = ps_batch_system(batch, PS_COLUMN_FRESH);
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    double *image = ps_batch_values(batch, &plan->schema.column[plan->state[0].image]);
    for (uint32_t s = 0; s < batch->segment_count; s++)
        for (int p = 0; p < PLANES; p++)
            image[s * PLANES + (uint32_t)p] = fresh[s] ? 0 : w->plane[p][id[s]];
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (local[row] == PS_NO_SEGMENT) continue;
        image[local[row] * PLANES] += 1;
        image[local[row] * PLANES + 1] += (double)offset[row];
    }
    for (uint32_t s = 0; s < batch->segment_count; s++)
        for (int p = 0; p < PLANES; p++) w->plane[p][id[s]] = image[s * PLANES + (uint32_t)p];
}

static void apply_one(void *context, uint32_t partition, const ps_state_entry *entry) {
    worker *w = context;
    if (entry->planes == NULL) {
        ps_series_forget(w->series, partition, entry->key);
        return;
    }
    const uint32_t id = ps_series_restore(w->series, partition, entry->key, entry->last);
    assert_int_not_equal(id, PS_NOWHERE);
    for (int p = 0; p < PLANES; p++) w->plane[p][id] = entry->planes[p];
}

static void apply(void *context, uint32_t partition, const ps_state_entry *entries,
                  uint32_t count) {
    assert_in_range(count, 1, PS_STATE_TOGETHER);
    for (uint32_t e = 0; e < count; e++) apply_one(context, partition, &entries[e]);
}

static uint32_t below(uint64_t *state, uint32_t n) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % n);
}

static void fill(ps_batch *batch, uint64_t *random, int64_t *next) {
    ps_batch_reset(batch);
    const uint32_t rows = 1 + below(random, ROWS_MAX);
    for (uint32_t row = 0; row < rows; row++) {
        char name[16];
        const uint32_t p = below(random, PARTITIONS);
        (void)snprintf(name, sizeof name, "k%u", below(random, below(random, 3) == 0 ? KEYS : 20));
        const ps_record record = {.partition = p,
                                  .offset = next[p],
                                  .key = {(const uint8_t *)name, (uint32_t)strlen(name)},
                                  .value = {NULL, PS_NULL_LENGTH},
                                  .headers = {NULL, PS_NULL_LENGTH}};
        assert_int_equal(ps_batch_append(batch, &record), PS_OK);
        ps_batch_position(batch, p, ++next[p]);
    }
}

static void make_plan(ps_plan *plan, ps_partitions *partitions) {
    ps_operand state, image;
    ps_error error;
    assert_int_equal(ps_plan_init(plan, ROWS_MAX, 1 << 16, SERIES_MAX, NULL, &error), PS_OK);
    assert_int_equal(ps_plan_state(plan, "test", PLANES, &state, &image, &error), PS_OK);
    plan->groups = true;
    assert_int_equal(ps_plan_close(plan, &error), PS_OK);
    memset(partitions, 0, sizeof *partitions);
    partitions->topic_count = 1;
    partitions->count = partitions->topic[0].count = PARTITIONS;
    (void)snprintf(partitions->topic[0].name, sizeof partitions->topic[0].name, "telemetry");
}

static void consume(worker *restored, const uint8_t *chunk, size_t bytes, uint32_t partition,
                    uint64_t fingerprint) {
    ps_state_header header;
    ps_error error;
    assert_int_equal(ps_state_parse(chunk, bytes, &header, &error), PS_OK);
    assert_int_equal(header.within, partition);
    assert_true(header.fingerprint == fingerprint);
    ps_state_apply_chunk(chunk, &header, partition, apply, restored);
    restored->watermark[partition] = header.watermark;
}

/* Runs on, writing records; a second worker reads them; from any batch on, both must give the same
 * state. */
static void test_restore_equals_the_live_table(void **unused) {
    (void)unused;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = calloc(1, sizeof *partitions);
    make_plan(plan, partitions);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const size_t chunk_bytes = 600 + 200 * seed;
        worker *live = worker_open(), *restored = worker_open();
        ps_state_writer *writer = ps_state_writer_open(malloc(ps_state_writer_bytes(plan)), plan,
                                                       partitions, chunk_bytes);
        ps_batch batch, again;
        test_batch_memory(&batch, &plan->schema);
        test_batch_memory(&again, &plan->schema);
        uint8_t *chunk = malloc(chunk_bytes);
        uint64_t random = seed;
        int64_t next[PARTITIONS] = {0};
        for (int b = 0; b < 150; b++) {
            fill(&batch, &random, next);
            compute(live, plan, &batch);
            ps_state_writer_begin(writer, &batch);
            const size_t total = ps_state_writer_total(writer);
            size_t bytes, sum = 0;
            uint32_t partition;
            while (ps_state_writer_next(writer, chunk, &bytes, &partition)) {
                sum += bytes;
                consume(restored, chunk, bytes, partition, plan->fingerprint);
            }
            assert_true(sum <= total);
            assert_int_equal(ps_series_count(live->series), ps_series_count(restored->series));
        }
        assert_memory_equal(restored->watermark, next, sizeof next);
        /* The proof that nothing was forgotten: the next batches come out the same, evictions
         * included. */
        for (int b = 0; b < 50; b++) {
            uint64_t random_again = random;
            int64_t next_again[PARTITIONS];
            memcpy(next_again, next, sizeof next);
            fill(&batch, &random, next);
            fill(&again, &random_again, next_again);
            compute(live, plan, &batch);
            compute(restored, plan, &again);
            assert_int_equal(batch.touched_count, again.touched_count);
            assert_int_equal(batch.eviction_count, again.eviction_count);
            assert_memory_equal(ps_batch_values(&batch, &plan->schema.column[plan->state[0].image]),
                                ps_batch_values(&again, &plan->schema.column[plan->state[0].image]),
                                batch.touched_count * PLANES * sizeof(double));
        }
        free(chunk);
        free(writer);
        test_batch_free(&batch);
        test_batch_free(&again);
        worker_close(live);
        worker_close(restored);
    }
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
}

/* A record that is cut, or from a newer penstock, is refused with a sentence and never half
 * applied. */
static void test_broken_records(void **unused) {
    (void)unused;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = calloc(1, sizeof *partitions);
    make_plan(plan, partitions);
    worker *live = worker_open();
    ps_state_writer *writer =
        ps_state_writer_open(malloc(ps_state_writer_bytes(plan)), plan, partitions, 4096);
    ps_batch batch;
    test_batch_memory(&batch, &plan->schema);
    uint64_t random = 1;
    int64_t next[PARTITIONS] = {0};
    fill(&batch, &random, next);
    compute(live, plan, &batch);
    ps_state_writer_begin(writer, &batch);
    uint8_t chunk[4096];
    size_t bytes;
    uint32_t partition;
    assert_true(ps_state_writer_next(writer, chunk, &bytes, &partition));
    ps_state_header header;
    ps_error error;
    for (size_t cut = 0; cut < bytes; cut++)
        assert_int_equal(ps_state_parse(chunk, cut, &header, &error), PS_BAD_CONFIG);
    chunk[4] = PS_STATE_REPLAY + 1;
    assert_int_equal(ps_state_parse(chunk, bytes, &header, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "newer"));
    free(writer);
    test_batch_free(&batch);
    worker_close(live);
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
}

/* Reads `count` chunks like a restore does, until a reading counts; bit i of the result: chunk i
 * was applied in it. */
static uint32_t read_sets(ps_state_sets *sets, const ps_state_header *chunk, uint32_t count,
                          int64_t *watermark, int *readings) {
    for (*readings = 1;; ++*readings) {
        uint32_t applied = 0;
        *watermark = PS_OFFSET_NONE;
        ps_state_sets_begin(sets);
        for (uint32_t i = 0; i < count; i++) {
            bool whole;
            if (ps_state_sets_take(sets, &chunk[i], 100 + i, &whole)) applied |= 1u << i;
            if (whole) *watermark = chunk[i].watermark;
        }
        const ps_status status = ps_state_sets_end(sets);
        if (status == PS_OK) return applied;
        assert_int_equal(status, PS_AGAIN);
        assert_in_range(*readings, 1, 3);
    }
}

static void test_only_whole_records_count(void **unused) {
    (void)unused;
#define CHUNK(n, of, mark) \
    { .chunk = (n), .chunks = (of), .watermark = (mark) }
    static const struct {
        ps_state_header chunk[8];
        uint32_t count, applied;
        int64_t watermark;
        int readings;
    } cases[] = {
        {{CHUNK(0, 1, 5), CHUNK(0, 2, 9), CHUNK(1, 2, 9)}, 3, 7, 9, 1},
        /* The writer died after the first of two chunks: at the end, before another, twice. */
        {{CHUNK(0, 1, 5), CHUNK(0, 2, 9)}, 2, 1, 5, 2},
        {{CHUNK(0, 1, 5), CHUNK(0, 3, 9), CHUNK(1, 3, 9), CHUNK(0, 1, 7)}, 4, 9, 7, 2},
        {{CHUNK(0, 2, 5), CHUNK(0, 2, 5), CHUNK(0, 2, 5), CHUNK(1, 2, 5)}, 4, 12, 5, 2},
        /* What was deleted up to the middle of a record. */
        {{CHUNK(1, 3, 5), CHUNK(2, 3, 5), CHUNK(0, 1, 7)}, 3, 4, 7, 1},
        /* Two writers at once. */
        {{CHUNK(0, 2, 5), CHUNK(0, 2, 6), CHUNK(1, 2, 5), CHUNK(1, 2, 6), CHUNK(0, 1, 8)},
         5,
         16,
         8,
         2},
        {{CHUNK(0, 3, 5), CHUNK(2, 3, 5)}, 2, 0, PS_OFFSET_NONE, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ps_state_sets sets = {.torn = NULL};
        int64_t watermark;
        int readings;
        assert_int_equal(read_sets(&sets, cases[i].chunk, cases[i].count, &watermark, &readings),
                         cases[i].applied);
        assert_true(watermark == cases[i].watermark);
        assert_int_equal(readings, cases[i].readings);
        ps_state_sets_deinit(&sets);
    }
    /* Read too early, whole later. */
    const ps_state_header late[] = {CHUNK(0, 1, 5), CHUNK(0, 2, 9), CHUNK(1, 2, 9)};
    ps_state_sets sets = {.torn = NULL};
    int64_t watermark;
    int readings;
    assert_int_equal(read_sets(&sets, late, 2, &watermark, &readings), 1);
    assert_int_equal(read_sets(&sets, late, 3, &watermark, &readings), 7);
    assert_int_equal(watermark, 9);
    ps_state_sets_deinit(&sets);
#undef CHUNK
}

typedef struct entries {
    uint64_t count, key[4][2];
    int64_t last[4];
    uint64_t bits[4][2];
} entries;

static void collect_one(void *context, uint32_t partition, const ps_state_entry *entry) {
    entries *seen = context;
    const uint64_t at = seen->count++;
    assert_in_range(at, 0, 3);
    assert_int_equal(partition, 1);
    memcpy(seen->key[at], entry->key, sizeof entry->key);
    seen->last[at] = entry->planes == NULL ? -1 : entry->last;
    if (entry->planes != NULL) memcpy(seen->bits[at], entry->planes, sizeof seen->bits[at]);
}

static void collect(void *context, uint32_t partition, const ps_state_entry *given,
                    uint32_t count) {
    for (uint32_t e = 0; e < count; e++) collect_one(context, partition, &given[e]);
}

/* If this fails, `explain` prints less than a restore may have to read. */
static void test_a_round_is_bounded(void **unused) {
    (void)unused;
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_partitions *partitions = calloc(1, sizeof *partitions);
    make_plan(plan, partitions);
    worker *live = worker_open();
    ps_state_writer *writer =
        ps_state_writer_open(malloc(ps_state_writer_bytes(plan)), plan, partitions, 4000);
    ps_batch batch;
    test_batch_memory(&batch, &plan->schema);
    uint8_t chunk[4000];
    size_t bytes, written = 0, most = 0;
    uint64_t random = 3;
    int64_t next[PARTITIONS] = {0}, round = -1;
    uint32_t partition;
    for (int b = 0, rounds = 0; rounds < 100; b++) {
        assert_in_range(b, 0, 100000);
        fill(&batch, &random, next);
        compute(live, plan, &batch);
        if (batch.sweep_round != round) {
            most = written > most ? written : most;
            written = 0;
            round = batch.sweep_round;
            rounds++;
        }
        ps_state_writer_begin(writer, &batch);
        while (ps_state_writer_next(writer, chunk, &bytes, &partition)) written += bytes;
    }
    const size_t bound = ps_state_round_bytes(plan, 1);
    assert_in_range(most, bound / 20, bound);
    free(writer);
    test_batch_free(&batch);
    worker_close(live);
    ps_plan_deinit(plan);
    free(plan);
    free(partitions);
}

/* A chunk as penstock 0.1 wrote it: format 1, two planes, an eviction and two entries. If this
 * fails, an update takes away the state of every pipeline. */
static void test_a_record_of_format_1_is_read(void **unused) {
    (void)unused;
    static const uint8_t old[] = {
        'P',  'S',  's',  't',  1,    0,    0,    0,    /* format */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* fingerprint */
        1,    0,    0,    0,    0,    0,    1,    0,    /* partition, chunk */
        0x2c, 1,    0,    0,    0,    0,    0,    0,    7, 0, 0, 0, 0, 0, 0,   0, /* 300, round 7 */
        2,    0,    0,    0,    1,    0,    0,    0,    2, 0, 0, 0, 2, 0, 'i', 'n', /* counts, topic
                                                                                     */
        9,    0,    0,    0,    0,    0,    0,    0,    8, 0, 0, 0, 0, 0, 0,   0,   /* evicted */
        5,    0,    0,    0,    0,    0,    0,    0,    6, 0, 0, 0, 0, 0, 0,   0,    0x2b,
        1,    0,    0,    0,    0,    0,    0,                                       /* 299 */
        0,    0,    0,    0,    0,    0,    0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0,   0xc0, /* 1.5, -2 */
        3,    0,    0,    0,    0,    0,    0,    0,    4, 0, 0, 0, 0, 0, 0,   0,    1,
        0,    0,    0,    0,    0,    0,    0,                                    /* 1 */
        0,    0,    0,    0,    0,    0,    0,    0x80, 1, 0, 0, 0, 0, 0, 0,   0, /* -0, smallest */
    };
    ps_state_header header;
    ps_error error;
    assert_int_equal(ps_state_parse(old, sizeof old, &header, &error), PS_OK);
    assert_true(header.fingerprint == UINT64_C(0x1122334455667788));
    assert_int_equal(header.within, 1);
    assert_int_equal(header.chunk, 0);
    assert_int_equal(header.chunks, 1);
    assert_int_equal(header.watermark, 300);
    assert_int_equal(header.sweep_round, 7);
    assert_int_equal(header.topic.length, 2);
    assert_memory_equal(header.topic.data, "in", 2);
    entries seen = {.count = 0};
    ps_state_apply_chunk(old, &header, 1, collect, &seen);
    static const entries wanted = {
        .count = 3,
        .key = {{9, 8}, {5, 6}, {3, 4}},
        .last = {-1, 299, 1},
        .bits = {{0, 0},
                 {UINT64_C(0x3ff8000000000000), UINT64_C(0xc000000000000000)},
                 {UINT64_C(0x8000000000000000), 1}}};
    assert_memory_equal(&seen, &wanted, sizeof seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_round_is_bounded),
        cmocka_unit_test(test_a_record_of_format_1_is_read),
        cmocka_unit_test(test_restore_equals_the_live_table),
        cmocka_unit_test(test_broken_records),
        cmocka_unit_test(test_only_whole_records_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
