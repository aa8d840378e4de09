/* SPDX-License-Identifier: Apache-2.0
 * Which broker coordinates a group, and which a transactional id: asked for when it is needed, and
 * again when a broker says that it is not the one.
 */
#include <stdio.h>
#include <string.h>

#include "ingest/wire/client_parts.h"
#include "ingest/wire/error.h"

enum { PAUSE_MS = 20, PAUSE_MS_MAX = 1000, ANSWER_MS = 5000 };

static void want(ps_wire_client *client, ps_wire_coordinator_state *of) {
    of->again.pause_max_ns = PAUSE_MS_MAX * PS_NS_PER_MS;
    ps_wire_again_want(&of->again, client->now_ns, PAUSE_MS * PS_NS_PER_MS);
}

int32_t ps_wire_client_coordinator(ps_wire_client *client, ps_wire_coordinator kind) {
    ps_wire_coordinator_state *of = &client->coordinators[kind];
    if (of->node == PS_WIRE_NODE_NONE && of->key != NULL && !of->again.under_way) want(client, of);
    return of->node;
}

int16_t ps_wire_client_coordinator_refused(const ps_wire_client *client, ps_wire_coordinator kind) {
    return client->coordinators[kind].refused;
}

void ps_wire_client_coordinator_moved(ps_wire_client *client, ps_wire_coordinator kind) {
    ps_wire_coordinator_state *of = &client->coordinators[kind];
    of->node = PS_WIRE_NODE_NONE;
    if (of->key != NULL && !of->again.under_way) want(client, of);
}

static void take(ps_wire_client *client, ps_wire_coordinator_state *of,
                 const ps_wire_find_coordinator_response *from) {
    for (int32_t i = 0; i < from->coordinators_count; i++) {
        const ps_wire_find_coordinator_response_coordinator *one = &from->coordinators[i];
        if (one->key.length != strlen(of->key) ||
            memcmp(one->key.data, of->key, one->key.length) != 0)
            continue;
        of->refused = 0;
        if (one->error_code != 0) {
            if (ps_wire_error_action(PS_WIRE_FIND_COORDINATOR, one->error_code) == PS_WIRE_FATAL)
                of->refused = one->error_code;
            ps_wire_client_say(client, "coordinator of %s: %s", of->key,
                               ps_wire_error_name(one->error_code));
            return;
        }
        ps_wire_node_learn(client, one->node_id, one->host, one->port);
        of->node = one->node_id;
        of->again.pause_ns = PAUSE_MS * PS_NS_PER_MS;
        return;
    }
}

static void answered(ps_wire_client *client, ps_wire_coordinator kind, ps_status status,
                     const void *response) {
    ps_wire_coordinator_state *of = &client->coordinators[kind];
    of->again.under_way = false;
    if (status == PS_OK) take(client, of, response);
    if (of->node == PS_WIRE_NODE_NONE) want(client, of);
}

static void on_group(void *opaque, ps_status status, int16_t version, const void *response) {
    (void)version;
    answered(opaque, PS_WIRE_OF_GROUP, status, response);
}

static void on_transaction(void *opaque, ps_status status, int16_t version, const void *response) {
    (void)version;
    answered(opaque, PS_WIRE_OF_TRANSACTION, status, response);
}

static void ask(ps_wire_client *client, ps_wire_coordinator kind) {
    ps_wire_coordinator_state *of = &client->coordinators[kind];
    const ps_bytes key = {(const uint8_t *)of->key, (uint32_t)strlen(of->key)};
    const ps_wire_find_coordinator_request request = {
        .key_type = (int8_t)kind, .coordinator_keys_count = 1, .coordinator_keys = &key};
    const ps_wire_call call = {.node = PS_WIRE_NODE_ANY,
                               .line = PS_WIRE_CONTROL,
                               .api = PS_WIRE_FIND_COORDINATOR,
                               .version = -1,
                               .request = &request,
                               .timeout_ns = ANSWER_MS * PS_NS_PER_MS,
                               .answered = kind == PS_WIRE_OF_GROUP ? on_group : on_transaction,
                               .opaque = client};
    ps_error why;
    const ps_status status = ps_wire_client_send(client, &call, &why);
    if (status == PS_OK) ps_wire_again_sent(&of->again, client->now_ns);
    if (status == PS_OK || status == PS_AGAIN) return;
    ps_wire_client_say(client, "FindCoordinator: %s", why.message);
    of->again.next_ns = client->now_ns + PAUSE_MS_MAX * PS_NS_PER_MS;
}

void ps_wire_coordinators_step(ps_wire_client *client) {
    for (int kind = 0; kind < PS_WIRE_COORDINATORS; kind++) {
        const ps_wire_again *again = &client->coordinators[kind].again;
        if (again->wanted && !again->under_way && client->now_ns >= again->next_ns)
            ask(client, (ps_wire_coordinator)kind);
    }
}
