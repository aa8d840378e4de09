/* SPDX-License-Identifier: Apache-2.0 */
#include "host/batch/sweep.h"

#include "host/base/carve.h"
#include "host/batch/schema.h"

/* Rounds as they are compared: more than any table lives to see. */
static const int64_t round_max = INT32_MAX - 1;

static uint32_t queue_max(uint32_t capacity) {
    return capacity / 16 + 1;
}

size_t ps_sweep_bytes(uint32_t capacity) {
    return ps_carve_size(capacity * sizeof(int64_t)) +
           ps_carve_size(queue_max(capacity) * sizeof(ps_eviction_candidate));
}

void ps_sweep_open(ps_sweep *sweep, uint8_t **memory, uint32_t capacity) {
    sweep->told = ps_carve(memory, capacity * sizeof(int64_t));
    sweep->oldest_max = queue_max(capacity);
    sweep->oldest = ps_carve(memory, sweep->oldest_max * sizeof(ps_eviction_candidate));
}

static int64_t now(const ps_sweep *sweep) {
    return -1 - sweep->round;
}

void ps_sweep_born(ps_sweep *sweep, uint32_t id) {
    sweep->told[id] = now(sweep);
}

void ps_sweep_restored(ps_sweep *sweep, uint32_t id, int64_t round) {
    const int64_t of = round < 0 ? 0 : round < round_max ? round : round_max;
    if (of > sweep->seen) sweep->seen = of;
    /* What this life tells is newer than all that was told before. */
    if (!sweep->begun && of >= sweep->round) sweep->round = of + 1;
    sweep->told[id] = (of << 32 | (sweep->restored++ & UINT32_MAX)) + 1;
    /* Who comes and goes must not keep a round from its end. */
    if (of >= sweep->round) ps_sweep_born(sweep, id);
}

void ps_sweep_wake(ps_sweep *sweep) {
    sweep->by_age = true;
    sweep->oldest_at = sweep->oldest_count; /* its series may be older than those */
}

static bool is_left(const ps_sweep *sweep, const ps_sweep_scope *scope, uint32_t id) {
    const ps_series_entry *entry = &scope->entry[id];
    return entry->live != 0 && scope->held[entry->partition] == 0 && sweep->told[id] != now(sweep);
}

/* Rounds past the largest number are told apart no more. */
static int64_t age_of(int64_t round) {
    return (round < round_max ? round : round_max) << 32;
}

static void find_oldest(ps_sweep *sweep, const ps_sweep_scope *scope) {
    sweep->oldest_at = sweep->oldest_count = 0;
    for (uint32_t id = 0; id < scope->entry_count; id++) {
        const int64_t told = sweep->told[id], age = told > 0 ? told : age_of(-1 - told) | id;
        if (is_left(sweep, scope, id))
            ps_eviction_keep(sweep->oldest, &sweep->oldest_count, sweep->oldest_max,
                             (ps_eviction_candidate){age, id, 0});
    }
    ps_eviction_sort(sweep->oldest, sweep->oldest_count);
}

static uint32_t next_by_age(ps_sweep *sweep, const ps_sweep_scope *scope) {
    while (sweep->by_age) {
        if (sweep->oldest_at == sweep->oldest_count) find_oldest(sweep, scope);
        while (sweep->oldest_at < sweep->oldest_count) {
            const uint32_t id = sweep->oldest[sweep->oldest_at++].id;
            if (is_left(sweep, scope, id)) return id;
        }
        sweep->by_age = sweep->oldest_count > 0;
        if (!sweep->by_age) sweep->at = scope->entry_count; /* and the round is over */
    }
    return PS_NOWHERE;
}

uint32_t ps_sweep_next(ps_sweep *sweep, const ps_sweep_scope *scope, uint32_t *looks) {
    uint32_t id = next_by_age(sweep, scope);
    /* Dead and held ids cost a look each: a bound keeps a nearly empty table from being walked in
     * every batch. */
    while (id == PS_NOWHERE && *looks > 0 && sweep->at < scope->entry_count) {
        const uint32_t at = sweep->at++;
        --*looks;
        if (is_left(sweep, scope, at)) id = at;
    }
    if (id != PS_NOWHERE) sweep->told[id] = now(sweep);
    return id;
}

void ps_sweep_turn(ps_sweep *sweep, const ps_sweep_scope *scope) {
    sweep->begun = true;
    if (sweep->at < scope->entry_count) return;
    sweep->at = 0;
    sweep->round = (sweep->round > sweep->seen ? sweep->round : sweep->seen) + 1;
}
