/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/origins.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/seal/lines.h"

static const char file_name[] = ".origins";
static const char title[] = "penstock roll-up origins 1";

enum {
    LINE_MAX = 2 * PS_HASH_TEXT_MAX + 24,
    FILE_MAX = sizeof title + 32 + PS_ORIGINS_MAX * LINE_MAX + PS_HASH_TEXT_MAX,
    BUNDLE_MAX = PS_TILE_WIDTH * (2 + PS_ENTRY_BYTES_MAX)
};

void ps_origins_deinit(ps_origins *origins) {
    free(origins->at);
    *origins = (ps_origins){0};
}

/* The first whose name is not below this one. */
static uint32_t place_of(const ps_origins *origins, const ps_hash *name) {
    uint32_t begin = 0, end = origins->count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (memcmp(&origins->at[middle].name, name, sizeof *name) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool is_at(const ps_origins *origins, uint32_t place, const ps_hash *name) {
    return place < origins->count && ps_hash_is(&origins->at[place].name, name);
}

const ps_tree *ps_origins_find(const ps_origins *origins, ps_bytes origin) {
    ps_hash name;
    ps_hash_bytes(origin.data, origin.length, &name);
    const uint32_t place = place_of(origins, &name);
    return is_at(origins, place, &name) ? &origins->at[place].tree : NULL;
}

static ps_status put(ps_origins *origins, const ps_hash *name, const ps_tree *tree,
                     ps_error *error) {
    const uint32_t place = place_of(origins, name);
    if (is_at(origins, place, name)) {
        origins->at[place].tree = *tree;
        return PS_OK;
    }
    if (origins->count == PS_ORIGINS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "a roll-up holds %d logs", PS_ORIGINS_MAX);
    if (origins->count == origins->room) {
        const uint32_t room = origins->room == 0 ? 64 : origins->room * 2;
        ps_origin *const more = realloc(origins->at, room * sizeof *more);
        if (more == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for %u logs", room);
        origins->at = more;
        origins->room = room;
    }
    ps_origin *const to = &origins->at[place];
    memmove(to + 1, to, (origins->count - place) * sizeof *to);
    *to = (ps_origin){*name, *tree};
    origins->count++;
    return PS_OK;
}

ps_status ps_origins_put(ps_origins *origins, ps_bytes origin, const ps_tree *tree,
                         ps_error *error) {
    ps_hash name;
    ps_hash_bytes(origin.data, origin.length, &name);
    return put(origins, &name, tree, error);
}

/* name, size and root, a blank between them */
static bool read_line(ps_bytes line, ps_origin *out) {
    enum { TEXT = PS_HASH_TEXT_MAX - 1 };
    if (line.length < 2 * TEXT + 3) return false;
    const ps_bytes name = {line.data, TEXT};
    const ps_bytes root = {line.data + line.length - TEXT, TEXT};
    const ps_bytes size = {line.data + TEXT + 1, line.length - 2 * TEXT - 2};
    return line.data[TEXT] == ' ' && root.data[-1] == ' ' && ps_hash_read(name, &out->name) &&
           ps_decimal_read(size, &out->tree.size) && ps_hash_read(root, &out->tree.root);
}

static bool read_file(ps_origins *origins, ps_bytes bytes, uint64_t size_max) {
    enum { TAIL = PS_HASH_TEXT_MAX };
    ps_bytes line, rest = bytes;
    ps_hash is, says;
    ps_origin one;
    if (bytes.length < TAIL) return false;
    rest.length -= TAIL;
    ps_hash_bytes(rest.data, rest.length, &is);
    if (!ps_hash_read((ps_bytes){bytes.data + rest.length, TAIL - 1}, &says) ||
        !ps_hash_is(&is, &says))
        return false;
    if (!ps_line_next(&rest, &line) || line.length != sizeof title - 1 ||
        memcmp(line.data, title, line.length) != 0)
        return false;
    if (!ps_line_next(&rest, &line) || !ps_decimal_read(line, &origins->size)) return false;
    while (ps_line_next(&rest, &line))
        if (!read_line(line, &one) || put(origins, &one.name, &one.tree, NULL) != PS_OK)
            return false;
    return rest.length == 0 && origins->size <= size_max;
}

bool ps_origins_read(ps_origins *origins, ps_bytes bytes, uint64_t size_max) {
    const bool good = read_file(origins, bytes, size_max);
    if (!good) ps_origins_deinit(origins);
    return good;
}

static ps_status load(ps_origins *origins, ps_seal_folder *folder, uint64_t size_max,
                      ps_error *error) {
    size_t length = 0;
    uint8_t *const bytes = malloc(FILE_MAX);
    if (bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a roll-up's logs");
    const ps_status status =
        ps_seal_folder_read(folder, file_name, bytes, FILE_MAX, &length, error);
    if (status == PS_OK)
        (void)ps_origins_read(origins, (ps_bytes){bytes, (uint32_t)length}, size_max);
    free(bytes);
    return status == PS_UNKNOWN_NAME || status == PS_TAMPERED ? PS_OK : status;
}

static ps_status take_entry(ps_origins *origins, ps_bytes entry, ps_note *note, ps_error *error) {
    ps_checkpoint checkpoint;
    PS_TRY(ps_note_parse(entry, note, error));
    PS_TRY(ps_checkpoint_parse(note->text, &checkpoint, error));
    return ps_origins_put(origins, checkpoint.origin, &checkpoint.tree, error);
}

/* The entries of one bundle from number `origins->size` on. */
static ps_status take_bundle(ps_origins *origins, ps_bytes bundle, uint32_t skip, ps_note *note,
                             ps_error *error) {
    size_t at = 0;
    ps_bytes entry;
    for (uint32_t row = 0; ps_bundle_next(bundle.data, bundle.length, &at, &entry); row++) {
        if (row < skip) continue;
        const ps_status status = take_entry(origins, entry, note, error);
        if (status == PS_OK) {
            origins->size++;
            continue;
        }
        char where[40];
        (void)snprintf(where, sizeof where, "entry %" PRIu64, origins->size);
        return ps_fail_in(error, status, where);
    }
    return PS_OK;
}

static ps_status catch_up(ps_origins *origins, ps_seal_folder *folder, uint64_t size,
                          uint8_t *bytes, ps_error *error) {
    const ps_tile_source source = ps_seal_folder_source(folder);
    ps_note note;
    while (origins->size < size) {
        const uint64_t before = origins->size;
        const ps_tile tile = ps_tile_of(PS_TILE_ENTRIES, before / PS_TILE_WIDTH, size);
        size_t length = 0;
        PS_TRY(ps_tile_load(&source, &tile, bytes, BUNDLE_MAX, &length, error));
        PS_TRY(take_bundle(origins, (ps_bytes){bytes, (uint32_t)length},
                           (uint32_t)(before % PS_TILE_WIDTH), &note, error));
        if (origins->size == before || origins->size > size)
            return ps_fail(error, PS_TAMPERED, "the bundle of entry %" PRIu64 " is cut", before);
    }
    return PS_OK;
}

ps_status ps_origins_init(ps_origins *origins, ps_seal_folder *folder, uint64_t size,
                          ps_error *error) {
    PS_TRY(load(origins, folder, size, error));
    if (origins->size == size) return PS_OK;
    uint8_t *const bytes = malloc(BUNDLE_MAX);
    if (bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a bundle");
    const ps_status status = catch_up(origins, folder, size, bytes, error);
    free(bytes);
    return status;
}

ps_status ps_origins_save(const ps_origins *origins, ps_seal_folder *folder, ps_error *error) {
    char name[PS_HASH_TEXT_MAX], root[PS_HASH_TEXT_MAX];
    const size_t room = sizeof title + 32 + (size_t)origins->count * LINE_MAX + PS_HASH_TEXT_MAX;
    ps_hash hash;
    char *const text = malloc(room);
    if (text == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a roll-up's logs");
    size_t used = (size_t)snprintf(text, room, "%s\n%" PRIu64 "\n", title, origins->size);
    for (uint32_t i = 0; i < origins->count; i++) {
        const ps_origin *const one = &origins->at[i];
        used += (size_t)snprintf(text + used, room - used, "%s %" PRIu64 " %s\n",
                                 ps_hash_text(&one->name, name), one->tree.size,
                                 ps_hash_text(&one->tree.root, root));
    }
    ps_hash_bytes((const uint8_t *)text, used, &hash);
    used += (size_t)snprintf(text + used, room - used, "%s\n", ps_hash_text(&hash, root));
    const ps_status status = ps_seal_folder_replace(folder, file_name, text, used, error);
    free(text);
    return status;
}
