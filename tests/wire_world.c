/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "host/base/check.h"
#include "ingest/wire/batch.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/crc.h"
#include "ingest/wire/error.h"
#include "ingest/wire/layout.h"

static ps_bytes text(const char *of) {
    return (ps_bytes){(const uint8_t *)of, (uint32_t)strlen(of)};
}

/* ---- logs ---- */

static uint8_t *put_varint(uint8_t *to, int64_t value) {
    return ps_wire_put_unsigned(to, ps_wire_zigzag(value));
}

static uint8_t *put_text(uint8_t *to, const char *of, size_t length) {
    to = put_varint(to, (int64_t)length);
    memcpy(to, of, length);
    return to + length;
}

static size_t put_record(uint8_t *to, int64_t base, uint32_t delta, uint32_t value_bytes) {
    char key[32], value[4096];
    (void)snprintf(key, sizeof key, "k%lld", (long long)base + delta);
    (void)snprintf(value, sizeof value, "v%lld", (long long)base + delta);
    size_t length = strlen(value);
    if (value_bytes > length) memset(value + length, '.', value_bytes - length);
    if (value_bytes > length) length = value_bytes;
    uint8_t body[5000], *at = body;
    *at++ = 0;
    at = put_varint(at, delta); /* milliseconds */
    at = put_varint(at, delta);
    at = put_text(at, key, strlen(key));
    at = put_text(at, value, length);
    at = put_varint(at, 1);
    at = put_text(at, "h", 1);
    at = put_varint(at, -1);
    uint8_t *end = put_varint(to, at - body);
    memcpy(end, body, (size_t)(at - body));
    return (size_t)(end - to) + (size_t)(at - body);
}

static size_t put_marker(uint8_t *to, bool commit) {
    const uint8_t body[] = {0, 0, 0, 8, 0, 0, 0, commit, 12, 0, 0, 0, 0, 0, 0, 0};
    uint8_t *end = put_varint(to, sizeof body);
    memcpy(end, body, sizeof body);
    return (size_t)(end - to) + sizeof body;
}

static void put_header(uint8_t *to, const wire_log *log, const wire_make *make, size_t bytes,
                       uint32_t count) {
    memset(to, 0, PS_WIRE_BATCH_HEADER);
    ps_wire_put64(to, log->end);
    ps_wire_put32(to + 8, (int32_t)(bytes - 12));
    ps_wire_put32(to + 12, log->epoch);
    to[16] = 2;
    int16_t attributes = make->codec;
    if (make->transactional) attributes |= PS_WIRE_TRANSACTIONAL;
    if (make->abort || make->commit) attributes |= PS_WIRE_CONTROL_BATCH;
    ps_wire_put16(to + 21, attributes);
    ps_wire_put32(to + 23, (int32_t)count - 1);
    ps_wire_put64(to + 27, 1000);
    ps_wire_put64(to + 35, 1000 + count);
    ps_wire_put64(to + 43, make->producer_id);
    ps_wire_put32(to + 57, (int32_t)count);
    ps_wire_put32(to + 17, (int32_t)ps_wire_crc(to + 21, bytes - 21));
}

void wire_append(wire_world *world, int32_t partition, const wire_make *make) {
    wire_log *log = &world->logs[partition];
    const bool marker = make->abort || make->commit;
    const uint32_t count = marker ? 1 : make->count;
    uint8_t *const to = log->bytes + log->used, *const records = to + PS_WIRE_BATCH_HEADER;
    size_t bytes = 0;
    if (marker) bytes = put_marker(records, make->commit);
    for (uint32_t i = 0; i < count && !marker; i++)
        bytes += put_record(records + bytes, log->end, i, make->value_bytes);
    if (make->codec == PS_WIRE_ZSTD) {
        uint8_t *packed = malloc(ZSTD_compressBound(bytes));
        bytes = ZSTD_compress(packed, ZSTD_compressBound(bytes), records, bytes, 1);
        memcpy(records, packed, bytes);
        free(packed);
    }
    put_header(to, log, make, PS_WIRE_BATCH_HEADER + bytes, count);
    log->used += PS_WIRE_BATCH_HEADER + bytes;
    log->end += count;
    PS_CHECK(log->used < WIRE_LOG_BYTES);
}

/* Batches from the one that has this offset on, whole ones up to `most`, at least one. */
static ps_bytes from_offset(const wire_log *log, int64_t offset, uint32_t most) {
    const ps_bytes all = {log->bytes, (uint32_t)log->used};
    uint32_t at = 0, begin = UINT32_MAX, end = 0;
    ps_wire_batch batch;
    for (uint32_t before = 0; ps_wire_batch_next(all, &at, &batch, NULL) == PS_OK; before = at) {
        if (batch.base_offset + batch.last_offset_delta < offset) continue;
        if (begin == UINT32_MAX) begin = before;
        if (end > 0 && at - begin > most) break;
        end = at;
    }
    if (begin == UINT32_MAX) return (ps_bytes){NULL, 0};
    const uint32_t cut = end == log->used ? (uint32_t)log->cut : 0;
    return (ps_bytes){log->bytes + begin, end - begin - cut};
}

/* ---- answers ---- */

static void metadata(wire_world *world, wire_question *question) {
    ps_wire_metadata_response *answer = question->answer;
    ps_wire_metadata_response_metadata_response_broker *brokers =
        wire_memory(question, WIRE_NODES * sizeof *brokers);
    int32_t used = 0;
    for (int i = 0; i < WIRE_NODES; i++) {
        if (world->brokers[i] == NULL) continue;
        brokers[used].node_id = i + 1;
        brokers[used].host = text("127.0.0.1");
        brokers[used].rack.length = PS_NULL_LENGTH;
        brokers[used++].port = wire_broker_port(world->brokers[i]);
    }
    ps_wire_metadata_response_metadata_response_topic *topic = wire_memory(question, sizeof *topic);
    ps_wire_metadata_response_metadata_response_partition *partitions =
        wire_memory(question, WIRE_PARTITIONS * sizeof *partitions);
    const bool stale = world->metadata_stale > 0;
    for (int32_t p = 0; p < world->partitions; p++) {
        const wire_log *log = &world->logs[p];
        partitions[p].partition_index = p;
        partitions[p].leader_id = stale ? world->stale_leader : log->leader;
        partitions[p].leader_epoch = log->epoch - stale;
    }
    if (stale) world->metadata_stale--;
    topic->error_code = world->topic_error;
    topic->name = text(world->topic);
    memcpy(topic->topic_id, world->id, sizeof topic->topic_id);
    topic->partitions = partitions;
    topic->partitions_count = world->topic_error == 0 ? world->partitions : 0;
    answer->brokers = brokers;
    answer->brokers_count = used;
    answer->cluster_id.length = PS_NULL_LENGTH;
    answer->topics = topic;
    answer->topics_count = 1;
}

static void coordinator(wire_world *world, wire_question *question) {
    const ps_wire_find_coordinator_request *request = question->request;
    ps_wire_find_coordinator_response *answer = question->answer;
    ps_wire_find_coordinator_response_coordinator *one = wire_memory(question, sizeof *one);
    one->key = request->coordinator_keys[0];
    one->node_id = world->coordinator;
    one->host = text("127.0.0.1");
    one->error_message.length = PS_NULL_LENGTH;
    one->error_code = world->coordinator == 0 ? PS_WIRE_ERROR_COORDINATOR_NOT_AVAILABLE : 0;
    if (world->coordinator > 0)
        one->port = wire_broker_port(world->brokers[world->coordinator - 1]);
    answer->coordinators = one;
    answer->coordinators_count = 1;
}

static void list_offsets(wire_world *world, wire_question *question) {
    const ps_wire_list_offsets_request *request = question->request;
    ps_wire_list_offsets_response *answer = question->answer;
    ps_wire_list_offsets_response_list_offsets_topic_response *topic =
        wire_memory(question, sizeof *topic);
    ps_wire_list_offsets_response_list_offsets_partition_response *to =
        wire_memory(question, WIRE_PARTITIONS * sizeof *to);
    topic->name = text(world->topic);
    topic->partitions = to;
    for (int32_t i = 0; i < request->topics[0].partitions_count; i++) {
        const ps_wire_list_offsets_request_list_offsets_partition *from =
            &request->topics[0].partitions[i];
        const wire_log *log = &world->logs[from->partition_index];
        to[i].partition_index = from->partition_index;
        to[i].error_code = log->leader == question->node ? 0 : 6;
        const int64_t stable = log->stable >= 0 ? log->stable : log->end;
        to[i].offset =
            from->timestamp == -2 ? log->start : (request->isolation_level ? stable : log->end);
    }
    topic->partitions_count = request->topics[0].partitions_count;
    answer->topics = topic;
    answer->topics_count = 1;
}

static int16_t open_session(wire_world *world, wire_session *session, wire_question *question) {
    const ps_wire_fetch_request *request = question->request;
    if (request->session_epoch <= 0) {
        static int32_t ids;
        *session = (wire_session){.id = ++ids};
        world->full++;
    } else {
        if (request->session_id != session->id) return PS_WIRE_ERROR_FETCH_SESSION_ID_NOT_FOUND;
        if (request->session_epoch != session->epoch + 1)
            return PS_WIRE_ERROR_INVALID_FETCH_SESSION_EPOCH;
        session->epoch++;
    }
    if (request->topics_count > 0)
        memcpy(session->topic_id, request->topics[0].topic_id, sizeof session->topic_id);
    for (int32_t t = 0; t < request->topics_count; t++)
        for (int32_t i = 0; i < request->topics[t].partitions_count; i++) {
            const ps_wire_fetch_request_fetch_partition *p = &request->topics[t].partitions[i];
            session->member[p->partition] = true;
            session->offset[p->partition] = p->fetch_offset;
            session->leader_epoch[p->partition] = p->current_leader_epoch;
            if (p->partition == 0) world->last_epoch = p->last_fetched_epoch;
            world->named++;
        }
    for (int32_t t = 0; t < request->forgotten_topics_data_count; t++)
        for (int32_t i = 0; i < request->forgotten_topics_data[t].partitions_count; i++) {
            session->member[request->forgotten_topics_data[t].partitions[i]] = false;
            world->forgotten++;
        }
    return 0;
}

/* Whether an incremental answer has it. */
static bool fetch_partition(wire_world *world, wire_question *question, int32_t p,
                            ps_wire_fetch_response_partition_data *to) {
    const ps_wire_fetch_request *request = question->request;
    const wire_session *session = &world->sessions[question->node - 1];
    wire_log *log = &world->logs[p];
    const int64_t stable = log->stable >= 0 ? log->stable : log->end;
    *to = (ps_wire_fetch_response_partition_data){.partition_index = p,
                                                  .high_watermark = log->end,
                                                  .last_stable_offset = stable,
                                                  .log_start_offset = log->start,
                                                  .diverging_epoch = {-1, -1},
                                                  .current_leader = {-1, -1},
                                                  .aborted_transactions_count = -1,
                                                  .preferred_read_replica = -1};
    if (memcmp(session->topic_id, world->id, sizeof world->id) != 0) {
        to->error_code = PS_WIRE_ERROR_UNKNOWN_TOPIC_ID;
    } else if (log->leader != question->node) {
        to->error_code = PS_WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
        if (world->tells_leader)
            to->current_leader =
                (ps_wire_fetch_response_leader_id_and_epoch){log->leader, log->epoch};
    } else if (session->leader_epoch[p] < log->epoch) {
        to->error_code = PS_WIRE_ERROR_FENCED_LEADER_EPOCH;
    } else if (log->error != 0) {
        to->error_code = log->error;
    } else if (log->diverging_end >= 0) {
        to->diverging_epoch.epoch = log->epoch;
        to->diverging_epoch.end_offset = log->diverging_end;
        log->diverging_end = -1;
    } else if (session->offset[p] < log->start || session->offset[p] > log->end) {
        to->error_code = PS_WIRE_ERROR_OFFSET_OUT_OF_RANGE;
    } else {
        if (session->offset[p] < (request->isolation_level ? stable : log->end))
            to->records = from_offset(log, session->offset[p], 4096);
        ps_wire_fetch_response_aborted_transaction *aborted =
            wire_memory(question, WIRE_ABORTED * sizeof *aborted);
        for (int32_t i = 0; i < log->aborted_count; i++)
            aborted[i] = (ps_wire_fetch_response_aborted_transaction){log->aborted[i][0],
                                                                      log->aborted[i][1]};
        to->aborted_transactions = aborted;
        to->aborted_transactions_count = log->aborted_count;
        return to->records.length > 0;
    }
    return true;
}

static void fetch(wire_world *world, wire_question *question) {
    const ps_wire_fetch_request *request = question->request;
    ps_wire_fetch_response *answer = question->answer;
    wire_session *session = &world->sessions[question->node - 1];
    world->leader_fetches[question->node - 1]++;
    world->least_bytes = request->min_bytes;
    world->wait_ms = request->max_wait_ms;
    world->gathering += request->min_bytes > 1;
    answer->throttle_time_ms = world->throttle_ms;
    answer->error_code = open_session(world, session, question);
    if (answer->error_code != 0) return;
    const bool all = request->session_epoch <= 0;
    ps_wire_fetch_response_fetchable_topic_response *topic = wire_memory(question, sizeof *topic);
    ps_wire_fetch_response_partition_data *partitions =
        wire_memory(question, WIRE_PARTITIONS * sizeof *partitions);
    int32_t used = 0;
    bool something = false;
    for (int32_t p = 0; p < world->partitions; p++) {
        if (!session->member[p]) continue;
        const bool has = fetch_partition(world, question, p, &partitions[used]);
        something |= has;
        used += has || all || session->offset[p] == world->logs[p].end;
    }
    memcpy(topic->topic_id, session->topic_id, sizeof topic->topic_id);
    topic->partitions = partitions;
    topic->partitions_count = used;
    answer->session_id = session->id;
    answer->responses = topic;
    answer->responses_count = used > 0;
    if (!something || request->min_bytes > 1) question->delay_ms = request->max_wait_ms;
}

static wire_does answer(void *opaque, wire_question *question) {
    wire_world *world = opaque;
    wire_does does = WIRE_ANSWERS;
    world->asked[question->api]++;
    if (world->hook != NULL && world->hook(world, question, &does)) return does;
    switch (question->api) {
    case PS_WIRE_METADATA:
        metadata(world, question);
        break;
    case PS_WIRE_FIND_COORDINATOR:
        coordinator(world, question);
        break;
    case PS_WIRE_LIST_OFFSETS:
        list_offsets(world, question);
        break;
    case PS_WIRE_FETCH:
        fetch(world, question);
        break;
    default:
        break;
    }
    return WIRE_ANSWERS;
}

wire_world *wire_world_open(uint32_t nodes, int32_t partitions) {
    wire_world *world = calloc(1, sizeof *world);
    world->topic = "topic";
    world->id[0] = 7;
    world->partitions = partitions;
    world->coordinator = 1;
    for (int32_t p = 0; p < partitions; p++) {
        world->logs[p] = (wire_log){.leader = p % (int32_t)nodes + 1,
                                    .epoch = 3,
                                    .stable = -1,
                                    .diverging_end = -1,
                                    .bytes = malloc(WIRE_LOG_BYTES)};
    }
    size_t used = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        world->brokers[i] = wire_broker_open((int32_t)i + 1, answer, world);
        used += (size_t)snprintf(world->addresses + used, sizeof world->addresses - used,
                                 "%s127.0.0.1:%u", i == 0 ? "" : ",",
                                 wire_broker_port(world->brokers[i]));
    }
    return world;
}

void wire_kill(wire_world *world, int32_t node) {
    wire_broker *broker = world->brokers[node - 1];
    wire_brokers_lock();
    world->brokers[node - 1] = NULL;
    wire_brokers_unlock();
    wire_broker_close(broker);
}

void wire_world_close(wire_world *world) {
    for (int i = 0; i < WIRE_NODES; i++) wire_broker_close(world->brokers[i]);
    for (int p = 0; p < WIRE_PARTITIONS; p++) free(world->logs[p].bytes);
    free(world);
}
