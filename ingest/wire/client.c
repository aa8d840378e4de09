/* SPDX-License-Identifier: Apache-2.0
 * A client as a whole: its memory, its step, and how it waits.
 */
#include "ingest/wire/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/epoll.h"
#include "ingest/wire/client_parts.h"

enum { EVENTS = 64, ROUNDS = 3 };

/* Whoever has something to do all the time asks that often what came. */
#define BUSY_POLL_NS PS_NS_PER_MS

void ps_wire_client_say(ps_wire_client *client, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(client->trouble.message, sizeof client->trouble.message, format, arguments);
    va_end(arguments);
}

/* Each partition's records, and what is between. */
uint32_t ps_wire_pieces_max(const ps_wire_client_recipe *recipe) {
    const uint64_t partitions = (uint64_t)recipe->topic_count * recipe->partitions_max;
    return 2 * (partitions < PS_WIRE_SHARES_MAX ? (uint32_t)partitions : PS_WIRE_SHARES_MAX) + 16;
}

size_t ps_wire_client_bytes(const ps_wire_client_recipe *recipe) {
    const uint32_t seeds = ps_wire_seeds_count(recipe->brokers);
    size_t bytes = sizeof(ps_wire_client) + (seeds + recipe->nodes_max) * sizeof(ps_wire_node) +
                   ps_wire_pieces_max(recipe) * sizeof(struct iovec);
    for (int line = 0; line < PS_WIRE_LINES; line++)
        bytes += recipe->nodes_max * ps_wire_link_bytes(recipe, (ps_wire_line)line);
    bytes += seeds * ps_wire_link_bytes(recipe, PS_WIRE_CONTROL);
    return bytes + recipe->topic_count * (sizeof(ps_wire_topic_state) +
                                          sizeof(ps_wire_metadata_request_metadata_request_topic) +
                                          recipe->partitions_max * sizeof(ps_wire_leader));
}

void ps_wire_client_close(ps_wire_client *client) {
    if (client == NULL) return;
    for (uint32_t i = 0; client->nodes != NULL && i < client->nodes_max; i++)
        for (int line = 0; line < PS_WIRE_LINES; line++)
            ps_wire_link_close(&client->nodes[i].links[line]);
    for (uint32_t i = 0; client->topics != NULL && i < client->topic_count; i++) {
        free(client->topics[i].name);
        free(client->topics[i].leaders);
    }
    for (int kind = 0; kind < PS_WIRE_COORDINATORS; kind++) free(client->coordinators[kind].key);
    ps_wire_tls_close(client->tls);
    if (client->poll >= 0) (void)close(client->poll);
    free(client->nodes);
    free(client->topics);
    free(client->asked_topics);
    free(client->pieces);
    free(client->client_id);
    free(client);
}

static ps_status no_memory(ps_error *error) {
    return ps_fail(error, PS_NO_MEMORY, "no memory for a client of Kafka");
}

static ps_status open_topics(ps_wire_client *client, const ps_wire_client_recipe *recipe,
                             ps_error *error) {
    client->topics = calloc(recipe->topic_count + 1, sizeof *client->topics);
    client->asked_topics = calloc(recipe->topic_count + 1, sizeof *client->asked_topics);
    if (client->topics == NULL || client->asked_topics == NULL) return no_memory(error);
    client->topic_count = recipe->topic_count;
    client->partitions_max = recipe->partitions_max;
    for (uint32_t i = 0; i < recipe->topic_count; i++) {
        ps_wire_topic_state *topic = &client->topics[i];
        topic->name = strdup(recipe->topics[i]);
        topic->leaders = malloc((recipe->partitions_max + 1) * sizeof *topic->leaders);
        if (topic->name == NULL || topic->leaders == NULL) return no_memory(error);
        for (uint32_t p = 0; p < recipe->partitions_max; p++)
            topic->leaders[p] = (ps_wire_leader){PS_WIRE_NODE_NONE, -1};
    }
    for (int kind = 0; kind < PS_WIRE_COORDINATORS; kind++) {
        client->coordinators[kind].node = PS_WIRE_NODE_NONE;
        if (recipe->keys[kind] == NULL) continue;
        client->coordinators[kind].key = strdup(recipe->keys[kind]);
        if (client->coordinators[kind].key == NULL) return no_memory(error);
    }
    return PS_OK;
}

static ps_status open_nodes(ps_wire_client *client, const ps_wire_client_recipe *recipe,
                            ps_error *error) {
    client->seed_count = ps_wire_seeds_count(recipe->brokers);
    client->nodes = calloc(client->seed_count + recipe->nodes_max, sizeof *client->nodes);
    if (client->nodes == NULL) return no_memory(error);
    client->nodes_max = client->seed_count + recipe->nodes_max;
    PS_TRY(ps_wire_nodes_seed(client, recipe->brokers, error));
    for (uint32_t i = 0; i < client->nodes_max; i++) {
        const bool is_seed = i < client->seed_count;
        for (int line = is_seed ? PS_WIRE_CONTROL : 0; line < PS_WIRE_LINES; line++)
            PS_TRY(ps_wire_link_open(client, recipe, &client->nodes[i], (ps_wire_line)line, error));
        if (is_seed) (void)ps_wire_node_look_up(&client->nodes[i], client->now_ns);
    }
    return PS_OK;
}

static ps_status open_all(ps_wire_client *client, const ps_wire_client_recipe *recipe,
                          ps_error *error) {
    client->client_id = strdup(recipe->client_id);
    client->pieces_max = ps_wire_pieces_max(recipe);
    client->pieces = malloc(client->pieces_max * sizeof *client->pieces);
    if (client->client_id == NULL || client->pieces == NULL) return no_memory(error);
    client->poll = epoll_create1(EPOLL_CLOEXEC);
    if (client->poll < 0) return ps_fail(error, PS_IO, "epoll: no descriptor is left");
    if (recipe->security != NULL && recipe->security->tls)
        PS_TRY(ps_wire_tls_open(recipe->security, &client->tls, error));
    client->slot_bytes = ps_wire_slot_bytes(recipe);
    for (int line = 0; line < PS_WIRE_LINES; line++)
        client->pool_bytes[line] = ps_wire_pool_bytes(recipe, (ps_wire_line)line);
    PS_TRY(open_topics(client, recipe, error));
    return open_nodes(client, recipe, error);
}

size_t ps_wire_client_largest(const ps_wire_client *client, ps_wire_line line) {
    return client->largest[line];
}

ps_status ps_wire_client_open(const ps_wire_client_recipe *recipe, ps_wire_client **out,
                              ps_error *error) {
    ps_wire_client *client = calloc(1, sizeof *client);
    if (client == NULL) return no_memory(error);
    client->poll = -1;
    client->now_ns = ps_clock_ns();
    client->metadata_ns = client->now_ns;
    client->random = (uint64_t)client->now_ns ^ ((uint64_t)getpid() << 32) ^ (uintptr_t)client;
    const ps_status status = open_all(client, recipe, error);
    if (status != PS_OK) {
        ps_wire_client_close(client);
        return status;
    }
    if (client->topic_count > 0) ps_wire_client_refresh(client);
    *out = client;
    return PS_OK;
}

/* ---- step by step ---- */

static void take_events(ps_wire_client *client, int64_t until_ns) {
    struct epoll_event events[EVENTS];
    const int count = ps_epoll_wait(client->poll, events, EVENTS, until_ns);
    atomic_store_explicit(&client->ready, count == EVENTS, memory_order_relaxed);
    client->polled_ns = until_ns > 0 ? ps_clock_ns() : client->now_ns;
    for (int i = 0; i < count; i++) {
        ps_wire_link *link = events[i].data.ptr;
        link->kicked = true;
        link->readable = link->readable || events[i].events != EPOLLOUT;
    }
}

/* Who sleeps on us says when something came. Who does not sleep asks now and then, not each time
 * that it sends something. */
static bool may_have_events(const ps_wire_client *client) {
    if (client->wake == NULL || atomic_load_explicit(&client->ready, memory_order_relaxed))
        return true;
    const int64_t slept_ns = atomic_load_explicit(&client->wake->asked_ns, memory_order_relaxed);
    const int64_t since_ns = client->polled_ns > slept_ns ? client->polled_ns : slept_ns;
    return client->now_ns - since_ns >= BUSY_POLL_NS;
}

atomic_bool *ps_wire_client_bell(ps_wire_client *client, const ps_wake *wake) {
    client->wake = wake;
    atomic_store_explicit(&client->ready, true, memory_order_relaxed);
    return &client->ready;
}

static ps_status step_links(ps_wire_client *client, bool *again, ps_error *error) {
    *again = false;
    for (uint32_t i = 0; i < client->node_count; i++)
        for (int line = 0; line < PS_WIRE_LINES; line++) {
            ps_wire_link *link = &client->nodes[i].links[line];
            if (!link->dialled && !link->wanted) continue;
            PS_TRY(ps_wire_link_step(client, link, error));
            *again = *again || link->kicked;
        }
    return PS_OK;
}

ps_status ps_wire_client_step(ps_wire_client *client, int64_t now_ns, ps_error *error) {
    if (client->asked != NULL) {
        ps_wire_link_release(client, client->asked);
        client->asked = NULL;
    }
    client->now_ns = now_ns;
    if (may_have_events(client)) take_events(client, 0);
    return ps_wire_client_push(client, error);
}

ps_status ps_wire_client_push(ps_wire_client *client, ps_error *error) {
    bool again = true;
    for (int round = 0; round < ROUNDS && again; round++) {
        PS_TRY(step_links(client, &again, error));
        ps_wire_cluster_step(client);
        ps_wire_coordinators_step(client);
    }
    if (client->lacking.message[0] == '\0') return PS_OK;
    if (error != NULL) *error = client->lacking;
    return PS_BAD_CONFIG;
}

int64_t ps_wire_client_deadline(const ps_wire_client *client) {
    int64_t soonest = ps_wire_cluster_deadline(client);
    const int64_t coordinators = ps_wire_coordinators_deadline(client);
    if (coordinators < soonest) soonest = coordinators;
    for (uint32_t i = 0; i < client->node_count; i++)
        for (int line = 0; line < PS_WIRE_LINES; line++) {
            const ps_wire_link *link = &client->nodes[i].links[line];
            if (!link->dialled && !link->wanted) continue;
            const int64_t its = ps_wire_link_deadline(link);
            if (its < soonest) soonest = its;
        }
    return soonest;
}

int ps_wire_client_fd(const ps_wire_client *client) {
    return client->poll;
}

void ps_wire_client_rest(ps_wire_client *client, int64_t until_ns) {
    const int64_t due_ns = ps_wire_client_deadline(client);
    take_events(client, due_ns < until_ns ? due_ns : until_ns);
}

ps_status ps_wire_client_wait(ps_wire_client *client, bool (*done)(void *), void *opaque,
                              int64_t until_ns, ps_error *error) {
    PS_TRY(ps_wire_client_step(client, ps_clock_ns(), error));
    for (;;) {
        if (done != NULL && done(opaque)) return PS_OK;
        if (ps_clock_ns() >= until_ns) return PS_AGAIN;
        ps_wire_client_rest(client, until_ns);
        client->now_ns = ps_clock_ns();
        PS_TRY(ps_wire_client_push(client, error));
    }
}

int64_t ps_wire_client_heard_ns(const ps_wire_client *client) {
    return client->heard_ns;
}

bool ps_wire_client_outdated(const ps_wire_client *client) {
    return client->outdated || client->lacking.message[0] != '\0';
}

const char *ps_wire_client_trouble(const ps_wire_client *client) {
    return client->trouble.message;
}
