/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "host/seal/lines.h"
#include "host/seal/verify_parts.h"

typedef void tell(void *context, const char *file, const char *what);

static void say(tell *to, void *context, const char *file, const char *format, va_list values) {
    char what[400];
    if (to == NULL) return;
    (void)vsnprintf(what, sizeof what, format, values);
    to(context, file, what);
}

void ps_verify_fault(const ps_verify *v, const char *file, const char *format, ...) {
    va_list values;
    v->report->faults++;
    va_start(values, format);
    say(v->watch->fault, v->watch->context, file, format, values);
    va_end(values);
}

void ps_verify_remark(const ps_verify *v, const char *file, const char *format, ...) {
    va_list values;
    va_start(values, format);
    say(v->watch->remark, v->watch->context, file, format, values);
    va_end(values);
}

/* Errors of files begin with their path. */
static const char *without_path(const ps_error *error, const char *path) {
    const size_t length = strlen(path);
    const char *const text = error->message;
    return strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0
               ? text + length + 2
               : text;
}

ps_status ps_verify_load(const ps_verify *v, const ps_tile *tile, uint8_t *to, size_t room,
                         size_t *length, bool *there, ps_error *error) {
    char path[PS_TILE_PATH_MAX];
    ps_error why;
    const ps_status status = ps_tile_load(&v->source, tile, to, room, length, &why);
    *there = status == PS_OK;
    v->report->files++;
    if (status == PS_UNKNOWN_NAME || status == PS_TAMPERED) {
        (void)ps_tile_path(tile, path);
        ps_verify_fault(v, path, "%s", without_path(&why, path));
        return PS_OK;
    }
    if (status != PS_OK && error != NULL) *error = why;
    return status;
}

/* How many of the entries can be had; a bundle that has others than its tile is a fault. */
static uint32_t split_bundle(const ps_verify *v, const ps_tile *bundle, size_t length,
                             ps_bytes *entries) {
    char path[PS_TILE_PATH_MAX];
    size_t at = 0;
    uint32_t count = 0;
    while (count < bundle->width && ps_bundle_next(v->bundle, length, &at, &entries[count]))
        count++;
    if (count < bundle->width)
        ps_verify_fault(v, ps_tile_path(bundle, path), "entry %" PRIu64 " goes beyond its end",
                        bundle->index * PS_TILE_WIDTH + count);
    else if (at < length)
        ps_verify_fault(v, ps_tile_path(bundle, path), "goes on behind its last entry");
    return count;
}

/* Entry `index` hashes to `leaf`, its tile says `sealed`. The way to the root tells which of them
 * was signed; that one goes on into the tree. */
static ps_status judge(ps_verify *v, uint64_t index, ps_hash *leaf, const ps_hash *sealed,
                       ps_error *error) {
    char tile_path[PS_TILE_PATH_MAX], bundle_path[PS_TILE_PATH_MAX];
    const ps_tree *const tree = &v->report->tree;
    const ps_tile tile = ps_tile_of(0, index / PS_TILE_WIDTH, tree->size);
    const ps_tile bundle = ps_tile_of(PS_TILE_ENTRIES, index / PS_TILE_WIDTH, tree->size);
    const uint32_t row = (uint32_t)(index % PS_TILE_WIDTH);
    ps_proof proof;
    const ps_status status = ps_proof_inclusion(&v->tiles, index, tree->size, &proof, error);
    (void)ps_tile_path(&tile, tile_path);
    (void)ps_tile_path(&bundle, bundle_path);
    if (status == PS_OK && ps_proof_includes(&proof, sealed, index, tree->size, &tree->root)) {
        ps_verify_fault(v, bundle_path,
                        "entry %" PRIu64 " was changed: %s has the hash that was "
                        "signed",
                        index, tile_path);
        *leaf = *sealed;
    } else if (status == PS_OK && ps_proof_includes(&proof, leaf, index, tree->size, &tree->root)) {
        ps_verify_fault(v, tile_path,
                        "hash %u was changed: entry %" PRIu64 " in %s is what was "
                        "signed",
                        row, index, bundle_path);
    } else {
        ps_verify_fault(v, bundle_path,
                        "entry %" PRIu64 " has another hash than %s has at %u; "
                        "neither leads to the checkpoint's root",
                        index, tile_path, row);
    }
    return status == PS_UNKNOWN_NAME || status == PS_TAMPERED ? PS_OK : status;
}

/* Both are there: row by row. An entry that is not as its tile says is nobody's word. */
static ps_status compare_rows(ps_verify *v, uint64_t first, uint32_t rows, ps_hash *leaves,
                              ps_bytes *entries, ps_error *error) {
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *const sealed = v->tile + (size_t)i * PS_NODE_BYTES;
        if (memcmp(leaves[i].byte, sealed, PS_NODE_BYTES) == 0) continue;
        ps_hash hash;
        entries[i] = (ps_bytes){NULL, PS_NULL_LENGTH};
        memcpy(&hash, sealed, sizeof hash);
        PS_TRY(judge(v, first + i, &leaves[i], &hash, error));
    }
    return PS_OK;
}

/* The leaf hashes of one bundle: of its entries, and where these are gone, of the tile. `*known` is
 * false where neither is there: the tree ends here. */
static ps_status leaves_of(ps_verify *v, uint64_t index, ps_hash *leaves, bool *known,
                           ps_error *error) {
    ps_bytes entries[PS_TILE_WIDTH];
    size_t length = 0;
    bool has_bundle = false, has_tile = false;
    const ps_tile bundle = ps_tile_of(PS_TILE_ENTRIES, index, v->report->tree.size);
    const ps_tile tile = ps_tile_of(0, index, v->report->tree.size);
    PS_TRY(ps_verify_load(v, &bundle, v->bundle, sizeof v->bundle, &length, &has_bundle, error));
    const uint32_t rows = has_bundle ? split_bundle(v, &bundle, length, entries) : 0;
    PS_TRY(ps_verify_load(v, &tile, v->tile, sizeof v->tile, &length, &has_tile, error));
    PS_TRY(ps_leaves_hash(v->leaves, entries, rows, leaves->byte, error));
    v->report->entries += rows;
    if (has_tile) {
        PS_TRY(compare_rows(v, index * PS_TILE_WIDTH, rows, leaves, entries, error));
        memcpy(leaves + rows, v->tile + (size_t)rows * PS_NODE_BYTES,
               (size_t)(tile.width - rows) * PS_NODE_BYTES);
    }
    *known = has_tile || rows == bundle.width;
    if (v->watch->entries == NULL || rows == 0) return PS_OK;
    return v->watch->entries(v->watch->context, index * PS_TILE_WIDTH, entries, rows, error);
}

/* A tile above the leaves, as the entries make it, against the file. */
static ps_status compare_tile(void *context, const ps_tile *tile, const uint8_t *bytes,
                              size_t length, ps_error *error) {
    ps_verify *const v = context;
    char path[PS_TILE_PATH_MAX], below_path[PS_TILE_PATH_MAX];
    size_t there_bytes = 0;
    bool there = false;
    if (tile->level <= 0) return PS_OK; /* compared row by row */
    PS_TRY(ps_verify_load(v, tile, v->tile, sizeof v->tile, &there_bytes, &there, error));
    if (!there || memcmp(v->tile, bytes, length) == 0) return PS_OK;
    for (uint32_t i = 0; i < tile->width; i++) {
        const size_t at = (size_t)i * PS_NODE_BYTES;
        if (memcmp(v->tile + at, bytes + at, PS_NODE_BYTES) == 0) continue;
        const ps_tile below = {tile->level - 1, PS_TILE_WIDTH, tile->index * PS_TILE_WIDTH + i};
        ps_verify_fault(v, ps_tile_path(tile, path), "hash %u is not the root of %s", i,
                        ps_tile_path(&below, below_path));
    }
    return PS_OK;
}

static ps_status check_root(ps_verify *v, ps_error *error) {
    char is[PS_HASH_TEXT_MAX], says[PS_HASH_TEXT_MAX];
    const ps_tile_sink compare = {compare_tile, v};
    ps_hash root;
    PS_TRY(ps_tiler_flush(v->tiler, &compare, error));
    ps_frontier_root(&v->frontier, root.byte);
    if (ps_hash_is(&root, &v->report->tree.root)) return PS_OK;
    ps_verify_fault(
        v, "checkpoint", "its root %s is not that of the %" PRIu64 " entries, which is %s",
        ps_hash_text(&v->report->tree.root, says), v->report->tree.size, ps_hash_text(&root, is));
    return PS_OK;
}

static ps_status check_tree(ps_verify *v, ps_error *error) {
    ps_hash leaves[PS_TILE_WIDTH];
    const ps_tile_sink compare = {compare_tile, v};
    const uint64_t size = v->report->tree.size;
    for (uint64_t index = 0; index * PS_TILE_WIDTH < size; index++) {
        ps_tiler_batch batch;
        bool known = false;
        const uint32_t width = ps_tile_of(0, index, size).width;
        PS_TRY(leaves_of(v, index, leaves, &known, error));
        if (!known) return PS_OK; /* said already */
        ps_leaves_take(v->leaves, leaves->byte, width, &v->frontier, &batch);
        PS_TRY(ps_tiler_append(v->tiler, &batch, &compare, error));
        if (v->watch->progress != NULL)
            v->watch->progress(v->watch->context, v->frontier.size, size);
    }
    return check_root(v, error);
}

/* The key in the log's own `vkey`; `*there` where it has one that is right. */
static ps_status read_vkey(const ps_verify *v, ps_verifier *out, bool *there, ps_error *error) {
    uint8_t text[PS_KEY_TEXT_MAX + 1];
    char again[PS_KEY_TEXT_MAX];
    size_t length = 0;
    ps_error why;
    const ps_status status =
        v->source.read(v->source.context, "vkey", text, sizeof text, &length, &why);
    *there = false;
    if (status == PS_UNKNOWN_NAME) return PS_OK;
    if (status != PS_OK && status != PS_TAMPERED) {
        if (error != NULL) *error = why;
        return status;
    }
    if (status == PS_TAMPERED || length == 0 || text[length - 1] != '\n')
        ps_verify_fault(v, "vkey", "is not one line with a key");
    else if (ps_verifier_parse((const char *)text, length - 1, out, &why) != PS_OK)
        ps_verify_fault(v, "vkey", "%s", why.message);
    else if (strlen(ps_verifier_text(out, again)) != length - 1 ||
             memcmp(text, again, length - 1) != 0)
        ps_verify_fault(v, "vkey", "is not as a key is written");
    else
        *there = true;
    return PS_OK;
}

static ps_status choose_key(ps_verify *v, const ps_verifier *given, ps_verifier *out, bool *has_key,
                            ps_error *error) {
    PS_TRY(read_vkey(v, out, has_key, error));
    v->report->own_key = *has_key && given == NULL;
    if (given == NULL) return PS_OK;
    if (*has_key && memcmp(out->key, given->key, PS_KEY_BYTES) != 0)
        ps_verify_fault(
            v, "vkey", "is another key than the one that was given: its id is %08x, not %08x%s",
            out->id, given->id,
            strcmp(out->name, given->name) == 0 ? "; where a key was replaced, give both" : "");
    else if (*has_key && strcmp(out->name, given->name) != 0)
        ps_verify_fault(v, "vkey", "names another log than the key that was given");
    *out = *given;
    *has_key = true;
    return PS_OK;
}

/* `*known`: what the tree must be is known, whoever has signed it. */
static ps_status open_checkpoint(ps_verify *v, const ps_verifier *given, bool *known,
                                 ps_error *error) {
    ps_checkpoint checkpoint;
    ps_verifier key;
    ps_error why;
    size_t length = 0;
    bool has_key = false;
    const ps_status read = v->source.read(v->source.context, "checkpoint", v->bundle,
                                          PS_NOTE_BYTES_MAX, &length, error);
    if (read == PS_TAMPERED) ps_verify_fault(v, "checkpoint", "is larger than a note can be");
    if (read != PS_OK) return read == PS_TAMPERED ? PS_OK : read;
    const ps_bytes bytes = {v->bundle, (uint32_t)length};
    PS_TRY(choose_key(v, given, &key, &has_key, error));
    if (has_key) {
        v->report->is_signed =
            ps_checkpoint_open(bytes, &key, &v->note, &checkpoint, &why) == PS_OK;
        if (!v->report->is_signed) ps_verify_fault(v, "checkpoint", "%s", why.message);
    }
    *known = v->report->is_signed;
    if (!*known) {
        ps_status form = ps_note_parse(bytes, &v->note, &why);
        if (form == PS_OK) form = ps_checkpoint_parse(v->note.text, &checkpoint, &why);
        if (form != PS_OK && !has_key) ps_verify_fault(v, "checkpoint", "%s", why.message);
        *known = form == PS_OK;
    }
    if (!*known) return PS_OK;
    v->report->tree = checkpoint.tree;
    (void)snprintf(v->report->origin, sizeof v->report->origin, "%.*s",
                   (int)checkpoint.origin.length, (const char *)checkpoint.origin.data);
    return PS_OK;
}

static ps_status check_files(ps_verify *v, const ps_verifier *key, ps_error *error) {
    bool known = false;
    PS_TRY(open_checkpoint(v, key, &known, error));
    if (!known) return PS_OK;
    ps_tiles_init(&v->tiles, &v->source, v->report->tree.size);
    PS_TRY(check_tree(v, error));
    return v->folder == NULL ? PS_OK : ps_verify_rest(v, error);
}

static ps_status verify(ps_verify *v, const ps_verifier *key, ps_error *error) {
    PS_TRY(ps_leaves_open(&v->leaves, error));
    PS_TRY(ps_tiler_open(0, &v->tiler, error));
    const ps_status status = check_files(v, key, error);
    /* What was found stays found, though another file cannot be read. */
    if (v->report->faults == 0) PS_TRY(status);
    if (v->report->faults > 0)
        return ps_fail(error, PS_TAMPERED, "%" PRIu64 " fault%s", v->report->faults,
                       v->report->faults == 1 ? "" : "s");
    if (v->report->is_signed) return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME,
                   "no `vkey` is there and no key was given: who signed it cannot be told");
}

/* Mapped, not allocated: of the room for the largest bundles only what is used becomes memory. */
static ps_verify *map(ps_error *error) {
    void *const memory = mmap(NULL, sizeof(ps_verify), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) return memory;
    (void)ps_fail(error, PS_NO_MEMORY, "no memory to verify a log");
    return NULL;
}

static ps_status verify_all(const ps_tile_source *source, ps_seal_folder *folder,
                            const ps_verifier *key, const ps_verify_watch *watch,
                            ps_verify_report *report, ps_error *error) {
    memset(report, 0, sizeof *report);
    ps_verify *const v = map(error);
    if (v == NULL) return PS_NO_MEMORY;
    v->folder = folder;
    v->source = *source;
    v->watch = watch;
    v->report = report;
    const ps_status status = verify(v, key, error);
    ps_leaves_close(v->leaves);
    ps_tiler_close(v->tiler);
    (void)munmap(v, sizeof *v);
    return status;
}

ps_status ps_verify_folder(ps_seal_folder *folder, const ps_verifier *key,
                           const ps_verify_watch *watch, ps_verify_report *report,
                           ps_error *error) {
    const ps_tile_source source = ps_seal_folder_source(folder);
    return verify_all(&source, folder, key, watch, report, error);
}

ps_status ps_verify_source(const ps_tile_source *source, const ps_verifier *key,
                           const ps_verify_watch *watch, ps_verify_report *report,
                           ps_error *error) {
    return verify_all(source, NULL, key, watch, report, error);
}
