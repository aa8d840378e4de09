/* SPDX-License-Identifier: Apache-2.0
 * Puts the records of dead letters back, in transactions that also say which they were.
 *
 * The order at the start is what makes it exact: init_transactions ends whatever an earlier replay
 * left open and fences one that still runs, and only then is what was replayed read. What fails
 * afterwards ends the command: the next one begins by asking again.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/batch/headers.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_dead_parts.h"

enum {
    CALL_MS = 5000,
    LETTERS_MAX = 10000, /* of a transaction: their names are one record */
    BYTES_MAX = 16 << 20,
    QUEUE_BYTES = 2 * LETTERS_MAX * 512,
    RECORD_BYTES_MAX = 1000000000 /* the topic decides */
};
#define OPEN_NS (2 * PS_NS_PER_S)
#define WAIT_NS (60 * PS_NS_PER_S)

/* A topic that records go to, or came from. */
typedef struct target {
    char name[PS_LETTER_TOPIC_MAX];
    uint32_t partitions; /* PS_NOWHERE: there is none */
} target;

struct ps_replay {
    ps_kafka_place place;
    const char *to; /* NULL: where each came from */
    char replayed_topic[300], transactional[300];
    rd_kafka_t *helper, *producer; /* producer NULL: dry */
    target *targets;
    uint32_t target_count;
    ps_replayed replayed;
    uint8_t names[PS_REPLAYED_HEAD + LETTERS_MAX * sizeof(ps_letter_name)];
    uint32_t open_letters; /* of the transaction that is open; 0: none is */
    size_t open_bytes;
    int64_t open_ns;
    atomic_bool closed;    /* a connection was: what was under way on it may still arrive */
    char undelivered[160]; /* why the first record that failed did; "" */
};

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    ps_replay *replay = opaque;
    (void)client;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || replay->undelivered[0] != '\0') return;
    (void)snprintf(replay->undelivered, sizeof replay->undelivered, "topic %.100s: %s",
                   rd_kafka_topic_name(message->rkt), rd_kafka_err2name(message->err));
}

/* Without it librdkafka would log each of them as an error. */
static void on_error(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    (void)client;
    (void)err;
    (void)reason;
    (void)opaque;
}

static int on_closed(int fd, void *opaque) {
    ps_replay *replay = opaque;
    atomic_store(&replay->closed, true);
    return close(fd);
}

static bool is_fence(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static ps_status failed(ps_replay *replay, const char *what, rd_kafka_error_t *failure,
                        ps_error *error) {
    const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(replay->producer, NULL, 0);
    const bool fenced = is_fence(rd_kafka_error_code(failure)) || is_fence(fatal);
    const ps_status status = ps_fail(
        error, PS_IO, "%s: %s; run it again: what was committed is not replayed twice", what,
        fenced                           ? "another replay of this pipeline has taken over"
        : replay->undelivered[0] != '\0' ? replay->undelivered
                                         : rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return status;
}

static ps_status init_transactions(ps_replay *replay, ps_error *error) {
    const int64_t until_ns = ps_clock_ns() + WAIT_NS;
    for (;;) {
        rd_kafka_error_t *failure = rd_kafka_init_transactions(replay->producer, CALL_MS);
        if (failure == NULL) return PS_OK;
        if (!rd_kafka_error_is_retriable(failure) || ps_clock_ns() >= until_ns)
            return failed(replay, "cannot begin", failure, error);
        rd_kafka_error_destroy(failure);
    }
}

static ps_status open_producer(ps_replay *replay, ps_error *error) {
    ps_kafka_client_close(replay->producer);
    replay->producer = NULL;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_TRANSACTIONAL,
                                    .brokers = replay->place.brokers,
                                    .inherited = replay->place.inherited,
                                    .properties = replay->place.properties,
                                    .transactional = replay->transactional,
                                    .memory_bytes = QUEUE_BYTES,
                                    .message_bytes_max = RECORD_BYTES_MAX,
                                    .opaque = replay,
                                    .delivered = on_delivered,
                                    .failed = on_error,
                                    .closed = on_closed};
    PS_TRY(ps_kafka_client_open(&recipe, &replay->producer, error));
    return init_transactions(replay, error);
}

/* A topic that was just made is not known everywhere at once. */
static ps_status find_replayed(ps_replay *replay, bool dry, uint32_t *partitions, ps_error *error) {
    const char *name = replay->replayed_topic;
    PS_TRY(ps_dead_partitions(replay->helper, &replay->place, name, partitions, error));
    if (*partitions != PS_NOWHERE || dry) return PS_OK;
    PS_TRY(ps_kafka_topic_create(replay->helper, name, 1, -1, error));
    const int64_t until_ns = ps_clock_ns() + WAIT_NS;
    const struct timespec pause = {.tv_nsec = 20 * PS_NS_PER_MS};
    while (*partitions == PS_NOWHERE && ps_clock_ns() < until_ns) {
        (void)nanosleep(&pause, NULL);
        PS_TRY(ps_dead_partitions(replay->helper, &replay->place, name, partitions, error));
    }
    if (*partitions != PS_NOWHERE) return PS_OK;
    return ps_fail(error, PS_IO, "topic %s was created and cannot be seen", name);
}

/* By name; asked once. */
static ps_status find_target(ps_replay *replay, const char *name, uint32_t *partitions,
                             ps_error *error) {
    for (uint32_t i = 0; i < replay->target_count; i++)
        if (strcmp(replay->targets[i].name, name) == 0) {
            *partitions = replay->targets[i].partitions;
            return PS_OK;
        }
    PS_TRY(ps_dead_partitions(replay->helper, &replay->place, name, partitions, error));
    target *more = realloc(replay->targets, (replay->target_count + 1) * sizeof *replay->targets);
    if (more == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for topics");
    replay->targets = more;
    target *added = &more[replay->target_count++];
    (void)snprintf(added->name, sizeof added->name, "%s", name);
    added->partitions = *partitions;
    return PS_OK;
}

static ps_status start(ps_replay *replay, bool dry, ps_error *error) {
    uint32_t partitions;
    PS_TRY(ps_dead_client_open(&replay->place, PS_KAFKA_READER, &replay->helper, error));
    if (replay->to != NULL) {
        PS_TRY(find_target(replay, replay->to, &partitions, error));
        if (partitions == PS_NOWHERE)
            return ps_fail(error, PS_IO, "topic '%s' does not exist: create it first", replay->to);
    }
    PS_TRY(find_replayed(replay, dry, &partitions, error));
    if (!dry) PS_TRY(open_producer(replay, error));
    if (partitions == PS_NOWHERE) return PS_OK;
    return ps_replayed_read(&replay->replayed, replay->helper, replay->replayed_topic, !dry, error);
}

ps_status ps_replay_open(const ps_dead_pipeline *pipeline, const char *to, bool dry,
                         ps_replay **out, ps_error *error) {
    ps_replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a replay");
    replay->place = ps_dead_source_place(pipeline);
    replay->to = to;
    (void)snprintf(replay->replayed_topic, sizeof replay->replayed_topic, "%s.replay",
                   pipeline->name);
    (void)snprintf(replay->transactional, sizeof replay->transactional, "%s-replay",
                   pipeline->name);
    const ps_status status = start(replay, dry, error);
    if (status != PS_OK) {
        ps_replay_close(replay);
        return status;
    }
    *out = replay;
    return PS_OK;
}

const char *ps_replay_target(const ps_replay *replay, const ps_letter *letter) {
    return replay->to != NULL ? replay->to : letter->topic;
}

/* Where it came from; into another topic as the sink does it: partition for partition where the
 * counts agree, else where Kafka's partitioner sends the key. */
static ps_status choose_partition(ps_replay *replay, const ps_letter *letter, int32_t *partition,
                                  ps_error *error) {
    const char *name = ps_replay_target(replay, letter);
    uint32_t there, here = PS_NOWHERE;
    PS_TRY(find_target(replay, name, &there, error));
    if (there == PS_NOWHERE)
        return ps_fail(error, PS_IO,
                       "topic '%s' does not exist: create it, or say --to another one", name);
    if (strcmp(name, letter->topic) == 0)
        here = there;
    else
        PS_TRY(find_target(replay, letter->topic, &here, error));
    const bool same = here == there && (uint32_t)letter->partition < there;
    *partition = same ? letter->partition : RD_KAFKA_PARTITION_UA;
    return PS_OK;
}

static rd_kafka_headers_t *headers_of(ps_bytes packed) {
    ps_header header;
    rd_kafka_headers_t *headers = NULL;
    for (uint32_t at = 0; ps_headers_next(packed, &at, &header);) {
        if (headers == NULL) headers = rd_kafka_headers_new(8);
        const bool null = header.value.length == PS_NULL_LENGTH;
        (void)rd_kafka_header_add(headers, (const char *)header.name.data,
                                  (ssize_t)header.name.length, null ? NULL : header.value.data,
                                  null ? 0 : (ssize_t)header.value.length);
    }
    return headers;
}

static rd_kafka_vu_t bytes_part(rd_kafka_vtype_t type, ps_bytes bytes) {
    const bool null = bytes.length == PS_NULL_LENGTH;
    rd_kafka_vu_t part = {.vtype = type};
    part.u.mem.ptr =
        null ? NULL : (void *)(uintptr_t)(bytes.length == 0 ? "" : (const char *)bytes.data);
    part.u.mem.size = null ? 0 : bytes.length;
    return part;
}

/* AGAIN: the queue is full. */
static ps_status send_once(ps_replay *replay, const char *topic, int32_t partition,
                           const ps_letter *letter, ps_error *error) {
    rd_kafka_vu_t parts[7] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        bytes_part(RD_KAFKA_VTYPE_KEY, letter->key),
        bytes_part(RD_KAFKA_VTYPE_VALUE, letter->value),
    };
    size_t count = 5;
    rd_kafka_headers_t *headers = headers_of(letter->headers);
    if (headers != NULL) {
        parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        parts[count++].u.headers = headers;
    }
    if (letter->timestamp_ms > 0) {
        parts[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        parts[count++].u.i64 = letter->timestamp_ms;
    }
    rd_kafka_error_t *failure = rd_kafka_produceva(replay->producer, parts, count);
    if (failure == NULL) return PS_OK;
    if (headers != NULL) rd_kafka_headers_destroy(headers);
    if (rd_kafka_error_code(failure) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return failed(replay, "cannot write", failure, error);
    rd_kafka_error_destroy(failure);
    return PS_AGAIN;
}

static ps_status send_patiently(ps_replay *replay, const char *topic, int32_t partition,
                                const ps_letter *letter, ps_error *error) {
    const int64_t until_ns = ps_clock_ns() + WAIT_NS;
    ps_status status;
    while ((status = send_once(replay, topic, partition, letter, error)) == PS_AGAIN) {
        if (ps_clock_ns() >= until_ns)
            return ps_fail(error, PS_IO,
                           "the broker takes no records; nothing of the open "
                           "transaction was written, run it again");
        (void)rd_kafka_poll(replay->producer, 10);
    }
    return status;
}

/* It takes the id from whoever had taken it while this one slept: what that one wrote is read. */
static ps_status open_again(ps_replay *replay, ps_error *error) {
    PS_TRY(open_producer(replay, error));
    return ps_replayed_read(&replay->replayed, replay->helper, replay->replayed_topic, true, error);
}

static ps_status commit(ps_replay *replay, ps_error *error) {
    const ps_letter names = {
        .key = {NULL, PS_NULL_LENGTH},
        .value = {replay->names,
                  (uint32_t)(PS_REPLAYED_HEAD + replay->open_letters * sizeof(ps_letter_name))},
        .headers = {NULL, 0}};
    ps_replayed_head(replay->names, replay->open_letters);
    PS_TRY(send_patiently(replay, replay->replayed_topic, 0, &names, error));
    const int64_t until_ns = ps_clock_ns() + WAIT_NS;
    for (;;) {
        rd_kafka_error_t *failure = rd_kafka_commit_transaction(replay->producer, CALL_MS);
        if (failure == NULL) break;
        if (rd_kafka_error_is_fatal(failure) || !rd_kafka_error_is_retriable(failure) ||
            ps_clock_ns() >= until_ns)
            return failed(replay, "cannot commit", failure, error);
        rd_kafka_error_destroy(failure);
    }
    replay->open_letters = 0;
    replay->open_bytes = 0;
    (void)rd_kafka_poll(replay->producer, 0);
    /* librdkafka has no KIP-890: a stray request could land in the next transaction, unless that
     * has a new epoch. */
    return atomic_load(&replay->closed) ? open_again(replay, error) : PS_OK;
}

static ps_status put(ps_replay *replay, const ps_letter *letter, ps_letter_name name,
                     ps_error *error) {
    int32_t partition = RD_KAFKA_PARTITION_UA;
    PS_TRY(choose_partition(replay, letter, &partition, error));
    if (replay->producer == NULL) return PS_OK;
    if (replay->open_letters == 0) {
        atomic_store(&replay->closed, false); /* while nothing was under way */
        rd_kafka_error_t *failure = rd_kafka_begin_transaction(replay->producer);
        if (failure != NULL) return failed(replay, "cannot begin", failure, error);
        replay->open_ns = ps_clock_ns();
    }
    PS_TRY(send_patiently(replay, ps_replay_target(replay, letter), partition, letter, error));
    memcpy(replay->names + PS_REPLAYED_HEAD + replay->open_letters * sizeof name, &name,
           sizeof name);
    replay->open_letters++;
    replay->open_bytes += letter->headers.length;
    if (letter->value.length != PS_NULL_LENGTH) replay->open_bytes += letter->value.length;
    return PS_OK;
}

ps_status ps_replay_put(ps_replay *replay, const ps_letter *letter, bool *known, ps_error *error) {
    if (letter != NULL) {
        bool added;
        const ps_letter_name name = ps_letter_name_of(letter, ps_replay_target(replay, letter));
        PS_TRY(ps_replayed_add(&replay->replayed, name, &added, error));
        *known = !added;
        if (added) PS_TRY(put(replay, letter, name, error));
    }
    if (replay->open_letters == 0) return PS_OK;
    if (replay->open_letters < LETTERS_MAX && replay->open_bytes < BYTES_MAX &&
        ps_clock_ns() - replay->open_ns < OPEN_NS)
        return PS_OK;
    return commit(replay, error);
}

ps_status ps_replay_finish(ps_replay *replay, ps_error *error) {
    return replay->open_letters == 0 ? PS_OK : commit(replay, error);
}

void ps_replay_close(ps_replay *replay) {
    if (replay == NULL) return;
    ps_kafka_client_close(replay->producer);
    ps_kafka_client_close(replay->helper);
    ps_replayed_deinit(&replay->replayed);
    free(replay->targets);
    free(replay);
}
