/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/proof_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/base/check.h"
#include "host/seal/lines.h"

static const char title[] = "c2sp.org/tlog-proof@v1";

static ps_status malformed(ps_error *error, const char *what) {
    return ps_fail(error, PS_TAMPERED, "not a proof: %s", what);
}

static bool is_base64(ps_bytes text) {
    uint8_t group[3];
    size_t used = 3;
    for (uint32_t at = 0; at < text.length; at += 4)
        if (used != 3 || text.length - at < 4 ||
            !ps_base64_read((const char *)text.data + at, 4, group, sizeof group, &used))
            return false;
    return text.length > 0;
}

ps_status ps_proof_file_parse(ps_bytes bytes, ps_proof_file *out, ps_error *error) {
    ps_bytes rest = bytes, line, value;
    out->extra = (ps_bytes){bytes.data, 0};
    out->proof.count = 0;
    if (!ps_line_next(&rest, &line) || line.length != sizeof title - 1 ||
        memcmp(line.data, title, line.length) != 0)
        return malformed(error, "it does not begin with c2sp.org/tlog-proof@v1");
    if (!ps_line_next(&rest, &line)) return malformed(error, "it ends too soon");
    if (ps_line_word(line, "extra", &out->extra)) {
        if (!is_base64(out->extra)) return malformed(error, "its extra data is not base64");
        if (!ps_line_next(&rest, &line)) return malformed(error, "it ends too soon");
    }
    if (!ps_line_word(line, "index", &value) || !ps_decimal_read(value, &out->index))
        return malformed(error, "it has no index");
    for (;;) {
        if (!ps_line_next(&rest, &line)) return malformed(error, "it ends too soon");
        if (line.length == 0) break;
        if (out->proof.count == PS_PROOF_MAX) return malformed(error, "it has too many hashes");
        if (!ps_hash_read(line, &out->proof.hash[out->proof.count++]))
            return malformed(error, "one of its hashes is none");
    }
    out->checkpoint = rest;
    return PS_OK;
}

size_t ps_proof_file_write(uint64_t index, const ps_proof *proof, ps_bytes extra,
                           char out[PS_PROOF_FILE_MAX]) {
    char hash[PS_HASH_TEXT_MAX];
    PS_CHECK_OP(extra.length, <=, PS_PROOF_EXTRA_MAX);
    int used = snprintf(out, PS_PROOF_FILE_MAX, "%s\n%s", title, extra.length > 0 ? "extra " : "");
    if (extra.length > 0) {
        char *const end = ps_base64_write(extra.data, extra.length, out + used);
        *end = '\n';
        used = (int)(end - out) + 1;
    }
    used += snprintf(out + used, PS_PROOF_FILE_MAX - (size_t)used, "index %" PRIu64 "\n", index);
    for (uint32_t i = 0; i < proof->count; i++)
        used += snprintf(out + used, PS_PROOF_FILE_MAX - (size_t)used, "%s\n",
                         ps_hash_text(&proof->hash[i], hash));
    out[used++] = '\n';
    out[used] = '\0';
    return (size_t)used;
}

ps_status ps_proof_file_verify(const ps_proof_file *file, const ps_hash *leaf,
                               const ps_verifier *log, ps_tree *tree, ps_error *error) {
    ps_checkpoint checkpoint;
    ps_note *const note = malloc(sizeof *note);
    if (note == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint");
    const ps_status status = ps_checkpoint_open(file->checkpoint, log, note, &checkpoint, error);
    free(note);
    if (status != PS_OK) return ps_fail_in(error, status, "checkpoint");
    *tree = checkpoint.tree;
    if (ps_proof_includes(&file->proof, leaf, file->index, tree->size, &tree->root)) return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "this entry is not number %" PRIu64 " of the log of %" PRIu64
                   ": its leaf hash and the proof do not lead to the signed root",
                   file->index, tree->size);
}
