/* SPDX-License-Identifier: Apache-2.0
 * The bytes of a connection: a ring of pieces on their way out, and a buffer in which every answer
 * lies in one piece. Only the beginning of an answer that would not fit is moved, and once.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/check.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/connection_parts.h"

enum { WAKE_BYTES_MAX = 1 << 20 };

static void fail_errno(ps_wire_connection *c, int reason, const char *what) {
    if (c->failed != PS_OK) return;
    c->failed = ps_fail(&c->failure, PS_IO, "%s: %s", what, strerror(reason));
}

/* Whether `size`, which stands at `at`, can be an answer's. */
static ps_status judge(const ps_wire_connection *c, const uint8_t *at, int32_t size,
                       ps_error *error) {
    /* As a frame, TLS's alert would be 336 MiB long. */
    if (c->phase == PS_WIRE_ASKING && c->ssl == NULL && at[0] == 21 && at[1] == 3)
        return ps_fail(error, PS_BAD_CONFIG, "this port speaks TLS, which is not set");
    if (size < 4) return ps_fail(error, PS_IO, "sent a frame of %d bytes: not Kafka's", size);
    if ((size_t)size > c->recipe.receive_bytes)
        return ps_fail(error, c->phase == PS_WIRE_READY ? PS_UNSUPPORTED : PS_IO,
                       "sent a frame of %d bytes: there is room for %zu", size,
                       c->recipe.receive_bytes);
    if (c->in_flight == 0)
        return ps_fail(error, PS_IO, "sent an answer that nothing was asked for");
    return PS_OK;
}

/* What lies at in_begin: an answer that is whole, one that never will be, or neither. */
static void look(ps_wire_connection *c) {
    ps_error error;
    const size_t held = c->in_end - c->in_begin;
    c->front = 0;
    if (held < WIRE_SIZE) return;
    const uint8_t *at = c->in + c->in_begin;
    const int32_t size = ps_wire_get32(at);
    const ps_status status = judge(c, at, size, &error);
    if (status == PS_OK && held >= WIRE_SIZE + (size_t)size) c->front = (size_t)size;
    if (status != PS_OK && c->failed == PS_OK) c->failed = status, c->failure = error;
}

/* What the answer at in_begin takes, as far as is known. */
static size_t needed(const ps_wire_connection *c) {
    if (c->in_end - c->in_begin < WIRE_SIZE) return WIRE_SIZE;
    return WIRE_SIZE + (size_t)ps_wire_get32(c->in + c->in_begin);
}

/* Up to where there is room: where topics take huge batches, behind what is usual only for one. */
static size_t room_end(const ps_wire_connection *c) {
    const size_t end = c->front > 0 ? 0 : c->in_begin + needed(c);
    return end > c->in_usual ? end : c->in_usual;
}

bool ps_wire_readable(const ps_wire_connection *c) {
    return c->failed == PS_OK && (c->front == 0 || c->in_end < c->in_usual);
}

static void make_room(ps_wire_connection *c) {
    const size_t held = c->in_end - c->in_begin;
    if (c->in_begin == 0 || c->in_begin + needed(c) <= c->in_usual) return;
    memmove(c->in, c->in + c->in_begin, held);
    c->in_begin = 0;
    c->in_end = held;
}

static ssize_t read_plain(ps_wire_connection *c, void *to, size_t room) {
    const ssize_t got = recv(c->fd, to, room, MSG_DONTWAIT);
    if (got > 0) return got;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (got == 0)
        c->failed = ps_fail(&c->failure, PS_IO, "closed the connection");
    else
        fail_errno(c, errno, "receiving");
    return -1;
}

/* How much is missing of the answer that is under way, behind one that is whole; at least 1. */
static size_t missing(const ps_wire_connection *c) {
    const size_t begin = c->in_begin + (c->front > 0 ? WIRE_SIZE + c->front : 0);
    const size_t held = c->in_end - begin;
    if (held < WIRE_SIZE) return 1;
    const size_t whole = WIRE_SIZE + (size_t)ps_wire_get32(c->in + begin);
    return whole > held ? whole - held : 1;
}

/* A part of an answer is of no use to anybody, but a wake, and a read that is acknowledged by
 * itself, for each of a dozen parts cost something: a broker sends what is before each partition's
 * records by itself. When its own buffer is full, or the broker closes, the kernel wakes us all the
 * same. */
static void choose_wake(ps_wire_connection *c) {
    size_t bytes = missing(c);
    if (bytes > WAKE_BYTES_MAX) bytes = WAKE_BYTES_MAX;
    if (c->wakes_at == (int)bytes) return;
    c->wakes_at = (int)bytes;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &c->wakes_at, sizeof c->wakes_at);
}

/* A short read has emptied the socket; TLS gives a record at a time. */
static void receive(ps_wire_connection *c) {
    c->more = false;
    while (ps_wire_readable(c)) {
        make_room(c);
        const size_t room = room_end(c) - c->in_end;
        const ssize_t got = c->ssl != NULL ? ps_wire_tls_read(c, c->in + c->in_end, room)
                                           : read_plain(c, c->in + c->in_end, room);
        if (got <= 0) return;
        c->in_end += (size_t)got;
        if (c->front == 0) look(c);
        if (c->ssl == NULL && (size_t)got < room) return;
    }
    c->more = c->failed == PS_OK;
}

void ps_wire_receive(ps_wire_connection *c) {
    receive(c);
    if (c->ssl == NULL && c->failed == PS_OK) choose_wake(c);
}

bool ps_wire_connection_pending(const ps_wire_connection *c) {
    return c->phase != PS_WIRE_CLOSED && c->ssl != NULL && c->more && ps_wire_readable(c);
}

bool ps_wire_connection_frame(const ps_wire_connection *c, ps_bytes *frame) {
    if (c->phase != PS_WIRE_READY || c->front == 0) return false;
    *frame = (ps_bytes){c->in + c->in_begin + WIRE_SIZE, (uint32_t)c->front};
    return true;
}

void ps_wire_connection_drop(ps_wire_connection *c) {
    PS_CHECK(c->front > 0);
    c->in_begin += WIRE_SIZE + c->front;
    c->in_flight--;
    if (c->in_begin == c->in_end) c->in_begin = c->in_end = 0;
    look(c);
}

void ps_wire_queue(ps_wire_connection *c, const ps_wire_out *parts) {
    PS_CHECK_OP(parts->piece_count, <=, c->out_room - c->out_count);
    for (uint32_t i = 0; i < parts->piece_count; i++) {
        if (parts->piece[i].iov_len == 0) continue;
        uint32_t at = c->out_begin + c->out_count++;
        if (at >= c->out_room) at -= c->out_room;
        c->out[at] = parts->piece[i];
    }
    c->in_flight++;
}

void ps_wire_connection_send(ps_wire_connection *c, const ps_wire_out *parts) {
    PS_CHECK(ps_wire_connection_room(c));
    ps_wire_queue(c, parts);
}

static void advance(ps_wire_connection *c, size_t bytes) {
    while (bytes > 0) {
        struct iovec *first = &c->out[c->out_begin];
        if (bytes < first->iov_len) {
            first->iov_base = (uint8_t *)first->iov_base + bytes;
            first->iov_len -= bytes;
            return;
        }
        bytes -= first->iov_len;
        c->out_count--;
        if (++c->out_begin == c->out_room) c->out_begin = 0;
    }
}

static uint32_t contiguous(const ps_wire_connection *c) {
    const uint32_t straight = c->out_room - c->out_begin;
    return c->out_count < straight ? c->out_count : straight;
}

static void flush_plain(ps_wire_connection *c) {
    while (c->out_count > 0) {
        const uint32_t count = contiguous(c);
        struct msghdr message = {.msg_iov = c->out + c->out_begin,
                                 .msg_iovlen = count < IOV_MAX ? count : IOV_MAX};
        const ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) fail_errno(c, errno, "sending");
            return;
        }
        advance(c, (size_t)sent);
    }
}

/* Small pieces share a record; a large one goes from where it lies. */
static void stage(ps_wire_connection *c) {
    c->staged_begin = c->staged_end = 0;
    while (c->out_count > 0 && c->staged_end < WIRE_STAGED) {
        const struct iovec first = c->out[c->out_begin];
        size_t bytes = WIRE_STAGED - c->staged_end;
        if (first.iov_len < bytes) bytes = first.iov_len;
        memcpy(c->staged + c->staged_end, first.iov_base, bytes);
        c->staged_end += bytes;
        advance(c, bytes);
    }
}

static void flush_tls(ps_wire_connection *c) {
    for (;;) {
        if (c->staged_begin == c->staged_end && c->out_count == 0) return;
        const struct iovec *first = &c->out[c->out_begin];
        if (c->staged_begin == c->staged_end && first->iov_len >= WIRE_STAGED) {
            const ssize_t sent = ps_wire_tls_write(c, first->iov_base, WIRE_STAGED);
            if (sent <= 0) return;
            advance(c, (size_t)sent);
            continue;
        }
        if (c->staged_begin == c->staged_end) stage(c);
        const ssize_t sent =
            ps_wire_tls_write(c, c->staged + c->staged_begin, c->staged_end - c->staged_begin);
        if (sent <= 0) return;
        c->staged_begin += (size_t)sent;
        if (c->phase == PS_WIRE_AUTHENTICATING) OPENSSL_cleanse(c->staged, c->staged_begin);
    }
}

void ps_wire_flush(ps_wire_connection *c) {
    if (c->failed != PS_OK) return;
    if (c->ssl != NULL)
        flush_tls(c);
    else
        flush_plain(c);
}

void ps_wire_forget(ps_wire_connection *c) {
    if (c->staged != NULL) OPENSSL_cleanse(c->staged, WIRE_STAGED);
    c->in_begin = c->in_end = c->front = 0;
    c->out_begin = c->out_count = c->in_flight = 0;
    c->staged_begin = c->staged_end = 0;
    c->more = false;
}
