/* SPDX-License-Identifier: Apache-2.0 */
#include "host/state/merge.h"

#include <string.h>

#include "host/base/carve.h"

struct ps_state_merge {
    const ps_plan *plan;
    ps_state_delta delta; /* its tables are ours */
    uint32_t mask;        /* of `place` */
    uint32_t *place;      /* open addressing: number of a segment + 1, 0: free */
    uint32_t *moved;      /* [PS_PARTITIONS_MAX] number of its position + 1, 0: none */
    ps_segment *segments;
    ps_eviction *evictions;
    ps_position *positions;
    double *image[PS_STAGES_MAX];
};

/* At most half of the places are taken, so that a free one is near. */
static size_t places_of(const ps_plan *plan) {
    size_t places = 64;
    while (places < 2 * (size_t)plan->schema.segments_max) places *= 2;
    return places;
}

static size_t image_bytes(const ps_plan *plan, uint32_t i) {
    return (size_t)plan->schema.segments_max * plan->state[i].planes * sizeof(double);
}

size_t ps_state_merge_bytes(const ps_plan *plan) {
    size_t bytes = ps_carve_size(sizeof(ps_state_merge)) +
                   ps_carve_size(places_of(plan) * sizeof(uint32_t)) +
                   ps_carve_size(PS_PARTITIONS_MAX * sizeof(uint32_t)) +
                   ps_carve_size(plan->schema.segments_max * sizeof(ps_segment)) +
                   ps_carve_size(plan->schema.rows_max * sizeof(ps_eviction)) +
                   ps_carve_size(PS_PARTITIONS_MAX * sizeof(ps_position));
    for (uint32_t i = 0; i < plan->state_count; i++) bytes += ps_carve_size(image_bytes(plan, i));
    return bytes;
}

ps_state_merge *ps_state_merge_open(void *memory, const ps_plan *plan) {
    PS_CHECK(!plan->replays);
    uint8_t *at = memory;
    const size_t places = places_of(plan);
    ps_state_merge *merge = ps_carve(&at, sizeof *merge);
    memset(merge, 0, sizeof *merge);
    merge->plan = plan;
    merge->mask = (uint32_t)places - 1;
    merge->place = ps_carve(&at, places * sizeof(uint32_t));
    merge->moved = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(uint32_t));
    merge->segments = ps_carve(&at, plan->schema.segments_max * sizeof(ps_segment));
    merge->evictions = ps_carve(&at, plan->schema.rows_max * sizeof(ps_eviction));
    merge->positions = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(ps_position));
    for (uint32_t i = 0; i < plan->state_count; i++)
        merge->delta.image[i] = merge->image[i] = ps_carve(&at, image_bytes(plan, i));
    memset(merge->place, 0, places * sizeof(uint32_t));
    memset(merge->moved, 0, PS_PARTITIONS_MAX * sizeof(uint32_t));
    merge->delta.segments = merge->segments;
    merge->delta.evictions = merge->evictions;
    merge->delta.positions = merge->positions;
    return merge;
}

/* A key is a keyed hash already. */
static uint32_t home_of(const ps_state_merge *merge, uint32_t partition, const uint64_t key[2]) {
    return (uint32_t)(key[0] + partition * UINT64_C(0x9e3779b97f4a7c15)) & merge->mask;
}

/* Where a series has its place, or would. */
static uint32_t *find(ps_state_merge *merge, uint32_t partition, const uint64_t key[2]) {
    uint32_t at = home_of(merge, partition, key);
    for (; merge->place[at] != 0; at = (at + 1) & merge->mask) {
        const ps_segment *of = &merge->segments[merge->place[at] - 1];
        if (of->key[0] == key[0] && of->key[1] == key[1] && of->partition == partition) break;
    }
    return &merge->place[at];
}

/* What was to be said of the series is void. That it lost its place is said in any case, since
 * older records may hold it. */
static void evict(ps_state_merge *merge, const ps_eviction *eviction) {
    const uint32_t *place = find(merge, eviction->partition, eviction->key);
    if (*place != 0) merge->segments[*place - 1].kind = PS_SEGMENT_EVICTED;
    merge->evictions[merge->delta.eviction_count++] = *eviction;
}

static void put(ps_state_merge *merge, const ps_batch *batch, uint32_t segment) {
    const ps_plan *plan = merge->plan;
    const ps_segment *of = &batch->segments[segment];
    uint32_t *place = find(merge, of->partition, of->key);
    if (*place == 0) *place = ++merge->delta.segment_count;
    const size_t to = *place - 1;
    merge->segments[to] = *of;
    for (uint32_t i = 0; i < plan->state_count; i++) {
        const uint32_t planes = plan->state[i].planes;
        const double *image = ps_batch_values(batch, &plan->schema.column[plan->state[i].image]);
        memcpy(merge->image[i] + to * planes, image + (size_t)segment * planes,
               planes * sizeof(double));
    }
}

static void move(ps_state_merge *merge, const ps_position *position) {
    uint32_t *moved = &merge->moved[position->partition];
    if (*moved == 0) *moved = ++merge->delta.position_count;
    merge->positions[*moved - 1] = *position;
}

bool ps_state_merge_add(ps_state_merge *merge, const ps_batch *batch) {
    const ps_schema *schema = &merge->plan->schema;
    ps_state_delta *delta = &merge->delta;
    if (batch->segment_count > schema->segments_max - delta->segment_count ||
        batch->eviction_count > schema->rows_max - delta->eviction_count)
        return false;
    /* As within a record: what was evicted and came back is there. */
    for (uint32_t e = 0; e < batch->eviction_count; e++) evict(merge, &batch->evictions[e]);
    for (uint32_t s = 0; s < batch->segment_count; s++)
        if (batch->segments[s].kind != PS_SEGMENT_EVICTED) put(merge, batch, s);
    for (uint32_t i = 0; i < batch->position_count; i++) move(merge, &batch->positions[i]);
    /* The newest round's number, though series of the one before may be among them. Who deletes old
     * records (kafka_trim.c) takes for a round's beginning a place behind the first record of that
     * number, so between two beginnings but one lies a whole round, wherever in a record each
     * began; the oldest number would do as well, and only delete later. */
    delta->sweep_round = batch->sweep_round;
    return true;
}

const ps_state_delta *ps_state_merge_delta(const ps_state_merge *merge) {
    return &merge->delta;
}

void ps_state_merge_clear(ps_state_merge *merge) {
    ps_state_delta *delta = &merge->delta;
    /* From where a series would be at best up to the next free place: all that are taken lie on
     * such a way, and few are, of many. */
    for (uint32_t s = 0; s < delta->segment_count; s++) {
        const ps_segment *of = &merge->segments[s];
        uint32_t at = home_of(merge, of->partition, of->key);
        for (; merge->place[at] != 0; at = (at + 1) & merge->mask) merge->place[at] = 0;
    }
    for (uint32_t i = 0; i < delta->position_count; i++)
        merge->moved[merge->positions[i].partition] = 0;
    delta->segment_count = delta->eviction_count = delta->position_count = 0;
}
