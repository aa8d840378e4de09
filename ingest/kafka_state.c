/* SPDX-License-Identifier: Apache-2.0
 * The lane's side of the state topic: what each batch did to the state goes out in the same
 * transaction, and what was written comes back in order when a partition arrives.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/base/siphash.h"
#include "ingest/kafka_state_parts.h"
#include "ingest/parts.h"

static void open_writer(ps_kafka_state *state) {
    ps_kafka_sink *sink = state->sink;
    const uint32_t most = sink->state_topic.bytes_max;
    /* A record batch has its own header beside the record. */
    state->chunk_bytes = PS_KAFKA_CHUNK_BYTES;
    if (most > 0 && most < PS_KAFKA_CHUNK_BYTES + 1024) state->chunk_bytes = most - 1024;
    if (most > 0 && most < 8192) state->chunk_bytes = 8192; /* refused by name when it matters */
    state->writer = ps_state_writer_open(state->memory, sink->env->plan, sink->env->partitions,
                                         state->chunk_bytes);
}

size_t ps_kafka_state_bytes(const ps_plan *plan) {
    /* The writer, one chunk, what a restore reads ahead, a stand per partition. */
    return ps_state_writer_bytes(plan) + PS_KAFKA_CHUNK_BYTES + PS_KAFKA_AHEAD_BYTES;
}

size_t ps_kafka_state_restores(const ps_lane_env *env) {
    return PS_KAFKA_ROUNDS_MAX *
           (ps_state_round_bytes(env->plan, env->lanes) + env->lanes * (size_t)PS_KAFKA_TRIM_BYTES);
}

ps_status ps_kafka_state_open(ps_kafka_sink *sink, ps_error *error) {
    ps_kafka_state *state = calloc(1, sizeof *state);
    if (state == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for state records");
    sink->state = state;
    state->sink = sink;
    const size_t count = sink->env->partitions->count + 1;
    state->stand = calloc(count, sizeof *state->stand);
    state->memory = aligned_alloc(64, (ps_state_writer_bytes(sink->env->plan) + 63) & ~(size_t)63);
    state->chunk = malloc(PS_KAFKA_CHUNK_BYTES);
    (void)pthread_mutex_init(&state->mutex, NULL);
    (void)pthread_cond_init(&state->changed, NULL);
    if (state->stand == NULL || state->memory == NULL || state->chunk == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for state records");
    for (size_t p = 0; p < count; p++) {
        state->stand[p].oldest = state->stand[p].floor = -1;
        for (size_t i = 0; i < 3; i++) state->stand[p].point[i] = -1;
    }
    state->thread_started = pthread_create(&state->thread, NULL, ps_kafka_restore_main, state) == 0;
    if (state->thread_started) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
}

void ps_kafka_state_close(ps_kafka_sink *sink) {
    ps_kafka_state *state = sink->state;
    if (state == NULL) return;
    if (state->thread_started) {
        pthread_mutex_lock(&state->mutex);
        state->stop = true;
        (void)pthread_cond_broadcast(&state->changed);
        pthread_mutex_unlock(&state->mutex);
        (void)pthread_join(state->thread, NULL);
    }
    for (uint32_t i = 0; i < state->ahead_count; i++) {
        const uint32_t at = (state->ahead_first + i) % PS_KAFKA_AHEAD_MAX;
        if (state->ahead[at].message != NULL) rd_kafka_message_destroy(state->ahead[at].message);
    }
    (void)pthread_mutex_destroy(&state->mutex);
    (void)pthread_cond_destroy(&state->changed);
    for (uint32_t p = 0; state->stand != NULL && p < sink->env->partitions->count; p++)
        ps_state_sets_deinit(&state->stand[p].sets);
    free(state->stand);
    free(state->memory);
    free(state->chunk);
    free(state);
    sink->state = NULL;
}

/* A sweep round that begins makes older records superfluous, in time: once it is committed. Rounds
 * of a transaction that is aborted say nothing again, however many they are. The one that a
 * partition is given in the middle of began, for it, where its reading ended. */
static void note_round(ps_kafka_state *state, uint32_t partition, int64_t round) {
    ps_kafka_stand *stand = &state->stand[partition];
    if (stand->round == round) return;
    const bool first = stand->round == INT64_MIN;
    stand->round = round;
    if (first) return;
    pthread_mutex_lock(&state->mutex);
    stand->begins = state->begins = true;
    pthread_mutex_unlock(&state->mutex);
}

/* What was emitted so far is committed, or will never be. */
static void settle_rounds(ps_kafka_state *state, bool committed) {
    pthread_mutex_lock(&state->mutex);
    for (uint32_t p = 0; state->begins && p < state->sink->env->partitions->count; p++) {
        ps_kafka_stand *stand = &state->stand[p];
        stand->turned = stand->turned || (stand->begins && committed);
        stand->begins = false;
    }
    state->work = state->work || (state->begins && committed);
    if (committed) state->trimmed_bytes += state->emitted_bytes;
    if (state->work && state->trimmed_bytes >= PS_KAFKA_TRIM_BYTES) state->trims_now = true;
    if (state->work && committed) (void)pthread_cond_signal(&state->changed);
    state->begins = false;
    state->emitted_bytes = 0;
    pthread_mutex_unlock(&state->mutex);
}

void ps_kafka_state_committed(ps_kafka_sink *sink) {
    if (sink->state != NULL) settle_rounds(sink->state, true);
}

/* What a partition is besides its number: a file's path. */
static uint64_t origin_of(const ps_lane_env *env, uint32_t partition) {
    static const uint64_t key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    uint64_t name[2];
    if (env->source != &ps_source_file) return 0;
    const char *path = ps_source_file_path(env->source_self, partition);
    ps_siphash128((const uint8_t *)path, (uint32_t)strlen(path), key, name);
    return name[0];
}

static ps_status send_chunk(ps_kafka_state *state, ps_error *error) {
    ps_kafka_sink *sink = state->sink;
    uint32_t within;
    (void)ps_partitions_topic(sink->env->partitions, state->held_partition, &within);
    const ps_kafka_output output = {
        .topic = &sink->state_topic,
        .partition = (int32_t)within,
        .copied = true,
        .key = {NULL, PS_NULL_LENGTH},
        .value = {state->chunk, (uint32_t)state->held_bytes},
        .timestamp_ms = -1,
        .tag = PS_KAFKA_ROW_STATE,
        .unacknowledged = &sink->states_unacknowledged,
    };
    const ps_status status = sink->way->send(sink, &output, error);
    if (status != PS_UNSUPPORTED) return status;
    return ps_fail(error, PS_IO,
                   "state topic %s does not take a record of %zu bytes: raise its "
                   "max.message.bytes",
                   sink->state_topic.name, state->held_bytes);
}

/* What the writer has begun on, to its end. */
static ps_status go_on(ps_kafka_state *state, int64_t sweep_round, ps_error *error) {
    ps_kafka_sink *sink = state->sink;
    for (;;) {
        if (!state->held && !ps_state_writer_next(state->writer, state->chunk, &state->held_bytes,
                                                  &state->held_partition))
            break;
        state->held = true;
        ps_state_origin(state->chunk, origin_of(sink->env, state->held_partition));
        note_round(state, state->held_partition, sweep_round);
        PS_TRY(send_chunk(state, error));
        state->held = false;
        ps_count(&sink->env->metrics->state_bytes_written, state->held_bytes);
        state->emitted_bytes += state->held_bytes;
    }
    state->begun = false;
    return PS_OK;
}

ps_status ps_kafka_state_emit(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) {
    ps_kafka_state *state = sink->state;
    if (state->writer == NULL) open_writer(state);
    if (!state->begun) ps_state_writer_begin(state->writer, batch);
    state->begun = true;
    return go_on(state, batch->sweep_round, error);
}

ps_status ps_kafka_state_emit_delta(ps_kafka_sink *sink, const ps_state_delta *delta,
                                    ps_error *error) {
    ps_kafka_state *state = sink->state;
    if (state->writer == NULL) open_writer(state);
    if (!state->begun) ps_state_writer_begin_delta(state->writer, delta);
    state->begun = true;
    return go_on(state, delta->sweep_round, error);
}

void ps_kafka_state_undo(ps_kafka_sink *sink) {
    if (sink->state == NULL) return;
    sink->state->begun = sink->state->held = false;
    settle_rounds(sink->state, false);
}

/* A state record that is not of this plan: what differs, and what to do. */
static ps_status of_another(const ps_lane_env *env, uint32_t partition,
                            const ps_state_header *header, ps_error *error) {
    const uint64_t origin = origin_of(env, partition);
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(env->partitions, partition, &within);
    const char *name = env->partitions->topic[topic].name;
    const char *policy = ps_state_policy(header->format);
    if (header->fingerprint == (env->plan->other_policy ^ origin))
        return ps_fail(error, PS_BAD_CONFIG,
                       "the state of %s/%" PRIu32 " is kept by policy %s, and this plan's would "
                       "not be: go on with it by `runtime: {state: %s}`, or %s",
                       name, within, policy, policy,
                       origin != 0 ? "give this job a `pipeline` name of its own"
                                   : "start with empty state by `penstock reset FILE --state`");
    if (origin != 0)
        return ps_fail(error, PS_BAD_CONFIG,
                       "the state that '%s' keeps in its topic is of other files or other stages "
                       "than %.200s: a list of files may not change while its job is under way; "
                       "give this job a `pipeline` name of its own",
                       env->pipeline, ps_source_file_path(env->source_self, partition));
    return ps_fail(error, PS_BAD_CONFIG,
                   "the state of %s/%" PRIu32 " was written by another pipeline (stages, fields or "
                   "their parameters differ): go back to that one, or start with empty state by "
                   "`penstock reset FILE --state`",
                   name, within);
}

static ps_status apply_chunk(ps_kafka_state *state, const ps_kafka_chunk *chunk,
                             ps_state_apply *apply, void *context, ps_error *error) {
    const ps_lane_env *env = state->sink->env;
    ps_kafka_stand *stand = &state->stand[chunk->partition];
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(env->partitions, chunk->partition, &within);
    const char *name = env->partitions->topic[topic].name;
    const uint8_t *data = chunk->message->payload;
    ps_state_header header;
    PS_TRY(ps_state_parse(data, chunk->message->len, &header, error));
    /* Source topics share the state topic's partitions. */
    if (header.within != (int32_t)within || header.topic.length != strlen(name) ||
        memcmp(header.topic.data, name, header.topic.length) != 0)
        return PS_OK;
    if (header.fingerprint != (env->plan->fingerprint ^ origin_of(env, chunk->partition)))
        return of_another(env, chunk->partition, &header, error);
    if (stand->first == PS_OFFSET_NONE) stand->first = chunk->message->offset;
    bool whole;
    const bool counts = ps_state_sets_take(&stand->sets, &header, chunk->message->offset, &whole);
    const int64_t place = stand->sets.first - stand->first;
    header.place = place < UINT32_MAX ? (uint32_t)place : UINT32_MAX - 1;
    if (counts) ps_state_apply_chunk(data, &header, chunk->partition, apply, context);
    if (whole) stand->watermark = header.watermark;
    return PS_OK;
}

static bool take_chunk(ps_kafka_state *state, ps_kafka_chunk *out) {
    pthread_mutex_lock(&state->mutex);
    const bool any = state->ahead_count > 0;
    if (any) {
        *out = state->ahead[state->ahead_first];
        state->ahead_first = (state->ahead_first + 1) % PS_KAFKA_AHEAD_MAX;
        state->ahead_count--;
        if (out->message != NULL) state->ahead_bytes -= out->message->len;
        (void)pthread_cond_broadcast(&state->changed);
    }
    pthread_mutex_unlock(&state->mutex);
    return any;
}

static ps_status take_chunks(ps_kafka_state *state, ps_state_apply *apply, void *context,
                             ps_error *error) {
    ps_kafka_chunk chunk;
    while (take_chunk(state, &chunk)) {
        ps_kafka_stand *stand = &state->stand[chunk.partition];
        const bool fits = stand->reading == PS_KAFKA_ASKING && stand->asking == chunk.asking;
        ps_status status = PS_OK;
        if (fits && chunk.message == NULL) stand->reading = PS_KAFKA_READ;
        if (fits && chunk.again) stand->sets.again = true;
        if (fits && chunk.message != NULL)
            status = apply_chunk(state, &chunk, apply, context, error);
        if (chunk.message != NULL) {
            ps_count(&state->sink->env->metrics->state_bytes_read, chunk.message->len);
            rd_kafka_message_destroy(chunk.message);
        }
        PS_TRY(status);
    }
    return PS_OK;
}

static ps_status failure_of(ps_kafka_state *state, ps_error *error) {
    pthread_mutex_lock(&state->mutex);
    const ps_status status = state->status;
    if (status != PS_OK && error != NULL) *error = state->error;
    pthread_mutex_unlock(&state->mutex);
    return status;
}

ps_status ps_kafka_state_restore(ps_kafka_sink *sink, uint32_t partition, ps_state_apply *apply,
                                 void *context, int64_t *next, ps_error *error) {
    ps_kafka_state *state = sink->state;
    ps_kafka_stand *stand = &state->stand[partition];
    if (state->writer == NULL) open_writer(state);
    PS_TRY(failure_of(state, error));
    if (stand->reading == PS_KAFKA_IDLE) {
        stand->reading = PS_KAFKA_ASKING;
        stand->watermark = PS_OFFSET_NONE;
        ps_state_sets_begin(&stand->sets);
        stand->round = INT64_MIN;
        stand->first = PS_OFFSET_NONE;
        pthread_mutex_lock(&state->mutex);
        stand->wanted = ++stand->asking;
        stand->turned = false;
        stand->oldest = -1;
        state->work = true;
        (void)pthread_cond_broadcast(&state->changed);
        pthread_mutex_unlock(&state->mutex);
        return PS_AGAIN;
    }
    PS_TRY(take_chunks(state, apply, context, error));
    if (stand->reading != PS_KAFKA_READ) return PS_AGAIN;
    stand->reading = PS_KAFKA_IDLE;
    const ps_status counts = ps_state_sets_end(&stand->sets);
    if (counts == PS_NO_MEMORY) return ps_fail(error, counts, "no memory for state records");
    if (counts != PS_OK) return PS_ABORTED;
    *next = stand->watermark;
    ps_state_writer_watermark(state->writer, partition, stand->watermark);
    return PS_OK;
}

void ps_kafka_state_restored(ps_kafka_sink *sink, uint32_t partition, uint32_t oldest) {
    ps_kafka_state *state = sink->state;
    ps_kafka_stand *stand = &state->stand[partition];
    if (oldest == UINT32_MAX || stand->first == PS_OFFSET_NONE) return;
    pthread_mutex_lock(&state->mutex);
    stand->oldest = stand->first + oldest;
    state->work = state->trims_now = true;
    (void)pthread_cond_signal(&state->changed);
    pthread_mutex_unlock(&state->mutex);
}

void ps_kafka_state_forget(ps_kafka_sink *sink, uint32_t partition) {
    ps_kafka_state *state = sink->state;
    if (state == NULL) return;
    state->stand[partition].reading = PS_KAFKA_IDLE;
    if (state->writer != NULL) ps_state_writer_watermark(state->writer, partition, PS_OFFSET_NONE);
    pthread_mutex_lock(&state->mutex);
    state->stand[partition].wanted = 0;
    state->stand[partition].turned = false;
    state->stand[partition].oldest = -1;
    pthread_mutex_unlock(&state->mutex);
}
