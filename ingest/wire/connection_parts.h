/* SPDX-License-Identifier: Apache-2.0
 * What the files of a connection share: connection.c has the phases, traffic.c the bytes in and
 * out, tls.c the cipher, greet.c the versions, sasl.c who we are, token.c where a token comes from.
 */
#ifndef PS_INGEST_WIRE_CONNECTION_PARTS_H
#define PS_INGEST_WIRE_CONNECTION_PARTS_H

#include <openssl/types.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "ingest/wire/connection.h"
#include "ingest/wire/message.h"
#include "ingest/wire/scram.h"
#include "ingest/wire/token.h"

enum {
    WIRE_SIZE = 4,       /* bytes before a frame that say how long it is */
    WIRE_STAGED = 16384, /* a record of TLS holds this much */
    WIRE_POOL = 16384,   /* for what an ApiVersions answer unfolds to */
    WIRE_FEATURES = 24,  /* a cluster has some seven */
    WIRE_FEATURE_NAME = 64,
    WIRE_PADDING = 64,
    WIRE_NAME = 320,
    WIRE_AUTH = PS_WIRE_TOKEN_BYTES + 64,
    WIRE_ASK = WIRE_AUTH + 1024,
    WIRE_ASK_PIECES = 8,
    WIRE_BEARER_BYTES = 16
};

/* Before a token. */
#define WIRE_BEARER "n,,\1auth=Bearer "

typedef enum wire_sasl_step {
    WIRE_SASL_TOKEN,     /* the command runs */
    WIRE_SASL_HANDSHAKE, /* each of these: asked, and not answered */
    WIRE_SASL_FIRST,
    WIRE_SASL_PROOF,
    WIRE_SASL_REFUSED /* OAUTHBEARER: the reason came, the refusal follows */
} wire_sasl_step;

typedef struct wire_feature {
    char name[WIRE_FEATURE_NAME];
    int16_t level;
} wire_feature;

/* A step that failed while whole answers are still to be read is told when they are. */
struct ps_wire_connection {
    ps_wire_connection_recipe recipe;
    ps_wire_security security;
    ps_wire_phase phase;
    int64_t phase_until_ns;
    char name[WIRE_NAME]; /* of the broker, for messages */
    char host[256];
    ps_status failed;
    ps_error failure;

    int fd, socket_errno; /* the last that TLS met: it has no way to say */
    bool ended;           /* the broker closed */
    bool outdated;        /* it is too old or too new */
    SSL *ssl;
    short read_wants, write_wants;

    uint8_t *in; /* [in_begin, in_end) is not dropped; room for one largest frame, */
    size_t in_begin, in_end, in_usual; /* but only in_usual of it for those that fit there */
    size_t front; /* bytes of the answer at in_begin once it is whole, otherwise 0 */
    bool more;    /* reading stopped for lack of room */
    int wakes_at; /* bytes for which poll tells of the socket */

    struct iovec *out; /* a ring of what is not written */
    uint32_t out_room, out_begin, out_count;
    uint32_t in_flight; /* sent, and its answer not dropped */
    uint8_t *staged;    /* on its way to TLS, which wants to be asked again with the same bytes */
    size_t staged_begin, staged_end;

    uint8_t *ask, *pool;
    struct iovec ask_pieces[WIRE_ASK_PIECES];
    ps_wire_range range[PS_WIRE_APIS]; /* the broker's; max -1: unknown there */
    wire_feature features[WIRE_FEATURES];
    uint32_t feature_count;
    int16_t asked_version; /* of ApiVersions */

    wire_sasl_step sasl;
    ps_scram scram;
    uint8_t *auth; /* what SASL says; secret */
    size_t auth_length;
    char refusal[256];
    ps_wire_token token; /* prints behind auth_length */
    int64_t again_at_ns; /* to authenticate again */
    bool again_due;
};

/* connection.c */
void ps_wire_enter(ps_wire_connection *c, ps_wire_phase phase, int64_t now_ns);

/* traffic.c: what fails is kept in c->failed. */
void ps_wire_flush(ps_wire_connection *c);
void ps_wire_receive(ps_wire_connection *c);
void ps_wire_queue(ps_wire_connection *c, const ps_wire_out *parts);
void ps_wire_forget(ps_wire_connection *c);
bool ps_wire_readable(const ps_wire_connection *c);

/* tls.c. read and write: bytes, 0: not now, -1: c->failed says why. */
ps_status ps_wire_tls_begin(ps_wire_connection *c, ps_error *error);
ps_status ps_wire_tls_shake(ps_wire_connection *c, bool *done, ps_error *error);
ssize_t ps_wire_tls_read(ps_wire_connection *c, void *to, size_t room);
ssize_t ps_wire_tls_write(ps_wire_connection *c, const void *from, size_t bytes);
void ps_wire_tls_end(ps_wire_connection *c);

/* greet.c: begin sends the question, answer takes what came; both go on to the next phase. */
ps_status ps_wire_greet_begin(ps_wire_connection *c, int64_t now_ns, ps_error *error);
ps_status ps_wire_greet_answer(ps_wire_connection *c, int64_t now_ns, ps_error *error);
ps_status ps_wire_ask(ps_wire_connection *c, ps_wire_api api, int16_t version, const void *request,
                      ps_error *error);
ps_status ps_wire_answer(ps_wire_connection *c, ps_wire_api api, int16_t version, void *response,
                         ps_error *error);
ps_status ps_wire_lacks(ps_wire_connection *c, ps_wire_api api, int16_t version, ps_error *error);
/* Printable, and no longer than its room: it goes into messages. */
void ps_wire_quote(ps_bytes text, char *to, size_t room);

/* sasl.c */
ps_status ps_wire_sasl_begin(ps_wire_connection *c, int64_t now_ns, ps_error *error);
ps_status ps_wire_sasl_answer(ps_wire_connection *c, int64_t now_ns, ps_error *error);
/* Once the token is there. */
ps_status ps_wire_sasl_introduce(ps_wire_connection *c, ps_error *error);
void ps_wire_sasl_wipe(ps_wire_connection *c);

#endif
