/* SPDX-License-Identifier: Apache-2.0
 * If this fails, detectors score a series against another one's history, or a worker that restarts
 * disagrees with the one that died about which series exist.
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
#include "host/batch/batch.h"
#include "host/batch/series.h"
#include "tests/batches.h"

enum { ROWS_MAX = 64, KEYS = 300, PARTITIONS = 3 };

/* The model: an array of keys with their newest offsets, evicting the oldest by looking at all. */
typedef struct model {
    uint32_t quota, live[PARTITIONS];
    int64_t last[PARTITIONS][KEYS]; /* -1: not in the table */
} model;

static void model_touch(model *m, uint32_t partition, uint32_t key, int64_t offset) {
    if (m->last[partition][key] < 0 && m->live[partition] == m->quota) {
        uint32_t oldest = KEYS;
        for (uint32_t k = 0; k < KEYS; k++)
            if (m->last[partition][k] >= 0 &&
                (oldest == KEYS || m->last[partition][k] < m->last[partition][oldest]))
                oldest = k;
        m->last[partition][oldest] = -1;
        m->live[partition]--;
    }
    if (m->last[partition][key] < 0) m->live[partition]++;
    m->last[partition][key] = offset;
}

static uint32_t random_below(uint64_t *state, uint32_t n) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % n);
}

static uint32_t fill(test_batch *tb, uint64_t *random, int64_t *next, uint32_t *keys,
                     uint32_t *partitions) {
    const uint32_t rows = 1 + random_below(random, ROWS_MAX);
    ps_batch_reset(&tb->batch);
    for (uint32_t row = 0; row < rows; row++) {
        char name[16];
        keys[row] = random_below(random, random_below(random, 4) == 0 ? KEYS : 40);
        partitions[row] = random_below(random, PARTITIONS);
        (void)snprintf(name, sizeof name, "key-%u", keys[row]);
        const ps_record record = {.partition = partitions[row],
                                  .offset = next[partitions[row]]++,
                                  .key = {(const uint8_t *)name, (uint32_t)strlen(name)},
                                  .value = {NULL, PS_NULL_LENGTH},
                                  .headers = {NULL, PS_NULL_LENGTH}};
        assert_int_equal(ps_batch_append(&tb->batch, &record), PS_OK);
    }
    return rows;
}

/* Segments group exactly the rows of one series; ranks and FIRST describe a stable order. */
static void check_groups(const test_batch *tb, const uint32_t *keys, const uint32_t *partitions) {
    const ps_batch *b = &tb->batch;
    const uint32_t *local = ps_batch_system(b, PS_COLUMN_LOCAL),
                   *rank = ps_batch_system(b, PS_COLUMN_RANK);
    const uint32_t *first = ps_batch_system(b, PS_COLUMN_FIRST),
                   *id = ps_batch_system(b, PS_COLUMN_SERIES);
    uint32_t seen[ROWS_MAX] = {0};
    for (uint32_t row = 0; row < b->rows; row++) {
        assert_true(local[row] < b->touched_count);
        assert_int_equal(rank[row], seen[local[row]]++);
        for (uint32_t other = 0; other < row; other++) {
            const int same_series =
                keys[row] == keys[other] && partitions[row] == partitions[other];
            if (local[row] == local[other]) assert_true(same_series);
        }
    }
    for (uint32_t s = 0; s < b->touched_count; s++)
        assert_int_equal(first[s + 1] - first[s], seen[s]);
    for (uint32_t s = b->touched_count; s < b->segment_count; s++)
        assert_int_equal(first[s + 1], first[s]);
    for (uint32_t s = 0; s < b->segment_count; s++)
        for (uint32_t t = 0; t < s; t++) assert_int_not_equal(id[s], id[t]);
}

static void name_of(uint32_t key, uint64_t hash[2]) {
    const uint64_t sip[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    char name[16];
    (void)snprintf(name, sizeof name, "key-%u", key);
    ps_siphash128((const uint8_t *)name, (uint32_t)strlen(name), sip, hash);
}

static void test_against_a_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        test_batch *tb = test_batch_open(ROWS_MAX, 4096);
        const uint32_t series_max = 30 + 20 * (uint32_t)(seed % 10);
        void *memory = aligned_alloc(64, (ps_series_bytes(series_max, ROWS_MAX) + 63) / 64 * 64);
        memset(memory, 0, ps_series_bytes(series_max, ROWS_MAX));
        ps_series *series = ps_series_open(memory, series_max, ROWS_MAX, PARTITIONS);
        model *m = calloc(1, sizeof *m);
        m->quota = series_max / PARTITIONS;
        memset(m->last, 0xff, sizeof m->last);
        uint64_t random = seed;
        int64_t next[PARTITIONS] = {0};
        uint32_t keys[ROWS_MAX], partitions[ROWS_MAX];
        for (int b = 0; b < 200; b++) {
            const uint32_t rows = fill(tb, &random, next, keys, partitions);
            const int64_t *offset = ps_batch_system(&tb->batch, PS_COLUMN_OFFSET);
            for (uint32_t row = 0; row < rows; row++)
                model_touch(m, partitions[row], keys[row], offset[row]);
            ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
            check_groups(tb, keys, partitions);
            uint32_t live = 0;
            for (uint32_t p = 0; p < PARTITIONS; p++) live += m->live[p];
            assert_int_equal(ps_series_count(series), live);
        }
        /* The same series are left: restoring one that is there adds none. */
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            for (uint32_t k = 0; k < KEYS; k++) {
                uint64_t hash[2];
                name_of(k, hash);
                if (m->last[p][k] < 0) continue;
                const uint32_t before = ps_series_count(series);
                assert_int_not_equal(ps_series_restore(series, p, hash, m->last[p][k]), PS_NOWHERE);
                assert_int_equal(ps_series_count(series), before);
            }
            ps_series_drop(series, p);
        }
        assert_int_equal(ps_series_count(series), 0);
        free(m);
        free(memory);
        test_batch_close(tb);
    }
}

/* Every live series must be in a sweep round, or a state topic that is trimmed by rounds forgets
 * it. */
static void test_sweep_shows_every_series(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, 4096);
    void *memory = aligned_alloc(64, (ps_series_bytes(400, ROWS_MAX) + 63) / 64 * 64);
    memset(memory, 0, ps_series_bytes(400, ROWS_MAX));
    ps_series *series = ps_series_open(memory, 400, ROWS_MAX, PARTITIONS);
    uint64_t random = 7;
    int64_t next[PARTITIONS] = {0};
    uint32_t keys[ROWS_MAX], partitions[ROWS_MAX];
    for (int b = 0; b < 300; b++) {
        (void)fill(tb, &random, next, keys, partitions);
        ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
    }
    const int64_t begin = tb->batch.sweep_round + 1;
    uint8_t *shown = calloc(1, 1000);
    while (tb->batch.sweep_round <= begin) {
        (void)fill(tb, &random, next, keys, partitions);
        ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
        if (tb->batch.sweep_round != begin) continue;
        const uint32_t *id = ps_batch_system(&tb->batch, PS_COLUMN_SERIES);
        for (uint32_t s = 0; s < tb->batch.segment_count; s++) shown[id[s]] = 1;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < 1000; i++) count += shown[i];
    assert_true(count >= ps_series_count(series));
    free(shown);
    free(memory);
    test_batch_close(tb);
}

/* A partition whose state is being restored is not swept: its image would be old when it goes out.
 */
static void test_held_is_not_swept(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, 4096);
    void *memory = aligned_alloc(64, (ps_series_bytes(400, ROWS_MAX) + 63) / 64 * 64);
    memset(memory, 0, ps_series_bytes(400, ROWS_MAX));
    ps_series *series = ps_series_open(memory, 400, ROWS_MAX, PARTITIONS);
    ps_series_hold(series, 1, true);
    for (uint64_t k = 0; k < 20; k++) {
        const uint64_t key[2] = {k, 77};
        assert_int_not_equal(ps_series_restore(series, 1, key, (int64_t)k), PS_NOWHERE);
    }
    uint64_t random = 7;
    for (int held = 1; held >= 0; held--) {
        uint32_t swept = 0;
        ps_series_hold(series, 1, held == 1);
        for (int64_t offset = 0; offset < 60; offset++) {
            char name[16];
            ps_batch_reset(&tb->batch);
            for (int i = 0; i < 8; i++) {
                (void)snprintf(name, sizeof name, "key-%u", random_below(&random, 40));
                const ps_record record = {.offset = 8 * offset + i,
                                          .key = {(const uint8_t *)name, (uint32_t)strlen(name)},
                                          .value = {NULL, PS_NULL_LENGTH},
                                          .headers = {NULL, PS_NULL_LENGTH}};
                assert_int_equal(ps_batch_append(&tb->batch, &record), PS_OK);
            }
            ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
            for (uint32_t s = 0; s < tb->batch.segment_count; s++)
                swept += tb->batch.segments[s].partition == 1;
        }
        assert_true(held == 1 ? swept == 0 : swept >= 20);
    }
    free(memory);
    test_batch_close(tb);
}

/* A record of a larger series_max: what is left is what the smaller one would have left, and what
 * went is counted. */
static void test_restore_of_too_many(void **state) {
    (void)state;
    enum { MANY = 2000, QUOTA = 500 };
    for (uint64_t seed = 1; seed <= 10; seed++) {
        void *memory = aligned_alloc(64, (ps_series_bytes(QUOTA * 2, ROWS_MAX) + 63) / 64 * 64);
        memset(memory, 0, ps_series_bytes(QUOTA * 2, ROWS_MAX));
        ps_series *series = ps_series_open(memory, QUOTA * 2, ROWS_MAX, 2);
        uint64_t random = seed;
        int64_t last[MANY];
        /* Every series once in any order, as a sweep says them, then some of them newer. */
        for (uint32_t k = 0; k < MANY; k++) last[k] = k;
        for (uint32_t k = MANY - 1; k > 0; k--) {
            const uint32_t other = random_below(&random, k + 1);
            const int64_t t = last[k];
            last[k] = last[other];
            last[other] = t;
        }
        for (uint32_t i = 0; i < MANY + 300; i++) {
            const uint32_t k = i < MANY ? i : random_below(&random, MANY);
            const uint64_t key[2] = {k, 1};
            if (i >= MANY) last[k] = i;
            (void)ps_series_restore(series, 0, key, last[k]);
        }
        assert_int_equal(ps_series_count(series), QUOTA);
        assert_true(ps_series_evicted(series) >= MANY - QUOTA);
        for (uint32_t k = 0; k < MANY; k++) {
            uint32_t newer = 0;
            const uint64_t key[2] = {k, 1};
            for (uint32_t other = 0; other < MANY; other++) newer += last[other] > last[k];
            const uint64_t evicted = ps_series_evicted(series);
            if (newer < QUOTA)
                assert_int_not_equal(ps_series_restore(series, 0, key, last[k]), PS_NOWHERE);
            else
                assert_int_equal(ps_series_restore(series, 0, key, last[k]), PS_NOWHERE);
            assert_int_equal(ps_series_evicted(series) - evicted, newer >= QUOTA);
        }
        free(memory);
    }
}

/* If this fails, either old state stays for ever where nothing but tombstones comes in, or records
 * are deleted that a restored table still needs. */
static void test_rounds_go_on_without_rows(void **state) {
    (void)state;
    test_batch *tb = test_batch_open(ROWS_MAX, 4096);
    void *memory = aligned_alloc(64, (ps_series_bytes(400, ROWS_MAX) + 63) / 64 * 64);
    memset(memory, 0, ps_series_bytes(400, ROWS_MAX));
    ps_series *series = ps_series_open(memory, 400, ROWS_MAX, PARTITIONS);
    assert_int_equal(ps_series_oldest(series, 1), UINT32_MAX);
    for (uint32_t k = 0; k < 20; k++) {
        const uint64_t key[2] = {k, 77};
        ps_series_place(series, ps_series_restore(series, 1, key, (int64_t)k), 1000 - k, 6);
    }
    assert_int_equal(ps_series_oldest(series, 0), UINT32_MAX);
    assert_int_equal(ps_series_oldest(series, 1), 981);
    const uint64_t oldest[2] = {19, 77}, newer[2] = {18, 77};
    ps_series_forget(series, 1, oldest);
    ps_series_place(series, ps_series_restore(series, 1, newer, 30), 2000, 6); /* said again */
    assert_int_equal(ps_series_oldest(series, 1), 983);
    uint32_t swept = 0;
    for (int b = 0; b < 5; b++) {
        ps_batch_reset(&tb->batch);
        ps_batch_position(&tb->batch, 1, 100 + b);
        ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
        swept += tb->batch.segment_count;
    }
    assert_int_equal(swept, 19);                /* four a batch */
    assert_int_equal(tb->batch.sweep_round, 7); /* it counts on */
    ps_batch_reset(&tb->batch);
    ps_batch_position(&tb->batch, 1, 200);
    ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
    assert_int_equal(tb->batch.sweep_round, 8);
    free(memory);
    test_batch_close(tb);
}

/* The keys that the next batch tells, as text; it moves partition 0 by no row. */
static void told_next(ps_series *series, test_batch *tb, char *told) {
    ps_batch_reset(&tb->batch);
    ps_batch_position(&tb->batch, 0, 1);
    ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
    for (uint32_t s = 0; s < tb->batch.segment_count; s++)
        *told++ = (char)tb->batch.segments[s].key[0];
    *told = '\0';
}

static void restore_told(ps_series *series, uint32_t partition, const char *keys, int64_t round) {
    static int64_t last;
    for (; *keys != '\0'; keys++) {
        const uint64_t key[2] = {(uint64_t)*keys, 77};
        ps_series_place(series, ps_series_restore(series, partition, key, last++), 0, round);
    }
}

/* If this fails, a worker that dies again and again before it has told its whole table never tells
 * some of it, and each restore is longer than the one before. */
static void test_restored_are_told_in_their_order(void **state) {
    (void)state;
    char told[2 * ROWS_MAX + 1];
    test_batch *tb = test_batch_open(ROWS_MAX, 4096);
    void *memory = aligned_alloc(64, (ps_series_bytes(400, ROWS_MAX) + 63) / 64 * 64);
    memset(memory, 0, ps_series_bytes(400, ROWS_MAX));
    ps_series *series = ps_series_open(memory, 400, ROWS_MAX, PARTITIONS);
    ps_series_hold(series, 2, true);
    restore_told(series, 1, "abcdefg", 4);
    restore_told(series, 1, "dba", 5); /* told again */
    restore_told(series, 0, "rst", 3);
    restore_told(series, 0, "xy", 5);
    restore_told(series, 2, "MN", 4);
    ps_series_hold(series, 1, false);
    ps_series_hold(series, 0, false);
    told_next(series, tb, told);
    assert_string_equal(told, "rstc");
    told_next(series, tb, told);
    assert_string_equal(told, "efgd");
    ps_series_hold(series, 2, false); /* it has caught up: what is older goes before the rest */
    told_next(series, tb, told);
    assert_string_equal(told, "MNba");
    told_next(series, tb, told);
    assert_string_equal(told, "xy"); /* and none twice in a round */
    assert_int_equal(tb->batch.sweep_round, 6);
    told_next(series, tb, told);
    assert_string_equal(told, "abcd"); /* then by their index */
    assert_int_equal(tb->batch.sweep_round, 7);
    restore_told(series, 2, "PQ", 9); /* of a lane that is ahead */
    restore_told(series, 2, "KL", 6);
    ps_series_hold(series, 2, false);
    told_next(series, tb, told);
    assert_string_equal(told, "efgr"); /* whoever comes does not keep others waiting */
    told_next(series, tb, told);
    assert_string_equal(told, "stxy");
    told_next(series, tb, told);
    assert_string_equal(told, "MNKL");
    told_next(series, tb, told);
    assert_string_equal(told, "");
    told_next(series, tb, told);
    assert_string_equal(told, "abcd");
    assert_int_equal(tb->batch.sweep_round, 10);
    free(memory);
    test_batch_close(tb);
}

/* If this fails, a worker with heavy state that dies after each few rows tells nothing at all. */
static void test_a_life_of_one_row_tells(void **state) {
    (void)state;
    char told[2 * ROWS_MAX + 1];
    test_batch *tb = test_batch_open(ROWS_MAX, 4096);
    const size_t bytes = (ps_series_bytes(400, ROWS_MAX) + 63) / 64 * 64;
    const size_t more = (ps_series_replay_bytes(400, ROWS_MAX) + 63) / 64 * 64;
    void *memory = memset(aligned_alloc(64, bytes), 0, bytes);
    void *marks = memset(aligned_alloc(64, more), 0, more);
    ps_series *series = ps_series_open(memory, 400, ROWS_MAX, PARTITIONS);
    ps_series_replays(series, marks, 8 * PS_REPLAY_ROW_BYTES);
    restore_told(series, 1, "ab", 4);
    ps_series_hold(series, 1, false);
    told_next(series, tb, told);
    assert_string_equal(told, "a");
    told_next(series, tb, told);
    assert_string_equal(told, ""); /* all that was paid */
    free(marks);
    free(memory);
    test_batch_close(tb);
}

/* Rows that are read again belong to a series from its mark on, and up to its newest row. */
static void test_again_is_what_was(void **state) {
    (void)state;
    static const uint32_t wanted[] = {PS_NO_SEGMENT, 0, 0, PS_NO_SEGMENT, 0};
    static const int64_t offsets[] = {2, 4, 5, 7, 12};
    test_batch *tb = test_batch_open(ROWS_MAX, 4096);
    const size_t bytes = (ps_series_bytes(400, ROWS_MAX) + 63) / 64 * 64;
    const size_t more = (ps_series_replay_bytes(400, ROWS_MAX) + 63) / 64 * 64;
    void *memory = memset(aligned_alloc(64, bytes), 0, bytes);
    void *marks = memset(aligned_alloc(64, more), 0, more);
    ps_series *series = ps_series_open(memory, 400, ROWS_MAX, PARTITIONS);
    ps_series_replays(series, marks, 1000);
    uint64_t key[2];
    name_of(7, key);
    ps_series_mark(series, ps_series_restore(series, 1, key, 5), 3, false);
    assert_int_equal(ps_series_replay(series, 1, 10), 3);
    ps_batch_reset(&tb->batch);
    for (uint32_t row = 0; row < 5; row++) {
        const ps_record record = {.partition = 1,
                                  .offset = offsets[row],
                                  .key = {(const uint8_t *)"key-7", 5},
                                  .value = {NULL, PS_NULL_LENGTH},
                                  .headers = {NULL, PS_NULL_LENGTH}};
        assert_int_equal(ps_batch_append(&tb->batch, &record), PS_OK);
    }
    ps_series_resolve(series, &tb->batch, &tb->schema.column[PS_COLUMN_KEY]);
    assert_memory_equal(ps_batch_system(&tb->batch, PS_COLUMN_LOCAL), wanted, sizeof wanted);
    free(marks);
    free(memory);
    test_batch_close(tb);
}

/* Published test vectors of SipHash-2-4-128 (Aumasson and Bernstein's reference, vectors.h). */
static void test_siphash_vectors(void **state) {
    (void)state;
    uint8_t key_bytes[16], data[16];
    for (uint8_t i = 0; i < 16; i++) key_bytes[i] = data[i] = i;
    uint64_t key[2], out[2];
    memcpy(key, key_bytes, 16);
    const uint8_t empty[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                               0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    const uint8_t one[16] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                             0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45};
    ps_siphash128(data, 0, key, out);
    assert_memory_equal(out, empty, 16);
    ps_siphash128(data, 1, key, out);
    assert_memory_equal(out, one, 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_sweep_shows_every_series),
        cmocka_unit_test(test_held_is_not_swept),
        cmocka_unit_test(test_restore_of_too_many),
        cmocka_unit_test(test_rounds_go_on_without_rows),
        cmocka_unit_test(test_restored_are_told_in_their_order),
        cmocka_unit_test(test_a_life_of_one_row_tells),
        cmocka_unit_test(test_again_is_what_was),
        cmocka_unit_test(test_siphash_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
