/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/appender.h"

#include <stdlib.h>

#include "host/base/check.h"
#include "host/base/limits.h"
#include "host/seal/leaves.h"

struct ps_appender {
    ps_seal_folder *folder;
    const ps_signer *signer;
    ps_tiler *tiler;
    ps_leaves *leaves;
    ps_frontier frontier;
};

/* From the tiles that the signed checkpoint speaks of. */
static ps_status restore(ps_appender *appender, const ps_tree *tree, ps_error *error) {
    ps_hash root;
    const ps_tile_source source = ps_seal_folder_source(appender->folder);
    ps_tiles *const tiles = malloc(sizeof *tiles);
    if (tiles == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for tiles");
    ps_tiles_init(tiles, &source, tree->size);
    ps_status status = ps_tiles_frontier(tiles, &appender->frontier, error);
    free(tiles);
    PS_TRY(status);
    ps_frontier_root(&appender->frontier, root.byte);
    if (!ps_hash_is(&root, &tree->root))
        return ps_fail(error, PS_TAMPERED, "the tiles do not have the root of the checkpoint");
    return ps_tiler_restore(appender->tiler, &source, tree->size, error);
}

/* An empty log where there is no checkpoint. */
static ps_status find_end(const ps_appender *appender, ps_tree *tree, ps_error *error) {
    uint8_t bytes[PS_CHECKPOINT_MAX];
    size_t length = 0;
    ps_checkpoint checkpoint;
    const ps_status found =
        ps_seal_folder_read(appender->folder, "checkpoint", bytes, sizeof bytes, &length, error);
    tree->size = 0;
    ps_hash_empty(&tree->root);
    if (found == PS_UNKNOWN_NAME) return PS_OK;
    PS_TRY(found);
    ps_note *const note = malloc(sizeof *note);
    if (note == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint");
    const ps_status status = ps_checkpoint_open(
        (ps_bytes){bytes, (uint32_t)length}, &appender->signer->verifier, note, &checkpoint, error);
    free(note);
    if (status != PS_OK) return ps_fail_in(error, status, "checkpoint");
    *tree = checkpoint.tree;
    return PS_OK;
}

/* `tree`: NULL for the one of the checkpoint. */
static ps_status open_at(ps_seal_folder *folder, const ps_signer *signer, uint32_t entry_bytes_max,
                         const ps_tree *tree, ps_appender **out, ps_error *error) {
    ps_tree end;
    ps_appender *const appender = calloc(1, sizeof *appender);
    if (appender == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a log");
    appender->folder = folder;
    appender->signer = signer;
    ps_status status = ps_tiler_open(entry_bytes_max, &appender->tiler, error);
    if (status == PS_OK) status = ps_leaves_open(&appender->leaves, error);
    if (status == PS_OK && tree == NULL) status = find_end(appender, &end, error);
    if (status == PS_OK && tree != NULL) end = *tree;
    if (status == PS_OK) status = restore(appender, &end, error);
    if (status != PS_OK) {
        ps_appender_close(appender);
        return ps_fail_in(error, status, ps_seal_folder_path(folder));
    }
    *out = appender;
    return PS_OK;
}

ps_status ps_appender_open(ps_seal_folder *folder, const ps_signer *signer,
                           uint32_t entry_bytes_max, ps_appender **out, ps_error *error) {
    return open_at(folder, signer, entry_bytes_max, NULL, out, error);
}

ps_status ps_appender_open_tree(ps_seal_folder *folder, const ps_signer *signer,
                                uint32_t entry_bytes_max, const ps_tree *tree, ps_appender **out,
                                ps_error *error) {
    return open_at(folder, signer, entry_bytes_max, tree, out, error);
}

void ps_appender_close(ps_appender *appender) {
    if (appender == NULL) return;
    ps_tiler_close(appender->tiler);
    ps_leaves_close(appender->leaves);
    free(appender);
}

const ps_frontier *ps_appender_frontier(const ps_appender *appender) {
    return &appender->frontier;
}

ps_status ps_appender_add(ps_appender *appender, const ps_bytes *entries, uint32_t count,
                          ps_error *error) {
    const ps_tile_sink sink = ps_seal_folder_sink(appender->folder);
    while (count > 0) {
        const uint32_t some = count < PS_LEAVES_MAX ? count : PS_LEAVES_MAX;
        ps_tiler_batch batch;
        PS_TRY(
            ps_leaves_append(appender->leaves, entries, some, &appender->frontier, &batch, error));
        PS_TRY(ps_tiler_append(appender->tiler, &batch, &sink, error));
        entries += some;
        count -= some;
    }
    return PS_OK;
}

ps_status ps_appender_sign(ps_appender *appender, char out[PS_CHECKPOINT_MAX], size_t *length,
                           ps_error *error) {
    ps_tree tree = {.size = appender->frontier.size};
    const ps_tile_sink sink = ps_seal_folder_sink(appender->folder);
    PS_TRY(ps_tiler_flush(appender->tiler, &sink, error));
    ps_frontier_root(&appender->frontier, tree.root.byte);
    return ps_checkpoint_sign(&tree, appender->signer, out, length, error);
}

ps_status ps_appender_publish(ps_appender *appender, ps_error *error) {
    char text[PS_CHECKPOINT_MAX], vkey[PS_KEY_TEXT_MAX + 1];
    size_t length = 0;
    PS_TRY(ps_appender_sign(appender, text, &length, error));
    PS_TRY(ps_seal_folder_replace(appender->folder, "checkpoint", text, length, error));
    (void)ps_verifier_text(&appender->signer->verifier, vkey);
    length = strlen(vkey);
    vkey[length++] = '\n';
    return ps_seal_folder_replace(appender->folder, "vkey", vkey, length, error);
}
