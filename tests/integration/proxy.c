/* SPDX-License-Identifier: Apache-2.0
 * A TCP proxy in front of a broker that breaks connections at requests of a chosen kind: what a
 * network does at the worst moment, on demand. It reads the frames of the Kafka protocol (length,
 * API key, version, correlation id; answers carry length and correlation id) and changes none.
 *
 * Orders come on stdin, one a line; each is obeyed once, and told on stdout when it was:
 *
 *   API before       the connection ends instead of passing the request on
 *   API after        … when the answer to the request is there, which is not passed on
 *   API lose         that answer and all that follow on the connection are swallowed
 *   API drop         the request is swallowed, and so is every answer from then on
 *   API hold MS      the request, and what follows it on the connection, waits
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ORDERS_MAX = 64, FRAME_BYTES_MAX = 256 << 20, CHUNK_BYTES = 1 << 16 };

typedef struct order {
    int api;
    char when[8];
    long ms;
    bool open;
} order;

static order orders[ORDERS_MAX];
static pthread_mutex_t orders_mutex = PTHREAD_MUTEX_INITIALIZER;

typedef struct pair {
    int client, broker;
    pthread_mutex_t mutex;
    uint32_t users; /* pumps that still use this */
    bool mute;      /* nothing more is answered */
    bool watching;  /* for the answer to `correlation` */
    order watched;  /* what to do then */
    uint8_t correlation[4];
} pair;

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

static void tell(const order *of) {
    (void)printf("%d %s\n", of->api, of->when);
    (void)fflush(stdout);
}

/* The oldest order for requests of this kind, which is then obeyed: false where there is none. */
static bool take_order(int api, order *out) {
    bool found = false;
    (void)pthread_mutex_lock(&orders_mutex);
    for (size_t i = 0; !found && i < ORDERS_MAX; i++) {
        if (!orders[i].open || orders[i].api != api) continue;
        *out = orders[i];
        orders[i].open = false;
        found = true;
    }
    (void)pthread_mutex_unlock(&orders_mutex);
    return found;
}

static void leave(pair *of) {
    (void)shutdown(of->client, SHUT_RDWR);
    (void)shutdown(of->broker, SHUT_RDWR);
    (void)pthread_mutex_lock(&of->mutex);
    const bool last = --of->users == 0;
    (void)pthread_mutex_unlock(&of->mutex);
    if (!last) return;
    (void)close(of->client);
    (void)close(of->broker);
    (void)pthread_mutex_destroy(&of->mutex);
    free(of);
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
    if (take_order((*body)[0] << 8 | (*body)[1], &obeyed)) {
        if (strcmp(obeyed.when, "before") == 0) {
            tell(&obeyed);
            return false;
        }
        if (strcmp(obeyed.when, "drop") == 0) {
            (void)pthread_mutex_lock(&of->mutex);
            of->mute = true;
            (void)pthread_mutex_unlock(&of->mutex);
            tell(&obeyed);
            return true;
        }
        if (strcmp(obeyed.when, "hold") == 0) {
            tell(&obeyed);
            const struct timespec pause = {obeyed.ms / 1000, obeyed.ms % 1000 * 1000000};
            (void)nanosleep(&pause, NULL);
        } else {
            (void)pthread_mutex_lock(&of->mutex);
            of->watching = true;
            of->watched = obeyed;
            memcpy(of->correlation, *body + 4, 4);
            (void)pthread_mutex_unlock(&of->mutex);
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
    const bool cut = watched && strcmp(of->watched.when, "after") == 0;
    if (watched) tell(&of->watched);
    if (watched) of->watching = false;
    of->mute = of->mute || watched;
    const bool mute = of->mute;
    (void)pthread_mutex_unlock(&of->mutex);
    return cut ? LAST : mute ? SWALLOWED : PASSED;
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

static void start_thread(void *(*pump)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, pump, argument) != 0) die("thread");
    (void)pthread_detach(thread);
}

static struct sockaddr_in loopback(const char *port) {
    const unsigned long number = strtoul(port, NULL, 10);
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)number),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void serve(int client, const struct sockaddr_in *target) {
    const int on = 1, broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (broker < 0) die("socket");
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(broker, (const struct sockaddr *)target, sizeof *target) != 0) {
        (void)close(broker);
        (void)close(client); /* the broker is away: so is its proxy */
        return;
    }
    pair *of = calloc(1, sizeof *of);
    if (of == NULL) die("memory");
    of->client = client;
    of->broker = broker;
    of->users = 2;
    (void)pthread_mutex_init(&of->mutex, NULL);
    start_thread(pump_requests, of);
    start_thread(pump_answers, of);
}

static void *take_orders(void *argument) {
    char line[128];
    (void)argument;
    while (fgets(line, sizeof line, stdin) != NULL) {
        order of = {.open = true};
        if (sscanf(line, "%d %7s %ld", &of.api, of.when, &of.ms) < 2) continue;
        (void)pthread_mutex_lock(&orders_mutex);
        size_t at = 0;
        while (at < ORDERS_MAX && orders[at].open) at++;
        if (at < ORDERS_MAX) orders[at] = of;
        (void)pthread_mutex_unlock(&orders_mutex);
    }
    return NULL;
}

int main(int count, char **words) {
    if (count != 3) {
        (void)fprintf(stderr, "proxy PORT BROKERS-PORT: both on loopback; orders on stdin\n");
        return 2;
    }
    const struct sockaddr_in here = loopback(words[1]), target = loopback(words[2]);
    const int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&here, sizeof here) != 0 ||
        listen(listener, 64) != 0)
        die("cannot listen");
    start_thread(take_orders, NULL);
    (void)printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        const int client = accept(listener, NULL, NULL);
        if (client >= 0) serve(client, &target);
    }
}
