/* SPDX-License-Identifier: Apache-2.0
 * TLS. If this fails, an impostor is given passwords and data, or a secured connection loses bytes,
 * stalls with an answer in hand, or cannot say why it is refused.
 */
#include <openssl/err.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/wire/bytes.h"
#include "tests/wire_peer.h"

#define TIMEOUT INT64_C(1000000000)

enum { RECEIVE = 100000, LARGE = 1000000 };

static char folder[] = "/tmp/wire_tls_XXXXXX";

static const char script[] =
    "cd %s && exec 2>log && set -e\n"
    "key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key; }\n"
    "authority() { key $1; openssl req -x509 -key $1.key -out $1.pem -days 2 -subj /CN=$1; }\n"
    "signed() { key $1; openssl req -new -key $1.key -subj /CN=$1 | openssl x509 -req -CA ca.pem"
    " -CAkey ca.key -CAcreateserial -days 2 -extfile names -out $1.pem; }\n"
    "authority ca; authority other\n"
    "echo subjectAltName=DNS:localhost,DNS:*.example.com,IP:127.0.0.1 >names\n"
    "signed server; signed client\n"
    "openssl pkey -in client.key -aes128 -passout pass:opens -out locked.key\n"
    "mkdir many; cp ca.pem many; openssl rehash many\n";

static int make_certificates(void **state) {
    (void)state;
    char command[2000];
    if (mkdtemp(folder) == NULL) return -1;
    (void)snprintf(command, sizeof command, script, folder);
    return system(command);
}

static int remove_certificates(void **state) {
    (void)state;
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *file(const char *name) {
    static char paths[8][100];
    static int next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static SSL_CTX *make_server(void) {
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_file(tls, file("server.pem"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, file("server.key"), SSL_FILETYPE_PEM), 1);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return tls;
}

typedef struct world {
    ps_wire_security security;
    ps_wire_connection_recipe recipe;
    void *shared;
    SSL_CTX *server;
    wire_peer peer;
} world;

/* Dialled as `host`, with room for answers of `receive` bytes. */
static void begin_with(world *w, ps_wire_security security, SSL_CTX *server, const char *host,
                       size_t receive) {
    *w = (world){.security = security, .server = server};
    w->security.tls = true;
    assert_int_equal(ps_wire_tls_open(&w->security, &w->shared, NULL), PS_OK);
    w->recipe = (ps_wire_connection_recipe){.security = &w->security,
                                            .tls = w->shared,
                                            .receive_bytes = receive,
                                            .in_flight_max = 100,
                                            .timeout_ns = TIMEOUT};
    peer_open(&w->peer, &w->recipe);
    w->peer.tls = server;
    peer_dial(&w->peer, host);
}

static void begin(world *w, ps_wire_security security, SSL_CTX *server, const char *host) {
    begin_with(w, security, server, host, RECEIVE);
}

static void end(world *w) {
    peer_close(&w->peer);
    ps_wire_tls_close(w->shared);
    SSL_CTX_free(w->server);
    ERR_clear_error();
}

static ps_wire_security trusting(const char *ca) {
    return (ps_wire_security){.verify = true, .ca_file = file(ca)};
}

static void expect_ready(world *w) {
    peer_greet(&w->peer);
    assert_int_equal(peer_until(&w->peer, PS_WIRE_READY), PS_OK);
}

static void expect_failure(world *w, ps_status status, const char *words) {
    const ps_status was = peer_until(&w->peer, PS_WIRE_CLOSED);
    if (was != status || strstr(w->peer.error.message, words) == NULL)
        fail_msg("%d, %s: not %d, %s", was, w->peer.error.message, status, words);
    end(w);
}

static void whom_it_trusts(void **state) {
    (void)state;
    static const char *const names[] = {"localhost", "a.example.com", "127.0.0.1"};
    static const char *const others[] = {"localhost.example.org", "a.b.example.com", "127.0.0.2",
                                         "example.com"};
    world w;
    for (int i = 0; i < 3; i++) {
        begin(&w, trusting("ca.pem"), make_server(), names[i]);
        expect_ready(&w);
        end(&w);
    }
    for (int i = 0; i < 4; i++) {
        begin(&w, trusting("ca.pem"), make_server(), others[i]);
        expect_failure(&w, PS_BAD_CONFIG, "certificate is not trusted");
    }
    begin(&w, trusting("other.pem"), make_server(), "localhost");
    expect_failure(&w, PS_BAD_CONFIG, "certificate is not trusted: unable to get local issuer");
    begin(&w, (ps_wire_security){.verify = true}, make_server(), "localhost");
    expect_failure(&w, PS_BAD_CONFIG, "certificate is not trusted");
    begin(&w, trusting("ca.pem"), make_server(), NULL);
    expect_failure(&w, PS_BAD_CONFIG, "no host name");
    begin(&w, (ps_wire_security){.verify = false}, make_server(), "other.name");
    expect_ready(&w);
    end(&w);
}

/* By the name alone: the authority is asked for all the same. */
static void whoever_has_its_certificate(void **state) {
    (void)state;
    static const char *const names[] = {"localhost", "other.name", "127.0.0.2", NULL};
    world w;
    for (int i = 0; i < 4; i++) {
        ps_wire_security security = trusting("ca.pem");
        security.any_host = true;
        begin(&w, security, make_server(), names[i]);
        expect_ready(&w);
        end(&w);
        security.ca_file = file("other.pem");
        begin(&w, security, make_server(), names[i]);
        expect_failure(&w, PS_BAD_CONFIG, "certificate is not trusted");
    }
}

static void authorities_in_a_folder(void **state) {
    (void)state;
    world w;
    begin(&w, trusting("many"), make_server(), "localhost");
    expect_ready(&w);
    end(&w);
}

static void peers_that_speak_something_else(void **state) {
    (void)state;
    world w;
    begin(&w, trusting("ca.pem"), NULL, "localhost");
    assert_int_equal(peer_until(&w.peer, PS_WIRE_SECURING), PS_OK);
    peer_write(&w.peer, "HTTP/1.1 400 Bad Request\r\n", 26);
    expect_failure(&w, PS_BAD_CONFIG, "does not speak it");
    begin(&w, trusting("ca.pem"), NULL, "localhost");
    assert_int_equal(peer_until(&w.peer, PS_WIRE_SECURING), PS_OK);
    (void)peer_read(&w.peer);
    peer_hang_up(&w.peer, false);
    expect_failure(&w, PS_IO, "does this port speak TLS?");
    begin(&w, trusting("ca.pem"), NULL, "localhost");
    assert_int_equal(peer_until(&w.peer, PS_WIRE_SECURING), PS_OK);
    peer_hang_up(&w.peer, true);
    expect_failure(&w, PS_IO, "reset");
    begin(&w, trusting("ca.pem"), NULL, "localhost");
    assert_int_equal(peer_until(&w.peer, PS_WIRE_SECURING), PS_OK);
    for (int i = 0; i < 20; i++) assert_int_equal(peer_step(&w.peer), PS_OK);
    assert_int_equal(ps_wire_connection_events(w.peer.connection), POLLIN);
    w.peer.now_ns += TIMEOUT;
    expect_failure(&w, PS_IO, "timed out after 1000 ms: the TLS handshake");
    SSL_CTX *old = make_server();
    SSL_CTX_set_security_level(old, 0);
    (void)SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
    begin(&w, trusting("ca.pem"), old, "localhost");
    expect_failure(&w, PS_BAD_CONFIG, "TLS failed");
}

static void shows_its_own_certificate(void **state) {
    (void)state;
    world w;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (int shown = 0; shown < 2; shown++) {
            SSL_CTX *server = make_server();
            (void)SSL_CTX_set_max_proto_version(server, version);
            assert_int_equal(SSL_CTX_load_verify_file(server, file("ca.pem")), 1);
            SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
            ps_wire_security security = trusting("ca.pem");
            if (shown) {
                security.cert_file = file("client.pem");
                security.key_file = file("locked.key");
                security.key_password = "opens";
            }
            begin(&w, security, server, "localhost");
            if (!shown) {
                expect_failure(&w, PS_BAD_CONFIG, "TLS failed");
                continue;
            }
            expect_ready(&w);
            end(&w);
        }
    }
}

static void files_that_cannot_be_used(void **state) {
    (void)state;
    void *tls = NULL;
    ps_error error;
    ps_wire_security security = {.tls = true, .verify = true, .ca_file = "/nowhere.pem"};
    assert_int_equal(ps_wire_tls_open(&security, &tls, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "/nowhere.pem"));
    security.ca_file = file("ca.pem");
    security.cert_file = file("client.pem");
    security.key_file = file("server.key");
    assert_int_equal(ps_wire_tls_open(&security, &tls, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "server.key"));
    /* Without its password: an error, not a question at the terminal. */
    security.key_file = file("locked.key");
    assert_int_equal(ps_wire_tls_open(&security, &tls, &error), PS_BAD_CONFIG);
    security.key_password = "wrong-password";
    assert_int_equal(ps_wire_tls_open(&security, &tls, &error), PS_BAD_CONFIG);
    assert_null(strstr(error.message, "wrong-password"));
    assert_null(tls);
    ERR_clear_error();
}

static void take_frame(world *w, size_t length, uint8_t fill) {
    ps_bytes frame;
    for (int i = 0; !ps_wire_connection_frame(w->peer.connection, &frame); i++) {
        assert_int_equal(peer_step(&w->peer), PS_OK);
        if (i > 50) (void)usleep(200);
        assert_true(i < 10000);
    }
    assert_int_equal(frame.length, length);
    for (size_t i = 4; i < length; i++) assert_int_equal(frame.data[i], fill);
    ps_wire_connection_drop(w->peer.connection);
}

/* Small and large pieces, through a small socket, and answers of all sizes back. */
static void much_both_ways(void **state) {
    (void)state;
    world w;
    begin(&w, trusting("ca.pem"), make_server(), "localhost");
    expect_ready(&w);
    const int small = 4096;
    (void)setsockopt(ps_wire_connection_fd(w.peer.connection), SOL_SOCKET, SO_SNDBUF, &small,
                     sizeof small);
    uint8_t *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) bytes[i] = (uint8_t)(i * 7 >> 4);
    static const size_t cuts[] = {0,     10,    10,     30,     16384 + 30, 16384 + 31,
                                  70000, 70100, 200000, 200001, 600000,     LARGE};
    struct iovec pieces[11];
    for (int i = 0; i < 11; i++) pieces[i] = (struct iovec){bytes + cuts[i], cuts[i + 1] - cuts[i]};
    const ps_wire_out out = {.piece = pieces, .pieces_max = 11, .piece_count = 11};
    ps_wire_connection_send(w.peer.connection, &out);
    ps_wire_connection_send(w.peer.connection, &out);
    int waits = 0;
    while (peer_read(&w.peer) < 2 * LARGE) {
        assert_int_equal(peer_step(&w.peer), PS_OK);
        waits += (ps_wire_connection_events(w.peer.connection) & POLLOUT) != 0;
    }
    assert_true(waits > 5);
    assert_memory_equal(w.peer.in, bytes, LARGE);
    assert_memory_equal(w.peer.in + LARGE, bytes, LARGE);
    assert_int_equal(ps_wire_connection_events(w.peer.connection), POLLIN);
    const ps_wire_out one = {.piece = pieces, .pieces_max = 1, .piece_count = 1};
    for (int i = 0; i < 50; i++) {
        const size_t length = i % 5 == 4 ? RECEIVE : 100 + 977 * (size_t)i;
        ps_wire_connection_send(w.peer.connection, &one);
        peer_write_frame(&w.peer, length, (uint8_t)i);
        take_frame(&w, length, (uint8_t)i);
    }
    free(bytes);
    end(&w);
}

/* Two answers in one record, room for one: once it is dropped, poll would sleep beside the other.
 */
static void what_poll_does_not_show(void **state) {
    (void)state;
    enum { EACH = 7000 };
    world w;
    static uint8_t record[2 * (EACH + 4)];
    static const uint8_t question[4];
    begin_with(&w, trusting("ca.pem"), make_server(), "localhost", EACH);
    expect_ready(&w);
    struct iovec piece = {(void *)(uintptr_t)question, sizeof question};
    const ps_wire_out one = {.piece = &piece, .pieces_max = 1, .piece_count = 1};
    ps_wire_connection_send(w.peer.connection, &one);
    ps_wire_connection_send(w.peer.connection, &one);
    memset(record, 1, sizeof record);
    ps_wire_put32(record, EACH);
    ps_wire_put32(record + EACH + 4, EACH);
    assert_int_equal(SSL_write(w.peer.ssl, record, sizeof record), sizeof record);
    ps_bytes frame;
    while (!ps_wire_connection_frame(w.peer.connection, &frame))
        assert_int_equal(peer_step(&w.peer), PS_OK);
    assert_int_equal(peer_step(&w.peer), PS_OK);
    assert_false(ps_wire_connection_pending(w.peer.connection));
    ps_wire_connection_drop(w.peer.connection);
    struct pollfd ready = {.fd = ps_wire_connection_fd(w.peer.connection), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    assert_true(ps_wire_connection_pending(w.peer.connection));
    take_frame(&w, EACH, 1);
    assert_int_equal(peer_step(&w.peer), PS_OK);
    assert_false(ps_wire_connection_pending(w.peer.connection));
    end(&w);
}

/* Writing to the dead must not end this program with SIGPIPE. */
static void survives_a_reset(void **state) {
    (void)state;
    static const uint8_t question[4];
    world w;
    begin(&w, trusting("ca.pem"), make_server(), "localhost");
    expect_ready(&w);
    struct iovec piece = {(void *)(uintptr_t)question, sizeof question};
    const ps_wire_out one = {.piece = &piece, .pieces_max = 1, .piece_count = 1};
    peer_hang_up(&w.peer, true);
    ps_wire_connection_send(w.peer.connection, &one);
    expect_failure(&w, PS_IO, "");
    begin(&w, trusting("ca.pem"), make_server(), "localhost");
    expect_ready(&w);
    (void)shutdown(ps_wire_connection_fd(w.peer.connection), SHUT_WR);
    ps_wire_connection_send(w.peer.connection, &one);
    expect_failure(&w, PS_IO, "Broken pipe");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_it_trusts),
        cmocka_unit_test(whoever_has_its_certificate),
        cmocka_unit_test(authorities_in_a_folder),
        cmocka_unit_test(peers_that_speak_something_else),
        cmocka_unit_test(shows_its_own_certificate),
        cmocka_unit_test(files_that_cannot_be_used),
        cmocka_unit_test(much_both_ways),
        cmocka_unit_test(what_poll_does_not_show),
        cmocka_unit_test(survives_a_reset),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
