/* SPDX-License-Identifier: Apache-2.0
 * Says hello to a broker over a connection of our own and prints what it told: the versions that
 * both know, and what its cluster has agreed on. Exit code 1 with the reason where it does not come
 * to that; --for SECONDS stays, asking ten times a second, so that sessions end meanwhile.
 *
 * wire_hello HOST:PORT [--ca FILE] [--no-verify] [--cert FILE] [--key FILE] [--mechanism NAME]
 *            [--user NAME] [--password TEXT] [--token TEXT] [--token-command TEXT] [--for SECONDS]
 */
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "ingest/wire/connection.h"

static ps_wire_security security = {.verify = true};
static int seconds, ready_count;

__attribute__((noreturn)) static void die(const char *why) {
    (void)fprintf(stderr, "wire_hello: %s\n", why);
    exit(1);
}

static ps_wire_mechanism mechanism_of(const char *name) {
    static const char *const names[] = {"NONE", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512",
                                        "OAUTHBEARER"};
    for (int i = 0; i < 5; i++)
        if (strcmp(names[i], name) == 0) return (ps_wire_mechanism)i;
    die("no such mechanism");
}

static void read_arguments(int argc, char **argv) {
    const struct {
        const char *name, **value;
    } texts[] = {{"--ca", &security.ca_file},
                 {"--cert", &security.cert_file},
                 {"--key", &security.key_file},
                 {"--user", &security.user},
                 {"--password", &security.password},
                 {"--token", &security.token},
                 {"--token-command", &security.token_command}};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--no-verify") == 0) {
            security.verify = false, security.tls = true;
            continue;
        }
        if (i + 1 == argc) die("an option without its value");
        const char *name = argv[i], *value = argv[++i];
        bool known = true;
        if (strcmp(name, "--mechanism") == 0)
            security.mechanism = mechanism_of(value);
        else if (strcmp(name, "--for") == 0)
            seconds = (int)strtol(value, NULL, 10);
        else
            known = false;
        for (size_t k = 0; !known && k < sizeof texts / sizeof texts[0]; k++)
            if (strcmp(name, texts[k].name) == 0) *texts[k].value = value, known = true;
        if (!known) die("no such option");
    }
    if (security.ca_file != NULL) security.tls = true;
}

/* A step, after a sleep for as long as nothing happens. */
static void step(ps_wire_connection *c) {
    ps_error error;
    struct pollfd ready = {.fd = ps_wire_connection_fd(c), .events = ps_wire_connection_events(c)};
    int64_t wait_ns = ps_wire_connection_deadline(c) - ps_clock_ns();
    if (wait_ns > 100000000) wait_ns = 100000000;
    if (!ps_wire_connection_pending(c) && wait_ns > 0)
        (void)poll(&ready, 1, (int)((wait_ns + 999999) / 1000000));
    const ps_wire_phase before = ps_wire_connection_phase(c);
    if (ps_wire_connection_step(c, ps_clock_ns(), true, &error) != PS_OK) die(error.message);
    ready_count += before != PS_WIRE_READY && ps_wire_connection_phase(c) == PS_WIRE_READY;
}

static void show(const ps_wire_connection *c) {
    static const char *const features[] = {"metadata.version", "transaction.version",
                                           "group.version"};
    for (ps_wire_api api = 0; api < PS_WIRE_APIS; api++)
        if (ps_wire_api_name(api) != NULL && ps_wire_connection_version(c, api) >= 0)
            (void)printf("%s %d\n", ps_wire_api_name(api), ps_wire_connection_version(c, api));
    for (int i = 0; i < 3; i++)
        (void)printf("%s %d\n", features[i], ps_wire_connection_feature(c, features[i]));
}

/* Asks, and waits for the answer. */
static void ask(ps_wire_connection *c) {
    static uint8_t memory[4096];
    struct iovec pieces[8];
    ps_wire_out out = {.memory = memory, .room = sizeof memory, .piece = pieces, .pieces_max = 8};
    const ps_wire_metadata_request request = {.topics_count = 0};
    const int16_t version = ps_wire_connection_version(c, PS_WIRE_METADATA);
    ps_bytes frame;
    while (!ps_wire_connection_room(c)) step(c);
    if (ps_wire_encode(PS_WIRE_METADATA, version, 1, (ps_bytes){NULL, PS_NULL_LENGTH}, &request,
                       &out, NULL) != PS_OK)
        die("the question cannot be written");
    ps_wire_connection_send(c, &out);
    while (!ps_wire_connection_frame(c, &frame)) step(c);
    ps_wire_connection_drop(c);
}

int main(int argc, char **argv) {
    ps_error error;
    ps_wire_connection *c = NULL;
    void *tls = NULL;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
    char *port = argc > 1 ? strrchr(argv[1], ':') : NULL;
    if (port == NULL) die("which broker?");
    *port++ = '\0';
    read_arguments(argc, argv);
    if (getaddrinfo(argv[1], port, &hints, &found) != 0) die("no such host");
    if (security.tls && ps_wire_tls_open(&security, &tls, &error) != PS_OK) die(error.message);
    const ps_wire_connection_recipe recipe = {.security = &security,
                                              .tls = tls,
                                              .client_id = {(const uint8_t *)"hello", 5},
                                              .receive_bytes = 1 << 20,
                                              .in_flight_max = 1,
                                              .timeout_ns = 10 * PS_NS_PER_S};
    if (ps_wire_connection_open(&recipe, &c, &error) != PS_OK) die(error.message);
    ps_wire_connection_dial(c, found->ai_addr, found->ai_addrlen, argv[1], ps_clock_ns());
    while (ps_wire_connection_phase(c) != PS_WIRE_READY) step(c);
    show(c);
    int answers = 0;
    for (const int64_t end = ps_clock_ns() + seconds * PS_NS_PER_S; ps_clock_ns() < end;) {
        ask(c);
        answers++;
        const int64_t next = ps_clock_ns() + 100 * PS_NS_PER_MS;
        while (ps_clock_ns() < next) step(c);
    }
    if (seconds > 0)
        (void)printf("%d answers, authenticated again %d times\n", answers, ready_count - 1);
    ps_wire_connection_close(c);
    ps_wire_tls_close(tls);
    freeaddrinfo(found);
    return 0;
}
