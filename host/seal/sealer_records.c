/* SPDX-License-Identifier: Apache-2.0
 * What goes into the lane's transaction: full tiles as they come, and where it ends the partial
 * ones of every log that has grown, and behind them where the log stands.
 */
#include <inttypes.h>
#include <stdio.h>

#include "host/seal/sealer_parts.h"

/* "<topic>/<partition>/<what>": the record that a later one of that name replaces. */
static ps_bytes name(ps_lane_sealer *sealer, uint32_t partition, const char *what) {
    uint32_t within;
    const ps_partitions *all = sealer->env->partitions;
    const uint32_t topic = ps_partitions_topic(all, partition, &within);
    const int length = snprintf(sealer->key, sizeof sealer->key, "%s/%" PRIu32 "/%s",
                                all->topic[topic].name, within, what);
    PS_CHECK(length > 0 && (size_t)length < sizeof sealer->key);
    return (ps_bytes){(const uint8_t *)sealer->key, (uint32_t)length};
}

static ps_sealed tile_record(ps_lane_sealer *sealer, uint32_t partition, const ps_tile *tile,
                             ps_bytes bytes) {
    char path[PS_TILE_PATH_MAX];
    const ps_tile whole = {tile->level, PS_TILE_WIDTH, tile->index};
    return (ps_sealed){partition, name(sealer, partition, ps_tile_path(&whole, path)), bytes};
}

static ps_sealed log_record(ps_lane_sealer *sealer, uint32_t partition) {
    const ps_sealed_log *log = &sealer->log[partition];
    const char *origin = sealer->projected[partition].signer.verifier.name;
    const ps_log_record record = {.watermark = log->watermark,
                                  .last = log->last == PS_OFFSET_NONE ? -1 : log->last,
                                  .signed_tree = ps_projector_signed(sealer->projector, partition),
                                  .origin = origin,
                                  .origin_length = (uint32_t)strlen(origin),
                                  .frontier = log->frontier};
    const size_t length = ps_log_record_write(&record, sealer->record);
    return (ps_sealed){
        partition, name(sealer, partition, "log"), {sealer->record, (uint32_t)length}};
}

/* All partial tiles, so that a restore finds them together, whichever of them has changed. */
static bool next_of_log(ps_lane_sealer *sealer, uint32_t partition, ps_sealed *out) {
    const ps_sealed_log *log = &sealer->log[partition];
    for (; sealer->level < PS_TILE_LEVELS; sealer->level++) {
        ps_tile tile;
        ps_bytes bytes;
        if (!log->grown ||
            !ps_tiler_partial(log->tiler, sealer->level, log->frontier.size, &tile, &bytes))
            continue;
        *out = tile_record(sealer, partition, &tile, bytes);
        return true;
    }
    if (sealer->level > PS_TILE_LEVELS) return false;
    *out = log_record(sealer, partition);
    return true;
}

bool ps_sealer_next(void *self, bool closing, ps_sealed *out) {
    ps_lane_sealer *sealer = self;
    ps_projected_tile tile;
    sealer->from_ring = ps_projector_unsent(sealer->projector, &tile);
    if (sealer->from_ring) {
        *out = tile_record(sealer, tile.log, &tile.tile, tile.bytes);
        return true;
    }
    for (; closing && sealer->dirty_at < sealer->dirty_count; sealer->dirty_at++) {
        if (next_of_log(sealer, sealer->dirty[sealer->dirty_at], out)) return true;
        sealer->level = PS_TILE_ENTRIES;
    }
    return false;
}

void ps_sealer_taken(void *self) {
    ps_lane_sealer *sealer = self;
    if (sealer->from_ring)
        ps_projector_sent(sealer->projector);
    else
        sealer->level++;
}

static void clear(ps_lane_sealer *sealer) {
    for (uint32_t i = 0; i < sealer->dirty_count; i++) {
        ps_sealed_log *log = &sealer->log[sealer->dirty[i]];
        log->moved = log->grown = false;
    }
    sealer->dirty_count = sealer->dirty_at = 0;
    sealer->level = PS_TILE_ENTRIES;
}

void ps_sealer_committed(void *self) {
    ps_lane_sealer *sealer = self;
    for (uint32_t i = 0; i < sealer->dirty_count; i++) {
        ps_sealed_log *log = &sealer->log[sealer->dirty[i]];
        if (!log->grown) continue;
        log->committed = log->frontier;
        ps_sealer_due(sealer, log->published_ns + sealer->config->interval_ns);
        ps_log_grew(sealer->projected[sealer->dirty[i]].metrics, log->committed.size);
    }
    clear(sealer);
}

void ps_sealer_undo(void *self) {
    ps_lane_sealer *sealer = self;
    ps_projector_unwanted(sealer->projector);
    clear(sealer);
    sealer->chunk.ticket = 0;
    for (uint32_t p = 0; p < sealer->count; p++) atomic_store(&sealer->log[p].given, false);
}
