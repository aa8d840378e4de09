/* SPDX-License-Identifier: Apache-2.0
 * What the files of the client share: nodes, their lines, and the requests under way on them.
 */
#ifndef PS_INGEST_WIRE_CLIENT_PARTS_H
#define PS_INGEST_WIRE_CLIENT_PARTS_H

#include <netinet/in.h>

#include "host/base/clock.h"
#include "ingest/wire/client.h"

enum {
    PS_WIRE_SEEDS_MAX = 16,     /* of the list that is asked first */
    PS_WIRE_ADDRESSES_MAX = 4,  /* of one host */
    PS_WIRE_HOST_BYTES = 256,   /* DNS has 253, and a NUL */
    PS_WIRE_NODE_IS_SEED = -16, /* a broker whose id is not known: it is asked who is who */
    PS_WIRE_CONTROLS_MAX = 4    /* requests under way on CONTROL */
};

/* A request that is under way. */
typedef struct ps_wire_slot {
    ps_wire_api api;
    int16_t version;
    int32_t correlation;
    int64_t timeout_ns, until_ns;
    ps_wire_answered *answered;
    void *opaque;
    uint8_t *memory; /* of what is sent, but its records */
} ps_wire_slot;

typedef struct ps_wire_node ps_wire_node;

typedef struct ps_wire_link {
    ps_wire_connection *connection; /* NULL: this line is not used */
    ps_wire_node *node;
    ps_wire_slot *slots; /* a ring: [first, first + under_way) in the order that they were sent */
    uint32_t slot_count, first, under_way;
    uint8_t *requests, *pool,
        *response;               /* memory: of all slots; of an answer's arrays; the answer */
    uint64_t life;               /* grows when it breaks */
    bool dialled, wanted;        /* wanted: somebody waits for it to be dialled */
    bool held, kicked, readable; /* an answer is being read; something was sent; epoll's word */
    int64_t retry_ns, quiet_until_ns; /* quiet: the broker throttles us */
    bool waits;                       /* somebody wants to send then */
    uint32_t failures;
    int watched, events; /* the descriptor that epoll has, -1: none; and for what */
} ps_wire_link;

struct ps_wire_node {
    int32_t id;
    char host[PS_WIRE_HOST_BYTES];
    uint16_t port;
    bool listed; /* in the newest metadata */
    bool numeric;
    int64_t looked_up_ns;
    struct sockaddr_storage addresses[PS_WIRE_ADDRESSES_MAX];
    socklen_t lengths[PS_WIRE_ADDRESSES_MAX];
    uint32_t address_count, address; /* the next to try */
    ps_wire_link links[PS_WIRE_LINES];
};

/* When something is asked again that is not known, or wrong. */
typedef struct ps_wire_again {
    bool wanted, under_way;
    int64_t next_ns, pause_ns, pause_max_ns;
} ps_wire_again;

typedef struct ps_wire_topic_state {
    ps_wire_topic shown;
    char *name;
    ps_wire_leader *leaders; /* [partitions_max] */
} ps_wire_topic_state;

typedef struct ps_wire_coordinator_state {
    char *key; /* NULL: none */
    int32_t node;
    int16_t refused; /* why there will be none; 0: there may */
    ps_wire_again again;
} ps_wire_coordinator_state;

struct ps_wire_client {
    ps_wire_node *nodes; /* the seeds, then those that metadata named */
    uint32_t seed_count, node_count, nodes_max, turn; /* turn: who is tried next, of all */
    int poll;
    void *tls;
    char *client_id;
    uint32_t partitions_max, topic_count;
    size_t slot_bytes, pool_bytes[PS_WIRE_LINES];
    struct iovec *pieces; /* of the request that is being encoded */
    uint32_t pieces_max;
    ps_wire_metadata_request_metadata_request_topic *asked_topics; /* [topic_count] */
    ps_wire_topic_state *topics;
    ps_wire_again metadata;
    int64_t metadata_ns;     /* when it last came */
    bool outdated;           /* a broker is too old or too new */
    uint32_t metadata_count; /* how often it came, or a leader was told otherwise */
    uint32_t correlation;    /* of the next request */
    ps_wire_coordinator_state coordinators[PS_WIRE_COORDINATORS];
    ps_wire_link *answering; /* whose callback runs */
    ps_wire_link *asked;     /* whose answer ps_wire_client_ask gave away */
    int64_t now_ns, heard_ns, polled_ns;
    const ps_wake *wake;           /* who sleeps on it says when there are events; NULL: nobody */
    atomic_bool ready;             /* and that there may be some */
    size_t largest[PS_WIRE_LINES]; /* answers */
    uint64_t random;
    ps_error trouble, lacking; /* lacking: what a broker does not know and we need; "": nothing */
};

/* ---- links.c ---- */
ps_status ps_wire_link_open(ps_wire_client *client, const ps_wire_client_recipe *recipe,
                            ps_wire_node *node, ps_wire_line line, ps_error *error) PS_MUST_USE;
void ps_wire_link_close(ps_wire_link *link);
size_t ps_wire_link_bytes(const ps_wire_client_recipe *recipe, ps_wire_line line);
size_t ps_wire_response_max(void);
size_t ps_wire_slot_bytes(const ps_wire_client_recipe *recipe);
size_t ps_wire_pool_bytes(const ps_wire_client_recipe *recipe, ps_wire_line line);
/* Connects it, now or when its back-off is over. */
void ps_wire_link_dial(ps_wire_client *client, ps_wire_link *link);
bool ps_wire_link_ready(const ps_wire_link *link);
bool ps_wire_link_quiet(const ps_wire_client *client, const ps_wire_link *link);
/* `why` NULL: nobody's fault. */
void ps_wire_link_break(ps_wire_client *client, ps_wire_link *link, const char *why);
ps_status ps_wire_link_step(ps_wire_client *client, ps_wire_link *link,
                            ps_error *error) PS_MUST_USE;
int64_t ps_wire_link_deadline(const ps_wire_link *link);
void ps_wire_link_release(ps_wire_client *client, ps_wire_link *link);

/* ---- nodes.c ---- */
/* Every host:port of the list becomes a seed. */
ps_status ps_wire_nodes_seed(ps_wire_client *client, const char *brokers,
                             ps_error *error) PS_MUST_USE;
uint32_t ps_wire_seeds_count(const char *brokers);
ps_wire_node *ps_wire_node_find(ps_wire_client *client, int32_t id);
void ps_wire_node_learn(ps_wire_client *client, int32_t id, ps_bytes host, int32_t port);
/* Whom to ask what anybody knows; NULL: nobody now, all of them failed a moment ago. */
ps_wire_node *ps_wire_node_any(ps_wire_client *client);
bool ps_wire_node_look_up(ps_wire_node *node, int64_t now_ns); /* sets its addresses */

/* ---- cluster.c, coordinators.c ---- */
void ps_wire_cluster_step(ps_wire_client *client);
int64_t ps_wire_cluster_deadline(const ps_wire_client *client);
void ps_wire_coordinators_step(ps_wire_client *client);
int64_t ps_wire_coordinators_deadline(const ps_wire_client *client);
void ps_wire_again_sent(ps_wire_again *again, int64_t now_ns);
void ps_wire_again_want(ps_wire_again *again, int64_t now_ns, int64_t pause_ns);
uint32_t ps_wire_pieces_max(const ps_wire_client_recipe *recipe);         /* of one request */
bool ps_wire_client_absent(const ps_wire_client *client, uint32_t topic); /* and not only new */
void ps_wire_client_say(ps_wire_client *client, const char *trouble, ...) PS_PRINTF(2, 3);

#endif
