/* SPDX-License-Identifier: Apache-2.0
 * Requests: encoded into a slot of their line, sent, and their answers kept where one is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "ingest/wire/client_parts.h"

static ps_wire_link *link_of(ps_wire_client *client, int32_t node, ps_wire_line line) {
    ps_wire_node *found =
        node == PS_WIRE_NODE_ANY ? ps_wire_node_any(client) : ps_wire_node_find(client, node);
    if (found == NULL) return NULL;
    ps_wire_link *link = &found->links[line];
    return link->connection == NULL ? NULL : link;
}

int16_t ps_wire_client_version(ps_wire_client *client, int32_t node, ps_wire_line line,
                               ps_wire_api api) {
    ps_wire_link *link = link_of(client, node, line);
    if (link == NULL) return -1;
    if (ps_wire_link_ready(link)) return ps_wire_connection_version(link->connection, api);
    ps_wire_link_dial(client, link);
    return -1;
}

bool ps_wire_client_feature(const ps_wire_client *client, const char *name, int16_t level) {
    bool met = false;
    for (uint32_t i = 0; i < client->node_count; i++) {
        const ps_wire_node *node = &client->nodes[i];
        for (int line = 0; line < PS_WIRE_LINES; line++) {
            const ps_wire_connection *c = node->links[line].connection;
            if (c == NULL || ps_wire_connection_version(c, PS_WIRE_METADATA) < 0) continue;
            met = true;
            if (ps_wire_connection_feature(c, name) < level) return false;
        }
    }
    return met;
}

static ps_status encode(ps_wire_client *client, ps_wire_slot *slot, const void *request,
                        ps_wire_out *out, ps_error *error) {
    const ps_bytes id = {(const uint8_t *)client->client_id, (uint32_t)strlen(client->client_id)};
    *out = (ps_wire_out){.memory = slot->memory,
                         .room = client->slot_bytes,
                         .piece = client->pieces,
                         .pieces_max = client->pieces_max};
    return ps_wire_encode(slot->api, slot->version, slot->correlation, id, request, out, error);
}

ps_status ps_wire_client_send(ps_wire_client *client, const ps_wire_call *call, ps_error *error) {
    ps_wire_link *link = link_of(client, call->node, call->line);
    if (link == NULL) {
        if (call->node >= 0) ps_wire_client_refresh(client);
        return PS_AGAIN;
    }
    if (!ps_wire_link_ready(link)) {
        ps_wire_link_dial(client, link);
        return PS_AGAIN;
    }
    if (ps_wire_link_quiet(client, link)) {
        link->waits = true;
        return PS_AGAIN;
    }
    if (link->under_way == link->slot_count || !ps_wire_connection_room(link->connection))
        return PS_AGAIN;
    int16_t version = call->version;
    const int16_t newest = ps_wire_connection_version(link->connection, call->api);
    if (version < 0 || version > newest) version = newest;
    if (version < 0) {
        const int16_t least = ps_wire_versions(call->api).min;
        const ps_status status =
            ps_wire_connection_require(link->connection, call->api, least, &client->lacking);
        if (error != NULL) *error = client->lacking;
        return status;
    }
    ps_wire_slot *slot = &link->slots[(link->first + link->under_way) % link->slot_count];
    slot->api = call->api;
    slot->version = version;
    slot->correlation = (int32_t)(client->correlation++ & INT32_MAX);
    slot->timeout_ns = call->timeout_ns;
    slot->until_ns = ps_clock_ns() + call->timeout_ns;
    slot->answered = call->answered;
    slot->opaque = call->opaque;
    ps_wire_out out;
    PS_TRY(encode(client, slot, call->request, &out, error));
    ps_wire_connection_send(link->connection, &out);
    link->under_way++;
    link->kicked = true;
    return PS_OK;
}

uint32_t ps_wire_client_sent(const ps_wire_client *client) {
    return client->correlation;
}

void ps_wire_client_hold(ps_wire_client *client) {
    PS_CHECK(client->answering != NULL);
    client->answering->held = true;
}

void ps_wire_client_release(ps_wire_client *client, int32_t node, ps_wire_line line) {
    ps_wire_node *found = ps_wire_node_find(client, node);
    if (found != NULL) ps_wire_link_release(client, &found->links[line]);
}

void ps_wire_client_cut(ps_wire_client *client, int32_t node, ps_wire_line line) {
    ps_wire_node *found = ps_wire_node_find(client, node);
    if (found != NULL && found->links[line].connection != NULL)
        ps_wire_link_break(client, &found->links[line], NULL);
}

void ps_wire_client_cut_all(ps_wire_client *client) {
    for (uint32_t i = 0; i < client->node_count; i++)
        for (int line = 0; line < PS_WIRE_LINES; line++)
            if (client->nodes[i].links[line].connection != NULL)
                ps_wire_link_break(client, &client->nodes[i].links[line], NULL);
}

typedef struct waiting {
    ps_wire_client *client;
    bool done;
    ps_status status;
    int16_t version;
    const void *response;
} waiting;

static void on_answer(void *opaque, ps_status status, int16_t version, const void *response) {
    waiting *one = opaque;
    one->done = true;
    one->status = status;
    one->version = version;
    one->response = response;
    if (status != PS_OK) return;
    one->client->asked = one->client->answering;
    ps_wire_client_hold(one->client);
}

static bool is_done(void *opaque) {
    return ((waiting *)opaque)->done;
}

/* Until it goes out, somebody else may have to be found. */
static ps_status send_until(ps_wire_client *client, ps_wire_call *call, int64_t until_ns,
                            ps_error *error) {
    for (;;) {
        const int64_t now = ps_clock_ns();
        call->timeout_ns = until_ns > now ? until_ns - now : 1;
        const ps_status status = ps_wire_client_send(client, call, error);
        if (status != PS_AGAIN) return status;
        if (now >= until_ns)
            return ps_fail(error, PS_IO, "no broker is connected: %s",
                           client->trouble.message[0] != 0 ? client->trouble.message
                                                           : "none answered in time");
        const int64_t soon = now + 10 * PS_NS_PER_MS;
        const ps_status waited =
            ps_wire_client_wait(client, NULL, NULL, soon < until_ns ? soon : until_ns, error);
        if (waited != PS_AGAIN) return waited;
    }
}

/* `one` is about to go: the line that would answer to it is closed. */
static void give_up(ps_wire_client *client, const waiting *one, const char *why) {
    for (uint32_t i = 0; i < client->node_count && !one->done; i++) {
        ps_wire_link *link = &client->nodes[i].links[PS_WIRE_CONTROL];
        bool its = false;
        for (uint32_t n = 0; n < link->under_way; n++)
            its |= link->slots[(link->first + n) % link->slot_count].opaque == one;
        if (its) ps_wire_link_break(client, link, why);
    }
}

ps_status ps_wire_client_ask(ps_wire_client *client, const ps_wire_call *call, int64_t until_ns,
                             int16_t *version, const void **response, ps_error *error) {
    waiting one = {.client = client};
    ps_wire_call asked = *call;
    asked.line = PS_WIRE_CONTROL;
    asked.answered = on_answer;
    asked.opaque = &one;
    PS_TRY(send_until(client, &asked, until_ns, error));
    /* Requests before it may have more time, and it comes behind them. */
    const ps_status waited = ps_wire_client_wait(client, is_done, &one, until_ns, error);
    if (!one.done) give_up(client, &one, waited == PS_AGAIN ? "no answer in time" : NULL);
    if (waited != PS_AGAIN) PS_TRY(waited);
    if (one.status != PS_OK) return ps_fail(error, PS_IO, "no answer: %s", client->trouble.message);
    *version = one.version;
    *response = one.response;
    return PS_OK;
}
