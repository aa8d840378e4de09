/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire_peer.h"

#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/wire/bytes.h"

enum { TRIES = 20000 };

static uint8_t last[PEER_ROOM]; /* the request taken last, whose strings point here */

ps_bytes peer_text(const char *text) {
    return (ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

void peer_open(wire_peer *peer, const ps_wire_connection_recipe *recipe) {
    socklen_t length = sizeof peer->address;
    *peer = (wire_peer){.fd = -1, .now_ns = 1000, .in = malloc(PEER_ROOM)};
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer->address = (struct sockaddr_in){.sin_family = AF_INET};
    peer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&peer->address, length), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    (void)getsockname(peer->listener, (struct sockaddr *)&peer->address, &length);
    assert_int_equal(ps_wire_connection_open(recipe, &peer->connection, &peer->error), PS_OK);
}

void peer_hang_up(wire_peer *peer, bool reset) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (peer->fd < 0) return;
    if (reset) (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    SSL_free(peer->ssl);
    peer->ssl = NULL;
    (void)close(peer->fd);
    peer->fd = -1;
    peer->held = 0;
}

void peer_close(wire_peer *peer) {
    ps_wire_connection_close(peer->connection);
    peer_hang_up(peer, false);
    (void)close(peer->listener);
    free(peer->in);
}

void peer_dial(wire_peer *peer, const char *host) {
    ps_wire_connection_dial(peer->connection, (struct sockaddr *)&peer->address,
                            sizeof peer->address, host, peer->now_ns);
    peer->fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(peer->fd >= 0);
    const int on = 1;
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (peer->tls == NULL) return;
    peer->ssl = SSL_new(peer->tls);
    SSL_set_fd(peer->ssl, peer->fd);
    SSL_set_accept_state(peer->ssl);
}

ps_status peer_step(wire_peer *peer) {
    if (peer->ssl != NULL && !SSL_is_init_finished(peer->ssl)) (void)SSL_do_handshake(peer->ssl);
    return ps_wire_connection_step(peer->connection, peer->now_ns, true, &peer->error);
}

ps_status peer_until(wire_peer *peer, ps_wire_phase phase) {
    for (int i = 0; i < TRIES; i++) {
        const ps_status status = peer_step(peer);
        if (status != PS_OK || ps_wire_connection_phase(peer->connection) == phase) return status;
        if (i > 50) (void)usleep(200);
    }
    fail_msg("stuck in phase %d", ps_wire_connection_phase(peer->connection));
    return PS_IO;
}

void peer_write(wire_peer *peer, const void *bytes, size_t length) {
    const uint8_t *from = bytes;
    for (int i = 0; length > 0; i++) {
        const ssize_t sent = peer->ssl != NULL ? SSL_write(peer->ssl, from, (int)length)
                                               : send(peer->fd, from, length, MSG_NOSIGNAL);
        assert_true(i < TRIES);
        if (sent > 0) from += sent, length -= (size_t)sent;
        if (length > 0) assert_int_equal(peer_step(peer), PS_OK);
    }
}

void peer_write_frame(wire_peer *peer, size_t length, uint8_t fill) {
    uint8_t *frame = malloc(length + 4);
    memset(frame, fill, length + 4);
    ps_wire_put32(frame, (int32_t)length);
    ps_wire_put32(frame + 4, fill);
    peer_write(peer, frame, length + 4);
    free(frame);
}

size_t peer_read(wire_peer *peer) {
    for (;;) {
        uint8_t *to = peer->in + peer->held;
        const size_t room = PEER_ROOM - peer->held;
        const ssize_t got = peer->ssl != NULL ? SSL_read(peer->ssl, to, (int)room)
                                              : recv(peer->fd, to, room, MSG_DONTWAIT);
        if (got <= 0) return peer->held;
        peer->held += (size_t)got;
    }
}

static bool whole(const wire_peer *peer) {
    return peer->held >= 4 && peer->held >= 4 + (size_t)ps_wire_get32(peer->in);
}

int16_t peer_take(wire_peer *peer, ps_wire_api api, void *request) {
    static uint8_t memory[1 << 16];
    ps_wire_pool pool = {.memory = memory, .bytes = sizeof memory};
    ps_wire_api asked;
    int16_t version = -1;
    ps_bytes client;
    for (int i = 0; !whole(peer); i++) {
        if (peer_step(peer) != PS_OK) return -1;
        (void)peer_read(peer);
        if (i > 50) (void)usleep(200);
        assert_true(i < TRIES);
    }
    const size_t bytes = (size_t)ps_wire_get32(peer->in);
    memcpy(last, peer->in + 4, bytes);
    peer->held -= 4 + bytes;
    memmove(peer->in, peer->in + 4 + bytes, peer->held);
    const ps_bytes frame = {last, (uint32_t)bytes};
    const ps_status status = ps_wire_decode_request(frame, &asked, &version, &peer->correlation,
                                                    &client, &pool, request, &peer->error);
    assert_int_equal(asked, api);
    /* Version 0 of ApiVersions is no longer spoken, only asked. */
    if (status != PS_OK) assert_true(api == PS_WIRE_API_VERSIONS && version == 0);
    return version;
}

void peer_answer(wire_peer *peer, ps_wire_api api, int16_t version, const void *response) {
    static uint8_t memory[1 << 16];
    struct iovec pieces[64];
    ps_wire_out out = {.memory = memory, .room = sizeof memory, .piece = pieces, .pieces_max = 64};
    assert_int_equal(
        ps_wire_encode_response(api, version, peer->correlation, response, &out, &peer->error),
        PS_OK);
    for (uint32_t i = 0; i < out.piece_count; i++)
        peer_write(peer, pieces[i].iov_base, pieces[i].iov_len);
}

void peer_greet(wire_peer *peer) {
    static const ps_wire_api_versions_response_api_version keys[] = {
        {PS_WIRE_PRODUCE, 3, 13},
        {PS_WIRE_FETCH, 4, 17},
        {PS_WIRE_METADATA, 0, 5},
        {PS_WIRE_SASL_HANDSHAKE, 0, 1},
        {PS_WIRE_API_VERSIONS, 0, 4},
        {PS_WIRE_SASL_AUTHENTICATE, 0, 2},
        {PS_WIRE_END_TXN, INT16_MAX, INT16_MAX}};
    const ps_wire_api_versions_response_finalized_feature_key features[] = {
        {peer_text("metadata.version"), 27, 7}, {peer_text("transaction.version"), 2, 0}};
    const ps_wire_api_versions_response answer = {
        .api_keys_count = sizeof keys / sizeof keys[0],
        .api_keys = keys,
        .finalized_features_count = 2,
        .finalized_features = features,
    };
    ps_wire_api_versions_request asked;
    assert_int_equal(peer_take(peer, PS_WIRE_API_VERSIONS, &asked), 3);
    assert_int_equal(asked.client_software_name.length, 8);
    peer_answer(peer, PS_WIRE_API_VERSIONS, 3, &answer);
}

void peer_handshake(wire_peer *peer, const char *mechanism) {
    const ps_bytes known = peer_text(mechanism);
    const ps_wire_sasl_handshake_response answer = {.mechanisms_count = 1, .mechanisms = &known};
    ps_wire_sasl_handshake_request asked;
    assert_int_equal(peer_take(peer, PS_WIRE_SASL_HANDSHAKE, &asked), 1);
    assert_int_equal(asked.mechanism.length, known.length);
    assert_memory_equal(asked.mechanism.data, mechanism, known.length);
    peer_answer(peer, PS_WIRE_SASL_HANDSHAKE, 1, &answer);
}

ps_bytes peer_hear(wire_peer *peer) {
    ps_wire_sasl_authenticate_request asked;
    const int16_t version = peer_take(peer, PS_WIRE_SASL_AUTHENTICATE, &asked);
    return version < 0 ? (ps_bytes){NULL, 0} : asked.auth_bytes;
}

void peer_say(wire_peer *peer, int16_t code, const char *why, ps_bytes bytes, int64_t lifetime_ms) {
    const ps_wire_sasl_authenticate_response answer = {
        .error_code = code,
        .error_message = why != NULL ? peer_text(why) : (ps_bytes){NULL, PS_NULL_LENGTH},
        .auth_bytes = bytes,
        .session_lifetime_ms = lifetime_ms,
    };
    peer_answer(peer, PS_WIRE_SASL_AUTHENTICATE, 2, &answer);
}
