/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/seal/lines.h"

static ps_status malformed(ps_error *error, const char *what) {
    return ps_fail(error, PS_TAMPERED, "not a checkpoint: %s", what);
}

ps_status ps_checkpoint_parse(ps_bytes text, ps_checkpoint *out, ps_error *error) {
    ps_bytes rest = text, line;
    if (!ps_line_next(&rest, &out->origin) || out->origin.length == 0)
        return malformed(error, "no origin");
    if (!ps_line_next(&rest, &line) || !ps_decimal_read(line, &out->tree.size))
        return malformed(error, "its size is no number");
    if (out->tree.size >> 63 != 0)
        return malformed(error, "its size is beyond what a log can have");
    if (!ps_line_next(&rest, &line) || !ps_hash_read(line, &out->tree.root))
        return malformed(error, "its root is no hash");
    out->extensions = rest;
    while (ps_line_next(&rest, &line))
        if (line.length == 0) return malformed(error, "an empty line");
    return rest.length == 0 ? PS_OK : malformed(error, "its last line does not end");
}

ps_status ps_checkpoint_open(ps_bytes bytes, const ps_verifier *log, ps_note *note,
                             ps_checkpoint *out, ps_error *error) {
    PS_TRY(ps_note_open(bytes, log, 1, note, error));
    PS_TRY(ps_checkpoint_parse(note->text, out, error));
    if (out->origin.length == strlen(log->name) &&
        memcmp(out->origin.data, log->name, out->origin.length) == 0)
        return PS_OK;
    return ps_fail(error, PS_TAMPERED, "the key of %.200s has signed a checkpoint of %.*s",
                   log->name, (int)(out->origin.length > 200 ? 200 : out->origin.length),
                   (const char *)out->origin.data);
}

ps_status ps_checkpoint_sign(const ps_tree *tree, const ps_signer *signer,
                             char out[PS_CHECKPOINT_MAX], size_t *length, ps_error *error) {
    char root[PS_HASH_TEXT_MAX];
    const int text = snprintf(out, PS_CHECKPOINT_MAX, "%s\n%" PRIu64 "\n%s\n",
                              signer->verifier.name, tree->size, ps_hash_text(&tree->root, root));
    size_t line = 0;
    out[text] = '\n';
    PS_TRY(ps_note_sign((ps_bytes){(const uint8_t *)out, (uint32_t)text}, signer, 0, out + text + 1,
                        &line, error));
    *length = (size_t)text + 1 + line;
    return PS_OK;
}
