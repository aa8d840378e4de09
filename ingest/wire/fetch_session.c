/* SPDX-License-Identifier: Apache-2.0
 * Fetch requests of one lane. A session (KIP-227) is opened by naming every partition once; from
 * then on only those are named whose position moved, that came, or that are not wanted any more. A
 * broker without room for sessions answers 0, and is told everything each time.
 *
 * The order of the partitions rotates with each request. In a session the broker does that itself:
 * those that it answered with go to the end of its list.
 */
#include <string.h>

#include "ingest/wire/fetcher_parts.h"

enum { NOT_HERE, AS_TOLD, TO_TELL, TO_FORGET, LATE_MS = 30000 };
enum { ANSWER_MS = 5 }; /* from the end of a broker's wait to its answer, about */

static bool wants(ps_wire_fetcher *fetcher, const ps_wire_lane *lane, const ps_wire_part *part) {
    if (part->state != PS_WIRE_PART_READING || part->retry_ns > fetcher->client->now_ns)
        return false;
    /* Its leader moved: what the last one sent is read first. */
    if (part->unread && part->lane != (uint32_t)(lane - fetcher->lanes)) return false;
    return ps_wire_client_leader(fetcher->client, part->topic, part->within).node == lane->node;
}

static int32_t leader_epoch(ps_wire_fetcher *fetcher, const ps_wire_part *part) {
    return ps_wire_client_leader(fetcher->client, part->topic, part->within).epoch;
}

static bool is_as_told(ps_wire_fetcher *fetcher, const ps_wire_lane *lane,
                       const ps_wire_part *part) {
    return part->lane == (uint32_t)(lane - fetcher->lanes) && part->told_next == part->next &&
           part->told_epoch == part->epoch &&
           part->told_leader_epoch == leader_epoch(fetcher, part);
}

/* What is to be said of each; returns how many it should read. */
static uint32_t mark(ps_wire_fetcher *fetcher, const ps_wire_lane *lane) {
    uint32_t wanted = 0;
    const bool anew = lane->session_epoch == 0;
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        const ps_wire_part *part = &fetcher->parts[i];
        const bool member = !anew && lane->members[i];
        uint8_t *to = &fetcher->marks[i];
        if (!wants(fetcher, lane, part))
            *to = member ? TO_FORGET : NOT_HERE;
        else
            *to = member && is_as_told(fetcher, lane, part) ? AS_TOLD : TO_TELL;
        wanted += *to == AS_TOLD || *to == TO_TELL;
    }
    return wanted;
}

/* How many of each topic have this mark, as the place where they begin; returns all. */
static uint32_t count_marks(ps_wire_fetcher *fetcher, uint8_t which) {
    const uint32_t topics = fetcher->client->topic_count;
    memset(fetcher->counts, 0, (topics + 1) * sizeof *fetcher->counts);
    for (uint32_t i = 0; i < fetcher->parts_end; i++)
        if (fetcher->marks[i] == which) fetcher->counts[fetcher->parts[i].topic]++;
    uint32_t all = 0;
    for (uint32_t t = 0; t <= topics; t++) {
        const uint32_t its = fetcher->counts[t];
        fetcher->counts[t] = all;
        all += its;
    }
    return all;
}

static ps_bytes name_of(const ps_wire_client *client, uint32_t topic) {
    const char *name = client->topics[topic].name;
    return (ps_bytes){(const uint8_t *)name, (uint32_t)strlen(name)};
}

static void put_partition(ps_wire_fetcher *fetcher, uint32_t index) {
    const ps_wire_part *part = &fetcher->parts[index];
    fetcher->partitions[fetcher->counts[part->topic]++] = (ps_wire_fetch_request_fetch_partition){
        .partition = (int32_t)part->within,
        .current_leader_epoch = leader_epoch(fetcher, part),
        .fetch_offset = part->next,
        .last_fetched_epoch = part->epoch,
        .log_start_offset = -1,
        .partition_max_bytes = fetcher->recipe.partition_bytes};
}

static int32_t put_told(ps_wire_fetcher *fetcher) {
    const ps_wire_client *client = fetcher->client;
    const uint32_t partitions = fetcher->parts_end, topics = client->topic_count;
    (void)count_marks(fetcher, TO_TELL);
    uint32_t index = fetcher->rotation % partitions;
    for (uint32_t i = 0; i < partitions; i++) {
        if (fetcher->marks[index] == TO_TELL) put_partition(fetcher, index);
        if (++index == partitions) index = 0;
    }
    int32_t used = 0; /* counts[t] is by now where topic t ends */
    for (uint32_t i = 0; i < topics; i++) {
        const uint32_t t = (i + fetcher->rotation) % topics;
        const uint32_t begin = t == 0 ? 0 : fetcher->counts[t - 1];
        if (begin == fetcher->counts[t]) continue;
        ps_wire_fetch_request_fetch_topic *topic = &fetcher->topics[used++];
        topic->topic = name_of(client, t);
        memcpy(topic->topic_id, client->topics[t].shown.id, sizeof topic->topic_id);
        topic->partitions = fetcher->partitions + begin;
        topic->partitions_count = (int32_t)(fetcher->counts[t] - begin);
    }
    return used;
}

static int32_t put_forgotten(ps_wire_fetcher *fetcher) {
    const ps_wire_client *client = fetcher->client;
    if (count_marks(fetcher, TO_FORGET) == 0) return 0;
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        const ps_wire_part *part = &fetcher->parts[i];
        if (fetcher->marks[i] == TO_FORGET)
            fetcher->forgotten_partitions[fetcher->counts[part->topic]++] = (int32_t)part->within;
    }
    int32_t used = 0;
    for (uint32_t t = 0; t < client->topic_count; t++) {
        const uint32_t begin = t == 0 ? 0 : fetcher->counts[t - 1];
        if (begin == fetcher->counts[t]) continue;
        ps_wire_fetch_request_forgotten_topic *topic = &fetcher->forgotten[used++];
        topic->topic = name_of(client, t);
        memcpy(topic->topic_id, client->topics[t].shown.id, sizeof topic->topic_id);
        topic->partitions = fetcher->forgotten_partitions + begin;
        topic->partitions_count = (int32_t)(fetcher->counts[t] - begin);
    }
    return used;
}

/* The request is on its way: this is what the session knows from now on. */
static void settle(ps_wire_fetcher *fetcher, ps_wire_lane *lane) {
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        ps_wire_part *part = &fetcher->parts[i];
        lane->members[i] = fetcher->marks[i] == AS_TOLD || fetcher->marks[i] == TO_TELL;
        if (!lane->members[i]) continue;
        part->lane = (uint32_t)(lane - fetcher->lanes);
        part->asked = part->turn;
        part->told_next = part->next;
        part->told_epoch = part->epoch;
        part->told_leader_epoch = leader_epoch(fetcher, part);
    }
    lane->fetching = true;
    lane->asked_ns = fetcher->client->now_ns;
    fetcher->rotation++;
}

/* One of the session was started again meanwhile. The broker leaves out of an answer what is new to
 * nobody, and would not say again where it ends: a new session does. */
static bool has_restarted(const ps_wire_fetcher *fetcher, const ps_wire_lane *lane) {
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        const ps_wire_part *part = &fetcher->parts[i];
        if (lane->members[i] && part->state == PS_WIRE_PART_READING && part->asked != part->turn)
            return true;
    }
    return false;
}

/* How long the broker may wait for more. */
static int32_t wait_ms_of(const ps_wire_fetcher *fetcher, const ps_wire_lane *lane) {
    const ps_wire_fetcher_recipe *recipe = &fetcher->recipe;
    if (!lane->gathers) return recipe->wait_ms;
    const int64_t left_ns = fetcher->gather_until_ns - fetcher->client->now_ns;
    const int64_t left_ms = left_ns / PS_NS_PER_MS - ANSWER_MS;
    if (left_ms <= recipe->gather_ms) return recipe->gather_ms;
    return left_ms < recipe->wait_ms ? (int32_t)left_ms : recipe->wait_ms;
}

void ps_wire_lane_fetch(ps_wire_fetcher *fetcher, ps_wire_lane *lane) {
    if (has_restarted(fetcher, lane)) lane->session_epoch = 0;
    if (mark(fetcher, lane) == 0) {
        lane->quiet = fetcher->changes;
        return;
    }
    if (ps_wire_client_version(fetcher->client, lane->node, PS_WIRE_TO_FETCH, PS_WIRE_FETCH) < 0)
        return;
    const ps_wire_fetcher_recipe *recipe = &fetcher->recipe;
    ps_wire_fetch_request request = {.replica_id = -1,
                                     .max_wait_ms = wait_ms_of(fetcher, lane),
                                     .min_bytes =
                                         lane->gathers ? recipe->gather_bytes : recipe->least_bytes,
                                     .max_bytes = fetcher->recipe.answer_bytes,
                                     .isolation_level = fetcher->recipe.read_committed,
                                     .session_id = lane->session,
                                     .session_epoch = lane->session_epoch,
                                     .topics = fetcher->topics,
                                     .forgotten_topics_data = fetcher->forgotten};
    request.topics_count = put_told(fetcher);
    request.forgotten_topics_data_count = put_forgotten(fetcher);
    const ps_wire_call call = {.node = lane->node,
                               .line = PS_WIRE_TO_FETCH,
                               .api = PS_WIRE_FETCH,
                               .version = -1,
                               .request = &request,
                               .timeout_ns =
                                   ((int64_t)request.max_wait_ms + LATE_MS) * PS_NS_PER_MS,
                               .answered = ps_wire_lane_answered,
                               .opaque = lane};
    ps_error why;
    const ps_status status = ps_wire_client_send(fetcher->client, &call, &why);
    lane->wait_ms = request.max_wait_ms;
    if (status == PS_OK) settle(fetcher, lane);
    if (status == PS_OK || status == PS_AGAIN) return;
    ps_wire_client_say(fetcher->client, "Fetch: %s", why.message);
    lane->not_before_ns = fetcher->client->now_ns + PS_NS_PER_S;
}
