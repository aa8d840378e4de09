/* SPDX-License-Identifier: Apache-2.0
 * Records of a consumer group, copied into the lane's batches. Nothing here waits: librdkafka's
 * threads fetch, its queue writes the lane's wake, and a lane without a free slot simply does not
 * ask, so that the queue fills up and fetching stops at the broker.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/batch/headers.h"
#include "ingest/kafka_linger.h"
#include "ingest/kafka_native_source.h"

#define FATAL_AGAIN_NS (60 * PS_NS_PER_S)

void ps_kafka_source_fail(ps_kafka_source *source, ps_status status, const char *format, ...) {
    if (source->status != PS_OK) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(source->error.message, sizeof source->error.message, format, arguments);
    va_end(arguments);
    source->status = status;
}

/* Null and empty are different things, and librdkafka tells them apart by the pointer. */
static ps_bytes bytes_of(const void *data, size_t length) {
    if (data == NULL) return (ps_bytes){NULL, PS_NULL_LENGTH};
    return (ps_bytes){data, (uint32_t)length};
}

static uint32_t number_of(ps_kafka_source *source, const rd_kafka_message_t *message) {
    if (message->rkt == source->topic && message->partition == source->within)
        return source->partition;
    if (message->rkt == NULL) return PS_NOWHERE;
    source->partition = ps_kafka_partition(source->env->partitions,
                                           rd_kafka_topic_name(message->rkt), message->partition);
    source->topic = message->rkt;
    source->within = message->partition;
    return source->partition;
}

bool ps_kafka_source_room(ps_kafka_source *source, size_t bytes) {
    if (bytes <= source->scratch_bytes) return true;
    uint8_t *larger = realloc(source->scratch, bytes);
    if (larger == NULL) {
        ps_kafka_source_fail(source, PS_NO_MEMORY, "no memory for a record's headers");
        return false;
    }
    source->scratch = larger;
    source->scratch_bytes = bytes;
    return true;
}

/* Headers in wire order, duplicates kept. librdkafka parses them only when asked, so records
 * without any cost one look. */
static ps_bytes pack_headers(ps_kafka_source *source, rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers;
    ps_bytes packed = {NULL, PS_NULL_LENGTH};
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return packed;
    const char *name;
    const void *value;
    size_t value_bytes, used = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &value_bytes) ==
                       RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        const ps_bytes text = {(const uint8_t *)name, (uint32_t)strlen(name)};
        const ps_bytes of = bytes_of(value, value_bytes);
        const uint32_t bytes = ps_headers_bytes(text.length, of.length);
        if (!ps_kafka_source_room(source, used + bytes)) return packed;
        (void)ps_headers_put(source->scratch + used, text, of);
        used += bytes;
    }
    if (used == 0) return packed;
    return (ps_bytes){source->scratch, (uint32_t)used};
}

/* A join whose answer was lost is sent again, and the group then fences the member that the first
 * one made: ourselves. So a fatal failure is survived with a new client, unless it comes again at
 * once. */
static void take_fatal(ps_kafka_source *source) {
    char reason[256];
    if (source->fatal) return;
    const int64_t now_ns = ps_clock_ns();
    const rd_kafka_resp_err_t err = rd_kafka_fatal_error(source->client, reason, sizeof reason);
    source->fatal = true;
    if (source->fatal_ns == 0 || now_ns - source->fatal_ns > FATAL_AGAIN_NS) {
        ps_log(PS_LOG_INFO, "source kafka", "%s; joining the group anew", reason);
        source->fatal_ns = now_ns;
        ps_kafka_group_lose_all(source);
    } else if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        ps_kafka_source_fail(source, PS_FENCED,
                             "another worker has the same group.instance.id: give each worker its "
                             "own runtime.instance");
    } else {
        ps_kafka_source_fail(source, PS_IO, "the consumer cannot go on: %s", reason);
    }
}

/* A failure that librdkafka put in place of a record. */
static void take_failure(ps_kafka_source *source, const rd_kafka_message_t *message) {
    const char *topic = message->rkt == NULL ? "" : rd_kafka_topic_name(message->rkt);
    const char *reason = rd_kafka_message_errstr(message);
    int64_t low = PS_OFFSET_NONE, high;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        /* What the last answer said, if there was one. */
        (void)rd_kafka_get_watermark_offsets(source->client, topic, message->partition, &low,
                                             &high);
        ps_kafka_source_fail(source, PS_IO,
                             "%s/%d: reading must begin at offset %" PRId64
                             ", which is out of range: records were deleted or the topic was made "
                             "anew; %s",
                             topic, message->partition, message->offset,
                             ps_kafka_range_advice(source, message->offset, low));
        return;
    case RD_KAFKA_RESP_ERR__FATAL:
        take_fatal(source);
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        ps_kafka_source_fail(source, PS_IO,
                             "the broker refuses access to %s%s: give this user's principal the "
                             "right to read it",
                             topic[0] == '\0' ? "group " : "topic ",
                             topic[0] == '\0' ? source->group : topic);
        return;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        ps_kafka_source_fail(source, PS_IO, "topic %s is gone: was it deleted?", topic);
        return;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        /* Going on would lose the whole batch of records without a trace. */
        ps_kafka_source_fail(
            source, PS_IO, "%s/%d: cannot read the batch at offset %" PRId64 ": %s%s", topic,
            message->partition, message->offset, reason, ps_kafka_advice(message->err));
        return;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        if (ps_kafka_patience_tell(&source->patience))
            ps_log(PS_LOG_WARNING, "source kafka", "no broker answers at %s, still trying",
                   source->config->brokers);
        return;
    default: /* the network, a broker, a coordinator: librdkafka goes on by itself */
        ps_log(ps_kafka_is_away(message->err) ? PS_LOG_DEBUG : PS_LOG_WARNING, "source kafka", "%s",
               reason);
    }
}

/* The end of a partition goes past its last record: markers and compacted records take offsets. */
void ps_kafka_source_end(ps_kafka_source *source, ps_batch *batch, uint32_t partition,
                         int64_t offset) {
    ps_kafka_place *place = &source->place[partition];
    if (place->holding != PS_KAFKA_READING || offset < 0) return;
    const int64_t news = place->next == PS_OFFSET_NONE ? 0 : place->next + !place->untold;
    if (offset < news) return;
    place->untold = false;
    if (place->first == PS_OFFSET_NONE) place->first = offset;
    place->next = offset;
    ps_batch_position(batch, partition, offset);
    if (batch->filled_ns == 0) batch->filled_ns = ps_clock_ns();
}

/* Keeps what a batch without room for the record must still show in the dead letters. */
static void keep_oversize(ps_kafka_source *source, ps_batch *batch, rd_kafka_message_t *message) {
    batch->oversize.owner = message;
    if (batch->oversize.headers.length == PS_NULL_LENGTH) return;
    uint8_t *copy = malloc(batch->oversize.headers.length);
    if (copy != NULL) memcpy(copy, batch->oversize.headers.data, batch->oversize.headers.length);
    batch->oversize.headers.data = copy;
    if (copy == NULL) ps_kafka_source_fail(source, PS_NO_MEMORY, "no memory for headers");
}

/* PS_AGAIN: no room, the record stays ours. PS_END: it is in, and the batch must close. */
static ps_status take_record(ps_kafka_source *source, ps_batch *batch, rd_kafka_message_t *message,
                             uint32_t partition) {
    ps_kafka_place *place = &source->place[partition];
    if (place->holding != PS_KAFKA_READING ||
        (place->next != PS_OFFSET_NONE && message->offset < place->next)) {
        rd_kafka_message_destroy(message); /* from before a seek or a revocation */
        return PS_OK;
    }
    rd_kafka_timestamp_type_t type;
    const int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    const ps_record record = {
        .partition = partition,
        .flags = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? PS_ROW_LOG_APPEND_TIME : 0,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .key = bytes_of(message->key, message->key_len),
        .value = bytes_of(message->payload, message->len),
        .headers = pack_headers(source, message)};
    const ps_status status = ps_batch_append(batch, &record);
    if (status == PS_AGAIN) return PS_AGAIN;
    ps_kafka_source_took(place, batch, message->offset);
    if (status == PS_END)
        keep_oversize(source, batch, message);
    else
        rd_kafka_message_destroy(message);
    return status;
}

/* Records come from elsewhere: what is left is what librdkafka has to say about the group. */
static void hear(ps_kafka_source *source) {
    for (uint32_t i = 0; i < source->taken_count; i++) {
        const rd_kafka_message_t *message = source->taken[i];
        switch (message->err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: /* of a position that is nobody's */
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        case RD_KAFKA_RESP_ERR__BAD_MSG:
        case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
        case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
            continue;
        default:
            take_failure(source, message);
        }
    }
    ps_kafka_source_forget_taken(source);
}

void ps_kafka_source_take(ps_kafka_source *source) {
    source->polled_ns = ps_clock_ns();
    source->taken_at = source->taken_count = 0;
    source->topic = NULL;              /* its address may be another topic's by now */
    if (source->queue == NULL) return; /* the client is being replaced */
    const ssize_t taken =
        rd_kafka_consume_batch_queue(source->queue, 0, source->taken, PS_KAFKA_TAKE_MAX);
    if (taken > 0) source->taken_count = (uint32_t)taken;
    if (source->native != NULL) hear(source);
}

void ps_kafka_source_drop(ps_kafka_source *source, uint32_t partition) {
    uint32_t kept = source->taken_at;
    for (uint32_t i = source->taken_at; i < source->taken_count; i++) {
        rd_kafka_message_t *message = source->taken[i];
        if (number_of(source, message) == partition && message->err != RD_KAFKA_RESP_ERR__FATAL)
            rd_kafka_message_destroy(message);
        else
            source->taken[kept++] = message;
    }
    source->taken_count = kept;
}

void ps_kafka_source_discard(ps_kafka_source *source) {
    uint32_t kept = source->taken_at;
    for (uint32_t i = source->taken_at; i < source->taken_count; i++) {
        rd_kafka_message_t *message = source->taken[i];
        const uint32_t partition = number_of(source, message);
        const bool fails = message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
                           message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (fails) take_failure(source, message);
        if (fails || partition == PS_NOWHERE ||
            source->place[partition].holding == PS_KAFKA_STOPPED)
            rd_kafka_message_destroy(message);
        else
            source->taken[kept++] = message;
    }
    source->taken_count = kept;
}

static ps_status take_one(ps_kafka_source *source, ps_batch *batch, rd_kafka_message_t *message) {
    const uint32_t partition = number_of(source, message);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && partition != PS_NOWHERE)
        return take_record(source, batch, message, partition);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && partition != PS_NOWHERE)
        ps_kafka_source_end(source, batch, partition, message->offset);
    else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        take_failure(source, message);
    rd_kafka_message_destroy(message);
    return PS_OK;
}

/* Positions of the rows that this call added: the lane may hand a batch over at any time, not only
 * when it is told that it is full. */
static void note_positions(const ps_kafka_source *source, ps_batch *batch, uint32_t first_run) {
    for (uint32_t i = first_run; i < batch->run_count; i++)
        ps_batch_position(batch, batch->runs[i].partition,
                          source->place[batch->runs[i].partition].next);
}

/* What was taken goes into the batch. PS_OK: the batch is full. */
static ps_status move_taken(ps_kafka_source *source, ps_batch *batch) {
    for (;;) {
        while (source->taken_at < source->taken_count) {
            const ps_status status = take_one(source, batch, source->taken[source->taken_at]);
            if (status == PS_AGAIN) return PS_OK;
            source->taken_at++;
            if (status == PS_END) return PS_OK;
        }
        ps_kafka_source_take(source);
        if (source->taken_count == 0) return PS_AGAIN;
    }
}

static ps_status told(const ps_kafka_source *source, ps_error *error) {
    if (error != NULL) *error = source->error;
    return source->status;
}

static ps_status fill(void *self, ps_batch *batch, int64_t *ask_again_ns, ps_error *error) {
    ps_kafka_source *source = self;
    if (source->status != PS_OK) return told(source, error);
    if (source->draining) return PS_END;
    const uint32_t first_run = batch->run_count > 0 ? batch->run_count - 1 : 0;
    const ps_status full =
        source->native != NULL ? ps_kafka_native_fill(source, batch) : move_taken(source, batch);
    note_positions(source, batch, first_run);
    if (source->status != PS_OK) return told(source, error);
    const int64_t now_ns = ps_clock_ns();
    ps_kafka_watch_lag(source, now_ns);
    ps_kafka_source_commit_due(source, PS_KAFKA_COMMIT_GATHERED);
    if (atomic_load_explicit(&source->watch.all_reached, memory_order_relaxed)) return PS_END;
    const int64_t due_ns = ps_kafka_batch_due(source, batch, now_ns);
    const bool whole =
        full == PS_OK || (source->native != NULL && !ps_kafka_batch_waits(batch, now_ns) &&
                          ps_kafka_native_gathers(source));
    if (batch->filled_ns != 0 && (whole || now_ns >= due_ns)) return PS_OK;
    *ask_again_ns = source->native == NULL ? due_ns : ps_kafka_native_deadline(source, due_ns);
    return PS_AGAIN;
}

static void release(void *self, ps_batch *batch) {
    const ps_kafka_source *source = self;
    if (batch->oversize.owner == NULL) return;
    if (source->native != NULL) {
        free(batch->oversize.owner);
        batch->oversize = (ps_oversize){.row = PS_NOWHERE};
        return;
    }
    if (batch->oversize.headers.length != PS_NULL_LENGTH)
        free((void *)(uintptr_t)batch->oversize.headers.data);
    rd_kafka_message_destroy(batch->oversize.owner);
    batch->oversize = (ps_oversize){.row = PS_NOWHERE};
}

static void drain(void *self) {
    ((ps_kafka_source *)self)->draining = true;
}

void ps_kafka_source_forget_taken(ps_kafka_source *source) {
    for (uint32_t i = source->taken_at; i < source->taken_count; i++)
        rd_kafka_message_destroy(source->taken[i]);
    source->taken_at = source->taken_count = 0;
}

static void close_source(void *self) {
    ps_kafka_source *source = self;
    if (source == NULL) return;
    ps_kafka_watch_close(source);
    ps_kafka_native_close(source);
    if (source->client != NULL && !ps_kafka_group_leave(source)) return;
    free(source->place);
    free(source->safe);
    free(source->scratch);
    free(source);
}

static ps_status subscribe(ps_kafka_source *source, ps_error *error) {
    static const uint64_t one = 1; /* what an eventfd wants to be written */
    /* One queue for records, rebalances and answers to commits. */
    (void)rd_kafka_poll_set_consumer(source->client);
    source->queue = rd_kafka_queue_get_consumer(source->client);
    rd_kafka_queue_io_event_enable(source->queue, source->env->wake->fd, &one, sizeof one);
    rd_kafka_topic_partition_list_t *topics = ps_kafka_source_topics(source);
    const rd_kafka_resp_err_t err = rd_kafka_subscribe(source->client, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return PS_OK;
    return ps_fail(error, PS_IO, "cannot join group '%s': %s", source->group,
                   rd_kafka_err2str(err));
}

ps_status ps_kafka_source_connect(ps_kafka_source *source, ps_error *error) {
    const ps_lane_env *env = source->env;
    char member[256];
    (void)snprintf(member, sizeof member, "%s-%s-%u", env->pipeline, env->instance, env->slot);
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = source->config->brokers,
                                    .properties = &source->config->properties,
                                    .group = source->group,
                                    .member = member,
                                    /* Where it fetches nothing its queues stay empty. */
                                    .memory_bytes = env->native ? 1 << 20 : env->memory_bytes,
                                    .expansion = source->config->expansion,
                                    .batch_max = source->config->batch_max,
                                    .servers = env->partitions->servers,
                                    .opaque = source,
                                    .born = ps_kafka_batches_born,
                                    .committed = ps_kafka_source_on_commit,
                                    .rebalanced = ps_kafka_rebalanced};
    source->fatal = false;
    PS_TRY(ps_kafka_client_open(&recipe, &source->client, error));
    return subscribe(source, error);
}

static ps_status open_source(const void *config, const ps_lane_env *env, void **self,
                             ps_error *error) {
    ps_kafka_source *source = calloc(1, sizeof *source);
    if (source == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka source");
    source->config = config;
    source->env = env;
    source->group = source->config->group != NULL ? source->config->group : env->pipeline;
    source->place = calloc(env->partitions->count + 1, sizeof *source->place);
    source->safe = malloc((env->partitions->count + 1) * sizeof *source->safe);
    source->scratch = malloc(PS_KAFKA_SCRATCH_BYTES);
    source->scratch_bytes = PS_KAFKA_SCRATCH_BYTES;
    ps_status status = PS_OK;
    if (source->place == NULL || source->safe == NULL || source->scratch == NULL)
        status = ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka source");
    for (uint32_t p = 0; status == PS_OK && p < env->partitions->count; p++)
        source->safe[p] = PS_OFFSET_NONE;
    if (status == PS_OK && env->native) status = ps_kafka_native_open(source, error);
    if (status == PS_OK) status = ps_kafka_source_connect(source, error);
    if (status == PS_OK) status = ps_kafka_watch_open(source, error);
    if (status != PS_OK) {
        close_source(source);
        return status;
    }
    *self = source;
    return PS_OK;
}

ps_kafka_link ps_kafka_link_of(const ps_lane_env *env) {
    if (env->source != &ps_source_kafka || env->source_self == NULL)
        return (ps_kafka_link){NULL, NULL};
    const ps_kafka_source *source = env->source_self;
    return (ps_kafka_link){source->config, source->group};
}

rd_kafka_t *ps_kafka_link_consumer(const ps_lane_env *env) {
    return ((const ps_kafka_source *)env->source_self)->client;
}

void ps_kafka_link_answers(const ps_lane_env *env, ps_kafka_answer *answer, void *opaque) {
    ps_kafka_source *source = env->source_self;
    source->answer = answer;
    source->answer_opaque = opaque;
}

static const ps_option options[] = {
    {"brokers", NULL, "Brokers to ask first, host:port, separated by commas.", PS_OPTION_STRING,
     PS_OPTION_REQUIRED, offsetof(ps_kafka_source_config, brokers), 0, 0, NULL},
    {"topics", NULL, "Topics to read.", PS_OPTION_LIST, PS_OPTION_REQUIRED,
     offsetof(ps_kafka_source_config, topics), 0, 0, NULL},
    {"group", NULL, "Consumer group; the pipeline's name unless it is given.", PS_OPTION_STRING, 0,
     offsetof(ps_kafka_source_config, group), 0, 0, NULL},
    {"start", "earliest", "Where to begin in a partition of which the group has committed nothing.",
     PS_OPTION_CHOICE, 0, offsetof(ps_kafka_source_config, start), 0, 0, "earliest|latest"},
    {"batch_max", "1MiB",
     "The largest record batch, as it is sent; a broker sends one whole. Counted, unpacked.",
     PS_OPTION_SIZE, 0, offsetof(ps_kafka_source_config, batch_max), 1024, 1 << 30, NULL},
    {"expansion", "25",
     "How many times its size a compressed batch becomes, 450 bytes a record included, lz4 half as "
     "much again; counted twice, which is enough for the smallest records too.",
     PS_OPTION_INTEGER, 0, offsetof(ps_kafka_source_config, expansion), 1, 30000, NULL},
    {"properties", NULL, "Any librdkafka property, e.g. security.protocol; values may be secrets.",
     PS_OPTION_MAP, PS_OPTION_SECRET, offsetof(ps_kafka_source_config, properties), 0, 0, NULL},
    {NULL, NULL, NULL, PS_OPTION_STRING, 0, 0, 0, 0, NULL},
};

const ps_source ps_source_kafka = {
    .about = {.name = "kafka",
              .summary = "Records of Kafka topics, as a member of a consumer group.",
              .options = options,
              .config_bytes = sizeof(ps_kafka_source_config)},
    .check = ps_kafka_source_check,
    .foreign = ps_kafka_source_foreign,
    .suits = ps_kafka_native_source_suits,
    .discover = ps_kafka_discover,
    .identify = ps_kafka_identify,
    .open = open_source,
    .event = ps_kafka_group_event,
    .answer = ps_kafka_group_answer,
    .committed = ps_kafka_watch_committed,
    .stop = ps_kafka_group_stop,
    .start = ps_kafka_group_start,
    .fill = fill,
    .commit = ps_kafka_source_commit,
    .release = release,
    .drain = drain,
    .remaining = ps_kafka_watch_remaining,
    .close = close_source,
    .memory = ps_kafka_source_memory,
    .memory_options = "source.kafka.batch_max and expansion",
};
