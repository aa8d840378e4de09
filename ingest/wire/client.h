/* SPDX-License-Identifier: Apache-2.0
 * The brokers of a cluster as one client of it sees them: who they are, who leads which partition,
 * which of them coordinates, and the requests that are under way to them. A source has one, a sink
 * has another; they share nothing.
 *
 * A broker serves a connection strictly in order, so a Fetch that waits for records would hold up
 * what is sent behind it: there is a line for each kind of request, dialled when it is first used.
 *
 * Nothing blocks but ps_wire_client_ask and ps_wire_client_wait, which a thread that has nothing
 * else to do may call, and the look-up of host names: when the client opens, when a broker comes up
 * that was not known, when none of its addresses answers. All memory is open's. Threads: one.
 */
#ifndef PS_INGEST_WIRE_CLIENT_H
#define PS_INGEST_WIRE_CLIENT_H

#include "ingest/wire/connection.h"
#include "ingest/wire/message.h"
#include "ingest/wire/serve.h"

typedef enum ps_wire_line {
    PS_WIRE_TO_FETCH,
    PS_WIRE_TO_PRODUCE,
    PS_WIRE_CONTROL,
    PS_WIRE_LINES
} ps_wire_line;

typedef enum ps_wire_coordinator {
    PS_WIRE_OF_GROUP, /* FindCoordinator's key types */
    PS_WIRE_OF_TRANSACTION,
    PS_WIRE_COORDINATORS
} ps_wire_coordinator;

enum {
    PS_WIRE_NODE_NONE = -1,
    PS_WIRE_NODE_ANY = -2,
    PS_WIRE_PRODUCES_MAX = 5,
    PS_WIRE_SHARES_MAX = 64 /* partitions of one Produce */
};

typedef struct ps_wire_client_recipe {
    const char *brokers; /* host:port,…: who is asked first */
    const ps_wire_security *security;
    const char *client_id;
    const char *const *topics; /* [topic_count] those that metadata is kept of */
    uint32_t topic_count;
    uint32_t nodes_max, partitions_max;  /* brokers; partitions of a topic */
    size_t receive_bytes[PS_WIRE_LINES]; /* the largest answer on a line; 0: never used */
    size_t usual_bytes; /* of answers to Fetch: beyond is memory only for larger ones; 0: all */
    const char *keys[PS_WIRE_COORDINATORS]; /* group, transactional id; NULL: none */
} ps_wire_client_recipe;

/* BAD_CONFIG: an address that is none. Whether a broker answers shows later. */
ps_status ps_wire_client_open(const ps_wire_client_recipe *recipe, ps_wire_client **out,
                              ps_error *error) PS_MUST_USE;
void ps_wire_client_close(ps_wire_client *client);
size_t ps_wire_client_bytes(const ps_wire_client_recipe *recipe);

/* When somebody answered, 0: never; the newest failure, "": none; the largest answer on a line; */
int64_t ps_wire_client_heard_ns(const ps_wire_client *client);
const char *ps_wire_client_trouble(const ps_wire_client *client);
size_t ps_wire_client_largest(const ps_wire_client *client, ps_wire_line line);
/* whether it failed for a broker that is too old or too new. */
bool ps_wire_client_outdated(const ps_wire_client *client);

/* ---- who is who ---- */

typedef struct ps_wire_topic {
    bool known;         /* metadata has come */
    int16_t error_code; /* of it: 3 where the topic is not there */
    uint8_t id[16];     /* a topic that is made anew has another one */
    uint32_t made;      /* how often it had another one than before */
    uint32_t partitions;
    uint32_t wrong;   /* how many answers in a row had an error, */
    int64_t wrong_ns; /* and when the first of them came */
} ps_wire_topic;

typedef struct ps_wire_leader {
    int32_t node, epoch; /* node NONE: not known now, a refresh is under way */
} ps_wire_leader;
const ps_wire_topic *ps_wire_client_topic(const ps_wire_client *client, uint32_t topic);
/* 0, or the code why nothing will ever get there; `since_ns`: when somebody first wanted to. */
int16_t ps_wire_client_lost(const ps_wire_client *client, uint32_t topic, uint32_t partition,
                            int64_t since_ns);
ps_wire_leader ps_wire_client_leader(ps_wire_client *client, uint32_t topic, uint32_t partition);
/* As an answer told it (KIP-951): newer epochs count. */
void ps_wire_client_lead(ps_wire_client *client, uint32_t topic, uint32_t partition,
                         ps_wire_leader leader);
void ps_wire_client_refresh(ps_wire_client *client); /* what is known is wrong: asks again, soon */
/* NONE: not known now, it is being looked for; refused: why it never will be, 0: it may. */
int32_t ps_wire_client_coordinator(ps_wire_client *client, ps_wire_coordinator kind);
int16_t ps_wire_client_coordinator_refused(const ps_wire_client *client, ps_wire_coordinator kind);
void ps_wire_client_coordinator_moved(ps_wire_client *client, ps_wire_coordinator kind);

/* ---- requests ---- */

/* The newest that we and that broker know; -1: not connected yet, or none. */
int16_t ps_wire_client_version(ps_wire_client *client, int32_t node, ps_wire_line line,
                               ps_wire_api api);
/* Whether every broker that was met has this feature at this level or above. */
bool ps_wire_client_feature(const ps_wire_client *client, const char *name, int16_t level);

/* OK: `response` is the api's struct and lies, as what it points to, in the line's receive buffer:
 * until this call returns, or, after ps_wire_client_hold, until ps_wire_client_release.
 * IO: the connection broke, or `timeout_ns` passed (the connection is closed then): whether the
 * broker has done it, nobody knows. */
typedef void ps_wire_answered(void *opaque, ps_status status, int16_t version,
                              const void *response);

typedef struct ps_wire_call {
    int32_t node; /* ANY: some broker */
    ps_wire_line line;
    ps_wire_api api;
    int16_t version;     /* the newest that both know, up to this one; -1: the newest */
    const void *request; /* encoded by the call; what its `records` point to is borrowed until the
                            answer */
    int64_t timeout_ns;
    ps_wire_answered *answered;
    void *opaque;
} ps_wire_call;

/* AGAIN: the line is not connected yet (it is being dialled), or full, or throttled. */
ps_status ps_wire_client_send(ps_wire_client *client, const ps_wire_call *call,
                              ps_error *error) PS_MUST_USE;
/* Within a callback: keeps the answer; nothing more is read on that line until its release. */
void ps_wire_client_hold(ps_wire_client *client);
void ps_wire_client_release(ps_wire_client *client, int32_t node, ps_wire_line line);
/* Closes a connection: whatever is under way on it is broken off, before this returns. */
void ps_wire_client_cut(ps_wire_client *client, int32_t node, ps_wire_line line);
void ps_wire_client_cut_all(ps_wire_client *client);

/* Sends a request on CONTROL and waits for its answer: `*response` lies in the line's buffer until
 * the next step of the client, by whomever. IO: no answer until `until_ns`, or broken off.
 * `call->answered` is unused.
 */
ps_status ps_wire_client_ask(ps_wire_client *client, const ps_wire_call *call, int64_t until_ns,
                             int16_t *version, const void **response, ps_error *error) PS_MUST_USE;

#endif
