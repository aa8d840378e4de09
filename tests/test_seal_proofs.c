/* SPDX-License-Identifier: Apache-2.0
 * Trees and proofs against vectors that nobody here made (tests/golden/tlog): if these fail, what
 * is sealed convinces nobody else, or a wrong proof convinces us.
 */
#include "tests/seal_golden.h"

#include "host/seal/checkpoint.h"
#include "host/seal/entry.h"
#include "tests/seal_memory.h"

/* Where a hash has another length, the verdict is no: there is nothing to compare. */
static void test_probes(void **state) {
    (void)state;
    size_t length;
    char *const file = golden_file(GOLDEN "probes.tsv", &length), *rest = file;
    char *field[GOLDEN_FIELDS];
    uint32_t probes = 0, refused_placeholders = 0;
    for (; golden_next(&rest, field); probes++) {
        ps_hash first, root;
        ps_proof proof;
        const uint64_t a = golden_number(field[2]), b = golden_number(field[3]);
        const bool wanted = field[1][0] == '1';
        bool good = golden_hash(field[4], &first) && golden_hash(field[5], &root) &&
                    golden_proof(field[6], &proof);
        if (wanted && !good) {
            refused_placeholders++;
            assert_non_null(strstr(field[7], "sizes-are-equal-one-and-proof-is-empty"));
            continue;
        }
        if (good && strcmp(field[0], "inclusion") == 0)
            good = ps_proof_includes(&proof, &first, a, b, &root);
        else if (good)
            good = ps_proof_extends(&proof, &(ps_tree){a, first}, &(ps_tree){b, root});
        if (good != wanted) fail_msg("%s: %d instead of %d", field[7], good, wanted);
    }
    assert_int_equal(probes, 92);
    assert_true(refused_placeholders <= 1);
    free(file);
}

/* Leaves, nodes and roots of the tree that Certificate Transparency tests itself with, from tiles.
 */
static void test_tree_of_eight(void **state) {
    (void)state;
    size_t length;
    char *const file = golden_file(GOLDEN "tree8.tsv", &length), *rest = file;
    char *field[GOLDEN_FIELDS];
    ps_bytes leaves[8];
    memory_log *const log = memory_log_open(16);
    uint32_t count = 0, checked = 0;
    while (golden_next(&rest, field)) {
        const ps_bytes bytes = golden_bytes(field[3]);
        const uint64_t index = golden_number(field[1]);
        ps_hash hash;
        if (strcmp(field[0], "leaf") == 0) {
            leaves[count++] = bytes;
            if (count == 8) memory_log_add(log, leaves, 8);
            continue;
        }
        if (strcmp(field[0], "node") == 0)
            assert_int_equal(ps_tiles_node(memory_log_tiles(log), (uint32_t)golden_number(field[2]),
                                           index, &hash, NULL),
                             PS_OK);
        else
            assert_int_equal(ps_tiles_root(memory_log_tiles(log), index, &hash, NULL), PS_OK);
        assert_memory_equal(hash.byte, bytes.data, PS_NODE_BYTES);
        free((void *)(uintptr_t)bytes.data);
        checked++;
    }
    assert_int_equal(checked, 15 + 9);
    for (uint32_t i = 0; i < count; i++) free((void *)(uintptr_t)leaves[i].data);
    memory_log_close(log);
    free(file);
}

/* They are signed by ECDSA, which we pass over, but they have a form to keep. Three do not: two
 * lack a line, as their source says, and one ends in an empty line, which golang/mod refuses too.
 */
static void check_rekor_note(ps_bytes text, uint64_t size, const char *source) {
    ps_checkpoint checkpoint;
    ps_error error;
    if (text.length == 0) return;
    ps_note *const note = malloc(sizeof *note);
    ps_status status = ps_note_parse(text, note, &error);
    if (status == PS_OK) status = ps_checkpoint_parse(note->text, &checkpoint, &error);
    const bool bad = strstr(source, "checkpoint-missing-") != NULL ||
                     memcmp(text.data + text.length - 2, "\n\n", 2) == 0;
    if ((status == PS_OK) == bad) fail_msg("%s: %s", source, error.message);
    if (!bad) assert_int_equal(checkpoint.tree.size, size);
    free(note);
}

static void test_rekor(void **state) {
    (void)state;
    size_t length;
    char *const file = golden_file(GOLDEN "rekor.tsv", &length), *rest = file;
    char *field[GOLDEN_FIELDS];
    uint32_t cases = 0;
    for (; golden_next(&rest, field); cases++) {
        const ps_bytes leaf = golden_bytes(field[5]), text = golden_bytes(field[6]);
        ps_hash root, hash;
        ps_proof proof;
        ps_hash_leaf(leaf.data, leaf.length, &hash);
        const bool good = golden_hash(field[3], &root) && golden_proof(field[4], &proof) &&
                          ps_proof_includes(&proof, &hash, golden_number(field[1]),
                                            golden_number(field[2]), &root);
        if (good != (field[0][0] == '1')) fail_msg("%s: %d", field[7], good);
        check_rekor_note(text, golden_number(field[2]), field[7]);
        free((void *)(uintptr_t)leaf.data);
        free((void *)(uintptr_t)text.data);
    }
    assert_int_equal(cases, 33);
    free(file);
}

/* Entries of a real certificate log: the bundle's form, and leaf hashes of hundreds of bytes. */
static void test_ct_leaves(void **state) {
    (void)state;
    size_t length, hashes_length, at = 0;
    char *const bundle = golden_file(GOLDEN "ct/003.p_10.entries", &length);
    char *const hashes = golden_file(GOLDEN "ct/003.p_10.leafhashes", &hashes_length);
    memory_log *const log = memory_log_open(1024);
    ps_bytes entry[10];
    assert_int_equal(hashes_length, sizeof entry / sizeof entry[0] * PS_NODE_BYTES);
    for (uint32_t i = 0; i < 10; i++) {
        ps_hash hash;
        assert_true(ps_bundle_next((const uint8_t *)bundle, length, &at, &entry[i]));
        ps_hash_leaf(entry[i].data, entry[i].length, &hash);
        assert_memory_equal(hash.byte, hashes + (size_t)i * PS_NODE_BYTES, PS_NODE_BYTES);
    }
    assert_int_equal(at, length);
    /* By the batch kernel, and written again. */
    memory_log_add(log, entry, 10);
    assert_memory_equal(memory_find(log, "tile/0/000.p/10")->bytes, hashes, hashes_length);
    const memory_file *const again = memory_find(log, "tile/entries/000.p/10");
    assert_int_equal(again->length, length);
    assert_memory_equal(again->bytes, bundle, length);
    memory_log_close(log);
    free(bundle);
    free(hashes);
}

/* Every proof of every size up to 40, and across tiles: made from tiles, checked against roots that
 * the frontier gave. A proof for anything else must not pass. */
static void test_all_proofs(void **state) {
    (void)state;
    enum { SMALL = 40, SIZE = 700 };
    static ps_tree tree[SIZE + 1];
    static ps_hash leaf[SIZE];
    memory_log *const log = memory_log_open(16);
    ps_proof proof;
    for (uint32_t i = 0; i < SIZE; i++) {
        uint8_t bytes[4] = {(uint8_t)i, (uint8_t)(i >> 8), 7, 7};
        const ps_bytes entry = {bytes, 4};
        ps_hash_leaf(bytes, 4, &leaf[i]);
        memory_log_add(log, &entry, 1);
        tree[i + 1].size = i + 1;
        ps_frontier_root(memory_log_frontier(log), tree[i + 1].root.byte);
    }
    ps_tiles *const tiles = memory_log_tiles(log);
    /* Nothing is proved of an empty tree, not even that it is itself. */
    proof.count = 0;
    ps_hash_empty(&tree[0].root);
    assert_false(ps_proof_extends(&proof, &tree[0], &tree[0]));
    assert_false(ps_proof_extends(&proof, &tree[0], &tree[SIZE]));
    for (uint32_t size = 1; size <= SIZE; size += size < SMALL ? 1 : 47) {
        for (uint32_t i = 0; i < size; i += size < SMALL ? 1 : 13) {
            assert_int_equal(ps_proof_inclusion(tiles, i, size, &proof, NULL), PS_OK);
            assert_true(ps_proof_includes(&proof, &leaf[i], i, size, &tree[size].root));
            assert_false(ps_proof_includes(&proof, &leaf[i ^ 1], i, size, &tree[size].root));
            assert_false(ps_proof_includes(&proof, &leaf[i], i, size, &tree[size - 1].root));
            assert_int_equal(ps_proof_consistency(tiles, i + 1, size, &proof, NULL), PS_OK);
            assert_true(ps_proof_extends(&proof, &tree[i + 1], &tree[size]));
            const ps_tree other = {i + 1, tree[size].root};
            assert_true(i + 1 == size || !ps_proof_extends(&proof, &other, &tree[size]));
        }
    }
    memory_log_close(log);
}

static const uint8_t header_bytes[] = {1, 0,   0,   0,   'a', 2,   0, 0, 0, 'x', 'y', 1, 0, 0,
                                       0, 'a', 255, 255, 255, 255, 0, 0, 0, 0,   0,   0, 0, 0};

/* The layout that anybody must be able to make again from a record. */
static void test_entry(void **state) {
    (void)state;
    static const uint8_t canonical[] = {0,   0,   0,   3,   0, 0, 0, 1, 'a', 0,   0,
                                        0,   2,   'x', 'y', 0, 0, 0, 1, 'a', 255, 255,
                                        255, 255, 0,   0,   0, 0, 0, 0, 0,   0};
    uint8_t bytes[PS_SEAL_ENTRY_BYTES], again[PS_SEAL_ENTRY_BYTES];
    ps_seal_entry entry = {.flags = PS_SEAL_LOG_APPEND_TIME,
                           .partition = 0x01020304,
                           .offset = UINT64_C(0x1112131415161718),
                           .timestamp_ms = -2},
                  decoded;
    ps_hash hash;
    const ps_bytes null = {NULL, PS_NULL_LENGTH}, empty = {NULL, 0};
    assert_true(
        ps_seal_entry_digest(&entry, null, (ps_bytes){header_bytes, sizeof header_bytes}, empty));
    assert_int_equal(entry.flags, PS_SEAL_LOG_APPEND_TIME | PS_SEAL_KEY_NULL);
    ps_hash_bytes(canonical, sizeof canonical, &hash);
    assert_true(ps_hash_is(&entry.headers, &hash));
    ps_hash_empty(&hash);
    assert_true(ps_hash_is(&entry.value, &hash)); /* empty is not null */
    ps_seal_entry_encode(&entry, bytes);
    static const uint8_t head[] = {1,    5,    1,    2,    3,    4,    0x11, 0x12,
                                   0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0xFF, 0xFF,
                                   0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE};
    assert_memory_equal(bytes, head, sizeof head);
    assert_true(ps_seal_entry_decode(bytes, sizeof bytes, &decoded));
    ps_seal_entry_encode(&decoded, again);
    assert_memory_equal(bytes, again, sizeof bytes);
    assert_true(ps_seal_entry_digest(&entry, empty, null, null));
    assert_int_equal(entry.flags, PS_SEAL_LOG_APPEND_TIME | PS_SEAL_VALUE_NULL);
    /* What decodes has one encoding: no unknown flag, no hash of a null, no other version. */
    for (uint32_t i = 0; i < 4; i++) {
        memcpy(again, bytes, sizeof again);
        again[i == 0 ? 0 : i == 1 ? 1 : 22 + i] ^= 0x80;
        assert_false(ps_seal_entry_decode(again, sizeof again, &decoded));
    }
    assert_false(ps_seal_entry_decode(bytes, sizeof bytes - 1, &decoded));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes),     cmocka_unit_test(test_tree_of_eight),
        cmocka_unit_test(test_rekor),      cmocka_unit_test(test_ct_leaves),
        cmocka_unit_test(test_all_proofs), cmocka_unit_test(test_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
