/* SPDX-License-Identifier: Apache-2.0
 * At least once, which exists for latency: no transaction, no committer on the way. A batch is out
 * when every record of it is acknowledged. What it did to the state is then merged with what those
 * before it did, and its slot is free. Every commit_interval one state record of all this goes out,
 * and when that is acknowledged the offsets that it covers follow: a crash repeats what came after
 * it, and loses nothing. Meanwhile the next batches are merged, since what is produced is copied.
 *
 * Under policy replay a state record stands at the watermark of one batch: there each batch has its
 * own, and its slot waits for that.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_seal.h"
#include "ingest/kafka_sink_calls.h"

#define ANSWER_NS_MAX (10 * PS_NS_PER_S)

/* A lane comes by every second: one that did not for so long was stopped, and may have an heir. It
 * goes back, and what it had is not written beside the heir's, which is newer. */
#define ASLEEP_NS (3 * PS_NS_PER_S)

enum { POLL_MS = 10 };

/* What is written next passes dead letters in a file: they must be on disk before. */
static bool keep_dead(ps_kafka_sink *sink) {
    ps_error error;
    if (sink->dead_file == NULL || ps_dead_file_sync(sink->dead_file, &error) == PS_OK) return true;
    ps_log(PS_LOG_WARNING, "sink kafka", "%s; offsets are not committed past them", error.message);
    ps_kafka_sink_fail(sink, PS_IO, "%s", error.message);
    return false;
}

static bool merges(const ps_plan *plan) {
    return !plan->replays;
}

size_t ps_kafka_least_bytes(const ps_plan *plan) {
    return merges(plan) ? ps_state_merge_bytes(plan) : 0;
}

ps_status ps_kafka_least_open(ps_kafka_sink *sink, ps_error *error) {
    const ps_plan *plan = sink->env->plan;
    if (!merges(plan)) return PS_OK;
    sink->merge_memory = aligned_alloc(64, (ps_state_merge_bytes(plan) + 63) & ~(size_t)63);
    sink->covered = malloc((sink->env->partitions->count + 1) * sizeof *sink->covered);
    if (sink->merge_memory == NULL || sink->covered == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    sink->merge = ps_state_merge_open(sink->merge_memory, plan);
    return PS_OK;
}

void ps_kafka_least_undo(ps_kafka_sink *sink) {
    if (sink->merge != NULL) ps_state_merge_clear(sink->merge);
    sink->merging = PS_KAFKA_GATHERS;
    sink->merging_ns = 0;
    sink->covered_count = sink->states_unacknowledged = 0;
}

/* Takes what a batch whose rows are out did to the state; false: it waits. */
static bool keep_state(ps_kafka_sink *sink, ps_kafka_slot *slot, bool *full, ps_error *error,
                       ps_status *status) {
    if (sink->merge != NULL) {
        if (sink->merging == PS_KAFKA_WRITES) return false;
        *full = !ps_state_merge_add(sink->merge, slot->batch);
        if (!*full && sink->merging_ns == 0) sink->merging_ns = ps_clock_ns();
        return !*full;
    }
    if (!slot->stated) {
        if (!keep_dead(sink)) return false;
        *status = ps_kafka_state_emit(sink, slot->batch, error);
        slot->stated = *status == PS_OK;
    }
    if (!slot->stated || sink->states_unacknowledged > 0) return false;
    ps_kafka_state_committed(sink); /* younger batches have not written theirs */
    ps_kafka_positions_add(sink, slot->batch->positions, slot->batch->position_count);
    return true;
}

/* Carries the oldest batch on; false: it waits for something. `*full`: for what is merged to be
 * written. */
static bool carry(ps_kafka_sink *sink, bool *full, ps_error *error, ps_status *status) {
    const uint64_t ticket = sink->acknowledged + 1;
    ps_kafka_slot *slot = ps_kafka_slot_of(sink, ticket);
    if (slot->batch == NULL || slot->ticket != ticket || !slot->emitted) return false;
    if (slot->unacknowledged > 0) return false;
    if (sink->seal != NULL)
        ps_kafka_seal_hold(sink, slot->batch);
    else if (!sink->keeps_state)
        ps_kafka_positions_add(sink, slot->batch->positions, slot->batch->position_count);
    else if (!keep_state(sink, slot, full, error, status))
        return false;
    slot->batch = NULL;
    sink->acknowledged = ticket;
    sink->answered_ns = ps_clock_ns();
    sink->in_vain = (ps_kafka_patience){0, 0};
    return true;
}

/* Somebody else may have the partitions and write their state: the group says so, or a member that
 * it has fenced (whose loss librdkafka forgets). */
static bool is_lost(const ps_kafka_sink *sink) {
    rd_kafka_t *consumer = sink->link.config == NULL ? NULL : ps_kafka_link_consumer(sink->env);
    return consumer != NULL && (rd_kafka_assignment_lost(consumer) != 0 ||
                                rd_kafka_fatal_error(consumer, NULL, 0) != 0);
}

static int64_t due_of(const ps_kafka_sink *sink) {
    return sink->merging_ns + sink->config->commit_interval_ns;
}

/* Whether something that is out has its state not yet written. */
static bool is_pending(const ps_kafka_sink *sink) {
    return sink->merging_ns > 0 || sink->merging != PS_KAFKA_GATHERS || ps_kafka_seal_pending(sink);
}

/* Takes what is merged a step further; false: it waits for something. */
static bool write_state(ps_kafka_sink *sink, bool now, ps_error *error, ps_status *status) {
    const ps_state_delta *delta = ps_state_merge_delta(sink->merge);
    switch (sink->merging) {
    case PS_KAFKA_GATHERS:
        if (sink->merging_ns == 0 || !now) return false;
        if (is_lost(sink)) {
            sink->broken = true;
            return false;
        }
        if (!keep_dead(sink)) return false;
        sink->merging = PS_KAFKA_WRITES;
        return true;
    case PS_KAFKA_WRITES:
        *status = ps_kafka_state_emit_delta(sink, delta, error);
        if (*status != PS_OK) return false;
        sink->covered_count = delta->position_count;
        memcpy(sink->covered, delta->positions, delta->position_count * sizeof *sink->covered);
        ps_state_merge_clear(sink->merge);
        sink->merging_ns = 0;
        if (sink->acknowledged >= sink->last_ticket) sink->answered_ns = ps_clock_ns();
        sink->merging = PS_KAFKA_WAITS;
        return true;
    case PS_KAFKA_WAITS:
        if (sink->states_unacknowledged > 0) return false;
        sink->answered_ns = ps_clock_ns();
        ps_kafka_state_committed(sink); /* what was gathered meanwhile is not yet emitted */
        ps_kafka_positions_add(sink, sink->covered, sink->covered_count);
        sink->covered_count = 0;
        sink->merging = PS_KAFKA_GATHERS;
    }
    return true;
}

/* Carries on what can be. */
static ps_status carry_all(ps_kafka_sink *sink, int64_t *ask_again_ns, ps_error *error) {
    ps_status status = PS_OK;
    bool moved = true;
    while (moved && status == PS_OK) {
        bool full = false;
        while (carry(sink, &full, error, &status)) {}
        if (sink->merge == NULL || status != PS_OK) break;
        const int64_t due_ns = due_of(sink);
        /* Nothing more comes: a partition leaves, or the lane ends. */
        const bool last = sink->flush_wanted && sink->acknowledged == sink->last_ticket;
        moved = write_state(sink, full || last || ps_clock_ns() >= due_ns, error, &status);
        if (sink->merging == PS_KAFKA_GATHERS && sink->merging_ns > 0 && due_ns < *ask_again_ns)
            *ask_again_ns = due_ns;
    }
    return status == PS_AGAIN ? PS_OK : status;
}

/* What was committed and has not moved on since needs no further commit. */
static void strike_out(ps_kafka_sink *sink, const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        const ps_partitions *all = sink->env->partitions;
        for (uint32_t m = 0; m < sink->moved_count; m++) {
            uint32_t within;
            const uint32_t p = sink->moved[m];
            const uint32_t topic = ps_partitions_topic(all, p, &within);
            if ((int32_t)within != list->elems[i].partition ||
                strcmp(all->topic[topic].name, list->elems[i].topic) != 0)
                continue;
            if (sink->next[p] != list->elems[i].offset) break;
            sink->next[p] = PS_OFFSET_NONE;
            sink->moved[m] = sink->moved[--sink->moved_count];
            break;
        }
    }
}

static void count_commit(ps_kafka_sink *sink) {
    ps_count(&sink->env->metrics->commits, 1);
    ps_histogram_add(&sink->env->metrics->commit, ps_clock_ns() - sink->commit_ns);
}

void ps_kafka_least_answer(void *opaque, rd_kafka_resp_err_t err,
                           const rd_kafka_topic_partition_list_t *list) {
    ps_kafka_sink *sink = opaque;
    sink->offsets_under_way = false;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* A rebalance or a coordinator that is away: the next one says it again. */
        ps_log(PS_LOG_DEBUG, "sink kafka", "offsets: %s", rd_kafka_err2str(err));
        return;
    }
    strike_out(sink, list);
    count_commit(sink);
}

typedef struct answer {
    ps_kafka_sink *sink;
    rd_kafka_resp_err_t err;
    bool heard;
} answer;

/* `list` says what became of each partition: one may be refused and the others taken. */
static void hear(rd_kafka_t *consumer, rd_kafka_resp_err_t err,
                 rd_kafka_topic_partition_list_t *list, void *opaque) {
    answer *got = opaque;
    (void)consumer;
    got->err = err;
    got->heard = true;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) strike_out(got->sink, list);
}

/* rd_kafka_commit() itself waits for as long as a session lasts where no coordinator answers. */
static rd_kafka_resp_err_t commit_until(ps_kafka_sink *sink, rd_kafka_t *consumer,
                                        const rd_kafka_topic_partition_list_t *list,
                                        int64_t until_ns) {
    answer got = {sink, RD_KAFKA_RESP_ERR__TIMED_OUT, false};
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer);
    const rd_kafka_resp_err_t err = rd_kafka_commit_queue(consumer, list, queue, hear, &got);
    while (err == RD_KAFKA_RESP_ERR_NO_ERROR && !got.heard && ps_clock_ns() < until_ns)
        (void)rd_kafka_queue_poll_callback(queue, POLL_MS);
    rd_kafka_queue_destroy(queue);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? got.err : err;
}

/* Waits for the answer until then, if that is to come. */
static void commit(ps_kafka_sink *sink, int64_t until_ns) {
    rd_kafka_t *consumer = ps_kafka_link_consumer(sink->env);
    rd_kafka_topic_partition_list_t *list = consumer == NULL ? NULL : ps_kafka_positions_list(sink);
    if (list == NULL) return;
    if (!keep_dead(sink)) {
        rd_kafka_topic_partition_list_destroy(list);
        return;
    }
    sink->commit_ns = sink->offsets_ns = ps_clock_ns();
    if (sink->commit_ns >= until_ns) {
        sink->offsets_under_way =
            rd_kafka_commit(consumer, list, true) == RD_KAFKA_RESP_ERR_NO_ERROR;
    } else if (commit_until(sink, consumer, list, until_ns) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        count_commit(sink);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static bool may_produce(ps_kafka_sink *sink) {
    pthread_mutex_lock(&sink->mutex);
    const bool may = sink->phase == PS_KAFKA_READY && !sink->aborted && sink->status == PS_OK;
    pthread_mutex_unlock(&sink->mutex);
    return may && !sink->broken;
}

/* What cannot be written now must not be written later either, beside the state of who comes next:
 * the producer goes, and all is done again from what is committed. */
static void settle_state(ps_kafka_sink *sink, int64_t until_ns) {
    ps_error error;
    ps_status status = PS_OK;
    while (is_pending(sink)) {
        if (!may_produce(sink)) return;
        if (is_lost(sink) || ps_clock_ns() >= until_ns) {
            ps_log(PS_LOG_INFO, "sink kafka",
                   "the state of the last rows is not written: they are repeated");
            sink->broken = true;
            return;
        }
        if (write_state(sink, true, &error, &status)) continue;
        if (status != PS_OK && status != PS_AGAIN) {
            ps_kafka_sink_fail(sink, status, "%s", error.message);
            return;
        }
        status = PS_OK;
        sink->way->serve(sink, POLL_MS);
    }
}

/* An answer that the lane has waited for long enough is not waited for anew. */
static int64_t patience_end(const ps_kafka_sink *sink) {
    const bool is_out = sink->cursor.begun || sink->acknowledged < sink->last_ticket ||
                        sink->merging == PS_KAFKA_WAITS;
    return (is_out ? sink->answered_ns : ps_clock_ns()) + ANSWER_NS_MAX;
}

void ps_kafka_least_settle(ps_kafka_sink *sink) {
    const int64_t until_ns = patience_end(sink);
    if (sink->merge != NULL) settle_state(sink, until_ns);
    /* One that nobody waits for could land when the partition is another's. */
    if (sink->link.config != NULL && sink->moved_count > 0 && ps_clock_ns() < until_ns)
        commit(sink, until_ns);
}

bool ps_kafka_least_slept(ps_kafka_sink *sink) {
    const int64_t called_ns = ps_clock_ns();
    const bool slept = sink->called_ns > 0 && called_ns - sink->called_ns > ASLEEP_NS;
    sink->called_ns = called_ns;
    return slept && sink->dirty;
}

ps_status ps_kafka_least_flushed(ps_kafka_sink *sink, uint64_t *ticket, int64_t *ask_again_ns,
                                 ps_error *error) {
    PS_TRY(carry_all(sink, ask_again_ns, error));
    if (sink->seal != NULL) {
        const bool last = sink->flush_wanted && sink->acknowledged == sink->last_ticket;
        if (ps_kafka_seal_pending(sink) && is_lost(sink)) {
            sink->broken = true;
            return PS_OK;
        }
        PS_TRY(ps_kafka_seal_carry(sink, last, ask_again_ns, error));
    }
    /* The last batch is out with its state: whoever ends waits for that. */
    const bool held = sink->acknowledged == sink->last_ticket && sink->last_ticket > 0 &&
                      !sink->cursor.begun && is_pending(sink);
    *ticket = held ? sink->acknowledged - 1 : sink->acknowledged;
    if (sink->link.config == NULL) {
        ps_kafka_positions_clear(sink); /* the source keeps none: the state record says it all */
        return PS_OK;
    }
    if (sink->moved_count == 0) return PS_OK;
    const int64_t now_ns = ps_clock_ns();
    const int64_t due_ns = sink->offsets_ns + sink->config->commit_interval_ns;
    /* An answer that was lost with its consumer is not waited for. */
    if (sink->offsets_under_way && now_ns < due_ns + ANSWER_NS_MAX) return PS_OK;
    if (now_ns >= due_ns)
        commit(sink, now_ns);
    else if (due_ns < *ask_again_ns)
        *ask_again_ns = due_ns;
    return PS_OK;
}
