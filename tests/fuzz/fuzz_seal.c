/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as what auditors are handed: a note, a checkpoint, a proof file, a key, a policy, a
 * leaf entry, a bundle, a tile's path, a witness' answer, a roll-up's list of logs. Whatever is
 * taken lies within the input and is written again as it came; nothing is ever signed by a key that
 * has not signed it.
 *
 * The input's first byte chooses which.
 */
#include "host/seal/entry.h"
#include "host/seal/lines.h"
#include "host/seal/origins.h"
#include "host/seal/proof_file.h"
#include "host/seal/witness.h"
#include "tests/fuzz/fuzz.h"

static ps_note note;

static bool is_inside(ps_bytes part, ps_bytes whole) {
    return part.length <= whole.length && part.data >= whole.data &&
           part.data + part.length <= whole.data + whole.length;
}

/* A key of which nobody has ever signed anything. */
static const ps_verifier *stranger(void) {
    static ps_signer signer;
    static const uint8_t seed[PS_KEY_BYTES] = {1, 2, 3};
    if (signer.verifier.type == 0)
        FUZZ_CHECK(ps_signer_of_seed("a", PS_KEY_ED25519, seed, &signer, NULL) == PS_OK);
    return &signer.verifier;
}

static void fuzz_note(ps_bytes input) {
    ps_checkpoint checkpoint;
    FUZZ_CHECK(ps_note_open(input, stranger(), 1, &note, NULL) != PS_OK);
    if (ps_note_parse(input, &note, NULL) != PS_OK) return;
    FUZZ_CHECK(is_inside(note.text, input) && note.lines > 0);
    for (uint32_t i = 0; i < note.lines; i++)
        FUZZ_CHECK(is_inside(note.line[i].name, input) && is_inside(note.line[i].base64, input));
    if (ps_checkpoint_parse(note.text, &checkpoint, NULL) != PS_OK) return;
    FUZZ_CHECK(is_inside(checkpoint.origin, note.text));
    FUZZ_CHECK(is_inside(checkpoint.extensions, note.text));
}

static void fuzz_proof(ps_bytes input) {
    ps_proof_file file;
    ps_tree tree;
    char again[PS_PROOF_FILE_MAX];
    const ps_hash leaf = {{0}};
    if (ps_proof_file_parse(input, &file, NULL) != PS_OK) return;
    FUZZ_CHECK(is_inside(file.checkpoint, input) && file.proof.count <= PS_PROOF_MAX);
    FUZZ_CHECK(ps_proof_file_verify(&file, &leaf, stranger(), &tree, NULL) != PS_OK);
    if (file.extra.length > 0) return;
    const size_t length = ps_proof_file_write(file.index, &file.proof, file.extra, again);
    FUZZ_CHECK(length + file.checkpoint.length == input.length);
    FUZZ_CHECK(memcmp(again, input.data, length) == 0);
}

static void fuzz_key(ps_bytes input) {
    ps_verifier verifier;
    ps_signer signer;
    char text[PS_KEY_TEXT_MAX];
    const char *const from = (const char *)input.data;
    if (ps_verifier_parse(from, input.length, &verifier, NULL) == PS_OK)
        FUZZ_CHECK(strlen(ps_verifier_text(&verifier, text)) == input.length);
    if (ps_signer_parse(from, input.length, &signer, NULL) == PS_OK)
        FUZZ_CHECK(strlen(ps_signer_text(&signer, text)) == input.length);
}

static void fuzz_policy(ps_bytes input) {
    static ps_seal_policy policy;
    ps_checkpoint checkpoint;
    uint32_t log = 0;
    if (ps_seal_policy_parse(input, &policy, NULL) != PS_OK) return;
    FUZZ_CHECK(policy.quorum <= PS_SEAL_POLICY_NAMES_MAX &&
               policy.names <= PS_SEAL_POLICY_NAMES_MAX);
    (void)ps_seal_policy_open(&policy, input, &note, &checkpoint, &log, NULL);
}

static void fuzz_entry(ps_bytes input) {
    ps_seal_entry entry;
    ps_bytes one;
    uint8_t again[PS_SEAL_ENTRY_BYTES];
    size_t at = 0;
    if (ps_seal_entry_decode(input.data, input.length, &entry)) {
        ps_seal_entry_encode(&entry, again);
        FUZZ_CHECK(memcmp(again, input.data, sizeof again) == 0);
    }
    while (ps_bundle_next(input.data, input.length, &at, &one)) FUZZ_CHECK(is_inside(one, input));
    FUZZ_CHECK(at <= input.length);
}

static void fuzz_path(ps_bytes input) {
    char path[256], again[PS_TILE_PATH_MAX];
    ps_tile tile;
    (void)snprintf(path, sizeof path, "%.*s", (int)input.length, (const char *)input.data);
    if (ps_tile_parse(path, &tile)) FUZZ_CHECK(strcmp(ps_tile_path(&tile, again), path) == 0);
}

/* No answer holds a cosignature of a key that never signed, nor moves the end of the text. */
static void fuzz_answer(ps_bytes input) {
    static const char text[] = "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    static ps_witness witness;
    ps_verifier key = *stranger();
    key.type = PS_KEY_COSIGNATURE;
    FUZZ_CHECK(ps_witness_read((ps_bytes){(const uint8_t *)text, sizeof text - 1}, input, &key,
                               &witness, NULL) != PS_OK);
    FUZZ_CHECK(witness.line_length == 0);
}

/* The file has its own hash behind it, which is made here, or nothing would get past it. */
static void fuzz_origins(ps_bytes input) {
    ps_origins origins = {0};
    char hash_text[PS_HASH_TEXT_MAX];
    ps_hash hash;
    uint8_t *const bytes = malloc(input.length + PS_HASH_TEXT_MAX);
    memcpy(bytes, input.data, input.length);
    ps_hash_bytes(input.data, input.length, &hash);
    memcpy(bytes + input.length, ps_hash_text(&hash, hash_text), PS_HASH_TEXT_MAX - 1);
    bytes[input.length + PS_HASH_TEXT_MAX - 1] = '\n';
    const ps_bytes file = {bytes, input.length + PS_HASH_TEXT_MAX};
    const bool taken = ps_origins_read(&origins, file, 1000);
    FUZZ_CHECK(taken ? origins.size <= 1000 : origins.count == 0 && origins.size == 0);
    for (uint32_t i = 1; i < origins.count; i++)
        FUZZ_CHECK(memcmp(&origins.at[i - 1].name, &origins.at[i].name, sizeof(ps_hash)) < 0);
    ps_origins_deinit(&origins);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const targets[])(ps_bytes) = {fuzz_note,  fuzz_proof, fuzz_key,    fuzz_policy,
                                                fuzz_entry, fuzz_path,  fuzz_answer, fuzz_origins};
    static const char letters[] = "npkyetwo";
    const char *const which = size == 0 ? NULL : strchr(letters, data[0]);
    if (which == NULL || *which == '\0') return 0;
    /* A copy, so that whoever reads behind the end is seen. */
    uint8_t *const bytes = malloc(size > 1 ? size - 1 : 1);
    memcpy(bytes, data + 1, size - 1);
    targets[which - letters]((ps_bytes){bytes, (uint32_t)size - 1});
    free(bytes);
    return 0;
}
