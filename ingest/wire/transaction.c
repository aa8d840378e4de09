/* SPDX-License-Identifier: Apache-2.0
 * What begins and ends transactions: InitProducerId, AddPartitionsToTxn and AddOffsetsToTxn where
 * the cluster wants them, TxnOffsetCommit, EndTxn (KIP-98, KIP-360, KIP-447, KIP-890).
 *
 * A commit keeps how far it came, so that one that was not answered in time may be asked again: the
 * coordinator knows an EndTxn that it has carried out already.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/error.h"
#include "ingest/wire/producer_parts.h"

#define PAUSE_NS  (5 * PS_NS_PER_MS)
#define SEARCH_NS (20 * PS_NS_PER_MS)

enum {
    SECOND_LEVEL = 2, /* of the feature transaction.version: KIP-890's second part */
    OFFSETS_MAX = 128 /* of one request, which must fit into a slot */
};

/* Until something comes, or something is due, or that time. */
static void rest(const ps_wire_producer *producer, int64_t until_ns) {
    const int64_t due_ns = producer->due_ns;
    ps_wire_client_rest(producer->client, due_ns < until_ns ? due_ns : until_ns);
}

/* Serves the connections for a while. */
static ps_status pause_for(ps_wire_producer *producer, int64_t ns, ps_error *error) {
    const ps_status status =
        ps_wire_client_wait(producer->client, NULL, NULL, ps_clock_ns() + ns, error);
    return status == PS_AGAIN ? PS_OK : status;
}

/* A question to a coordinator, or to any broker, and how its answer reads. */
typedef struct question {
    bool anyone;
    ps_wire_coordinator kind;
    ps_wire_api api;
    int16_t version;
    const void *request;
    const char *what;
    /* The answer's error. */
    int16_t (*read)(ps_wire_producer *producer, int16_t version, const void *response);
} question;

static int16_t version_of(const ps_wire_producer *producer, int16_t first_dialect) {
    return producer->second ? (int16_t)PS_WIRE_ANY_VERSION : first_dialect;
}

static int32_t asked_of(ps_wire_producer *producer, const question *asked) {
    if (asked->anyone) return PS_WIRE_NODE_ANY;
    return ps_wire_client_coordinator(producer->client, asked->kind);
}

/* Asks until there is an answer that stands: OK, and its error is producer->code; or AGAIN when the
 * time is over. */
static ps_status ask(ps_wire_producer *producer, const question *asked, int64_t until_ns,
                     ps_error *error) {
    int16_t *code = &producer->code;
    *code = 0;
    for (int64_t now_ns = ps_clock_ns(); now_ns < until_ns; now_ns = ps_clock_ns()) {
        const void *response;
        int16_t version;
        const int32_t node = asked_of(producer, asked);
        const ps_wire_call call = {.node = node,
                                   .line = PS_WIRE_CONTROL,
                                   .api = asked->api,
                                   .version = asked->version,
                                   .request = asked->request};
        if (node == PS_WIRE_NODE_NONE) {
            *code = ps_wire_client_coordinator_refused(producer->client, asked->kind);
            if (*code != 0) return PS_OK;
            PS_TRY(pause_for(producer, SEARCH_NS, error));
            continue;
        }
        const int64_t patience_ns = now_ns + producer->recipe.timeout_ns;
        const ps_status status = ps_wire_client_ask(producer->client, &call,
                                                    patience_ns < until_ns ? patience_ns : until_ns,
                                                    &version, &response, error);
        if (status == PS_IO || status == PS_AGAIN) {
            producer->doubts = true;
            if (!asked->anyone) ps_wire_client_coordinator_moved(producer->client, asked->kind);
            PS_TRY(pause_for(producer, SEARCH_NS, error));
            continue;
        }
        PS_TRY(status);
        *code = asked->read(producer, version, response);
        const ps_wire_action action =
            *code == 0 ? PS_WIRE_SUCCESS : ps_wire_error_action(asked->api, *code);
        if (action == PS_WIRE_COORDINATOR || action == PS_WIRE_REFRESH)
            if (!asked->anyone) ps_wire_client_coordinator_moved(producer->client, asked->kind);
        if (action != PS_WIRE_RETRY && action != PS_WIRE_COORDINATOR && action != PS_WIRE_REFRESH)
            return PS_OK;
        PS_TRY(pause_for(producer, action == PS_WIRE_RETRY ? PAUSE_NS : SEARCH_NS, error));
    }
    if (*code == 0) return ps_fail(error, PS_AGAIN, "%s: no answer in time", asked->what);
    return ps_fail(error, PS_AGAIN, "%s: %s (%d): %s", asked->what, ps_wire_error_name(*code),
                   *code, ps_wire_error_text(*code));
}

static ps_status judge(const ps_wire_producer *producer, const question *asked, ps_error *error) {
    const int16_t code = producer->code;
    if (code == 0) return PS_OK;
    const char *name = ps_wire_error_name(code);
    switch (ps_wire_error_action(asked->api, code)) {
    case PS_WIRE_SUCCESS:
        return PS_OK;
    case PS_WIRE_FENCED:
        return ps_fail(error, PS_FENCED, "%s: %s", asked->what, name);
    case PS_WIRE_FATAL:
        return ps_fail(error, PS_IO, "%s: %s (%d): %s", asked->what, name, code,
                       ps_wire_error_text(code));
    default:
        return ps_fail(error, PS_ABORTED, "%s: %s", asked->what, name);
    }
}

/* ---- a new epoch ---- */

static int16_t read_end(ps_wire_producer *producer, int16_t version, const void *from) {
    const struct ps_wire_end_txn_response *response = from;
    if (response->error_code == 0 && version >= PS_WIRE_END_BY_EPOCH &&
        response->producer_id >= 0) {
        producer->id = response->producer_id;
        producer->epoch = response->producer_epoch;
    }
    return response->error_code;
}

static ps_status end(ps_wire_producer *producer, bool commits, int64_t until_ns, ps_error *error) {
    const struct ps_wire_end_txn_request request = {
        .transactional_id = ps_wire_text(producer->recipe.transactional),
        .producer_id = producer->id,
        .producer_epoch = producer->epoch,
        .committed = commits};
    const question asked = {.kind = PS_WIRE_OF_TRANSACTION,
                            .api = PS_WIRE_END_TXN,
                            .version = version_of(producer, PS_WIRE_END_FIRST),
                            .request = &request,
                            .what = commits ? "commit" : "abort",
                            .read = read_end};
    PS_TRY(ask(producer, &asked, until_ns, error));
    return judge(producer, &asked, error);
}

static int16_t read_init(ps_wire_producer *producer, int16_t version, const void *from) {
    const struct ps_wire_init_producer_id_response *response = from;
    (void)version;
    if (response->error_code == 0) {
        producer->id = response->producer_id;
        producer->epoch = response->producer_epoch;
    }
    return response->error_code;
}

static void drop_all(ps_wire_producer *producer) {
    producer->dropping = true;
    ps_wire_client_cut_all(producer->client);
    producer->dropping = false;
    for (uint32_t i = 0; i < producer->produces_max; i++)
        producer->produces[i].busy = producer->produces[i].building = false;
    for (uint32_t i = 0; i < producer->active_count; i++) {
        ps_wire_outlet *outlet = &producer->outlet[producer->active[i]];
        if (outlet->open != NULL) ps_wire_load_free(producer, outlet->open);
        while (outlet->first != NULL) {
            ps_wire_load *load = outlet->first;
            outlet->first = load->next;
            ps_wire_load_free(producer, load);
        }
    }
    const size_t outlets = (size_t)producer->recipe.topic_count * producer->recipe.partitions_max;
    memset(producer->outlet, 0, outlets * sizeof *producer->outlet);
    producer->active_count = 0;
    producer->waiting = 0;
    producer->due_ns = INT64_MAX;
    producer->adding = false;
    producer->ending = PS_WIRE_FILLING;
    producer->status = PS_OK;
    ps_wire_producer_void(producer, PS_ABORTED, 0, "there is no epoch: the newest init has failed");
}

static ps_status abort_own(ps_wire_producer *producer, int64_t until_ns, ps_error *error) {
    if (producer->recipe.transactional == NULL || producer->id < 0 || !producer->holds)
        return PS_OK;
    /* Nothing open (48), or an epoch that is gone (47, 90): InitProducerId decides. Without this
     * one, 3.9 takes an InitProducerId of our epoch amid our own transaction for a stranger's. */
    const ps_status status = end(producer, false, until_ns, error);
    if (status == PS_OK || status == PS_FENCED || status == PS_ABORTED) producer->holds = false;
    return status == PS_FENCED || status == PS_ABORTED ? PS_OK : status;
}

ps_status ps_wire_producer_init(ps_wire_producer *producer, int64_t until_ns, ps_error *error) {
    drop_all(producer);
    PS_TRY(abort_own(producer, until_ns, error));
    const struct ps_wire_init_producer_id_request request = {
        .transactional_id = ps_wire_text(producer->recipe.transactional),
        .transaction_timeout_ms = producer->recipe.transaction_ms,
        .producer_id = producer->recipe.transactional == NULL ? -1 : producer->id,
        .producer_epoch = producer->recipe.transactional == NULL ? -1 : producer->epoch};
    const question asked = {.anyone = producer->recipe.transactional == NULL,
                            .kind = PS_WIRE_OF_TRANSACTION,
                            .api = PS_WIRE_INIT_PRODUCER_ID,
                            .version = PS_WIRE_ANY_VERSION,
                            .request = &request,
                            .what = "a producer's id",
                            .read = read_init};
    PS_TRY(ask(producer, &asked, until_ns, error));
    const ps_status status = judge(producer, &asked, error);
    if (status == PS_FENCED) producer->id = producer->epoch = -1; /* not ours any more */
    PS_TRY(status);
    producer->status = PS_OK;
    producer->doubts = producer->holds = false;
    producer->second =
        producer->recipe.transactional != NULL &&
        ps_wire_client_feature(producer->client, "transaction.version", SECOND_LEVEL);
    return PS_OK;
}

/* ---- what the first dialect adds by hand ---- */

static void added(void *opaque, ps_status status, int16_t version, const void *from) {
    ps_wire_producer *producer = opaque;
    const struct ps_wire_add_partitions_to_txn_response *response = from;
    int16_t code = 0;
    (void)version;
    producer->adding = false;
    if (producer->dropping) return;
    producer->add_again_ns = ps_clock_ns() + PAUSE_NS;
    if (status != PS_OK) {
        producer->doubts = true;
        ps_wire_client_coordinator_moved(producer->client, PS_WIRE_OF_TRANSACTION);
        return;
    }
    for (int32_t t = 0; t < response->results_by_topic_v3_and_below_count; t++) {
        const struct ps_wire_add_partitions_to_txn_response_add_partitions_to_txn_topic_result
            *topic = &response->results_by_topic_v3_and_below[t];
        for (int32_t p = 0; p < topic->results_by_partition_count; p++)
            if (code == 0 || code == PS_WIRE_ERROR_OPERATION_NOT_ATTEMPTED)
                code = topic->results_by_partition[p].partition_error_code;
    }
    if (code == 0) {
        for (uint32_t i = 0; i < producer->added_count; i++)
            producer->outlet[producer->added[i]].added = true;
        return;
    }
    switch (ps_wire_error_action(PS_WIRE_ADD_PARTITIONS_TO_TXN, code)) {
    case PS_WIRE_COORDINATOR:
    case PS_WIRE_REFRESH:
        ps_wire_client_coordinator_moved(producer->client, PS_WIRE_OF_TRANSACTION);
        return;
    case PS_WIRE_RETRY:
        return;
    case PS_WIRE_FATAL:
        ps_wire_producer_void(producer, PS_IO, code,
                              "adding partitions to a transaction: %s (%d): %s",
                              ps_wire_error_name(code), code, ps_wire_error_text(code));
        return;
    default:
        ps_wire_producer_void(producer, PS_ABORTED, code, "adding partitions to a transaction: %s",
                              ps_wire_error_name(code));
    }
}

typedef struct ps_wire_add_partitions_to_txn_request_add_partitions_to_txn_topic added_topic;

/* Those with something to send, by topic. */
static int32_t list_added(ps_wire_producer *producer, added_topic *topics, int32_t *partitions) {
    int32_t count = 0;
    producer->added_count = 0;
    for (uint32_t t = 0; t < producer->recipe.topic_count; t++) {
        const uint32_t first = producer->added_count;
        for (uint32_t i = 0; i < producer->active_count; i++) {
            const uint32_t index = producer->active[i];
            if (index / producer->recipe.partitions_max != t || producer->outlet[index].added)
                continue;
            if (producer->added_count == PS_WIRE_ADDS_MAX) break;
            partitions[producer->added_count] = (int32_t)(index % producer->recipe.partitions_max);
            producer->added[producer->added_count++] = index;
        }
        if (producer->added_count == first) continue;
        topics[count++] =
            (added_topic){.name = ps_wire_text(producer->recipe.topics[t]),
                          .partitions_count = (int32_t)(producer->added_count - first),
                          .partitions = partitions + first};
    }
    return count;
}

ps_status ps_wire_add_partitions(ps_wire_producer *producer, int64_t now_ns, ps_error *error) {
    added_topic topics[PS_WIRE_TOPICS_MAX];
    int32_t partitions[PS_WIRE_ADDS_MAX];
    if (producer->adding || producer->id < 0 || now_ns < producer->add_again_ns ||
        ps_wire_is_ending(producer))
        return PS_OK;
    const int32_t count = list_added(producer, topics, partitions);
    if (count == 0) return PS_OK;
    const int32_t node = ps_wire_client_coordinator(producer->client, PS_WIRE_OF_TRANSACTION);
    if (node == PS_WIRE_NODE_NONE) return PS_OK;
    const struct ps_wire_add_partitions_to_txn_request request = {
        .v3_and_below_transactional_id = ps_wire_text(producer->recipe.transactional),
        .v3_and_below_producer_id = producer->id,
        .v3_and_below_producer_epoch = producer->epoch,
        .v3_and_below_topics_count = count,
        .v3_and_below_topics = topics};
    const ps_wire_call call = {.node = node,
                               .line = PS_WIRE_CONTROL,
                               .api = PS_WIRE_ADD_PARTITIONS_TO_TXN,
                               .version = PS_WIRE_ADD_FIRST,
                               .request = &request,
                               .timeout_ns = producer->recipe.timeout_ns,
                               .answered = added,
                               .opaque = producer};
    const ps_status status = ps_wire_client_send(producer->client, &call, error);
    if (status == PS_AGAIN) return PS_OK;
    PS_TRY(status);
    producer->adding = producer->holds = true;
    return PS_OK;
}

/* ---- commit ---- */

static ps_status flush(ps_wire_producer *producer, int64_t until_ns, ps_error *error) {
    for (;;) {
        const int64_t now_ns = ps_clock_ns();
        PS_TRY(ps_wire_producer_step(producer, now_ns, error));
        if (producer->waiting == 0 && !producer->adding) return PS_OK;
        if (now_ns >= until_ns)
            return ps_fail(error, PS_AGAIN, "%" PRIu64 " records are not acknowledged in time",
                           producer->waiting);
        rest(producer, until_ns);
    }
}

static int16_t read_group(ps_wire_producer *producer, int16_t version, const void *from) {
    (void)producer, (void)version;
    return ((const struct ps_wire_add_offsets_to_txn_response *)from)->error_code;
}

static ps_status add_group(ps_wire_producer *producer, int64_t until_ns, ps_error *error) {
    const struct ps_wire_add_offsets_to_txn_request request = {
        .transactional_id = ps_wire_text(producer->recipe.transactional),
        .producer_id = producer->id,
        .producer_epoch = producer->epoch,
        .group_id = ps_wire_text(producer->recipe.group)};
    const question asked = {.kind = PS_WIRE_OF_TRANSACTION,
                            .api = PS_WIRE_ADD_OFFSETS_TO_TXN,
                            .version = PS_WIRE_ADD_FIRST,
                            .request = &request,
                            .what = "adding the group to a transaction",
                            .read = read_group};
    producer->holds = true;
    PS_TRY(ask(producer, &asked, until_ns, error));
    return judge(producer, &asked, error);
}

static int16_t read_offsets(ps_wire_producer *producer, int16_t version, const void *from) {
    const struct ps_wire_txn_offset_commit_response *response = from;
    (void)producer, (void)version;
    for (int32_t t = 0; t < response->topics_count; t++)
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++)
            if (response->topics[t].partitions[p].error_code != 0)
                return response->topics[t].partitions[p].error_code;
    return 0;
}

typedef struct ps_wire_txn_offset_commit_request_txn_offset_commit_request_topic offset_topic;
typedef struct ps_wire_txn_offset_commit_request_txn_offset_commit_request_partition
    offset_partition;

/* Of one topic. */
static ps_status send_offsets(ps_wire_producer *producer, const ps_wire_offsets *of,
                              const ps_wire_member *member, int64_t until_ns, ps_error *error) {
    offset_partition partitions[OFFSETS_MAX];
    for (uint32_t i = 0; i < of->count; i++)
        partitions[i] = (offset_partition){.partition_index = (int32_t)of->at[i].partition,
                                           .committed_offset = of->at[i].next,
                                           .committed_leader_epoch = -1,
                                           .committed_metadata = {NULL, PS_NULL_LENGTH}};
    offset_topic topic = {.name = ps_wire_text(of->topic),
                          .partitions_count = (int32_t)of->count,
                          .partitions = partitions};
    const struct ps_wire_txn_offset_commit_request request = {
        .transactional_id = ps_wire_text(producer->recipe.transactional),
        .group_id = ps_wire_text(producer->recipe.group),
        .producer_id = producer->id,
        .producer_epoch = producer->epoch,
        .generation_id = member->generation,
        .member_id = ps_wire_text(member->id),
        .group_instance_id = ps_wire_text(member->instance),
        .topics_count = 1,
        .topics = &topic};
    const question asked = {.kind = PS_WIRE_OF_GROUP,
                            .api = PS_WIRE_TXN_OFFSET_COMMIT,
                            .version = version_of(producer, PS_WIRE_OFFSETS_FIRST),
                            .request = &request,
                            .what = "offsets",
                            .read = read_offsets};
    producer->holds = true;
    PS_TRY(ask(producer, &asked, until_ns, error));
    return judge(producer, &asked, error);
}

static ps_status commit_offsets(ps_wire_producer *producer, const ps_wire_offsets *offsets,
                                uint32_t count, const ps_wire_member *member, int64_t until_ns,
                                ps_error *error) {
    for (uint32_t t = 0; t < count; t++) {
        for (uint32_t from = 0; from < offsets[t].count; from += OFFSETS_MAX) {
            ps_wire_offsets part = offsets[t];
            part.at += from;
            part.count = part.count - from < OFFSETS_MAX ? part.count - from : OFFSETS_MAX;
            PS_TRY(send_offsets(producer, &part, member, until_ns, error));
        }
    }
    return PS_OK;
}

/* The next transaction: nothing is added to it yet, and in a new epoch every sequence begins
 * anew. */
static void turn(ps_wire_producer *producer, bool anew) {
    const size_t outlets = (size_t)producer->recipe.topic_count * producer->recipe.partitions_max;
    for (size_t i = 0; i < outlets; i++) {
        ps_wire_outlet *outlet = &producer->outlet[i];
        outlet->answered = outlet->added = false;
        if (anew) outlet->sequence = 0;
    }
    producer->holds = false;
    producer->ending = PS_WIRE_FILLING;
}

static ps_status commit(ps_wire_producer *producer, const ps_wire_offsets *offsets, uint32_t count,
                        const ps_wire_member *member, int64_t until_ns, ps_error *error) {
    if (producer->ending == PS_WIRE_FILLING) producer->ending = PS_WIRE_FLUSHING;
    if (producer->ending == PS_WIRE_FLUSHING) {
        PS_TRY(flush(producer, until_ns, error));
        producer->ending = producer->second ? PS_WIRE_COMMITTING_OFFSETS : PS_WIRE_ADDING_GROUP;
    }
    if (producer->ending == PS_WIRE_ADDING_GROUP) {
        if (count > 0) PS_TRY(add_group(producer, until_ns, error));
        producer->ending = PS_WIRE_COMMITTING_OFFSETS;
    }
    if (producer->ending == PS_WIRE_COMMITTING_OFFSETS) {
        PS_TRY(commit_offsets(producer, offsets, count, member, until_ns, error));
        producer->ending = PS_WIRE_ENDING;
    }
    const int64_t id = producer->id;
    const int16_t epoch = producer->epoch;
    if (producer->holds) PS_TRY(end(producer, true, until_ns, error));
    const bool anew = producer->id != id || producer->epoch != epoch;
    turn(producer, anew);
    return PS_OK;
}

ps_status ps_wire_producer_commit(ps_wire_producer *producer, const ps_wire_offsets *offsets,
                                  uint32_t count, const ps_wire_member *member, int64_t until_ns,
                                  ps_error *error) {
    if (producer->status != PS_OK)
        return ps_fail(error, producer->status, "%s", producer->error.message);
    ps_error why = {""};
    const ps_status status = commit(producer, offsets, count, member, until_ns, &why);
    if (status == PS_OK) return PS_OK;
    if (status != PS_AGAIN)
        ps_wire_producer_void(producer, status, producer->code, "%s", why.message);
    return ps_fail(error, status, "%s", why.message);
}
