/* SPDX-License-Identifier: Apache-2.0
 * Partitions that nobody owns. Cooperative rebalancing moves a partition in two steps: one round
 * takes it from its owner, who then joins again for the round that gives it to another (KIP-429).
 * A static member that died between the two and comes back is given what the first round left it,
 * and no second one ever comes (KIP-345: a member that returns in time starts no rebalance). What
 * was to move then has no owner for as long as the group stays as it is, and nobody is told.
 *
 * So whoever has just joined looks at the group. Where partitions lack an owner though the group is
 * at rest, a passing member without a name joins: for that everybody is asked anew. It leaves as
 * soon as they are.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_source_parts.h"

enum {
    ASK_MS = 1000,
    POLL_MS = 50,
    PASS_S = 10,
    LEAVE_S = 3,
    TWICE = 2,
    CALLS_UNHEARD = 2,
    DOUBLINGS_MAX = 6
};

#define LOOK_NS PS_NS_PER_S

static bool is_stopping(ps_kafka_watch *watch) {
    pthread_mutex_lock(&watch->mutex);
    const bool stop = watch->stop;
    pthread_mutex_unlock(&watch->mutex);
    return stop;
}

/* What a look at the group found. */
typedef struct view {
    bool at_rest;
    uint32_t orphans; /* partitions without an owner */
} view;

/* AGAIN: no answer now. */
static ps_status look(const ps_kafka_source *source, rd_kafka_t *client, view *out) {
    const ps_partitions *all = source->env->partitions;
    uint8_t *owned = client == NULL ? NULL : calloc(all->count + 1, 1);
    if (owned == NULL) return PS_AGAIN;
    *out = (view){.at_rest = false};
    const ps_status status =
        ps_kafka_group_owned(client, source->group, all, owned, &out->at_rest, ASK_MS);
    for (uint32_t p = 0; p < all->count; p++) out->orphans += owned[p] == 0;
    free(owned);
    return status;
}

/* The passing member wants none of what it may be given. */
typedef struct passing {
    rd_kafka_t *client;
    bool closing, eager;
} passing;

static void ask_protocol(passing *self) {
    self->eager = ps_kafka_client_eager(self->client, self->closing, self->eager);
}

static void decline(rd_kafka_t *client, rd_kafka_resp_err_t err,
                    rd_kafka_topic_partition_list_t *list, void *opaque) {
    passing *self = opaque;
    (void)list;
    ask_protocol(self);
    if (self->eager) {
        (void)rd_kafka_assign(client, NULL);
        return;
    }
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *failure = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
                                    ? rd_kafka_incremental_assign(client, none)
                                    : rd_kafka_incremental_unassign(client, none);
    if (failure != NULL) rd_kafka_error_destroy(failure);
    rd_kafka_topic_partition_list_destroy(none);
}

static void serve(rd_kafka_t *client) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(client, POLL_MS);
    if (message != NULL) rd_kafka_message_destroy(message);
}

static void *destroy_main(void *argument) {
    passing *self = argument;
    ps_kafka_client_close(self->client);
    free(self);
    return NULL;
}

/* librdkafka 2.15.1 now and then never finishes a close in the midst of a rebalance, nor what waits
 * for it: then somebody waits whom nobody waits for. */
static void leave(passing *self) {
    rd_kafka_t *client = self->client;
    ask_protocol(self);
    self->closing = true;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
    rd_kafka_error_t *failure = rd_kafka_consumer_close_queue(client, queue);
    const int64_t until_ns = ps_clock_ns() + LEAVE_S * PS_NS_PER_S;
    while (failure == NULL && !rd_kafka_consumer_closed(client) && ps_clock_ns() < until_ns)
        serve(client);
    if (failure != NULL) rd_kafka_error_destroy(failure);
    rd_kafka_queue_destroy(queue);
    pthread_t thread;
    if (rd_kafka_consumer_closed(client))
        (void)destroy_main(self);
    else if (pthread_create(&thread, NULL, destroy_main, self) == 0)
        (void)pthread_detach(thread);
}

/* Joins, waits until the group has begun to share out anew, and leaves. */
static void pass_by(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    passing *self = calloc(1, sizeof *self);
    if (self == NULL) return;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = source->config->brokers,
                                    .properties = &source->config->properties,
                                    .group = source->group,
                                    .memory_bytes = 1 << 20,
                                    .opaque = self,
                                    .rebalanced = decline};
    if (ps_kafka_client_open(&recipe, &self->client, NULL) != PS_OK) {
        free(self);
        return;
    }
    rd_kafka_t *client = self->client;
    (void)rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t *topics = ps_kafka_source_topics(source);
    const rd_kafka_resp_err_t err = rd_kafka_subscribe(client, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    const int64_t until_ns = ps_clock_ns() + PASS_S * PS_NS_PER_S;
    view seen = {.at_rest = true, .orphans = 1};
    while (err == RD_KAFKA_RESP_ERR_NO_ERROR && ps_clock_ns() < until_ns && seen.at_rest &&
           seen.orphans > 0 && !is_stopping(watch)) {
        serve(client);
        if (look(source, client, &seen) != PS_OK) seen = (view){.at_rest = true, .orphans = 1};
    }
    leave(self);
}

static int64_t later(int64_t ns) {
    return ps_clock_ns() + ns;
}

int64_t ps_kafka_orphans_look(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    view seen;
    pthread_mutex_lock(&watch->client);
    const ps_status status = look(source, source->client, &seen);
    pthread_mutex_unlock(&watch->client);
    if (status == PS_AGAIN || (status == PS_OK && !seen.at_rest)) {
        watch->lacking = 0;
        return later(LOOK_NS);
    }
    if (status != PS_OK || seen.orphans == 0) {
        watch->lacking = watch->calls = 0;
        return INT64_MAX;
    }
    /* A member may be on its way. */
    if (++watch->lacking < TWICE) return later(LOOK_NS);
    ps_log(watch->calls < CALLS_UNHEARD ? PS_LOG_INFO : PS_LOG_WARNING, "source kafka",
           "%" PRIu32 " of %" PRIu32 " partitions have no owner in group %s: asking it to share "
           "them out",
           seen.orphans, source->env->partitions->count, source->group);
    pass_by(source);
    const uint32_t doublings = watch->calls < DOUBLINGS_MAX ? watch->calls : DOUBLINGS_MAX;
    watch->calls++;
    return later(LOOK_NS << doublings);
}
