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

/* The first line of a checkpoint that nobody has checked yet. */
static const ps_verifier *named(ps_seal_keys *keys, ps_bytes note) {
    ps_bytes origin;
    if (!ps_line_next(&note, &origin)) return NULL;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (origin.length != strlen(keys->key[i].name) ||
            memcmp(origin.data, keys->key[i].name, origin.length) != 0)
            continue;
        keys->used[i] = true;
        return &keys->key[i];
    }
    return NULL;
}

const ps_verifier *ps_seal_keys_choose(ps_seal_keys *keys, const ps_tile_source *log, bool only,
                                       bool *missing) {
    size_t length = 0;
    ps_error ignored;
    *missing = false;
    if (keys->count == 0) return NULL;
    if (only && keys->count == 1) {
        keys->used[0] = true;
        return &keys->key[0];
    }
    uint8_t *const bytes = malloc(PS_NOTE_BYTES_MAX);
    const bool there = bytes != NULL && log->read(log->context, "checkpoint", bytes,
                                                  PS_NOTE_BYTES_MAX, &length, &ignored) == PS_OK;
    const ps_verifier *const found =
        there ? named(keys, (ps_bytes){bytes, (uint32_t)length}) : NULL;
    free(bytes);
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
