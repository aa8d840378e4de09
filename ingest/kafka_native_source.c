/* SPDX-License-Identifier: Apache-2.0
 * Records by penstock's own client (ingest/wire), read in place out of its receive buffers into the
 * lane's batches. Who may read which partition is still librdkafka's word (kafka_group.c): it is a
 * member of the group, and its partitions are paused.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "ingest/kafka_native.h"
#include "ingest/kafka_native_source.h"
#include "ingest/kafka_stall.h"
#include "ingest/wire/error.h"
#include "ingest/wire/fetcher.h"

enum {
    SPARE_NODES = 4,         /* brokers that may join while we run */
    BESIDE_BYTES = 64 << 10, /* of an answer: names, aborted transactions */
    ANSWER_BYTES_MAX = 1 << 20,
    FRAME_BYTES_MAX = 1 << 30, /* of any answer; topics without a limit say two thousand million */
    WAIT_MS = 500              /* a broker answers at once when there is something */
};

#define SILENT_NS (10 * PS_NS_PER_S)
#define LOOK_NS   PS_NS_PER_S

struct ps_kafka_native_source {
    ps_wire_security security;
    ps_wire_client *client;
    ps_wire_fetcher *fetcher;
    const char *names[PS_TOPICS_MAX];
    int64_t opened_ns, wait_ms; /* wait_ms: of a Fetch */
    ps_kafka_patience patience;
    ps_kafka_stall stall;
    int64_t looked_ns; /* for partitions that stall */
    bool reads;        /* something, as far as is known */
};

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* An answer holds its first batch whole, however little was asked for. */
static int64_t answer_bytes(const ps_kafka_source_config *config) {
    const int64_t bytes = ps_kafka_native_number(&config->properties, "fetch.max.bytes",
                                                 larger(config->batch_max, ANSWER_BYTES_MAX));
    return bytes < FRAME_BYTES_MAX ? bytes : FRAME_BYTES_MAX;
}

/* What the ceiling counts of an answer. */
static int64_t counted_bytes(const ps_kafka_source_config *config) {
    return larger(answer_bytes(config), config->batch_max);
}

static size_t unpacked_bytes(const ps_kafka_source_config *config) {
    return (size_t)(config->batch_max * config->expansion);
}

size_t ps_kafka_native_source_bytes(const ps_kafka_source_config *config, const ps_lane_env *env) {
    /* Connections with their buffers, of three brokers where batches are large, of more where they
     * are not; one batch, unpacked; what librdkafka keeps of the group. */
    const int64_t answer = counted_bytes(config);
    const int64_t least = 3 * (answer + answer / 4) + (4 << 20);
    return (size_t)larger(env->memory_bytes, least) + unpacked_bytes(config) + (2 << 20);
}

/* Where a topic takes larger batches than the ceiling counts, which was said at the start, there is
 * room for them, and no memory while none comes. */
static size_t receive_bytes(const ps_kafka_source *source) {
    const int64_t bytes =
        larger(counted_bytes(source->config), source->env->partitions->batch_bytes);
    return (size_t)(bytes < FRAME_BYTES_MAX ? bytes : FRAME_BYTES_MAX) + BESIDE_BYTES;
}

static ps_status check_memory(const ps_kafka_source *source, size_t bytes, ps_error *error) {
    const size_t most = ps_kafka_native_source_bytes(source->config, source->env);
    if (bytes <= most) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "the cluster has %" PRIu32 " brokers, and native's receive buffer for each "
                   "takes a lane's source to %zu MiB, the memory ceiling counts %zu",
                   source->env->partitions->brokers, bytes >> 20, most >> 20);
}

static ps_status open_fetcher(ps_kafka_source *source, ps_error *error) {
    struct ps_kafka_native_source *native = source->native;
    const ps_partitions *all = source->env->partitions;
    const ps_kafka_source_config *config = source->config;
    const ps_string_map *properties = &config->properties;
    uint32_t most = 1;
    for (uint32_t t = 0; t < all->topic_count; t++) {
        native->names[t] = all->topic[t].name;
        if (all->topic[t].count > most) most = all->topic[t].count;
    }
    const int64_t answer = answer_bytes(config);
    const ps_wire_client_recipe client = {
        .brokers = config->brokers,
        .security = &native->security,
        .client_id = "penstock",
        .topics = native->names,
        .topic_count = all->topic_count,
        .nodes_max = all->brokers + SPARE_NODES,
        .partitions_max = most,
        .receive_bytes = {receive_bytes(source), 0,
                          ps_kafka_native_control_bytes(all->count, all->brokers)},
        .usual_bytes = (size_t)counted_bytes(config) + BESIDE_BYTES};
    PS_TRY(ps_wire_client_open(&client, &native->client, error));
    native->wait_ms = ps_kafka_native_number(properties, "fetch.wait.max.ms", WAIT_MS);
    const ps_wire_fetcher_recipe fetcher = {
        .client = native->client,
        .partitions = all->count,
        .read_committed = true,
        .partition_bytes = (int32_t)answer,
        .answer_bytes = (int32_t)answer,
        .least_bytes = (int32_t)ps_kafka_native_number(properties, "fetch.min.bytes", 1),
        .wait_ms = (int32_t)native->wait_ms,
        .gather_bytes = (int32_t)answer / 2,
        /* A lane that lingers longer than that gathers by itself. */
        .gather_ms = (int32_t)(source->env->linger_ns <= WAIT_MS * PS_NS_PER_MS
                                   ? source->env->linger_ns / PS_NS_PER_MS
                                   : 0),
        .unpacked_max = unpacked_bytes(config)};
    /* Buffers of brokers that there are not are no memory. */
    ps_wire_client_recipe counted = client;
    counted.nodes_max = all->brokers;
    counted.receive_bytes[PS_WIRE_TO_FETCH] = client.usual_bytes;
    ps_kafka_batches_count(source, counted_bytes(config));
    PS_TRY(check_memory(source, ps_wire_client_bytes(&counted) + ps_wire_fetcher_bytes(&fetcher),
                        error));
    return ps_wire_fetcher_open(&fetcher, &native->fetcher, error);
}

static ps_status open_all(ps_kafka_source *source, ps_error *error) {
    source->native = calloc(1, sizeof *source->native);
    if (source->native == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka source");
    source->native->opened_ns = ps_clock_ns();
    PS_TRY(ps_kafka_native_security(NULL, &source->config->properties, &source->native->security,
                                    error));
    return open_fetcher(source, error);
}

ps_status ps_kafka_native_open(ps_kafka_source *source, ps_error *error) {
    ps_error why;
    const ps_status status = open_all(source, &why);
    if (status == PS_OK)
        ps_wake_watch(source->env->wake, ps_wire_client_fd(source->native->client),
                      ps_wire_client_bell(source->native->client, source->env->wake));
    if (status == PS_OK) return PS_OK;
    return ps_fail(error, status, "%s%s", why.message,
                   status == PS_BAD_CONFIG && source->native->client != NULL
                       ? ": raise runtime.memory_max, lower source.kafka.batch_max, or use "
                         "runtime.client: librdkafka"
                       : "");
}

/* Memory that is not written to is none: it is opened and closed again. */
ps_status ps_kafka_native_source_suits(const void *config, const ps_lane_env *env,
                                       ps_error *error) {
    ps_kafka_source *source = calloc(1, sizeof *source);
    if (source == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka source");
    source->config = config;
    source->env = env;
    const ps_status status = open_all(source, error);
    ps_kafka_native_close(source);
    free(source);
    return status;
}

void ps_kafka_native_close(ps_kafka_source *source) {
    struct ps_kafka_native_source *native = source->native;
    if (native == NULL) return;
    ps_wire_fetcher_close(native->fetcher);
    ps_wire_client_close(native->client);
    free(native);
    source->native = NULL;
}

void ps_kafka_native_read(ps_kafka_source *source, uint32_t partition) {
    const int64_t next = source->place[partition].next;
    source->native->reads = true;
    const int64_t start =
        source->config->start == PS_KAFKA_LATEST ? PS_WIRE_LATEST : PS_WIRE_EARLIEST;
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(source->env->partitions, partition, &within);
    ps_wire_fetcher_start(source->native->fetcher, partition, topic, within,
                          next == PS_OFFSET_NONE ? start : next);
}

void ps_kafka_native_stop(ps_kafka_source *source, uint32_t partition) {
    ps_wire_fetcher_stop(source->native->fetcher, partition);
}

int64_t ps_kafka_native_end(const ps_kafka_source *source, uint32_t partition) {
    return ps_wire_fetcher_end(source->native->fetcher, partition);
}

static bool reads(const ps_kafka_source *source) {
    for (uint32_t p = 0; p < source->env->partitions->count; p++)
        if (source->place[p].holding == PS_KAFKA_READING) return true;
    return false;
}

/* Where no broker answers at all, that is said below. */
static void tell_stalled(ps_kafka_source *source, int64_t now_ns) {
    struct ps_kafka_native_source *native = source->native;
    ps_wire_stalled stalled;
    if (now_ns - native->looked_ns < LOOK_NS) return;
    native->looked_ns = now_ns;
    native->reads = reads(source);
    const bool some = ps_wire_fetcher_stalled(native->fetcher, &stalled);
    if (some && native->patience.since_ns == 0)
        ps_kafka_stall_tell(&native->stall, "source kafka", "read", native->names[stalled.topic],
                            &stalled, native->client);
    /* One that was given back is neither. */
    const uint32_t first = source->env->partitions->topic[native->stall.topic].first;
    if (!some && ps_wire_fetcher_end(native->fetcher, first + native->stall.within) >= 0)
        ps_kafka_stall_over(&native->stall, "source kafka", "read",
                            native->names[native->stall.topic]);
}

/* An answer comes twice a second where something is being read, and seldom where not. */
static void tell_waiting(ps_kafka_source *source, int64_t now_ns) {
    struct ps_kafka_native_source *native = source->native;
    const int64_t heard_ns = ps_wire_client_heard_ns(native->client);
    const char *trouble = ps_wire_client_trouble(native->client);
    const int64_t silent_ns = SILENT_NS + native->wait_ms * PS_NS_PER_MS;
    if (now_ns - larger(heard_ns, native->opened_ns) < silent_ns || !reads(source)) {
        native->patience = (ps_kafka_patience){0};
        return;
    }
    if (ps_kafka_patience_tell(&native->patience))
        ps_log(PS_LOG_WARNING, "source kafka", "no broker answers at %s, still trying%s%s",
               source->config->brokers, trouble[0] == '\0' ? "" : ": ", trouble);
}

void ps_kafka_native_step(ps_kafka_source *source) {
    ps_error error = {{0}};
    const int64_t now_ns = ps_clock_ns();
    tell_waiting(source, now_ns);
    const ps_status status = ps_wire_fetcher_step(source->native->fetcher, now_ns, &error);
    ps_kafka_batches_tell(source, source->config->brokers,
                          ps_wire_client_largest(source->native->client, PS_WIRE_TO_FETCH));
    tell_stalled(source, now_ns);
    if (status == PS_OK || status == PS_AGAIN) return;
    ps_kafka_source_fail(
        source, status == PS_UNSUPPORTED ? PS_IO : status, "%s%s", error.message,
        ps_kafka_native_advice(
            status, source->native->client,
            ": set source.kafka.batch_max to more than the topics' largest batches"));
}

bool ps_kafka_native_gathers(const ps_kafka_source *source) {
    return ps_wire_fetcher_gathers(source->native->fetcher);
}

int64_t ps_kafka_native_deadline(const ps_kafka_source *source, int64_t due_ns) {
    const int64_t own_ns = ps_wire_fetcher_deadline(source->native->fetcher);
    const int64_t look_ns = source->native->looked_ns + LOOK_NS;
    if (own_ns < due_ns) due_ns = own_ns;
    return source->native->reads && look_ns < due_ns ? look_ns : due_ns;
}

/* ---- what the fetcher has ---- */

/* What a batch without room for the record must still show in the dead letters: its bytes are the
 * receive buffer's, and that goes on. */
static void keep_oversize(ps_kafka_source *source, ps_batch *batch) {
    ps_bytes *parts[] = {&batch->oversize.key, &batch->oversize.value, &batch->oversize.headers};
    size_t bytes = 1;
    for (size_t i = 0; i < 3; i++)
        if (parts[i]->length != PS_NULL_LENGTH) bytes += parts[i]->length;
    uint8_t *copy = malloc(bytes);
    batch->oversize.owner = copy;
    if (copy == NULL) {
        batch->oversize = (ps_oversize){.row = PS_NOWHERE};
        ps_kafka_source_fail(source, PS_NO_MEMORY, "no memory for a record");
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (parts[i]->length == PS_NULL_LENGTH) continue;
        if (parts[i]->length > 0) memcpy(copy, parts[i]->data, parts[i]->length);
        parts[i]->data = copy;
        copy += parts[i]->length;
    }
}

/* PS_AGAIN: no room, the record comes again. PS_END: it is in, and the batch must close. */
static ps_status take_record(ps_kafka_source *source, ps_batch *batch,
                             const ps_wire_fetched *fetched) {
    const ps_wire_record *from = &fetched->record;
    ps_record record = {.partition = fetched->partition,
                        .flags = fetched->append_time ? PS_ROW_LOG_APPEND_TIME : 0,
                        .offset = from->offset,
                        .timestamp_ms = from->timestamp_ms,
                        .key = from->key,
                        .value = from->value,
                        .headers = {NULL, PS_NULL_LENGTH}};
    if (from->header_count > 0) {
        if (!ps_kafka_source_room(source, from->packed_bytes)) return PS_END;
        record.headers.data = source->scratch;
        record.headers.length = ps_wire_headers_pack(from->headers, from->header_count,
                                                     source->scratch, source->scratch_bytes);
    }
    const ps_status status = ps_batch_append(batch, &record);
    if (status == PS_AGAIN) return PS_AGAIN;
    ps_kafka_source_took(&source->place[fetched->partition], batch, from->offset);
    if (status == PS_END) keep_oversize(source, batch);
    return status;
}

static void fail_gone(ps_kafka_source *source, const char *topic, uint32_t within,
                      const ps_wire_fetched *fetched) {
    ps_kafka_source_fail(source, PS_IO,
                         "%s/%" PRIu32 ": reading must begin at offset %" PRId64
                         ", which is out of range: records were deleted or the topic was made "
                         "anew; %s",
                         topic, within, fetched->next,
                         ps_kafka_range_advice(source, fetched->next, fetched->first));
}

/* What ends the reading of a partition. */
static void take_failure(ps_kafka_source *source, const ps_wire_fetched *fetched,
                         const ps_error *error) {
    uint32_t within;
    const ps_partitions *all = source->env->partitions;
    const char *topic = all->topic[ps_partitions_topic(all, fetched->partition, &within)].name;
    switch (fetched->news) {
    case PS_WIRE_GONE:
        fail_gone(source, topic, within, fetched);
        return;
    case PS_WIRE_CUT_BACK:
        ps_kafka_source_fail(source, PS_IO,
                             "%s/%" PRIu32 ": the log lost its end: what was read from offset "
                             "%" PRId64 " on is no longer there (a leader was elected that had "
                             "not all records); %s",
                             topic, within, fetched->first,
                             ps_kafka_range_advice(source, fetched->first, PS_OFFSET_NONE));
        return;
    case PS_WIRE_NO_TOPIC:
        ps_kafka_source_fail(source, PS_IO, "topic %s is gone: was it deleted?", topic);
        return;
    case PS_WIRE_REFUSED:
        if (fetched->code == PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED)
            ps_kafka_source_fail(source, PS_IO,
                                 "the broker refuses access to topic %s: give this user's "
                                 "principal the right to read it",
                                 topic);
        else
            ps_kafka_source_fail(source, PS_IO, "%s/%" PRIu32 ": %s: %s", topic, within,
                                 ps_wire_error_name(fetched->code),
                                 ps_wire_error_text(fetched->code));
        return;
    default:
        /* Going on would lose the whole batch of records without a trace. */
        ps_kafka_source_fail(source, PS_IO,
                             "%s/%" PRIu32 ": cannot read the batch at offset %" PRId64 ": %s",
                             topic, within, fetched->next, error->message);
    }
}

/* What was read already. OK: the batch is full. `*some`: there was something. */
static ps_status take_all(ps_kafka_source *source, ps_batch *batch, bool *some) {
    ps_wire_fetcher *fetcher = source->native->fetcher;
    ps_wire_fetched fetched;
    ps_error error = {{0}};
    while (source->status == PS_OK) {
        const ps_status there = ps_wire_fetcher_next(fetcher, &fetched, &error);
        if (there == PS_AGAIN) return PS_AGAIN;
        *some = true;
        ps_status status = PS_OK;
        if (__builtin_expect(there == PS_OK && fetched.news == PS_WIRE_RECORD, 1))
            status = take_record(source, batch, &fetched);
        else if (there == PS_OK && (fetched.news == PS_WIRE_PASSED || fetched.news == PS_WIRE_END))
            ps_kafka_source_end(source, batch, fetched.partition, fetched.next);
        else
            take_failure(source, &fetched, &error);
        if (status == PS_AGAIN) return PS_OK;
        ps_wire_fetcher_taken(fetcher);
        if (status == PS_END) return PS_OK;
    }
    return PS_OK;
}

ps_status ps_kafka_native_fill(ps_kafka_source *source, ps_batch *batch) {
    bool some = false;
    ps_wire_fetcher_gather_until(source->native->fetcher, batch->shown_ns);
    if (take_all(source, batch, &some) == PS_OK) return PS_OK;
    if (!some) return PS_AGAIN; /* as it was a moment ago, when the lane asked for events */
    /* The next question is due, and its answer may lie in the socket already. */
    ps_kafka_native_step(source);
    return take_all(source, batch, &some);
}
