/* SPDX-License-Identifier: Apache-2.0
 * At least once, which exists for latency: no transaction, no committer on the way. A batch is out
 * when every record of it is acknowledged; then its state records go out, and when those are
 * acknowledged its slot is free. Offsets follow, every commit_interval: a crash repeats what came
 * after the last of them, and loses nothing.
 */
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_sink_calls.h"

#define ANSWER_NS_MAX (10 * PS_NS_PER_S)

/* What is written next passes dead letters in a file: they must be on disk before. */
static bool keep_dead(ps_kafka_sink *sink) {
    ps_error error;
    if (sink->dead_file == NULL || ps_dead_file_sync(sink->dead_file, &error) == PS_OK) return true;
    ps_log(PS_LOG_WARNING, "sink kafka", "%s; offsets are not committed past them", error.message);
    ps_kafka_sink_fail(sink, PS_IO, "%s", error.message);
    return false;
}

/* Carries the oldest batch on; false: it waits for something. */
static bool carry(ps_kafka_sink *sink, ps_error *error, ps_status *status) {
    const uint64_t ticket = sink->acknowledged + 1;
    ps_kafka_slot *slot = ps_kafka_slot_of(sink, ticket);
    if (slot->batch == NULL || slot->ticket != ticket || !slot->emitted) return false;
    if (slot->unacknowledged > 0) return false;
    if (sink->keeps_state && !slot->stated) {
        if (!keep_dead(sink)) return false;
        *status = ps_kafka_state_emit(sink, slot->batch, ticket, error);
        slot->stated = *status == PS_OK;
        return slot->stated && slot->unacknowledged == 0;
    }
    ps_kafka_state_committed(sink); /* younger batches have not written theirs */
    ps_kafka_positions_add(sink, slot->batch);
    slot->batch = NULL;
    sink->acknowledged = ticket;
    return true;
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

static void commit(ps_kafka_sink *sink, bool wait) {
    rd_kafka_t *consumer = ps_kafka_link_consumer(sink->env);
    rd_kafka_topic_partition_list_t *list = consumer == NULL ? NULL : ps_kafka_positions_list(sink);
    if (list == NULL) return;
    if (!keep_dead(sink)) {
        rd_kafka_topic_partition_list_destroy(list);
        return;
    }
    sink->commit_ns = sink->offsets_ns = ps_clock_ns();
    const rd_kafka_resp_err_t err = rd_kafka_commit(consumer, list, !wait);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && wait) {
        strike_out(sink, list);
        count_commit(sink);
    }
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && !wait) sink->offsets_under_way = true;
    rd_kafka_topic_partition_list_destroy(list);
}

void ps_kafka_least_settle(ps_kafka_sink *sink) {
    if (sink->link.config != NULL && sink->moved_count > 0) commit(sink, true);
}

ps_status ps_kafka_least_flushed(ps_kafka_sink *sink, uint64_t *ticket, int64_t *ask_again_ns,
                                 ps_error *error) {
    ps_status status = PS_OK;
    while (carry(sink, error, &status)) {}
    if (status != PS_OK && status != PS_AGAIN) return status;
    *ticket = sink->acknowledged;
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
        commit(sink, false);
    else if (due_ns < *ask_again_ns)
        *ask_again_ns = due_ns;
    return PS_OK;
}
