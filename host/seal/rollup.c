/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/rollup.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "host/seal/appender.h"
#include "host/seal/origins.h"

static const char tail[] = "/rollup", signed_name[] = ".signed";

enum { TAIL = sizeof tail - 1, SAVE_AFTER = 1024 /* entries, which the next start reads */ };

struct ps_rollup {
    const ps_signer *signer;
    ps_seal_folder *folder;
    ps_witnesses *witnesses;
    atomic_bool stop;
    pthread_mutex_t mutex; /* for what comes next */
    ps_appender *appender;
    ps_origins origins;
    bool broken;
    /* Of who publishes. */
    bool has_vkey; /* written */
    ps_tree tree;  /* signed last */
    char own[PS_CHECKPOINT_MAX];
    size_t own_length;
    uint64_t published;
    uint32_t published_lines;
    ps_tiles tiles;
};

bool ps_rollup_is_origin(ps_bytes origin) {
    return origin.length > TAIL && memcmp(origin.data + origin.length - TAIL, tail, TAIL) == 0;
}

ps_status ps_rollup_signer(const ps_signer *from, ps_signer *out, ps_error *error) {
    const char *const is = from->verifier.name;
    char name[PS_KEY_NAME_MAX + TAIL];
    const ps_bytes origin = {(const uint8_t *)is, (uint32_t)strlen(is)};
    (void)snprintf(name, sizeof name, "%s%s", is, ps_rollup_is_origin(origin) ? "" : tail);
    return ps_signer_of_seed(name, PS_KEY_ED25519, from->seed, out, error);
}

/* One of its checkpoints, which this key has signed. Its tree is empty where there is none. */
static ps_status read_checkpoint(const ps_rollup *rollup, const char *name, uint8_t *bytes,
                                 size_t *length, ps_tree *tree, ps_error *error) {
    ps_checkpoint checkpoint;
    ps_note note;
    *length = 0;
    tree->size = 0;
    ps_hash_empty(&tree->root);
    ps_status status =
        ps_seal_folder_read(rollup->folder, name, bytes, PS_COSIGNED_MAX, length, error);
    if (status == PS_UNKNOWN_NAME) return PS_OK;
    PS_TRY(status);
    status = ps_checkpoint_open((ps_bytes){bytes, (uint32_t)*length}, &rollup->signer->verifier,
                                &note, &checkpoint, error);
    if (status != PS_OK) return ps_fail_in(error, status, name);
    *tree = checkpoint.tree;
    return PS_OK;
}

/* Both were signed: they must be of one history. */
static ps_status compare(ps_rollup *rollup, const ps_tree *before, const ps_tree *after,
                         ps_error *error) {
    const ps_tile_source source = ps_seal_folder_source(rollup->folder);
    ps_proof proof;
    if (before->size == 0) return PS_OK;
    ps_tiles_init(&rollup->tiles, &source, after->size);
    PS_TRY(ps_proof_consistency(&rollup->tiles, before->size, after->size, &proof, error));
    if (ps_proof_extends(&proof, before, after)) return PS_OK;
    return ps_fail(error, PS_TAMPERED, "`checkpoint` and `%s` are of two histories", signed_name);
}

ps_status ps_rollup_extends(ps_rollup *rollup, const ps_tree *before, ps_error *error) {
    return compare(rollup, before, &rollup->tree, error);
}

/* The larger of what was published and what was signed is where it goes on. */
static ps_status restore(ps_rollup *rollup, uint8_t *bytes, ps_error *error) {
    ps_tree published;
    size_t length = 0;
    PS_TRY(read_checkpoint(rollup, signed_name, bytes, &length, &rollup->tree, error));
    PS_TRY(read_checkpoint(rollup, "checkpoint", bytes, &length, &published, error));
    if (published.size > rollup->tree.size) {
        const ps_tree signed_tree = rollup->tree;
        rollup->tree = published;
        PS_TRY(compare(rollup, &signed_tree, &published, error));
    } else {
        PS_TRY(compare(rollup, &published, &rollup->tree, error));
    }
    const uint64_t size = rollup->tree.size;
    ps_seal_folder_keep(rollup->folder, size);
    ps_seal_folder_cut(rollup->folder, size);
    PS_TRY(ps_appender_open_tree(rollup->folder, rollup->signer, PS_ENTRY_BYTES_MAX, &rollup->tree,
                                 &rollup->appender, error));
    PS_TRY(ps_origins_init(&rollup->origins, rollup->folder, size, error));
    rollup->published = published.size;
    if (size == 0) return PS_OK;
    /* The same bytes: Ed25519 has one signature for a text. */
    PS_TRY(
        ps_checkpoint_sign(&rollup->tree, rollup->signer, rollup->own, &rollup->own_length, error));
    if (rollup->witnesses == NULL) return PS_OK;
    const ps_bytes own = {(const uint8_t *)rollup->own, (uint32_t)rollup->own_length};
    ps_witnesses_begin(rollup->witnesses, own, &rollup->tree);
    if (length > 0)
        ps_witnesses_recall(rollup->witnesses, (ps_bytes){bytes, (uint32_t)length}, &published);
    return PS_OK;
}

static ps_status open_all(ps_rollup *rollup, const ps_rollup_options *options, ps_error *error) {
    PS_TRY(ps_seal_folder_open(options->dir, true, &rollup->folder, error));
    PS_TRY(ps_seal_folder_lock(rollup->folder, error));
    if (options->policy != NULL)
        PS_TRY(ps_witnesses_open(options->policy, options->timeout_ms, &rollup->witnesses, error));
    uint8_t *const bytes = malloc(PS_COSIGNED_MAX);
    if (bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint");
    const ps_status status = restore(rollup, bytes, error);
    free(bytes);
    return status == PS_OK ? status : ps_fail_in(error, status, options->dir);
}

ps_status ps_rollup_open(const ps_rollup_options *options, ps_rollup **out, ps_error *error) {
    ps_rollup *const rollup = calloc(1, sizeof *rollup);
    if (rollup == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a roll-up");
    (void)pthread_mutex_init(&rollup->mutex, NULL);
    rollup->signer = options->signer;
    rollup->broken = true; /* until it is whole */
    const ps_status status = open_all(rollup, options, error);
    if (status != PS_OK) {
        ps_rollup_close(rollup);
        return status;
    }
    rollup->broken = false;
    *out = rollup;
    return PS_OK;
}

void ps_rollup_close(ps_rollup *rollup) {
    if (rollup == NULL) return;
    /* It saves the next start some reading, no more. */
    if (!rollup->broken && rollup->tree.size > rollup->origins.size &&
        ps_appender_frontier(rollup->appender)->size == rollup->tree.size) {
        rollup->origins.size = rollup->tree.size;
        const ps_status ignored = ps_origins_save(&rollup->origins, rollup->folder, NULL);
        (void)ignored;
    }
    ps_origins_deinit(&rollup->origins);
    ps_appender_close(rollup->appender);
    ps_witnesses_close(rollup->witnesses);
    ps_seal_folder_close(rollup->folder);
    (void)pthread_mutex_destroy(&rollup->mutex);
    free(rollup);
}

void ps_rollup_stop(ps_rollup *rollup) {
    atomic_store(&rollup->stop, true);
}

const ps_witnesses *ps_rollup_witnesses(const ps_rollup *rollup) {
    return rollup->witnesses;
}

ps_tree ps_rollup_tree(const ps_rollup *rollup) {
    return rollup->tree;
}

bool ps_rollup_find(ps_rollup *rollup, ps_bytes origin, ps_tree *out) {
    (void)pthread_mutex_lock(&rollup->mutex);
    const ps_tree *const found = ps_origins_find(&rollup->origins, origin);
    if (found != NULL) *out = *found;
    (void)pthread_mutex_unlock(&rollup->mutex);
    return found != NULL;
}

static ps_status add_new(ps_rollup *rollup, ps_bytes note, const ps_checkpoint *checkpoint,
                         bool *added, ps_error *error) {
    const ps_tree *const last = ps_origins_find(&rollup->origins, checkpoint->origin);
    const ps_tree *const now = &checkpoint->tree;
    if (rollup->broken) return ps_fail(error, PS_IO, "the roll-up failed before: open it anew");
    if (last != NULL && now->size < last->size)
        return ps_fail(error, PS_TAMPERED,
                       "it has %" PRIu64 " entries, and had %" PRIu64 " before: the log went back",
                       now->size, last->size);
    if (last != NULL && now->size == last->size && !ps_hash_is(&now->root, &last->root))
        return ps_fail(error, PS_TAMPERED,
                       "two checkpoints of %" PRIu64 " entries with two roots are signed",
                       now->size);
    *added = last == NULL || now->size > last->size;
    if (!*added) return PS_OK;
    PS_TRY(ps_origins_put(&rollup->origins, checkpoint->origin, now, error));
    const ps_status status = ps_appender_add(rollup->appender, &note, 1, error);
    rollup->broken = status != PS_OK;
    return status;
}

ps_status ps_rollup_add(ps_rollup *rollup, ps_bytes note, const ps_verifier *log, bool *added,
                        ps_error *error) {
    ps_checkpoint checkpoint;
    ps_note parsed;
    bool ignored = false;
    if (note.length > PS_ENTRY_BYTES_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "a checkpoint of %u bytes: an entry has %d at most",
                       note.length, PS_ENTRY_BYTES_MAX);
    PS_TRY(ps_checkpoint_open(note, log, &parsed, &checkpoint, error));
    if (ps_rollup_is_origin(checkpoint.origin))
        return ps_fail(error, PS_BAD_CONFIG, "%.200s is a roll-up itself", log->name);
    (void)pthread_mutex_lock(&rollup->mutex);
    const ps_status status =
        add_new(rollup, note, &checkpoint, added == NULL ? &ignored : added, error);
    (void)pthread_mutex_unlock(&rollup->mutex);
    return status == PS_OK ? status : ps_fail_in(error, status, log->name);
}

/* Before the first checkpoint: a witness is given it by hand. */
static ps_status write_key(ps_rollup *rollup, ps_error *error) {
    char vkey[PS_KEY_TEXT_MAX + 1];
    if (rollup->has_vkey) return PS_OK;
    (void)ps_verifier_text(&rollup->signer->verifier, vkey);
    const size_t length = strlen(vkey);
    vkey[length] = '\n';
    PS_TRY(ps_seal_folder_replace(rollup->folder, "vkey", vkey, length + 1, error));
    rollup->has_vkey = true;
    return PS_OK;
}

/* What was added becomes a tree that this log can never take back. */
static ps_status sign(ps_rollup *rollup, ps_error *error) {
    const ps_frontier *const frontier = ps_appender_frontier(rollup->appender);
    if (frontier->size == rollup->tree.size) return PS_OK;
    PS_TRY(write_key(rollup, error));
    PS_TRY(ps_appender_sign(rollup->appender, rollup->own, &rollup->own_length, error));
    PS_TRY(ps_seal_folder_replace(rollup->folder, signed_name, rollup->own, rollup->own_length,
                                  error));
    ps_growth grown = ps_growth_of(rollup->tree.size, frontier->size);
    rollup->tree.size = frontier->size;
    ps_frontier_root(frontier, rollup->tree.root.byte);
    ps_seal_folder_keep(rollup->folder, rollup->tree.size);
    /* A worker signs once a second: partial tiles would take many times what full ones do. */
    for (ps_tile tile; ps_growth_next(&grown, &tile);)
        if (tile.width == PS_TILE_WIDTH) ps_seal_folder_drop_partial(rollup->folder, &tile);
    rollup->published_lines = 0;
    const ps_bytes own = {(const uint8_t *)rollup->own, (uint32_t)rollup->own_length};
    if (rollup->witnesses != NULL) ps_witnesses_begin(rollup->witnesses, own, &rollup->tree);
    if (rollup->tree.size - rollup->origins.size < SAVE_AFTER) return PS_OK;
    rollup->origins.size = rollup->tree.size;
    return ps_origins_save(&rollup->origins, rollup->folder, error);
}

static uint32_t count(const ps_rollup *rollup, ps_witness_verdict verdict) {
    uint32_t found = 0;
    for (uint32_t i = 0; rollup->witnesses != NULL && i < ps_witnesses_count(rollup->witnesses);
         i++)
        found += ps_witnesses_at(rollup->witnesses, i)->verdict == verdict;
    return found;
}

/* The checkpoint with what cosignatures there are, where they are more than before. */
static ps_status write_checkpoint(ps_rollup *rollup, ps_error *error) {
    const uint32_t lines = 1 + count(rollup, PS_WITNESS_COSIGNED);
    if (rollup->published == rollup->tree.size && lines <= rollup->published_lines) return PS_OK;
    ps_bytes note = {(const uint8_t *)rollup->own, (uint32_t)rollup->own_length};
    if (rollup->witnesses != NULL) note = ps_witnesses_note(rollup->witnesses);
    PS_TRY(ps_seal_folder_replace(rollup->folder, "checkpoint", (const char *)note.data,
                                  note.length, error));
    rollup->published = rollup->tree.size;
    rollup->published_lines = lines;
    return PS_OK;
}

static ps_status ask_witnesses(ps_rollup *rollup, ps_error *error) {
    const ps_tile_source source = ps_seal_folder_source(rollup->folder);
    ps_tiles_init(&rollup->tiles, &source, rollup->tree.size);
    for (;;) {
        if (ps_witnesses_have_quorum(rollup->witnesses)) PS_TRY(write_checkpoint(rollup, error));
        if (atomic_load(&rollup->stop)) return PS_OK;
        const ps_status status =
            ps_witnesses_ask(rollup->witnesses, &rollup->tiles, ps_clock_ns(), error);
        if (status == PS_END) return PS_OK;
        PS_TRY(status);
    }
}

/* What was published before may have had a policy with a smaller quorum, or none. */
static bool is_out(const ps_rollup *rollup) {
    return rollup->published == rollup->tree.size &&
           (rollup->witnesses == NULL || ps_witnesses_have_quorum(rollup->witnesses));
}

/* Who has not cosigned, and why not; as many as there is room for. */
static ps_status missing(const ps_rollup *rollup, ps_error *error) {
    char text[400] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < ps_witnesses_count(rollup->witnesses); i++) {
        const ps_witness *const one = ps_witnesses_at(rollup->witnesses, i);
        if (one->verdict == PS_WITNESS_COSIGNED || used >= sizeof text) continue;
        const char *why = one->verdict == PS_WITNESS_WAITING ? "was not asked" : one->why;
        if (one->url.length == 0) why = "has no URL in the policy";
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s %s", used > 0 ? "; " : "",
                                 (int)(one->name.length > 60 ? 60 : one->name.length),
                                 (const char *)one->name.data, why);
    }
    const bool forked = count(rollup, PS_WITNESS_FORKED) > 0;
    return ps_fail(error, forked ? PS_TAMPERED : PS_AGAIN,
                   "the quorum for %" PRIu64 " entr%s is missing: %s", rollup->tree.size,
                   rollup->tree.size == 1 ? "y" : "ies", text);
}

static ps_status publish(ps_rollup *rollup, ps_error *error) {
    (void)pthread_mutex_lock(&rollup->mutex);
    ps_status status = rollup->broken
                           ? ps_fail(error, PS_IO, "the roll-up failed before: open it anew")
                           : sign(rollup, error);
    rollup->broken = status != PS_OK;
    (void)pthread_mutex_unlock(&rollup->mutex);
    if (status != PS_OK || rollup->tree.size == 0) return status;
    status =
        rollup->witnesses == NULL ? write_checkpoint(rollup, error) : ask_witnesses(rollup, error);
    PS_TRY(status);
    return is_out(rollup) ? PS_OK : missing(rollup, error);
}

ps_status ps_rollup_publish(ps_rollup *rollup, ps_rollup_report *report, ps_error *error) {
    const ps_status status = publish(rollup, error);
    *report = (ps_rollup_report){.tree = rollup->tree,
                                 .published = rollup->published,
                                 .cosigned = count(rollup, PS_WITNESS_COSIGNED),
                                 .forked = count(rollup, PS_WITNESS_FORKED),
                                 .due_ns = INT64_MAX};
    if (rollup->witnesses == NULL || rollup->tree.size == 0) return status;
    report->witnesses = ps_witnesses_count(rollup->witnesses);
    report->due_ns = ps_witnesses_due(rollup->witnesses);
    return status;
}
