/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/seal_keys.h"
#include "host/cli/seal_logs.h"
#include "host/cli/seal_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/seal/entry.h"
#include "host/seal/lines.h"

enum {
    FILE_MAX = 64 << 20,
    PATH_BYTES = 4096,
    BUNDLE_MAX = PS_TILE_WIDTH * (2 + PS_ENTRY_BYTES_MAX)
};

int ps_seal_failed(ps_status status, const ps_error *error, int else_code) {
    ps_log(PS_LOG_ERROR, "seal", "%s", error->message);
    if (status == PS_TAMPERED) return PS_EXIT_FAILED;
    return status == PS_BAD_CONFIG ? PS_EXIT_USAGE : else_code;
}

const char *ps_seal_result(ps_status status) {
    return status == PS_OK ? "ok" : status == PS_TAMPERED ? "tampered" : "cannot_tell";
}

int ps_seal_refuted(const ps_seal_options *chosen, ps_status status, const ps_error *error) {
    if (chosen->json && status != PS_BAD_CONFIG) {
        (void)printf("{\"result\":\"%s\",", ps_seal_result(status));
        ps_seal_put_text("why", error->message);
        (void)printf("}\n");
    }
    return ps_seal_failed(status, error, PS_EXIT_CANNOT_TELL);
}

void ps_seal_put_text(const char *name, const char *text) {
    char escaped[2 * PATH_BYTES];
    (void)ps_json_escape(text, escaped, sizeof escaped);
    (void)printf("\"%s\":\"%s\"", name, escaped);
}

static ps_status read_stream(FILE *file, const char *path, uint8_t **bytes, size_t *length,
                             ps_error *error) {
    size_t room = 0;
    *bytes = NULL;
    *length = 0;
    do {
        room = room == 0 ? 8192 : room * 2;
        uint8_t *const more = room > FILE_MAX ? NULL : realloc(*bytes, room);
        if (more == NULL) {
            free(*bytes);
            return ps_fail(error, PS_NO_MEMORY, "%s: is too large", path);
        }
        *bytes = more;
        *length += fread(*bytes + *length, 1, room - *length, file);
    } while (*length == room);
    if (!ferror(file)) return PS_OK;
    free(*bytes);
    return ps_fail(error, PS_IO, "%s: cannot be read: %s", path, strerror(errno));
}

ps_status ps_seal_file(const char *path, uint8_t **bytes, size_t *length, ps_error *error) {
    if (strcmp(path, "-") == 0) return read_stream(stdin, "stdin", bytes, length, error);
    FILE *const file = fopen(path, "rbe");
    if (file == NULL)
        return ps_fail(error, errno == ENOENT ? PS_UNKNOWN_NAME : PS_IO, "%s: cannot be read: %s",
                       path, strerror(errno));
    const ps_status status = read_stream(file, path, bytes, length, error);
    (void)fclose(file);
    return status;
}

ps_status ps_seal_key(const char *text, ps_verifier *out, ps_error *error) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    ps_error ignored;
    if (strchr(text, '+') != NULL && ps_seal_file(text, &bytes, &length, &ignored) != PS_OK)
        return ps_verifier_parse(text, strlen(text), out, error);
    if (bytes == NULL && ps_seal_file(text, &bytes, &length, error) != PS_OK) return PS_BAD_CONFIG;
    while (length > 0 && bytes[length - 1] <= ' ') length--;
    const ps_status status = ps_verifier_parse((const char *)bytes, length, out, error);
    free(bytes);
    return status == PS_OK ? status : ps_fail_in(error, status, text);
}

ps_status ps_seal_index(const ps_seal_options *chosen, uint64_t *out, ps_error *error) {
    if (chosen->index == NULL)
        return ps_fail(error, PS_BAD_CONFIG, "which entry? say --index NUMBER, from 0");
    return ps_seal_number("index", chosen->index, out, error);
}

ps_status ps_seal_number(const char *name, const char *text, uint64_t *out, ps_error *error) {
    int64_t number = 0;
    if (!ps_text_integer(text, &number) || number < 0)
        return ps_fail(error, PS_BAD_CONFIG, "--%s: '%.100s' is no number from 0", name, text);
    *out = (uint64_t)number;
    return PS_OK;
}

/* One of --key, else what the log says of itself. */
static ps_status find_key(ps_seal_log *log, const ps_seal_options *chosen, ps_error *error) {
    uint8_t text[PS_KEY_TEXT_MAX + 1];
    size_t length = 0;
    if (chosen->key.count > 0) {
        log->has_key = true;
        return ps_seal_key_for(chosen, (ps_bytes){log->bytes, (uint32_t)log->length}, &log->key,
                               error);
    }
    const ps_status status = log->place.source.read(log->place.source.context, "vkey", text,
                                                    sizeof text, &length, error);
    if (status == PS_UNKNOWN_NAME) return PS_OK;
    PS_TRY(status);
    log->has_key = true;
    length -= length > 0 && text[length - 1] == '\n';
    return ps_verifier_parse((const char *)text, length, &log->key, error) == PS_OK
               ? PS_OK
               : ps_fail_in(error, PS_TAMPERED, "vkey");
}

static ps_status open_log(ps_seal_log *log, const char *path, const ps_seal_options *chosen,
                          ps_error *error) {
    PS_TRY(ps_seal_place_open(path, &log->place, error));
    log->bytes = malloc(PS_NOTE_BYTES_MAX);
    if (log->bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint");
    PS_TRY(log->place.source.read(log->place.source.context, "checkpoint", log->bytes,
                                  PS_NOTE_BYTES_MAX, &log->length, error));
    const ps_bytes bytes = {log->bytes, (uint32_t)log->length};
    PS_TRY(find_key(log, chosen, error));
    if (log->has_key)
        return ps_checkpoint_open(bytes, &log->key, &log->note, &log->checkpoint, error);
    PS_TRY(ps_note_parse(bytes, &log->note, error));
    return ps_checkpoint_parse(log->note.text, &log->checkpoint, error);
}

ps_status ps_seal_log_init(ps_seal_log *log, const char *path, const ps_seal_options *chosen,
                           ps_error *error) {
    memset(log, 0, sizeof *log);
    const ps_status status = open_log(log, path, chosen, error);
    if (status == PS_OK || log->bytes == NULL) return status; /* it names the path itself */
    ps_seal_logs below;
    if (status == PS_UNKNOWN_NAME && log->place.folder != NULL) {
        if (ps_seal_logs_init(&below, path, error) == PS_OK)
            (void)ps_fail(error, status, "%s: is no log, but has %" PRIu32 " below it: say %s%s",
                          path, below.count, below.path[0], below.count > 1 ? ", for one" : "");
        ps_seal_logs_deinit(&below);
        return status;
    }
    return ps_fail_in(error, status, path);
}

void ps_seal_log_deinit(ps_seal_log *log) {
    ps_seal_place_close(&log->place);
    free(log->bytes);
}

ps_status ps_seal_log_entry(const ps_seal_log *log, uint64_t index, uint8_t **bundle,
                            ps_bytes *entry, ps_error *error) {
    const ps_tile tile =
        ps_tile_of(PS_TILE_ENTRIES, index / PS_TILE_WIDTH, log->checkpoint.tree.size);
    char path[PS_TILE_PATH_MAX];
    size_t length = 0, at = 0;
    if (index >= log->checkpoint.tree.size)
        return ps_fail(error, PS_BAD_CONFIG, "there is no entry %" PRIu64 ": the log has %" PRIu64,
                       index, log->checkpoint.tree.size);
    *bundle = malloc(BUNDLE_MAX);
    if (*bundle == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a bundle");
    ps_status status = ps_tile_load(&log->place.source, &tile, *bundle, BUNDLE_MAX, &length, error);
    for (uint64_t i = 0; status == PS_OK && i <= index % PS_TILE_WIDTH; i++)
        if (!ps_bundle_next(*bundle, length, &at, entry))
            status = ps_fail(error, PS_TAMPERED, "%s: has no entry %" PRIu64,
                             ps_tile_path(&tile, path), index);
    if (status != PS_OK) free(*bundle);
    return status;
}

/* A proof that would convince nobody is not handed out. */
ps_status ps_seal_log_prove(const ps_seal_log *log, uint64_t index, ps_bytes entry, ps_proof *proof,
                            ps_error *error) {
    const ps_tree *const tree = &log->checkpoint.tree;
    ps_hash leaf;
    ps_tiles *const tiles = malloc(sizeof *tiles);
    if (tiles == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for tiles");
    ps_tiles_init(tiles, &log->place.source, tree->size);
    const ps_status status = ps_proof_inclusion(tiles, index, tree->size, proof, error);
    free(tiles);
    PS_TRY(status);
    ps_hash_leaf(entry.data, entry.length, &leaf);
    if (ps_proof_includes(proof, &leaf, index, tree->size, &tree->root)) return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "entry %" PRIu64
                   " and the tiles do not lead to the checkpoint's root: `penstock "
                   "seal verify` names what was changed",
                   index);
}

static void print_hex(const char *name, const uint8_t *bytes, size_t length, bool json) {
    (void)printf(json ? ",\"%s\":\"" : "%-10s", name);
    for (size_t i = 0; i < length; i++) (void)printf("%02x", bytes[i]);
    (void)printf(json ? "\"" : "\n");
}

static void print_digest(const char *name, const ps_hash *hash, bool is_null, bool json) {
    if (!is_null)
        print_hex(name, hash->byte, sizeof hash->byte, json);
    else
        (void)printf(json ? ",\"%s\":null" : "%-10snull\n", name);
}

void ps_seal_print_entry(ps_bytes bytes, bool json) {
    ps_seal_entry entry;
    ps_hash leaf;
    ps_hash_leaf(bytes.data, bytes.length, &leaf);
    if (!ps_seal_entry_decode(bytes.data, bytes.length, &entry)) {
        if (!ps_seal_print_checkpoint(bytes, json))
            print_hex("entry", bytes.data, bytes.length, json);
        print_hex("leaf", leaf.byte, sizeof leaf.byte, json);
        return;
    }
    const char *const clock =
        (entry.flags & PS_SEAL_LOG_APPEND_TIME) != 0 ? "log_append" : "create";
    if (json)
        (void)printf(",\"partition\":%" PRIu32 ",\"offset\":%" PRIu64 ",\"timestamp\":%" PRId64
                     ",\"time\":\"%s\"",
                     entry.partition, entry.offset, entry.timestamp_ms, clock);
    else
        (void)printf("partition %" PRIu32 "\noffset    %" PRIu64 "\ntimestamp %" PRId64
                     " ms (%s time)\n",
                     entry.partition, entry.offset, entry.timestamp_ms, clock);
    print_digest("key", &entry.key, (entry.flags & PS_SEAL_KEY_NULL) != 0, json);
    print_digest("headers", &entry.headers, false, json);
    print_digest("value", &entry.value, (entry.flags & PS_SEAL_VALUE_NULL) != 0, json);
    print_hex("leaf", leaf.byte, sizeof leaf.byte, json);
}
