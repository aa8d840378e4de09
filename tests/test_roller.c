/* SPDX-License-Identifier: Apache-2.0
 * A worker's roll-up: what waits for it, what becomes of that when a disk or a witness fails, and
 * what the stage's lanes hand to it. If these fail, checkpoints are missing in the log that
 * witnesses see, or a lane waits for one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "host/base/clock.h"
#include "host/base/directory.h"
#include "host/seal/roller.h"
#include "tests/sealer_world.inc"

enum { PARTS = 3 };
static const int64_t hour_ns = 3600 * PS_NS_PER_S;

static char root[64], place[80];
static ps_signer signer, part[PARTS];

static int make_world(void **state) {
    const uint8_t seed[PS_KEY_BYTES] = {1};
    char name[64];
    ps_signer secret;
    (void)state;
    assert_int_equal(ps_signer_of_seed("example.org/audit", PS_KEY_ED25519, seed, &secret, NULL),
                     PS_OK);
    assert_int_equal(ps_rollup_signer(&secret, &signer, NULL), PS_OK);
    for (int i = 0; i < PARTS; i++) {
        (void)snprintf(name, sizeof name, "example.org/audit/c/t/id/%d", i);
        assert_int_equal(ps_signer_of_seed(name, PS_KEY_ED25519, seed, &part[i], NULL), PS_OK);
    }
    (void)snprintf(root, sizeof root, "/tmp/test_roller.XXXXXX");
    assert_non_null(mkdtemp(root));
    (void)snprintf(place, sizeof place, "%s/roll", root);
    return 0;
}

static int remove_world(void **state) {
    (void)state;
    return nftw(root, world_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static ps_roller *open_roller(int64_t interval_ns, const ps_seal_policy *policy) {
    const ps_roller_options options = {
        .rollup = {place, &signer, policy, 300}, .interval_ns = interval_ns, .partitions = PARTS};
    ps_roller *roller = NULL;
    ps_error error;
    if (ps_roller_open(&options, &roller, &error) != PS_OK) fail_msg("%s", error.message);
    return roller;
}

static void offer(ps_roller *roller, uint32_t partition, uint64_t size) {
    ps_published published = {partition, part[partition].verifier.name, {.size = size}, {NULL, 0}};
    char note[PS_CHECKPOINT_MAX];
    size_t length = 0;
    memcpy(&published.tree.root, &size, sizeof size);
    assert_int_equal(ps_checkpoint_sign(&published.tree, &part[partition], note, &length, NULL),
                     PS_OK);
    published.note = (ps_bytes){(const uint8_t *)note, (uint32_t)length};
    ps_roller_offer(roller, &published);
}

/* How many entries the roll-up in that directory has, checked as anybody would. */
static uint64_t entries_of(const char *path) {
    const ps_verify_watch watch = {.context = NULL};
    ps_seal_folder *folder;
    ps_verify_report report;
    assert_int_equal(ps_seal_folder_open(path, false, &folder, NULL), PS_OK);
    assert_int_equal(ps_verify_folder(folder, NULL, &watch, &report, NULL), PS_OK);
    ps_seal_folder_close(folder);
    return report.tree.size;
}

/* What it has signed of a partition, whether that is published or not; 0: nothing. */
static uint64_t rolled(uint32_t partition) {
    const ps_rollup_options options = {place, &signer, NULL, 0};
    const char *const name = part[partition].verifier.name;
    ps_rollup *rollup = NULL;
    ps_tree tree = {.size = 0};
    assert_int_equal(ps_rollup_open(&options, &rollup, NULL), PS_OK);
    (void)ps_rollup_find(rollup, (ps_bytes){(const uint8_t *)name, (uint32_t)strlen(name)}, &tree);
    ps_rollup_close(rollup);
    return tree.size;
}

static bool is_there(const char *name) {
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    return access(path, F_OK) == 0;
}

static void wait_for_file(const char *name) {
    for (int i = 0; i < 1000 && !is_there(name); i++) (void)usleep(10000);
    assert_true(is_there(name));
}

/* Breaks when a roll-up grows with every checkpoint of a lane, or lacks the last. */
static void newer_takes_the_place_of_older(void **state) {
    (void)state;
    ps_roller *roller = open_roller(hour_ns, NULL);
    for (uint64_t size = 1; size <= 500; size++)
        for (uint32_t p = 0; p < PARTS; p++) offer(roller, p, size + p);
    /* Of a lane that was slow: the partition is another's by now. */
    offer(roller, 1, 17);
    ps_roller_close(roller);
    for (uint32_t p = 0; p < PARTS; p++) assert_int_equal(rolled(p), 500 + p);
    /* The round before the first was offered may have met some of them. */
    assert_in_range(entries_of(place), PARTS, 2 * PARTS);
}

/* Breaks when an interval is not kept, or what is new waits for the end of the run. */
static void it_signs_once_an_interval(void **state) {
    (void)state;
    ps_roller *roller = open_roller(200 * PS_NS_PER_MS, NULL);
    offer(roller, 0, 1);
    wait_for_file("checkpoint");
    const int64_t begin_ns = ps_clock_ns();
    for (uint64_t size = 2; size <= 300; size++) {
        offer(roller, 0, size);
        (void)usleep(2000);
    }
    ps_roller_close(roller);
    const uint64_t rounds = (uint64_t)(ps_clock_ns() - begin_ns) / (200 * PS_NS_PER_MS);
    assert_int_equal(rolled(0), 300);
    assert_in_range(entries_of(place), 3, rounds + 4);
}

/* Breaks when what could not be written is forgotten, or ends the run. */
static void what_fails_is_tried_again(void **state) {
    char path[160];
    (void)state;
    assert_int_equal(mkdir(place, 0777), 0);
    (void)snprintf(path, sizeof path, "%s/tile", place);
    const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666); /* no directory: no tiles */
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    ps_roller *roller = open_roller(PS_NS_PER_MS, NULL);
    offer(roller, 0, 4);
    (void)usleep(100000);
    offer(roller, 1, 5);
    (void)usleep(100000);
    assert_false(is_there("checkpoint"));
    assert_int_equal(unlink(path), 0);
    wait_for_file("checkpoint");
    ps_roller_close(roller);
    assert_int_equal(rolled(0), 4);
    assert_int_equal(rolled(1), 5);
    assert_int_equal(entries_of(place), 2);
}

/* Breaks when a roll-up is begun anew behind its own back: a second history of one origin. */
static void it_does_not_begin_anew(void **state) {
    (void)state;
    ps_roller *roller = open_roller(PS_NS_PER_MS, NULL);
    offer(roller, 0, 9);
    wait_for_file("checkpoint");
    assert_int_equal(nftw(place, world_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    offer(roller, 1, 5);
    (void)usleep(1500000); /* it is opened anew after one second */
    assert_int_equal(access(place, F_OK), 0);
    ps_roller_close(roller);
    assert_false(is_there(".signed"));
    assert_false(is_there("checkpoint"));
}

/* Breaks when a roll-up of another history, put in the place of this one, is gone on with because
 * it is larger. */
static void it_does_not_go_on_with_another(void **state) {
    (void)state;
    ps_roller *roller = open_roller(PS_NS_PER_MS, NULL);
    offer(roller, 0, 9);
    wait_for_file("checkpoint");
    (void)usleep(50000);
    assert_int_equal(nftw(place, world_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    ps_roller *other = open_roller(PS_NS_PER_MS, NULL);
    offer(other, 1, 5);
    wait_for_file("checkpoint");
    offer(other, 1, 6);
    ps_roller_close(other);
    assert_int_equal(entries_of(place), 2);
    offer(roller, 1, 7);
    (void)usleep(1500000); /* it is opened anew after one second */
    ps_roller_close(roller);
    assert_int_equal(entries_of(place), 2);
}

/* Breaks when one log that went back keeps the others out. */
static void what_is_refused_is_left_out(void **state) {
    (void)state;
    ps_roller *roller = open_roller(PS_NS_PER_MS, NULL);
    offer(roller, 0, 9);
    ps_roller_close(roller);
    roller = open_roller(PS_NS_PER_MS, NULL);
    offer(roller, 0, 8);
    offer(roller, 1, 3);
    ps_roller_close(roller);
    assert_int_equal(rolled(0), 9);
    assert_int_equal(rolled(1), 3);
}

static void put_file(const char *name, const char *bytes) {
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(bytes, file);
    assert_int_equal(fclose(file), 0);
}

/* Breaks when tiles of a run that was killed before it signed them pass for the log's, and verify
 * finds tampering where there was none. */
static void what_was_never_signed_is_gone(void **state) {
    static const char *const left[] = {"tile/0/000.p/3",       "tile/entries/000.p/3",
                                       "tile/entries/000.p/5", "tile/0/000",
                                       "tile/0/001.p/1",       "tile/0/000.p/255"};
    (void)state;
    ps_roller *roller = open_roller(PS_NS_PER_MS, NULL);
    offer(roller, 0, 1);
    offer(roller, 1, 1);
    ps_roller_close(roller);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/tile/0/001.p", place);
    assert_int_equal(mkdir(path, 0777), 0);
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) put_file(left[i], "another entry");
    roller = open_roller(hour_ns, NULL);
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) assert_false(is_there(left[i]));
    assert_true(is_there("tile/0/000.p/2"));
    for (uint32_t p = 0; p < PARTS; p++) offer(roller, p, 2);
    ps_roller_close(roller);
    assert_int_equal(entries_of(place), 2 + PARTS);
    /* The only one that has what was signed. */
    put_file("tile/0/000", "what was signed, and more");
    (void)snprintf(path, sizeof path, "%s/tile/0/000.p/5", place);
    assert_int_equal(unlink(path), 0);
    ps_seal_folder *folder;
    assert_int_equal(ps_seal_folder_open(place, false, &folder, NULL), PS_OK);
    ps_seal_folder_cut(folder, 5);
    ps_seal_folder_close(folder);
    assert_true(is_there("tile/0/000"));
}

/* Breaks when a worker that signs once a second leaves a file for each time. */
static void partial_tiles_go_with_the_full_one(void **state) {
    (void)state;
    for (uint64_t size = 1; size <= 90; size++) {
        ps_roller *roller = open_roller(PS_NS_PER_MS, NULL);
        for (uint32_t p = 0; p < PARTS; p++) offer(roller, p, size);
        ps_roller_close(roller);
    }
    assert_int_equal(entries_of(place), 90 * PARTS);
    assert_true(is_there("tile/0/000"));
    assert_false(is_there("tile/0/000.p"));
    assert_false(is_there("tile/entries/000.p"));
}

/* A socket that takes connections and says nothing. */
static int listen_silently(uint16_t *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* One witness, which must have cosigned. */
static const ps_seal_policy *policy_of(uint16_t port) {
    const uint8_t seed[PS_KEY_BYTES] = {2};
    static char text[PS_KEY_TEXT_MAX + 80];
    static ps_seal_policy policy;
    char vkey[PS_KEY_TEXT_MAX];
    ps_signer witness;
    assert_int_equal(ps_signer_of_seed("w.example/1", PS_KEY_COSIGNATURE, seed, &witness, NULL),
                     PS_OK);
    const int length = snprintf(text, sizeof text, "witness w %s http://127.0.0.1:%u\nquorum w\n",
                                ps_verifier_text(&witness.verifier, vkey), port);
    const ps_bytes whole = {(const uint8_t *)text, (uint32_t)length};
    assert_int_equal(ps_seal_policy_parse(whole, &policy, NULL), PS_OK);
    return &policy;
}

/* Breaks when a quorum that is missing holds the next signature up. */
static void it_signs_without_its_quorum(void **state) {
    uint16_t port = 0;
    char last[160];
    (void)state;
    assert_int_equal(close(listen_silently(&port)), 0);
    ps_roller *roller = open_roller(PS_NS_PER_MS, policy_of(port));
    const int64_t begin_ns = ps_clock_ns();
    for (uint64_t size = 1; size <= 5; size++) {
        offer(roller, 0, size);
        wait_for_file(".signed");
        (void)snprintf(last, sizeof last, "%s/.signed", place);
        assert_int_equal(unlink(last), 0); /* until it is there again, signed anew */
    }
    assert_in_range(ps_clock_ns() - begin_ns, 0, 900 * PS_NS_PER_MS);
    ps_roller_close(roller);
    assert_false(is_there("checkpoint"));
}

/* Breaks when a lane, or the end of a run, waits for a witness that does not answer; or when a
 * checkpoint is published that nobody has cosigned. */
static void a_silent_witness_holds_nobody_up(void **state) {
    uint16_t port = 0;
    (void)state;
    const int fd = listen_silently(&port);
    ps_roller *roller = open_roller(PS_NS_PER_MS, policy_of(port));
    offer(roller, 0, 1);
    wait_for_file(".signed");
    int64_t slowest_ns = 0;
    for (uint64_t size = 2; size <= 100; size++) {
        const int64_t begin_ns = ps_clock_ns();
        offer(roller, 0, size);
        const int64_t took_ns = ps_clock_ns() - begin_ns;
        if (took_ns > slowest_ns) slowest_ns = took_ns;
        (void)usleep(5000);
    }
    const int64_t begin_ns = ps_clock_ns();
    ps_roller_close(roller);
    assert_in_range(ps_clock_ns() - begin_ns, 0, 5 * PS_NS_PER_S);
    assert_in_range(slowest_ns, 0, 200 * PS_NS_PER_MS); /* a question takes 300 */
    assert_false(is_there("checkpoint"));
    assert_int_equal(rolled(0), 100);
    (void)close(fd);
}

/* ---- the stage ---- */

static void share(sealer_world *w) {
    w->config.rollup = place;
    assert_int_equal(w->sealer->share(w->plan, &w->env.sealer_shared, &w->error), PS_OK);
    assert_int_equal(w->sealer->open(&w->env, &w->self, &w->error), PS_OK);
}

static void end_lane(sealer_world *w) {
    w->sealer->close(w->self);
    w->self = NULL;
    if (w->env.sealer_shared != NULL) w->sealer->unshare(w->env.sealer_shared);
    w->env.sealer_shared = NULL;
}

/* Breaks when a checkpoint that a lane has signed is in no roll-up: as it is signed, or, of a run
 * that was killed before, when the log is restored. */
static void what_lanes_sign_is_rolled_up(void **state) {
    sealer_world *w = world_open();
    (void)state;
    world_restore_all(w);
    world_feed(w, 0, 1000, 250, 1);
    world_finish(w);
    end_lane(w); /* nothing was rolled up */
    share(w);
    world_restore_all(w);
    end_lane(w);
    assert_int_equal(entries_of(place), WORLD_LOGS);
    share(w);
    world_restore_all(w);
    world_feed(w, 1000, 1500, 500, 1);
    world_fill(w, 1500, 1510);
    assert_int_equal(world_seal(w), PS_OK);
    world_abort(w);
    world_restore_all(w);
    world_finish(w);
    end_lane(w);
    world_expect_log(w, 0, 1500);
    assert_int_equal(entries_of(place), 2 * WORLD_LOGS);
    world_close(w);
}

/* Breaks when two workers write one roll-up. */
static void a_second_worker_is_refused(void **state) {
    void *second = NULL;
    sealer_world *w = world_open();
    (void)state;
    end_lane(w);
    share(w);
    assert_int_equal(w->sealer->share(w->plan, &second, &w->error), PS_FENCED);
    assert_non_null(strstr(w->error.message, "One worker rolls up"));
    assert_null(second);
    end_lane(w);
    world_close(w);
}

static void expect_plan(ps_seal_config *config, const char *words) {
    ps_plan *plan = malloc(sizeof *plan);
    ps_error error = {""};
    assert_int_equal(ps_plan_init(plan, 64, 4096, 1, NULL, NULL), PS_OK);
    const ps_status status = ps_stage_seal.plan(config, plan, &error);
    if ((status != PS_OK) != (words != NULL) || (words != NULL && !strstr(error.message, words)))
        fail_msg("dir %s, rollup %s: %s", config->dir, config->rollup, error.message);
    test_plan_close(plan);
}

/* Breaks when a roll-up may lie among the logs that it rolls up, or is refused elsewhere. */
static void it_lies_apart_from_the_logs(void **state) {
    static const struct {
        const char *dir, *rollup;
        bool good;
    } cases[] = {{"logs", "roll", true},           {"logs", "logs-roll", true},
                 {"logs", "logs", false},          {"logs", "logs/", false},
                 {"logs", "logs/a/roll", false},   {"logs/a", "logs", false},
                 {"logs", "./x/../logs/r", false}, {"logs", "link/roll", true},
                 {"there", "link/roll", false},    {"logs/a", "logs/b", true},
                 {"there/a", "link/a/b", false},   {"there/a", "link/b", true}};
    char dir[160], rollup[160];
    (void)state;
    (void)snprintf(dir, sizeof dir, "%s/there", root);
    assert_int_equal(mkdir(dir, 0777), 0);
    (void)snprintf(rollup, sizeof rollup, "%s/link", root);
    assert_int_equal(symlink(dir, rollup), 0);
    ps_seal_config config = {
        .origin = "example.org/audit", .dir = dir, .rollup = rollup, .key = "key", .logs_max = 1};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(dir, sizeof dir, "%s/%s", root, cases[i].dir);
        (void)snprintf(rollup, sizeof rollup, "%s/%s", root, cases[i].rollup);
        expect_plan(&config, cases[i].good ? NULL : "lie one in the other");
    }
    assert_true(ps_directory_is_below("/nowhere/a", "/"));
    assert_true(ps_directory_is_below("a/b", "."));
    assert_false(ps_directory_is_below("..", "."));
    config.rollup = NULL;
    config.policy = "policy";
    expect_plan(&config, "say with rollup");
    config.rollup = "";
    expect_plan(&config, "rollup: must not be empty");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, remove_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(newer_takes_the_place_of_older),
        TEST(it_signs_once_an_interval),
        TEST(what_fails_is_tried_again),
        TEST(what_is_refused_is_left_out),
        TEST(it_does_not_begin_anew),
        TEST(it_does_not_go_on_with_another),
        TEST(a_silent_witness_holds_nobody_up),
        TEST(it_signs_without_its_quorum),
        TEST(what_lanes_sign_is_rolled_up),
        TEST(what_was_never_signed_is_gone),
        TEST(partial_tiles_go_with_the_full_one),
        TEST(a_second_worker_is_refused),
        TEST(it_lies_apart_from_the_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
