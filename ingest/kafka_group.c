/* SPDX-License-Identifier: Apache-2.0
 * Membership. librdkafka's rebalance callback only notes what happened; the lane finishes what is
 * in flight over its next steps and answers, and only then is librdkafka told. That is what its
 * event interface does too: the group waits in WAIT_ASSIGN_CALL or WAIT_UNASSIGN_CALL (its
 * rdkafka_cgrp.c) until assign or unassign comes from whichever call, and fetching is paused
 * meanwhile.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_native_source.h"

/* A seek is answered by librdkafka's own thread in microseconds; longer than this is a bug there.
 */
enum { SEEK_MS = 2000 };

enum { LEAVE_S = 3 };

/* What is fetched while all goes back is thrown away: not more often than this. */
#define STOPPED_POLL_NS (50 * PS_NS_PER_MS)

static bool is_eager(ps_kafka_source *source) {
    source->eager = ps_kafka_client_eager(source->client, source->closing, source->eager);
    return source->eager;
}

static void note_error(ps_kafka_source *source, const char *what, rd_kafka_error_t *failure) {
    if (failure == NULL) return;
    /* When another change is waiting, or we are closing, this one was overtaken. */
    if (source->event_count > 1 || source->closing ||
        rd_kafka_error_code(failure) == RD_KAFKA_RESP_ERR__FATAL)
        ps_log(PS_LOG_DEBUG, "source kafka", "%s: %s", what, rd_kafka_error_string(failure));
    else
        ps_kafka_source_fail(source, PS_IO, "%s: %s", what, rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
}

rd_kafka_topic_partition_list_t *ps_kafka_source_topics(const ps_kafka_source *source) {
    const ps_partitions *all = source->env->partitions;
    rd_kafka_topic_partition_list_t *topics =
        rd_kafka_topic_partition_list_new((int)all->topic_count);
    for (uint32_t t = 0; t < all->topic_count; t++)
        (void)rd_kafka_topic_partition_list_add(topics, all->topic[t].name, RD_KAFKA_PARTITION_UA);
    return topics;
}

static rd_kafka_error_t *failure_of(rd_kafka_resp_err_t err) {
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return NULL;
    return rd_kafka_error_new(err, "%s", rd_kafka_err2str(err));
}

/* Where somebody else fetches, librdkafka is told not to, which takes effect a moment later than
 * the assignment: so it is sent to the end, which it has to ask for, and where nothing is to be
 * had. It would unpack a whole answer, which no ceiling counts. */
static void tell_assign(ps_kafka_source *source, const rd_kafka_topic_partition_list_t *from) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(from);
    for (int i = 0; source->native != NULL && i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    note_error(source, "cannot take partitions",
               is_eager(source) ? failure_of(rd_kafka_assign(source->client, list))
                                : rd_kafka_incremental_assign(source->client, list));
    if (source->native != NULL) (void)rd_kafka_pause_partitions(source->client, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void tell_unassign(ps_kafka_source *source, const rd_kafka_topic_partition_list_t *list) {
    note_error(source, "cannot give partitions back",
               is_eager(source) ? failure_of(rd_kafka_assign(source->client, NULL))
                                : rd_kafka_incremental_unassign(source->client, list));
}

static bool number_all(ps_kafka_source *source, ps_kafka_event *event) {
    event->partitions = calloc((size_t)event->list->cnt + 1, sizeof *event->partitions);
    if (event->partitions == NULL) {
        ps_kafka_source_fail(source, PS_NO_MEMORY, "no memory for a rebalance");
        return false;
    }
    for (int i = 0; i < event->list->cnt; i++) {
        const rd_kafka_topic_partition_t *of = &event->list->elems[i];
        const uint32_t partition =
            ps_kafka_partition(source->env->partitions, of->topic, of->partition);
        if (partition == PS_NOWHERE) {
            ps_kafka_source_fail(source, PS_IO,
                                 "%s/%" PRId32 ": the topic has more partitions than when this "
                                 "worker started: start all workers of the pipeline again; with "
                                 "state, `penstock reset FILE --state` comes first",
                                 of->topic, of->partition);
            return false;
        }
        event->partitions[event->count++] = partition;
    }
    return true;
}

static void push(ps_kafka_source *source, ps_event_kind kind,
                 const rd_kafka_topic_partition_list_t *list) {
    PS_CHECK_OP(source->event_count, <, (uint32_t)PS_KAFKA_EVENTS_MAX);
    const uint32_t at = (source->event_first + source->event_count) % PS_KAFKA_EVENTS_MAX;
    ps_kafka_event *event = &source->event[at];
    *event = (ps_kafka_event){.kind = kind, .list = rd_kafka_topic_partition_list_copy(list)};
    source->event_count++;
    if (!number_all(source, event)) return;
    for (uint32_t i = 0; kind == PS_EVENT_ASSIGNED && i < event->count; i++)
        source->place[event->partitions[i]] = (ps_kafka_place){
            .holding = PS_KAFKA_PROMISED, .next = PS_OFFSET_NONE, .first = PS_OFFSET_NONE};
    ps_log(PS_LOG_INFO, "source kafka", "%s: %d partition%s %s", rd_kafka_name(source->client),
           list->cnt, list->cnt == 1 ? "" : "s",
           kind == PS_EVENT_ASSIGNED  ? "assigned"
           : kind == PS_EVENT_REVOKED ? "to give back"
                                      : "lost");
}

static void pop(ps_kafka_source *source) {
    ps_kafka_event *event = &source->event[source->event_first];
    rd_kafka_topic_partition_list_destroy(event->list);
    free(event->partitions);
    *event = (ps_kafka_event){.kind = PS_EVENT_NONE};
    source->event_first = (source->event_first + 1) % PS_KAFKA_EVENTS_MAX;
    source->event_count--;
}

void ps_kafka_rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque) {
    ps_kafka_source *source = opaque;
    const bool assigned = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (!assigned && err != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        ps_log(PS_LOG_WARNING, "source kafka", "rebalance: %s", rd_kafka_err2str(err));
        (void)rd_kafka_assign(client, NULL);
        return;
    }
    /* When closing, all that could be committed is; and for nobody there is nothing to finish. */
    if (source->closing) {
        /* An event from before the close may come after the group has ended: nobody answers then.
         */
        if (rd_kafka_consumer_closed(client)) return;
        if (assigned)
            tell_assign(source, list);
        else
            tell_unassign(source, list);
        return;
    }
    if (list->cnt == 0 && source->event_count == 0) {
        if (assigned)
            tell_assign(source, list);
        else
            (void)rd_kafka_assign(client, NULL);
        return;
    }
    push(source,
         assigned                           ? PS_EVENT_ASSIGNED
         : rd_kafka_assignment_lost(client) ? PS_EVENT_LOST
                                            : PS_EVENT_REVOKED,
         list);
}

ps_status ps_kafka_group_event(void *self, ps_event *out, ps_error *error) {
    ps_kafka_source *source = self;
    if (source->native != NULL) ps_kafka_native_step(source);
    /* A lane that does not fill must be seen to be alive (max.poll.interval.ms): asking for no
     * record at all does that. It hears of changes only by taking what librdkafka queued before
     * them: while all goes back, and only then, that may take long and may be thrown away. */
    if (source->stopped && ps_clock_ns() - source->polled_ns > STOPPED_POLL_NS)
        ps_kafka_source_discard(source);
    if (source->taken_at == source->taken_count)
        ps_kafka_source_take(source);
    else if (ps_clock_ns() - source->polled_ns > PS_NS_PER_S && source->queue != NULL) {
        source->polled_ns = ps_clock_ns();
        (void)rd_kafka_consume_batch_queue(source->queue, 0, source->taken, 0);
    }
    if (source->status != PS_OK) {
        if (error != NULL) *error = source->error;
        return source->status;
    }
    *out = (ps_event){PS_EVENT_NONE, 0, NULL};
    if (source->event_count == 0) return PS_OK;
    const ps_kafka_event *event = &source->event[source->event_first];
    /* No new partitions once the lane stops: the group hears nothing and gives them to others. */
    if (source->draining && event->kind == PS_EVENT_ASSIGNED) return PS_OK;
    *out = (ps_event){event->kind, event->count, event->partitions};
    return PS_OK;
}

static int64_t offset_of(const ps_kafka_source *source, const ps_kafka_place *place) {
    if (place->next != PS_OFFSET_NONE) return place->next;
    return source->config->start == PS_KAFKA_LATEST ? RD_KAFKA_OFFSET_END
                                                    : RD_KAFKA_OFFSET_BEGINNING;
}

void ps_kafka_group_lose_all(ps_kafka_source *source) {
    const ps_partitions *all = source->env->partitions;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)all->count);
    while (source->event_count > 0) pop(source);
    for (uint32_t p = 0; p < all->count; p++) {
        uint32_t within;
        if (source->place[p].holding == PS_KAFKA_NOT_OURS) continue;
        const uint32_t topic = ps_partitions_topic(all, p, &within);
        (void)rd_kafka_topic_partition_list_add(list, all->topic[topic].name, (int32_t)within);
    }
    push(source, PS_EVENT_LOST, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void disconnect(ps_kafka_source *source) {
    if (source->client == NULL) return;
    ps_kafka_source_forget_taken(source);
    /* A failed client that still waits to hear what becomes of new partitions never ends
     * (librdkafka 2.15.1, rd_kafka_cgrp_try_terminate); it takes any answer for "none of them". */
    if (source->fatal) (void)rd_kafka_assign(source->client, NULL);
    if (source->queue != NULL) {
        rd_kafka_queue_io_event_enable(source->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(source->queue);
    }
    ps_kafka_client_close(source->client);
    source->queue = NULL;
    source->client = NULL;
}

/* Nothing is in flight, so nobody but the watch uses the client, and that waits. */
static ps_status reconnect(ps_kafka_source *source, ps_error *error) {
    pthread_mutex_lock(&source->watch.client);
    disconnect(source);
    const ps_status status = ps_kafka_source_connect(source, error);
    pthread_mutex_unlock(&source->watch.client);
    ps_kafka_watch_joined(source);
    return status;
}

ps_status ps_kafka_group_answer(void *self, ps_error *error) {
    ps_kafka_source *source = self;
    PS_CHECK_OP(source->event_count, >, 0u);
    ps_kafka_event *event = &source->event[source->event_first];
    if (event->kind != PS_EVENT_ASSIGNED)
        ps_kafka_source_commit_due(source, PS_KAFKA_COMMIT_ANSWERED);
    for (uint32_t i = 0; i < event->count; i++) {
        ps_kafka_place *place = &source->place[event->partitions[i]];
        if (event->kind == PS_EVENT_ASSIGNED) {
            place->holding = PS_KAFKA_READING;
            event->list->elems[i].offset = offset_of(source, place);
            if (source->native != NULL) ps_kafka_native_read(source, event->partitions[i]);
            continue;
        }
        *place = (ps_kafka_place){
            .holding = PS_KAFKA_NOT_OURS, .next = PS_OFFSET_NONE, .first = PS_OFFSET_NONE};
        if (source->native != NULL) ps_kafka_native_stop(source, event->partitions[i]);
        ps_kafka_watch_forget(source, event->partitions[i]);
        ps_kafka_source_commit_forget(source, event->partitions[i]);
        ps_kafka_source_drop(source, event->partitions[i]);
    }
    const bool anew = source->fatal && event->kind == PS_EVENT_LOST;
    if (event->kind == PS_EVENT_ASSIGNED)
        tell_assign(source, event->list);
    else if (!anew)
        tell_unassign(source, event->list);
    pop(source);
    if (anew) PS_TRY(reconnect(source, error));
    if (source->status != PS_OK && error != NULL) *error = source->error;
    return source->status;
}

static rd_kafka_error_t *seek(ps_kafka_source *source, rd_kafka_topic_partition_list_t *list) {
    rd_kafka_error_t *failure = rd_kafka_seek_partitions(source->client, list, SEEK_MS);
    if (failure != NULL) return failure;
    const rd_kafka_resp_err_t err = list->elems[0].err;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return NULL;
    /* Not being fetched yet: the assignment itself carries the offset. */
    if (is_eager(source)) return failure_of(err);
    failure = rd_kafka_incremental_unassign(source->client, list);
    if (failure != NULL) return failure;
    return rd_kafka_incremental_assign(source->client, list);
}

void ps_kafka_group_stop(void *self, uint32_t partition) {
    ps_kafka_source *source = self;
    ps_kafka_place *place = &source->place[partition];
    if (place->holding != PS_KAFKA_READING) return;
    place->holding = PS_KAFKA_STOPPED;
    if (source->native != NULL)
        ps_kafka_native_stop(source, partition);
    else
        source->stopped = true;
}

ps_status ps_kafka_group_start(void *self, uint32_t partition, int64_t next, ps_error *error) {
    ps_kafka_source *source = self;
    ps_kafka_place *place = &source->place[partition];
    PS_CHECK(place->holding != PS_KAFKA_NOT_OURS);
    place->untold = next == PS_OFFSET_NONE;
    if (place->untold) next = place->first;
    place->next = next;
    if (place->holding == PS_KAFKA_PROMISED) return PS_OK; /* `answer` says where */
    ps_kafka_source_drop(source, partition);
    place->holding = PS_KAFKA_READING;
    if (source->native != NULL) {
        ps_kafka_native_read(source, partition);
        return PS_OK;
    }
    source->stopped = false;
    uint32_t within;
    const ps_partitions *all = source->env->partitions;
    const char *topic = all->topic[ps_partitions_topic(all, partition, &within)].name;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, (int32_t)within)->offset =
        offset_of(source, place);
    rd_kafka_error_t *failure = seek(source, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (failure == NULL) return PS_OK;
    ps_status status = PS_OK;
    if (source->event_count > 0)
        ps_log(PS_LOG_DEBUG, "source kafka", "%s/%" PRIu32 ": %s", topic, within,
               rd_kafka_error_string(failure)); /* it is about to be taken away anyhow */
    else
        status = ps_fail(error, PS_IO, "%s/%" PRIu32 ": cannot go back to offset %" PRId64 ": %s",
                         topic, within, next, rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return status;
}

static void close_group(ps_kafka_source *source) {
    (void)is_eager(source); /* the last chance to ask */
    source->closing = true;
    /* The group waits for an answer to each: what is taken now is revoked again by the close. */
    for (; source->event_count > 0; pop(source)) {
        const ps_kafka_event *event = &source->event[source->event_first];
        if (event->kind == PS_EVENT_ASSIGNED)
            tell_assign(source, event->list);
        else
            tell_unassign(source, event->list);
    }
    /* A static member says no goodbye: when it comes back in time, it gets the same partitions. */
    const rd_kafka_resp_err_t err = rd_kafka_consumer_close(source->client);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_log(PS_LOG_DEBUG, "source kafka", "closing: %s", rd_kafka_err2str(err));
}

/* May outlive the lane, so it uses nothing but the source itself and its client. */
static void *leave_main(void *self) {
    ps_kafka_source *source = self;
    if (!source->fatal) close_group(source);
    disconnect(source);
    return NULL;
}

/* Leaving a group asks questions that librdkafka 2.15.1 now and then leaves unanswered for ever (a
 * rebalance that ends just then), and a coordinator may be away: whoever stops does not wait for
 * that. */
bool ps_kafka_group_leave(ps_kafka_source *source) {
    pthread_t thread;
    ps_kafka_source_forget_taken(source);
    /* The close waits for what is under way. */
    if (source->safe != NULL) ps_kafka_source_commit_due(source, PS_KAFKA_COMMIT_SENT);
    /* The wake is about to be closed, and its number may soon be another file's. */
    if (source->queue != NULL) rd_kafka_queue_io_event_enable(source->queue, -1, NULL, 0);
    if (pthread_create(&thread, NULL, leave_main, source) != 0) return false;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LEAVE_S;
    if (pthread_timedjoin_np(thread, NULL, &until) == 0) return true;
    (void)pthread_detach(thread);
    ps_log(PS_LOG_DEBUG, "source kafka", "the group did not let go in %d s", LEAVE_S);
    return false;
}
