/* SPDX-License-Identifier: Apache-2.0
 * Questions whose answers take a round trip (what has the group committed, where are the ends) are
 * asked by a thread of their own, so that the lane never waits for a broker. Answers come through
 * the wake.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_native_source.h"

/* Short enough that closing does not hang behind a dead broker. */
enum { ASK_MS = 1000, RETRY_MS = 50, LOOK_MS = 200 };

/* How long after a join the group is looked at. */
#define JOINED_NS PS_NS_PER_S

static void pause_ms(ps_kafka_watch *watch, int64_t ms) {
    ps_clock_wait(&watch->changed, &watch->mutex, ps_clock_ns() + ms * PS_NS_PER_MS);
}

static void add_partition(const ps_kafka_source *source, rd_kafka_topic_partition_list_t *list,
                          uint32_t partition) {
    uint32_t within;
    const ps_partitions *all = source->env->partitions;
    const uint32_t topic = ps_partitions_topic(all, partition, &within);
    (void)rd_kafka_topic_partition_list_add(list, all->topic[topic].name, (int32_t)within);
}

/* False: no answer now. What asking again cannot mend becomes the lane's failure. */
static bool ask_committed(ps_kafka_source *source, rd_kafka_t *client,
                          rd_kafka_topic_partition_list_t *list) {
    ps_kafka_watch *watch = &source->watch;
    if (client == NULL) return false; /* it could not be replaced: the lane ends */
    const rd_kafka_resp_err_t err = rd_kafka_committed(client, list, ASK_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    if (ps_kafka_is_away(err) || err == RD_KAFKA_RESP_ERR__DESTROY ||
        err == RD_KAFKA_RESP_ERR__FATAL)
        return false;
    pthread_mutex_lock(&watch->mutex);
    watch->status =
        ps_fail(&watch->error, PS_IO, "cannot look up what group '%s' has committed: %s%s",
                source->group, rd_kafka_err2str(err), ps_kafka_advice(err));
    pthread_mutex_unlock(&watch->mutex);
    return false;
}

static int64_t offset_or_none(const rd_kafka_topic_partition_t *of) {
    return of->offset >= 0 ? of->offset : PS_OFFSET_NONE;
}

/* A lane that goes back while the brokers are away waits here, and for nothing that says so itself.
 */
static void tell_waiting(ps_kafka_source *source, bool answered) {
    ps_kafka_patience *patience = &source->watch.patience;
    if (answered)
        *patience = (ps_kafka_patience){0, 0};
    else if (ps_kafka_patience_tell(patience))
        ps_log(PS_LOG_WARNING, "source kafka",
               "for %lld s no coordinator of group '%s' has said at %s what is committed, still "
               "trying: is every broker of the cluster up?",
               ps_kafka_patience_s(patience), source->group, source->config->brokers);
}

/* Answers the lane's questions; called and left with the mutex held. */
static void answer_lane(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    const uint32_t count = source->env->partitions->count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t p = 0; p < count; p++) {
        if (watch->asked[p] == PS_KAFKA_ASKED_NOT || watch->asked[p] == PS_KAFKA_ANSWERED) continue;
        watch->asked[p] = PS_KAFKA_ASKED_NOW;
        add_partition(source, list, p);
    }
    watch->wanted = false;
    pthread_mutex_unlock(&watch->mutex);
    pthread_mutex_lock(&watch->client);
    const uint64_t membership = list->cnt == 0 ? 0 : ps_kafka_member_now(source);
    const bool answered = list->cnt == 0 || ask_committed(source, source->client, list);
    pthread_mutex_unlock(&watch->client);
    pthread_mutex_lock(&watch->mutex);
    for (int i = 0; answered && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *of = &list->elems[i];
        const uint32_t p = ps_kafka_partition(source->env->partitions, of->topic, of->partition);
        if (of->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            watch->wanted = true;
            continue;
        }
        watch->committed[p] = offset_or_none(of);
        watch->since[p] = membership;
        if (watch->asked[p] == PS_KAFKA_ASKED_NOW) watch->asked[p] = PS_KAFKA_ANSWERED;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (!answered) watch->wanted = true;
    tell_waiting(source, answered);
    if (watch->wanted && !watch->stop) pause_ms(watch, RETRY_MS);
    ps_wake_signal(source->env->wake);
}

/* False: nobody says. */
static bool ask_end(ps_kafka_source *source, uint32_t p, int64_t *end) {
    const ps_partitions *all = source->env->partitions;
    uint32_t within;
    int64_t low;
    const char *topic = all->topic[ps_partitions_topic(all, p, &within)].name;
    if (source->client == NULL) return false; /* it is being connected anew */
    return rd_kafka_query_watermark_offsets(source->client, topic, (int32_t)within, &low, end,
                                            ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The ends, once; without the mutex: only this thread writes them before `ends_known`. */
static void look_at_ends(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    const ps_partitions *all = source->env->partitions;
    for (uint32_t p = 0; p < all->count; p++) {
        int64_t end;
        if (watch->end[p] >= 0) continue;
        if (!ask_end(source, p, &end)) return;
        watch->end[p] = end;
    }
    atomic_store(&watch->ends_known, true);
}

/* A broker answers one request of a connection after the other, and one that joins a group may wait
 * for the session of a member that has just ended: this question must not wait behind it. */
static rd_kafka_t *onlooker(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_READER,
                                    .brokers = source->config->brokers,
                                    .properties = &source->config->properties,
                                    .group = source->group,
                                    .memory_bytes = 1 << 20};
    if (watch->onlooker == NULL && ps_kafka_client_open(&recipe, &watch->onlooker, NULL) != PS_OK)
        watch->onlooker = NULL;
    return watch->onlooker;
}

/* A group that stands behind the end is not at it: the partition lost its end, which whoever reads
 * there is told at once, and nothing was reached; or its new leader does not know yet what is
 * committed. Others may have committed since the ends were asked for. */
static bool is_beyond(ps_kafka_source *source, uint32_t p) {
    int64_t end;
    if (source->watch.reached[p] <= source->watch.end[p]) return false;
    return !ask_end(source, p, &end) || end < source->watch.reached[p];
}

/* The whole group's progress, other workers' partitions included. */
static void look_at_progress(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    const uint32_t count = source->env->partitions->count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t p = 0; p < count; p++)
        if (watch->reached[p] < watch->end[p]) add_partition(source, list, p);
    bool all = true;
    if (list->cnt > 0 && !ask_committed(source, onlooker(source), list)) all = false;
    for (int i = 0; all && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *of = &list->elems[i];
        const uint32_t p = ps_kafka_partition(source->env->partitions, of->topic, of->partition);
        if (of->err == RD_KAFKA_RESP_ERR_NO_ERROR) watch->reached[p] = of->offset;
    }
    for (uint32_t p = 0; p < count; p++)
        all = all && watch->reached[p] >= watch->end[p] && !is_beyond(source, p);
    rd_kafka_topic_partition_list_destroy(list);
    if (!all) return;
    atomic_store(&watch->all_reached, true);
    ps_wake_signal(source->env->wake);
}

/* Called and left with the mutex held. */
static void look_at_group(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    watch->look_ns = INT64_MAX;
    pthread_mutex_unlock(&watch->mutex);
    const int64_t next_ns = ps_kafka_orphans_look(source);
    pthread_mutex_lock(&watch->mutex);
    if (next_ns < watch->look_ns) watch->look_ns = next_ns;
}

static void *watch_main(void *argument) {
    ps_kafka_source *source = argument;
    ps_kafka_watch *watch = &source->watch;
    const bool until_end = source->env->until_end;
    int64_t looked_ns = 0;
    (void)pthread_setname_np(pthread_self(), "kafka-watch");
    pthread_mutex_lock(&watch->mutex);
    while (!watch->stop) {
        if (watch->wanted) {
            answer_lane(source);
            continue;
        }
        if (ps_clock_ns() >= watch->look_ns) {
            look_at_group(source);
            continue;
        }
        if (!until_end || atomic_load(&watch->all_reached)) {
            ps_clock_wait(&watch->changed, &watch->mutex, watch->look_ns);
            continue;
        }
        const int64_t left_ms = LOOK_MS - (ps_clock_ns() - looked_ns) / PS_NS_PER_MS;
        if (looked_ns > 0 && left_ms > 0) {
            pause_ms(watch, left_ms);
            continue;
        }
        pthread_mutex_unlock(&watch->mutex);
        pthread_mutex_lock(&watch->client);
        if (!atomic_load(&watch->ends_known)) look_at_ends(source);
        if (atomic_load(&watch->ends_known)) look_at_progress(source);
        pthread_mutex_unlock(&watch->client);
        looked_ns = ps_clock_ns();
        pthread_mutex_lock(&watch->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

/* Where the broker shares out (KIP-848) no partition is forgotten. */
static int64_t look_after_join(const ps_kafka_source *source) {
    const char *protocol = ps_kafka_property(&source->config->properties, "group.protocol");
    const bool modern = protocol != NULL && strcmp(protocol, "consumer") == 0;
    return modern ? INT64_MAX : ps_clock_ns() + JOINED_NS;
}

ps_status ps_kafka_watch_open(ps_kafka_source *source, ps_error *error) {
    ps_kafka_watch *watch = &source->watch;
    const size_t count = source->env->partitions->count + 1;
    watch->asked = calloc(count, sizeof *watch->asked);
    watch->committed = calloc(count, sizeof *watch->committed);
    watch->since = calloc(count, sizeof *watch->since);
    watch->end = calloc(count, sizeof *watch->end);
    watch->reached = calloc(count, sizeof *watch->reached);
    watch->high = calloc(count, sizeof *watch->high);
    (void)pthread_mutex_init(&watch->mutex, NULL);
    (void)pthread_cond_init(&watch->changed, NULL);
    (void)pthread_mutex_init(&watch->client, NULL);
    watch->opened = true;
    if (watch->asked == NULL || watch->committed == NULL || watch->since == NULL ||
        watch->end == NULL || watch->reached == NULL || watch->high == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka source");
    for (size_t i = 0; i < count; i++) watch->end[i] = watch->reached[i] = watch->high[i] = -1;
    /* One lane of a worker is enough. */
    watch->look_ns = source->env->lane == 0 ? look_after_join(source) : INT64_MAX;
    watch->started = pthread_create(&watch->thread, NULL, watch_main, source) == 0;
    if (watch->started) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
}

void ps_kafka_watch_joined(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    pthread_mutex_lock(&watch->mutex);
    watch->look_ns = look_after_join(source);
    (void)pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

void ps_kafka_watch_close(ps_kafka_source *source) {
    ps_kafka_watch *watch = &source->watch;
    if (!watch->opened) return;
    if (watch->started) {
        pthread_mutex_lock(&watch->mutex);
        watch->stop = true;
        (void)pthread_cond_signal(&watch->changed);
        pthread_mutex_unlock(&watch->mutex);
        (void)pthread_join(watch->thread, NULL);
    }
    (void)pthread_mutex_destroy(&watch->mutex);
    (void)pthread_cond_destroy(&watch->changed);
    ps_kafka_client_close(watch->onlooker);
    (void)pthread_mutex_destroy(&watch->client);
    free(watch->asked);
    free(watch->committed);
    free(watch->since);
    free(watch->end);
    free(watch->reached);
    free(watch->high);
}

ps_status ps_kafka_watch_committed(void *self, uint32_t partition, int64_t *next, ps_error *error) {
    ps_kafka_source *source = self;
    ps_kafka_watch *watch = &source->watch;
    ps_status status = PS_AGAIN;
    pthread_mutex_lock(&watch->mutex);
    if (watch->status != PS_OK) {
        status = watch->status;
        if (error != NULL) *error = watch->error;
    } else if (watch->asked[partition] == PS_KAFKA_ANSWERED) {
        *next = watch->committed[partition];
        watch->asked[partition] = PS_KAFKA_ASKED_NOT;
        status = PS_OK;
    } else if (watch->asked[partition] == PS_KAFKA_ASKED_NOT) {
        watch->asked[partition] = PS_KAFKA_ASKED;
        watch->wanted = true;
        (void)pthread_cond_signal(&watch->changed);
    }
    pthread_mutex_unlock(&watch->mutex);
    return status;
}

void ps_kafka_watch_forget(ps_kafka_source *source, uint32_t partition) {
    ps_kafka_watch *watch = &source->watch;
    pthread_mutex_lock(&watch->mutex);
    watch->asked[partition] = PS_KAFKA_ASKED_NOT;
    pthread_mutex_unlock(&watch->mutex);
}

int64_t ps_kafka_watch_remaining(void *self) {
    ps_kafka_source *source = self;
    ps_kafka_watch *watch = &source->watch;
    if (!atomic_load(&watch->ends_known)) return -1;
    int64_t left = 0;
    for (uint32_t p = 0; p < source->env->partitions->count; p++) {
        const ps_kafka_place *place = &source->place[p];
        if (place->holding != PS_KAFKA_READING || place->next == PS_OFFSET_NONE) continue;
        if (watch->end[p] > place->next) left += watch->end[p] - place->next;
    }
    return left;
}

/* A question to the library takes its locks: not at every call. */
static void hear_ends(ps_kafka_source *source) {
    const ps_partitions *all = source->env->partitions;
    for (uint32_t p = 0; p < all->count; p++) {
        uint32_t within;
        int64_t low, high;
        if (source->place[p].holding != PS_KAFKA_READING) continue;
        if (source->native != NULL) {
            source->watch.high[p] = ps_kafka_native_end(source, p);
            continue;
        }
        const uint32_t topic = ps_partitions_topic(all, p, &within);
        if (rd_kafka_get_watermark_offsets(source->client, all->topic[topic].name, (int32_t)within,
                                           &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR)
            source->watch.high[p] = high;
    }
}

void ps_kafka_watch_lag(ps_kafka_source *source, int64_t now_ns) {
    enum { HEAR_MS = 200 };
    if (now_ns - source->lag_ns >= HEAR_MS * PS_NS_PER_MS) {
        source->lag_ns = now_ns;
        hear_ends(source);
    }
    /* What was read since counts at once: a lane that sleeps now is not asked again. */
    int64_t lag = 0;
    for (uint32_t p = 0; p < source->env->partitions->count; p++) {
        const ps_kafka_place *place = &source->place[p];
        if (place->holding != PS_KAFKA_READING || place->next == PS_OFFSET_NONE) continue;
        if (source->watch.high[p] > place->next) lag += source->watch.high[p] - place->next;
    }
    atomic_store_explicit(&source->env->metrics->lag, lag, memory_order_relaxed);
}

/* Reading must begin at `next`, which is not there; `first` is the first that is, PS_OFFSET_NONE
 * where that is not known, or where the end is what went. */
const char *ps_kafka_range_advice(const ps_kafka_source *source, int64_t next, int64_t first) {
    const bool seals = source->env->plan->seal.sealer != NULL;
    if (seals && next < first)
        return "they went before they were sealed, which is no tampering, but a log leaves no "
               "record out: seal into a new one, and let the topic keep records for longer than a "
               "worker may be away";
    if (seals)
        return "ALARM: it was sealed up to there, and a log neither goes back nor leaves records "
               "out: `penstock seal verify topic` says what is gone";
    return source->env->plan->replays
               ? "state of policy replay is rebuilt from the records before the committed offset: "
                 "`penstock reset FILE --state` forgets it (with --to earliest|latest where that "
                 "offset is gone too)"
               : "decide with `penstock reset FILE --to earliest|latest`";
}
