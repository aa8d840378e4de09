/* SPDX-License-Identifier: Apache-2.0
 * One line to one broker: dialled when it is wanted, broken when it fails or is too late, and its
 * answers handed to whoever asked, in the order of the requests.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "host/base/check.h"
#include "host/base/limits.h"
#include "ingest/wire/client_parts.h"

enum {
    BACK_OFF_MS_MIN = 20,
    BACK_OFF_MS_MAX = 1000,
    DIAL_MS = 10000,       /* of each phase of a connection */
    PARTITION_BYTES = 48,  /* of a partition in a request: Fetch has 33, ListOffsets 17 */
    TOPIC_BYTES = 640,     /* its name, id, counts, twice */
    PARTITION_STRUCT = 256 /* of a partition in an answer, as a struct */
};

static size_t partitions_of(const ps_wire_client_recipe *recipe) {
    const size_t all = (size_t)recipe->topic_count * recipe->partitions_max;
    return all < PS_PARTITIONS_MAX ? all : PS_PARTITIONS_MAX;
}

size_t ps_wire_slot_bytes(const ps_wire_client_recipe *recipe) {
    return 4096                                        /* header, names, numbers */
           + recipe->topic_count * (size_t)TOPIC_BYTES /* asked and forgotten */
           + partitions_of(recipe) * PARTITION_BYTES;
}

size_t ps_wire_pool_bytes(const ps_wire_client_recipe *recipe, ps_wire_line line) {
    /* Arrays of numbers are as long as they come. Most of a Fetch answer is records: a transaction
     * that was aborted takes more bytes of log than an eighth of its entry takes here. */
    const size_t arrays = recipe->receive_bytes[line] / (line == PS_WIRE_TO_FETCH ? 8 : 1);
    return (16 << 10) + arrays + recipe->topic_count * (size_t)TOPIC_BYTES +
           recipe->nodes_max * (size_t)TOPIC_BYTES + partitions_of(recipe) * PARTITION_STRUCT;
}

size_t ps_wire_response_max(void) {
    size_t most = 0;
    for (int api = 0; api < PS_WIRE_APIS; api++)
        if (ps_wire_response_bytes((ps_wire_api)api) > most)
            most = ps_wire_response_bytes((ps_wire_api)api);
    return most;
}

static uint32_t slots_of(ps_wire_line line) {
    switch (line) {
    case PS_WIRE_TO_FETCH:
        return 1;
    case PS_WIRE_TO_PRODUCE:
        return PS_WIRE_PRODUCES_MAX;
    default:
        return PS_WIRE_CONTROLS_MAX;
    }
}

static ps_wire_connection_recipe connection_recipe(const ps_wire_client_recipe *recipe,
                                                   ps_wire_line line) {
    return (ps_wire_connection_recipe){
        .security = recipe->security,
        .client_id = {(const uint8_t *)recipe->client_id, (uint32_t)strlen(recipe->client_id)},
        .receive_bytes = recipe->receive_bytes[line],
        .usual_bytes = line == PS_WIRE_TO_FETCH ? recipe->usual_bytes : 0,
        .in_flight_max = slots_of(line) + 1, /* the one whose answer is held */
        .pieces_max = line == PS_WIRE_TO_PRODUCE ? ps_wire_pieces_max(recipe) : 8,
        .timeout_ns = DIAL_MS * PS_NS_PER_MS};
}

size_t ps_wire_link_bytes(const ps_wire_client_recipe *recipe, ps_wire_line line) {
    if (recipe->receive_bytes[line] == 0) return 0;
    const ps_wire_connection_recipe connection = connection_recipe(recipe, line);
    return ps_wire_connection_bytes(&connection) +
           slots_of(line) * (sizeof(ps_wire_slot) + ps_wire_slot_bytes(recipe)) +
           ps_wire_pool_bytes(recipe, line) + ps_wire_response_max();
}

ps_status ps_wire_link_open(ps_wire_client *client, const ps_wire_client_recipe *recipe,
                            ps_wire_node *node, ps_wire_line line, ps_error *error) {
    ps_wire_link *link = &node->links[line];
    link->node = node;
    link->watched = -1;
    if (recipe->receive_bytes[line] == 0) return PS_OK;
    ps_wire_connection_recipe connection = connection_recipe(recipe, line);
    connection.tls = client->tls;
    connection.client_id.data = (const uint8_t *)client->client_id;
    PS_TRY(ps_wire_connection_open(&connection, &link->connection, error));
    link->slot_count = slots_of(line);
    link->slots = calloc(link->slot_count, sizeof *link->slots);
    link->requests = malloc(link->slot_count * client->slot_bytes);
    link->pool = malloc(client->pool_bytes[line]);
    link->response = malloc(ps_wire_response_max());
    if (link->slots == NULL || link->requests == NULL || link->pool == NULL ||
        link->response == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for connections to Kafka's brokers");
    for (uint32_t i = 0; i < link->slot_count; i++)
        link->slots[i].memory = link->requests + i * client->slot_bytes;
    return PS_OK;
}

void ps_wire_link_close(ps_wire_link *link) {
    ps_wire_connection_close(link->connection);
    free(link->slots);
    free(link->requests);
    free(link->pool);
    free(link->response);
}

bool ps_wire_link_ready(const ps_wire_link *link) {
    return link->dialled && ps_wire_connection_phase(link->connection) == PS_WIRE_READY;
}

bool ps_wire_link_quiet(const ps_wire_client *client, const ps_wire_link *link) {
    return client->now_ns < link->quiet_until_ns;
}

static void throttle(ps_wire_client *client, ps_wire_link *link, int32_t ms) {
    if (ms <= 0) return;
    link->quiet_until_ns = client->now_ns + ms * PS_NS_PER_MS;
    ps_wire_client_say(client, "%s:%u: throttles us for %" PRId32 " ms: a quota is used up",
                       link->node->host, link->node->port, ms);
}

/* Half of it is chance: those who failed together do not come back together. */
static int64_t back_off_ns(ps_wire_client *client, uint32_t failures) {
    int64_t pause = BACK_OFF_MS_MIN * PS_NS_PER_MS;
    for (uint32_t i = 1; i < failures && pause < BACK_OFF_MS_MAX * PS_NS_PER_MS; i++) pause *= 2;
    if (pause > BACK_OFF_MS_MAX * PS_NS_PER_MS) pause = BACK_OFF_MS_MAX * PS_NS_PER_MS;
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return pause / 2 + (int64_t)(client->random % (uint64_t)(pause / 2));
}

static void fail_link(ps_wire_client *client, ps_wire_link *link, const char *why) {
    ps_wire_client_say(client, "%s:%u: %s", link->node->host, link->node->port, why);
    link->failures++;
    link->retry_ns = client->now_ns + back_off_ns(client, link->failures);
    link->node->address++;
    if (link->node->id >= 0) ps_wire_client_refresh(client);
}

static ps_wire_slot pop(ps_wire_link *link) {
    const ps_wire_slot slot = link->slots[link->first];
    link->first = (link->first + 1) % link->slot_count;
    link->under_way--;
    return slot;
}

void ps_wire_link_break(ps_wire_client *client, ps_wire_link *link, const char *why) {
    /* A broker closes what was idle for minutes: no trouble. */
    const bool idle = link->under_way == 0 && ps_wire_link_ready(link);
    if (link->dialled) ps_wire_connection_hang_up(link->connection);
    link->dialled = link->kicked = link->readable = false;
    link->watched = -1;
    link->life++;
    if (why != NULL && !idle) fail_link(client, link, why);
    for (uint32_t n = link->under_way; n > 0 && link->under_way > 0; n--) {
        const ps_wire_slot slot = pop(link);
        slot.answered(slot.opaque, PS_IO, slot.version, NULL);
    }
}

void ps_wire_link_dial(ps_wire_client *client, ps_wire_link *link) {
    if (link->connection == NULL || link->dialled) return;
    link->wanted = true;
    if (link->held || client->now_ns < link->retry_ns) return;
    link->wanted = false;
    ps_wire_node *node = link->node;
    if (!ps_wire_node_look_up(node, client->now_ns)) {
        fail_link(client, link, "this host is not known: is its name right, does DNS answer?");
        return;
    }
    const uint32_t which = node->address % node->address_count;
    ps_wire_connection_dial(link->connection, (const struct sockaddr *)&node->addresses[which],
                            node->lengths[which], node->host, client->now_ns);
    link->dialled = link->kicked = true;
}

/* Tells epoll what the connection waits for; its descriptor may be another one by now. One that
 * waits for nothing is taken out: epoll would go on telling that it was reset. */
static void watch(ps_wire_client *client, ps_wire_link *link) {
    const short events = ps_wire_connection_events(link->connection);
    const int fd = events == 0 ? -1 : ps_wire_connection_fd(link->connection);
    if (fd == link->watched && events == link->events) return;
    if (link->watched >= 0 && fd != link->watched)
        (void)epoll_ctl(client->poll, EPOLL_CTL_DEL, link->watched, NULL);
    link->watched = fd;
    link->events = events;
    if (fd < 0) return;
    struct epoll_event event = {.data.ptr = link};
    if (events & POLLIN) event.events |= EPOLLIN;
    if (events & POLLOUT) event.events |= EPOLLOUT;
    if (epoll_ctl(client->poll, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
        (void)epoll_ctl(client->poll, EPOLL_CTL_ADD, fd, &event);
}

/* The same request would bring the same answer: for ever, unless somebody hears of it. */
static ps_status too_large(ps_wire_client *client, ps_wire_link *link, const char *why,
                           ps_error *error) {
    static const char *const words[PS_WIRE_LINES] = {"Fetch", "Produce", "all other requests"};
    const char *const line = words[link - link->node->links];
    (void)ps_fail(error, PS_UNSUPPORTED, "%s:%u: %s, for answers to %s", link->node->host,
                  link->node->port, why, line);
    ps_wire_link_break(client, link, why);
    return PS_UNSUPPORTED;
}

static ps_status answer(ps_wire_client *client, ps_wire_link *link, ps_bytes frame,
                        ps_error *error) {
    if (link->under_way == 0) {
        ps_wire_link_break(client, link, "it answered what nobody had asked");
        return PS_OK;
    }
    const ps_wire_slot *asked = &link->slots[link->first];
    ps_wire_pool pool = {link->pool, client->pool_bytes[link - link->node->links], 0};
    ps_error why;
    int32_t correlation = asked->correlation;
    const ps_status status = ps_wire_decode(asked->api, asked->version, frame, &correlation, &pool,
                                            link->response, &why);
    if (correlation != asked->correlation) {
        (void)ps_fail(&why, PS_IO, "its answer is to request %" PRId32 ", not %" PRId32,
                      correlation, asked->correlation);
        ps_wire_link_break(client, link, why.message);
        return PS_OK;
    }
    if (status == PS_NO_MEMORY) return too_large(client, link, why.message, error);
    if (status != PS_OK) {
        ps_wire_link_break(client, link, why.message);
        return PS_OK;
    }
    size_t *largest = &client->largest[link - link->node->links];
    if (frame.length > *largest) *largest = frame.length;
    throttle(client, link, ps_wire_throttle_ms(asked->api, link->response));
    const ps_wire_slot slot = pop(link);
    const uint64_t life = link->life;
    link->failures = 0;
    client->heard_ns = client->now_ns;
    client->answering = link;
    slot.answered(slot.opaque, PS_OK, slot.version, link->response);
    client->answering = NULL;
    if (life == link->life && !link->held) ps_wire_connection_drop(link->connection);
    return PS_OK;
}

/* An answer that waits behind one that is held was not late by itself. */
static void expire(ps_wire_client *client, ps_wire_link *link) {
    if (link->under_way == 0 || link->held) return;
    const ps_wire_slot *slot = &link->slots[link->first];
    if (slot->until_ns > client->now_ns) return;
    ps_error why;
    (void)ps_fail(&why, PS_IO, "no answer within %" PRId64 " ms", slot->timeout_ns / PS_NS_PER_MS);
    ps_wire_link_break(client, link, why.message);
}

/* A connection's messages begin with its name, which everything that is said of a link does. */
static const char *without_name(const ps_wire_link *link, const char *why) {
    char name[PS_WIRE_HOST_BYTES + 16];
    const int length = snprintf(name, sizeof name, "%s:%u: ", link->node->host, link->node->port);
    return strncmp(why, name, (size_t)length) == 0 ? why + length : why;
}

ps_status ps_wire_link_step(ps_wire_client *client, ps_wire_link *link, ps_error *error) {
    if (link->waits && !ps_wire_link_quiet(client, link)) link->waits = false;
    if (link->wanted && !link->dialled) ps_wire_link_dial(client, link);
    if (!link->dialled) return PS_OK;
    const bool pending = ps_wire_connection_pending(link->connection);
    if (link->kicked || pending ||
        ps_wire_connection_deadline(link->connection) <= client->now_ns) {
        ps_error why;
        const bool readable = link->readable || pending;
        link->kicked = link->readable = false;
        const ps_status status =
            ps_wire_connection_step(link->connection, client->now_ns, readable, &why);
        const char *reason = status == PS_OK ? NULL : without_name(link, why.message);
        if (status == PS_UNSUPPORTED) return too_large(client, link, reason, error);
        if (status != PS_OK) ps_wire_link_break(client, link, reason);
        client->outdated = client->outdated || ps_wire_connection_outdated(link->connection);
        if (status != PS_OK && status != PS_IO)
            return ps_fail(error, status, "%s:%u: %s", link->node->host, link->node->port, reason);
    }
    ps_bytes frame;
    while (link->dialled && !link->held && ps_wire_connection_frame(link->connection, &frame))
        PS_TRY(answer(client, link, frame, error));
    expire(client, link);
    if (link->dialled) watch(client, link);
    return PS_OK;
}

int64_t ps_wire_link_deadline(const ps_wire_link *link) {
    if (!link->dialled) return link->wanted && !link->held ? link->retry_ns : INT64_MAX;
    ps_bytes frame;
    if (link->kicked || ps_wire_connection_pending(link->connection)) return 0;
    if (!link->held && ps_wire_connection_frame(link->connection, &frame)) return 0;
    int64_t next = ps_wire_connection_deadline(link->connection);
    if (link->under_way > 0 && !link->held && link->slots[link->first].until_ns < next)
        next = link->slots[link->first].until_ns;
    if (link->waits && link->quiet_until_ns < next) next = link->quiet_until_ns;
    return next;
}

void ps_wire_link_release(ps_wire_client *client, ps_wire_link *link) {
    if (!link->held) return;
    link->held = false;
    if (!link->dialled) return;
    ps_bytes frame;
    if (ps_wire_connection_frame(link->connection, &frame))
        ps_wire_connection_drop(link->connection);
    const int64_t now = ps_clock_ns();
    for (uint32_t i = 0; i < link->under_way; i++) {
        ps_wire_slot *slot = &link->slots[(link->first + i) % link->slot_count];
        slot->until_ns = now + slot->timeout_ns;
    }
    link->kicked = true;
    (void)client;
}
