/* SPDX-License-Identifier: Apache-2.0
 * One connection to a Kafka broker: TCP, TLS, SASL, and whole answers out of a stream of bytes. It
 * has no thread and never waits: whoever owns it polls its descriptor and calls step. All memory is
 * taken by open; OpenSSL alone takes more, with every dial and handshake.
 *
 * One step takes longer: SCRAM derives a key from the password, milliseconds at the 4,096 to 16,384
 * iterations that Kafka allows, a second or so at the most that are accepted. TLS is done by
 * OpenSSL in this process, not by the kernel (kTLS).
 *
 * Threads: a connection is used by one thread at a time; those that share a recipe may be used by
 * several.
 */
#ifndef PS_INGEST_WIRE_CONNECTION_H
#define PS_INGEST_WIRE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "ingest/wire/message.h"

typedef enum ps_wire_mechanism {
    PS_WIRE_SASL_NONE,
    PS_WIRE_SASL_PLAIN,
    PS_WIRE_SASL_SCRAM_256,
    PS_WIRE_SASL_SCRAM_512,
    PS_WIRE_SASL_OAUTHBEARER
} ps_wire_mechanism;

/* Borrowed: it outlives the connections. NULL is "none" everywhere. */
typedef struct ps_wire_security {
    bool tls;
    bool verify;         /* chain and host name; false lets any impostor in */
    bool any_host;       /* the chain alone: whoever has a certificate of that authority */
    const char *ca_file; /* or a folder of them, by their hashes; NULL: the system's store */
    const char *cert_file, *key_file, *key_password;
    ps_wire_mechanism mechanism;
    /* UTF-8, sent as it is: SASLprep is not done, so whoever goes beyond ASCII must give both in
     * the form that the broker stored. */
    const char *user, *password;
    const char *token; /* or */
    /* For the shell; prints a token to its standard output. It runs anew for every authentication.
     */
    const char *token_command;
} ps_wire_security;

typedef enum ps_wire_phase {
    PS_WIRE_CLOSED,
    PS_WIRE_CONNECTING,
    PS_WIRE_SECURING,       /* TLS */
    PS_WIRE_ASKING,         /* which versions the broker knows */
    PS_WIRE_AUTHENTICATING, /* the first time, or again */
    PS_WIRE_READY
} ps_wire_phase;

enum {
    PS_WIRE_PIECES = 256, /* of one request, where the recipe does not say */
    PS_WIRE_ITERATIONS_MIN = 4096,
    PS_WIRE_ITERATIONS_MAX = 1 << 20,
    PS_WIRE_TOKEN_BYTES = 16 << 10
};

typedef struct ps_wire_connection_recipe {
    const ps_wire_security *security; /* NULL: plaintext, nobody to be */
    void *tls;                        /* from ps_wire_tls_open, where security says tls */
    ps_bytes client_id;               /* borrowed */
    size_t receive_bytes;             /* the largest frame, without its size */
    size_t usual_bytes;     /* more of the buffer is used only for a frame that is larger; 0: all */
    uint32_t in_flight_max; /* requests that are not written or not answered, at most */
    uint32_t pieces_max;    /* of one request, on average; 0: PS_WIRE_PIECES */
    int64_t timeout_ns;     /* of each phase before READY */
} ps_wire_connection_recipe;

/* What connections with the same security share: OpenSSL's context, with certificates and keys.
 * Fails: BAD_CONFIG with the file that cannot be used. */
ps_status ps_wire_tls_open(const ps_wire_security *security, void **out,
                           ps_error *error) PS_MUST_USE;
void ps_wire_tls_close(void *tls);

typedef struct ps_wire_connection ps_wire_connection;

ps_status ps_wire_connection_open(const ps_wire_connection_recipe *recipe, ps_wire_connection **out,
                                  ps_error *error) PS_MUST_USE;
void ps_wire_connection_close(ps_wire_connection *connection);
/* What one takes. */
size_t ps_wire_connection_bytes(const ps_wire_connection_recipe *recipe);

/* Only when CLOSED. `host` is what TLS asks for and verifies. What fails at once is told by the
 * next step. */
void ps_wire_connection_dial(ps_wire_connection *connection, const struct sockaddr *address,
                             socklen_t length, const char *host, int64_t now_ns);
/* CLOSED, and all that was queued is forgotten. */
void ps_wire_connection_hang_up(ps_wire_connection *connection);

/* All that is possible now; of what came, if it may be that something did: where an event says so,
 * or nobody was asked. Fails, and is CLOSED then: IO: may be better the next time;
 * BAD_CONFIG: will not, before somebody changes something: a password, a certificate, a broker;
 * UNSUPPORTED: nor will this, an answer of more than receive_bytes. */
ps_status ps_wire_connection_step(ps_wire_connection *connection, int64_t now_ns, bool readable,
                                  ps_error *error) PS_MUST_USE;

ps_wire_phase ps_wire_connection_phase(const ps_wire_connection *connection);
/* To poll: the socket, or the pipe that a token comes from; -1: nothing, wait for the deadline. Any
 * step may change it. */
int ps_wire_connection_fd(const ps_wire_connection *connection);
short ps_wire_connection_events(const ps_wire_connection *connection);
/* There is more to read than poll shows: step without waiting. */
bool ps_wire_connection_pending(const ps_wire_connection *connection);
/* When to step though nothing happens; INT64_MAX: never; in the past: at once. */
int64_t ps_wire_connection_deadline(const ps_wire_connection *connection);

/* Of the broker that it is or was last READY with: the newest version that both know, -1: none; the
 * level of a feature that the cluster finalized, 0: none. */
int16_t ps_wire_connection_version(const ps_wire_connection *connection, ps_wire_api api);
int16_t ps_wire_connection_feature(const ps_wire_connection *connection, const char *name);
/* Fails: BAD_CONFIG, a sentence that names what the broker lacks. */
ps_status ps_wire_connection_require(const ps_wire_connection *connection, ps_wire_api api,
                                     int16_t version, ps_error *error) PS_MUST_USE;

/* It failed because the broker is too old or too new. */
bool ps_wire_connection_outdated(const ps_wire_connection *connection);

/* May a request be sent? Not before READY, with in_flight_max under way, or before the next
 * authentication, which waits until none is. */
bool ps_wire_connection_room(const ps_wire_connection *connection);
/* Only with room. Copies what names the pieces; their bytes stay as they are until the answer comes
 * or the connection closes. Every request has an answer: not Produce with acks=0. */
void ps_wire_connection_send(ps_wire_connection *connection, const ps_wire_out *parts);

/* The next whole answer, behind its size, with 64 readable bytes after it; the same one until it is
 * dropped, whatever arrives meanwhile. */
bool ps_wire_connection_frame(const ps_wire_connection *connection, ps_bytes *frame);
void ps_wire_connection_drop(ps_wire_connection *connection);

#endif
