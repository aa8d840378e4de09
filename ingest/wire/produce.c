/* SPDX-License-Identifier: Apache-2.0
 * Closed batches to the leaders of their partitions: a request to a broker takes one batch of each
 * partition that it leads, and several requests may be under way. The broker takes them in order,
 * so when one batch is put back, those behind it in flight fail as out of order: all are sent
 * again, with the same sequences, once every answer is there.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/error.h"
#include "ingest/wire/producer_parts.h"

#define AGAIN_NS     (5 * PS_NS_PER_MS)  /* a broker that is busy with the last transaction */
#define ELSEWHERE_NS (50 * PS_NS_PER_MS) /* a leader that moved, a connection that broke */
#define BEHIND_NS    PS_NS_PER_MS        /* more than most answers take */
#define SEQUENCES    INT64_C(0x80000000) /* 2^31 - 1 is followed by 0 */

enum { ACKS_ALL = -1 };

/* ---- answers ---- */

/* Forgets outlets that hold nothing. */
static void tidy_active(ps_wire_producer *producer) {
    for (uint32_t i = 0; i < producer->active_count;) {
        ps_wire_outlet *outlet = &producer->outlet[producer->active[i]];
        if (outlet->open != NULL || outlet->first != NULL) {
            i++;
            continue;
        }
        outlet->active = false;
        producer->active[i] = producer->active[--producer->active_count];
    }
}

static void unlink_load(ps_wire_outlet *outlet, const ps_wire_load *load) {
    ps_wire_load **at = &outlet->first, *before = NULL;
    while (*at != load) {
        before = *at;
        at = &before->next;
    }
    *at = load->next;
    if (outlet->last == load) outlet->last = before;
}

static void settle(ps_wire_producer *producer, ps_wire_outlet *outlet, ps_wire_load *load,
                   ps_wire_sent *sent) {
    sent->topic = load->topic;
    sent->partition = load->partition;
    sent->count = load->writer.count;
    sent->tags = load->tags;
    sent->bytes = load->sealed.length;
    unlink_load(outlet, load);
    producer->waiting -= load->writer.count;
    producer->recipe.sent(producer->recipe.opaque, sent);
    ps_wire_load_free(producer, load);
}

/* Batches are told in order, though one may be in the log while one before it is retried. */
static void settle_done(ps_wire_producer *producer, ps_wire_outlet *outlet) {
    while (outlet->first != NULL && outlet->first->done) {
        ps_wire_sent sent = {.code = 0};
        settle(producer, outlet, outlet->first, &sent);
    }
}

/* It goes alone next time. A broker forgets a producer whose newest record is older than
 * producer.id.expiration.ms by its own timestamp: when it starts, and now and then. It then takes
 * whatever sequence comes first, and of several under way the first may have come too early for it
 * (NOT_LEADER_OR_FOLLOWER) and the next not. */
static void put_back(ps_wire_outlet *outlet, ps_wire_load *load, int64_t pause_ns) {
    load->sent = outlet->answered = false;
    outlet->rewinds = outlet->under_way > 0;
    outlet->again_ns = ps_clock_ns() + pause_ns;
}

/* Other records, smaller batches, a topic that comes back or a broker that was restarted may get
 * through. Else a person must act. */
static bool may_pass(int16_t code) {
    switch (code) {
    case PS_WIRE_ERROR_MESSAGE_TOO_LARGE:
    case PS_WIRE_ERROR_RECORD_LIST_TOO_LARGE:
    case PS_WIRE_ERROR_INVALID_RECORD:
    case PS_WIRE_ERROR_INVALID_TIMESTAMP:
    case PS_WIRE_ERROR_UNKNOWN_SERVER_ERROR:
        return true;
    default:
        return !ps_wire_error_is_known(code) ||
               ps_wire_error_action(PS_WIRE_PRODUCE, code) != PS_WIRE_FATAL;
    }
}

static void void_batch(ps_wire_producer *producer, const ps_wire_load *load, int16_t code,
                       ps_bytes words) {
    const bool none = words.length == PS_NULL_LENGTH;
    ps_wire_producer_void(producer, may_pass(code) ? PS_ABORTED : PS_IO, code,
                          "%s/%" PRIu32 ": %s (%d): %s%s%.*s", producer->recipe.topics[load->topic],
                          load->partition, ps_wire_error_name(code), code, ps_wire_error_text(code),
                          none ? "" : ": ", none ? 0 : (int)words.length,
                          none ? "" : (const char *)words.data);
}

typedef struct ps_wire_produce_response_partition_produce_response partition_answer;

static void refused(ps_wire_producer *producer, ps_wire_outlet *outlet, ps_wire_load *load,
                    const partition_answer *answer) {
    int32_t rows[64];
    ps_wire_sent sent = {
        .code = answer->error_code, .refused = rows, .reason = answer->error_message};
    for (int32_t i = 0; i < answer->record_errors_count && sent.refused_count < 64; i++)
        if (answer->record_errors[i].batch_index >= 0 &&
            (uint32_t)answer->record_errors[i].batch_index < load->writer.count)
            rows[sent.refused_count++] = answer->record_errors[i].batch_index;
    void_batch(producer, load, answer->error_code, answer->error_message);
    settle(producer, outlet, load, &sent);
    settle_done(producer, outlet);
}

static void take_answer(ps_wire_producer *producer, ps_wire_load *load,
                        const partition_answer *answer) {
    ps_wire_outlet *outlet = ps_wire_outlet_of(producer, load->topic, load->partition);
    const int16_t code = answer->error_code;
    outlet->under_way--;
    outlet->failing = code;
    const ps_wire_leader leader = {answer->current_leader.leader_id,
                                   answer->current_leader.leader_epoch};
    if (leader.node >= 0)
        ps_wire_client_lead(producer->client, load->topic, load->partition, leader);
    if (outlet->rewinds && code == PS_WIRE_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER) {
        put_back(outlet, load, AGAIN_NS);
        return;
    }
    switch (code == 0 ? PS_WIRE_SUCCESS : ps_wire_error_action(PS_WIRE_PRODUCE, code)) {
    case PS_WIRE_SUCCESS:
        outlet->answered = true;
        load->done = true;
        settle_done(producer, outlet);
        return;
    case PS_WIRE_RETRY:
        put_back(outlet, load, AGAIN_NS);
        return;
    case PS_WIRE_REFRESH:
    case PS_WIRE_COORDINATOR:
        ps_wire_client_refresh(producer->client);
        put_back(outlet, load, leader.node >= 0 ? 0 : ELSEWHERE_NS);
        return;
    case PS_WIRE_ABORT:
    case PS_WIRE_FENCED:
        void_batch(producer, load, code, answer->error_message);
        put_back(outlet, load, AGAIN_NS);
        return;
    case PS_WIRE_FATAL:
        refused(producer, outlet, load, answer);
    }
}

static const partition_answer *answer_of(const ps_wire_producer *producer, int16_t version,
                                         const struct ps_wire_produce_response *response,
                                         const ps_wire_load *load) {
    const uint8_t *id = ps_wire_client_topic(producer->client, load->topic)->id;
    const ps_bytes name = ps_wire_text(producer->recipe.topics[load->topic]);
    for (int32_t t = 0; t < response->responses_count; t++) {
        const struct ps_wire_produce_response_topic_produce_response *topic =
            &response->responses[t];
        const bool same = version >= PS_WIRE_PRODUCE_BY_ID
                              ? memcmp(topic->topic_id, id, 16) == 0
                              : topic->name.length == name.length &&
                                    memcmp(topic->name.data, name.data, name.length) == 0;
        for (int32_t p = 0; same && p < topic->partition_responses_count; p++)
            if (topic->partition_responses[p].index == (int32_t)load->partition)
                return &topic->partition_responses[p];
    }
    return NULL;
}

/* Nobody knows whether it arrived: the same bytes again, which the sequence makes harmless. */
static void broken_off(ps_wire_producer *producer, ps_wire_produce *produce) {
    producer->doubts = true;
    ps_wire_client_refresh(producer->client);
    for (uint32_t i = 0; i < produce->count; i++) {
        ps_wire_load *load = produce->load[i];
        ps_wire_outlet *outlet = ps_wire_outlet_of(producer, load->topic, load->partition);
        outlet->under_way--;
        put_back(outlet, load, ELSEWHERE_NS);
    }
}

static void rewound(ps_wire_producer *producer, const ps_wire_produce *produce) {
    for (uint32_t i = 0; i < produce->count; i++) {
        ps_wire_outlet *outlet =
            ps_wire_outlet_of(producer, produce->load[i]->topic, produce->load[i]->partition);
        if (outlet->under_way == 0) outlet->rewinds = false;
    }
}

static void answered(void *opaque, ps_status status, int16_t version, const void *response) {
    ps_wire_produce *produce = opaque;
    ps_wire_producer *producer = produce->producer;
    produce->busy = false;
    if (producer->dropping) return;
    if (status != PS_OK) {
        broken_off(producer, produce);
        rewound(producer, produce);
        return;
    }
    /* A load may be free, and another's, once its answer is taken: its outlet is asked before. */
    ps_wire_outlet *outlets[PS_WIRE_SHARES_MAX];
    for (uint32_t i = 0; i < produce->count; i++) {
        ps_wire_load *load = produce->load[i];
        outlets[i] = ps_wire_outlet_of(producer, load->topic, load->partition);
        const partition_answer *answer = answer_of(producer, version, response, load);
        if (answer != NULL) {
            take_answer(producer, load, answer);
            continue;
        }
        outlets[i]->under_way--;
        put_back(outlets[i], load, ELSEWHERE_NS);
        ps_wire_producer_void(producer, PS_ABORTED, 0,
                              "%s/%" PRIu32 ": the broker did not answer for it",
                              producer->recipe.topics[load->topic], load->partition);
    }
    for (uint32_t i = 0; i < produce->count; i++)
        if (outlets[i]->under_way == 0) outlets[i]->rewinds = false;
}

/* ---- requests ---- */

static int16_t version_of(const ps_wire_producer *producer) {
    return ps_wire_first_dialect(producer) ? PS_WIRE_PRODUCE_FIRST : PS_WIRE_ANY_VERSION;
}

static void seal(ps_wire_producer *producer, ps_wire_outlet *outlet, ps_wire_load *load) {
    if (load->sequence < 0) {
        load->sequence = outlet->sequence;
        outlet->sequence = (int32_t)((outlet->sequence + (int64_t)load->writer.count) % SEQUENCES);
    }
    const ps_wire_seal as = {.producer_id = producer->id,
                             .producer_epoch = producer->epoch,
                             .base_sequence = load->sequence,
                             .transactional = producer->recipe.transactional != NULL};
    load->sealed = ps_wire_writer_seal(&load->writer, &as);
}

typedef struct ps_wire_produce_request_topic_produce_data topic_data;
typedef struct ps_wire_produce_request_partition_produce_data partition_data;

/* Loads of a topic lie side by side. */
static int32_t list_topics(const ps_wire_producer *producer, const ps_wire_produce *produce,
                           topic_data *topics, partition_data *partitions) {
    int32_t count = 0;
    for (uint32_t i = 0; i < produce->count; i++) {
        const ps_wire_load *load = produce->load[i];
        partitions[i] =
            (partition_data){.index = (int32_t)load->partition, .records = load->sealed};
        if (i == 0 || produce->load[i - 1]->topic != load->topic) {
            topics[count] = (topic_data){.name = ps_wire_text(producer->recipe.topics[load->topic]),
                                         .partition_data = &partitions[i]};
            memcpy(topics[count].topic_id, ps_wire_client_topic(producer->client, load->topic)->id,
                   16);
            count++;
        }
        topics[count - 1].partition_data_count++;
    }
    return count;
}

static ps_status send_one(ps_wire_producer *producer, ps_wire_produce *produce, ps_error *error) {
    topic_data topics[PS_WIRE_TOPICS_MAX];
    partition_data partitions[PS_WIRE_SHARES_MAX];
    for (uint32_t i = 0; i < produce->count; i++) {
        ps_wire_load *load = produce->load[i];
        seal(producer, ps_wire_outlet_of(producer, load->topic, load->partition), load);
    }
    const struct ps_wire_produce_request request = {
        .transactional_id = ps_wire_text(producer->recipe.transactional),
        .acks = ACKS_ALL,
        .timeout_ms = (int32_t)(producer->recipe.timeout_ns / PS_NS_PER_MS),
        .topic_data_count = list_topics(producer, produce, topics, partitions),
        .topic_data = topics,
    };
    const ps_wire_call call = {.node = produce->node,
                               .line = PS_WIRE_TO_PRODUCE,
                               .api = PS_WIRE_PRODUCE,
                               .version = version_of(producer),
                               .request = &request,
                               .timeout_ns = producer->recipe.timeout_ns + 2 * PS_NS_PER_S,
                               .answered = answered,
                               .opaque = produce};
    PS_TRY(ps_wire_client_send(producer->client, &call, error));
    produce->busy = true;
    producer->holds = producer->recipe.transactional != NULL;
    for (uint32_t i = 0; i < produce->count; i++) {
        produce->load[i]->sent = true;
        ps_wire_outlet *outlet =
            ps_wire_outlet_of(producer, produce->load[i]->topic, produce->load[i]->partition);
        outlet->under_way++;
        outlet->node = produce->node;
    }
    return PS_OK;
}

static ps_wire_load *next_unsent(const ps_wire_outlet *outlet) {
    ps_wire_load *load = outlet->first;
    while (load != NULL && load->sent) load = load->next;
    return load;
}

static uint32_t most_of(const ps_wire_outlet *outlet) {
    return outlet->answered ? PS_WIRE_PRODUCES_MAX : 1;
}

/* Closes the batch that is being filled, when it is time. One behind others that are under way
 * waits a little for their answers, since few large batches cost less: not until they come, or
 * every row of a broker that is slow for once would be late by two of its answers. */
static void close_due(ps_wire_producer *producer, ps_wire_outlet *outlet, int64_t now_ns) {
    const bool flushes = producer->ending != PS_WIRE_FILLING || producer->hurries;
    if (outlet->open == NULL) return;
    int64_t due_ns = outlet->open->opened_ns + producer->recipe.linger_ns;
    if (!flushes && outlet->first != NULL) {
        const bool could_go = !outlet->rewinds && outlet->under_way < most_of(outlet);
        if (!could_go || next_unsent(outlet) != NULL) return;
        due_ns += BEHIND_NS;
    }
    if (flushes || now_ns >= due_ns)
        ps_wire_load_close(producer, outlet);
    else if (due_ns < producer->due_ns)
        producer->due_ns = due_ns;
}

/* What of the partition may be sent now. */
static ps_wire_load *due_of(ps_wire_producer *producer, ps_wire_outlet *outlet, int64_t now_ns) {
    close_due(producer, outlet, now_ns);
    ps_wire_load *load = next_unsent(outlet);
    if (load == NULL || outlet->rewinds) return NULL;
    const bool adds = ps_wire_first_dialect(producer) && !outlet->added;
    const int64_t again_ns = adds ? producer->add_again_ns : outlet->again_ns;
    if (again_ns > now_ns && again_ns < producer->due_ns) producer->due_ns = again_ns;
    if (adds || again_ns > now_ns) return NULL;
    return outlet->under_way < most_of(outlet) ? load : NULL;
}

/* A request to that broker that still takes batches: of so many as may be under way. */
static ps_wire_produce *request_to(ps_wire_producer *producer, int32_t node) {
    ps_wire_produce *free = NULL;
    uint32_t busy = 0;
    for (uint32_t i = 0; i < producer->produces_max; i++) {
        ps_wire_produce *produce = &producer->produces[i];
        if (produce->building && produce->node == node) return produce;
        if (produce->busy && produce->node == node) busy++;
        if (!produce->busy && !produce->building) free = produce;
    }
    if (free == NULL || busy >= PS_WIRE_PRODUCES_MAX) return NULL;
    free->building = true;
    free->node = node;
    free->count = 0;
    return free;
}

static void insert(ps_wire_produce *produce, ps_wire_load *load) {
    uint32_t at = produce->count++;
    for (; at > 0 && produce->load[at - 1]->topic > load->topic; at--)
        produce->load[at] = produce->load[at - 1];
    produce->load[at] = load;
}

static void gather(ps_wire_producer *producer, int64_t now_ns) {
    const uint32_t count = producer->active_count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t index = producer->active[(producer->turn + i) % count];
        ps_wire_load *load = due_of(producer, &producer->outlet[index], now_ns);
        if (load == NULL) continue;
        ps_wire_outlet *outlet = &producer->outlet[index];
        const partition_answer no = {.error_code =
                                         ps_wire_client_lost(producer->client, load->topic,
                                                             load->partition, load->opened_ns),
                                     .error_message.length = PS_NULL_LENGTH};
        if (no.error_code != 0 && outlet->under_way == 0) {
            refused(producer, outlet, load, &no);
            return;
        }
        const ps_wire_leader leader =
            ps_wire_client_leader(producer->client, load->topic, load->partition);
        /* What went to another one is answered first: it may still be taken there. */
        if (leader.node < 0 || (outlet->under_way > 0 && outlet->node != leader.node)) continue;
        ps_wire_produce *produce = request_to(producer, leader.node);
        if (produce != NULL && produce->count < PS_WIRE_SHARES_MAX) insert(produce, load);
    }
    producer->turn++;
    producer->hurries = false;
}

ps_status ps_wire_produce_due(ps_wire_producer *producer, int64_t now_ns, ps_error *error) {
    producer->due_ns = INT64_MAX;
    tidy_active(producer);
    if (producer->active_count == 0 || producer->id < 0 || ps_wire_is_ending(producer))
        return PS_OK;
    gather(producer, now_ns);
    ps_status status = PS_OK;
    for (uint32_t i = 0; i < producer->produces_max; i++) {
        ps_wire_produce *produce = &producer->produces[i];
        if (!produce->building) continue;
        produce->building = false;
        if (producer->status != PS_OK) continue;
        if (status == PS_OK) status = send_one(producer, produce, error);
        if (status == PS_AGAIN) status = PS_OK; /* that broker's line is not there yet, or full */
    }
    return status;
}
