/* SPDX-License-Identifier: Apache-2.0
 * Brokers by their addresses: the list that is asked first, and those that answers name.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/wire/client_parts.h"

enum { LOOK_UP_AGAIN_S = 10 };

uint32_t ps_wire_seeds_count(const char *brokers) {
    uint32_t count = 1;
    for (const char *at = brokers; *at != 0; at++) count += *at == ',';
    return count < PS_WIRE_SEEDS_MAX ? count : PS_WIRE_SEEDS_MAX;
}

static void set_address(ps_wire_node *node, const char *host, size_t length, uint16_t port) {
    memcpy(node->host, host, length);
    node->host[length] = 0;
    node->port = port;
    node->address_count = node->address = 0;
    node->looked_up_ns = 0;
    struct in6_addr number;
    node->numeric = inet_pton(AF_INET, node->host, &number) == 1 ||
                    inet_pton(AF_INET6, node->host, &number) == 1;
}

static bool port_of(const char *digits, const char *end, uint16_t *port) {
    uint32_t value = 0;
    if (digits == end || end - digits > 5) return false;
    for (; digits < end; digits++) {
        if (*digits < '0' || *digits > '9') return false;
        value = value * 10 + (uint32_t)(*digits - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

/* host:port or [host]:port, perhaps with the name of a protocol in front, as librdkafka takes it.
 */
static bool seed(ps_wire_node *node, const char *text, const char *end) {
    while (text < end && *text == ' ') text++;
    while (text < end && end[-1] == ' ') end--;
    for (const char *at = text; at + 2 < end; at++)
        if (memcmp(at, "://", 3) == 0) text = at + 3;
    const char *colon = end;
    while (colon > text && *colon != ':') colon--;
    const char *host_end = colon;
    uint16_t port;
    if (colon == text || !port_of(colon + 1, end, &port)) return false;
    if (*text == '[' && host_end[-1] == ']') text++, host_end--;
    if (host_end <= text || host_end - text >= PS_WIRE_HOST_BYTES) return false;
    set_address(node, text, (size_t)(host_end - text), port);
    return true;
}

ps_status ps_wire_nodes_seed(ps_wire_client *client, const char *brokers, ps_error *error) {
    const char *at = brokers;
    for (uint32_t i = 0; i < client->seed_count; i++) {
        const char *end = at + strcspn(at, ",");
        ps_wire_node *node = &client->nodes[i];
        node->id = PS_WIRE_NODE_IS_SEED - (int32_t)i;
        if (!seed(node, at, end))
            return ps_fail(error, PS_BAD_CONFIG, "brokers: %.*s is not host:port", (int)(end - at),
                           at);
        at = *end == 0 ? end : end + 1;
    }
    client->node_count = client->seed_count;
    return PS_OK;
}

/* A name may mean another machine by now, where all that it meant fails; asking takes its time. */
bool ps_wire_node_look_up(ps_wire_node *node, int64_t now_ns) {
    const bool known = node->address_count > 0;
    if (known && (node->numeric || node->address < node->address_count ||
                  now_ns - node->looked_up_ns < LOOK_UP_AGAIN_S * PS_NS_PER_S))
        return true;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", node->port);
    const struct addrinfo hint = {.ai_socktype = SOCK_STREAM,
                                  .ai_flags = node->numeric ? AI_NUMERICHOST : 0};
    struct addrinfo *found = NULL;
    node->looked_up_ns = now_ns;
    if (getaddrinfo(node->host, port, &hint, &found) != 0) return known;
    uint32_t count = 0;
    for (const struct addrinfo *at = found; at != NULL && count < PS_WIRE_ADDRESSES_MAX;
         at = at->ai_next) {
        if (at->ai_addrlen > sizeof node->addresses[0]) continue;
        memcpy(&node->addresses[count], at->ai_addr, at->ai_addrlen);
        node->lengths[count++] = at->ai_addrlen;
    }
    freeaddrinfo(found);
    if (count > 0) node->address_count = count, node->address = 0;
    return node->address_count > 0;
}

ps_wire_node *ps_wire_node_find(ps_wire_client *client, int32_t id) {
    for (uint32_t i = 0; i < client->node_count; i++)
        if (client->nodes[i].id == id) return &client->nodes[i];
    return NULL;
}

static void cut_lines(ps_wire_client *client, ps_wire_node *node) {
    for (int line = 0; line < PS_WIRE_LINES; line++) {
        ps_wire_link *link = &node->links[line];
        if (link->connection == NULL) continue;
        ps_wire_link_break(client, link, NULL);
        link->failures = 0;
        link->retry_ns = link->quiet_until_ns = 0;
    }
}

/* Where all places are taken: that of a broker which the cluster does not have any more. */
static ps_wire_node *place_for(ps_wire_client *client) {
    if (client->node_count < client->nodes_max) return &client->nodes[client->node_count++];
    for (uint32_t i = client->seed_count; i < client->node_count; i++) {
        ps_wire_node *node = &client->nodes[i];
        const bool answering = client->answering != NULL && client->answering->node == node;
        if (node->listed || answering || node->links[PS_WIRE_TO_FETCH].held) continue;
        cut_lines(client, node);
        return node;
    }
    return NULL;
}

void ps_wire_node_learn(ps_wire_client *client, int32_t id, ps_bytes host, int32_t port) {
    if (id < 0 || host.length == 0 || host.length >= PS_WIRE_HOST_BYTES || port <= 0 ||
        port > UINT16_MAX)
        return;
    ps_wire_node *node = ps_wire_node_find(client, id);
    if (node != NULL) {
        node->listed = true;
        const bool same = node->port == port && strlen(node->host) == host.length &&
                          memcmp(node->host, host.data, host.length) == 0;
        if (same) return;
        cut_lines(client, node);
    } else {
        node = place_for(client);
        if (node == NULL) {
            ps_wire_client_say(client, "broker %d is one more than there is room for", id);
            return;
        }
    }
    node->id = id;
    node->listed = true;
    set_address(node, (const char *)host.data, host.length, (uint16_t)port);
}

/* How good it is to ask now: the least is the best. */
typedef enum rank { READY_BROKER, DIALLED, FRESH_BROKER, READY_SEED, ELSE, NOT_NOW } rank;

static rank rank_of(const ps_wire_client *client, const ps_wire_node *node) {
    const ps_wire_link *link = &node->links[PS_WIRE_CONTROL];
    const bool is_broker = node->id >= 0;
    if (link->connection == NULL) return NOT_NOW;
    if (ps_wire_link_quiet(client, link)) return NOT_NOW;
    if (ps_wire_link_ready(link)) return is_broker ? READY_BROKER : READY_SEED;
    if (link->dialled) return DIALLED;
    if (client->now_ns < link->retry_ns || link->held) return NOT_NOW;
    return is_broker && link->failures == 0 ? FRESH_BROKER : ELSE;
}

ps_wire_node *ps_wire_node_any(ps_wire_client *client) {
    ps_wire_node *best = NULL;
    rank best_rank = NOT_NOW;
    for (uint32_t i = 0; i < client->node_count; i++) {
        const uint32_t at = (client->turn + i) % client->node_count;
        const rank its = rank_of(client, &client->nodes[at]);
        if (its >= best_rank) continue;
        best_rank = its;
        best = &client->nodes[at];
    }
    if (best_rank == ELSE || best_rank == FRESH_BROKER)
        client->turn = (uint32_t)(best - client->nodes) + 1;
    return best;
}
