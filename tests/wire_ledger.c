/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire_ledger.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/error.h"

static ledger *current; /* of the one world there is */

/* ---- brokers ---- */

static ledger_fault *fault_of(ledger *l, ps_wire_api api) {
    ledger_fault *found = NULL;
    for (int i = 0; i < FAULTS_MAX; i++) {
        ledger_fault *fault = &l->faults[i];
        if (fault->times == 0 || fault->api != api) continue;
        fault->seen++;
        if (fault->seen >= fault->from && fault->seen - fault->from < fault->times) found = fault;
    }
    return found;
}

static came *note(ledger *l, const wire_question *question) {
    PS_CHECK(l->came_count < CAME_MAX);
    came *one = &l->came[l->came_count++];
    *one = (came){.api = question->api,
                  .version = question->version,
                  .node = question->node,
                  .at_ns = ps_clock_ns()};
    return one;
}

static void begin_records(ledger *l, const ps_wire_batch *batch, ps_wire_records *records) {
    ps_bytes plain;
    PS_CHECK(ps_wire_unpack(l->unpacker, batch->codec, batch->records, &plain, NULL) == PS_OK);
    ps_wire_records_begin(records, batch, plain);
}

static void take_rows(ledger *l, ledger_log *log, const ps_wire_batch *batch) {
    ps_wire_records records;
    ps_wire_record record;
    begin_records(l, batch, &records);
    while (ps_wire_records_next(&records, &record, NULL) == PS_OK) {
        PS_CHECK(log->count < LEDGER_ROWS && record.key.length == 4);
        memcpy(&log->rows[log->count++], record.key.data, 4);
    }
}

/* As Kafka's log does: another epoch begins at 0, what came before is no error. */
static int16_t append(ledger *l, ledger_log *log, const ps_wire_batch *batch, int32_t node,
                      int32_t leader) {
    if (leader != node) return PS_WIRE_ERROR_NOT_LEADER_OR_FOLLOWER;
    if (batch->producer_id != l->id || batch->producer_epoch != l->epoch)
        return PS_WIRE_ERROR_INVALID_PRODUCER_EPOCH;
    if (l->first_dialect && batch->transactional && !log->added)
        return PS_WIRE_ERROR_INVALID_TXN_STATE;
    if (log->epoch != batch->producer_epoch) log->next = 0;
    if (batch->base_sequence < log->next) return 0;
    if (batch->base_sequence > log->next) return PS_WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    log->epoch = batch->producer_epoch;
    log->next += batch->count;
    l->open = true;
    take_rows(l, log, batch);
    return 0;
}

static void describe(ledger *l, came *one, const ps_wire_batch *batch) {
    ps_wire_records records;
    ps_wire_record record;
    begin_records(l, batch, &records);
    if (ps_wire_records_next(&records, &record, NULL) == PS_OK)
        memcpy(&one->first, record.key.data, 4);
    one->sequence = batch->base_sequence;
    one->epoch = batch->producer_epoch;
    one->id = batch->producer_id;
    one->count = (uint32_t)batch->count;
    one->crc = batch->crc;
    one->bytes = batch->whole.length;
    one->codec = batch->codec;
    one->flag = batch->transactional;
}

typedef ps_wire_produce_response_partition_produce_response batch_answer;

static wire_does produce_one(ledger *l, wire_question *question,
                             const ps_wire_produce_request_partition_produce_data *from,
                             batch_answer *to) {
    ps_wire_batch batch;
    uint32_t at = 0;
    PS_CHECK(ps_wire_batch_next(from->records, &at, &batch, NULL) == PS_OK);
    PS_CHECK(at == from->records.length && ps_wire_batch_intact(&batch));
    const wire_log *where = &l->world->logs[from->index];
    came *one = note(l, question);
    one->partition = from->index;
    describe(l, one, &batch);
    *to = (batch_answer){.index = from->index, .current_leader = {-1, -1}};
    to->error_message.length = PS_NULL_LENGTH;
    const ledger_fault *fault = fault_of(l, PS_WIRE_PRODUCE);
    if (fault == NULL || fault->applies)
        to->error_code = append(l, &l->logs[from->index], &batch, question->node, where->leader);
    if (fault != NULL && fault->code != 0) to->error_code = fault->code;
    if (to->error_code == PS_WIRE_ERROR_NOT_LEADER_OR_FOLLOWER && l->world->tells_leader)
        to->current_leader =
            (ps_wire_produce_response_leader_id_and_epoch){where->leader, where->epoch};
    one->code = to->error_code;
    if (fault == NULL) return WIRE_ANSWERS;
    question->delay_ms = fault->delay_ms;
    ((ps_wire_produce_response *)question->answer)->throttle_time_ms = fault->throttle_ms;
    to->record_errors_count = fault->refused_count + fault->flood;
    ps_wire_produce_response_batch_index_and_error_message *errors =
        wire_memory(question, (size_t)(to->record_errors_count + 1) * sizeof *errors);
    for (int32_t i = 0; i < to->record_errors_count; i++) {
        errors[i].batch_index = i < fault->refused_count ? fault->refused[i] : i;
        errors[i].batch_index_error_message = ps_wire_text(fault->words);
    }
    to->record_errors = errors;
    return fault->does;
}

static wire_does produce(ledger *l, wire_question *question) {
    const ps_wire_produce_request *request = question->request;
    ps_wire_produce_response *answer = question->answer;
    ps_wire_produce_response_topic_produce_response *topic = wire_memory(question, sizeof *topic);
    batch_answer *partitions = wire_memory(question, WIRE_PARTITIONS * sizeof *partitions);
    wire_does does = WIRE_ANSWERS;
    PS_CHECK(request->topic_data_count == 1 && request->acks == -1);
    topic->name = (ps_bytes){(const uint8_t *)"topic", 5};
    memcpy(topic->topic_id, l->world->id, sizeof topic->topic_id);
    topic->partition_responses = partitions;
    for (int32_t p = 0; p < request->topic_data[0].partition_data_count; p++) {
        const wire_does one =
            produce_one(l, question, &request->topic_data[0].partition_data[p], &partitions[p]);
        if (one != WIRE_ANSWERS) does = one;
    }
    topic->partition_responses_count = request->topic_data[0].partition_data_count;
    answer->responses = topic;
    answer->responses_count = 1;
    return does;
}

static int16_t owned(const ledger *l, const came *one) {
    return one->id == l->id && one->epoch == l->epoch ? 0 : PS_WIRE_ERROR_PRODUCER_FENCED;
}

static int16_t init_id(ledger *l, came *one, wire_question *question, bool applies) {
    const ps_wire_init_producer_id_request *request = question->request;
    ps_wire_init_producer_id_response *answer = question->answer;
    one->id = request->producer_id;
    one->epoch = request->producer_epoch;
    if (!applies) return 0;
    if (one->id >= 0 && owned(l, one) != 0) return PS_WIRE_ERROR_PRODUCER_FENCED;
    if (request->transactional_id.length == PS_NULL_LENGTH) l->id++;
    l->epoch++;
    l->open = l->group = false;
    answer->producer_id = l->id;
    answer->producer_epoch = l->epoch;
    return 0;
}

static int16_t end_txn(ledger *l, came *one, wire_question *question, bool applies) {
    const ps_wire_end_txn_request *request = question->request;
    ps_wire_end_txn_response *answer = question->answer;
    one->id = request->producer_id;
    one->epoch = request->producer_epoch;
    one->flag = request->committed;
    answer->producer_id = answer->producer_epoch = -1;
    if (!applies) return 0;
    const bool again = l->sealed && one->epoch == l->sealed_epoch;
    if (!again && owned(l, one) != 0) return PS_WIRE_ERROR_PRODUCER_FENCED;
    if (!again && !l->open) return PS_WIRE_ERROR_INVALID_TXN_STATE;
    if (!again) {
        l->sealed = true;
        l->sealed_epoch = l->epoch;
        if (!l->first_dialect) l->epoch++;
        l->open = l->group = false;
        for (int p = 0; p < WIRE_PARTITIONS; p++) l->logs[p].added = false;
    }
    answer->producer_id = l->id;
    answer->producer_epoch = l->epoch;
    return 0;
}

static int16_t add_group(ledger *l, came *one, wire_question *question, bool applies) {
    const ps_wire_add_offsets_to_txn_request *request = question->request;
    one->id = request->producer_id;
    one->epoch = request->producer_epoch;
    if (applies && owned(l, one) == 0) l->open = l->group = true, l->sealed = false;
    return applies ? owned(l, one) : 0;
}

static int16_t add_partitions(ledger *l, came *one, wire_question *question, bool applies,
                              int16_t code) {
    const ps_wire_add_partitions_to_txn_request *request = question->request;
    ps_wire_add_partitions_to_txn_response *answer = question->answer;
    const ps_wire_add_partitions_to_txn_request_add_partitions_to_txn_topic *from =
        request->v3_and_below_topics;
    ps_wire_add_partitions_to_txn_response_add_partitions_to_txn_topic_result *topic =
        wire_memory(question, sizeof *topic);
    ps_wire_add_partitions_to_txn_response_add_partitions_to_txn_partition_result *to =
        wire_memory(question, WIRE_PARTITIONS * sizeof *to);
    one->id = request->v3_and_below_producer_id;
    one->epoch = request->v3_and_below_producer_epoch;
    one->count = (uint32_t)from->partitions_count;
    if (applies && code == 0) code = owned(l, one);
    /* One is refused, and the others are not even tried. */
    for (int32_t p = 0; p < from->partitions_count; p++) {
        to[p].partition_index = from->partitions[p];
        to[p].partition_error_code =
            code == 0 || p == 0 ? code : (int16_t)PS_WIRE_ERROR_OPERATION_NOT_ATTEMPTED;
        if (code == 0 && applies) l->logs[from->partitions[p]].added = l->open = true;
    }
    if (code == 0 && applies) l->sealed = false;
    topic->name = from->name;
    topic->results_by_partition = to;
    topic->results_by_partition_count = from->partitions_count;
    answer->results_by_topic_v3_and_below = topic;
    answer->results_by_topic_v3_and_below_count = 1;
    return code;
}

static int16_t commit_offsets(ledger *l, came *one, wire_question *question, bool applies,
                              int16_t code) {
    const ps_wire_txn_offset_commit_request *request = question->request;
    ps_wire_txn_offset_commit_response *answer = question->answer;
    ps_wire_txn_offset_commit_response_txn_offset_commit_response_topic *topic =
        wire_memory(question, sizeof *topic);
    ps_wire_txn_offset_commit_response_txn_offset_commit_response_partition *to =
        wire_memory(question, sizeof *to);
    one->id = request->producer_id;
    one->epoch = request->producer_epoch;
    if (applies && code == 0) code = owned(l, one);
    if (applies && code == 0 && l->first_dialect && !l->group)
        code = PS_WIRE_ERROR_INVALID_TXN_STATE;
    if (applies && code == 0) {
        l->committed = request->topics[0].partitions[0].committed_offset;
        l->open = true;
    }
    to->error_code = code;
    topic->name = request->topics[0].name;
    topic->partitions = to;
    topic->partitions_count = 1;
    answer->topics = topic;
    answer->topics_count = 1;
    return code;
}

static void old_features(wire_question *question) {
    static const ps_wire_api_versions_response_finalized_feature_key feature = {
        .name = {(const uint8_t *)"group.version", 13},
        .max_version_level = 1,
        .min_version_level = 1};
    ps_wire_api_versions_response *answer = question->answer;
    answer->finalized_features = &feature;
    answer->finalized_features_count = 1;
}

static void control(ledger *l, wire_question *question, const ledger_fault *fault) {
    const bool applies = fault == NULL || fault->applies;
    int16_t code = fault == NULL ? 0 : fault->code, own = 0;
    came *one = note(l, question);
    if (l->world->coordinator != question->node) code = PS_WIRE_ERROR_NOT_COORDINATOR;
    const bool acts = applies && code != PS_WIRE_ERROR_NOT_COORDINATOR;
    switch (question->api) {
    case PS_WIRE_INIT_PRODUCER_ID:
        own = init_id(l, one, question, acts);
        code = code != 0 ? code : own;
        ((ps_wire_init_producer_id_response *)question->answer)->error_code = code;
        break;
    case PS_WIRE_END_TXN:
        own = end_txn(l, one, question, acts);
        code = code != 0 ? code : own;
        ((ps_wire_end_txn_response *)question->answer)->error_code = code;
        break;
    case PS_WIRE_ADD_OFFSETS_TO_TXN:
        own = add_group(l, one, question, acts);
        code = code != 0 ? code : own;
        ((ps_wire_add_offsets_to_txn_response *)question->answer)->error_code = code;
        break;
    case PS_WIRE_ADD_PARTITIONS_TO_TXN:
        code = add_partitions(l, one, question, acts, code);
        break;
    default:
        code = commit_offsets(l, one, question, acts, code);
        ((ps_wire_txn_offset_commit_response *)question->answer)->throttle_time_ms =
            fault == NULL ? 0 : fault->throttle_ms;
    }
    one->code = code;
    if (fault != NULL) question->delay_ms = fault->delay_ms;
}

static bool keeps(wire_world *world, wire_question *question, wire_does *does) {
    ledger *l = current;
    const ledger_fault *fault = NULL;
    (void)world;
    switch (question->api) {
    case PS_WIRE_API_VERSIONS:
        if (l->first_dialect) old_features(question);
        return true;
    case PS_WIRE_PRODUCE:
        *does = produce(l, question);
        return true;
    case PS_WIRE_INIT_PRODUCER_ID:
    case PS_WIRE_END_TXN:
    case PS_WIRE_ADD_OFFSETS_TO_TXN:
    case PS_WIRE_ADD_PARTITIONS_TO_TXN:
    case PS_WIRE_TXN_OFFSET_COMMIT:
        fault = fault_of(l, question->api);
        control(l, question, fault);
        if (fault != NULL) *does = fault->does;
        return true;
    default:
        return false;
    }
}

static void on_sent(void *opaque, const ps_wire_sent *sent) {
    ledger *l = opaque;
    if (sent->code != 0) {
        l->told++;
        l->refused_code = sent->code;
        l->refused_count = sent->refused_count;
        for (uint32_t i = 0; i < sent->count && i < 64; i++) l->refused_tags[i] = sent->tags[i];
        for (uint32_t i = 0; i < sent->refused_count; i++) l->refused[i] = sent->refused[i];
        return;
    }
    /* If this fails, batches of a partition were answered in another order than they were put. */
    for (uint32_t i = 0; i < sent->count; i++)
        assert_int_equal(sent->tags[i], l->sent[sent->partition]++);
}

ledger *open_ledger(const ledger_plan *plan) {
    static const char *const topics[] = {"topic"};
    ledger *l = calloc(1, sizeof *l);
    l->first_dialect = plan->first_dialect;
    l->id = PRODUCER_ID;
    l->epoch = FIRST_EPOCH - 1;
    l->committed = -1;
    for (int p = 0; p < WIRE_PARTITIONS; p++) l->logs[p].epoch = -1;
    current = l;
    if (ps_wire_unpacker_open(1 << 16, &l->unpacker, &l->why) != PS_OK)
        fail_msg("%s", l->why.message);
    l->world = wire_world_open(plan->nodes, plan->partitions);
    wire_brokers_lock();
    l->world->hook = keeps;
    wire_brokers_unlock();
    const ps_wire_client_recipe recipe = {.brokers = l->world->addresses,
                                          .client_id = "test",
                                          .topics = topics,
                                          .topic_count = 1,
                                          .nodes_max = 4,
                                          .partitions_max = 8,
                                          .receive_bytes = {0, 1 << 16, 1 << 16},
                                          .keys = {"group", plan->idempotent ? NULL : "mine"}};
    if (ps_wire_client_open(&recipe, &l->client, &l->why) != PS_OK) fail_msg("%s", l->why.message);
    const ps_wire_producer_recipe writes = {
        .client = l->client,
        .topics = topics,
        .topic_count = 1,
        .partitions_max = WIRE_PARTITIONS,
        .transactional = plan->idempotent ? NULL : "mine",
        .group = plan->idempotent ? NULL : "group",
        .transaction_ms = 10000,
        .batch_bytes = plan->batch_bytes > 0 ? plan->batch_bytes : 1000,
        .record_bytes = plan->batch_bytes > 8000 ? plan->batch_bytes : 8000,
        .batches_max = plan->batches_max > 0 ? plan->batches_max : 64,
        .codec = plan->codec,
        .linger_ns = plan->linger_ms * PS_NS_PER_MS,
        .timeout_ns = (plan->timeout_ms > 0 ? plan->timeout_ms : 2000) * PS_NS_PER_MS,
        .sent = on_sent,
        .opaque = l};
    if (ps_wire_producer_open(&writes, &l->producer, &l->why) != PS_OK)
        fail_msg("%s", l->why.message);
    return l;
}

void close_ledger(ledger *l) {
    ps_wire_producer_close(l->producer);
    ps_wire_client_close(l->client);
    wire_world_close(l->world);
    ps_wire_unpacker_close(l->unpacker);
    free(l);
}

void init(ledger *l) {
    if (ps_wire_producer_init(l->producer, ps_clock_ns() + 5 * PS_NS_PER_S, &l->why) != PS_OK)
        fail_msg("%s", l->why.message);
}

void goes_wrong(ledger *l, ledger_fault fault) {
    wire_brokers_lock();
    int i = 0;
    while (l->faults[i].times > 0) i++;
    PS_CHECK(i < FAULTS_MAX);
    l->faults[i] = fault;
    wire_brokers_unlock();
}

ps_status put(ledger *l, uint32_t partition, uint32_t row, uint32_t bytes) {
    static uint8_t value[1 << 14];
    for (uint32_t i = 0, random = row; l->noise && i < bytes; i++) {
        random = random * UINT32_C(1664525) + UINT32_C(1013904223);
        value[i] = (uint8_t)(random >> 24);
    }
    if (!l->noise) memset(value, 0, bytes);
    const ps_wire_row one = {.timestamp_ms = 1000,
                             .key = {(const uint8_t *)&row, 4},
                             .value = {value, bytes},
                             .packed = {NULL, PS_NULL_LENGTH}};
    return ps_wire_producer_put(l->producer, 0, partition, &one, row);
}

void put_rows(ledger *l, uint32_t partition, uint32_t from, uint32_t count, uint32_t bytes) {
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(put(l, partition, from + i, bytes), PS_OK);
}

static ps_status step_and_wait(ledger *l) {
    const ps_status status = ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why);
    /* Only as long as it says itself: a deadline that is too late shows. */
    const int64_t left_ns = ps_wire_producer_deadline(l->producer) - ps_clock_ns();
    int64_t ms = left_ns <= 0 ? 0 : left_ns / PS_NS_PER_MS + 1;
    if (ms > 3000) ms = 3000;
    struct pollfd wait = {.fd = ps_wire_client_fd(l->client), .events = POLLIN};
    if (status == PS_OK && ps_wire_producer_waiting(l->producer) > 0) (void)poll(&wait, 1, (int)ms);
    return status;
}

ps_status drain(ledger *l) {
    const int64_t until_ns = ps_clock_ns() + 2 * PS_NS_PER_S;
    ps_status status = PS_OK;
    for (l->steps = 0; status == PS_OK && ps_wire_producer_waiting(l->producer) > 0; l->steps++) {
        status = step_and_wait(l);
        if (ps_clock_ns() > until_ns) fail_msg("it stands still");
    }
    return status;
}

void run_for(ledger *l, int64_t ms) {
    const int64_t until_ns = ps_clock_ns() + ms * PS_NS_PER_MS;
    while (ps_clock_ns() < until_ns) {
        assert_int_equal(ps_wire_producer_step(l->producer, ps_clock_ns(), &l->why), PS_OK);
        (void)poll(NULL, 0, 1);
    }
}

ps_status commit(ledger *l, int64_t next, int64_t ms) {
    const ps_wire_offset at = {0, next};
    const ps_wire_offsets offsets = {"topic", &at, 1};
    const ps_wire_member member = {3, "member", NULL};
    return ps_wire_producer_commit(l->producer, &offsets, 1, &member,
                                   ps_clock_ns() + ms * PS_NS_PER_MS, &l->why);
}

void has_rows(ledger *l, uint32_t partition, uint32_t count) {
    wire_brokers_lock();
    assert_int_equal(l->logs[partition].count, count);
    for (uint32_t i = 0; i < count; i++) assert_int_equal(l->logs[partition].rows[i], i);
    wire_brokers_unlock();
}

uint32_t came_so_far(const ledger *l) {
    wire_brokers_lock();
    const uint32_t count = l->came_count;
    wire_brokers_unlock();
    return count;
}

uint32_t times(const ledger *l, ps_wire_api api) {
    const uint32_t came_count = came_so_far(l);
    uint32_t count = 0;
    for (uint32_t i = 0; i < came_count; i++) count += l->came[i].api == api;
    return count;
}

uint32_t times_answered(const ledger *l, ps_wire_api api, int16_t code) {
    const uint32_t came_count = came_so_far(l);
    uint32_t count = 0;
    for (uint32_t i = 0; i < came_count; i++)
        count += l->came[i].api == api && l->came[i].code == code;
    return count;
}

const came *nth(const ledger *l, ps_wire_api api, uint32_t n) {
    const uint32_t came_count = came_so_far(l);
    for (uint32_t i = 0; i < came_count; i++)
        if (l->came[i].api == api && n-- == 0) return &l->came[i];
    fail_msg("it was not asked so often");
    return NULL;
}
