/* SPDX-License-Identifier: Apache-2.0
 * Records through penstock's own client (ingest/wire): rows are encoded straight into the batches
 * that are sent, so no slot has to wait for a delivery, and a commit is three questions. What went
 * wrong needs no new process-wide client: a new epoch fences whatever is still under way.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_native.h"
#include "ingest/kafka_native_room.h"
#include "ingest/kafka_sink_calls.h"
#include "ingest/wire/error.h"
#include "ingest/wire/producer.h"
#include "kernels/murmur2.h"

enum {
    TOPICS_MAX = PS_KAFKA_SINK_TOPICS_MAX,
    ASK_MS = 3000, /* of each try to get a producer */
    COMMIT_MS = 5000,
    TIMEOUT_MS = 4000, /* for an answer: two in a row must not look like a hang */
    LINGER_MS = 20,    /* at least once: requests of 5 ms are four times as many */
    RECORD_BYTES_MAX = 256 << 20,
    BESIDE_BYTES = 64 << 10 /* what is added to a row at most, and a batch's header */
};

#define LOOK_NS PS_NS_PER_S

struct ps_kafka_native_sink {
    ps_wire_security security;
    ps_wire_client *client;
    ps_wire_producer *producer;
    const char *names[TOPICS_MAX];
    const ps_kafka_topic *topics[TOPICS_MAX];
    uint32_t topic_count, partitions_max;
    size_t record_bytes;
    ps_kafka_membership us;
    ps_wire_offset *moved; /* by topic */
    ps_wire_offsets offsets[PS_TOPICS_MAX];
    uint32_t offset_topics;
    int64_t looked_ns; /* for partitions that stall, */
    bool saw;          /* and there was one */
    ps_kafka_patience committing;
};

/* Whatever a lane's arena holds goes out. What does not fit there is a dead letter, as large as the
 * source's batch_max and its warning allow: buffers are as large as the topics take, and memory
 * that nothing was written to is not there. */
static size_t record_bytes_of(const ps_lane_env *env) {
    return (size_t)env->plan->schema.arena_bytes + BESIDE_BYTES;
}

size_t ps_kafka_native_sink_bytes(const ps_lane_env *env) {
    return (size_t)env->memory_bytes + 2 * record_bytes_of(env);
}

/* Of one record's batch: 0: only the broker knows. */
static size_t limit_of(const ps_kafka_sink *sink, const ps_kafka_topic *topic) {
    const int64_t own =
        ps_kafka_native_number(&sink->config->properties, "message.max.bytes", INT32_MAX);
    /* A topic's limit is on what was packed. */
    const bool packs = ps_kafka_native_codec(&sink->config->properties) != PS_WIRE_NONE;
    const int64_t theirs = packs || topic->bytes_max == 0 ? INT32_MAX : topic->bytes_max;
    const int64_t least = own < theirs ? own : theirs;
    return least == INT32_MAX ? 0 : (size_t)least;
}

/* ---- what becomes of batches ---- */

static void sent(void *opaque, const ps_wire_sent *batch) {
    ps_kafka_sink *sink = opaque;
    if (batch->code == 0) {
        if (sink->stall.told_ns > 0 && sink->stall.topic == batch->topic &&
            sink->stall.within == batch->partition)
            ps_kafka_stall_over(&sink->stall, "sink kafka", "taken",
                                sink->native->names[batch->topic]);
        /* A commit says that everything arrived. */
        for (uint32_t i = 0; !sink->exactly_once && i < batch->count; i++)
            ps_kafka_acknowledged(sink, batch->tags[i]);
        return;
    }
    ps_kafka_undelivered record = {.topic = sink->native->names[batch->topic],
                                   .err = (rd_kafka_resp_err_t)batch->code,
                                   .bytes = batch->bytes,
                                   .alone = batch->count == 1,
                                   .reason = batch->reason};
    const uint32_t count = batch->refused_count > 0 ? batch->refused_count : batch->count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t row = batch->refused_count > 0 ? (uint32_t)batch->refused[i] : i;
        record.tag = batch->tags[row];
        ps_kafka_not_delivered(sink, &record);
    }
}

/* Whether a partition is tried in vain. Who was stopped for a while sees it once. */
static bool tell_stalled(ps_kafka_sink *sink) {
    struct ps_kafka_native_sink *native = sink->native;
    const int64_t now_ns = ps_clock_ns();
    if (now_ns - native->looked_ns < LOOK_NS) return native->saw;
    native->looked_ns = now_ns;
    ps_wire_stalled stalled;
    const bool again = native->saw;
    native->saw =
        ps_wire_producer_stalled(native->producer, now_ns - PS_KAFKA_STALLED_NS, &stalled);
    if (native->saw && again)
        ps_kafka_stall_tell(&sink->stall, "sink kafka", "taken", native->names[stalled.topic],
                            &stalled, native->client);
    return native->saw;
}

/* Somebody took our transactional id, unless a coordinator gave our transaction up. */
static bool is_fence(int16_t code) {
    return code == PS_WIRE_ERROR_INVALID_PRODUCER_EPOCH || code == PS_WIRE_ERROR_PRODUCER_FENCED;
}

static bool is_forbidden(int16_t code) {
    return code == PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED ||
           code == PS_WIRE_ERROR_GROUP_AUTHORIZATION_FAILED ||
           code == PS_WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED ||
           code == PS_WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static const char too_large[] =
    ": set batch.size of the sink's properties to less, or raise runtime.memory_max";

static void fail(ps_kafka_sink *sink, ps_status status, const char *what, const ps_error *error) {
    if (is_forbidden(ps_wire_producer_code(sink->native->producer)))
        ps_kafka_fail_forbidden(sink, what, error->message);
    else
        ps_kafka_sink_fail(sink, status == PS_UNSUPPORTED ? PS_IO : status, "%s%s", error->message,
                           ps_kafka_native_advice(status, sink->native->client, too_large));
}

/* What a step says, to the lane. */
static void note(ps_kafka_sink *sink, ps_status status, const ps_error *error) {
    switch (status) {
    case PS_OK:
    case PS_AGAIN:
        return;
    case PS_ABORTED:
    case PS_FENCED:
        if (sink->broken) return;
        ps_kafka_note_broken(sink, "the producer", error->message);
        if (is_fence(ps_wire_producer_code(sink->native->producer))) ps_kafka_note_fence(sink);
        return;
    default:
        fail(sink, status, "the producer", error);
    }
}

/* ---- a producer ---- */

static void drop(ps_kafka_sink *sink) {
    struct ps_kafka_native_sink *native = sink->native;
    if (native == NULL) return;
    ps_wire_producer_close(native->producer);
    ps_wire_client_close(native->client);
    free(native->moved);
    free(native);
    sink->native = NULL;
}

static void list_topics(ps_kafka_sink *sink, struct ps_kafka_native_sink *native) {
    ps_kafka_topic *topics[] = PS_KAFKA_SINK_TOPICS(sink);
    native->record_bytes = record_bytes_of(sink->env);
    for (size_t i = 0; i < TOPICS_MAX; i++) {
        if (topics[i]->name == NULL) continue;
        const size_t bytes = limit_of(sink, topics[i]);
        if (bytes > native->record_bytes)
            native->record_bytes = bytes < RECORD_BYTES_MAX ? bytes : RECORD_BYTES_MAX;
        if (topics[i]->partitions > native->partitions_max)
            native->partitions_max = topics[i]->partitions;
        topics[i]->number = native->topic_count;
        native->names[native->topic_count] = topics[i]->name;
        native->topics[native->topic_count++] = topics[i];
    }
}

static ps_status client_recipe(ps_kafka_sink *sink, ps_wire_client_recipe *out, ps_error *error) {
    struct ps_kafka_native_sink *native = sink->native;
    const bool own = sink->config->brokers != NULL;
    PS_TRY(ps_kafka_native_security(
        own || sink->link.config == NULL ? NULL : &sink->link.config->properties,
        &sink->config->properties, &native->security, error));
    PS_TRY(ps_kafka_brokers_count(sink->helper, 1000, &sink->brokers));
    *out = (ps_wire_client_recipe){
        .brokers = ps_kafka_sink_brokers(sink),
        .security = &native->security,
        .client_id = "penstock",
        .topics = native->names,
        .topic_count = native->topic_count,
        .partitions_max = native->partitions_max,
        .keys = {sink->link.group, sink->exactly_once ? sink->transactional : NULL}};
    ps_kafka_native_room_client(sink->env->memory_bytes, sink->brokers, out);
    return PS_OK;
}

static int64_t linger_of(const ps_kafka_sink *sink) {
    const ps_string_map *properties = &sink->config->properties;
    const int64_t lane_ns = sink->env->linger_ns;
    /* A commit sends what there is, so a transaction's batches go out when they are full. Whoever
     * asks for latency waits only for the rest of the lane's batch. */
    const bool patient = lane_ns >= 5 * PS_NS_PER_MS;
    const int64_t own_ns = sink->exactly_once ? sink->config->commit_interval_ns
                           : patient          ? LINGER_MS * PS_NS_PER_MS
                                              : lane_ns / 4;
    const int64_t ms = ps_kafka_native_number(properties, "linger.ms", -1);
    return ms < 0 ? own_ns : ms * PS_NS_PER_MS;
}

static ps_status producer_recipe(ps_kafka_sink *sink, const ps_wire_client_recipe *client,
                                 ps_wire_producer_recipe *out, ps_error *error) {
    struct ps_kafka_native_sink *native = sink->native;
    *out = (ps_wire_producer_recipe){
        .client = native->client,
        .topics = native->names,
        .topic_count = native->topic_count,
        .partitions_max = native->partitions_max,
        .transactional = sink->exactly_once ? sink->transactional : NULL,
        .group = sink->link.group,
        .transaction_ms = (int32_t)ps_kafka_native_number(
            &sink->config->properties, "transaction.timeout.ms", PS_KAFKA_TRANSACTION_MS),
        .record_bytes = native->record_bytes,
        .linger_ns = linger_of(sink),
        .timeout_ns = TIMEOUT_MS * PS_NS_PER_MS,
        .codec = ps_kafka_native_codec(&sink->config->properties),
        .sent = sent,
        .opaque = sink};
    const size_t most = (size_t)ps_kafka_native_number(&sink->config->properties, "batch.size",
                                                       PS_KAFKA_BATCH_BYTES_MAX);
    ps_error why;
    const ps_status status =
        ps_kafka_native_room_batches(sink->env->memory_bytes, client, most, out, &why);
    if (status == PS_OK) return PS_OK;
    return ps_fail(error, status, "%s: raise runtime.memory_max, or use runtime.client: librdkafka",
                   why.message);
}

static ps_status make(ps_kafka_sink *sink, ps_error *error) {
    struct ps_kafka_native_sink *native = calloc(1, sizeof *native);
    if (native == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    sink->native = native;
    list_topics(sink, native);
    native->moved = malloc((sink->env->partitions->count + 1) * sizeof *native->moved);
    if (native->moved == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    ps_wire_client_recipe client;
    ps_wire_producer_recipe producer;
    PS_TRY(client_recipe(sink, &client, error));
    PS_TRY(ps_wire_client_open(&client, &native->client, error));
    PS_TRY(producer_recipe(sink, &client, &producer, error));
    PS_TRY(ps_wire_producer_open(&producer, &native->producer, error));
    for (uint32_t t = 0; t < native->topic_count; t++) {
        const size_t limit = limit_of(sink, native->topics[t]);
        if (limit > 0) ps_wire_producer_limit(native->producer, t, limit);
    }
    sink->batch_bytes = (uint32_t)producer.batch_bytes;
    return PS_OK;
}

/* What nobody mends by waiting. */
static ps_status refusal(const ps_kafka_sink *sink, ps_status status, const ps_error *why,
                         ps_error *error) {
    const int16_t code = ps_wire_producer_code(sink->native->producer);
    switch (code) {
    case PS_WIRE_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case PS_WIRE_ERROR_CLUSTER_AUTHORIZATION_FAILED:
    case PS_WIRE_ERROR_INVALID_TRANSACTION_TIMEOUT:
        return ps_kafka_setup_refusal(sink, (rd_kafka_resp_err_t)code, error);
    default:
        return ps_fail(error, PS_IO, "%s%s", why->message,
                       ps_kafka_native_advice(status, sink->native->client, too_large));
    }
}

static ps_status open_producer(ps_kafka_sink *sink, ps_error *error) {
    ps_error why = {{0}};
    atomic_store(&sink->calling, "opening a producer");
    if (sink->native == NULL) {
        const ps_status made = make(sink, error);
        if (made != PS_OK) {
            drop(sink);
            return made;
        }
    }
    if (sink->batch_bytes_wanted > 0 && sink->batch_bytes_wanted < sink->batch_bytes)
        sink->batch_bytes = sink->batch_bytes_wanted;
    ps_wire_producer_fill(sink->native->producer, sink->batch_bytes);
    const ps_status status =
        ps_wire_producer_init(sink->native->producer, ps_clock_ns() + ASK_MS * PS_NS_PER_MS, &why);
    switch (status) {
    case PS_OK:
        sink->suspect = sink->broken = false;
        return PS_OK;
    case PS_AGAIN:
        return PS_AGAIN;
    case PS_FENCED:
    case PS_ABORTED:
        ps_log(PS_LOG_DEBUG, "sink kafka", "%s", why.message);
        return PS_ABORTED;
    default:
        return refusal(sink, status, &why, error);
    }
}

/* ---- records ---- */

struct ps_wire_producer *ps_kafka_native_producer(const ps_kafka_sink *sink) {
    return sink->native->producer;
}

static bool has_room(ps_kafka_sink *sink, uint32_t headers, size_t header_bytes) {
    (void)sink, (void)headers, (void)header_bytes;
    return true; /* a batch takes what there is, or `send` says that there is none */
}

/* As Kafka's own clients do: by the key; what has none goes where others of its time go. */
static uint32_t partition_of(const ps_kafka_output *output) {
    if (output->partition >= 0) return (uint32_t)output->partition;
    const uint32_t count = output->topic->partitions;
    if (output->key.length == PS_NULL_LENGTH) return (uint32_t)(output->ticket % count);
    const uint32_t hash = ps_murmur2_rest(output->key.data, output->key.length, 0,
                                          PS_MURMUR2_SEED ^ output->key.length);
    return (hash & 0x7fffffffu) % count;
}

static ps_status put(ps_kafka_sink *sink, const ps_kafka_output *output, ps_error *error) {
    (void)error;
    const ps_wire_row row = {
        .timestamp_ms = output->timestamp_ms >= 0 ? output->timestamp_ms : ps_clock_wall_ms(),
        .key = output->key,
        .value = output->value,
        .packed = output->header_count > 0 ? output->headers : (ps_bytes){NULL, PS_NULL_LENGTH},
        .packed_count = output->header_count,
        .added = output->added,
        .added_count = output->added_count};
    const ps_status status =
        ps_wire_producer_put(sink->native->producer, output->topic->number, partition_of(output),
                             &row, output->ticket << 32 | output->tag);
    if (__builtin_expect(status == PS_OK, 1)) {
        ++*output->unacknowledged;
        return PS_OK;
    }
    if (status == PS_UNSUPPORTED) return status;
    if (status == PS_AGAIN)
        sink->full = true;
    else
        sink->broken = true; /* the next step says why */
    return PS_AGAIN;
}

typedef struct heard {
    const ps_wire_client *client;
    int64_t before_ns;
} heard;

static bool is_answered(void *opaque) {
    const heard *of = opaque;
    return ps_wire_client_heard_ns(of->client) != of->before_ns;
}

static void serve(ps_kafka_sink *sink, int ms) {
    ps_error error = {{0}};
    struct ps_kafka_native_sink *native = sink->native;
    if (native == NULL) return;
    ps_status status = ps_wire_producer_step(native->producer, ps_clock_ns(), &error);
    if (status == PS_OK && ms > 0) {
        heard since = {native->client, ps_wire_client_heard_ns(native->client)};
        status = ps_wire_client_wait(native->client, is_answered, &since,
                                     ps_clock_ns() + ms * PS_NS_PER_MS, &error);
        if (status == PS_OK || status == PS_AGAIN)
            status = ps_wire_producer_step(native->producer, ps_clock_ns(), &error);
    }
    note(sink, status, &error);
    (void)tell_stalled(sink);
}

static int64_t deadline(const ps_kafka_sink *sink) {
    return sink->native == NULL ? INT64_MAX : ps_wire_producer_deadline(sink->native->producer);
}

static const char *trouble(const ps_kafka_sink *sink) {
    return sink->native == NULL ? "" : ps_wire_client_trouble(sink->native->client);
}

static void hand_over(ps_kafka_sink *sink, bool to_lane) {
    if (sink->native == NULL) return;
    const int fd = ps_wire_client_fd(sink->native->client);
    if (to_lane)
        ps_wake_watch(sink->env->wake, fd,
                      ps_wire_client_bell(sink->native->client, sink->env->wake));
    else
        ps_wake_unwatch(sink->env->wake, fd);
}

/* ---- commit ---- */

/* What moved, by topic. */
static void list_offsets(ps_kafka_sink *sink) {
    struct ps_kafka_native_sink *native = sink->native;
    const ps_partitions *all = sink->env->partitions;
    uint32_t count = 0;
    native->offset_topics = 0;
    for (uint32_t t = 0; t < all->topic_count; t++) {
        const uint32_t first = count;
        for (uint32_t i = 0; i < sink->moved_count; i++) {
            const uint32_t within = sink->moved[i] - all->topic[t].first;
            if (sink->moved[i] < all->topic[t].first || within >= all->topic[t].count) continue;
            native->moved[count++] = (ps_wire_offset){within, sink->next[sink->moved[i]]};
        }
        if (count == first) continue;
        native->offsets[native->offset_topics++] =
            (ps_wire_offsets){all->topic[t].name, native->moved + first, count - first};
    }
}

static ps_kafka_outcome offsets(ps_kafka_sink *sink) {
    struct ps_kafka_native_sink *native = sink->native;
    native->offset_topics = 0;
    if (sink->link.config == NULL || sink->moved_count == 0) return PS_KAFKA_DONE;
    /* First who we are, then whether that is who asked where the partitions begin. */
    const bool known = ps_kafka_membership_of(ps_kafka_link_consumer(sink->env), &native->us);
    if (!known ||
        !ps_kafka_link_unbroken(sink->env, native->us.member, sink->moved, sink->moved_count)) {
        ps_log(PS_LOG_INFO, "sink kafka",
               "the group had given this worker up meanwhile; going back to what is committed");
        return PS_KAFKA_GIVE_UP;
    }
    list_offsets(sink);
    return PS_KAFKA_DONE;
}

/* A worker joined, left or was given up: what it is told with names every partition. */
static bool is_overtaken(int16_t code) {
    return code == PS_WIRE_ERROR_ILLEGAL_GENERATION || code == PS_WIRE_ERROR_UNKNOWN_MEMBER_ID ||
           code == PS_WIRE_ERROR_REBALANCE_IN_PROGRESS || code == PS_WIRE_ERROR_STALE_MEMBER_EPOCH;
}

static void tell_uncommitted(ps_kafka_sink *sink, const ps_error *error) {
    if (tell_stalled(sink)) return;
    if (ps_kafka_patience_tell(&sink->native->committing))
        ps_log(PS_LOG_WARNING, "sink kafka",
               "for %lld s a transaction could not be committed, still trying: %s",
               (long long)((ps_clock_ns() - sink->commit_ns) / PS_NS_PER_S), error->message);
    else
        ps_log(PS_LOG_DEBUG, "sink kafka", "%s", error->message);
}

static ps_kafka_outcome commit(ps_kafka_sink *sink) {
    struct ps_kafka_native_sink *native = sink->native;
    ps_error error = {{0}};
    atomic_store(&sink->calling, "commit");
    const ps_wire_member us = {.generation = native->us.generation,
                               .id = native->us.member,
                               .instance = native->us.is_static ? native->us.instance : NULL};
    const ps_status status =
        ps_wire_producer_commit(native->producer, native->offsets, native->offset_topics, &us,
                                ps_clock_ns() + COMMIT_MS * PS_NS_PER_MS, &error);
    const int16_t code = ps_wire_producer_code(native->producer);
    switch (status) {
    case PS_OK:
        native->committing = (ps_kafka_patience){0, 0};
        return PS_KAFKA_DONE;
    case PS_AGAIN:
        tell_uncommitted(sink, &error);
        return PS_KAFKA_RETRY;
    case PS_FENCED:
    case PS_ABORTED:
        if (is_fence(code)) ps_kafka_note_fence(sink);
        break;
    default:
        fail(sink, status, "commit", &error);
    }
    ps_log(is_overtaken(code) ? PS_LOG_DEBUG : PS_LOG_INFO, "sink kafka",
           "%s; going back to what is committed", error.message);
    return PS_KAFKA_GIVE_UP;
}

/* Without an epoch of its own a transaction could be met by a stray of the last one. */
static bool begin(ps_kafka_sink *sink) {
    return !ps_wire_producer_doubts(sink->native->producer);
}

const ps_kafka_way ps_kafka_way_native = {
    .open = open_producer,
    .drop = drop,
    .has_room = has_room,
    .send = put,
    .rows = ps_kafka_native_rows,
    .serve = serve,
    .offsets = offsets,
    .commit = commit,
    .begin = begin,
    .hand_over = hand_over,
    .deadline = deadline,
    .trouble = trouble,
};
