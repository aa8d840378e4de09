/* SPDX-License-Identifier: Apache-2.0
 * Partitions that come and go: state is restored before the first row is read, and what is in
 * flight is committed before a partition is handed over. An abort is the same as being given all
 * partitions anew: there is one way back, not two.
 */
#include <inttypes.h>
#include <stdio.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/flow/lane_parts.h"

/* Readings of one partition's state, together some 20 s: whoever still writes to it has by then
 * heard that it is not his any more. */
enum { READINGS_MAX = 12, PAUSE_MS = 50, PAUSE_DOUBLINGS_MAX = 6 };

static void own(ps_lane *lane, uint32_t partition, ps_ownership ownership) {
    ps_owned *owned = &lane->owned[partition];
    const bool was = owned->ownership != PS_OWN_NOT && owned->ownership != PS_OWN_RUNNING;
    const bool is = ownership != PS_OWN_NOT && ownership != PS_OWN_RUNNING;
    lane->restoring += (uint32_t)is - (uint32_t)was;
    owned->ownership = ownership;
}

static void read_state(ps_lane *lane, uint32_t partition) {
    if (lane->series != NULL) {
        ps_series_drop(lane->series, partition);
        ps_series_hold(lane->series, partition, true);
    }
    ps_lane_replay_stop(lane, partition);
    own(lane, partition, PS_OWN_RESTORING);
    lane->owned[partition].readings++;
    ps_count(&lane->metrics->restores, 1);
    if (lane->restore_ns != 0) return;
    lane->restore_ns = ps_clock_ns();
    lane->restore_bytes = ps_read(&lane->metrics->state_bytes_read);
}

/* How long it took is what a worker that was killed is judged by. */
static void tell_restored(ps_lane *lane, uint32_t partitions) {
    const uint64_t bytes = ps_read(&lane->metrics->state_bytes_read) - lane->restore_bytes;
    const int64_t ms = (ps_clock_ns() - lane->restore_ns) / PS_NS_PER_MS;
    lane->restore_ns = 0;
    if (bytes == 0) return;
    ps_log(PS_LOG_INFO, "lane",
           "lane %" PRIu32 " restored %" PRIu32 " partition%s: %" PRIu32 " series, %" PRIu64
           " bytes of state read in %" PRId64 " ms",
           lane->config.env.lane, partitions, partitions == 1 ? "" : "s",
           ps_series_count(lane->series), bytes, ms);
}

static void begin_restore(ps_lane *lane, uint32_t partition) {
    ps_lane_replay_stop(lane, partition);
    lane->owned[partition] = (ps_owned){.ownership = lane->owned[partition].ownership,
                                        .restored = PS_OFFSET_NONE,
                                        .next = PS_OFFSET_NONE,
                                        .committed = PS_OFFSET_NONE};
    read_state(lane, partition);
}

/* The second reading comes at once, since it decides; those after it leave others time. */
static void read_again(ps_lane *lane, uint32_t partition) {
    ps_owned *owned = &lane->owned[partition];
    uint32_t doublings = owned->readings;
    if (doublings > PAUSE_DOUBLINGS_MAX) doublings = PAUSE_DOUBLINGS_MAX;
    if (owned->readings > 1)
        owned->due_ns = ps_clock_ns() + ((int64_t)PAUSE_MS << doublings) * PS_NS_PER_MS;
    if (lane->config.sink->forget != NULL) lane->config.sink->forget(lane->sink, partition);
    read_state(lane, partition);
}

static void put_planes(ps_lane *lane, uint32_t id, const double *planes) {
    for (uint32_t i = 0; i < lane->plan->state_count; i++) {
        const ps_state_plan *state = &lane->plan->state[i];
        ps_lane_put_planes(lane, state, id, planes);
        planes += state->planes;
    }
}

static void fetch_planes(const ps_lane *lane, uint32_t id) {
    for (uint32_t i = 0; i < lane->plan->state_count; i++) {
        const ps_state_plan *state = &lane->plan->state[i];
        if (state->together) continue; /* one line after the other: the processor sees it coming */
        const double *values = (const double *)(const void *)(lane->state.host + state->offset);
        for (uint32_t p = 0; p < state->planes; p++)
            __builtin_prefetch(&values[(size_t)p * lane->plan->series_capacity + id], 1);
    }
}

/* One restored entry: into the table; its id, PS_NOWHERE: it has no planes to be written. */
static uint32_t enter(ps_lane *lane, uint32_t partition, const ps_state_entry *entry) {
    ps_series *series = lane->series;
    if (entry->kind == PS_STATE_GONE) {
        ps_series_forget(series, partition, entry->key);
        return PS_NOWHERE;
    }
    const bool moved = entry->kind == PS_STATE_MOVED;
    const bool there = moved && ps_series_find(series, partition, entry->key) != PS_NOWHERE;
    const uint32_t id = ps_series_restore(series, partition, entry->key, entry->last);
    if (id == PS_NOWHERE || there) return PS_NOWHERE;
    ps_series_place(series, id, entry->place, entry->round);
    /* A series that is only said to have moved has its place, and will be said whole, or evicted.
     */
    if (lane->plan->replays)
        ps_series_mark(series, id, moved ? -1 : entry->mark, entry->kind == PS_STATE_BORN);
    return entry->kind == PS_STATE_PLANES ? id : PS_NOWHERE;
}

/* Restored entries: into the table, and their planes into the state block. An id that one of them
 * loses to a later one is written in that order too. */
static void apply(void *context, uint32_t partition, const ps_state_entry *entries,
                  uint32_t count) {
    ps_lane *lane = context;
    uint32_t id[PS_STATE_TOGETHER];
    if (lane->series == NULL) return;
    for (uint32_t e = 0; e < count; e++)
        ps_series_fetch_place(lane->series, partition, entries[e].key);
    for (uint32_t e = 0; e < count; e++)
        ps_series_fetch_entry(lane->series, partition, entries[e].key);
    for (uint32_t e = 0; e < count; e++) {
        id[e] = enter(lane, partition, &entries[e]);
        if (id[e] != PS_NOWHERE) fetch_planes(lane, id[e]);
    }
    for (uint32_t e = 0; e < count; e++)
        if (id[e] != PS_NOWHERE) put_planes(lane, id[e], entries[e].planes);
}

static const char *topic_of(const ps_lane *lane, uint32_t partition, uint32_t *within) {
    const uint32_t topic = ps_partitions_topic(lane->config.env.partitions, partition, within);
    return lane->config.env.partitions->topic[topic].name;
}

/* Where the partition's log ends is a fact; offsets can be moved. */
static ps_status disagree_log(const ps_lane *lane, uint32_t partition, int64_t committed,
                              int64_t sealed, ps_error *error) {
    uint32_t within;
    const char *topic = topic_of(lane, partition, &within);
    char group[48] = "none";
    if (committed != PS_OFFSET_NONE) (void)snprintf(group, sizeof group, "%" PRId64, committed);
    return ps_fail(error, PS_TAMPERED,
                   "%s/%" PRIu32 ": ALARM: it is sealed up to offset %" PRId64
                   ", but the group has committed %s: were offsets moved by hand, or the topic "
                   "cut? a log neither goes back nor leaves records out: `penstock reset FILE --to "
                   "%s/%" PRIu32 "=%" PRId64 "` moves the group to it",
                   topic, within, sealed, group, topic, within, sealed);
}

static ps_status disagree(const ps_lane *lane, uint32_t partition, int64_t committed,
                          ps_error *error) {
    uint32_t within;
    int64_t sealed;
    if (lane->sealer != NULL && lane->plan->seal.sealer->stands(lane->sealer, partition, &sealed) &&
        sealed != committed)
        return disagree_log(lane, partition, committed, sealed, error);
    const char *topic = topic_of(lane, partition, &within);
    const int64_t restored = lane->owned[partition].restored;
    const char *advice =
        lane->plan->replays
            ? "run `penstock reset FILE --to … --state` to move the group and begin state anew"
            : "run `penstock reset FILE --to …` to move the group and its state together";
    if (committed == PS_OFFSET_NONE)
        return ps_fail(error, PS_IO,
                       "%s/%" PRIu32 ": state stands at offset %" PRId64
                       ", but the group has committed none; %s",
                       topic, within, restored, advice);
    if (restored == PS_OFFSET_NONE)
        return ps_fail(error, PS_IO,
                       "%s/%" PRIu32 ": the group has committed offset %" PRId64
                       ", but the state topic was read to its end and holds no state for it; %s",
                       topic, within, committed, advice);
    if (restored < committed)
        return ps_fail(error, PS_IO,
                       "%s/%" PRIu32 ": the group has committed offset %" PRId64
                       ", but the state topic was read to its end and stands at %" PRId64
                       ": were the offsets moved by hand, or state records deleted? %s",
                       topic, within, committed, restored, advice);
    return ps_fail(error, PS_IO,
                   "%s/%" PRIu32 ": state stands at offset %" PRId64
                   ", but the group has committed %" PRId64 ": were the offsets moved by hand? %s",
                   topic, within, restored, committed, advice);
}

/* A reading goes to the end that the state had when it began, and past every transaction that was
 * open then. So what was committed before a reading began is in it, or will never be; only what was
 * committed after that may still be on its way, from somebody who has not heard that the partition
 * is ours. */
static bool is_final(const ps_lane *lane, const ps_owned *owned, int64_t committed) {
    if (lane->config.exactly_once && owned->restored > committed) return true;
    return (owned->readings > 1 && owned->restored < owned->committed) ||
           owned->readings >= READINGS_MAX;
}

/* A log that nobody has begun begins anywhere; sure of that is only who has read after the group
 * said where it stands. */
static bool may_begin(const ps_lane *lane, const ps_owned *owned, int64_t committed) {
    return lane->sealer != NULL && lane->plan->state_count == 0 &&
           owned->restored == PS_OFFSET_NONE && owned->readings > 1 &&
           owned->committed == committed;
}

/* Where both are kept they must agree. */
static ps_status decide(ps_lane *lane, uint32_t partition, int64_t committed, ps_error *error) {
    ps_owned *owned = &lane->owned[partition];
    const bool stateful =
        (lane->plan->state_count > 0 || lane->sealer != NULL) && lane->config.sink->restore != NULL;
    const bool asked = lane->config.source->committed != NULL;
    own(lane, partition, PS_OWN_READY);
    owned->next = asked && !stateful && committed != PS_OFFSET_NONE ? committed : owned->restored;
    if (lane->config.sink->keeps_positions) owned->next = owned->restored;
    owned->untold = asked && owned->next != PS_OFFSET_NONE && owned->next != committed;
    if (lane->config.sink->keeps_positions || !asked || !stateful || owned->restored == committed)
        return PS_OK;
    /* At least once writes state before offsets, so state ahead of them is where to go on. */
    if (owned->restored > committed && !lane->config.exactly_once) return PS_OK;
    if (may_begin(lane, owned, committed)) {
        owned->next = committed;
        owned->untold = false;
        return PS_OK;
    }
    if (is_final(lane, owned, committed)) return disagree(lane, partition, committed, error);
    owned->committed = committed;
    read_again(lane, partition);
    return PS_OK;
}

static ps_status restore_one(ps_lane *lane, uint32_t partition, bool *moved, ps_error *error) {
    ps_owned *owned = &lane->owned[partition];
    if (owned->ownership == PS_OWN_RESTORING && lane->mark_done < lane->mark_state) return PS_OK;
    if (owned->ownership == PS_OWN_RESTORING) {
        owned->restored = PS_OFFSET_NONE;
        if (lane->config.sink->restore != NULL) {
            if (owned->due_ns > ps_clock_ns()) return PS_OK;
            const ps_status status = lane->config.sink->restore(lane->sink, partition, apply, lane,
                                                                &owned->restored, error);
            if (status == PS_AGAIN) return PS_OK;
            if (status == PS_ABORTED) { /* a torn record among what was applied */
                read_again(lane, partition);
                return PS_OK;
            }
            PS_TRY(status);
        }
        own(lane, partition, PS_OWN_ASKING);
        *moved = true;
    }
    if (owned->ownership == PS_OWN_ASKING) {
        int64_t committed = PS_OFFSET_NONE;
        if (lane->config.source->committed != NULL) {
            const ps_status status =
                lane->config.source->committed(lane->source, partition, &committed, error);
            if (status == PS_AGAIN) return PS_OK;
            PS_TRY(status);
        }
        *moved = true;
        return decide(lane, partition, committed, error);
    }
    return PS_OK;
}

static ps_status too_many(const ps_lane *lane, uint32_t partition, ps_error *error) {
    uint32_t within;
    const char *topic = topic_of(lane, partition, &within);
    return ps_fail(error, PS_BAD_CONFIG,
                   "%s/%" PRIu32 ": state was kept of more series than its share of %" PRIu32
                   " (runtime.series_max, by the number of partitions), and policy replay cannot "
                   "rebuild the newest of them alone: set series_max to no less than it was, or "
                   "start with empty state by `penstock reset FILE --state`",
                   topic, within, lane->plan->series_max);
}

static ps_status start(ps_lane *lane, uint32_t partition, ps_error *error) {
    ps_owned *owned = &lane->owned[partition];
    if (lane->plan->replays && !ps_series_whole(lane->series, partition))
        return too_many(lane, partition, error);
    const int64_t from = ps_lane_replay_from(lane, partition, owned->next);
    PS_TRY(lane->config.source->start(lane->source, partition, from, error));
    lane->untold = lane->untold || owned->untold;
    /* What is behind must not be swept as if it were not. */
    if (lane->series != NULL) ps_series_hold(lane->series, partition, owned->replay_to != 0);
    if (lane->series != NULL && lane->config.sink->restored != NULL)
        lane->config.sink->restored(lane->sink, partition,
                                    ps_series_oldest(lane->series, partition));
    own(lane, partition, PS_OWN_RUNNING);
    return PS_OK;
}

ps_status ps_lane_restore(ps_lane *lane, bool *moved, ps_error *error) {
    /* Batches that were given up may still be under way: their slots are not free before. */
    const bool idle = lane->computed == lane->submitted;
    lane->settling = false;
    if (lane->restoring == 0) {
        if (idle) lane->going_back = false;
        return PS_OK;
    }
    const uint32_t count = lane->config.env.partitions->count;
    uint32_t ready = 0;
    for (uint32_t p = 0; p < count; p++) {
        PS_TRY(restore_one(lane, p, moved, error));
        ready += lane->owned[p].ownership == PS_OWN_READY;
    }
    /* All at once: the source is told where to start only when nothing can turn out to disagree any
     * more. */
    if (ready < lane->restoring) return PS_OK;
    lane->settling = !idle && (lane->plan->state_count > 0 || lane->going_back);
    if (lane->settling) return PS_OK;
    if (lane->plan->state_count > 0) PS_TRY(ps_lane_upload_state(lane, error));
    for (uint32_t p = 0; p < count; p++)
        if (lane->owned[p].ownership == PS_OWN_READY) PS_TRY(start(lane, p, error));
    if (lane->series != NULL) tell_restored(lane, ready);
    ps_lane_tell_series(lane);
    lane->going_back = false;
    *moved = true;
    return PS_OK;
}

void ps_lane_tell_positions(ps_lane *lane, ps_batch *batch) {
    const uint32_t count = lane->untold ? lane->config.env.partitions->count : 0;
    bool left = false;
    for (uint32_t p = 0; p < count; p++) {
        ps_owned *owned = &lane->owned[p];
        if (!owned->untold || owned->ownership != PS_OWN_RUNNING) continue;
        left = left || owned->replay_to != 0; /* told once it is true */
        if (owned->replay_to != 0) continue;
        owned->untold = false;
        ps_batch_position(batch, p, owned->next);
        if (batch->filled_ns == 0) batch->filled_ns = ps_clock_ns();
    }
    lane->untold = left;
}

static ps_status assigned(ps_lane *lane, const ps_event *event, bool *moved, ps_error *error) {
    uint32_t running = 0;
    for (uint32_t i = 0; i < event->count; i++) {
        const ps_ownership ownership = lane->owned[event->partitions[i]].ownership;
        if (ownership == PS_OWN_NOT) begin_restore(lane, event->partitions[i]);
        running += ownership == PS_OWN_RUNNING;
    }
    if (running < event->count) return PS_OK;
    ps_count(&lane->metrics->rebalances, 1);
    atomic_fetch_add_explicit(&lane->metrics->partitions, event->count, memory_order_relaxed);
    *moved = true;
    return lane->config.source->answer(lane->source, error);
}

static void disown(ps_lane *lane, uint32_t partition) {
    if (lane->owned[partition].ownership == PS_OWN_NOT) return;
    lane->owned[partition].untold = false;
    ps_lane_replay_stop(lane, partition);
    own(lane, partition, PS_OWN_NOT);
    if (lane->series != NULL) ps_series_drop(lane->series, partition);
    if (lane->config.sink->forget != NULL) lane->config.sink->forget(lane->sink, partition);
}

/* What is in flight is committed before the answer. For partitions that were lost that commit is
 * refused by the group's generation, and the refusal is an abort: then nothing of theirs is left in
 * flight either. */
static ps_status revoked(ps_lane *lane, const ps_event *event, bool *moved, ps_error *error) {
    const ps_batch *batch = ps_lane_slot(lane, lane->submitted + 1);
    /* A position alone counts too: a partition that stays has been read up to there. */
    if (lane->filling && (batch->rows > 0 || batch->position_count > 0)) {
        if (lane->submitted - lane->freed == lane->config.depth || ps_lane_warm_waits(lane))
            return PS_OK;
        PS_TRY(ps_lane_submit(lane, error));
    }
    if (lane->released < lane->submitted) {
        if (lane->emitted == lane->submitted) PS_TRY(lane->config.sink->flush(lane->sink, error));
        return PS_OK;
    }
    for (uint32_t i = 0; lane->sealer != NULL && i < event->count; i++) {
        const ps_status left =
            lane->plan->seal.sealer->leave(lane->sealer, event->partitions[i], error);
        if (left != PS_OK) return left == PS_AGAIN ? PS_OK : left;
    }
    lane->filling = false;
    for (uint32_t i = 0; i < event->count; i++) {
        const uint32_t p = event->partitions[i];
        const bool orderly =
            event->kind == PS_EVENT_REVOKED && lane->owned[p].ownership == PS_OWN_RUNNING;
        if (orderly && lane->config.sink->leave != NULL) lane->config.sink->leave(lane->sink, p);
        disown(lane, p);
    }
    ps_count(&lane->metrics->rebalances, 1);
    uint64_t partitions = 0;
    for (uint32_t p = 0; p < lane->config.env.partitions->count; p++)
        partitions += lane->owned[p].ownership != PS_OWN_NOT;
    atomic_store_explicit(&lane->metrics->partitions, partitions, memory_order_relaxed);
    ps_lane_tell_series(lane);
    *moved = true;
    return lane->config.source->answer(lane->source, error);
}

ps_status ps_lane_event(ps_lane *lane, bool *moved, bool *hold, ps_error *error) {
    if (lane->config.source->event == NULL) return PS_OK;
    ps_event event = {PS_EVENT_NONE, 0, NULL};
    PS_TRY(lane->config.source->event(lane->source, &event, error));
    switch (event.kind) {
    case PS_EVENT_NONE:
        return PS_OK;
    case PS_EVENT_ASSIGNED:
        return assigned(lane, &event, moved, error);
    case PS_EVENT_REVOKED:
    case PS_EVENT_LOST:
        break;
    }
    *hold = true;
    return revoked(lane, &event, moved, error);
}

void ps_lane_go_back(ps_lane *lane) {
    ps_lane_give_back(lane, lane->freed, lane->submitted + (lane->filling ? 1 : 0));
    ps_lane_forget_account(lane);
    lane->filling = false;
    lane->released = lane->freed = lane->emitted = lane->finished = lane->submitted;
    lane->sink_rows = ps_read(&lane->metrics->sink_rows);
    lane->sink_dead = ps_read(&lane->metrics->sink_dead);
    lane->going_back = true;
    if (!lane->draining) lane->ended = false;
    for (uint32_t p = 0; p < lane->config.env.partitions->count; p++) {
        if (lane->owned[p].ownership == PS_OWN_NOT) continue;
        if (lane->config.sink->forget != NULL) lane->config.sink->forget(lane->sink, p);
        if (lane->config.source->stop != NULL) lane->config.source->stop(lane->source, p);
        begin_restore(lane, p);
    }
}

void ps_lane_give_back(ps_lane *lane, uint64_t begin, uint64_t end) {
    if (lane->config.source->release == NULL) return;
    for (uint64_t ticket = begin + 1; ticket <= end; ticket++)
        lane->config.source->release(lane->source, ps_lane_slot(lane, ticket));
}
