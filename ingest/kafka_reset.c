/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_reset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/clock.h"
#include "host/state/record.h"
#include "ingest/kafka_admin.h"

enum { STATE_CHUNK_BYTES = 64 * 1024 };

/* One run of the command. */
typedef struct job {
    const ps_reset_request *request;
    const ps_kafka_source_config *source;
    const ps_kafka_sink_config *sink;
    const char *group;
    char state_topic[300];
    ps_partitions partitions;
    ps_kafka_offset *from, *to; /* [partitions.count] */
    ps_kafka_offset *old;       /* [old_count] where the state that is to be forgotten ends */
    uint32_t old_count;
    rd_kafka_t *reader, *producer;
} job;

extern const ps_source ps_source_kafka;

static ps_status name_partitions(job *j, ps_error *error) {
    PS_TRY(ps_source_kafka.discover(j->source, &j->partitions, error));
    j->from = calloc(j->partitions.count, sizeof *j->from);
    j->to = calloc(j->partitions.count, sizeof *j->to);
    if (j->from == NULL || j->to == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory");
    for (uint32_t p = 0; p < j->partitions.count; p++) {
        uint32_t within;
        const uint32_t topic = ps_partitions_topic(&j->partitions, p, &within);
        (void)snprintf(j->from[p].topic, sizeof j->from[p].topic, "%s",
                       j->partitions.topic[topic].name);
        j->from[p].partition = (int32_t)within;
        j->from[p].offset = PS_OFFSET_NONE;
    }
    return ps_kafka_group_offsets(j->reader, j->group, j->from, j->partitions.count, error);
}

static bool is_for(const ps_reset_offset *offset, const ps_kafka_offset *place) {
    return offset->partition == place->partition &&
           (offset->topic == NULL || strcmp(offset->topic, place->topic) == 0);
}

/* The offset that the user gave for this partition, within what the topic has. */
static ps_status given(const job *j, ps_kafka_offset *to, int64_t low, int64_t high,
                       ps_error *error) {
    for (uint32_t i = 0; i < j->request->offset_count; i++) {
        const ps_reset_offset *offset = &j->request->offsets[i];
        if (!is_for(offset, to)) continue;
        if (offset->offset < low || offset->offset > high)
            return ps_fail(error, PS_BAD_CONFIG,
                           "%s/%d has offsets %" PRId64 " to %" PRId64 ", not %" PRId64, to->topic,
                           to->partition, low, high, offset->offset);
        to->offset = offset->offset;
    }
    return PS_OK;
}

/* A slip of the pen must not look like a reset that was done. */
static ps_status check_wishes(const job *j, ps_error *error) {
    for (uint32_t i = 0; i < j->request->offset_count; i++) {
        const ps_reset_offset *wish = &j->request->offsets[i];
        uint32_t met = 0;
        for (uint32_t p = 0; p < j->partitions.count; p++) met += is_for(wish, &j->from[p]);
        if (met > 0) continue;
        for (uint32_t t = 0; t < j->partitions.topic_count; t++)
            if (wish->topic == NULL || strcmp(wish->topic, j->partitions.topic[t].name) == 0)
                return ps_fail(error, PS_BAD_CONFIG,
                               "topic '%s' has no partition %d: it has %u, from 0 on; nothing was "
                               "moved",
                               j->partitions.topic[t].name, wish->partition,
                               j->partitions.topic[t].count);
        return ps_fail(error, PS_BAD_CONFIG,
                       "'%s' is no topic of this pipeline's source; nothing was moved",
                       wish->topic);
    }
    return PS_OK;
}

static ps_status choose(job *j, ps_error *error) {
    PS_TRY(check_wishes(j, error));
    for (uint32_t p = 0; p < j->partitions.count; p++) {
        int64_t low, high;
        j->to[p] = j->from[p];
        PS_TRY(
            ps_kafka_watermarks(j->reader, j->to[p].topic, j->to[p].partition, &low, &high, error));
        switch (j->request->to) {
        case PS_RESET_STAY:
            break;
        case PS_RESET_EARLIEST:
            j->to[p].offset = low;
            break;
        case PS_RESET_LATEST:
            j->to[p].offset = high;
            break;
        case PS_RESET_OFFSETS:
            PS_TRY(given(j, &j->to[p], low, high, error));
            break;
        }
    }
    return PS_OK;
}

/* Where a topic was made or widened a moment ago, not every broker knows it yet. */
static ps_status await_state(const job *j, uint32_t partitions, uint32_t *count, ps_error *error) {
    const struct timespec pause = {.tv_nsec = 50 * PS_NS_PER_MS};
    const int64_t until_ns = ps_clock_ns() + PS_KAFKA_ADMIN_MS * PS_NS_PER_MS;
    for (;;) {
        const ps_status status =
            ps_kafka_topic_partitions(j->reader, j->state_topic, PS_KAFKA_ADMIN_MS, count, error);
        const bool missing = status == PS_IO && *count == PS_NOWHERE;
        if (status == PS_OK && *count >= partitions) return PS_OK;
        if (status != PS_OK && status != PS_AGAIN && !missing) return status;
        if (ps_clock_ns() >= until_ns)
            return ps_fail(error, PS_IO, "the brokers do not show %u partitions of %s within %d s",
                           partitions, j->state_topic, PS_KAFKA_ADMIN_MS / 1000);
        (void)nanosleep(&pause, NULL);
    }
}

/* Every record that is in the state topic now is to go: histories begin anew. */
static ps_status note_old(job *j, uint32_t count, ps_error *error) {
    j->old = calloc(count, sizeof *j->old);
    if (j->old == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory");
    j->old_count = count;
    for (uint32_t p = 0; p < count; p++) {
        int64_t low, high;
        PS_TRY(ps_kafka_watermarks(j->reader, j->state_topic, (int32_t)p, &low, &high, error));
        (void)snprintf(j->old[p].topic, sizeof j->old[p].topic, "%.255s", j->state_topic);
        j->old[p].partition = (int32_t)p;
        j->old[p].offset = high;
    }
    return PS_OK;
}

/* The state topic, as wide as the source. In a source that has grown, keys come from other
 * partitions than before, where nobody would look for what was learned of them: state that is kept
 * is refused there. */
static ps_status prepare_state(job *j, ps_error *error) {
    uint32_t widest = 0, count;
    for (uint32_t t = 0; t < j->partitions.topic_count; t++)
        if (j->partitions.topic[t].count > widest) widest = j->partitions.topic[t].count;
    const ps_status there =
        ps_kafka_topic_partitions(j->reader, j->state_topic, PS_KAFKA_ADMIN_MS, &count, error);
    /* Asked for only where it is missing: who may not create one is refused even if it is there. */
    if (there == PS_IO && count == PS_NOWHERE)
        PS_TRY(ps_kafka_topic_create(j->reader, j->state_topic, widest, -1, error));
    PS_TRY(await_state(j, 1, &count, error));
    if (j->request->forget_state) PS_TRY(note_old(j, count, error));
    if (count >= widest) return PS_OK;
    if (!j->request->forget_state)
        return ps_fail(error, PS_BAD_CONFIG,
                       "state topic '%s' has %u partitions, the source %u: the source has grown, "
                       "and its series may have moved between partitions: add --state; nothing was "
                       "moved",
                       j->state_topic, count, widest);
    PS_TRY(ps_kafka_topic_widen(j->reader, j->state_topic, widest, error));
    return await_state(j, widest, &count, error);
}

/* Comes last: were it not to succeed, the same command again would do it, while state that is gone
 * could not be put back. */
static ps_status forget_state(const job *j, ps_error *error) {
    ps_error why;
    const ps_status status =
        ps_kafka_delete_records(j->reader, j->old, j->old_count, PS_KAFKA_ADMIN_MS, &why);
    if (status == PS_OK) return PS_OK;
    return ps_fail(error, PS_IO,
                   "the group stands where it should, but the old state is still there: %s; run "
                   "the same command again",
                   why.message);
}

static ps_status failed(rd_kafka_error_t *failure, const char *what, ps_error *error) {
    if (failure == NULL) return PS_OK;
    const char *reason = rd_kafka_error_string(failure);
    const size_t length = strlen(reason);
    const int shown = (int)(length > 0 && reason[length - 1] == '.' ? length - 1 : length);
    const ps_status status = ps_fail(error, PS_IO, "%s: %.*s%s; nothing was moved", what, shown,
                                     reason, ps_kafka_advice(rd_kafka_error_code(failure)));
    rd_kafka_error_destroy(failure);
    return status;
}

static rd_kafka_resp_err_t put_record(const job *j, uint32_t partition, uint8_t *record,
                                      size_t bytes) {
    const ps_kafka_offset *to = &j->to[partition];
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = j->state_topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = to->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)to->topic, strlen(to->topic)}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {record, bytes}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    rd_kafka_error_t *failure =
        rd_kafka_produceva(j->producer, parts, sizeof parts / sizeof *parts);
    if (failure == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return err;
}

/* A state record without entries says where each partition's state now stands. */
static ps_status stamp(const job *j, ps_error *error) {
    const ps_plan *plan = j->request->plan;
    ps_position *positions = calloc(j->partitions.count, sizeof *positions);
    void *memory = malloc(ps_state_writer_bytes(plan));
    uint8_t *chunk = malloc(STATE_CHUNK_BYTES);
    ps_status status = PS_OK;
    if (positions == NULL || memory == NULL || chunk == NULL) {
        status = ps_fail(error, PS_NO_MEMORY, "no memory");
    } else {
        ps_batch batch = {.schema = &plan->schema, .positions = positions};
        for (uint32_t p = 0; p < j->partitions.count; p++)
            if (j->to[p].offset != PS_OFFSET_NONE)
                positions[batch.position_count++] = (ps_position){p, j->to[p].offset};
        ps_state_writer *writer =
            ps_state_writer_open(memory, plan, &j->partitions, STATE_CHUNK_BYTES);
        ps_state_writer_begin(writer, &batch);
        size_t bytes;
        uint32_t partition;
        while (status == PS_OK && ps_state_writer_next(writer, chunk, &bytes, &partition)) {
            const rd_kafka_resp_err_t err = put_record(j, partition, chunk, bytes);
            if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
                status = ps_fail(error, PS_IO, "cannot write the state topic %s: %s",
                                 j->state_topic, rd_kafka_err2str(err));
        }
    }
    free(chunk);
    free(memory);
    free(positions);
    return status;
}

static ps_status send_offsets(const job *j, ps_error *error) {
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)j->partitions.count);
    for (uint32_t p = 0; p < j->partitions.count; p++)
        if (j->to[p].offset != PS_OFFSET_NONE)
            rd_kafka_topic_partition_list_add(list, j->to[p].topic, j->to[p].partition)->offset =
                j->to[p].offset;
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(j->group);
    rd_kafka_error_t *failure =
        list->cnt == 0
            ? NULL
            : rd_kafka_send_offsets_to_transaction(j->producer, list, metadata, PS_KAFKA_ADMIN_MS);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(list);
    return failed(failure, "cannot move the group's offsets", error);
}

static ps_status move(job *j, ps_error *error) {
    char id[300];
    (void)snprintf(id, sizeof id, "%s-reset", j->request->pipeline);
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_TRANSACTIONAL,
                                    .brokers = j->source->brokers,
                                    .inherited = &j->source->properties,
                                    .properties = j->sink != NULL ? &j->sink->properties : NULL,
                                    .transactional = id,
                                    .memory_bytes = 8 << 20};
    PS_TRY(ps_kafka_client_open(&recipe, &j->producer, error));
    PS_TRY(
        failed(rd_kafka_init_transactions(j->producer, PS_KAFKA_ADMIN_MS), "cannot begin", error));
    PS_TRY(failed(rd_kafka_begin_transaction(j->producer), "cannot begin", error));
    if (j->sink != NULL && j->request->plan->state_count > 0) PS_TRY(stamp(j, error));
    PS_TRY(send_offsets(j, error));
    return failed(rd_kafka_commit_transaction(j->producer, PS_KAFKA_ADMIN_MS), "cannot commit",
                  error);
}

static ps_status run(job *j, ps_error *error) {
    const ps_kafka_recipe recipe = {
        .role = PS_KAFKA_ADMIN, .brokers = j->source->brokers, .inherited = &j->source->properties};
    PS_TRY(ps_kafka_client_open(&recipe, &j->reader, error));
    PS_TRY(ps_kafka_group_empty(j->reader, j->group, error));
    PS_TRY(name_partitions(j, error));
    PS_TRY(choose(j, error));
    const bool stateful = j->sink != NULL && j->request->plan->state_count > 0;
    if (stateful) PS_TRY(prepare_state(j, error));
    PS_TRY(move(j, error));
    return stateful && j->request->forget_state ? forget_state(j, error) : PS_OK;
}

ps_status ps_kafka_reset(const ps_reset_request *request, ps_reset_told *told, void *context,
                         ps_error *error) {
    job j = {.request = request, .source = request->source_config, .sink = request->sink_config};
    j.group = j.source->group != NULL ? j.source->group : request->pipeline;
    (void)snprintf(j.state_topic, sizeof j.state_topic, "%s.state", request->pipeline);
    const ps_status status = run(&j, error);
    for (uint32_t p = 0; status == PS_OK && p < j.partitions.count; p++)
        if (j.to[p].offset != PS_OFFSET_NONE)
            told(context, j.to[p].topic, j.to[p].partition, j.from[p].offset, j.to[p].offset);
    if (j.producer != NULL) ps_kafka_client_close(j.producer);
    if (j.reader != NULL) ps_kafka_client_close(j.reader);
    free(j.from);
    free(j.to);
    free(j.old);
    return status;
}
