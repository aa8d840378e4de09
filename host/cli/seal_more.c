/* SPDX-License-Identifier: Apache-2.0
 * What `seal verify DIR` asks of a log beyond its tree: the quorum of a policy, and of a roll-up
 * that what lies in it are checkpoints of logs that only grew.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/seal_keys.h"
#include "host/cli/seal_policy.h"
#include "host/seal/origins.h"
#include "host/seal/rollup.h"

enum { BUNDLE_MAX = PS_TILE_WIDTH * (2 + PS_ENTRY_BYTES_MAX) };

typedef struct more {
    const ps_tile_source *source;
    ps_seal_keys *keys; /* of --key */
    const ps_verify_watch *watch;
    ps_verify_report *report;
    ps_verifier own; /* the roll-up's */
    bool has_own;
    ps_origins origins;
    uint64_t unchecked;
    ps_note note;
    uint8_t bytes[BUNDLE_MAX];
} more;

static void fault(const more *m, const char *file, const char *format, ...) PS_PRINTF(3, 4);
static void fault(const more *m, const char *file, const char *format, ...) {
    char what[400];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(what, sizeof what, format, values);
    va_end(values);
    m->report->faults++;
    if (m->watch->fault != NULL) m->watch->fault(m->watch->context, file, what);
}

static void remark(const more *m, const char *file, const char *what) {
    if (m->watch->remark != NULL) m->watch->remark(m->watch->context, file, what);
}

static ps_status read_note(more *m, ps_bytes *out, ps_error *error) {
    size_t length = 0;
    PS_TRY(m->source->read(m->source->context, "checkpoint", m->bytes, PS_NOTE_BYTES_MAX, &length,
                           error));
    *out = (ps_bytes){m->bytes, (uint32_t)length};
    return ps_note_parse(*out, &m->note, error);
}

static ps_status check_policy(more *m, const ps_seal_policy *policy, ps_error *error) {
    ps_checkpoint checkpoint;
    ps_bytes bytes;
    ps_error why;
    PS_TRY(read_note(m, &bytes, error));
    PS_TRY(ps_checkpoint_parse(m->note.text, &checkpoint, error));
    const ps_verifier *const log =
        ps_seal_key_of(policy->log, policy->logs, &m->note, checkpoint.origin);
    if (log == NULL && policy->logs > 0)
        return ps_fail(error, PS_UNKNOWN_NAME, "the policy says nothing of this log");
    if (log != NULL && ps_checkpoint_open(bytes, log, &m->note, &checkpoint, &why) != PS_OK)
        fault(m, "checkpoint", "%s", why.message);
    else if (log != NULL)
        m->report->own_key = false;
    if (!ps_seal_policy_has_quorum(policy, &m->note))
        fault(m, "checkpoint", "too few of the policy's witnesses have cosigned it");
    return PS_OK;
}

/* Who may have signed the checkpoints of that origin; false: that is not known. */
static bool key_of(const more *m, ps_bytes origin, ps_verifier *out) {
    const ps_verifier *const found = ps_seal_keys_find(m->keys, &m->note, origin);
    if (found != NULL) {
        *out = *found;
        return true;
    }
    /* One secret may sign them all. */
    return m->has_own && ps_verifier_rename(&m->own, origin, out, NULL) == PS_OK &&
           ps_note_verify(&m->note, out, NULL) == PS_NOTE_SIGNED;
}

static ps_status check_entry(more *m, const char *file, uint64_t index, ps_bytes entry,
                             ps_error *error) {
    ps_checkpoint checkpoint;
    ps_verifier key;
    ps_error why;
    ps_status status = ps_note_parse(entry, &m->note, &why);
    if (status == PS_OK) status = ps_checkpoint_parse(m->note.text, &checkpoint, &why);
    if (status != PS_OK) {
        fault(m, file, "entry %" PRIu64 " is no checkpoint of a log: %.200s", index, why.message);
        return PS_OK;
    }
    const bool known = key_of(m, checkpoint.origin, &key);
    m->unchecked += !known;
    if (known && ps_checkpoint_open(entry, &key, &m->note, &checkpoint, &why) != PS_OK)
        fault(m, file, "entry %" PRIu64 ": %.300s", index, why.message);
    const ps_tree *const last = ps_origins_find(&m->origins, checkpoint.origin);
    if (last != NULL &&
        (checkpoint.tree.size < last->size ||
         (checkpoint.tree.size == last->size && !ps_hash_is(&checkpoint.tree.root, &last->root))))
        fault(m, file,
              "entry %" PRIu64 ": a log of %" PRIu64 " entries where it had %" PRIu64
              " before: two histories are signed",
              index, checkpoint.tree.size, last->size);
    return ps_origins_put(&m->origins, checkpoint.origin, &checkpoint.tree, error);
}

static ps_status check_entries(more *m, ps_error *error) {
    const uint64_t size = m->report->tree.size;
    char file[PS_TILE_PATH_MAX], text[200];
    for (uint64_t index = 0; index * PS_TILE_WIDTH < size; index++) {
        const ps_tile tile = ps_tile_of(PS_TILE_ENTRIES, index, size);
        size_t length = 0, at = 0;
        ps_bytes entry;
        PS_TRY(ps_tile_load(m->source, &tile, m->bytes, sizeof m->bytes, &length, error));
        (void)ps_tile_path(&tile, file);
        for (uint32_t row = 0; ps_bundle_next(m->bytes, length, &at, &entry); row++)
            PS_TRY(check_entry(m, file, index * PS_TILE_WIDTH + row, entry, error));
    }
    if (m->unchecked == 0) return PS_OK;
    (void)snprintf(text, sizeof text,
                   "%" PRIu64 " of the %" PRIu64 " checkpoints in it are signed by keys that are "
                   "not known here: give them with --key",
                   m->unchecked, size);
    remark(m, "tile/entries", text);
    return PS_OK;
}

/* The key that has signed the roll-up: the one that was given for it, else its own. */
static ps_status find_own(more *m, ps_error *error) {
    const ps_bytes origin = {(const uint8_t *)m->report->origin,
                             (uint32_t)strlen(m->report->origin)};
    uint8_t text[PS_KEY_TEXT_MAX + 1];
    size_t length = 0;
    ps_bytes ignored;
    PS_TRY(read_note(m, &ignored, error));
    m->has_own = key_of(m, origin, &m->own);
    if (m->has_own) return PS_OK;
    const ps_status status =
        m->source->read(m->source->context, "vkey", text, sizeof text, &length, error);
    if (status != PS_OK) return status == PS_UNKNOWN_NAME ? PS_OK : status;
    length -= length > 0 && text[length - 1] == '\n';
    m->has_own = ps_verifier_parse((const char *)text, length, &m->own, NULL) == PS_OK;
    return PS_OK;
}

static ps_status check(more *m, const ps_seal_policy *policy, ps_error *error) {
    const char *const name = m->report->origin;
    if (policy != NULL) PS_TRY(check_policy(m, policy, error));
    if (!ps_rollup_is_origin((ps_bytes){(const uint8_t *)name, (uint32_t)strlen(name)}))
        return PS_OK;
    PS_TRY(find_own(m, error));
    return check_entries(m, error);
}

ps_status ps_seal_check_more(const ps_tile_source *source, const ps_seal_options *chosen,
                             ps_seal_keys *keys, const ps_verify_watch *watch,
                             ps_verify_report *report, ps_error *error) {
    const uint64_t faults = report->faults;
    ps_seal_policy *policy = NULL;
    PS_TRY(ps_seal_policy_read(chosen, &policy, error));
    more *const m = malloc(sizeof *m); /* of the bundle only what is read becomes memory */
    ps_status status = ps_fail(error, PS_NO_MEMORY, "no memory to check a log");
    if (m != NULL) {
        m->source = source;
        m->keys = keys;
        m->watch = watch;
        m->report = report;
        m->has_own = false;
        m->origins = (ps_origins){0};
        m->unchecked = 0;
        status = check(m, policy, error);
        ps_origins_deinit(&m->origins);
    }
    free(m);
    free(policy);
    if (status != PS_OK || report->faults == faults) return status;
    return ps_fail(error, PS_TAMPERED, "%" PRIu64 " faults", report->faults);
}
