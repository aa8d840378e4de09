/* SPDX-License-Identifier: Apache-2.0
 * Keys, signed notes, checkpoints, cosignatures, proof files and policies against vectors that
 * nobody here made (tests/golden/tlog): if these fail, others refuse what we sign, or we believe
 * what nobody has signed.
 */
#include "tests/seal_golden.h"

#include "host/seal/cosignature.h"
#include "host/seal/key.h"
#include "host/seal/policy.h"
#include "host/seal/proof_file.h"

static ps_note note; /* too large for a stack */

static ps_bytes text_of(const char *text) {
    return (ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static void check_signing(char *field[GOLDEN_FIELDS]) {
    ps_signer signer;
    char line[PS_NOTE_LINE_MAX], again[PS_KEY_TEXT_MAX];
    size_t length;
    const ps_bytes text = golden_bytes(field[3]), wanted = golden_bytes(field[4]);
    assert_int_equal(ps_signer_parse(field[2], strlen(field[2]), &signer, NULL), PS_OK);
    assert_string_equal(ps_signer_text(&signer, again), field[2]);
    assert_int_equal(ps_note_sign(text, &signer, 0, line, &length, NULL), PS_OK);
    assert_int_equal(text.length + 1 + length, wanted.length);
    assert_memory_equal(wanted.data, text.data, text.length);
    assert_memory_equal(wanted.data + text.length + 1, line, length);
    free((void *)(uintptr_t)text.data);
    free((void *)(uintptr_t)wanted.data);
}

static bool opens(char *keys, ps_bytes text) {
    ps_verifier verifier[4];
    uint32_t count = 0;
    for (char *at = keys; *at != '\0'; count++) {
        char vkey[PS_KEY_TEXT_MAX];
        const size_t length = strcspn(at, ",");
        assert_int_equal(ps_verifier_parse(at, length, &verifier[count], NULL), PS_OK);
        assert_int_equal(strlen(ps_verifier_text(&verifier[count], vkey)), length);
        assert_memory_equal(vkey, at, length);
        at += length + (at[length] == ',');
    }
    return ps_note_open(text, verifier, count, &note, NULL) == PS_OK;
}

static void test_published_notes(void **state) {
    (void)state;
    size_t length;
    char *const file = golden_file(GOLDEN "notes.tsv", &length), *rest = file;
    char *field[GOLDEN_FIELDS];
    uint32_t cases = 0;
    for (; golden_next(&rest, field); cases++) {
        ps_verifier verifier;
        ps_checkpoint checkpoint;
        if (strcmp(field[0], "sign") == 0) {
            check_signing(field);
        } else if (strcmp(field[0], "vkey") == 0) {
            assert_int_equal(ps_verifier_parse(field[2], strlen(field[2]), &verifier, NULL),
                             PS_BAD_CONFIG);
        } else {
            const ps_bytes text = golden_bytes(field[3]);
            if (strcmp(field[0], "checkpoint") == 0) {
                assert_int_equal(ps_note_parse(text, &note, NULL), PS_OK);
                assert_int_equal(ps_checkpoint_parse(note.text, &checkpoint, NULL), PS_OK);
                assert_int_equal(checkpoint.tree.size, 20852163);
            } else if (opens(field[2], text) != (field[1][0] == '1')) {
                fail_msg("%s", field[4]);
            }
            free((void *)(uintptr_t)text.data);
        }
    }
    assert_int_equal(cases, 17);
    free(file);
}

static void test_ed25519(void **state) {
    (void)state;
    size_t length;
    char *const file = golden_file(GOLDEN "ed25519.tsv", &length), *rest = file;
    char *field[GOLDEN_FIELDS];
    uint32_t cases = 0;
    for (; golden_next(&rest, field); cases++) {
        const ps_bytes key = golden_bytes(field[1]), message = golden_bytes(field[2]),
                       signature = golden_bytes(field[3]);
        assert_int_equal(key.length, PS_KEY_BYTES);
        /* A note's signature of another length is refused before this. */
        const bool good = signature.length == PS_SIGNATURE_BYTES &&
                          ps_ed25519_verify(key.data, message.data, message.length, signature.data);
        if (good != (field[0][0] == '1')) fail_msg("test %s: %d", field[4], good);
        free((void *)(uintptr_t)key.data);
        free((void *)(uintptr_t)message.data);
        free((void *)(uintptr_t)signature.data);
    }
    assert_int_equal(cases, 75);
    free(file);
}

/* All sixteen, by the key of that log; and by no other. */
static void test_tessera_checkpoints(void **state) {
    (void)state;
    size_t length;
    ps_verifier log, other;
    char *vkey = golden_file(GOLDEN "tessera15/VKEY", &length);
    ps_signer signer;
    assert_int_equal(ps_verifier_parse(vkey, strcspn(vkey, "\n"), &log, NULL), PS_OK);
    assert_int_equal(ps_signer_generate(log.name, PS_KEY_ED25519, &signer, NULL), PS_OK);
    other = signer.verifier;
    for (uint32_t size = 0; size <= 15; size++) {
        char path[80];
        ps_checkpoint checkpoint;
        (void)snprintf(path, sizeof path, GOLDEN "tessera15/checkpoint.%u", size);
        char *const bytes = golden_file(path, &length);
        const ps_bytes text = {(uint8_t *)bytes, (uint32_t)length};
        assert_int_equal(ps_checkpoint_open(text, &log, &note, &checkpoint, NULL), PS_OK);
        assert_int_equal(checkpoint.tree.size, size);
        assert_int_equal(ps_checkpoint_open(text, &other, &note, &checkpoint, NULL), PS_TAMPERED);
        /* No bit of it may turn unseen. */
        for (size_t bit = 0; bit < length * 8; bit++) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
            assert_int_equal(ps_checkpoint_open(text, &log, &note, &checkpoint, NULL), PS_TAMPERED);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        }
        free(bytes);
    }
    ps_signer_deinit(&signer);
    free(vkey);
}

/* The limits of golang/mod's note.Open that its vectors do not reach. */
static void test_note_limits(void **state) {
    (void)state;
    enum { LINE = 24 };
    static char text[PS_NOTE_BYTES_MAX + 64];
    static const char line[] = "\xE2\x80\x94 nobody AAAAAAAAAAA=\n";
    assert_int_equal(sizeof line - 1, LINE);
    for (uint32_t lines = 99; lines <= 101; lines++) {
        size_t used = (size_t)snprintf(text, sizeof text, "text\n\n");
        for (uint32_t i = 0; i < lines; i++, used += LINE) memcpy(text + used, line, LINE);
        const ps_status status =
            ps_note_parse((ps_bytes){(uint8_t *)text, (uint32_t)used}, &note, NULL);
        assert_int_equal(status, lines > 100 ? PS_TAMPERED : PS_OK);
    }
    static const char *const bad[] = {
        "text\n\n\xE2\x80\x94 nobody AAAAAAAAAAA\n",   /* no padding */
        "text\n\n\xE2\x80\x94 nobody AAAAAAAAAAB=\n",  /* bits behind the end */
        "text\n\n\xE2\x80\x94 nobody AAAAAA==\n",      /* an id and nothing else */
        "text\n\n\xE2\x80\x94 no+body AAAAAAAAAAA=\n", /* a plus in the name */
        "text\n\n\xE2\x80\x94 no\xC2\xA0"
        "body AAAAAAAAAAA=\n",                         /* another alphabet's blank */
        "text\n\n\xE2\x80\x94 nobody  AAAAAAAAAAA=\n", /* two blanks */
        "text\n\n\xE2\x80\x94  AAAAAAAAAAA=\n",        /* no name */
        "text\n\n\xE2\x80\x94 nobody\n",               /* no signature */
        "text\n\n- nobody AAAAAAAAAAA=\n",             /* another dash */
        "te\xC0\x80"
        "xt\n\n\xE2\x80\x94 nobody AAAAAAAAAAA=\n", /* not UTF-8 */
        "te\rxt\n\n\xE2\x80\x94 nobody AAAAAAAAAAA=\n",
        "",
        "\n\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ps_note_parse(text_of(bad[i]), &note, NULL) != PS_TAMPERED) fail_msg("%zu", i);
    /* The text may have empty lines: the last one counts. */
    assert_int_equal(
        ps_note_parse(text_of("a\n\nb\n\n\xE2\x80\x94 nobody AAAAAAAAAAA=\n"), &note, NULL), PS_OK);
    assert_int_equal(note.text.length, 5);
}

static const char *sign(const ps_tree *tree, const ps_signer *log, const ps_signer *witness,
                        uint32_t witnesses, char *out) {
    size_t length, line;
    assert_int_equal(ps_checkpoint_sign(tree, log, out, &length, NULL), PS_OK);
    const ps_bytes text = {(uint8_t *)out, (uint32_t)(strstr(out, "\n\n") - out) + 1};
    for (uint32_t i = 0; i < witnesses; i++) {
        assert_int_equal(ps_note_sign(text, &witness[i], 1679315147 + i, out + length, &line, NULL),
                         PS_OK);
        length += line;
    }
    return out;
}

/* Cosignatures say when, cannot be moved in time, and are no plain signatures. */
static void test_cosignature(void **state) {
    (void)state;
    char out[PS_CHECKPOINT_MAX + PS_NOTE_LINE_MAX];
    ps_signer log, witness;
    ps_tree tree = {.size = 7};
    uint64_t time = 0;
    assert_int_equal(ps_signer_generate("example.org/log", PS_KEY_ED25519, &log, NULL), PS_OK);
    assert_int_equal(ps_signer_generate("w.example", PS_KEY_COSIGNATURE, &witness, NULL), PS_OK);
    (void)sign(&tree, &log, &witness, 1, out);
    assert_int_equal(ps_note_parse(text_of(out), &note, NULL), PS_OK);
    assert_int_equal(ps_note_verify(&note, &witness.verifier, &time), PS_NOTE_SIGNED);
    assert_int_equal(time, 1679315147);
    assert_int_equal(ps_note_verify(&note, &log.verifier, &time), PS_NOTE_SIGNED);
    assert_int_equal(time, 0);
    char *const last = strrchr(out, ' ') + 1;
    last[12] = last[12] == 'A' ? 'B' : 'A'; /* in the time */
    assert_int_equal(ps_note_parse(text_of(out), &note, NULL), PS_OK);
    assert_int_equal(ps_note_verify(&note, &witness.verifier, &time), PS_NOTE_FORGED);
    /* The same key as a log's has another id: what it cosigned is not signed by it. */
    ps_signer plain;
    assert_int_equal(ps_signer_of_seed("w.example", PS_KEY_ED25519, witness.seed, &plain, NULL),
                     PS_OK);
    assert_int_equal(ps_note_verify(&note, &plain.verifier, NULL), PS_NOTE_UNSIGNED);
}

static void test_proof_file(void **state) {
    (void)state;
    char checkpoint[PS_CHECKPOINT_MAX], file[PS_PROOF_FILE_MAX + PS_CHECKPOINT_MAX];
    ps_signer log;
    ps_hash leaf[2];
    ps_tree tree = {.size = 2}, found;
    ps_proof proof = {.count = 1};
    ps_proof_file parsed;
    ps_hash_leaf((const uint8_t *)"a", 1, &leaf[0]);
    ps_hash_leaf((const uint8_t *)"b", 1, &leaf[1]);
    ps_hash_node(&leaf[0], &leaf[1], &tree.root);
    proof.hash[0] = leaf[0];
    assert_int_equal(ps_signer_generate("example.org/log", PS_KEY_ED25519, &log, NULL), PS_OK);
    (void)sign(&tree, &log, NULL, 0, checkpoint);
    const size_t head = ps_proof_file_write(1, &proof, (ps_bytes){NULL, 0}, file);
    memcpy(file + head, checkpoint, strlen(checkpoint) + 1);
    assert_memory_equal(file, "c2sp.org/tlog-proof@v1\nindex 1\n", 31);
    assert_int_equal(ps_proof_file_parse(text_of(file), &parsed, NULL), PS_OK);
    assert_int_equal(ps_proof_file_verify(&parsed, &leaf[1], &log.verifier, &found, NULL), PS_OK);
    assert_int_equal(found.size, 2);
    assert_int_equal(ps_proof_file_verify(&parsed, &leaf[0], &log.verifier, &found, NULL),
                     PS_TAMPERED);
    const size_t length = strlen(file);
    for (size_t bit = 0; bit < length * 8; bit++) {
        file[bit / 8] = (char)(file[bit / 8] ^ (1 << bit % 8));
        const ps_bytes bytes = {(uint8_t *)file, (uint32_t)length};
        if (ps_proof_file_parse(bytes, &parsed, NULL) == PS_OK)
            assert_int_equal(ps_proof_file_verify(&parsed, &leaf[1], &log.verifier, &found, NULL),
                             PS_TAMPERED);
        file[bit / 8] = (char)(file[bit / 8] ^ (1 << bit % 8));
    }
    static const char extra[] = "c2sp.org/tlog-proof@v1\nextra YQ==\nindex 0\n\nrest";
    assert_int_equal(ps_proof_file_parse(text_of(extra), &parsed, NULL), PS_OK);
    assert_int_equal(parsed.extra.length, 4);
    assert_memory_equal(parsed.checkpoint.data, "rest", 4);
    static const char *const bad[] = {"c2sp.org/tlog-proof@v2\nindex 0\n\n",
                                      "c2sp.org/tlog-proof@v1\nindex 00\n\n",
                                      "c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\n",
                                      "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n",
                                      "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n",
                                      "c2sp.org/tlog-proof@v1\nindex 0\n",
                                      "c2sp.org/tlog-proof@v1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ps_proof_file_parse(text_of(bad[i]), &parsed, NULL), PS_TAMPERED);
}

static const char *refusal(const char *text, ps_seal_policy *policy) {
    static ps_error error;
    return ps_seal_policy_parse(text_of(text), policy, &error) == PS_OK ? "none" : error.message;
}

enum { WITNESSES = 6 };

/* The specification's own example: two of X, and any of Y. */
static void test_policy(void **state) {
    (void)state;
    static ps_seal_policy policy;
    static char text[8192], out[PS_CHECKPOINT_MAX + WITNESSES * PS_NOTE_LINE_MAX];
    ps_signer log, stranger, witness[WITNESSES];
    ps_tree tree = {.size = 7};
    char key[PS_KEY_TEXT_MAX], name[32];
    uint32_t which = 9;
    ps_checkpoint checkpoint;
    assert_int_equal(ps_signer_generate("example.org/log", PS_KEY_ED25519, &log, NULL), PS_OK);
    assert_int_equal(ps_signer_generate("other", PS_KEY_ED25519, &stranger, NULL), PS_OK);
    int used = snprintf(text, sizeof text, "# policy\n\n  log\t%s https://example.org/log\n",
                        ps_verifier_text(&log.verifier, key));
    for (int i = 0; i < WITNESSES; i++) {
        (void)snprintf(name, sizeof name, "w%d.example", i);
        assert_int_equal(ps_signer_generate(name, PS_KEY_COSIGNATURE, &witness[i], NULL), PS_OK);
        used += snprintf(text + used, sizeof text - (size_t)used, "witness %c%d %s\n",
                         i < 3 ? 'X' : 'Y', i, ps_verifier_text(&witness[i].verifier, key));
    }
    (void)snprintf(
        text + used, sizeof text - (size_t)used,
        "group Xs 2 X0 X1 X2\ngroup Ys any Y3 Y4 Y5\ngroup both all Xs Ys\nquorum both\n");
    assert_string_equal(refusal(text, &policy), "none");
    assert_int_equal(policy.log_url[0].length, 23);
    for (uint32_t set = 0; set < 1u << WITNESSES; set++) {
        ps_signer some[WITNESSES];
        uint32_t count = 0, x = 0, y = 0;
        for (uint32_t i = 0; i < WITNESSES; i++) {
            if ((set >> i & 1) == 0) continue;
            some[count++] = witness[i];
            x += i < 3;
            y += i >= 3;
        }
        const ps_status status =
            ps_seal_policy_open(&policy, text_of(sign(&tree, &log, some, count, out)), &note,
                                &checkpoint, &which, NULL);
        assert_int_equal(status, x >= 2 && y >= 1 ? PS_OK : PS_TAMPERED);
    }
    assert_int_equal(which, 0);
    assert_int_equal(ps_seal_policy_open(&policy,
                                         text_of(sign(&tree, &stranger, witness, WITNESSES, out)),
                                         &note, &checkpoint, &which, NULL),
                     PS_TAMPERED);
}

static void test_bad_policies(void **state) {
    (void)state;
    static ps_seal_policy policy;
    static char text[8192];
    char key[PS_KEY_TEXT_MAX];
    ps_signer witness;
    assert_int_equal(ps_signer_generate("w.example", PS_KEY_COSIGNATURE, &witness, NULL), PS_OK);
    (void)ps_verifier_text(&witness.verifier, key);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "it has no quorum line"},
        {"quorum none", "its last line does not end"},
        {"quorum none\nquorum none\n", "line 2: a second quorum"},
        {"quorum x\n", "line 1: nothing before is named 'x'"},
        {"quorum none x\n", "line 1: a word too many"},
        {"log x\nquorum none\n", "line 1: this is no key"},
        {"log %s\nquorum none\n", "line 1: a log's key is of type 1"},
        {"witness none %s\n", "line 1: the name 'none' is taken"},
        {"witness a %s\nwitness a %s\n", "line 2: the name 'a' is taken"},
        {"witness a %s\nwitness b %s\n", "line 2: this witness is in it twice"},
        {"witness a %s\ngroup g 2 a\n", "line 2: a group needs from 1 to all"},
        {"witness a %s\ngroup g 0 a\n", "line 2: a group needs from 1 to all"},
        {"group g all\n", "line 1: a group needs from 1 to all"},
        {"witness a %s\ngroup g any a\ngroup h any a\n", "line 3: 'a' is in a group already"},
        {"group g any g\n", "line 1: nothing before is named 'g'"},
        {"witness a %s\ngroup g few a\n", "line 2: how many of the group"},
        {"quorum none\r\n", "line 1: a control character"},
        {"nonsense\n", "line 1: 'nonsense' is none of"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t at = 0;
        for (const char *from = bad[i].text; *from != '\0'; from++) {
            const bool here = from[0] == '%' && from[1] == 's';
            at += (size_t)snprintf(text + at, sizeof text - at, "%.*s", here ? 600 : 1,
                                   here ? key : from);
            from += here;
        }
        text[at] = '\0';
        if (strstr(refusal(text, &policy), bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].says, refusal(text, &policy));
    }
}

static void test_keys(void **state) {
    (void)state;
    static const char *const bad[] = {"", "+", "a b", "a+b", "a\tb", "a\xC2\x85", "\xFF", "a\x01"};
    ps_signer signer, again;
    char text[PS_KEY_TEXT_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ps_signer_generate(bad[i], PS_KEY_ED25519, &signer, NULL), PS_BAD_CONFIG);
    assert_int_equal(ps_signer_generate("m\xC3\xBCller/log", PS_KEY_ED25519, &signer, NULL), PS_OK);
    (void)ps_signer_text(&signer, text);
    assert_int_equal(ps_signer_parse(text, strlen(text), &again, NULL), PS_OK);
    assert_memory_equal(again.verifier.key, signer.verifier.key, PS_KEY_BYTES);
    /* A secret key whose name was changed is another's. */
    text[12] = 'n';
    assert_int_equal(ps_signer_parse(text, strlen(text), &again, NULL), PS_BAD_CONFIG);
    assert_int_equal(ps_verifier_parse(text, strlen(text), &again.verifier, NULL), PS_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_notes),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_tessera_checkpoints),
        cmocka_unit_test(test_note_limits),
        cmocka_unit_test(test_cosignature),
        cmocka_unit_test(test_proof_file),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_bad_policies),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
