/* SPDX-License-Identifier: Apache-2.0
 * If this fails, a worker that delivers at least once and was killed goes on with another state
 * than its output implies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/state/merge.h"
#include "tests/batches.h"

enum { ROWS_MAX = 32, PARTITIONS = 3, KEYS = 24, CHUNK_BYTES = 700 };
static const uint32_t planes_of[] = {2, 1};
enum { STATES = 2, PLANES = 3 };

/* What a restore holds after some records: of each key of each partition. */
typedef struct table {
    struct {
        bool there;
        int64_t last;
        double planes[PLANES];
    } series[PARTITIONS][KEYS];
    int64_t watermark[PARTITIONS], round[PARTITIONS];
} table;

typedef struct world {
    ps_plan plan;
    ps_partitions partitions;
    ps_batch batch;
    ps_state_writer *writer;
    ps_state_merge *merge;
    uint64_t random;
    int64_t next[PARTITIONS], round;
} world;

static uint32_t below(world *w, uint32_t n) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((w->random >> 33) % n);
}

static world *open_world(uint64_t seed) {
    world *w = calloc(1, sizeof *w);
    ps_operand state, image;
    ps_error error;
    assert_int_equal(ps_plan_init(&w->plan, ROWS_MAX, 1 << 12, KEYS * PARTITIONS, NULL, &error),
                     PS_OK);
    for (uint32_t i = 0; i < STATES; i++)
        assert_int_equal(ps_plan_state(&w->plan, "test", planes_of[i], &state, &image, &error),
                         PS_OK);
    w->plan.groups = true;
    assert_int_equal(ps_plan_close(&w->plan, &error), PS_OK);
    w->partitions.topic_count = 1;
    w->partitions.count = w->partitions.topic[0].count = PARTITIONS;
    (void)snprintf(w->partitions.topic[0].name, sizeof w->partitions.topic[0].name, "telemetry");
    test_batch_memory(&w->batch, &w->plan.schema);
    w->writer = ps_state_writer_open(malloc(ps_state_writer_bytes(&w->plan)), &w->plan,
                                     &w->partitions, CHUNK_BYTES);
    w->merge = ps_state_merge_open(malloc(ps_state_merge_bytes(&w->plan)), &w->plan);
    w->random = seed;
    return w;
}

static void close_world(world *w) {
    free(w->writer);
    free(w->merge);
    test_batch_free(&w->batch);
    ps_plan_deinit(&w->plan);
    free(w);
}

/* Keys of different series may share the word by which they are looked up, and one key may be in
 * several partitions. */
static void name(uint32_t key, uint64_t *to) {
    to[0] = key / 3;
    to[1] = key;
}

static void add_segment(world *w, uint32_t partition, uint32_t key, ps_segment_kind kind) {
    ps_batch *batch = &w->batch;
    const uint32_t s = batch->segment_count++;
    batch->segments[s] = (ps_segment){
        .last = w->next[partition], .born = -1, .partition = partition, .kind = (uint32_t)kind};
    name(key, batch->segments[s].key);
    for (uint32_t i = 0; i < STATES; i++) {
        double *image = ps_batch_values(batch, &w->plan.schema.column[w->plan.state[i].image]);
        for (uint32_t p = 0; p < planes_of[i]; p++)
            image[s * planes_of[i] + p] =
                kind == PS_SEGMENT_EVICTED ? -1 : (double)below(w, 1000000);
    }
}

/* A batch as ps_series_resolve leaves it: a series has one segment that counts at most, and before
 * it perhaps one that lost its place within the batch. */
static void fill(world *w) {
    ps_batch *batch = &w->batch;
    ps_batch_reset(batch);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        if (below(w, 3) == 0) continue;
        for (uint32_t key = 0; key < KEYS; key++) {
            const uint32_t lot = below(w, 40);
            const bool gone = lot < 4, touched = lot >= 2 && lot < 12;
            w->next[p]++;
            if (lot == 0) add_segment(w, p, key, PS_SEGMENT_EVICTED);
            if (gone && batch->eviction_count < ROWS_MAX) {
                ps_eviction *eviction = &batch->evictions[batch->eviction_count++];
                *eviction = (ps_eviction){.partition = p};
                name(key, eviction->key);
            }
            if (touched)
                add_segment(w, p, key, lot % 2 == 0 ? PS_SEGMENT_TOUCHED : PS_SEGMENT_SWEPT);
        }
        ps_batch_position(batch, p, w->next[p]);
    }
    batch->sweep_round = w->round += below(w, 3) == 0;
}

static void apply(void *context, uint32_t partition, const ps_state_entry *entries,
                  uint32_t count) {
    table *to = context;
    for (uint32_t e = 0; e < count; e++) {
        const uint64_t key = entries[e].key[1];
        assert_in_range(key, 0, KEYS - 1);
        to->series[partition][key].there = entries[e].kind != PS_STATE_GONE;
        if (entries[e].kind == PS_STATE_GONE) continue;
        to->series[partition][key].last = entries[e].last;
        memcpy(to->series[partition][key].planes, entries[e].planes, PLANES * sizeof(double));
    }
}

/* Applies what the writer has begun on; the number of chunks. */
static uint32_t read_back(world *w, table *to) {
    uint8_t chunk[CHUNK_BYTES];
    size_t bytes;
    uint32_t partition, chunks = 0;
    ps_state_header header;
    ps_error error;
    while (ps_state_writer_next(w->writer, chunk, &bytes, &partition)) {
        assert_int_equal(ps_state_parse(chunk, bytes, &header, &error), PS_OK);
        ps_state_apply_chunk(chunk, &header, partition, apply, to);
        to->watermark[partition] = header.watermark;
        to->round[partition] = header.sweep_round;
        chunks++;
    }
    return chunks;
}

/* What lies in the planes of a series that is not there is nobody's. */
static void assert_same(const table *a, const table *b) {
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        assert_true(a->watermark[p] == b->watermark[p]);
        for (uint32_t key = 0; key < KEYS; key++) {
            assert_int_equal(a->series[p][key].there, b->series[p][key].there);
            if (!a->series[p][key].there) continue;
            assert_true(a->series[p][key].last == b->series[p][key].last);
            assert_memory_equal(a->series[p][key].planes, b->series[p][key].planes,
                                sizeof a->series[p][key].planes);
        }
    }
}

/* Random batches, merged until they no longer fit or for a random while, beside the same batches
 * one by one. */
static void test_one_record_does_what_many_do(void **unused) {
    (void)unused;
    uint32_t refused = 0, saved = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        world *w = open_world(seed);
        table *singly = calloc(1, sizeof *singly), *merged = calloc(1, sizeof *merged);
        for (int record = 0; record < 30; record++) {
            const uint32_t most = 1 + below(w, 6);
            uint32_t chunks = 0, added = 0;
            bool fits = true;
            for (; fits && added < most; added++) {
                fill(w);
                fits = ps_state_merge_add(w->merge, &w->batch);
                if (!fits) { /* first what is there; the batch has not left a trace in it */
                    ps_state_writer_begin_delta(w->writer, ps_state_merge_delta(w->merge));
                    (void)read_back(w, merged);
                    assert_same(singly, merged);
                    ps_state_merge_clear(w->merge);
                    assert_true(ps_state_merge_add(w->merge, &w->batch));
                    refused++;
                }
                ps_state_writer_begin(w->writer, &w->batch);
                chunks += read_back(w, singly);
            }
            ps_state_writer_begin_delta(w->writer, ps_state_merge_delta(w->merge));
            const uint32_t once = read_back(w, merged);
            if (fits && added > 2) saved += once < chunks;
            assert_same(singly, merged);
            /* Where a batch said anything of a partition, the newest round is the record's. */
            for (uint32_t p = 0; p < PARTITIONS; p++)
                assert_true(merged->round[p] >= singly->round[p] && merged->round[p] <= w->round);
            ps_state_merge_clear(w->merge);
            ps_state_writer_begin_delta(w->writer, ps_state_merge_delta(w->merge));
            assert_int_equal(read_back(w, merged), 0);
        }
        free(singly);
        free(merged);
        close_world(w);
    }
    assert_in_range(refused, 100, 100000);
    assert_in_range(saved, 1000, 100000);
}

/* An empty one takes the largest batch there is, and one that is full takes none. */
static void test_an_empty_one_takes_any_batch(void **unused) {
    (void)unused;
    world *w = open_world(1);
    const uint32_t most = w->plan.schema.segments_max;
    for (int again = 0; again < 3; again++) {
        ps_batch_reset(&w->batch);
        for (uint32_t s = 0; s < most; s++) {
            w->batch.segments[s] = (ps_segment){.key = {s, s % KEYS}, .last = s};
            for (uint32_t i = 0; i < STATES; i++)
                memset(ps_batch_values(&w->batch, &w->plan.schema.column[w->plan.state[i].image]),
                       0, most * planes_of[i] * sizeof(double));
        }
        w->batch.segment_count = most;
        for (uint32_t e = 0; e < ROWS_MAX; e++)
            w->batch.evictions[e] = (ps_eviction){.key = {1000 + e, 0}};
        w->batch.eviction_count = ROWS_MAX;
        assert_true(ps_state_merge_add(w->merge, &w->batch));
        w->batch.segment_count = 1;
        w->batch.eviction_count = 0;
        assert_false(ps_state_merge_add(w->merge, &w->batch));
        w->batch.segment_count = 0;
        w->batch.eviction_count = 1;
        assert_false(ps_state_merge_add(w->merge, &w->batch));
        /* A place alone always fits, and the newest counts. */
        w->batch.eviction_count = 0;
        ps_batch_position(&w->batch, 2, 7);
        assert_true(ps_state_merge_add(w->merge, &w->batch));
        w->batch.positions[0].next = 9;
        assert_true(ps_state_merge_add(w->merge, &w->batch));
        const ps_state_delta *delta = ps_state_merge_delta(w->merge);
        assert_int_equal(delta->segment_count, most);
        assert_int_equal(delta->eviction_count, ROWS_MAX);
        assert_int_equal(delta->position_count, 1);
        assert_int_equal(delta->positions[0].next, 9);
        ps_state_merge_clear(w->merge);
    }
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_record_does_what_many_do),
        cmocka_unit_test(test_an_empty_one_takes_any_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
