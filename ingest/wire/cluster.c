/* SPDX-License-Identifier: Apache-2.0
 * Metadata: who leads which partition. Brokers tell it late and not all at the same time, so what
 * counts is the epoch of a leader, which only grows.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/wire/client_parts.h"
#include "ingest/wire/error.h"

enum {
    PAUSE_MS = 100,      /* between two that ask the same, growing to */
    PAUSE_MS_MAX = 1000, /* this */
    CALM_S = 5,          /* after which it begins with the short one again */
    EVERY_S = 300,       /* though nothing is wrong */
    ANSWER_MS = 5000,    /* of Metadata, FindCoordinator */
    ABSENT_ANSWERS = 2,
    ABSENT_MS = 2000
};

void ps_wire_again_want(ps_wire_again *again, int64_t now_ns, int64_t pause_ns) {
    if (again->wanted) return;
    again->wanted = true;
    if (now_ns - again->next_ns > CALM_S * PS_NS_PER_S) again->pause_ns = pause_ns;
}

void ps_wire_again_sent(ps_wire_again *again, int64_t now_ns) {
    again->wanted = false;
    again->under_way = true;
    again->next_ns = now_ns + again->pause_ns;
    again->pause_ns *= 2;
    if (again->pause_ns > again->pause_max_ns) again->pause_ns = again->pause_max_ns;
}

const ps_wire_topic *ps_wire_client_topic(const ps_wire_client *client, uint32_t topic) {
    return &client->topics[topic].shown;
}

/* One that was there has to be missed twice, one that never was for a while too. */
bool ps_wire_client_absent(const ps_wire_client *client, uint32_t topic) {
    const ps_wire_topic *of = ps_wire_client_topic(client, topic);
    if (of->error_code != PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION) return false;
    if (of->wrong < ABSENT_ANSWERS) return false;
    return of->made > 0 || client->now_ns - of->wrong_ns >= ABSENT_MS * PS_NS_PER_MS;
}

int16_t ps_wire_client_lost(const ps_wire_client *client, uint32_t topic, uint32_t partition,
                            int64_t since_ns) {
    const ps_wire_topic *of = ps_wire_client_topic(client, topic);
    if (of->error_code != 0) {
        const ps_wire_action action = ps_wire_error_action(PS_WIRE_METADATA, of->error_code);
        const bool is_so = action == PS_WIRE_FATAL || ps_wire_client_absent(client, topic);
        return is_so ? of->error_code : 0;
    }
    if (!of->known || partition < of->partitions) return 0;
    if (client->now_ns - since_ns < ABSENT_MS * PS_NS_PER_MS) return 0;
    return PS_WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
}

void ps_wire_client_refresh(ps_wire_client *client) {
    client->metadata.pause_max_ns = PAUSE_MS_MAX * PS_NS_PER_MS;
    ps_wire_again_want(&client->metadata, client->now_ns, PAUSE_MS * PS_NS_PER_MS);
}

ps_wire_leader ps_wire_client_leader(ps_wire_client *client, uint32_t topic, uint32_t partition) {
    const ps_wire_leader none = {PS_WIRE_NODE_NONE, -1};
    const ps_wire_topic_state *of = &client->topics[topic];
    const ps_wire_leader leader = partition < of->shown.partitions ? of->leaders[partition] : none;
    if (leader.node == PS_WIRE_NODE_NONE) ps_wire_client_refresh(client);
    return leader;
}

void ps_wire_client_lead(ps_wire_client *client, uint32_t topic, uint32_t partition,
                         ps_wire_leader leader) {
    const ps_wire_topic_state *of = &client->topics[topic];
    if (partition >= of->shown.partitions || leader.epoch <= of->leaders[partition].epoch) return;
    of->leaders[partition] = leader;
    client->metadata_count++;
}

/* ---- what an answer says ---- */

static ps_wire_topic_state *topic_of(ps_wire_client *client, ps_bytes name) {
    for (uint32_t i = 0; i < client->topic_count && name.length != PS_NULL_LENGTH; i++)
        if (strlen(client->topics[i].name) == name.length &&
            memcmp(client->topics[i].name, name.data, name.length) == 0)
            return &client->topics[i];
    return NULL;
}

static void forget_leaders(ps_wire_client *client, ps_wire_topic_state *topic) {
    for (uint32_t i = 0; i < client->partitions_max; i++)
        topic->leaders[i] = (ps_wire_leader){PS_WIRE_NODE_NONE, -1};
}

static void take_partition(ps_wire_client *client, ps_wire_topic_state *topic,
                           const ps_wire_metadata_response_metadata_response_partition *from) {
    const uint32_t index = (uint32_t)from->partition_index;
    if (index >= client->partitions_max) {
        ps_wire_client_say(client, "topic %s has partition %u: there is room for %u", topic->name,
                           index, client->partitions_max);
        return;
    }
    if (index >= topic->shown.partitions) topic->shown.partitions = index + 1;
    ps_wire_leader *leader = &topic->leaders[index];
    if (from->leader_epoch < leader->epoch) return;
    leader->epoch = from->leader_epoch;
    leader->node = from->leader_id;
    if (leader->node < 0) {
        leader->node = PS_WIRE_NODE_NONE;
        ps_wire_client_refresh(client);
    }
}

static void take_topic(ps_wire_client *client,
                       const ps_wire_metadata_response_metadata_response_topic *from) {
    ps_wire_topic_state *topic = topic_of(client, from->name);
    if (topic == NULL) return;
    ps_wire_topic *shown = &topic->shown;
    shown->known = true;
    shown->error_code = from->error_code;
    if (from->error_code != 0) {
        if (shown->wrong++ == 0) shown->wrong_ns = client->now_ns;
        ps_wire_client_say(client, "topic %s: %s", topic->name,
                           ps_wire_error_name(from->error_code));
        ps_wire_client_refresh(client);
        return;
    }
    shown->wrong = 0;
    if (memcmp(shown->id, from->topic_id, sizeof shown->id) != 0) {
        memcpy(shown->id, from->topic_id, sizeof shown->id);
        shown->made++;
        shown->partitions = 0;
        forget_leaders(client, topic);
    }
    for (int32_t i = 0; i < from->partitions_count; i++)
        take_partition(client, topic, &from->partitions[i]);
}

static void on_metadata(void *opaque, ps_status status, int16_t version, const void *response) {
    ps_wire_client *client = opaque;
    const ps_wire_metadata_response *from = response;
    (void)version;
    client->metadata.under_way = false;
    if (status != PS_OK || from->error_code != 0) {
        ps_wire_client_refresh(client);
        return;
    }
    client->metadata_ns = client->now_ns;
    client->metadata_count++;
    if (from->brokers_count > 0)
        for (uint32_t i = client->seed_count; i < client->node_count; i++)
            client->nodes[i].listed = false;
    for (int32_t i = 0; i < from->brokers_count; i++) {
        ps_wire_node *node = ps_wire_node_find(client, from->brokers[i].node_id);
        if (node != NULL) node->listed = true;
    }
    for (int32_t i = 0; i < from->brokers_count; i++)
        ps_wire_node_learn(client, from->brokers[i].node_id, from->brokers[i].host,
                           from->brokers[i].port);
    for (int32_t i = 0; i < from->topics_count; i++) take_topic(client, &from->topics[i]);
}

/* ---- asking ---- */

static void ask(ps_wire_client *client) {
    for (uint32_t i = 0; i < client->topic_count; i++) {
        ps_wire_metadata_request_metadata_request_topic *topic = &client->asked_topics[i];
        memset(topic->topic_id, 0, sizeof topic->topic_id);
        topic->name = (ps_bytes){(const uint8_t *)client->topics[i].name,
                                 (uint32_t)strlen(client->topics[i].name)};
    }
    const ps_wire_metadata_request request = {.topics_count = (int32_t)client->topic_count,
                                              .topics = client->asked_topics};
    const ps_wire_call call = {.node = PS_WIRE_NODE_ANY,
                               .line = PS_WIRE_CONTROL,
                               .api = PS_WIRE_METADATA,
                               .version = -1,
                               .request = &request,
                               .timeout_ns = ANSWER_MS * PS_NS_PER_MS,
                               .answered = on_metadata,
                               .opaque = client};
    ps_error why;
    const ps_status status = ps_wire_client_send(client, &call, &why);
    if (status == PS_OK) ps_wire_again_sent(&client->metadata, client->now_ns);
    if (status == PS_OK || status == PS_AGAIN) return;
    ps_wire_client_say(client, "Metadata: %s", why.message);
    client->metadata.next_ns = client->now_ns + PAUSE_MS_MAX * PS_NS_PER_MS;
}

void ps_wire_cluster_step(ps_wire_client *client) {
    ps_wire_again *again = &client->metadata;
    if (client->now_ns - client->metadata_ns >= EVERY_S * PS_NS_PER_S && !again->under_way)
        ps_wire_client_refresh(client);
    if (again->wanted && !again->under_way && client->now_ns >= again->next_ns) ask(client);
}

/* When somebody can be asked; while a line is being dialled it has a deadline of its own. */
static int64_t somebody_ns(const ps_wire_client *client) {
    int64_t soonest = INT64_MAX;
    for (uint32_t i = 0; i < client->node_count; i++) {
        const ps_wire_link *link = &client->nodes[i].links[PS_WIRE_CONTROL];
        if (link->connection == NULL) continue;
        const bool ready = ps_wire_link_ready(link);
        if (link->dialled && !ready) return INT64_MAX;
        const int64_t its = ready ? link->quiet_until_ns : link->retry_ns;
        if (its < soonest) soonest = its;
    }
    return soonest;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

int64_t ps_wire_cluster_deadline(const ps_wire_client *client) {
    const ps_wire_again *again = &client->metadata;
    if (again->under_way) return INT64_MAX;
    if (!again->wanted) return client->metadata_ns + EVERY_S * PS_NS_PER_S;
    return later(again->next_ns, somebody_ns(client));
}

int64_t ps_wire_coordinators_deadline(const ps_wire_client *client) {
    int64_t soonest = INT64_MAX;
    for (int kind = 0; kind < PS_WIRE_COORDINATORS; kind++) {
        const ps_wire_again *again = &client->coordinators[kind].again;
        if (!again->wanted || again->under_way) continue;
        const int64_t next = later(again->next_ns, somebody_ns(client));
        if (next < soonest) soonest = next;
    }
    return soonest;
}
