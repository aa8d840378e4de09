/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire_broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "ingest/wire/bytes.h"

enum { PEERS_MAX = 32, IN_BYTES = 4 << 20, OUT_BYTES = 8 << 20, SCRATCH = 8 << 20, PIECES = 4096 };

typedef struct peer {
    int fd;
    uint64_t connection;
    uint8_t *in, *out;
    size_t in_used, out_used, out_sent;
    int64_t not_before_ns;
    bool silent;
} peer;

struct wire_broker {
    int32_t node;
    wire_script *script;
    void *opaque;
    int listener, stop[2];
    uint16_t port;
    pthread_t thread;
    atomic_bool frozen;
    peer peers[PEERS_MAX];
    uint8_t *scratch;
    size_t scratch_used;
    uint8_t *request, *answer;
    struct iovec pieces[PIECES];
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static uint64_t connections;

void wire_brokers_lock(void) {
    PS_CHECK(pthread_mutex_lock(&one_at_a_time) == 0);
}

void wire_brokers_unlock(void) {
    PS_CHECK(pthread_mutex_unlock(&one_at_a_time) == 0);
}

static void *scratch(wire_broker *broker, size_t bytes) {
    void *const part = broker->scratch + broker->scratch_used;
    broker->scratch_used += (bytes + 15) & ~(size_t)15;
    PS_CHECK(broker->scratch_used <= SCRATCH);
    memset(part, 0, bytes);
    return part;
}

void *wire_memory(wire_question *question, size_t bytes) {
    return scratch(question->broker, bytes);
}

static void hang_up(peer *p) {
    if (p->fd >= 0) (void)close(p->fd);
    free(p->in);
    free(p->out);
    *p = (peer){.fd = -1};
}

static void fill_versions(wire_question *question) {
    ps_wire_api_versions_response *answer = question->answer;
    if (answer->api_keys_count > 0 || answer->error_code != 0) return;
    ps_wire_api_versions_response_api_version *keys =
        wire_memory(question, PS_WIRE_APIS * sizeof *keys);
    int32_t used = 0;
    for (int api = 0; api < PS_WIRE_APIS; api++) {
        const ps_wire_range range = ps_wire_versions((ps_wire_api)api);
        if (range.max < range.min) continue;
        keys[used++] =
            (ps_wire_api_versions_response_api_version){(int16_t)api, range.min, range.max};
    }
    answer->api_keys = keys;
    answer->api_keys_count = used;
    if (answer->finalized_features_count > 0) return;
    ps_wire_api_versions_response_finalized_feature_key *feature =
        wire_memory(question, sizeof *feature);
    static const char name[] = "transaction.version";
    feature->name = (ps_bytes){(const uint8_t *)name, sizeof name - 1};
    feature->max_version_level = feature->min_version_level = 2;
    answer->finalized_features = feature;
    answer->finalized_features_count = 1;
}

static void send_answer(wire_broker *broker, peer *p, const wire_question *question,
                        int32_t correlation) {
    uint8_t *memory = scratch(broker, 1 << 20);
    ps_error why;
    ps_wire_out out = {
        .memory = memory, .room = 1 << 20, .piece = broker->pieces, .pieces_max = PIECES};
    const ps_status status = ps_wire_encode_response(question->api, question->version, correlation,
                                                     question->answer, &out, &why);
    if (status != PS_OK) ps_check_failed(why.message, __FILE__, __LINE__, 0, 0);
    for (uint32_t i = 0; i < out.piece_count; i++) {
        PS_CHECK(p->out_used + out.piece[i].iov_len <= OUT_BYTES);
        memcpy(p->out + p->out_used, out.piece[i].iov_base, out.piece[i].iov_len);
        p->out_used += out.piece[i].iov_len;
    }
    if (question->delay_ms > 0)
        p->not_before_ns = ps_clock_ns() + question->delay_ms * PS_NS_PER_MS;
}

/* False: hang up. */
static bool answer(wire_broker *broker, peer *p, ps_bytes frame) {
    wire_question question = {.broker = broker, .node = broker->node, .connection = p->connection};
    int32_t correlation;
    ps_error why;
    broker->scratch_used = 0;
    ps_wire_pool pool = {scratch(broker, 1 << 20), 1 << 20, 0};
    question.request = scratch(broker, 1024);
    question.answer = scratch(broker, 1024);
    const ps_status status =
        ps_wire_decode_request(frame, &question.api, &question.version, &correlation,
                               &question.client_id, &pool, (void *)question.request, &why);
    if (status != PS_OK) ps_check_failed(why.message, __FILE__, __LINE__, 0, 0);
    wire_brokers_lock();
    const wire_does does = broker->script(broker->opaque, &question);
    wire_brokers_unlock();
    if (does == WIRE_HANGS_UP) return false;
    if (does == WIRE_IS_SILENT) {
        p->silent = true;
        return true;
    }
    if (question.api == PS_WIRE_API_VERSIONS) fill_versions(&question);
    send_answer(broker, p, &question, correlation + question.odd);
    return true;
}

/* A broker looks at the next request when the answer to the last one is out. */
static bool take_requests(wire_broker *broker, peer *p) {
    while (p->in_used >= 4 && p->out_sent == p->out_used && !p->silent) {
        const size_t size = (size_t)ps_wire_get32(p->in);
        if (p->in_used < size + 4) return true;
        const ps_bytes frame = {p->in + 4, (uint32_t)size};
        p->out_sent = p->out_used = 0;
        if (!answer(broker, p, frame)) return false;
        p->in_used -= size + 4;
        memmove(p->in, p->in + size + 4, p->in_used);
        if (p->not_before_ns > 0) return true;
        const ssize_t sent = send(p->fd, p->out, p->out_used, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) p->out_sent = (size_t)sent;
    }
    return true;
}

static bool serve(wire_broker *broker, peer *p, short events) {
    if (atomic_load(&broker->frozen)) return true;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && p->in_used < IN_BYTES) {
        const ssize_t got = recv(p->fd, p->in + p->in_used, IN_BYTES - p->in_used, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
        if (got > 0) p->in_used += (size_t)got;
    }
    if (p->out_sent < p->out_used && ps_clock_ns() >= p->not_before_ns) {
        p->not_before_ns = 0;
        const ssize_t sent = send(p->fd, p->out + p->out_sent, p->out_used - p->out_sent,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent > 0) p->out_sent += (size_t)sent;
    }
    return take_requests(broker, p);
}

static void take_peer(wire_broker *broker) {
    const int fd = accept(broker->listener, NULL, NULL);
    if (fd < 0) return;
    for (int i = 0; i < PEERS_MAX; i++) {
        peer *p = &broker->peers[i];
        if (p->fd >= 0) continue;
        wire_brokers_lock();
        *p = (peer){.fd = fd, .connection = ++connections};
        wire_brokers_unlock();
        p->in = malloc(IN_BYTES);
        p->out = malloc(OUT_BYTES);
        const int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        return;
    }
    (void)close(fd);
}

static bool is_frozen(wire_broker *broker) {
    struct pollfd stop = {.fd = broker->stop[0], .events = POLLIN};
    return atomic_load(&broker->frozen) && poll(&stop, 1, 1) == 0;
}

static void *run(void *opaque) {
    wire_broker *broker = opaque;
    for (;;) {
        while (is_frozen(broker)) {}
        struct pollfd polled[PEERS_MAX + 2] = {{.fd = broker->stop[0], .events = POLLIN},
                                               {.fd = broker->listener, .events = POLLIN}};
        int wait = 1000;
        for (int i = 0; i < PEERS_MAX; i++) {
            const peer *p = &broker->peers[i];
            const bool waits = p->not_before_ns > 0, out = p->out_sent < p->out_used && !waits;
            polled[i + 2] = (struct pollfd){
                .fd = p->fd,
                .events = (short)((p->in_used < IN_BYTES ? POLLIN : 0) | (out ? POLLOUT : 0))};
            if (p->fd >= 0 && waits) wait = 1;
        }
        (void)poll(polled, PEERS_MAX + 2, wait);
        if (polled[0].revents) return NULL;
        if (polled[1].revents) take_peer(broker);
        for (int i = 0; i < PEERS_MAX; i++)
            if (broker->peers[i].fd >= 0 && broker->peers[i].fd == polled[i + 2].fd &&
                !serve(broker, &broker->peers[i], polled[i + 2].revents))
                hang_up(&broker->peers[i]);
    }
}

wire_broker *wire_broker_open(int32_t node, wire_script *script, void *opaque) {
    wire_broker *broker = calloc(1, sizeof *broker);
    broker->node = node;
    broker->script = script;
    broker->opaque = opaque;
    broker->scratch = malloc(SCRATCH);
    for (int i = 0; i < PEERS_MAX; i++) broker->peers[i].fd = -1;
    broker->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    PS_CHECK(bind(broker->listener, (struct sockaddr *)&at, sizeof at) == 0);
    PS_CHECK(listen(broker->listener, 16) == 0);
    PS_CHECK(getsockname(broker->listener, (struct sockaddr *)&at, &length) == 0);
    broker->port = ntohs(at.sin_port);
    PS_CHECK(pipe2(broker->stop, O_CLOEXEC) == 0);
    PS_CHECK(pthread_create(&broker->thread, NULL, run, broker) == 0);
    return broker;
}

void wire_broker_close(wire_broker *broker) {
    if (broker == NULL) return;
    PS_CHECK(write(broker->stop[1], "", 1) == 1);
    PS_CHECK(pthread_join(broker->thread, NULL) == 0);
    for (int i = 0; i < PEERS_MAX; i++) hang_up(&broker->peers[i]);
    (void)close(broker->listener);
    (void)close(broker->stop[0]);
    (void)close(broker->stop[1]);
    free(broker->scratch);
    free(broker);
}

void wire_broker_freeze(wire_broker *broker, bool frozen) {
    atomic_store(&broker->frozen, frozen);
}

uint16_t wire_broker_port(const wire_broker *broker) {
    return broker->port;
}
