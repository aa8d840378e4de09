/* SPDX-License-Identifier: Apache-2.0
 * The lane's side of the topic of the logs.
 */
#include "ingest/kafka_seal.h"

#include <stdlib.h>

#include "host/base/clock.h"
#include "ingest/kafka_sink_calls.h"

ps_status ps_kafka_seal_open(ps_kafka_sink *sink, ps_error *error) {
    ps_kafka_seal *seal = calloc(1, sizeof *seal);
    if (seal == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    sink->seal = seal;
    seal->sink = sink;
    seal->sealer = sink->env->plan->seal.sealer;
    seal->self = sink->env->sealer_self;
    seal->reading = PS_NOWHERE;
    seal->stand = calloc(sink->env->partitions->count + 1, sizeof *seal->stand);
    seal->held = calloc(sink->env->partitions->count + 1, sizeof *seal->held);
    (void)pthread_mutex_init(&seal->mutex, NULL);
    (void)pthread_cond_init(&seal->changed, NULL);
    if (seal->stand == NULL || seal->held == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    for (uint32_t p = 0; p < sink->env->partitions->count; p++) seal->held[p] = PS_OFFSET_NONE;
    seal->thread_started = pthread_create(&seal->thread, NULL, ps_kafka_sealed_main, seal) == 0;
    if (seal->thread_started) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
}

void ps_kafka_seal_close(ps_kafka_sink *sink) {
    ps_kafka_seal *seal = sink->seal;
    if (seal == NULL) return;
    if (seal->thread_started) {
        pthread_mutex_lock(&seal->mutex);
        seal->stop = true;
        (void)pthread_cond_signal(&seal->changed);
        pthread_mutex_unlock(&seal->mutex);
        (void)pthread_join(seal->thread, NULL);
    }
    (void)pthread_mutex_destroy(&seal->mutex);
    (void)pthread_cond_destroy(&seal->changed);
    free(seal->stand);
    free(seal->held);
    free(seal);
    sink->seal = NULL;
}

static ps_status send_one(ps_kafka_seal *seal, const ps_sealed *record, ps_error *error) {
    ps_kafka_sink *sink = seal->sink;
    uint32_t within;
    (void)ps_partitions_topic(sink->env->partitions, record->partition, &within);
    const ps_kafka_output output = {
        .topic = &sink->seal_topic,
        .partition = (int32_t)within,
        .copied = true,
        .key = record->key,
        .value = record->value,
        .timestamp_ms = -1,
        .tag = PS_KAFKA_ROW_STATE,
        .unacknowledged = &sink->states_unacknowledged,
    };
    const ps_status status = sink->way->send(sink, &output, error);
    if (status != PS_UNSUPPORTED) return status;
    return ps_fail(error, PS_IO,
                   "seal topic %s does not take a record of %u bytes: raise its max.message.bytes",
                   sink->seal_topic.name, record->value.length);
}

static ps_status send_all(ps_kafka_seal *seal, bool closing, ps_error *error) {
    ps_sealed record;
    while (seal->sealer->next(seal->self, closing, &record)) {
        PS_TRY(send_one(seal, &record, error));
        seal->sealer->taken(seal->self);
    }
    return PS_OK;
}

ps_status ps_kafka_seal_batch(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    ps_kafka_seal *seal = sink->seal;
    ps_status status = PS_AGAIN;
    if (seal->since_ns == 0) seal->since_ns = ps_clock_ns();
    while (status == PS_AGAIN) {
        status = seal->sealer->rows(seal->self, batch, error);
        if (status != PS_OK && status != PS_AGAIN) return status;
        ps_sealed record;
        const bool any = seal->sealer->next(seal->self, false, &record);
        PS_TRY(send_all(seal, false, error));
        if (!any) break; /* files are waited for, if anything is */
    }
    return status;
}

ps_status ps_kafka_seal_end(ps_kafka_sink *sink, ps_error *error) {
    return sink->seal == NULL ? PS_OK : send_all(sink->seal, true, error);
}

void ps_kafka_seal_committed(ps_kafka_sink *sink, uint64_t ticket) {
    ps_kafka_seal *seal = sink->seal;
    if (seal == NULL || ticket <= seal->committed) return;
    seal->committed = ticket;
    seal->since_ns = 0;
    seal->sealer->committed(seal->self);
}

void ps_kafka_seal_undo(ps_kafka_sink *sink) {
    ps_kafka_seal *seal = sink->seal;
    if (seal == NULL) return;
    seal->sealer->undo(seal->self);
    seal->sealing = PS_KAFKA_SEAL_TAKES;
    seal->since_ns = 0;
    for (uint32_t p = 0; p < sink->env->partitions->count; p++) seal->held[p] = PS_OFFSET_NONE;
}

void ps_kafka_seal_hold(ps_kafka_sink *sink, const ps_batch *batch) {
    for (uint32_t i = 0; i < batch->position_count; i++) {
        const ps_position *position = &batch->positions[i];
        int64_t *held = &sink->seal->held[position->partition];
        if (position->next > *held) *held = position->next;
    }
}

static void let_go(ps_kafka_seal *seal) {
    seal->sealer->committed(seal->self);
    for (uint32_t p = 0; p < seal->sink->env->partitions->count; p++) {
        const ps_position position = {p, seal->held[p]};
        if (position.next != PS_OFFSET_NONE) ps_kafka_positions_add(seal->sink, &position, 1);
        seal->held[p] = PS_OFFSET_NONE;
    }
    seal->sealing = PS_KAFKA_SEAL_TAKES;
    seal->since_ns = 0;
}

ps_status ps_kafka_seal_carry(ps_kafka_sink *sink, bool last, int64_t *ask_again_ns,
                              ps_error *error) {
    ps_kafka_seal *seal = sink->seal;
    const int64_t now_ns = ps_clock_ns(),
                  due_ns = seal->since_ns + sink->config->commit_interval_ns;
    if (seal->since_ns == 0) return PS_OK;
    if (seal->sealing == PS_KAFKA_SEAL_TAKES && (last || now_ns >= due_ns))
        seal->sealing = PS_KAFKA_SEAL_ENDS;
    if (seal->sealing == PS_KAFKA_SEAL_TAKES && due_ns < *ask_again_ns) *ask_again_ns = due_ns;
    const bool out = !sink->cursor.begun && sink->acknowledged == sink->last_ticket;
    if (seal->sealing == PS_KAFKA_SEAL_ENDS && out) {
        const ps_status ended = ps_kafka_seal_end(sink, error);
        if (ended == PS_AGAIN && now_ns + PS_NS_PER_MS < *ask_again_ns)
            *ask_again_ns = now_ns + PS_NS_PER_MS;
        if (ended != PS_OK) return ended == PS_AGAIN ? PS_OK : ended;
        seal->sealing = PS_KAFKA_SEAL_WAITS;
    }
    if (seal->sealing == PS_KAFKA_SEAL_WAITS && sink->states_unacknowledged == 0) let_go(seal);
    return PS_OK;
}

static ps_status failure_of(ps_kafka_seal *seal, ps_error *error) {
    pthread_mutex_lock(&seal->mutex);
    const ps_status status = seal->status;
    if (status != PS_OK && error != NULL) *error = seal->error;
    pthread_mutex_unlock(&seal->mutex);
    return status;
}

/* The one that is behind, for the lane to compare with what the group has committed. A log that is
 * empty may begin where the state stands. */
static int64_t agreed(const ps_kafka_seal *seal, uint32_t partition) {
    int64_t sealed = PS_OFFSET_NONE;
    const int64_t state = seal->stand[partition].state_next;
    if (!seal->sealer->stands(seal->self, partition, &sealed))
        return seal->sink->keeps_state ? state : PS_OFFSET_NONE;
    if (!seal->sink->keeps_state) return sealed;
    return state < sealed ? state : sealed;
}

static ps_status ask(ps_kafka_seal *seal, uint32_t partition, ps_error *error) {
    pthread_mutex_lock(&seal->mutex);
    const ps_status status = seal->sealer->begin(seal->self, partition, error);
    if (status == PS_OK) {
        seal->stand[partition].wanted = true;
        seal->stand[partition].ready = false;
        (void)pthread_cond_signal(&seal->changed);
    }
    pthread_mutex_unlock(&seal->mutex);
    return status;
}

static bool is_ready(ps_kafka_seal *seal, uint32_t partition) {
    pthread_mutex_lock(&seal->mutex);
    const bool ready = seal->stand[partition].ready;
    pthread_mutex_unlock(&seal->mutex);
    return ready;
}

ps_status ps_kafka_seal_restore(ps_kafka_sink *sink, uint32_t partition, ps_state_apply *apply,
                                void *context, int64_t *next, ps_error *error) {
    ps_kafka_seal *seal = sink->seal;
    ps_kafka_sealed_stand *stand = &seal->stand[partition];
    PS_TRY(failure_of(seal, error));
    switch (stand->phase) {
    case PS_KAFKA_SEALED_IDLE:
        stand->phase = PS_KAFKA_SEALED_STATE;
        stand->state_next = PS_OFFSET_NONE;
        /* fall through */
    case PS_KAFKA_SEALED_STATE:
        if (sink->keeps_state)
            PS_TRY(
                ps_kafka_state_restore(sink, partition, apply, context, &stand->state_next, error));
        stand->phase = PS_KAFKA_SEALED_BEGIN;
        /* fall through */
    case PS_KAFKA_SEALED_BEGIN:
        PS_TRY(ask(seal, partition, error));
        stand->phase = PS_KAFKA_SEALED_ASKED;
        return PS_AGAIN;
    case PS_KAFKA_SEALED_ASKED:
        break;
    }
    if (!is_ready(seal, partition)) return PS_AGAIN;
    stand->phase = PS_KAFKA_SEALED_IDLE;
    *next = agreed(seal, partition);
    return PS_OK;
}

void ps_kafka_seal_forget(ps_kafka_sink *sink, uint32_t partition) {
    ps_kafka_seal *seal = sink->seal;
    if (seal == NULL) return;
    pthread_mutex_lock(&seal->mutex);
    seal->stand[partition].phase = PS_KAFKA_SEALED_IDLE;
    seal->stand[partition].wanted = seal->stand[partition].ready = false;
    if (seal->reading == partition) seal->reading = PS_NOWHERE;
    seal->sealer->forget(seal->self, partition);
    pthread_mutex_unlock(&seal->mutex);
}
