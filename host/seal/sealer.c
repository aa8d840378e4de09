/* SPDX-License-Identifier: Apache-2.0
 * A lane's logs: opened with the lane, published when due, closed with it.
 */
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/base/clock.h"
#include "host/seal/sealer_parts.h"
#include "host/seal/secret_key.h"

enum { ITEMS_A_PUBLISH = PS_TILE_LEVELS + 2 /* bundle, tiles, checkpoint */ };

ps_status ps_sealer_fail(const ps_lane_sealer *sealer, uint32_t partition, ps_status status,
                         ps_error *error, const char *format, ...) {
    uint32_t within;
    char what[sizeof error->message];
    const ps_partitions *all = sealer->env->partitions;
    const uint32_t topic = ps_partitions_topic(all, partition, &within);
    va_list arguments;
    if (status == PS_TAMPERED) ps_log_failed(sealer->projected[partition].metrics);
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return ps_fail(error, status, "seal: %s%s/%u: %s", status == PS_TAMPERED ? "ALARM: " : "",
                   all->topic[topic].name, within, what);
}

static size_t memory(const ps_plan *plan) {
    const ps_seal_config *config = plan->seal.config;
    const size_t log = sizeof(ps_sealed_log) + sizeof(ps_projected) + sizeof(uint32_t) +
                       PS_TILE_LEVELS * (size_t)PS_TILE_BYTES + PS_SEALED_BUNDLE + 256;
    /* Leaf hashes: entries side by side are made elsewhere, nodes here. */
    const size_t leaves = PS_LEAVES_MAX * (8 + 2 * (size_t)PS_NODE_BYTES) + 4096;
    return (size_t)config->logs_max * log + ps_projector_bytes() + leaves +
           sizeof(ps_sealer_space) + sizeof(ps_gathered) + sizeof(ps_tiles) +
           sizeof(ps_lane_sealer);
}

static void close_sealer(void *self) {
    ps_lane_sealer *sealer = self;
    if (sealer == NULL) return;
    ps_projector_close(sealer->projector);
    for (uint32_t p = 0; p < sealer->count; p++) {
        if (sealer->log != NULL) ps_tiler_close(sealer->log[p].tiler);
        if (sealer->projected == NULL) continue;
        ps_seal_folder_close(sealer->projected[p].folder);
        ps_signer_deinit(&sealer->projected[p].signer);
    }
    ps_leaves_close(sealer->leaves);
    EVP_MD_CTX_free(sealer->stream);
    free(sealer->log);
    free(sealer->projected);
    free(sealer->space);
    free(sealer->dirty);
    free(sealer->gathered);
    free(sealer->tiles);
    free(sealer);
}

static ps_status take_memory(ps_lane_sealer *sealer, ps_error *error) {
    sealer->log = calloc(sealer->count + 1, sizeof *sealer->log);
    sealer->projected = calloc(sealer->count + 1, sizeof *sealer->projected);
    sealer->dirty = calloc(sealer->count + 1, sizeof *sealer->dirty);
    sealer->space = malloc(sizeof *sealer->space);
    sealer->gathered = malloc(sizeof *sealer->gathered);
    sealer->tiles = malloc(sizeof *sealer->tiles);
    sealer->stream = EVP_MD_CTX_new();
    if (sealer->log == NULL || sealer->projected == NULL || sealer->dirty == NULL ||
        sealer->space == NULL || sealer->gathered == NULL || sealer->tiles == NULL ||
        sealer->stream == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for the logs of %u partitions",
                       sealer->count);
    for (uint32_t p = 0; p < sealer->count; p++) {
        sealer->log[p].watermark = sealer->log[p].last = PS_OFFSET_NONE;
        PS_TRY(ps_tiler_open(PS_SEAL_ENTRY_BYTES, &sealer->log[p].tiler, error));
    }
    return ps_leaves_open(&sealer->leaves, error);
}

/* Places in the space that are the same for every chunk. */
static void prepare_space(ps_sealer_space *space) {
    memset(space->entries, 0, sizeof space->entries);
    memset(space->headers + PS_SEALER_HEADERS, 0, PS_ARENA_PADDING);
    for (uint32_t i = 0; i < PS_LEAVES_MAX; i++) {
        space->entry_begin[i] = i * PS_SEALED_BYTES + 2;
        space->entry[i] = (ps_bytes){space->entries + space->entry_begin[i], PS_SEAL_ENTRY_BYTES};
    }
}

/* One secret, and a name of its own for each log: so the key's id is another one, too. */
static ps_status make_signers(ps_lane_sealer *sealer, ps_error *error) {
    ps_signer secret;
    ps_status status = ps_secret_key_read(sealer->config->key, &secret, error);
    if (status != PS_OK) return ps_fail_in(error, status, "seal");
    for (uint32_t p = 0; status == PS_OK && p < sealer->count; p++) {
        char origin[PS_ORIGIN_MAX];
        (void)ps_seal_origin(sealer->config->origin, sealer->env->partitions, p, origin);
        sealer->projected[p].partition = p;
        if (sealer->env->partition_metrics != NULL)
            sealer->projected[p].metrics = &sealer->env->partition_metrics[p].log;
        status = ps_signer_of_seed(origin, PS_KEY_ED25519, secret.seed,
                                   &sealer->projected[p].signer, error);
    }
    ps_signer_deinit(&secret);
    return status;
}

static ps_status open_parts(ps_lane_sealer *sealer, ps_error *error) {
    static const uint8_t none[4];
    if (sealer->count > (uint64_t)sealer->config->logs_max)
        return ps_fail(error, PS_BAD_CONFIG,
                       "seal: the source has %u partitions, and a lane may be given all of them: "
                       "raise logs_max of the stage from %lld to as many (100 KiB a log)",
                       sealer->count, (long long)sealer->config->logs_max);
    PS_TRY(take_memory(sealer, error));
    prepare_space(sealer->space);
    ps_hash_bytes(none, sizeof none, &sealer->no_headers);
    PS_TRY(make_signers(sealer, error));
    return ps_projector_open(sealer->projected, ps_sealer_roller(sealer->env->sealer_shared),
                             sealer->env->wake, &sealer->projector, error);
}

static ps_status open_sealer(const ps_lane_env *env, void **self, ps_error *error) {
    ps_lane_sealer *sealer = calloc(1, sizeof *sealer);
    if (sealer == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for logs");
    sealer->env = env;
    sealer->plan = &env->plan->seal;
    sealer->config = sealer->plan->config;
    sealer->count = env->partitions->count;
    sealer->level = PS_TILE_ENTRIES;
    atomic_init(&sealer->due_ns, INT64_MAX);
    const ps_status status = open_parts(sealer, error);
    if (status != PS_OK) {
        close_sealer(sealer);
        return status;
    }
    *self = sealer;
    return PS_OK;
}

bool ps_sealer_publish(ps_lane_sealer *sealer, uint32_t partition, int64_t now_ns) {
    ps_sealed_log *log = &sealer->log[partition];
    if (!ps_projector_has_room(sealer->projector, ITEMS_A_PUBLISH)) return false;
    for (int32_t level = PS_TILE_ENTRIES; level < PS_TILE_LEVELS; level++) {
        ps_projected_tile tile = {.log = partition};
        if (ps_tiler_partial(log->tiler, level, log->committed.size, &tile.tile, &tile.bytes))
            ps_projector_tile(sealer->projector, &tile, false);
    }
    ps_projector_checkpoint(sealer->projector, partition, &log->committed);
    log->published = log->committed.size;
    log->published_ns = now_ns;
    return true;
}

void ps_sealer_due(ps_lane_sealer *sealer, int64_t at_ns) {
    int64_t due_ns = atomic_load(&sealer->due_ns);
    while (at_ns < due_ns && !atomic_compare_exchange_weak(&sealer->due_ns, &due_ns, at_ns)) {}
}

static bool is_behind(const ps_sealed_log *log) {
    return atomic_load_explicit(&log->given, memory_order_acquire) &&
           log->committed.size > log->published;
}

static ps_status step(void *self, int64_t *ask_again_ns, ps_error *error) {
    ps_lane_sealer *sealer = self;
    const int64_t due_ns = atomic_load_explicit(&sealer->due_ns, memory_order_acquire);
    PS_TRY(ps_projector_status(sealer->projector, error));
    if (due_ns == INT64_MAX) return PS_OK;
    const int64_t now_ns = ps_clock_ns();
    *ask_again_ns = due_ns;
    if (now_ns < due_ns) return PS_OK;
    atomic_store(&sealer->due_ns, INT64_MAX);
    *ask_again_ns = INT64_MAX;
    for (uint32_t p = 0; p < sealer->count; p++) {
        const ps_sealed_log *log = &sealer->log[p];
        if (!is_behind(log)) continue;
        int64_t then_ns = log->published_ns + sealer->config->interval_ns;
        if (now_ns >= then_ns && ps_sealer_publish(sealer, p, now_ns)) continue;
        if (now_ns >= then_ns) then_ns = now_ns + PS_NS_PER_MS; /* no room */
        if (then_ns < *ask_again_ns) *ask_again_ns = then_ns;
    }
    ps_sealer_due(sealer, *ask_again_ns);
    return PS_OK;
}

static ps_status leave(void *self, uint32_t partition, ps_error *error) {
    ps_lane_sealer *sealer = self;
    PS_TRY(ps_projector_status(sealer->projector, error));
    if (is_behind(&sealer->log[partition]) && !ps_sealer_publish(sealer, partition, ps_clock_ns()))
        return PS_AGAIN;
    if (!ps_projector_idle(sealer->projector)) return PS_AGAIN;
    return ps_projector_status(sealer->projector, error);
}

static ps_status finish(void *self, ps_error *error) {
    ps_lane_sealer *sealer = self;
    for (uint32_t p = 0; p < sealer->count; p++) PS_TRY(leave(sealer, p, error));
    return PS_OK;
}

static void forget(void *self, uint32_t partition) {
    ps_lane_sealer *sealer = self;
    atomic_store(&sealer->log[partition].given, false);
    ps_log_left(sealer->projected[partition].metrics);
}

static bool stands(const void *self, uint32_t partition, int64_t *next) {
    const ps_lane_sealer *sealer = self;
    *next = sealer->log[partition].watermark;
    return *next != PS_OFFSET_NONE;
}

const ps_sealer ps_sealer_logs = {
    .share = ps_sealer_share,
    .unshare = ps_sealer_unshare,
    .shared_memory = ps_sealer_shared_memory,
    .rolled = ps_sealer_rolled,
    .open = open_sealer,
    .close = close_sealer,
    .memory = memory,
    .step = step,
    .leave = leave,
    .finish = finish,
    .rows = ps_sealer_rows,
    .next = ps_sealer_next,
    .taken = ps_sealer_taken,
    .committed = ps_sealer_committed,
    .undo = ps_sealer_undo,
    .forget = forget,
    .begin = ps_sealer_begin,
    .gather = ps_sealer_gather,
    .apply = ps_sealer_apply,
    .restored = ps_sealer_restored,
    .stands = stands,
};
