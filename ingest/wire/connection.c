/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/carve.h"
#include "host/base/check.h"
#include "ingest/wire/connection_parts.h"

enum { KEEP_IDLE_S = 60, KEEP_EVERY_S = 15, KEEP_TRIES = 4 };

/* Memory: each part once, in this order. */
typedef struct sizes {
    size_t in, out, ask, pool, auth, staged;
} sizes;

static uint32_t pieces_of(const ps_wire_connection_recipe *recipe) {
    const uint32_t each = recipe->pieces_max > 0 ? recipe->pieces_max : (uint32_t)PS_WIRE_PIECES;
    const uint32_t all = each * recipe->in_flight_max;
    return all > WIRE_ASK_PIECES ? all : WIRE_ASK_PIECES;
}

static sizes sizes_of(const ps_wire_connection_recipe *recipe) {
    const ps_wire_security *security = recipe->security;
    const bool named = security != NULL && security->mechanism != PS_WIRE_SASL_NONE;
    return (sizes){.in = WIRE_SIZE + recipe->receive_bytes + WIRE_PADDING,
                   .out = pieces_of(recipe) * sizeof(struct iovec),
                   .ask = WIRE_ASK,
                   .pool = WIRE_POOL,
                   .auth = named ? WIRE_AUTH : 0,
                   .staged = security != NULL && security->tls ? WIRE_STAGED : 0};
}

size_t ps_wire_connection_bytes(const ps_wire_connection_recipe *recipe) {
    const sizes s = sizes_of(recipe);
    return ps_carve_size(sizeof(ps_wire_connection)) + ps_carve_size(s.in) + ps_carve_size(s.out) +
           ps_carve_size(s.ask) + ps_carve_size(s.pool) + ps_carve_size(s.auth) +
           ps_carve_size(s.staged);
}

static ps_status check_recipe(const ps_wire_connection_recipe *recipe, ps_error *error) {
    const ps_wire_security *s = recipe->security;
    PS_CHECK(recipe->in_flight_max > 0 && recipe->receive_bytes <= INT32_MAX);
    if (s == NULL) return PS_OK;
    PS_CHECK(!s->tls || recipe->tls != NULL);
    if (s->mechanism == PS_WIRE_SASL_OAUTHBEARER && s->token == NULL && s->token_command == NULL)
        return ps_fail(error, PS_BAD_CONFIG, "SASL OAUTHBEARER wants a token, or a command for it");
    if (s->mechanism != PS_WIRE_SASL_NONE && s->mechanism != PS_WIRE_SASL_OAUTHBEARER &&
        (s->user == NULL || s->password == NULL))
        return ps_fail(error, PS_BAD_CONFIG, "SASL wants a user and a password");
    return PS_OK;
}

ps_status ps_wire_connection_open(const ps_wire_connection_recipe *recipe, ps_wire_connection **out,
                                  ps_error *error) {
    PS_TRY(check_recipe(recipe, error));
    const sizes s = sizes_of(recipe);
    const size_t bytes = ps_wire_connection_bytes(recipe);
    uint8_t *memory = aligned_alloc(64, bytes);
    if (memory == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a connection: %zu bytes", bytes);
    ps_wire_connection *c = ps_carve(&memory, sizeof *c);
    *c = (ps_wire_connection){.recipe = *recipe, .fd = -1, .token.fd = -1};
    if (recipe->security != NULL) c->security = *recipe->security;
    c->in = ps_carve(&memory, s.in);
    const bool all = recipe->usual_bytes == 0 || recipe->usual_bytes > recipe->receive_bytes;
    c->in_usual = WIRE_SIZE + (all ? recipe->receive_bytes : recipe->usual_bytes);
    c->out = ps_carve(&memory, s.out);
    c->out_room = pieces_of(recipe);
    c->ask = ps_carve(&memory, s.ask);
    c->pool = ps_carve(&memory, s.pool);
    if (s.auth > 0) c->auth = ps_carve(&memory, s.auth);
    if (s.staged > 0) c->staged = ps_carve(&memory, s.staged);
    for (int i = 0; i < PS_WIRE_APIS; i++) c->range[i].max = -1;
    *out = c;
    return PS_OK;
}

void ps_wire_connection_close(ps_wire_connection *c) {
    if (c == NULL) return;
    ps_wire_connection_hang_up(c);
    free(c);
}

void ps_wire_connection_hang_up(ps_wire_connection *c) {
    ps_wire_token_end(&c->token);
    ps_wire_tls_end(c);
    if (c->fd >= 0) (void)close(c->fd);
    ps_wire_forget(c);
    ps_wire_sasl_wipe(c);
    c->fd = -1;
    c->phase = PS_WIRE_CLOSED;
    c->failed = PS_OK;
    c->again_due = false;
}

void ps_wire_enter(ps_wire_connection *c, ps_wire_phase phase, int64_t now_ns) {
    c->phase = phase;
    c->phase_until_ns = phase == PS_WIRE_READY ? INT64_MAX : now_ns + c->recipe.timeout_ns;
    c->read_wants = POLLIN, c->write_wants = POLLOUT;
}

/* As people would write it: host:port, or the address where there is no name. */
static void name_peer(ps_wire_connection *c, const struct sockaddr *address) {
    char host[INET6_ADDRSTRLEN] = "?";
    const void *bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    in_port_t port = ((const struct sockaddr_in *)(const void *)address)->sin_port;
    if (address->sa_family == AF_INET6) {
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        port = ((const struct sockaddr_in6 *)(const void *)address)->sin6_port;
    }
    (void)inet_ntop(address->sa_family, bytes, host, sizeof host);
    (void)snprintf(c->name, sizeof c->name, "%s:%d", c->host[0] != '\0' ? c->host : host,
                   ntohs(port));
}

/* What cannot be set is not missed: a socket of another family has none of it. */
static void set_socket(int fd) {
    const int on = 1, idle = KEEP_IDLE_S, every = KEEP_EVERY_S, tries = KEEP_TRIES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

void ps_wire_connection_dial(ps_wire_connection *c, const struct sockaddr *address,
                             socklen_t length, const char *host, int64_t now_ns) {
    PS_CHECK(c->phase == PS_WIRE_CLOSED);
    PS_CHECK(address->sa_family == AF_INET || address->sa_family == AF_INET6);
    c->host[0] = '\0';
    c->ended = false;
    c->socket_errno = 0;
    const bool fits = host == NULL || strlen(host) < sizeof c->host;
    if (host != NULL && fits) memcpy(c->host, host, strlen(host) + 1);
    name_peer(c, address);
    ps_wire_enter(c, PS_WIRE_CONNECTING, now_ns);
    if (!fits) {
        c->failed = ps_fail(&c->failure, PS_BAD_CONFIG, "its host name is too long");
        return;
    }
    c->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd >= 0) set_socket(c->fd);
    c->wakes_at = 1;
    if (c->fd < 0 || (connect(c->fd, address, length) != 0 && errno != EINPROGRESS))
        c->failed = ps_fail(&c->failure, PS_IO, "connecting: %s", strerror(errno));
}

static ps_status go_on_connecting(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    struct pollfd ready = {.fd = c->fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) <= 0) return PS_OK;
    int reason = 0;
    socklen_t bytes = sizeof reason;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &reason, &bytes) != 0) reason = errno;
    if (reason != 0) return ps_fail(error, PS_IO, "connecting: %s", strerror(reason));
    if (!c->security.tls) return ps_wire_greet_begin(c, now_ns, error);
    PS_TRY(ps_wire_tls_begin(c, error));
    ps_wire_enter(c, PS_WIRE_SECURING, now_ns);
    return PS_OK;
}

static ps_status go_on_securing(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    bool done = false;
    PS_TRY(ps_wire_tls_shake(c, &done, error));
    return done ? ps_wire_greet_begin(c, now_ns, error) : PS_OK;
}

static ps_status take_answer(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    return c->phase == PS_WIRE_ASKING ? ps_wire_greet_answer(c, now_ns, error)
                                      : ps_wire_sasl_answer(c, now_ns, error);
}

/* Our own questions: one at a time, each after the answer to the one before. */
static ps_status go_on_asking(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    if (c->token.pid != 0) {
        bool done = false;
        PS_TRY(ps_wire_token_read(&c->token, now_ns, &done, error));
        if (!done) return PS_OK;
        c->auth_length += c->token.used;
        PS_TRY(ps_wire_sasl_introduce(c, error));
    }
    ps_wire_flush(c);
    ps_wire_receive(c);
    while (c->front > 0 && c->phase != PS_WIRE_READY) {
        PS_TRY(take_answer(c, now_ns, error));
        if (c->token.pid != 0) return PS_OK;
        ps_wire_flush(c);
        ps_wire_receive(c);
    }
    return PS_OK;
}

static ps_status go_on_ready(ps_wire_connection *c, int64_t now_ns, bool readable,
                             ps_error *error) {
    if (now_ns >= c->again_at_ns) c->again_due = true;
    if (c->again_due && c->in_flight == 0 && c->failed == PS_OK) {
        c->again_due = false;
        return ps_wire_sasl_begin(c, now_ns, error);
    }
    ps_wire_flush(c);
    if (readable || c->read_wants != POLLIN) ps_wire_receive(c);
    return PS_OK;
}

static ps_status go_on(ps_wire_connection *c, int64_t now_ns, bool readable, ps_error *error) {
    switch (c->phase) {
    case PS_WIRE_CLOSED:
        return PS_OK;
    case PS_WIRE_CONNECTING:
        return c->failed != PS_OK ? PS_OK : go_on_connecting(c, now_ns, error);
    case PS_WIRE_SECURING:
        return go_on_securing(c, now_ns, error);
    case PS_WIRE_ASKING:
    case PS_WIRE_AUTHENTICATING:
        return go_on_asking(c, now_ns, error);
    case PS_WIRE_READY:
        break;
    }
    return go_on_ready(c, now_ns, readable, error);
}

static const char *doing(ps_wire_phase phase) {
    static const char *const words[] = {
        "", "connecting", "the TLS handshake", "asking for its versions", "authenticating", ""};
    return words[phase];
}

static ps_status go_through(ps_wire_connection *c, int64_t now_ns, bool readable, ps_error *error) {
    ps_wire_phase before;
    do {
        before = c->phase;
        PS_TRY(go_on(c, now_ns, readable, error));
    } while (c->phase != before);
    /* Answers that came before the end are still answers. */
    if (c->failed != PS_OK && c->front == 0)
        return ps_fail(error, c->failed, "%s", c->failure.message);
    if (now_ns < c->phase_until_ns) return PS_OK;
    return ps_fail(error, PS_IO, "timed out after %lld ms: %s",
                   (long long)(c->recipe.timeout_ns / 1000000), doing(c->phase));
}

ps_status ps_wire_connection_step(ps_wire_connection *c, int64_t now_ns, bool readable,
                                  ps_error *error) {
    if (c->phase == PS_WIRE_CLOSED) return PS_OK;
    const ps_status status = go_through(c, now_ns, readable, error);
    if (status == PS_OK) return PS_OK;
    ps_wire_connection_hang_up(c);
    return ps_fail_in(error, status, c->name);
}

ps_wire_phase ps_wire_connection_phase(const ps_wire_connection *c) {
    return c->phase;
}

int ps_wire_connection_fd(const ps_wire_connection *c) {
    /* After its end a socket is always ready, and answers may be held for long. */
    if (c->failed != PS_OK) return -1;
    return c->token.pid != 0 ? c->token.fd : c->fd;
}

short ps_wire_connection_events(const ps_wire_connection *c) {
    if (c->failed != PS_OK || c->phase == PS_WIRE_CLOSED) return 0;
    if (c->token.pid != 0) return POLLIN;
    if (c->phase == PS_WIRE_CONNECTING) return POLLOUT;
    if (c->phase == PS_WIRE_SECURING) return c->read_wants;
    const bool unsent = c->out_count > 0 || c->staged_begin < c->staged_end;
    return (short)((ps_wire_readable(c) ? c->read_wants : 0) | (unsent ? c->write_wants : 0));
}

int64_t ps_wire_connection_deadline(const ps_wire_connection *c) {
    if (c->phase == PS_WIRE_CLOSED) return INT64_MAX;
    if (c->failed != PS_OK) return c->front == 0 ? 0 : INT64_MAX;
    if (c->token.pid != 0 && c->token.fd < 0 && c->token.look_ns < c->phase_until_ns)
        return c->token.look_ns;
    if (c->phase != PS_WIRE_READY) return c->phase_until_ns;
    if (!c->again_due) return c->again_at_ns;
    return c->in_flight == 0 ? 0 : INT64_MAX;
}

bool ps_wire_connection_room(const ps_wire_connection *c) {
    return c->phase == PS_WIRE_READY && c->failed == PS_OK && !c->again_due &&
           c->in_flight < c->recipe.in_flight_max;
}
