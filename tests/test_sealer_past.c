/* SPDX-License-Identifier: Apache-2.0
 * What a log goes on from: files that an aborted transaction left, workers that wake up beside
 * their heirs, a topic that was compacted, a log of 10^9 entries. Nothing that was signed is ever
 * changed, and nothing that was not signed stops a log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>

#include "host/seal/log_record.h"
#include "host/seal/projector.h"
#include "host/seal/wide.h"
#include "tests/sealer_world.inc"

static void path_of(const sealer_world *w, const char *name, char path[256]) {
    (void)snprintf(path, 256, "%s/in/%s", w->logs, name);
}

static bool has_file(const sealer_world *w, const char *name) {
    char path[256];
    path_of(w, name, path);
    return access(path, F_OK) == 0;
}

static void lose(const sealer_world *w, const char *name) {
    char path[256];
    path_of(w, name, path);
    assert_int_equal(unlink(path), 0);
}

/* Rows [from, to) as they come from a source that was compacted: every seventh is gone. */
static void fill_compacted(sealer_world *w, uint32_t from, uint32_t to) {
    ps_batch_reset(&w->batch);
    w->batch.ticket = ++w->ticket;
    for (uint32_t i = from; i < to; i++) {
        world_row row;
        if (i % 7 == 0) continue;
        world_row_of(i, &row);
        assert_int_equal(ps_batch_append(&w->batch, &row.record), PS_OK);
        ps_batch_position(&w->batch, row.record.partition, row.record.offset + 1);
    }
    test_plan_run(w->plan, &w->batch, NULL);
}

/* The size of a log whose files agree with each other. */
static uint64_t verified(const sealer_world *w, uint32_t partition) {
    char path[256];
    ps_seal_folder *folder;
    ps_verify_report report;
    ps_error why = {.message = ""};
    const ps_verify_watch watch = {.context = NULL};
    (void)snprintf(path, sizeof path, "%s/in/%u", w->logs, partition);
    assert_int_equal(ps_seal_folder_open(path, false, &folder, NULL), PS_OK);
    if (ps_verify_folder(folder, NULL, &watch, &report, &why) != PS_OK) fail_msg("%s", why.message);
    ps_seal_folder_close(folder);
    return report.tree.size;
}

static void expect_ok(const sealer_world *w, ps_status status) {
    if (status != PS_OK) fail_msg("%s", w->error.message);
}

/* Breaks when tiles of a transaction that was aborted stop the log, because their rows come again
 * as others: in the same worker, and in the next. */
static void rows_of_an_aborted_transaction_may_come_as_others(void **state) {
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        sealer_world *w = world_open();
        world_restore_all(w);
        world_feed(w, 0, 3000, 1000, 1);
        world_finish(w);
        world_fill(w, 3000, 9000);
        expect_ok(w, world_seal(w));
        world_abort(w);
        if (killed != 0) {
            w->sealer->close(w->self);
            assert_true(has_file(w, "0/tile/entries/016"));
            assert_int_equal(world_open_sealer(w), PS_OK);
        }
        world_restore_all(w);
        assert_false(has_file(w, "0/tile/entries/016"));
        fill_compacted(w, 3000, 9000);
        expect_ok(w, world_seal(w));
        world_commit(w);
        world_finish(w);
        assert_true(verified(w, 0) > 1500 && verified(w, 0) < 4500);
        world_close(w);
    }
}

/* Breaks when a file is taken for the log's because it has the length: what lies behind the
 * checkpoint is written anew from the topic. */
static void files_behind_the_checkpoint_are_made_anew(void **state) {
    sealer_world *w = world_open();
    char path[256];
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 3000, 1000, 1);
    world_finish(w);
    world_feed(w, 3000, 9000, 1000, 1);
    w->sealer->close(w->self);
    path_of(w, "0/tile/0/009", path);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "of another transaction", 22, 300), 22);
    (void)close(fd);
    assert_int_equal(world_open_sealer(w), PS_OK);
    expect_ok(w, world_restore(w, 0));
    expect_ok(w, world_restore(w, 1));
    world_finish(w);
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 9000);
    world_close(w);
}

/* Breaks when a worker that wakes up beside its heir puts its older checkpoint in the place of the
 * heir's. */
static void a_checkpoint_never_goes_back(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 3000, 1000, 1);
    world_finish(w);
    world_feed(w, 3000, 4000, 1000, 1); /* committed, and not signed: stopped here */
    void *stopped = w->self;
    assert_int_equal(world_open_sealer(w), PS_OK);
    world_restore_all(w);
    world_feed(w, 4000, 6000, 1000, 1);
    world_finish(w);
    w->sealer->close(w->self);
    w->self = stopped;
    world_finish(w); /* it wakes up */
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 6000);
    world_close(w);
}

/* A checkpoint of this log's key, over another tree. */
static void sign_tree(const sealer_world *w, const ps_tree *tree) {
    ps_signer key, signer;
    char path[256], note[PS_CHECKPOINT_MAX];
    size_t length = 0;
    assert_int_equal(ps_secret_key_read(w->key, &key, NULL), PS_OK);
    assert_int_equal(
        ps_signer_of_seed("example.org/audit/c1/in/t1/0", PS_KEY_ED25519, key.seed, &signer, NULL),
        PS_OK);
    assert_int_equal(ps_checkpoint_sign(tree, &signer, note, &length, NULL), PS_OK);
    path_of(w, "0/checkpoint", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(note, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Breaks when a second history is signed over one that is there: smaller, and as large. */
static void two_histories_are_not_signed(void **state) {
    (void)state;
    for (uint64_t size = 1700; size <= 2000; size += 300) {
        sealer_world *w = world_open();
        const ps_tree other = {.size = size, .root = {{1, 2, 3}}};
        world_restore_all(w);
        world_feed(w, 0, 3000, 1000, 1);
        world_finish(w);
        world_feed(w, 3000, 4000, 1000, 1);
        sign_tree(w, &other);
        ps_status status;
        while ((status = w->sealer->finish(w->self, &w->error)) == PS_AGAIN) (void)usleep(200);
        assert_int_equal(status, PS_TAMPERED);
        assert_non_null(strstr(w->error.message, "another history"));
        world_close(w);
    }
}

/* Of each name the newest. */
static void compact(sealer_world *w) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->records; i++) {
        bool newest = true;
        for (uint32_t k = i + 1; newest && k < w->records; k++)
            newest = strcmp(w->record[i].key, w->record[k].key) != 0;
        if (newest)
            w->record[kept++] = w->record[i];
        else
            free(w->record[i].value);
    }
    w->records = kept;
}

/* Breaks when, at least once, a worker that died has put a full tile in the place of the one that
 * the log goes on from, and that stops the log. */
static void a_wider_tile_will_do(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 3000, 1000, 1);
    world_finish(w);
    world_fill(w, 3000, 9000);
    expect_ok(w, world_seal(w));
    w->records += w->pending; /* and where the logs stand was not said */
    w->pending = 0;
    world_abort(w);
    compact(w);
    expect_ok(w, world_restore(w, 0));
    expect_ok(w, world_restore(w, 1));
    world_feed(w, 3000, 10000, 777, 3);
    world_commit(w);
    world_finish(w);
    for (uint32_t p = 0; p < WORLD_LOGS; p++) world_expect_log(w, p, 10000);
    world_close(w);
}

/* Breaks when a file is written before the log is known to be this one. */
static void no_file_is_written_for_another_log(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 6000, 2000, 1);
    world_finish(w);
    w->sealer->close(w->self);
    lose(w, "0/checkpoint");
    lose(w, "0/tile/0/003");
    world_name(w, "t2");
    assert_int_equal(world_open_sealer(w), PS_OK);
    expect_ok(w, w->sealer->begin(w->self, 0, &w->error));
    assert_int_equal(world_read(w, 0, WORLD_RECORDS), PS_TAMPERED);
    assert_non_null(strstr(w->error.message, "made anew"));
    assert_false(has_file(w, "0/tile/0/003"));
    assert_true(has_file(w, "0/tile/0/004"));
    world_close(w);
}

/* ---- a log of 10^9 entries, all the same ---- */

static void put_record(sealer_world *w, const char *key, const uint8_t *value, size_t length) {
    world_record *to = &w->record[w->records++];
    (void)snprintf(to->key, sizeof to->key, "in/0/%s", key);
    to->length = (uint32_t)length;
    to->value = malloc(length);
    memcpy(to->value, value, length);
}

static void put_tile(sealer_world *w, int32_t level, uint64_t index, uint32_t width,
                     const ps_hash node[]) {
    static uint8_t bytes[PS_SEALED_BUNDLE];
    char path[PS_TILE_PATH_MAX];
    const bool entries = level == PS_TILE_ENTRIES;
    const ps_tile whole = {level, PS_TILE_WIDTH, index};
    memset(bytes, 0, sizeof bytes);
    for (uint32_t i = 0; entries && i < width; i++)
        (void)ps_wide_put(bytes + i * PS_SEALED_BYTES, PS_SEAL_ENTRY_BYTES, 2);
    for (uint32_t i = 0; !entries && i < width; i++)
        memcpy(bytes + i * PS_NODE_BYTES, &node[level * PS_TILE_HEIGHT], PS_NODE_BYTES);
    put_record(w, ps_tile_path(&whole, path), bytes,
               width * (size_t)(entries ? PS_SEALED_BYTES : PS_NODE_BYTES));
}

static ps_frontier frontier_of(uint64_t size, const ps_hash node[]) {
    ps_frontier frontier = {.size = size};
    for (uint64_t left = size; left != 0; left &= left - 1) {
        const int level = __builtin_ctzll(left);
        memcpy(frontier.node[level], &node[level], PS_NODE_BYTES);
    }
    return frontier;
}

/* The end of its topic: nothing else is there, but for the checkpoint. */
static void put_large(sealer_world *w, uint64_t shown, uint64_t size) {
    static const uint8_t entry[PS_SEAL_ENTRY_BYTES];
    ps_hash node[64];
    uint8_t bytes[PS_LOG_RECORD_MAX];
    ps_hash_leaf(entry, sizeof entry, &node[0]);
    for (int i = 1; i < 64; i++) ps_hash_node(&node[i - 1], &node[i - 1], &node[i]);
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        const uint64_t end = ps_tile_nodes(level, size);
        for (uint64_t i = ps_tile_nodes(level, shown) / PS_TILE_WIDTH; i < end / PS_TILE_WIDTH; i++)
            put_tile(w, level, i, PS_TILE_WIDTH, node);
        if (end % PS_TILE_WIDTH != 0)
            put_tile(w, level, end / PS_TILE_WIDTH, (uint32_t)(end % PS_TILE_WIDTH), node);
    }
    const ps_frontier before = frontier_of(shown, node);
    ps_log_record record = {.watermark = 0,
                            .last = -1,
                            .signed_tree = {.size = shown},
                            .origin = "example.org/audit/c1/in/t1/0",
                            .frontier = frontier_of(size, node)};
    record.origin_length = (uint32_t)strlen(record.origin);
    ps_frontier_root(&before, record.signed_tree.root.byte);
    put_record(w, "log", bytes, ps_log_record_write(&record, bytes));
    sign_tree(w, &record.signed_tree);
}

/* Breaks when a log reads more at its start than the ends of its levels: of 10^9 entries, some
 * seven files and records are there, and that must do. */
static void a_start_reads_the_ends_of_levels(void **state) {
    enum { SIZE = 1000000007, SHOWN = SIZE - 500 };
    sealer_world *w = world_open();
    char path[256];
    ps_tree shown;
    (void)state;
    world_restore_all(w);
    put_large(w, SHOWN, SIZE);
    assert_true(w->records < 16);
    expect_ok(w, world_restore(w, 0));
    expect_ok(w, world_restore(w, 1));
    world_feed(w, 0, 1000, 1000, 1);
    world_finish(w);
    (void)snprintf(path, sizeof path, "%s/in/0/checkpoint", w->logs);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*s %" SCNu64, &shown.size), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(shown.size, SIZE + 500);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_an_aborted_transaction_may_come_as_others),
        cmocka_unit_test(files_behind_the_checkpoint_are_made_anew),
        cmocka_unit_test(a_checkpoint_never_goes_back),
        cmocka_unit_test(two_histories_are_not_signed),
        cmocka_unit_test(a_wider_tile_will_do),
        cmocka_unit_test(no_file_is_written_for_another_log),
        cmocka_unit_test(a_start_reads_the_ends_of_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
