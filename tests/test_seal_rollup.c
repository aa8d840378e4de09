/* SPDX-License-Identifier: Apache-2.0
 * The log of checkpoints: what it takes and refuses, when it publishes, and that it never signs two
 * trees of one size wherever it is cut. If these fail, witnesses see a fork of a log that nobody
 * has forged, or a forged one passes.
 */
#include "tests/seal_log.h"

#include <sys/wait.h>

#include "host/base/clock.h"
#include "host/seal/rollup.h"
#include "host/seal/verify.h"
#include "tests/seal_cut.h"
#include "tests/seal_fake.h"

enum { LOGS = 4 };

static ps_signer signer, partition[LOGS];
static char path[64];

static void open_rollup(const ps_seal_policy *policy, ps_rollup **out) {
    const ps_rollup_options options = {path, &signer, policy, 60000};
    ps_error error;
    if (ps_rollup_open(&options, out, &error) != PS_OK) fail_msg("%s", error.message);
}

/* Of one size a log has one root, whoever asks. */
static ps_bytes checkpoint_of(uint32_t log, uint64_t size, char text[PS_CHECKPOINT_MAX]) {
    ps_tree tree = {.size = size};
    size_t length = 0;
    memset(&tree.root, (int)log, sizeof tree.root);
    memcpy(&tree.root, &size, sizeof size);
    assert_int_equal(ps_checkpoint_sign(&tree, &partition[log], text, &length, NULL), PS_OK);
    return (ps_bytes){(const uint8_t *)text, (uint32_t)length};
}

static ps_status add(ps_rollup *rollup, uint32_t log, uint64_t size, bool *added, ps_error *error) {
    char text[PS_CHECKPOINT_MAX];
    return ps_rollup_add(rollup, checkpoint_of(log, size, text), &partition[log].verifier, added,
                         error);
}

static void must_add(ps_rollup *rollup, uint32_t log, uint64_t size, bool wanted) {
    bool added = !wanted;
    ps_error error;
    if (add(rollup, log, size, &added, &error) != PS_OK) fail_msg("%s", error.message);
    assert_int_equal(added, wanted);
}

static void count_fault(void *context, const char *file, const char *what) {
    (void)context;
    fail_msg("%s: %s", file, what);
}

/* The whole directory, with not a file too many. */
static uint64_t verify(void) {
    const ps_verify_watch watch = {.fault = count_fault, .remark = count_fault};
    ps_seal_folder *folder = NULL;
    ps_verify_report report;
    ps_error error;
    assert_int_equal(ps_seal_folder_open(path, false, &folder, NULL), PS_OK);
    if (ps_verify_folder(folder, &signer.verifier, &watch, &report, &error) != PS_OK)
        fail_msg("%s", error.message);
    ps_seal_folder_close(folder);
    return report.tree.size;
}

static void remove_file(const char *name) {
    char file[128];
    (void)snprintf(file, sizeof file, "%s/%s", path, name);
    assert_int_equal(unlink(file), 0);
}

/* Added once, in order, over starts, with its own notes and without. */
static void test_adds(void **state) {
    (void)state;
    ps_rollup *rollup = NULL, *second = NULL;
    ps_rollup_report report;
    ps_error error;
    ps_tree found;
    const ps_rollup_options options = {path, &signer, NULL, 0};
    (void)seal_log_folder(path);
    open_rollup(NULL, &rollup);
    assert_int_equal(ps_rollup_open(&options, &second, &error), PS_FENCED);
    assert_non_null(strstr(error.message, "another process"));
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.tree.size, 0);
    must_add(rollup, 0, 5, true);
    must_add(rollup, 1, 0, true);
    must_add(rollup, 0, 5, false);
    must_add(rollup, 0, 6, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.tree.size, 3);
    assert_int_equal(report.published, 3);
    assert_int_equal(report.due_ns, INT64_MAX);
    ps_rollup_close(rollup);
    assert_int_equal(verify(), 3);
    static const char *const lost[] = {"", ".origins", ".signed"};
    for (uint64_t i = 0; i < 3; i++) {
        if (i > 0) remove_file(lost[i]);
        open_rollup(NULL, &rollup);
        must_add(rollup, 0, 6 + i, false);
        must_add(rollup, 0, 7 + i, true);
        must_add(rollup, 1, 0, false);
        const ps_bytes origin = {(const uint8_t *)partition[0].verifier.name,
                                 (uint32_t)strlen(partition[0].verifier.name)};
        assert_true(ps_rollup_find(rollup, origin, &found));
        assert_int_equal(found.size, 7 + i);
        assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
        assert_int_equal(report.published, 4 + i);
        ps_rollup_close(rollup);
        assert_int_equal(verify(), 4 + i);
    }
    /* Not published: forgotten, and taken when it comes again. */
    open_rollup(NULL, &rollup);
    must_add(rollup, 2, 9, true);
    ps_rollup_close(rollup);
    open_rollup(NULL, &rollup);
    must_add(rollup, 2, 9, true);
    ps_rollup_close(rollup);
    assert_int_equal(verify(), 6);
    seal_log_remove(path);
}

/* What is no fresh checkpoint of that log. */
static void test_refuses(void **state) {
    (void)state;
    char text[PS_CHECKPOINT_MAX];
    ps_rollup *rollup = NULL;
    ps_rollup_report report;
    ps_error error;
    size_t length = 0;
    (void)seal_log_folder(path);
    open_rollup(NULL, &rollup);
    must_add(rollup, 0, 5, true);
    assert_int_equal(add(rollup, 0, 4, NULL, &error), PS_TAMPERED);
    assert_non_null(strstr(error.message, "the log went back"));
    const ps_tree other = {5, {{9}}};
    assert_int_equal(ps_checkpoint_sign(&other, &partition[0], text, &length, NULL), PS_OK);
    ps_bytes note = {(const uint8_t *)text, (uint32_t)length};
    assert_int_equal(ps_rollup_add(rollup, note, &partition[0].verifier, NULL, &error),
                     PS_TAMPERED);
    assert_non_null(strstr(error.message, "two roots"));
    note = checkpoint_of(1, 5, text);
    assert_int_equal(ps_rollup_add(rollup, note, &partition[0].verifier, NULL, &error),
                     PS_TAMPERED);
    text[note.length - 10] ^= 1;
    assert_int_equal(ps_rollup_add(rollup, note, &partition[1].verifier, NULL, &error),
                     PS_TAMPERED);
    assert_int_equal(ps_checkpoint_sign(&other, &signer, text, &length, NULL), PS_OK);
    note.length = (uint32_t)length;
    assert_int_equal(ps_rollup_add(rollup, note, &signer.verifier, NULL, &error), PS_BAD_CONFIG);
    /* A note with so many other signatures that it is no entry. */
    char *const large = calloc(1, 200000);
    note = checkpoint_of(1, 5, text);
    memcpy(large, text, note.length);
    length = note.length;
    while (length <= PS_ENTRY_BYTES_MAX)
        length += (size_t)snprintf(large + length, 1000, "\xE2\x80\x94 x%0600d AAAAAAA=\n", 0);
    assert_int_equal(ps_rollup_add(rollup, (ps_bytes){(uint8_t *)large, (uint32_t)length},
                                   &partition[1].verifier, NULL, &error),
                     PS_BAD_CONFIG);
    free(large);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.published, 1);
    ps_rollup_close(rollup);
    seal_log_remove(path);
}

/* A tile that a signed checkpoint speaks of is never replaced; what was not signed is, whatever a
 * killed writer left there. */
static void test_kept_tiles(void **state) {
    (void)state;
    ps_seal_folder *folder = NULL;
    uint8_t bytes[2 * PS_NODE_BYTES] = {1};
    (void)seal_log_folder(path);
    assert_int_equal(ps_seal_folder_open(path, false, &folder, NULL), PS_OK);
    ps_seal_folder_keep(folder, 0);
    const ps_tile_sink sink = ps_seal_folder_sink(folder);
    static const ps_tile tiles[] = {{0, 2, 0}, {1, 1, 0}, {PS_TILE_ENTRIES, 2, 0}};
    static const uint64_t sizes[] = {2, 256, 2};
    for (size_t i = 0; i < 3; i++) {
        const size_t length = tiles[i].width * PS_NODE_BYTES;
        ps_seal_folder_keep(folder, sizes[i] - 1);
        bytes[0] = 1;
        assert_int_equal(sink.put(sink.context, &tiles[i], bytes, length, NULL), PS_OK);
        bytes[0] = 2;
        assert_int_equal(sink.put(sink.context, &tiles[i], bytes, length, NULL), PS_OK);
        ps_seal_folder_keep(folder, sizes[i]);
        assert_int_equal(sink.put(sink.context, &tiles[i], bytes, length, NULL), PS_OK);
        bytes[0] = 3;
        assert_int_equal(sink.put(sink.context, &tiles[i], bytes, length, NULL), PS_TAMPERED);
    }
    ps_seal_folder_close(folder);
    seal_log_remove(path);
}

/* Whose directory it is, and what was done to it meanwhile. */
static void test_opens(void **state) {
    (void)state;
    ps_rollup *rollup = NULL;
    ps_rollup_report report;
    ps_error error;
    ps_signer other;
    ps_rollup_options options = {path, &signer, NULL, 0};
    (void)seal_log_folder(path);
    open_rollup(NULL, &rollup);
    must_add(rollup, 0, 1, true);
    must_add(rollup, 0, 2, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    ps_rollup_close(rollup);
    assert_int_equal(ps_signer_generate("other.example/rollup", PS_KEY_ED25519, &other, NULL),
                     PS_OK);
    options.signer = &other;
    assert_int_equal(ps_rollup_open(&options, &rollup, &error), PS_TAMPERED);
    options.signer = &signer;
    /* Signed with one secret, and not one history. */
    const ps_tree fork = {1, {{7}}};
    ps_seal_folder *folder = NULL;
    char text[PS_CHECKPOINT_MAX];
    size_t length = 0;
    assert_int_equal(ps_checkpoint_sign(&fork, &signer, text, &length, NULL), PS_OK);
    assert_int_equal(ps_seal_folder_open(path, false, &folder, NULL), PS_OK);
    assert_int_equal(ps_seal_folder_replace(folder, "checkpoint", text, length, NULL), PS_OK);
    ps_seal_folder_close(folder);
    assert_int_equal(ps_rollup_open(&options, &rollup, &error), PS_TAMPERED);
    assert_non_null(strstr(error.message, "two histories"));
    remove_file("checkpoint"); /* `.signed` is enough */
    open_rollup(NULL, &rollup);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.published, 2);
    ps_rollup_close(rollup);
    assert_int_equal(verify(), 2);
    remove_file("tile/0/000.p/2");
    assert_int_not_equal(ps_rollup_open(&options, &rollup, &error), PS_OK);
    seal_log_remove(path);
    static const struct {
        const char *from, *to;
    } names[] = {{"a.example/b", "a.example/b/rollup"}, {"a/rollup", "a/rollup"}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ps_signer_generate(names[i].from, PS_KEY_ED25519, &other, NULL), PS_OK);
        assert_int_equal(ps_rollup_signer(&other, &other, NULL), PS_OK);
        assert_string_equal(other.verifier.name, names[i].to);
    }
}

/* What was signed outside of one process, as a witness sees it. */
static struct {
    fake_witness fake;
    char text[2048];
    ps_seal_policy policy;
    ps_hash root[1024];
    bool seen[1024], fork;
} outside;

static size_t answer_seen(fake_witness *fake, const char *body, char *out, size_t room) {
    ps_checkpoint checkpoint;
    if (ps_checkpoint_parse(fake_text(body), &checkpoint, NULL) != PS_OK) abort();
    const uint64_t size = checkpoint.tree.size;
    outside.fork |= outside.seen[size] && !ps_hash_is(&outside.root[size], &checkpoint.tree.root);
    outside.seen[size] = true;
    outside.root[size] = checkpoint.tree.root;
    return fake_honest(fake, body, out, room);
}

static size_t answer_tired(fake_witness *fake, const char *body, char *out, size_t room) {
    (void)fake, (void)body, (void)room;
    return fake_put(out, 503, "", 0);
}

static void open_outside(void) {
    char vkey[PS_KEY_TEXT_MAX];
    memset(&outside, 0, sizeof outside);
    fake_open(&outside.fake, "witness.example/w", &signer.verifier);
    (void)snprintf(outside.text, sizeof outside.text,
                   "witness w %s http://127.0.0.1:%u/prefix\nquorum w\n",
                   ps_verifier_text(&outside.fake.key.verifier, vkey), outside.fake.port);
    const ps_bytes text = {(const uint8_t *)outside.text, (uint32_t)strlen(outside.text)};
    assert_int_equal(ps_seal_policy_parse(text, &outside.policy, NULL), PS_OK);
    outside.fake.answer = answer_seen;
}

/* `checkpoint` is what the quorum has cosigned, and nothing else ever. */
static void test_quorum(void **state) {
    (void)state;
    ps_rollup *rollup = NULL;
    ps_rollup_report report;
    ps_error error;
    (void)seal_log_folder(path);
    open_outside();
    open_rollup(&outside.policy, &rollup);
    must_add(rollup, 0, 1, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.cosigned, 1);
    assert_int_equal(verify(), 1);
    outside.fake.answer = answer_tired;
    must_add(rollup, 0, 2, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_AGAIN);
    assert_non_null(strstr(error.message, "the quorum for 2 entries is missing: w answers 503"));
    assert_int_equal(report.tree.size, 2);
    assert_int_equal(report.published, 1);
    assert_true(report.due_ns < INT64_MAX);
    assert_int_equal(verify(), 1);
    ps_rollup_close(rollup);
    outside.fake.answer = answer_seen;
    open_rollup(&outside.policy, &rollup); /* nothing was added; what was signed is asked about */
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.published, 2);
    assert_int_equal(verify(), 2);
    const uint32_t asked = outside.fake.asked;
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    ps_rollup_close(rollup);
    open_rollup(&outside.policy, &rollup);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(outside.fake.asked, asked);
    /* An earlier state of the directory, with what the witness knows by now. */
    outside.fake.seen.size = 9;
    must_add(rollup, 0, 3, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_TAMPERED);
    assert_int_equal(report.forked, 1);
    assert_non_null(strstr(error.message, "put back to an earlier state"));
    ps_rollup_stop(rollup);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_TAMPERED);
    ps_rollup_close(rollup);
    assert_int_equal(verify(), 2);
    fake_close(&outside.fake);
    seal_log_remove(path);
}

/* If this fails, an operator who asks for witnesses of what was published without them hears that
 * they have cosigned it, and auditors refuse it. */
static void test_other_policy(void **state) {
    (void)state;
    ps_rollup *rollup = NULL;
    ps_rollup_report report;
    ps_error error;
    (void)seal_log_folder(path);
    open_outside();
    open_rollup(NULL, &rollup);
    must_add(rollup, 0, 1, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    ps_rollup_close(rollup);
    outside.fake.answer = answer_tired;
    open_rollup(&outside.policy, &rollup);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_AGAIN);
    assert_non_null(strstr(error.message, "the quorum for 1 entry is missing: w answers 503"));
    assert_int_equal(report.published, 1); /* as it was, for who does without */
    ps_rollup_close(rollup);
    outside.fake.answer = answer_seen;
    open_rollup(&outside.policy, &rollup);
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK);
    assert_int_equal(report.cosigned, 1);
    ps_rollup_close(rollup);
    open_rollup(&outside.policy, &rollup);
    outside.fake.answer = answer_tired;
    assert_int_equal(ps_rollup_publish(rollup, &report, &error), PS_OK); /* it is in the file */
    ps_rollup_close(rollup);
    fake_close(&outside.fake);
    seal_log_remove(path);
}

enum { BEFORE = 250, STEPS = 2 };

/* Run `run` of a worker: its partitions have moved on, and come in an order of its own. 0: all of
 * it was published. */
static int work(uint64_t run) {
    const ps_rollup_options options = {path, &signer, &outside.policy, 60000};
    ps_rollup *rollup = NULL;
    ps_rollup_report report;
    ps_error error;
    if (ps_rollup_open(&options, &rollup, &error) != PS_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (uint64_t step = 1; step <= STEPS; step++) {
        for (uint32_t i = 0; i < LOGS; i++)
            if (add(rollup, (uint32_t)(i + run) % LOGS, run * 1000 + step, NULL, &error) != PS_OK)
                return 2;
        if (ps_rollup_publish(rollup, &report, &error) != PS_OK) {
            (void)fprintf(stderr, "%s\n", error.message);
            return 3;
        }
    }
    ps_rollup_close(rollup);
    return 0;
}

/* Each log's sizes rise, and the last ones are in it. */
static void check_entries(uint64_t size, uint64_t run) {
    ps_seal_folder *folder = NULL;
    uint64_t last[LOGS] = {0};
    uint8_t *const bytes = malloc(1 << 20);
    assert_int_equal(ps_seal_folder_open(path, false, &folder, NULL), PS_OK);
    const ps_tile_source source = ps_seal_folder_source(folder);
    for (uint64_t index = 0; index * PS_TILE_WIDTH < size; index++) {
        const ps_tile tile = ps_tile_of(PS_TILE_ENTRIES, index, size);
        size_t length = 0, at = 0;
        ps_bytes entry;
        assert_int_equal(ps_tile_load(&source, &tile, bytes, 1 << 20, &length, NULL), PS_OK);
        while (ps_bundle_next(bytes, length, &at, &entry)) {
            ps_checkpoint checkpoint;
            ps_note note;
            assert_int_equal(ps_note_parse(entry, &note, NULL), PS_OK);
            assert_int_equal(ps_checkpoint_parse(note.text, &checkpoint, NULL), PS_OK);
            const int log = checkpoint.origin.data[checkpoint.origin.length - 1] - '0';
            assert_true(checkpoint.tree.size > last[log]);
            last[log] = checkpoint.tree.size;
        }
    }
    for (int log = 0; log < LOGS; log++) assert_int_equal(last[log], run * 1000 + STEPS);
    ps_seal_folder_close(folder);
    free(bytes);
}

/* What every cut begins with: a bundle that is nearly full. */
static char kept[64];

static void keep_beginning(void) {
    ps_rollup *rollup = NULL;
    ps_rollup_report report;
    (void)seal_log_folder(path);
    open_rollup(NULL, &rollup);
    for (uint64_t i = 1; i <= BEFORE; i++) must_add(rollup, 0, i, true);
    assert_int_equal(ps_rollup_publish(rollup, &report, NULL), PS_OK);
    ps_rollup_close(rollup);
    memcpy(kept, path, sizeof kept);
}

static void begin_again(void) {
    char command[200];
    (void)snprintf(command, sizeof command, "cp -r %s/. %s", kept, seal_log_folder(path));
    assert_int_equal(system(command), 0);
    memset(outside.seen, 0, sizeof outside.seen);
    outside.fake.seen.size = 0;
}

/* Cut at call `call` of its second run: true. The third run must find what it needs. */
static bool one_cut(uint32_t call, bool power) {
    int code = 0;
    begin_again();
    const pid_t child = fork();
    if (child == 0) {
        cut_begin(path, call, power, call);
        _exit(work(1));
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    const bool was_cut = WEXITSTATUS(code) == CUT_CODE;
    if (!was_cut) assert_int_equal(WEXITSTATUS(code), 0);
    if (work(2) != 0) fail_msg("cut at %u, power %d: the next run", call, power);
    if (outside.fork) fail_msg("cut at %u, power %d: two trees of one size", call, power);
    check_entries(verify(), 2);
    seal_log_remove(path);
    return was_cut;
}

static void cut_everywhere(bool power) {
    uint32_t cuts = 0;
    keep_beginning();
    open_outside();
    while (one_cut(cuts + 1, power)) cuts++;
    assert_true(cuts > 60);
    fake_close(&outside.fake);
    seal_log_remove(kept);
}

static void test_cuts(void **state) {
    (void)state;
    cut_everywhere(false);
}

static void test_power_failures(void **state) {
    (void)state;
    cut_everywhere(true);
}

static int make_keys(void **state) {
    (void)state;
    (void)setenv("no_proxy", "*", 1);
    if (ps_signer_generate("test.example/rollup", PS_KEY_ED25519, &signer, NULL) != PS_OK) return 1;
    for (int i = 0; i < LOGS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "test.example/topic/%d", i);
        if (ps_signer_generate(name, PS_KEY_ED25519, &partition[i], NULL) != PS_OK) return 1;
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds),       cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_kept_tiles), cmocka_unit_test(test_opens),
        cmocka_unit_test(test_quorum),     cmocka_unit_test(test_other_policy),
        cmocka_unit_test(test_cuts),       cmocka_unit_test(test_power_failures),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
