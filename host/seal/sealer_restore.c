/* SPDX-License-Identifier: Apache-2.0
 * A log comes back: what the topic says of it is gathered, files that a killed worker left out are
 * written, and everything is compared with everything else before a row is appended: tiles with the
 * frontier, the tree with the one that was signed last. What does not agree stops the lane.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/seal/sealer_parts.h"

ps_status ps_sealer_begin(void *self, uint32_t partition, ps_error *error) {
    ps_lane_sealer *sealer = self;
    ps_projected *projected = &sealer->projected[partition];
    atomic_store(&sealer->log[partition].given, false);
    PS_TRY(ps_projector_status(sealer->projector, error));
    if (!ps_projector_idle(sealer->projector)) return PS_AGAIN;
    if (projected->folder == NULL) {
        uint32_t within;
        char path[4096];
        const ps_partitions *all = sealer->env->partitions;
        const uint32_t topic = ps_partitions_topic(all, partition, &within);
        const size_t length = strlen(sealer->config->dir);
        const char *slash = sealer->config->dir[length - 1] == '/' ? "" : "/";
        if (snprintf(path, sizeof path, "%s%s%s/%" PRIu32, sealer->config->dir, slash,
                     all->topic[topic].name, within) >= (int)sizeof path)
            return ps_fail(error, PS_BAD_CONFIG, "seal: dir: the path is too long");
        PS_TRY(ps_seal_folder_open(path, true, &projected->folder, error));
    }
    sealer->log[partition].watermark = sealer->log[partition].last = PS_OFFSET_NONE;
    sealer->log[partition].cleared = false;
    return PS_OK;
}

void ps_sealer_gather(void *self, uint32_t partition) {
    ps_gathered *gathered = ((ps_lane_sealer *)self)->gathered;
    (void)partition;
    gathered->found = false;
    for (int32_t i = 0; i <= PS_TILE_LEVELS; i++) gathered->lowest[i] = UINT64_MAX;
    memset(gathered->said.tile, 0, sizeof gathered->said.tile);
    memset(gathered->behind.tile, 0, sizeof gathered->behind.tile);
}

/* What follows "<topic>/<partition>/" of that log; NULL: it is another's. */
static const char *own_key(const ps_lane_sealer *sealer, uint32_t partition, ps_bytes key,
                           char text[PS_SEALER_KEY_MAX]) {
    uint32_t within;
    const ps_partitions *all = sealer->env->partitions;
    const uint32_t topic = ps_partitions_topic(all, partition, &within);
    char prefix[PS_SEALER_KEY_MAX];
    const int length =
        snprintf(prefix, sizeof prefix, "%s/%" PRIu32 "/", all->topic[topic].name, within);
    if (key.length == PS_NULL_LENGTH || key.length >= PS_SEALER_KEY_MAX ||
        key.length < (uint32_t)length || memcmp(key.data, prefix, (size_t)length) != 0)
        return NULL;
    memcpy(text, key.data, key.length);
    text[key.length] = '\0';
    return text + length;
}

/* How many hashes or entries so many bytes are; 0: not whole ones, or too many. */
static uint32_t width_of(const ps_tile *tile, uint32_t bytes) {
    const uint32_t one = tile->level == PS_TILE_ENTRIES ? PS_SEALED_BYTES : PS_NODE_BYTES;
    const uint32_t width = bytes / one;
    return bytes % one != 0 || width > PS_TILE_WIDTH ? 0 : width;
}

static uint8_t *place_of(ps_gathered_tiles *tiles, int32_t level) {
    return level == PS_TILE_ENTRIES ? tiles->bundle : tiles->bytes[level];
}

static ps_tile *held(ps_gathered_tiles *tiles, int32_t level) {
    return &tiles->tile[level == PS_TILE_ENTRIES ? PS_TILE_LEVELS : level];
}

static size_t bytes_of(const ps_tile *tile) {
    const size_t one = tile->level == PS_TILE_ENTRIES ? PS_SEALED_BYTES : PS_NODE_BYTES;
    return tile->width * one;
}

static void copy_tile(ps_gathered_tiles *to, ps_gathered_tiles *from, int32_t level) {
    const ps_tile *tile = held(from, level);
    *held(to, level) = *tile;
    memcpy(place_of(to, level), place_of(from, level), bytes_of(tile));
}

/* The tile of that level that the log goes on from; width 0: it ends with a full one. */
static ps_tile last_tile(const ps_gathered *gathered, int32_t level) {
    const uint64_t size = gathered->record.frontier.size;
    return ps_tile_of(level, ps_tile_nodes(level, size) / PS_TILE_WIDTH, size);
}

/* The log has been said as of here. */
static void take_behind(ps_gathered *gathered) {
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        ps_tile *tile = held(&gathered->behind, level);
        if (tile->width == 0) continue;
        copy_tile(&gathered->said, &gathered->behind, level);
        tile->width = 0;
    }
}

/* Compaction keeps the newest tile of a name. One that no log speaks of may have taken the place of
 * the one that the log goes on from, and begins with it. */
static void take_wider(ps_gathered *gathered, const ps_tile *tile) {
    if (!gathered->found) return;
    const ps_tile wanted = last_tile(gathered, tile->level);
    const ps_tile *there = held(&gathered->said, tile->level);
    if (wanted.width == 0 || tile->index != wanted.index) return;
    if (there->width > 0 && there->index == wanted.index && there->width >= wanted.width) return;
    if (tile->width >= wanted.width) copy_tile(&gathered->said, &gathered->behind, tile->level);
}

/* Into its file, once the log is known to be this one; what was never signed gives way. */
static ps_status write_tile(ps_lane_sealer *sealer, uint32_t partition, const ps_tile *tile,
                            ps_bytes value, ps_error *error) {
    const ps_sealed_log *log = &sealer->log[partition];
    ps_seal_folder *folder = sealer->projected[partition].folder;
    const ps_tile_sink sink = ps_seal_folder_sink(folder);
    uint64_t *lowest = &sealer->gathered->lowest[tile->level + 1];
    ps_error why;
    if (!log->cleared || tile->width < PS_TILE_WIDTH ||
        tile->index >= ps_tile_nodes(tile->level, log->said) / PS_TILE_WIDTH)
        return PS_OK;
    const ps_status status = sink.put(sink.context, tile, value.data, value.length, &why);
    if (status != PS_OK)
        return ps_sealer_fail(sealer, partition, status, error, "%s: %s",
                              ps_seal_folder_path(folder), why.message);
    if (tile->index < *lowest) *lowest = tile->index;
    return PS_OK;
}

static ps_status apply_tile(ps_lane_sealer *sealer, uint32_t partition, ps_tile tile,
                            ps_bytes value, ps_error *error) {
    tile.width = value.length == PS_NULL_LENGTH ? 0 : width_of(&tile, value.length);
    if (tile.width == 0)
        return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                              "a tile in topic %s.seal is broken", sealer->env->pipeline);
    *held(&sealer->gathered->behind, tile.level) = tile;
    memcpy(place_of(&sealer->gathered->behind, tile.level), value.data, value.length);
    take_wider(sealer->gathered, &tile);
    return write_tile(sealer, partition, &tile, value, error);
}

ps_status ps_sealer_apply(void *self, uint32_t partition, ps_bytes key, ps_bytes value,
                          ps_error *error) {
    ps_lane_sealer *sealer = self;
    ps_gathered *gathered = sealer->gathered;
    char text[PS_SEALER_KEY_MAX];
    ps_error why;
    ps_tile tile;
    const char *what = own_key(sealer, partition, key, text);
    if (what == NULL) return PS_OK;
    if (ps_tile_parse(what, &tile)) return apply_tile(sealer, partition, tile, value, error);
    if (strcmp(what, "log") != 0) return PS_OK; /* of a newer penstock */
    const ps_status status = ps_log_record_parse(value, &gathered->record, &why);
    if (status != PS_OK)
        return ps_sealer_fail(sealer, partition, status, error, "topic %s.seal: %s",
                              sealer->env->pipeline, why.message);
    memcpy(gathered->origin, gathered->record.origin, gathered->record.origin_length);
    gathered->origin[gathered->record.origin_length] = '\0';
    gathered->found = true;
    take_behind(gathered);
    return PS_OK;
}

/* ---- is all of it there? ---- */

/* The tiles that the log goes on from. */
static bool has_partial(ps_gathered *gathered, char path[PS_TILE_PATH_MAX]) {
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        const ps_tile wanted = last_tile(gathered, level);
        const ps_tile *there = held(&gathered->said, level);
        if (wanted.width == 0) continue;
        (void)ps_tile_path(&wanted, path);
        if (there->index != wanted.index || there->width < wanted.width) return false;
    }
    return true;
}

/* The full tiles behind the checkpoint were written: what lay there may be anything. A log makes
 * its tiles in order, so all from the lowest on were there to be read. */
static bool has_full(const ps_gathered *gathered, uint64_t shown, uint64_t size,
                     char path[PS_TILE_PATH_MAX]) {
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        const ps_tile first = {level, PS_TILE_WIDTH, ps_tile_nodes(level, shown) / PS_TILE_WIDTH};
        (void)ps_tile_path(&first, path);
        if (first.index < ps_tile_nodes(level, size) / PS_TILE_WIDTH &&
            gathered->lowest[level + 1] > first.index)
            return false;
    }
    return true;
}

static ps_status read_shown(ps_lane_sealer *sealer, uint32_t partition, ps_tree *out,
                            ps_error *error) {
    const ps_projected *projected = &sealer->projected[partition];
    ps_error why;
    const ps_status status = ps_projected_shown(projected, out, &why);
    if (status == PS_OK) return status;
    return ps_sealer_fail(sealer, partition, status, error,
                          "%s/checkpoint: %s; it is of another log or key: give `dir` a place of "
                          "its own, or `key` the key that signed it",
                          ps_seal_folder_path(projected->folder), why.message);
}

/* What a transaction that was none has left: its rows may come again as others, where the source
 * was compacted meanwhile. */
static ps_status clear_beyond(ps_lane_sealer *sealer, uint32_t partition, uint64_t size,
                              ps_tree *shown, ps_error *error) {
    ps_sealed_log *log = &sealer->log[partition];
    ps_seal_folder *folder = sealer->projected[partition].folder;
    if (log->cleared) return PS_OK;
    PS_TRY(ps_seal_folder_turn(folder, error));
    const ps_status status = read_shown(sealer, partition, shown, error);
    if (status == PS_OK) ps_seal_folder_cut(folder, shown->size);
    ps_seal_folder_turn_over(folder);
    if (status != PS_OK) return status;
    ps_seal_folder_loose(folder, shown->size);
    log->cleared = true;
    log->said = size;
    return PS_OK;
}

/* ---- does it agree? ---- */

/* Tiles as the log had them, of those gathered and of the files. */
typedef struct source {
    ps_gathered *gathered;
    ps_seal_folder *folder;
} source;

static ps_status source_read(void *context, const char *path, uint8_t *to, size_t room,
                             size_t *length, ps_error *error) {
    const source *of = context;
    ps_tile tile;
    if (ps_tile_parse(path, &tile)) {
        const ps_tile *there = held(&of->gathered->said, tile.level);
        const size_t bytes = bytes_of(&tile);
        if (there->index == tile.index && there->width >= tile.width && bytes <= room) {
            memcpy(to, place_of(&of->gathered->said, tile.level), bytes);
            *length = bytes;
            return PS_OK;
        }
    }
    return ps_seal_folder_read(of->folder, path, to, room, length, error);
}

static const char shown_name[] = "the checkpoint in `dir`";

/* The log was not set back. */
static ps_status check_size(ps_lane_sealer *sealer, uint32_t partition, const ps_tree *tree,
                            const char *which, ps_error *error) {
    if (tree->size <= sealer->gathered->record.frontier.size) return PS_OK;
    return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                          "%s has %" PRIu64 " entries, and the log in topic %s.seal only %" PRIu64
                          ": was that topic cut, or set back? nothing else is signed",
                          which, tree->size, sealer->env->pipeline,
                          sealer->gathered->record.frontier.size);
}

/* The tree of the first `tree->size` entries has that root. */
static ps_status check_tree(ps_lane_sealer *sealer, uint32_t partition, const ps_tree *tree,
                            const char *which, ps_error *error) {
    source from = {sealer->gathered, sealer->projected[partition].folder};
    const ps_tile_source tiles = {source_read, &from};
    ps_hash root;
    ps_error why;
    if (tree->size == 0) return PS_OK;
    PS_TRY(check_size(sealer, partition, tree, which, error));
    ps_tiles_init(sealer->tiles, &tiles, sealer->gathered->record.frontier.size);
    const ps_status status = ps_tiles_root(sealer->tiles, tree->size, &root, &why);
    if (status != PS_OK)
        return ps_sealer_fail(sealer, partition, status, error, "%s: %s",
                              ps_seal_folder_path(from.folder), why.message);
    if (ps_hash_is(&root, &tree->root)) return PS_OK;
    return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                          "the log does not extend %s (%" PRIu64
                          " entries): nothing else is signed",
                          which, tree->size);
}

/* The tiles that are continued have the subtrees that the size is a sum of. */
static ps_status check_frontier(ps_lane_sealer *sealer, uint32_t partition, ps_error *error) {
    source from = {sealer->gathered, sealer->projected[partition].folder};
    const ps_tile_source tiles = {source_read, &from};
    const ps_frontier *frontier = &sealer->gathered->record.frontier;
    ps_error why;
    ps_tiles_init(sealer->tiles, &tiles, frontier->size);
    for (uint64_t left = frontier->size; left != 0; left &= left - 1) {
        const uint32_t level = (uint32_t)__builtin_ctzll(left);
        ps_hash node;
        const ps_status status =
            ps_tiles_node(sealer->tiles, level, (frontier->size >> level) - 1, &node, &why);
        if (status != PS_OK)
            return ps_sealer_fail(sealer, partition, status, error, "%s", why.message);
        if (memcmp(&node, frontier->node[level], sizeof node) != 0)
            return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                                  "the tiles in topic %s.seal are not those of the log's tree",
                                  sealer->env->pipeline);
    }
    return PS_OK;
}

static ps_status check_origin(const ps_lane_sealer *sealer, uint32_t partition, ps_error *error) {
    const char *origin = sealer->projected[partition].signer.verifier.name;
    if (strcmp(sealer->gathered->origin, origin) == 0) return PS_OK;
    return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                          "its log is '%.150s', and this is '%.150s': was the topic deleted and "
                          "made anew? a new log wants a `pipeline` name and a `dir` of its own",
                          sealer->gathered->origin, origin);
}

/* ---- the log ---- */

static ps_status continue_log(ps_lane_sealer *sealer, uint32_t partition, const ps_tree *shown,
                              ps_error *error) {
    ps_sealed_log *log = &sealer->log[partition];
    const ps_log_record *record = &sealer->gathered->record;
    source from = {sealer->gathered, sealer->projected[partition].folder};
    const ps_tile_source tiles = {source_read, &from};
    ps_error why;
    PS_TRY(check_tree(sealer, partition, &record->signed_tree, "the tree that was signed last",
                      error));
    PS_TRY(check_tree(sealer, partition, shown, shown_name, error));
    const ps_status status = ps_tiler_restore(log->tiler, &tiles, record->frontier.size, &why);
    if (status != PS_OK) return ps_sealer_fail(sealer, partition, status, error, "%s", why.message);
    log->frontier = record->frontier;
    log->watermark = record->watermark;
    log->last = record->last < 0 ? PS_OFFSET_NONE : record->last;
    return PS_OK;
}

static ps_status begin_log(ps_lane_sealer *sealer, uint32_t partition, const ps_tree *shown,
                           ps_error *error) {
    ps_sealed_log *log = &sealer->log[partition];
    const ps_tile_source none = {source_read, NULL};
    if (shown->size > 0)
        return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                              "%s has a signed log of %" PRIu64
                              " entries, and topic %s.seal knows of none: was that topic deleted? "
                              "a new log wants a `dir` of its own",
                              ps_seal_folder_path(sealer->projected[partition].folder), shown->size,
                              sealer->env->pipeline);
    memset(&log->frontier, 0, sizeof log->frontier);
    log->watermark = log->last = PS_OFFSET_NONE;
    return ps_tiler_restore(log->tiler, &none, 0, error);
}

/* Goes on with what was gathered, if that is all. No file is touched before the log is known to be
 * the one that the topic and the checkpoint speak of; tiles are written the next time round. */
static ps_status go_on(ps_lane_sealer *sealer, uint32_t partition, ps_tree *shown, bool all,
                       ps_error *error) {
    char path[PS_TILE_PATH_MAX];
    const uint64_t size = sealer->gathered->record.frontier.size;
    const bool was_cleared = sealer->log[partition].cleared;
    PS_TRY(check_size(sealer, partition, shown, shown_name, error));
    bool there = has_partial(sealer->gathered, path);
    if (there) {
        PS_TRY(check_frontier(sealer, partition, error));
        PS_TRY(clear_beyond(sealer, partition, size, shown, error));
        PS_TRY(check_size(sealer, partition, shown, shown_name, error));
        there = size == sealer->log[partition].said &&
                has_full(sealer->gathered, shown->size, size, path);
        if (!there && !was_cleared) return PS_AGAIN;
    }
    if (there) return continue_log(sealer, partition, shown, error);
    if (!all) return PS_AGAIN;
    return ps_sealer_fail(sealer, partition, PS_TAMPERED, error,
                          "%s is not in topic %s.seal: were records of that topic deleted? the log "
                          "cannot be continued",
                          path, sealer->env->pipeline);
}

/* An earlier run may have been killed before its roll-up had this one. */
static ps_status offer_shown(const ps_lane_sealer *sealer, uint32_t partition, const ps_tree *shown,
                             ps_error *error) {
    const ps_signer *signer = &sealer->projected[partition].signer;
    ps_roller *roller = ps_sealer_roller(sealer->env->sealer_shared);
    char note[PS_CHECKPOINT_MAX];
    size_t length = 0;
    if (roller == NULL || shown->size == 0) return PS_OK;
    /* The same bytes as are there: Ed25519 has one signature for a text. */
    PS_TRY(ps_checkpoint_sign(shown, signer, note, &length, error));
    const ps_published published = {
        partition, signer->verifier.name, *shown, {(const uint8_t *)note, (uint32_t)length}};
    ps_roller_offer(roller, &published);
    return PS_OK;
}

ps_status ps_sealer_restored(void *self, uint32_t partition, bool all, ps_error *error) {
    ps_lane_sealer *sealer = self;
    ps_sealed_log *log = &sealer->log[partition];
    ps_projected *projected = &sealer->projected[partition];
    const ps_gathered *gathered = sealer->gathered;
    ps_tree shown;
    if (!gathered->found && !all) return PS_AGAIN;
    if (gathered->found) PS_TRY(check_origin(sealer, partition, error));
    PS_TRY(read_shown(sealer, partition, &shown, error));
    if (gathered->found) {
        PS_TRY(go_on(sealer, partition, &shown, all, error));
    } else {
        PS_TRY(begin_log(sealer, partition, &shown, error));
        PS_TRY(clear_beyond(sealer, partition, 0, &shown, error));
    }
    ps_seal_folder_strict(projected->folder);
    PS_TRY(offer_shown(sealer, partition, &shown, error));
    log->committed = log->frontier;
    log->moved = log->grown = false;
    log->published = shown.size;
    log->published_ns = 0;
    projected->signed_tree = shown;
    if (gathered->found && gathered->record.signed_tree.size > shown.size)
        projected->signed_tree = gathered->record.signed_tree;
    ps_log_begun(projected->metrics, log->committed.size, projected->signed_tree.size,
                 sealer->config->interval_ns);
    atomic_store_explicit(&log->given, true, memory_order_release);
    ps_sealer_due(sealer, 0);
    return PS_OK;
}
