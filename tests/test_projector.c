/* SPDX-License-Identifier: Apache-2.0
 * The thread that writes a lane's logs. If these fail, it is woken for each tile, which costs more
 * than the tile; or tiles wait for ever: before a checkpoint, when the ring is full, when a
 * partition is given back, or at the end.
 */
#include "tests/seal_log.h"

#include "host/base/clock.h"
#include "host/seal/projector.h"

enum { FEW = 3, SOON_MS = 50 };

typedef struct world {
    char path[64];
    ps_wake wake;
    ps_projected log;
    ps_projector *projector;
    uint64_t tiles;
} world;

static void begin(world *w) {
    static const uint8_t seed[PS_KEY_BYTES] = {7};
    ps_error error;
    memset(w, 0, sizeof *w);
    assert_int_equal(ps_wake_init(&w->wake, &error), PS_OK);
    assert_int_equal(ps_seal_folder_open(seal_log_folder(w->path), true, &w->log.folder, &error),
                     PS_OK);
    assert_int_equal(
        ps_signer_of_seed("example.org/log", PS_KEY_ED25519, seed, &w->log.signer, &error), PS_OK);
    assert_int_equal(ps_projector_open(&w->log, NULL, &w->wake, &w->projector, &error), PS_OK);
}

static void end(world *w) {
    ps_projector_close(w->projector);
    ps_seal_folder_close(w->log.folder);
    ps_signer_deinit(&w->log.signer);
    ps_wake_deinit(&w->wake);
    seal_log_remove(w->path);
}

/* The next full ones of level 0. */
static void put(world *w, uint32_t count) {
    static const uint8_t bytes[PS_TILE_BYTES] = {1};
    for (uint32_t i = 0; i < count; i++) {
        const ps_projected_tile tile = {0, {0, PS_TILE_WIDTH, w->tiles++}, {bytes, sizeof bytes}};
        ps_projector_tile(w->projector, &tile, true);
    }
}

static bool has(const world *w, const char *name) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", w->path, name);
    return access(path, F_OK) == 0;
}

static bool has_tile(const world *w, uint64_t index) {
    char path[PS_TILE_PATH_MAX];
    return has(w, ps_tile_path(&(ps_tile){0, PS_TILE_WIDTH, index}, path));
}

static void few_are_written_with_their_checkpoint(void **state) {
    (void)state;
    world w;
    begin(&w);
    put(&w, FEW);
    (void)usleep(SOON_MS * 1000);
    assert_false(has_tile(&w, 0));
    ps_frontier frontier = {0};
    ps_projector_checkpoint(w.projector, 0, &frontier);
    for (int ms = 0; ms < 5000 && !has_tile(&w, FEW - 1); ms++) (void)usleep(1000);
    assert_true(has_tile(&w, FEW - 1));
    end(&w);
}

static void many_are_written_without_one(void **state) {
    (void)state;
    world w;
    begin(&w);
    put(&w, PS_PROJECTOR_SLOTS / 2);
    for (int ms = 0; ms < 5000 && !has_tile(&w, FEW); ms++) (void)usleep(1000);
    assert_true(has_tile(&w, FEW));
    end(&w);
}

static void who_waits_for_them_is_woken(void **state) {
    (void)state;
    world w;
    begin(&w);
    put(&w, FEW);
    const int64_t until_ns = ps_clock_ns() + 5 * PS_NS_PER_S;
    while (!ps_projector_idle(w.projector)) {
        assert_true(ps_clock_ns() < until_ns);
        ps_wake_wait(&w.wake, until_ns);
    }
    assert_true(has_tile(&w, FEW - 1));
    end(&w);
}

static void who_waits_for_room_is_woken(void **state) {
    (void)state;
    world w;
    begin(&w);
    put(&w, FEW);
    ps_projector_unwanted(w.projector);
    const int64_t until_ns = ps_clock_ns() + 5 * PS_NS_PER_S;
    while (!ps_projector_has_room(w.projector, PS_PROJECTOR_SLOTS)) {
        assert_true(ps_clock_ns() < until_ns);
        ps_wake_wait(&w.wake, until_ns);
    }
    assert_true(has_tile(&w, FEW - 1));
    end(&w);
}

/* What the transaction has not taken stays in the ring, written or not. */
static void what_is_not_sent_keeps_its_room(void **state) {
    (void)state;
    world w;
    ps_projected_tile tile;
    begin(&w);
    put(&w, PS_PROJECTOR_SLOTS);
    for (int ms = 0; ms < 5000 && !ps_projector_idle(w.projector); ms++) (void)usleep(1000);
    assert_false(ps_projector_has_room(w.projector, 1));
    for (uint64_t i = 0; i < FEW; i++) {
        assert_true(ps_projector_unsent(w.projector, &tile));
        assert_int_equal(tile.tile.index, i);
        ps_projector_sent(w.projector);
    }
    assert_true(ps_projector_has_room(w.projector, FEW));
    assert_false(ps_projector_has_room(w.projector, FEW + 1));
    end(&w);
}

static void the_last_ones_are_written_at_the_end(void **state) {
    (void)state;
    world w;
    begin(&w);
    put(&w, FEW);
    ps_projector_close(w.projector);
    w.projector = NULL;
    assert_true(has_tile(&w, FEW - 1));
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_written_with_their_checkpoint),
        cmocka_unit_test(many_are_written_without_one),
        cmocka_unit_test(who_waits_for_them_is_woken),
        cmocka_unit_test(who_waits_for_room_is_woken),
        cmocka_unit_test(what_is_not_sent_keeps_its_room),
        cmocka_unit_test(the_last_ones_are_written_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
