/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/projector.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "host/base/check.h"
#include "host/base/log.h"

typedef struct item {
    uint32_t log, length;
    bool goes_out, is_checkpoint;
    ps_tile tile;
    uint8_t bytes[PS_SEALED_BUNDLE]; /* of a checkpoint: its frontier */
} item;
_Static_assert(sizeof(ps_frontier) <= PS_SEALED_BUNDLE, "a frontier has room");

/* A tile is not referred to before its checkpoint, which nobody waits for: the thread is woken for
 * so many items, or for a checkpoint, and the lane when so many are written. Waking one for each
 * tile cost more than a tile's bytes. */
enum { WAKE_ITEMS = PS_PROJECTOR_SLOTS / 4 };

struct ps_projector {
    ps_projected *logs;
    ps_roller *roller; /* NULL: nobody wants to know */
    ps_wake *wake;
    pthread_t thread;
    pthread_mutex_t mutex; /* what follows, and each log's signed_tree */
    pthread_cond_t changed;
    uint64_t head, due, done; /* items told, to be written now, written */
    bool stop, waited;        /* waited: the lane wants to hear of progress */
    ps_status status;
    ps_error error;
    uint64_t sent;   /* the lane's: items that the transaction has taken, or does not want */
    bool is_started; /* likewise */
    item item[PS_PROJECTOR_SLOTS];
};

size_t ps_projector_bytes(void) {
    return sizeof(ps_projector);
}

/* The verifier key first: a checkpoint without it could not be checked. */
static ps_status name_log(ps_projected *log, ps_error *error) {
    char vkey[PS_KEY_TEXT_MAX + 1];
    if (log->named) return PS_OK;
    (void)ps_verifier_text(&log->signer.verifier, vkey);
    const size_t length = strlen(vkey);
    vkey[length] = '\n';
    PS_TRY(ps_seal_folder_replace(log->folder, "vkey", vkey, length + 1, error));
    log->named = true;
    return PS_OK;
}

ps_status ps_projected_shown(const ps_projected *projected, ps_tree *out, ps_error *error) {
    uint8_t bytes[PS_CHECKPOINT_MAX];
    size_t length = 0;
    ps_checkpoint checkpoint;
    out->size = 0;
    ps_status status =
        ps_seal_folder_read(projected->folder, "checkpoint", bytes, sizeof bytes, &length, error);
    if (status == PS_UNKNOWN_NAME) return PS_OK;
    if (status != PS_OK) return status;
    ps_note *note = malloc(sizeof *note);
    if (note == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint");
    status = ps_checkpoint_open((ps_bytes){bytes, (uint32_t)length}, &projected->signer.verifier,
                                note, &checkpoint, error);
    free(note);
    if (status == PS_OK) *out = checkpoint.tree;
    return status;
}

static bool is_same(const ps_tree *a, const ps_tree *b) {
    return a->size == b->size && ps_hash_is(&a->root, &b->root);
}

/* Another worker has signed `shown` since we did: that must be the beginning of our tree. */
static ps_status check_extends(const ps_projected *log, const ps_tree *shown, const ps_tree *tree,
                               ps_error *error) {
    const ps_tile_source source = ps_seal_folder_source(log->folder);
    ps_tree before = {.size = shown->size};
    if (shown->size < tree->size) {
        ps_tiles *tiles = malloc(sizeof *tiles);
        if (tiles == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a log's tiles");
        ps_tiles_init(tiles, &source, tree->size);
        const ps_status status = ps_tiles_root(tiles, shown->size, &before.root, error);
        free(tiles);
        PS_TRY(status);
    } else {
        before = *tree;
    }
    if (is_same(&before, shown)) return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "`checkpoint` has another history, of %" PRIu64 " entries, than the %" PRIu64
                   " that this worker has: nothing else is signed",
                   shown->size, tree->size);
}

/* What the full ones have replaced that have come since that checkpoint: they are committed. */
static void drop_partials(const ps_projected *log, const ps_tree *shown, const ps_tree *tree) {
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        const uint64_t before = ps_tile_nodes(level, shown->size);
        const ps_tile edge = {level, PS_TILE_WIDTH, before / PS_TILE_WIDTH};
        if (before % PS_TILE_WIDTH != 0 &&
            edge.index < ps_tile_nodes(level, tree->size) / PS_TILE_WIDTH)
            ps_seal_folder_drop_partial(log->folder, &edge);
    }
}

/* Puts the checkpoint there, if what is there is older; false: it is newer. A worker that was
 * stopped for long finds that its heir has gone on. */
static ps_status publish(const ps_projected *log, const ps_tree *tree, ps_bytes note, bool *done,
                         ps_error *error) {
    ps_tree shown;
    PS_TRY(ps_projected_shown(log, &shown, error));
    *done = shown.size <= tree->size;
    if (!*done) {
        ps_log(
            PS_LOG_WARNING, "seal",
            "%s: another worker has signed %" PRIu64 " entries there: this one, which has %" PRIu64
            ", signs nothing. Was it stopped, or does another pipeline seal into this directory?",
            ps_seal_folder_path(log->folder), shown.size, tree->size);
        return PS_OK;
    }
    if (shown.size > 0 && !is_same(&shown, &log->signed_tree))
        PS_TRY(check_extends(log, &shown, tree, error));
    if (shown.size == tree->size) return PS_OK;
    drop_partials(log, &shown, tree);
    return ps_seal_folder_replace(log->folder, "checkpoint", (const char *)note.data, note.length,
                                  error);
}

static ps_status sign(ps_projector *projector, const item *of, ps_error *error) {
    ps_projected *log = &projector->logs[of->log];
    ps_frontier frontier;
    ps_tree tree;
    char text[PS_CHECKPOINT_MAX];
    size_t length = 0;
    bool done = false;
    memcpy(&frontier, of->bytes, sizeof frontier);
    tree.size = frontier.size;
    ps_frontier_root(&frontier, tree.root.byte);
    PS_TRY(name_log(log, error));
    PS_TRY(ps_checkpoint_sign(&tree, &log->signer, text, &length, error));
    const ps_bytes note = {(const uint8_t *)text, (uint32_t)length};
    PS_TRY(ps_seal_folder_turn(log->folder, error));
    const ps_status status = publish(log, &tree, note, &done, error);
    ps_seal_folder_turn_over(log->folder);
    if (status != PS_OK || !done) return status;
    pthread_mutex_lock(&projector->mutex);
    log->signed_tree = tree;
    pthread_mutex_unlock(&projector->mutex);
    ps_log_signed(log->metrics, tree.size);
    if (projector->roller == NULL) return PS_OK;
    const ps_published published = {log->partition, log->signer.verifier.name, tree, note};
    ps_roller_offer(projector->roller, &published);
    return PS_OK;
}

static ps_status write_item(ps_projector *projector, const item *of, ps_error *error) {
    const ps_projected *log = &projector->logs[of->log];
    if (of->is_checkpoint) return sign(projector, of, error);
    const ps_tile_sink sink = ps_seal_folder_sink(log->folder);
    return sink.put(sink.context, &of->tile, of->bytes, of->length, error);
}

static void fail(ps_projector *projector, uint32_t log, ps_status status, const ps_error *why) {
    projector->status = status;
    ps_log_failed(projector->logs[log].metrics);
    (void)ps_fail(&projector->error, status, "%s%s: %s", status == PS_TAMPERED ? "ALARM: " : "",
                  ps_seal_folder_path(projector->logs[log].folder), why->message);
}

/* Of progress that it waits for, or at once. */
static void tell_lane(ps_projector *projector, bool now) {
    const bool enough = projector->done == projector->due || projector->done % WAKE_ITEMS == 0;
    if (!now && !(projector->waited && enough)) return;
    projector->waited = false;
    ps_wake_signal(projector->wake);
}

static void *projector_main(void *argument) {
    ps_projector *projector = argument;
    (void)pthread_setname_np(pthread_self(), "seal");
    pthread_mutex_lock(&projector->mutex);
    while (projector->done < projector->due || !projector->stop) {
        if (projector->done == projector->due) {
            (void)pthread_cond_wait(&projector->changed, &projector->mutex);
            continue;
        }
        const item *of = &projector->item[projector->done % PS_PROJECTOR_SLOTS];
        const bool works = projector->status == PS_OK;
        ps_status status = PS_OK;
        ps_error why;
        pthread_mutex_unlock(&projector->mutex);
        if (works) status = write_item(projector, of, &why);
        pthread_mutex_lock(&projector->mutex);
        if (status != PS_OK) fail(projector, of->log, status, &why);
        projector->done++;
        tell_lane(projector, status != PS_OK);
    }
    pthread_mutex_unlock(&projector->mutex);
    return NULL;
}

ps_status ps_projector_open(ps_projected *logs, ps_roller *roller, ps_wake *wake,
                            ps_projector **out, ps_error *error) {
    ps_projector *projector = malloc(sizeof *projector);
    if (projector == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for logs' files");
    memset(projector, 0, offsetof(ps_projector, item));
    projector->logs = logs;
    projector->roller = roller;
    projector->wake = wake;
    (void)pthread_mutex_init(&projector->mutex, NULL);
    (void)pthread_cond_init(&projector->changed, NULL);
    projector->is_started =
        pthread_create(&projector->thread, NULL, projector_main, projector) == 0;
    *out = projector;
    if (projector->is_started) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
}

/* All that was told is written now. */
static void make_due(ps_projector *projector) {
    projector->due = projector->head;
    (void)pthread_cond_signal(&projector->changed);
}

void ps_projector_close(ps_projector *projector) {
    if (projector == NULL) return;
    pthread_mutex_lock(&projector->mutex);
    projector->stop = true;
    make_due(projector);
    pthread_mutex_unlock(&projector->mutex);
    if (projector->is_started) (void)pthread_join(projector->thread, NULL);
    (void)pthread_mutex_destroy(&projector->mutex);
    (void)pthread_cond_destroy(&projector->changed);
    free(projector);
}

bool ps_projector_has_room(ps_projector *projector, uint32_t items) {
    pthread_mutex_lock(&projector->mutex);
    const uint64_t oldest = projector->sent < projector->done ? projector->sent : projector->done;
    const bool room = projector->head - oldest + items <= PS_PROJECTOR_SLOTS;
    projector->waited = projector->waited || !room;
    if (!room) make_due(projector);
    pthread_mutex_unlock(&projector->mutex);
    return room;
}

/* The next item, which is nobody else's until it is told. */
static item *next_item(ps_projector *projector) {
    return &projector->item[projector->head % PS_PROJECTOR_SLOTS];
}

static void tell(ps_projector *projector, bool now) {
    pthread_mutex_lock(&projector->mutex);
    projector->head++;
    if (now || projector->head - projector->done >= WAKE_ITEMS) make_due(projector);
    pthread_mutex_unlock(&projector->mutex);
}

void ps_projector_tile(ps_projector *projector, const ps_projected_tile *what, bool goes_out) {
    item *of = next_item(projector);
    PS_CHECK_OP(what->bytes.length, <=, (uint32_t)PS_SEALED_BUNDLE);
    of->log = what->log;
    of->length = what->bytes.length;
    of->goes_out = goes_out;
    of->is_checkpoint = false;
    of->tile = what->tile;
    memcpy(of->bytes, what->bytes.data, what->bytes.length);
    tell(projector, false);
}

void ps_projector_checkpoint(ps_projector *projector, uint32_t log, const ps_frontier *frontier) {
    item *of = next_item(projector);
    of->log = log;
    of->goes_out = false;
    of->is_checkpoint = true;
    memcpy(of->bytes, frontier, sizeof *frontier);
    tell(projector, true);
}

bool ps_projector_unsent(ps_projector *projector, ps_projected_tile *out) {
    for (; projector->sent < projector->head; projector->sent++) {
        const item *of = &projector->item[projector->sent % PS_PROJECTOR_SLOTS];
        if (!of->goes_out) continue;
        *out = (ps_projected_tile){of->log, of->tile, {of->bytes, of->length}};
        return true;
    }
    return false;
}

void ps_projector_sent(ps_projector *projector) {
    projector->sent++;
}

void ps_projector_unwanted(ps_projector *projector) {
    projector->sent = projector->head;
}

bool ps_projector_idle(ps_projector *projector) {
    pthread_mutex_lock(&projector->mutex);
    const bool idle = projector->done == projector->head;
    projector->waited = projector->waited || !idle;
    if (!idle) make_due(projector);
    pthread_mutex_unlock(&projector->mutex);
    return idle;
}

ps_status ps_projector_status(ps_projector *projector, ps_error *error) {
    pthread_mutex_lock(&projector->mutex);
    const ps_status status = projector->status;
    if (status != PS_OK && error != NULL) *error = projector->error;
    pthread_mutex_unlock(&projector->mutex);
    return status;
}

ps_tree ps_projector_signed(ps_projector *projector, uint32_t log) {
    pthread_mutex_lock(&projector->mutex);
    const ps_tree tree = projector->logs[log].signed_tree;
    pthread_mutex_unlock(&projector->mutex);
    return tree;
}
