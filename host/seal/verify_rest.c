/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "host/seal/verify_parts.h"

/* The bytes of the first `width` of a tile or bundle; false: it has fewer. */
static bool prefix(const ps_tile *tile, const uint8_t *bytes, size_t length, uint32_t width,
                   size_t *out) {
    ps_bytes entry;
    *out = (size_t)width * PS_NODE_BYTES;
    if (tile->level != PS_TILE_ENTRIES) return *out <= length;
    *out = 0;
    for (uint32_t i = 0; i < width; i++)
        if (!ps_bundle_next(bytes, length, out, &entry)) return false;
    return true;
}

/* How many of this file's hashes or entries the checkpoint speaks of. */
static uint32_t covered(const ps_verify *v, const ps_tile *tile) {
    const uint64_t nodes = ps_tile_nodes(tile->level, v->report->tree.size);
    const uint64_t first = tile->index * PS_TILE_WIDTH;
    if (first >= nodes) return 0;
    return nodes - first < tile->width ? (uint32_t)(nodes - first) : tile->width;
}

/* A file of which `rows` must be as in the tile that the tree has. */
static ps_status compare(ps_verify *v, const ps_tile *tile, const char *path, uint32_t rows,
                         ps_error *error) {
    const ps_tile now = ps_tile_of(tile->level, tile->index, v->report->tree.size);
    const ps_tile_source *const source = &v->source;
    size_t length = 0, now_length = 0, wanted = 0, is = 0;
    ps_error why;
    v->report->files++;
    ps_status status =
        source->read(source->context, path, v->other, sizeof v->other, &length, &why);
    if (status == PS_TAMPERED) ps_verify_fault(v, path, "is larger than such a file can be");
    if (status == PS_OK)
        status = ps_tile_load(source, &now, v->bundle, sizeof v->bundle, &now_length, &why);
    if (status == PS_UNKNOWN_NAME || status == PS_TAMPERED) return PS_OK; /* said already */
    if (status != PS_OK) return ps_fail(error, status, "%s", why.message);
    const bool whole = rows == tile->width;
    if (!prefix(tile, v->bundle, now_length, rows, &wanted)) return PS_OK; /* said already */
    /* What the checkpoint does not speak of may still be being written, or was when its writer was
     * killed. */
    const bool torn = !whole && length < wanted;
    const bool begins = torn ? memcmp(v->bundle, v->other, length) == 0
                             : prefix(tile, v->other, length, rows, &is) && is == wanted &&
                                   memcmp(v->bundle, v->other, wanted) == 0;
    if (!begins)
        ps_verify_fault(v, path, "is not the beginning of what the tree has there");
    else if (whole && length != wanted)
        ps_verify_fault(v, path, "goes on behind its last %s",
                        tile->level == PS_TILE_ENTRIES ? "entry" : "hash");
    return PS_OK;
}

/* What a log keeps beside its tiles, and a roll-up of its own. */
static bool is_known(const char *path) {
    static const char *const names[] = {"checkpoint", "vkey",         ".checkpoint.new",
                                        ".vkey.new",  ".signed",      "..signed.new",
                                        ".origins",   "..origins.new"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(path, names[i]) == 0) return true;
    return false;
}

static ps_status visit(void *context, const char *path, ps_error *error) {
    ps_verify *const v = context;
    ps_tile tile;
    if (is_known(path)) return PS_OK;
    if (!ps_tile_parse(path, &tile)) {
        ps_verify_remark(v, path, "is no file of a log");
        return PS_OK;
    }
    const uint32_t rows = covered(v, &tile);
    const ps_tile now = ps_tile_of(tile.level, tile.index, v->report->tree.size);
    if (rows < tile.width) v->report->beyond++;
    /* What the tree has was compared with it. */
    if (rows == 0 || tile.width == now.width) return PS_OK;
    return compare(v, &tile, path, rows, error);
}

ps_status ps_verify_rest(ps_verify *v, ps_error *error) {
    return ps_seal_folder_walk(v->folder, visit, v, error);
}
