/* SPDX-License-Identifier: Apache-2.0
 * A TCP proxy in front of brokers that breaks connections at requests of a chosen kind: what a
 * network does at the worst moment, on demand. It reads the frames of the Kafka protocol (length,
 * API key, version, correlation id; answers carry length and correlation id) and changes none.
 *
 * Orders come on stdin, one a line; each is obeyed once, by the first request of that API key at
 * whichever broker, and told on stdout when it was. One that hit nothing (the connection ended
 * before the answer came, or answered nothing any more) waits for the next request:
 *
 *   API before       the connection ends instead of passing the request on
 *   API after        … when the answer to the request is there, which is not passed on
 *   API lose         that answer and all that follow on the connection are swallowed
 *   API drop         the request is swallowed, and so is every answer from then on
 *   API hold MS      the request, and what follows it on the connection, waits
 *   API stray        … until `land`, when whoever sent it has given it up: told once more, as
 *                    `API landed`, when the broker has answered, and so is each that followed it
 *   API late MS      the answer, and what follows it on the connection, waits
 *   API twice MS     the request arrives once more, so much later, on a connection of its own
 *   node N reset     all connections to the N-th broker end with a RST
 *   node N hole MS   four of them pass nothing on any more, and neither side is told; for so long
 *                    new connections to that broker are taken, and nobody answers them
 *   peace            what was not obeyed yet is forgotten
 *   land             what has strayed goes on
 *
 * A node that nobody is connected to passes its order on to the next one; where nobody is connected
 * at all, it is not told.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/proxy_orders.h"

enum {
    NODES_MAX = 9,
    FRAME_BYTES_MAX = 256 << 20,
    CHUNK_BYTES = 1 << 16,
    HOLE_PAIRS = 4,
    LAND_MS = 5000
};

typedef struct pair pair;

/* A broker, and who is connected to it. */
typedef struct node {
    int listener;
    struct sockaddr_in target;
    pthread_mutex_t mutex;
    pair *pairs;
    struct timespec open_at; /* when the black hole ends */
} node;

struct pair {
    pair *next, **at; /* in the node's list */
    node *node;
    int client, broker;
    pthread_mutex_t mutex;
    uint32_t users;    /* pumps that still use this */
    bool mute;         /* nothing more is answered */
    bool stray;        /* whoever asks is not there any more; of pump_requests */
    atomic_bool deaf;  /* nothing more is asked */
    atomic_bool reset; /* the client gets a RST */
    bool watching;     /* for the answer to `correlation` */
    order watched;     /* what to do then */
    uint8_t correlation[4];
};

/* A request that arrives once more. */
typedef struct echo {
    struct sockaddr_in target;
    order why;
    size_t bytes;
    uint8_t frame[];
} echo;

static node nodes[NODES_MAX];

static void die(const char *what) {
    (void)fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint32_t number_of(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool get(int from, uint8_t *to, size_t bytes) {
    while (bytes > 0) {
        const ssize_t got = recv(from, to, bytes, 0);
        if (got <= 0) return false;
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

static bool put(int to, const uint8_t *from, size_t bytes) {
    while (bytes > 0) {
        const ssize_t gone = send(to, from, bytes, MSG_NOSIGNAL);
        if (gone <= 0) return false;
        from += gone;
        bytes -= (size_t)gone;
    }
    return true;
}

static void pause_ms(long ms) {
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void start_thread(void *(*pump)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, pump, argument) != 0) die("thread");
    (void)pthread_detach(thread);
}

static int connect_to(const struct sockaddr_in *target) {
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)target, sizeof *target) == 0) return fd;
    (void)close(fd);
    return -1;
}

static void *send_echo(void *argument) {
    echo *of = argument;
    uint8_t answer[256];
    pause_ms(of->why.ms);
    const int fd = connect_to(&of->target);
    /* The answer is nobody's: its head says that the broker has looked at the request. */
    if (fd >= 0 && put(fd, of->frame, of->bytes) && recv(fd, answer, sizeof answer, 0) > 0)
        orders_tell(&of->why);
    else
        orders_return(&of->why);
    if (fd >= 0) (void)close(fd);
    free(of);
    return NULL;
}

static void start_echo(const pair *from, const order *why, const uint8_t *head, const uint8_t *body,
                       size_t bytes) {
    echo *of = malloc(sizeof *of + bytes + 4);
    if (of == NULL) die("memory");
    *of = (echo){.target = from->node->target, .why = *why, .bytes = bytes + 4};
    memcpy(of->frame, head, 4);
    memcpy(of->frame + 4, body, bytes);
    start_thread(send_echo, of);
}

static void leave(pair *of) {
    (void)shutdown(of->client, of->reset ? SHUT_RD : SHUT_RDWR);
    (void)shutdown(of->broker, SHUT_RDWR);
    (void)pthread_mutex_lock(&of->node->mutex);
    const bool last = --of->users == 0;
    if (last) *of->at = of->next;
    if (last && of->next != NULL) of->next->at = of->at;
    (void)pthread_mutex_unlock(&of->node->mutex);
    if (!last) return;
    if (of->watching && of->watched.kind != LANDED) orders_return(&of->watched);
    (void)close(of->client);
    (void)close(of->broker);
    (void)pthread_mutex_destroy(&of->mutex);
    free(of);
}

static void set_mute(pair *of) {
    (void)pthread_mutex_lock(&of->mutex);
    of->mute = true;
    (void)pthread_mutex_unlock(&of->mutex);
}

static void watch(pair *of, const order *obeyed, const uint8_t *correlation) {
    (void)pthread_mutex_lock(&of->mutex);
    of->watching = true;
    of->watched = *obeyed;
    memcpy(of->correlation, correlation, 4);
    (void)pthread_mutex_unlock(&of->mutex);
}

/* Whether a fault would be seen: where answers no longer pass, or one is waited for, it would not.
 */
static bool may_break(pair *of) {
    (void)pthread_mutex_lock(&of->mutex);
    const bool may = !of->mute && !of->watching;
    (void)pthread_mutex_unlock(&of->mutex);
    return may;
}

/* A request whose sender has long gone, and its answer: one after the other, or the end of the
 * connection would overtake the last of them. */
static bool land(pair *of, const uint8_t *head, const uint8_t *body, size_t bytes) {
    const order landed = {.target = body[0] << 8 | body[1], .kind = LANDED};
    bool waits = true;
    watch(of, &landed, body + 4);
    if (!put(of->broker, head, 4) || !put(of->broker, body, bytes)) return false;
    for (int ms = 0; waits && ms < LAND_MS; ms += 10) {
        pause_ms(10);
        (void)pthread_mutex_lock(&of->mutex);
        waits = of->watching;
        (void)pthread_mutex_unlock(&of->mutex);
    }
    return !waits;
}

/* Until it may land. */
static void stray(pair *of) {
    const unsigned before = orders_landings();
    set_mute(of);
    of->stray = true;
    while (orders_landings() == before) pause_ms(10);
}

/* One request: false when the connection has to end. */
static bool pass_request(pair *of, const uint8_t *head, uint8_t **body, size_t *room) {
    const size_t bytes = number_of(head);
    if (bytes < 8 || bytes > FRAME_BYTES_MAX) return false;
    if (bytes > *room) {
        free(*body);
        *body = malloc(bytes);
        *room = bytes;
        if (*body == NULL) die("memory");
    }
    if (!get(of->client, *body, bytes)) return false;
    order obeyed;
    if (of->deaf) return true;
    if (of->stray) return land(of, head, *body, bytes);
    if (may_break(of) && orders_take((*body)[0] << 8 | (*body)[1], &obeyed)) {
        if (obeyed.kind == BEFORE || obeyed.kind == DROP || obeyed.kind == HOLD ||
            obeyed.kind == STRAY)
            orders_tell(&obeyed);
        switch (obeyed.kind) {
        case BEFORE:
            return false;
        case DROP:
            set_mute(of);
            return true;
        case HOLD:
            pause_ms(obeyed.ms);
            break;
        case STRAY:
            stray(of);
            return land(of, head, *body, bytes);
        case TWICE:
            start_echo(of, &obeyed, head, *body, bytes);
            break;
        default:
            watch(of, &obeyed, *body + 4);
        }
    }
    return put(of->broker, head, 4) && put(of->broker, *body, bytes);
}

static void *pump_requests(void *argument) {
    pair *of = argument;
    uint8_t head[4], *body = NULL;
    size_t room = 0;
    while (get(of->client, head, sizeof head) && pass_request(of, head, &body, &room)) {}
    free(body);
    leave(of);
    return NULL;
}

/* What becomes of this answer. */
typedef enum fate { PASSED, SWALLOWED, LAST } fate;

static fate judge(pair *of, const uint8_t *correlation) {
    (void)pthread_mutex_lock(&of->mutex);
    const bool watched = of->watching && memcmp(correlation, of->correlation, 4) == 0;
    const order_kind kind = of->watched.kind;
    const long ms = of->watched.ms;
    if (watched) orders_tell(&of->watched);
    if (watched) of->watching = false;
    of->mute = of->mute || (watched && kind != LATE);
    const bool mute = of->mute;
    (void)pthread_mutex_unlock(&of->mutex);
    if (watched && kind == LATE) pause_ms(ms);
    return watched && kind == AFTER ? LAST : mute ? SWALLOWED : PASSED;
}

static void *pump_answers(void *argument) {
    pair *of = argument;
    uint8_t head[8], *chunk = malloc(CHUNK_BYTES);
    bool goes = chunk != NULL;
    while (goes && get(of->broker, head, sizeof head)) {
        const fate is = judge(of, head + 4);
        if (is == LAST) break;
        goes = is == SWALLOWED || put(of->client, head, sizeof head);
        for (size_t left = number_of(head) - 4; goes && left > 0;) {
            const size_t now = left < CHUNK_BYTES ? left : CHUNK_BYTES;
            goes = get(of->broker, chunk, now) && (is == SWALLOWED || put(of->client, chunk, now));
            left -= now;
        }
    }
    free(chunk);
    leave(of);
    return NULL;
}

static struct sockaddr_in loopback(const char *port) {
    const unsigned long number = strtoul(port, NULL, 10);
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)number),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void serve(node *at, int client) {
    const int on = 1, broker = connect_to(&at->target);
    if (broker < 0) {
        (void)close(client); /* the broker is away: so is its proxy */
        return;
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pair *of = calloc(1, sizeof *of);
    if (of == NULL) die("memory");
    of->node = at;
    of->client = client;
    of->broker = broker;
    of->users = 2;
    (void)pthread_mutex_init(&of->mutex, NULL);
    (void)pthread_mutex_lock(&at->mutex);
    of->next = at->pairs;
    of->at = &at->pairs;
    if (of->next != NULL) of->next->at = &of->next;
    at->pairs = of;
    (void)pthread_mutex_unlock(&at->mutex);
    start_thread(pump_requests, of);
    start_thread(pump_answers, of);
}

/* While the hole is open the kernel takes connections, and nobody answers them. */
static void wait_for_peace(node *at) {
    struct timespec until;
    do {
        (void)pthread_mutex_lock(&at->mutex);
        until = at->open_at;
        (void)pthread_mutex_unlock(&at->mutex);
    } while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0);
}

static void *serve_node(void *argument) {
    node *at = argument;
    for (;;) {
        const int client = accept(at->listener, NULL, NULL);
        wait_for_peace(at);
        if (client >= 0) serve(at, client);
    }
    return NULL;
}

static void break_pair(pair *of, order_kind kind) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (kind == HOLE) {
        set_mute(of);
        of->deaf = true;
        return;
    }
    of->reset = true;
    (void)setsockopt(of->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)shutdown(of->client, SHUT_RD); /* sends nothing; the pumps end and their last closes */
    (void)shutdown(of->broker, SHUT_RDWR);
}

/* Of those that still work: how many were broken. */
static size_t break_node(node *at, const order *of) {
    (void)pthread_mutex_lock(&at->mutex);
    size_t count = 0, number = 0;
    for (const pair *each = at->pairs; each != NULL; each = each->next)
        count += !each->reset && !each->deaf;
    for (pair *each = at->pairs; each != NULL; each = each->next) {
        if (each->reset || each->deaf) continue;
        if (of->kind != HOLE || number % (count / HOLE_PAIRS + 1) == 0) break_pair(each, of->kind);
        number++;
    }
    if (of->kind == HOLE && count > 0) {
        (void)clock_gettime(CLOCK_MONOTONIC, &at->open_at);
        at->open_at.tv_nsec += of->ms % 1000 * 1000000;
        at->open_at.tv_sec += of->ms / 1000 + at->open_at.tv_nsec / 1000000000;
        at->open_at.tv_nsec %= 1000000000;
    }
    (void)pthread_mutex_unlock(&at->mutex);
    return count;
}

static void obey_for_node(const order *of) {
    int there = 0;
    while (there < NODES_MAX && nodes[there].listener != 0) there++;
    if (of->target < 1 || of->target > there) return;
    for (int i = 0; i < there; i++) {
        order hit = *of;
        hit.target = (of->target - 1 + i) % there + 1;
        if (break_node(&nodes[hit.target - 1], &hit) == 0) continue;
        orders_tell(&hit);
        return;
    }
}

static void listen_for(node *at, const char *port, const char *target) {
    const struct sockaddr_in here = loopback(port);
    const int on = 1;
    at->target = loopback(target);
    (void)pthread_mutex_init(&at->mutex, NULL);
    at->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(at->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->listener < 0 || bind(at->listener, (const struct sockaddr *)&here, sizeof here) != 0 ||
        listen(at->listener, 64) != 0)
        die("cannot listen");
}

int main(int count, char **words) {
    const int pairs = (count - 1) / 2;
    if (count < 3 || count % 2 == 0 || pairs > NODES_MAX) {
        (void)fprintf(stderr, "proxy PORT BROKERS-PORT…: all on loopback; orders on stdin\n");
        return 2;
    }
    for (int i = 0; i < pairs; i++) listen_for(&nodes[i], words[2 * i + 1], words[2 * i + 2]);
    for (int i = 0; i < pairs; i++) start_thread(serve_node, &nodes[i]);
    (void)printf("ready\n");
    (void)fflush(stdout);
    orders_read(obey_for_node);
    for (;;) (void)pause();
}
