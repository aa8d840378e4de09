/* SPDX-License-Identifier: Apache-2.0
 * The other end of a connection under test: a listening socket on loopback and what a broker would
 * say, in the same thread, so that every test decides who moves next.
 */
#ifndef PS_TESTS_WIRE_PEER_H
#define PS_TESTS_WIRE_PEER_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "ingest/wire/connection.h"

enum { PEER_ROOM = 4 << 20 };

typedef struct wire_peer {
    int listener, fd;
    struct sockaddr_in address;
    SSL_CTX *tls; /* NULL: plaintext */
    SSL *ssl;
    ps_wire_connection *connection;
    int64_t now_ns; /* what the connection is told */
    ps_error error; /* of its last step */
    uint8_t *in;    /* what it sent and was not taken */
    size_t held;
    int32_t correlation; /* of the last request taken */
} wire_peer;

void peer_open(wire_peer *peer, const ps_wire_connection_recipe *recipe);
void peer_close(wire_peer *peer);
/* Dials as `host`, and takes the connection. */
void peer_dial(wire_peer *peer, const char *host);
/* A step of the connection, and of TLS on this side. */
ps_status peer_step(wire_peer *peer);
/* Steps until it ends or fails, or is in this phase; aborts where it gets nowhere. */
ps_status peer_until(wire_peer *peer, ps_wire_phase phase);

void peer_write(wire_peer *peer, const void *bytes, size_t length);
/* A frame of `length` bytes, all of them `fill` but the first four: the correlation. */
void peer_write_frame(wire_peer *peer, size_t length, uint8_t fill);
/* Whether it reset the connection rather than closed it. */
void peer_hang_up(wire_peer *peer, bool reset);

/* What arrived, without taking it: bytes. */
size_t peer_read(wire_peer *peer);
/* Steps until a whole request is there, and takes it into `request`, a struct of the api's. The
 * version is returned, -1: it failed instead. */
int16_t peer_take(wire_peer *peer, ps_wire_api api, void *request);
void peer_answer(wire_peer *peer, ps_wire_api api, int16_t version, const void *response);

/* A broker of today to ApiVersions; then, with SASL, up to where messages of SASL come. */
void peer_greet(wire_peer *peer);
void peer_handshake(wire_peer *peer, const char *mechanism);
/* The next message of SASL, which lies in peer->in. */
ps_bytes peer_hear(wire_peer *peer);
void peer_say(wire_peer *peer, int16_t code, const char *why, ps_bytes bytes, int64_t lifetime_ms);

ps_bytes peer_text(const char *text);

#endif
