/* SPDX-License-Identifier: Apache-2.0
 * The client of witnesses against one behind a socket that says whatever a witness can say, and
 * much that it cannot. If these fail, a checkpoint passes as witnessed that is not, a fork is not
 * told, or an honest witness does not get the proof that it asks for.
 */
#include "tests/seal_log.h"

#include "host/base/clock.h"
#include "host/seal/rollup.h"
#include "tests/seal_fake.h"

enum { WITNESSES = 3, TIMEOUT_MS = 20000, LATE_MS = 2000 };

typedef struct world {
    ps_signer signer;
    ps_seal_folder *folder;
    char path[64];
    fake_witness fake[WITNESSES];
    char policy_text[4096], note[PS_CHECKPOINT_MAX];
    size_t note_length;
    ps_tree tree;
    ps_seal_policy policy;
    ps_witnesses *witnesses;
    ps_tiles tiles;
} world;

static uint32_t timeout_ms = TIMEOUT_MS;

static world w;

/* The log grows, and its new checkpoint is the one to cosign. */
static void grow(uint64_t size) {
    ps_note note;
    ps_checkpoint checkpoint;
    const ps_tile_source source = ps_seal_folder_source(w.folder);
    seal_log_grow(w.folder, &w.signer, size);
    assert_int_equal(ps_seal_folder_read(w.folder, "checkpoint", (uint8_t *)w.note, sizeof w.note,
                                         &w.note_length, NULL),
                     PS_OK);
    const ps_bytes bytes = {(const uint8_t *)w.note, (uint32_t)w.note_length};
    assert_int_equal(ps_checkpoint_open(bytes, &w.signer.verifier, &note, &checkpoint, NULL),
                     PS_OK);
    w.tree = checkpoint.tree;
    ps_tiles_init(&w.tiles, &source, w.tree.size);
    ps_witnesses_begin(w.witnesses, bytes, &w.tree);
}

/* `quorum`: a line of a policy that has the witnesses a, b and c. */
static void open_world(uint32_t witnesses, const char *quorum) {
    char vkey[PS_KEY_TEXT_MAX];
    ps_error error;
    size_t used = 0;
    assert_int_equal(ps_signer_generate("test.example/log", PS_KEY_ED25519, &w.signer, NULL),
                     PS_OK);
    assert_int_equal(ps_seal_folder_open(seal_log_folder(w.path), false, &w.folder, NULL), PS_OK);
    for (uint32_t i = 0; i < witnesses; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "witness.example/%u", i);
        fake_open(&w.fake[i], name, &w.signer.verifier);
        /* One of them with a slash at the end. */
        used += (size_t)snprintf(w.policy_text + used, sizeof w.policy_text - used,
                                 "witness %c %s http://127.0.0.1:%u/prefix%s\n", 'a' + (int)i,
                                 ps_verifier_text(&w.fake[i].key.verifier, vkey), w.fake[i].port,
                                 i == 1 ? "/" : "");
    }
    (void)snprintf(w.policy_text + used, sizeof w.policy_text - used, "%s\n", quorum);
    const ps_bytes text = {(const uint8_t *)w.policy_text, (uint32_t)strlen(w.policy_text)};
    if (ps_seal_policy_parse(text, &w.policy, &error) != PS_OK) fail_msg("%s", error.message);
    if (ps_witnesses_open(&w.policy, timeout_ms, &w.witnesses, &error) != PS_OK)
        fail_msg("%s", error.message);
}

static void close_world(void) {
    for (uint32_t i = 0; i < w.policy.witnesses; i++) fake_close(&w.fake[i]);
    ps_witnesses_close(w.witnesses);
    ps_seal_folder_close(w.folder);
    seal_log_remove(w.path);
    memset(&w, 0, sizeof w);
}

/* All that are due at that time. */
static uint32_t ask_all(int64_t now_ns) {
    uint32_t asked = 0;
    ps_error error;
    ps_status status;
    while ((status = ps_witnesses_ask(w.witnesses, &w.tiles, now_ns, &error)) == PS_OK) asked++;
    if (status != PS_END) fail_msg("%s", error.message);
    return asked;
}

/* A log that grows: from nothing, by a proof from where the witness stands, and again by a client
 * that has forgotten what it asked before and learns it from 409. */
static void test_honest(void **state) {
    (void)state;
    open_world(WITNESSES, "group g 2 a b c\nquorum g");
    assert_int_equal(ask_all(0), 0); /* nothing to cosign yet */
    static const uint64_t sizes[] = {1, 2, 255, 256, 300, 301, 70000, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        grow(sizes[i]);
        assert_false(ps_witnesses_have_quorum(w.witnesses));
        assert_int_equal(ps_witnesses_ask(w.witnesses, &w.tiles, 0, NULL), PS_OK);
        assert_false(ps_witnesses_have_quorum(w.witnesses));
        assert_int_equal(ps_witnesses_ask(w.witnesses, &w.tiles, 0, NULL), PS_OK);
        assert_true(ps_witnesses_have_quorum(w.witnesses));
        assert_int_equal(ask_all(0), 1);
        assert_int_equal(w.fake[2].seen.size, sizes[i]);
        assert_int_equal(w.fake[2].asked, i + 1); /* nobody had to say where it stands */
        ps_note note;
        assert_int_equal(ps_note_parse(ps_witnesses_note(w.witnesses), &note, NULL), PS_OK);
        assert_int_equal(note.lines, 1 + WITNESSES);
        assert_int_equal(ps_note_verify(&note, &w.signer.verifier, NULL), PS_NOTE_SIGNED);
        for (int k = 0; k < WITNESSES; k++)
            assert_int_equal(ps_note_verify(&note, &w.fake[k].key.verifier, NULL), PS_NOTE_SIGNED);
    }
    /* A client without a memory, and one that reads what was published. */
    for (int recalls = 0; recalls < 2; recalls++) {
        uint8_t kept[PS_COSIGNED_MAX];
        const ps_bytes note = ps_witnesses_note(w.witnesses);
        const ps_bytes published = {kept, note.length};
        const ps_tree tree = w.tree;
        memcpy(kept, note.data, note.length);
        ps_witnesses_close(w.witnesses);
        assert_int_equal(ps_witnesses_open(&w.policy, TIMEOUT_MS, &w.witnesses, NULL), PS_OK);
        grow(tree.size + 10);
        if (recalls) ps_witnesses_recall(w.witnesses, published, &tree);
        const uint32_t before = w.fake[0].asked;
        assert_int_equal(ask_all(0), WITNESSES);
        assert_int_equal(w.fake[0].asked - before, recalls ? 1 : 2);
        assert_true(ps_witnesses_have_quorum(w.witnesses));
    }
    /* What was published is what is to be cosigned: nobody is asked again. */
    uint8_t kept[PS_COSIGNED_MAX];
    const ps_bytes note = ps_witnesses_note(w.witnesses);
    memcpy(kept, note.data, note.length);
    grow(w.tree.size);
    assert_false(ps_witnesses_have_quorum(w.witnesses));
    ps_witnesses_recall(w.witnesses, (ps_bytes){kept, note.length}, &w.tree);
    assert_true(ps_witnesses_have_quorum(w.witnesses));
    assert_int_equal(ask_all(0), 0);
    close_world();
}

/* A status, and words of its own. */
static struct {
    unsigned code;
    const char *words;
} plain;

static size_t answer_plain(fake_witness *fake, const char *body, char *out, size_t room) {
    (void)fake, (void)body, (void)room;
    return fake_put(out, plain.code, plain.words, strlen(plain.words));
}
static size_t answer_302(fake_witness *fake, const char *body, char *out, size_t room) {
    (void)fake, (void)body, (void)room;
    static const char moved[] =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    memcpy(out, moved, sizeof moved - 1);
    return sizeof moved - 1;
}
static size_t answer_409_same(fake_witness *fake, const char *body, char *out, size_t room) {
    (void)fake, (void)room;
    return strncmp(body, "old 300\n", 8) == 0 ? fake_put(out, 409, "300\n", 4)
                                              : fake_put(out, 409, "300", 3);
}
static size_t answer_409_again(fake_witness *fake, const char *body, char *out, size_t room) {
    char size[16];
    (void)body, (void)room;
    (void)snprintf(size, sizeof size, "%u\n", 10 + atomic_load(&fake->asked) % 100);
    return fake_put(out, 409, size, strlen(size));
}
static size_t answer_nothing(fake_witness *fake, const char *body, char *out, size_t room) {
    (void)fake, (void)body, (void)out, (void)room;
    return 0;
}
static size_t answer_late(fake_witness *fake, const char *body, char *out, size_t room) {
    const struct timespec pause = {.tv_sec = LATE_MS / 1000, .tv_nsec = 300000000};
    (void)nanosleep(&pause, NULL);
    return fake_honest(fake, body, out, room);
}
/* Half of what the head promises. */
static size_t answer_cut(fake_witness *fake, const char *body, char *out, size_t room) {
    return fake_honest(fake, body, out, room) - 20;
}
static size_t answer_empty(fake_witness *fake, const char *body, char *out, size_t room) {
    (void)fake, (void)body, (void)room;
    return fake_put(out, 200, "", 0);
}
static size_t answer_large(fake_witness *fake, const char *body, char *out, size_t room) {
    static char many[PS_WITNESS_ANSWER_MAX + 1];
    (void)fake, (void)body, (void)room;
    memset(many, 'a', sizeof many);
    return fake_put(out, 200, many, sizeof many);
}
/* The last newline is missing, with a length that fits. */
static size_t answer_no_end(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    (void)room;
    return fake_put(out, 200, line, fake_line(&fake->key, fake_text(body), 1700000000, line) - 1);
}
static size_t answer_forged(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    (void)room;
    const size_t length = fake_line(&fake->key, fake_text(body), 1700000000, line);
    line[length - 30] = line[length - 30] == 'A' ? 'B' : 'A';
    return fake_put(out, 200, line, length);
}
/* A good signature of another text. */
static size_t answer_other_text(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    (void)body, (void)room;
    const ps_bytes text = {(const uint8_t *)"test.example/log\n1\nAA\n", 22};
    return fake_put(out, 200, line, fake_line(&fake->key, text, 1700000000, line));
}
static size_t answer_stranger(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    ps_signer other;
    (void)room;
    /* The same name, another key. */
    if (ps_signer_generate(fake->key.verifier.name, PS_KEY_COSIGNATURE, &other, NULL) != PS_OK)
        abort();
    return fake_put(out, 200, line, fake_line(&other, fake_text(body), 1700000000, line));
}
static size_t answer_no_time(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    (void)room;
    return fake_put(out, 200, line, fake_line(&fake->key, fake_text(body), 0, line));
}
static size_t answer_tomorrow(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    (void)room;
    const uint64_t time_s = (uint64_t)(ps_clock_wall_ms() / 1000) + 86400;
    return fake_put(out, 200, line, fake_line(&fake->key, fake_text(body), time_s, line));
}
static size_t answer_end_of_time(fake_witness *fake, const char *body, char *out, size_t room) {
    char line[PS_NOTE_LINE_MAX];
    (void)room;
    return fake_put(out, 200, line, fake_line(&fake->key, fake_text(body), UINT64_MAX, line));
}
/* Would make the text longer by a line, for who splits it at the last empty one. */
static size_t answer_longer_text(fake_witness *fake, const char *body, char *out, size_t room) {
    char lines[2 * PS_NOTE_LINE_MAX + 2];
    (void)room;
    size_t length = fake_line(&fake->key, fake_text(body), 1700000000, lines);
    lines[length++] = '\n';
    length += fake_line(&fake->key, fake_text(body), 1700000000, lines + length);
    return fake_put(out, 200, lines, length);
}
/* A stranger's line, a forged one and one of old: the good one counts. */
static size_t answer_many(fake_witness *fake, const char *body, char *out, size_t room) {
    char lines[4 * PS_NOTE_LINE_MAX];
    ps_signer other;
    (void)room;
    if (ps_signer_generate("witness.example/x", PS_KEY_COSIGNATURE, &other, NULL) != PS_OK) abort();
    size_t length = fake_line(&other, fake_text(body), 1700000000, lines);
    length += fake_line(&fake->key, fake_text(body), 1700000000, lines + length);
    lines[length - 30] = lines[length - 30] == 'A' ? 'B' : 'A';
    length += fake_line(&fake->key, fake_text(body), 5, lines + length);
    return fake_put(out, 200, lines, length);
}

static const struct {
    fake_answer *answer;
    ps_witness_verdict verdict;
    const char *why;
    unsigned code; /* of answer_plain */
    const char *words;
} answers[] = {
    {answer_plain, PS_WITNESS_REFUSED, "its operator must add the origin", 404, ""},
    {answer_plain, PS_WITNESS_REFUSED, "does not know this log's key", 403, ""},
    {answer_plain, PS_WITNESS_REFUSED, "answers 400, which it must not: ?[31mno", 400,
     "\x1b[31mno\nsecond"},
    {answer_302, PS_WITNESS_REFUSED, "answers 302", 0, NULL},
    {answer_plain, PS_WITNESS_FORKED, "the 300 entries that it has cosigned are not the beginning",
     422, ""},
    {answer_plain, PS_WITNESS_NO_ANSWER, "answers 500: tired", 500, "tired"},
    {answer_plain, PS_WITNESS_BAD_ANSWER, "without saying what size", 409, "007\n"},
    {answer_plain, PS_WITNESS_FORKED, "has cosigned 1000 entries of this log, which has 310", 409,
     "1000\n"},
    {answer_409_same, PS_WITNESS_BAD_ANSWER, "without saying what size", 0, NULL},
    {answer_409_again, PS_WITNESS_BAD_ANSWER, "another size whenever it is asked", 0, NULL},
    {answer_nothing, PS_WITNESS_NO_ANSWER, "no answer: ", 0, NULL},
    {answer_late, PS_WITNESS_NO_ANSWER, "no answer: ", 0, NULL},
    {answer_cut, PS_WITNESS_NO_ANSWER, "no answer: ", 0, NULL},
    {answer_empty, PS_WITNESS_BAD_ANSWER, "not a signed note", 0, NULL},
    {answer_large, PS_WITNESS_BAD_ANSWER, "more than 65536 bytes", 0, NULL},
    {answer_no_end, PS_WITNESS_BAD_ANSWER, "last line does not end", 0, NULL},
    {answer_forged, PS_WITNESS_BAD_ANSWER, "does not fit the checkpoint", 0, NULL},
    {answer_other_text, PS_WITNESS_BAD_ANSWER, "does not fit the checkpoint", 0, NULL},
    {answer_stranger, PS_WITNESS_BAD_ANSWER, "is the policy's key the right one?", 0, NULL},
    {answer_no_time, PS_WITNESS_BAD_ANSWER, "its clock is wrong", 0, NULL},
    {answer_tomorrow, PS_WITNESS_BAD_ANSWER, "its clock is wrong", 0, NULL},
    {answer_end_of_time, PS_WITNESS_BAD_ANSWER, "its clock is wrong", 0, NULL},
    {answer_longer_text, PS_WITNESS_BAD_ANSWER, "an empty line", 0, NULL},
    {answer_many, PS_WITNESS_COSIGNED, "", 0, NULL},
};

/* Whatever it answers: the verdict, the words, and no line in the note that its key has not made
 * for this text. */
static void test_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        timeout_ms = answers[i].answer == answer_late ? LATE_MS : TIMEOUT_MS;
        open_world(1, "quorum a");
        grow(300);
        assert_int_equal(ask_all(0), 1);
        w.fake[0].answer = answers[i].answer;
        plain.code = answers[i].code;
        plain.words = answers[i].words;
        grow(310);
        assert_int_equal(ask_all(0), 1);
        const ps_witness *const one = ps_witnesses_at(w.witnesses, 0);
        if (one->verdict != answers[i].verdict || strstr(one->why, answers[i].why) == NULL)
            fail_msg("%zu: %d: %s", i, one->verdict, one->why);
        ps_note note;
        assert_int_equal(ps_note_parse(ps_witnesses_note(w.witnesses), &note, NULL), PS_OK);
        const bool cosigned = one->verdict == PS_WITNESS_COSIGNED;
        assert_int_equal(note.lines, cosigned ? 2 : 1);
        assert_int_equal(ps_witnesses_have_quorum(w.witnesses), cosigned);
        if (cosigned) assert_int_equal(one->time_s, 5);
        close_world();
    }
}

/* Two histories of one size. */
static void test_fork(void **state) {
    (void)state;
    open_world(1, "quorum a");
    grow(300);
    w.fake[0].seen = (ps_tree){300, {{1}}};
    assert_int_equal(ask_all(0), 1);
    const ps_witness *const one = ps_witnesses_at(w.witnesses, 0);
    assert_int_equal(one->verdict, PS_WITNESS_FORKED);
    assert_non_null(strstr(one->why, "two histories"));
    assert_int_equal(ps_witnesses_due(w.witnesses), INT64_MAX);
    grow(310); /* not even a larger tree is shown to it */
    assert_int_equal(ask_all(PS_NS_PER_S * 1000), 0);
    close_world();
}

/* Tiles that were changed are no fork: the witness is not asked. */
static void test_changed_tiles(void **state) {
    (void)state;
    char file[128];
    open_world(1, "quorum a");
    grow(200);
    assert_int_equal(ask_all(0), 1);
    grow(300);
    (void)snprintf(file, sizeof file, "%s/tile/0/000", w.path);
    FILE *const tile = fopen(file, "r+b");
    assert_non_null(tile);
    assert_int_equal(fputc('x', tile), 'x');
    assert_int_equal(fclose(tile), 0);
    assert_int_equal(ps_witnesses_ask(w.witnesses, &w.tiles, 0, NULL), PS_TAMPERED);
    assert_int_equal(w.fake[0].asked, 1);
    close_world();
}

/* One that fails is asked less and less often, behind those that answer, and at once for a
 * checkpoint after it has answered again. */
static void test_back_off(void **state) {
    (void)state;
    open_world(2, "group g any a b\nquorum g");
    plain.code = 500;
    plain.words = "";
    w.fake[0].answer = answer_plain;
    grow(10);
    assert_int_equal(ask_all(0), 2);
    assert_true(ps_witnesses_have_quorum(w.witnesses));
    int64_t now_ns = 0, waits_s[9];
    for (int i = 0; i < 9; i++) {
        const int64_t due_ns = ps_witnesses_due(w.witnesses);
        waits_s[i] = (due_ns - now_ns) / PS_NS_PER_S;
        assert_int_equal(ask_all(due_ns - 1), 0);
        now_ns = due_ns;
        assert_int_equal(ask_all(now_ns), 1);
    }
    static const int64_t wanted_s[9] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    assert_memory_equal(waits_s, wanted_s, sizeof waits_s);
    w.fake[0].answer = NULL;
    grow(20);
    now_ns += 60 * PS_NS_PER_S; /* both are due */
    assert_int_equal(ps_witnesses_ask(w.witnesses, &w.tiles, now_ns, NULL), PS_OK);
    assert_int_equal(w.fake[1].seen.size, 20);
    assert_int_equal(w.fake[0].seen.size, 0);
    assert_int_equal(ask_all(now_ns), 1);
    assert_int_equal(ps_witnesses_due(w.witnesses), INT64_MAX);
    w.fake[0].answer = answer_plain; /* as if for the first time */
    grow(30);
    assert_int_equal(ask_all(now_ns), 2);
    assert_int_equal(ps_witnesses_due(w.witnesses), now_ns + PS_NS_PER_S);
    close_world();
}

/* Policies that cannot be asked: no URL, one that is none, nobody there. */
static void test_nobody(void **state) {
    (void)state;
    open_world(1, "quorum a");
    grow(10);
    static const struct {
        const char *url, *why;
        ps_witness_verdict verdict;
    } change[] = {{"", "", PS_WITNESS_WAITING},
                  {"ftp://127.0.0.1/x", "no http or https URL", PS_WITNESS_REFUSED},
                  {"file:///etc/passwd", "no http or https URL", PS_WITNESS_REFUSED},
                  {"http://127.0.0.1:1", "no answer", PS_WITNESS_NO_ANSWER}};
    for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
        ps_seal_policy policy = w.policy;
        policy.witness_url[0] =
            (ps_bytes){(const uint8_t *)change[i].url, (uint32_t)strlen(change[i].url)};
        ps_witnesses_close(w.witnesses);
        assert_int_equal(ps_witnesses_open(&policy, TIMEOUT_MS, &w.witnesses, NULL), PS_OK);
        grow(10);
        assert_int_equal(ask_all(0), change[i].url[0] != '\0');
        const ps_witness *const one = ps_witnesses_at(w.witnesses, 0);
        assert_int_equal(one->verdict, change[i].verdict);
        if (strstr(one->why, change[i].why) == NULL) fail_msg("%s", one->why);
    }
    close_world();
}

static size_t answer_slow(fake_witness *fake, const char *body, char *out, size_t room) {
    const struct timespec pause = {.tv_nsec = 20000000};
    (void)nanosleep(&pause, NULL);
    return fake_honest(fake, body, out, room);
}

typedef struct publisher {
    ps_rollup *rollup;
    atomic_bool is_done;
    ps_status status;
    ps_rollup_report report;
} publisher;

static void *publish_all(void *context) {
    publisher *const p = context;
    while (!atomic_load(&p->is_done)) {
        p->status = ps_rollup_publish(p->rollup, &p->report, NULL);
        if (p->status != PS_OK) break;
    }
    return NULL;
}

/* Who adds does not wait for who asks: a slow witness holds no checkpoint up. */
static void test_side_by_side(void **state) {
    (void)state;
    enum { ADDS = 100 };
    char path[64], text[PS_CHECKPOINT_MAX];
    ps_signer signer;
    publisher p = {.is_done = false};
    pthread_t thread;
    open_world(1, "quorum a");
    grow(1);
    assert_int_equal(ps_rollup_signer(&w.signer, &signer, NULL), PS_OK);
    w.fake[0].log = signer.verifier;
    w.fake[0].answer = answer_slow;
    const ps_rollup_options options = {seal_log_folder(path), &signer, &w.policy, 5000};
    assert_int_equal(ps_rollup_open(&options, &p.rollup, NULL), PS_OK);
    assert_int_equal(pthread_create(&thread, NULL, publish_all, &p), 0);
    int64_t worst_ns = 0;
    for (uint64_t i = 1; i <= ADDS; i++) {
        ps_tree tree = {.size = i}, found;
        size_t length = 0;
        ps_error error;
        const struct timespec pause = {.tv_nsec = 1000000};
        (void)nanosleep(&pause, NULL);
        assert_int_equal(ps_checkpoint_sign(&tree, &w.signer, text, &length, NULL), PS_OK);
        const int64_t begin_ns = ps_clock_ns();
        if (ps_rollup_add(p.rollup, (ps_bytes){(uint8_t *)text, (uint32_t)length},
                          &w.signer.verifier, NULL, &error) != PS_OK)
            fail_msg("%s", error.message);
        const ps_bytes origin = {(const uint8_t *)w.signer.verifier.name,
                                 (uint32_t)strlen(w.signer.verifier.name)};
        assert_true(ps_rollup_find(p.rollup, origin, &found));
        assert_int_equal(found.size, i);
        const int64_t took_ns = ps_clock_ns() - begin_ns;
        if (took_ns > worst_ns) worst_ns = took_ns;
    }
    atomic_store(&p.is_done, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(p.status, PS_OK);
    assert_int_equal(ps_rollup_publish(p.rollup, &p.report, NULL), PS_OK);
    assert_int_equal(p.report.published, ADDS);
    assert_true(w.fake[0].asked > 1);
    print_message("the longest add took %.1f ms\n", (double)worst_ns / 1e6);
    ps_rollup_close(p.rollup);
    seal_log_remove(path);
    close_world();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),       cmocka_unit_test(test_answers),
        cmocka_unit_test(test_fork),         cmocka_unit_test(test_changed_tiles),
        cmocka_unit_test(test_back_off),     cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_side_by_side),
    };
    (void)setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
