/* SPDX-License-Identifier: Apache-2.0
 * The stage seal: whatever a batch holds and wherever one ends, the log is the one that RFC 6962
 * defines over every record of the partition; nothing is signed before it is committed; and nothing
 * is continued that is not what was sealed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sealer_world.inc"

static bool has_file(const sealer_world *w, const char *path) {
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s/in/%s", w->logs, path);
    return access(whole, F_OK) == 0;
}

static void damage(const sealer_world *w, const char *path, long length, const char *bytes) {
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s/in/%s", w->logs, path);
    if (bytes == NULL) {
        assert_int_equal(length < 0 ? unlink(whole) : truncate(whole, length), 0);
        return;
    }
    FILE *file = fopen(whole, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, length, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, strlen(bytes), file), strlen(bytes));
    assert_int_equal(fclose(file), 0);
}

static void expect_alarm(const sealer_world *w, ps_status status, const char *words) {
    assert_int_equal(status, PS_TAMPERED);
    if (strstr(w->error.message, "ALARM") == NULL || strstr(w->error.message, words) == NULL)
        fail_msg("no alarm about '%s': %s", words, w->error.message);
}

/* Breaks when the tree depends on where batches or transactions end, or leaves rows out. */
static void any_batches_give_the_same_tree(void **state) {
    static const uint32_t sizes[] = {1, 3, 255, 256, 257, 4096, 4097, 16000};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const uint32_t rows = sizes[s] == 1 ? 1500 : 16000;
        sealer_world *w = world_open();
        world_restore_all(w);
        world_feed(w, 0, rows, sizes[s], 1 + 1000 / sizes[s]);
        world_commit(w);
        world_finish(w);
        for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, rows);
        world_close(w);
    }
}

/* Breaks when events name another entry than their record has. */
static void rows_name_their_entries(void **state) {
    sealer_world *w = world_open();
    uint64_t next[WORLD_LOGS] = {0};
    (void)state;
    world_restore_all(w);
    for (uint32_t from = 0; from < 1200; from += 300) {
        world_fill(w, from, from + 300);
        assert_int_equal(world_seal(w), PS_OK);
        const ps_column *column = w->plan->schema.column;
        const ps_hash *leaf = ps_batch_values(&w->batch, &column[w->plan->seal.leaf]);
        const uint64_t *index = ps_batch_values(&w->batch, &column[w->plan->seal.index]);
        for (uint32_t i = from; i < from + 300; i++) {
            world_row row;
            ps_hash expected;
            world_row_of(i, &row);
            world_leaf(&row.record, &expected);
            assert_int_equal(index[i - from], next[row.record.partition]++);
            assert_memory_equal(&leaf[i - from], &expected, sizeof expected);
        }
    }
    world_close(w);
}

/* Breaks when a checkpoint is there before what it is of is committed. */
static void nothing_is_signed_before_it_is_committed(void **state) {
    int64_t again_ns = 0;
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_fill(w, 0, 5000);
    assert_int_equal(world_seal(w), PS_OK);
    world_drain(w, true);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(w->sealer->step(w->self, &again_ns, &w->error), PS_OK);
        (void)usleep(1000);
    }
    assert_true(has_file(w, "0/tile/0/000")); /* which nobody asks for yet */
    assert_false(has_file(w, "0/checkpoint"));
    world_commit(w);
    assert_int_equal(w->sealer->step(w->self, &again_ns, &w->error), PS_OK);
    world_finish(w);
    world_expect_log(w, 0, 5000);
    world_close(w);
}

/* Breaks when a transaction that was aborted leaves something in the log. */
static void what_is_undone_comes_again(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 3000, 500, 2);
    world_fill(w, 3000, 6000);
    assert_int_equal(world_seal(w), PS_OK);
    world_drain(w, true);
    world_abort(w);
    world_restore_all(w);
    world_fill(w, 3000, 6000);
    assert_int_equal(w->sealer->rows(w->self, &w->batch, &w->error), PS_OK);
    world_abort(w);
    ps_sealed left;
    assert_false(w->sealer->next(w->self, false, &left)); /* nor in the next transaction */
    world_restore_all(w);
    world_feed(w, 3000, 7000, 700, 1);
    world_finish(w);
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 7000);
    world_close(w);
}

/* Breaks when a worker that was killed cannot go on, or not to the same tree: files lost, torn, or
 * beyond what was committed. */
static void a_killed_worker_is_followed(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 4000, 1000, 1);
    world_finish(w);
    world_feed(w, 4000, 9000, 1000, 1);
    world_fill(w, 9000, 12000); /* never committed */
    assert_int_equal(world_seal(w), PS_OK);
    world_abort(w);
    w->sealer->close(w->self);
    damage(w, "0/tile/entries/015", -1, NULL);
    damage(w, "0/tile/0/014", 100, NULL);
    damage(w, "1/tile/0/016", 0, NULL);
    assert_int_equal(world_open_sealer(w), PS_OK);
    world_restore_all(w);
    assert_true(has_file(w, "0/tile/entries/015"));
    world_feed(w, 9000, 13000, 900, 2);
    world_commit(w);
    world_finish(w);
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 13000);
    world_close(w);
}

/* Breaks when tiles of a transaction that was none, half of which is there, are taken for the log.
 */
static void what_no_log_speaks_of_is_passed_over(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 3000, 1000, 1);
    world_finish(w);
    world_fill(w, 3000, 9000);
    assert_int_equal(world_seal(w), PS_OK);
    w->records += w->pending; /* they are there, and where the logs stand is not said */
    w->pending = 0;
    world_abort(w);
    world_restore_all(w);
    world_feed(w, 3000, 10000, 777, 3);
    world_commit(w);
    world_finish(w);
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 10000);
    world_close(w);
}

/* Breaks when more of the topic is read than needed, or not all of it where it is. */
static void a_log_is_read_from_its_end(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 8000, 1000, 1);
    world_finish(w);
    assert_int_equal(w->sealer->begin(w->self, 0, &w->error), PS_OK);
    assert_int_equal(world_read(w, 0, 2), PS_AGAIN);
    assert_int_equal(world_read(w, 0, 12), PS_OK);
    /* With its files gone all of it is wanted. */
    damage(w, "0/checkpoint", -1, NULL);
    damage(w, "0/tile/0/003", -1, NULL);
    assert_int_equal(world_read(w, 0, 12), PS_AGAIN);
    assert_int_equal(world_read(w, 0, 100000), PS_OK);
    assert_true(has_file(w, "0/tile/0/003"));
    world_finish(w);
    world_expect_log(w, 0, 8000);
    world_close(w);
}

/* Breaks when a source that went back is sealed on. */
static void offsets_that_go_back_are_an_alarm(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 100, 100, 1);
    world_fill(w, 50, 150);
    expect_alarm(w, world_seal(w), "offset");
    world_close(w);
}

/* A checkpoint of this log's key, over another tree. */
static void sign_another_tree(const sealer_world *w) {
    ps_signer key, signer;
    char path[256], note[PS_CHECKPOINT_MAX];
    size_t length = 0;
    const ps_tree tree = {.size = 700, .root = {{1, 2, 3}}};
    assert_int_equal(ps_secret_key_read(w->key, &key, NULL), PS_OK);
    assert_int_equal(
        ps_signer_of_seed("example.org/audit/c1/in/t1/0", PS_KEY_ED25519, key.seed, &signer, NULL),
        PS_OK);
    assert_int_equal(ps_checkpoint_sign(&tree, &signer, note, &length, NULL), PS_OK);
    (void)snprintf(path, sizeof path, "%s/in/0/checkpoint", w->logs);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(note, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Breaks when a log is continued that is not what was signed and shown. */
static void another_past_is_an_alarm(void **state) {
    int64_t next = 0;
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        sealer_world *w = world_open();
        world_restore_all(w);
        world_feed(w, 0, 6000, 2000, 1);
        world_finish(w);
        assert_true(w->sealer->stands(w->self, 0, &next));
        w->sealer->close(w->self);
        static const char *const words[] = {"made anew", "entries",    "knows of none",
                                            "not those", "not signed", "does not extend"};
        if (kind == 0) world_name(w, "t2");
        for (uint32_t keep = kind == 1 ? 40 : 0; (kind == 1 || kind == 2) && w->records > keep;)
            free(w->record[--w->records].value);
        for (uint32_t i = 0; kind == 3 && i < w->records; i++)
            if (strcmp(w->record[i].key, "in/0/tile/0/011") == 0) w->record[i].value[40] ^= 1;
        if (kind == 4) world_write_key(w, "other", 0600);
        if (kind == 5) sign_another_tree(w);
        assert_int_equal(world_open_sealer(w), PS_OK);
        expect_alarm(w, world_restore(w, 0), words[kind]);
        world_close(w);
    }
}

/* Breaks when a file of another log, or a changed one, is taken for ours. */
static void files_of_others_are_an_alarm(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 1000, 1000, 1);
    world_finish(w);
    damage(w, "0/tile/entries/001.p/244", 700, "X");
    char from[256], to[256];
    (void)snprintf(from, sizeof from, "%s/in/0/tile/entries/001.p/244", w->logs);
    (void)snprintf(to, sizeof to, "%s/in/0/tile/entries/001", w->logs);
    assert_int_equal(rename(from, to), 0);
    world_feed(w, 1000, 2000, 1000, 1);
    ps_status status;
    while ((status = w->sealer->finish(w->self, &w->error)) == PS_AGAIN) (void)usleep(200);
    expect_alarm(w, status, "other bytes");
    world_close(w);
}

/* Breaks when a record that no batch holds, or headers past our room, are sealed as something else.
 */
static void large_records_are_sealed_as_they_are(void **state) {
    enum { LARGE = 5 << 20, HEADER = 2 << 20 };
    sealer_world *w = world_open();
    uint8_t *bytes = malloc(LARGE), *packed = malloc(HEADER + 64);
    ps_hash expected;
    (void)state;
    world_restore_all(w);
    memset(bytes, 'a', LARGE);
    const ps_bytes header = {bytes, HEADER};
    const uint8_t *end = ps_headers_put(packed, (ps_bytes){bytes, 3}, header);
    const ps_record large[2] = {
        {.offset = 7,
         .key = {NULL, PS_NULL_LENGTH},
         .value = {bytes, 9},
         .headers = {packed, (uint32_t)(end - packed)}},
        {.offset = 9, .key = {bytes, 4}, .value = {bytes, LARGE}, .headers = {packed, 0}}};
    for (int i = 0; i < 2; i++) {
        ps_batch_reset(&w->batch);
        w->batch.ticket = ++w->ticket;
        const ps_status fits = ps_batch_append(&w->batch, &large[i]);
        assert_int_equal(fits, i == 0 ? PS_OK : PS_END);
        test_plan_run(w->plan, &w->batch, NULL);
        assert_int_equal(world_seal(w), PS_OK);
        world_leaf(&large[i], &expected);
        const ps_hash *leaf =
            ps_batch_values(&w->batch, &w->plan->schema.column[w->plan->seal.leaf]);
        assert_memory_equal(leaf, &expected, sizeof expected);
    }
    world_close(w);
    free(bytes);
    free(packed);
}

/* Breaks when tiles that nobody takes are overwritten, or wait for ever. */
static void the_ring_holds_what_is_not_taken(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_fill(w, 0, 8000);
    assert_int_equal(w->sealer->rows(w->self, &w->batch, &w->error), PS_OK);
    world_drain(w, false);
    world_fill(w, 8000, 24000);
    assert_int_equal(w->sealer->rows(w->self, &w->batch, &w->error), PS_AGAIN);
    assert_int_equal(w->sealer->rows(w->self, &w->batch, &w->error), PS_AGAIN);
    assert_int_equal(world_seal(w), PS_OK);
    world_commit(w);
    world_finish(w);
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 24000);
    world_close(w);
}

/* Breaks when a key that others can read signs. */
static void keys_are_refused_by_name(void **state) {
    static const struct {
        mode_t mode;
        const char *text, *words;
    } cases[] = {{0640, NULL, "chmod 600"},
                 {0600, "PRIVATE+KEY+x", "keygen"},
                 {0600, "", "keygen"},
                 {0, NULL, "keygen NAME -o"}};
    sealer_world *w = world_open();
    ps_signer signer;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_write_key(w, "example.org/audit", 0600);
        if (cases[i].text != NULL) {
            FILE *file = fopen(w->key, "w");
            (void)fputs(cases[i].text, file);
            (void)fclose(file);
        }
        if (cases[i].mode == 0) assert_int_equal(unlink(w->key), 0);
        if (cases[i].mode != 0) assert_int_equal(chmod(w->key, cases[i].mode), 0);
        assert_int_equal(ps_secret_key_read(w->key, &signer, &w->error), PS_BAD_CONFIG);
        if (strstr(w->error.message, cases[i].words) == NULL) fail_msg("%s", w->error.message);
    }
    w->config.logs_max = 1;
    void *self = NULL;
    assert_int_equal(w->sealer->open(&w->env, &self, &w->error), PS_BAD_CONFIG);
    assert_non_null(strstr(w->error.message, "logs_max"));
    world_close(w);
}

/* Breaks when what says where a log stands is read past its end, or cut is taken. */
static void records_are_whole_or_refused(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 700, 700, 1);
    const world_record *of = &w->record[w->records - 1];
    assert_non_null(strstr(of->key, "/log"));
    for (uint32_t length = 0; length < of->length; length++) {
        uint8_t *cut = malloc(length + 1);
        memcpy(cut, of->value, length);
        w->sealer->gather(w->self, 1);
        expect_alarm(w,
                     w->sealer->apply(w->self, 1, (ps_bytes){(const uint8_t *)"in/1/log", 8},
                                      (ps_bytes){cut, length}, &w->error),
                     "where the log stands");
        free(cut);
    }
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_batches_give_the_same_tree),
        cmocka_unit_test(rows_name_their_entries),
        cmocka_unit_test(nothing_is_signed_before_it_is_committed),
        cmocka_unit_test(what_is_undone_comes_again),
        cmocka_unit_test(a_killed_worker_is_followed),
        cmocka_unit_test(what_no_log_speaks_of_is_passed_over),
        cmocka_unit_test(a_log_is_read_from_its_end),
        cmocka_unit_test(offsets_that_go_back_are_an_alarm),
        cmocka_unit_test(another_past_is_an_alarm),
        cmocka_unit_test(files_of_others_are_an_alarm),
        cmocka_unit_test(large_records_are_sealed_as_they_are),
        cmocka_unit_test(the_ring_holds_what_is_not_taken),
        cmocka_unit_test(keys_are_refused_by_name),
        cmocka_unit_test(records_are_whole_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
