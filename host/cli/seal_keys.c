/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/seal_keys.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/seal/lines.h"

ps_status ps_seal_keys_init(ps_seal_keys *keys, const ps_string_list *texts, ps_error *error) {
    keys->count = texts->count;
    keys->key = calloc(texts->count + 1, sizeof *keys->key);
    keys->used = calloc(texts->count + 1, sizeof *keys->used);
    if (keys->key == NULL || keys->used == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for keys");
    for (uint32_t i = 0; i < texts->count; i++)
        PS_TRY(ps_seal_key(texts->at[i], &keys->key[i], error));
    return PS_OK;
}

void ps_seal_keys_deinit(ps_seal_keys *keys) {
    free(keys->key);
    free(keys->used);
    *keys = (ps_seal_keys){0};
}

static bool is_named(const ps_verifier *key, ps_bytes origin) {
    return origin.length == strlen(key->name) && memcmp(origin.data, key->name, origin.length) == 0;
}

const ps_verifier *ps_seal_key_of(const ps_verifier *keys, uint32_t count, const ps_note *note,
                                  ps_bytes origin) {
    const ps_verifier *found = NULL;
    ps_note_verdict best = PS_NOTE_UNSIGNED;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_named(&keys[i], origin)) continue;
        const ps_note_verdict verdict = ps_note_verify(note, &keys[i], NULL);
        if (verdict == PS_NOTE_SIGNED) return &keys[i];
        if (found == NULL || verdict > best) found = &keys[i];
        best = verdict > best ? verdict : best;
    }
    return found;
}

/* "a/b" lies below "a", "ab" does not. */
static bool is_above(const ps_verifier *key, ps_bytes origin) {
    const size_t length = strlen(key->name);
    return origin.length > length && memcmp(origin.data, key->name, length) == 0 &&
           origin.data[length] == '/';
}

static bool rename_to(ps_seal_keys *keys, uint32_t at, ps_bytes origin) {
    return is_above(&keys->key[at], origin) &&
           ps_verifier_rename(&keys->key[at], origin, &keys->renamed, NULL) == PS_OK;
}

/* One that has signed, else the first. */
static const ps_verifier *find_above(ps_seal_keys *keys, const ps_note *note, ps_bytes origin) {
    uint32_t first = keys->count;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (!rename_to(keys, i, origin)) continue;
        if (ps_note_verify(note, &keys->renamed, NULL) == PS_NOTE_SIGNED) return &keys->renamed;
        if (first == keys->count) first = i;
    }
    return first < keys->count && rename_to(keys, first, origin) ? &keys->renamed : NULL;
}

const ps_verifier *ps_seal_keys_find(ps_seal_keys *keys, const ps_note *note, ps_bytes origin) {
    const ps_verifier *const own = ps_seal_key_of(keys->key, keys->count, note, origin);
    /* One that was replaced is of use, too, though another of its name has signed. */
    for (uint32_t i = 0; i < keys->count; i++)
        keys->used[i] |= is_named(&keys->key[i], origin) || is_above(&keys->key[i], origin);
    return own != NULL ? own : find_above(keys, note, origin);
}

/* The first line of a checkpoint that nobody has checked yet says which log it is of. */
static const ps_verifier *find(ps_seal_keys *keys, ps_bytes bytes) {
    ps_bytes rest = bytes, origin;
    if (!ps_line_next(&rest, &origin)) return NULL;
    ps_note *const note = malloc(sizeof *note);
    if (note == NULL) return NULL;
    if (ps_note_parse(bytes, note, NULL) != PS_OK) note->lines = 0; /* then nobody has signed it */
    const ps_verifier *const found = ps_seal_keys_find(keys, note, origin);
    free(note);
    return found;
}

ps_status ps_seal_key_for(const ps_seal_options *chosen, ps_bytes checkpoint, ps_verifier *out,
                          ps_error *error) {
    ps_seal_keys keys = {0};
    const ps_status status = ps_seal_keys_init(&keys, &chosen->key, error);
    if (status == PS_OK) {
        const ps_verifier *const found = find(&keys, checkpoint);
        *out = found == NULL ? keys.key[0] : *found;
    }
    ps_seal_keys_deinit(&keys);
    return status;
}

const ps_verifier *ps_seal_keys_choose(ps_seal_keys *keys, const ps_tile_source *log, bool only,
                                       bool *missing) {
    size_t length = 0;
    ps_error ignored;
    *missing = false;
    if (keys->count == 0) return NULL;
    uint8_t *const bytes = malloc(PS_NOTE_BYTES_MAX);
    const bool there = bytes != NULL && log->read(log->context, "checkpoint", bytes,
                                                  PS_NOTE_BYTES_MAX, &length, &ignored) == PS_OK;
    const ps_verifier *const found = there ? find(keys, (ps_bytes){bytes, (uint32_t)length}) : NULL;
    free(bytes);
    if (found == NULL && only && keys->count == 1) {
        keys->used[0] = true;
        return &keys->key[0];
    }
    *missing = found == NULL;
    return found;
}

uint32_t ps_seal_keys_unused(const ps_seal_keys *keys, const char *where) {
    uint32_t unused = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (keys->used[i]) continue;
        ps_log(PS_LOG_ERROR, "seal", "%s: no log of the key %.200s is there", where,
               keys->key[i].name);
        unused++;
    }
    return unused;
}
