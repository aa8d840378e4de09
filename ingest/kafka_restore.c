/* SPDX-License-Identifier: Apache-2.0
 * Reads the state topic back, on a thread of its own and a few chunks ahead of the lane. A
 * partition is read from its first record to the end it had when reading began, open transactions
 * included; read_committed stops before one that is open, so reaching that end also says that all
 * of them have ended.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_state_parts.h"

enum { ASK_MS = 1000, TAKE_MS = 100, TAKE_MAX = 32, TRIM_SHARE = 50 };

/* How long old state may lie without PS_KAFKA_TRIM_BYTES beside it, and when a broker that did not
 * answer is asked again. Deleting makes a broker write files that its clients wait for: every few
 * seconds it was the slowest hundredth of all events. */
enum { TRIM_MS = 60000, TRIM_AGAIN_MS = 3000 };

void ps_kafka_state_rest(ps_kafka_state *state, int64_t ms) {
    if (!state->stop)
        ps_clock_wait(&state->changed, &state->mutex, ps_clock_ns() + ms * PS_NS_PER_MS);
}

static void fail(ps_kafka_state *state, const char *what, rd_kafka_resp_err_t err,
                 const char *reason) {
    pthread_mutex_lock(&state->mutex);
    if (state->status == PS_OK)
        state->status = ps_fail(&state->error, PS_IO, "cannot read state topic %s: %s: %s%s",
                                state->sink->state_topic.name, what, reason, ps_kafka_advice(err));
    pthread_mutex_unlock(&state->mutex);
    ps_wake_signal(state->sink->env->wake);
}

/* False: we are closing. */
static bool push(ps_kafka_state *state, const ps_kafka_chunk *chunk) {
    const size_t bytes = chunk->message == NULL ? 0 : chunk->message->len;
    pthread_mutex_lock(&state->mutex);
    while (!state->stop && state->ahead_count > 0 &&
           (state->ahead_count == PS_KAFKA_AHEAD_MAX ||
            state->ahead_bytes + bytes > PS_KAFKA_AHEAD_BYTES))
        (void)pthread_cond_wait(&state->changed, &state->mutex);
    const bool goes = !state->stop;
    if (goes) {
        const uint32_t at = (state->ahead_first + state->ahead_count) % PS_KAFKA_AHEAD_MAX;
        state->ahead[at] = *chunk;
        state->ahead_count++;
        state->ahead_bytes += bytes;
    }
    pthread_mutex_unlock(&state->mutex);
    ps_wake_signal(state->sink->env->wake);
    return goes;
}

static uint32_t within_of(const ps_kafka_state *state, uint32_t partition) {
    uint32_t within;
    (void)ps_partitions_topic(state->sink->env->partitions, partition, &within);
    return within;
}

/* Requests to serve now: at most one source partition for each partition of the state topic. */
static uint32_t choose(ps_kafka_state *state) {
    const uint32_t count = state->sink->env->partitions->count;
    uint32_t chosen = 0;
    state->work = false;
    for (uint32_t p = 0; p < count; p++) {
        ps_kafka_stand *stand = &state->stand[p];
        if (stand->wanted == 0) continue;
        bool taken = false;
        for (uint32_t q = 0; q < p; q++)
            taken = taken ||
                    (state->stand[q].serving != 0 && within_of(state, q) == within_of(state, p));
        if (taken) {
            state->work = true; /* next time */
            continue;
        }
        stand->serving = stand->wanted;
        stand->wanted = 0;
        chosen++;
    }
    return chosen;
}

static bool finish(ps_kafka_state *state, uint32_t partition, bool started, bool again) {
    ps_kafka_stand *stand = &state->stand[partition];
    if (started) (void)rd_kafka_consume_stop(state->topic, (int32_t)within_of(state, partition));
    const ps_kafka_chunk end = {NULL, partition, stand->serving, again};
    stand->serving = 0;
    return push(state, &end);
}

/* A broker that has just started, and whoever asked it, may not know what was there before. */
static bool is_missing(ps_kafka_state *state, rd_kafka_resp_err_t err) {
    if (err != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION && err != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC &&
        err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return false;
    return ps_kafka_may_come(&state->missing_ns, PS_KAFKA_MISSING_NS_MAX);
}

/* The question where a partition truly ends goes to the leader that the client remembers, and a
 * refusal does not make it ask anew who leads: it would be refused for up to a minute. */
static void learn_leader(ps_kafka_state *state) {
    const rd_kafka_metadata_t *known;
    if (rd_kafka_metadata(state->sink->helper, 0, state->topic, &known, ASK_MS) == 0)
        rd_kafka_metadata_destroy(known);
}

/* False: no answer now, or we are closing. `*left`: 1 when there is something to read. */
static bool begin(ps_kafka_state *state, uint32_t partition, uint32_t *left) {
    ps_kafka_stand *stand = &state->stand[partition];
    const int32_t within = (int32_t)within_of(state, partition);
    int64_t low, high, end;
    ps_error error;
    const rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(
        state->sink->helper, state->sink->state_topic.name, within, &low, &high, ASK_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (ps_kafka_is_away(err))
            learn_leader(state);
        else if (!is_missing(state, err))
            fail(state, "its beginning", err, rd_kafka_err2str(err));
        return false;
    }
    state->missing_ns = 0;
    const ps_status status = ps_kafka_true_end(state->sink->helper, state->sink->state_topic.name,
                                               within, ASK_MS, &end, &error);
    if (status == PS_AGAIN) {
        learn_leader(state);
        return false;
    }
    /* Where it may not be asked, the last stable offset must do, which a second reading by the lane
     * makes up for. */
    if (status != PS_OK) {
        ps_log(PS_LOG_DEBUG, "sink kafka", "%s", error.message);
        end = high;
    }
    stand->floor = stand->point[1] = stand->point[2] = -1;
    stand->point[0] = stand->end = end; /* our first round begins here, or later */
    if (low >= end) return finish(state, partition, false, false);
    if (rd_kafka_consume_start_queue(state->topic, within, RD_KAFKA_OFFSET_BEGINNING,
                                     state->queue) != 0) {
        fail(state, "start", rd_kafka_last_error(), rd_kafka_err2str(rd_kafka_last_error()));
        return false;
    }
    ++*left;
    return true;
}

static uint32_t served_by(const ps_kafka_state *state, int32_t within) {
    for (uint32_t p = 0; p < state->sink->env->partitions->count; p++)
        if (state->stand[p].serving != 0 && within_of(state, p) == (uint32_t)within) return p;
    return PS_NOWHERE;
}

/* Whoever had the partition until now deletes what newer records say again, and has just deleted
 * what was to be read next. What was evicted meanwhile would stay in the table if reading went on.
 */
static bool is_gone(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
           err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

/* Takes ownership of the message; false: we are closing. */
static bool take(ps_kafka_state *state, rd_kafka_message_t *message, uint32_t *left) {
    const uint32_t partition = served_by(state, message->partition);
    const rd_kafka_resp_err_t err = message->err;
    const int64_t offset = message->offset;
    bool goes = true;
    if (partition != PS_NOWHERE && err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const ps_kafka_chunk chunk = {message, partition, state->stand[partition].serving, false};
        goes = push(state, &chunk);
        if (!goes) rd_kafka_message_destroy(message);
        return goes;
    }
    if (partition != PS_NOWHERE && err == RD_KAFKA_RESP_ERR__PARTITION_EOF &&
        offset >= state->stand[partition].end) {
        goes = finish(state, partition, true, false);
        --*left;
    } else if (partition != PS_NOWHERE && is_gone(err)) {
        goes = finish(state, partition, true, true);
        --*left;
    } else if (err != RD_KAFKA_RESP_ERR__PARTITION_EOF && err != RD_KAFKA_RESP_ERR_NO_ERROR &&
               !ps_kafka_is_away(err)) {
        fail(state, "reading", err, rd_kafka_message_errstr(message));
        goes = false;
    }
    rd_kafka_message_destroy(message);
    return goes;
}

bool ps_kafka_state_stopping(ps_kafka_state *state) {
    pthread_mutex_lock(&state->mutex);
    const bool stop = state->stop || state->status != PS_OK;
    pthread_mutex_unlock(&state->mutex);
    return stop;
}

/* A batch is waited for until it is full or the time is over: the first message is waited for by
 * itself, so that the end of a partition is heard at once. */
static ssize_t gather(const ps_kafka_state *state, rd_kafka_message_t **messages) {
    messages[0] = rd_kafka_consume_queue(state->queue, TAKE_MS);
    if (messages[0] == NULL) return 0;
    const ssize_t more = rd_kafka_consume_batch_queue(state->queue, 0, messages + 1, TAKE_MAX - 1);
    return more > 0 ? more + 1 : 1;
}

static void read_chosen(ps_kafka_state *state, uint32_t left) {
    rd_kafka_message_t *messages[TAKE_MAX];
    ps_kafka_patience patience = {0, 0};
    while (left > 0 && !ps_kafka_state_stopping(state)) {
        const ssize_t count = gather(state, messages);
        bool goes = true;
        for (ssize_t i = 0; i < count; i++) {
            if (goes)
                goes = take(state, messages[i], &left);
            else
                rd_kafka_message_destroy(messages[i]);
        }
        if (!goes) break;
        if (count <= 0 && ps_kafka_patience_tell(&patience))
            ps_log(PS_LOG_WARNING, "sink kafka",
                   "still reading %s: %" PRIu32 " partitions left; a transaction may be open, or a "
                   "broker down",
                   state->sink->state_topic.name, left);
    }
    for (uint32_t p = 0; p < state->sink->env->partitions->count; p++) {
        if (state->stand[p].serving == 0) continue; /* interrupted */
        (void)rd_kafka_consume_stop(state->topic, (int32_t)within_of(state, p));
        state->stand[p].serving = 0;
    }
}

static void serve(ps_kafka_state *state) {
    const uint32_t count = state->sink->env->partitions->count;
    ps_kafka_patience patience = {0, 0};
    uint32_t left = 0;
    if (state->topic == NULL) {
        state->topic = rd_kafka_topic_new(state->sink->helper, state->sink->state_name, NULL);
        state->queue = rd_kafka_queue_new(state->sink->helper);
    }
    for (uint32_t p = 0; p < count; p++) {
        if (state->stand[p].serving == 0) continue;
        while (!ps_kafka_state_stopping(state) && !begin(state, p, &left)) {
            if (ps_kafka_patience_tell(&patience))
                ps_log(PS_LOG_WARNING, "sink kafka",
                       "for %lld s no broker at %s has said where %s/%" PRIu32 " begins and ends, "
                       "still trying: is the one up that leads it?",
                       ps_kafka_patience_s(&patience), ps_kafka_sink_brokers(state->sink),
                       state->sink->state_topic.name, within_of(state, p));
            pthread_mutex_lock(&state->mutex);
            ps_kafka_state_rest(state, 50);
            pthread_mutex_unlock(&state->mutex);
        }
    }
    read_chosen(state, left);
}

/* Many partitions take a broker a while to tell about: they are asked about less often. */
static void trim(ps_kafka_state *state) {
    const int64_t began_ns = ps_clock_ns();
    const bool answered = ps_kafka_trim(state);
    const int64_t ended_ns = ps_clock_ns(), pause_ns = (ended_ns - began_ns) * TRIM_SHARE;
    const int64_t least_ns = (answered ? TRIM_MS : TRIM_AGAIN_MS) * PS_NS_PER_MS;
    state->trim_due_ns = ended_ns + (pause_ns > least_ns ? pause_ns : least_ns);
}

void *ps_kafka_restore_main(void *argument) {
    ps_kafka_state *state = argument;
    (void)pthread_setname_np(pthread_self(), "kafka-state");
    pthread_mutex_lock(&state->mutex);
    while (!state->stop) {
        if (!state->work) {
            (void)pthread_cond_wait(&state->changed, &state->mutex);
            continue;
        }
        if (choose(state) > 0) {
            pthread_mutex_unlock(&state->mutex);
            serve(state);
            pthread_mutex_lock(&state->mutex);
            continue;
        }
        /* Rounds of a small table turn several times a second: deleting can wait. */
        const int64_t left_ns = state->trim_due_ns - ps_clock_ns();
        if (left_ns > 0 && !state->trims_now) {
            state->work = true;
            ps_kafka_state_rest(state, left_ns / PS_NS_PER_MS + 1);
            continue;
        }
        state->trims_now = false;
        state->trimmed_bytes = 0;
        pthread_mutex_unlock(&state->mutex);
        trim(state);
        pthread_mutex_lock(&state->mutex);
    }
    pthread_mutex_unlock(&state->mutex);
    if (state->queue != NULL) rd_kafka_queue_destroy(state->queue);
    if (state->topic != NULL) rd_kafka_topic_destroy(state->topic);
    return NULL;
}
