/* SPDX-License-Identifier: Apache-2.0
 * Authentication. If this fails, a secured cluster cannot be used, an impostor is believed, a
 * password is printed or stays in memory, or a session ends in the middle of a transaction.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/wire/bytes.h"
#include "ingest/wire/scram.h"
#include "tests/wire_peer.h"

#define TIMEOUT INT64_C(1000000000)

static const char secret[] = "a-password-to-keep";

static ps_wire_security security;

static void open_asking(wire_peer *peer, ps_wire_security with) {
    security = with;
    const ps_wire_connection_recipe recipe = {
        .security = &security, .receive_bytes = 5000, .in_flight_max = 2, .timeout_ns = TIMEOUT};
    peer_open(peer, &recipe);
    peer_dial(peer, NULL);
    peer_greet(peer);
}

static void expect_failure(wire_peer *peer, ps_status status, const char *words) {
    const ps_status was = peer_until(peer, PS_WIRE_CLOSED);
    if (was != status || strstr(peer->error.message, words) == NULL)
        fail_msg("%d, %s: not %d, %s", was, peer->error.message, status, words);
    assert_null(strstr(peer->error.message, secret));
    assert_int_equal(ps_wire_connection_fd(peer->connection), -1);
}

/* Nothing of the connection's memory still says `text`. */
static void expect_wiped(const wire_peer *peer, const char *text) {
    const ps_wire_connection_recipe recipe = {
        .security = &security, .receive_bytes = 5000, .in_flight_max = 2, .timeout_ns = TIMEOUT};
    assert_null(memmem((const void *)peer->connection, ps_wire_connection_bytes(&recipe), text,
                       strlen(text)));
}

typedef struct vector {
    bool wide;
    const char *proof, *signature;
} vector;

/* The first is RFC 7677's (section 3); the second was computed with Python's hashlib and hmac. */
static const vector vectors[] = {
    {false,
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
     "Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
    {true,
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/"
     "8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
     "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="},
};
static const char nonce[] = "rOprNGfwEbeRWgbNEkqO";
static const char challenge[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

static void scram_vectors(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        ps_scram scram;
        size_t length = 0;
        assert_int_equal(ps_scram_begin(&scram, vectors[i].wide, "user", nonce, &length, NULL),
                         PS_OK);
        scram.text[length] = '\0';
        assert_string_equal(scram.text, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_int_equal(ps_scram_prove(&scram, "pencil", peer_text(challenge), &length, NULL),
                         PS_OK);
        assert_int_equal(length, strlen(vectors[i].proof));
        assert_memory_equal(scram.text, vectors[i].proof, length);
        assert_int_equal(ps_scram_check(&scram, peer_text(vectors[i].signature), NULL), PS_OK);
        /* Any byte of it wrong, or it all missing: an impostor. */
        char text[128];
        for (size_t k = 2; k < strlen(vectors[i].signature); k++) {
            (void)snprintf(text, sizeof text, "%s", vectors[i].signature);
            text[k] = text[k] == 'A' ? 'B' : 'A';
            assert_int_equal(ps_scram_check(&scram, peer_text(text), NULL), PS_BAD_CONFIG);
        }
        assert_int_equal(ps_scram_check(&scram, peer_text("v="), NULL), PS_BAD_CONFIG);
        assert_int_equal(ps_scram_check(&scram, peer_text(""), NULL), PS_BAD_CONFIG);
        assert_int_equal(ps_scram_check(&scram, peer_text("e=other-error"), NULL), PS_BAD_CONFIG);
        assert_int_equal(ps_scram_check(&scram, peer_text(vectors[1 - i].signature), NULL),
                         PS_BAD_CONFIG);
    }
}

static void scram_names_are_escaped(void **state) {
    (void)state;
    ps_scram scram, other;
    size_t length = 0;
    char longest[3000];
    assert_int_equal(ps_scram_begin(&scram, false, "a=b,c", "xyz", &length, NULL), PS_OK);
    scram.text[length] = '\0';
    assert_string_equal(scram.text, "n,,n=a=3Db=2Cc,r=xyz");
    memset(longest, ',', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(ps_scram_begin(&scram, false, longest, "xyz", &length, NULL), PS_BAD_CONFIG);
    assert_int_equal(ps_scram_begin(&scram, false, "u", NULL, &length, NULL), PS_OK);
    assert_int_equal(ps_scram_begin(&other, false, "u", NULL, &length, NULL), PS_OK);
    assert_int_equal(strlen(scram.nonce), 32);
    assert_string_not_equal(scram.nonce, other.nonce);
}

static void scram_challenges_that_are_none(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "not one of SCRAM"},
        {"r=xyzmore,s=W22Z", "not one of SCRAM"},
        {"r=xyzmore,s=W2,i=4096", "not one of SCRAM"},
        {"r=xyzmore,s=W=2Z,i=4096", "not one of SCRAM"},
        {"r=xyzmore,s=,i=4096", "not one of SCRAM"},
        {"m=ext,r=xyzmore,s=W22Z,i=4096", "not one of SCRAM"},
        {"e=unknown-user", "not one of SCRAM"},
        {"r=xyz,s=W22Z,i=4096", "another client"},
        {"r=xy0more,s=W22Z,i=4096", "another client"},
        {"r=x,s=W22Z,i=4096", "another client"},
        {"r=xyzmore,s=W22Z,i=4095", "4095 iterations"},
        {"r=xyzmore,s=W22Z,i=1048577", "1048577 iterations"},
        {"r=xyzmore,s=W22Z,i=4294971392", "iterations"},
        {"r=xyzmore,s=W22Z,i=-5000", "iterations"},
        {"r=xyzmore,s=W22Z,i=", "iterations"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ps_scram scram;
        ps_error error;
        size_t length = 0;
        assert_int_equal(ps_scram_begin(&scram, false, "u", "xyz", &length, NULL), PS_OK);
        assert_int_equal(ps_scram_prove(&scram, "p", peer_text(cases[i][0]), &length, &error),
                         PS_BAD_CONFIG);
        if (strstr(error.message, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], error.message);
    }
    /* As long as a challenge can be, and longer. */
    for (size_t bytes = 900; bytes < 2100; bytes += 7) {
        ps_scram scram;
        size_t length = 0;
        char text[2200];
        const int all = snprintf(text, sizeof text, "r=xyz%0*d,s=W22Z,i=4096", (int)bytes, 0);
        assert_int_equal(ps_scram_begin(&scram, true, "u", "xyz", &length, NULL), PS_OK);
        const ps_status status = ps_scram_prove(
            &scram, "p", (ps_bytes){(const uint8_t *)text, (uint32_t)all}, &length, NULL);
        assert_true(status == PS_BAD_CONFIG || length < PS_SCRAM_TEXT);
    }
}

static void hmac(const char *key, int bytes, const char *of, size_t length, uint8_t *to) {
    (void)HMAC(EVP_sha256(), key, bytes, (const uint8_t *)of, length, to, NULL);
}

/* The server's half, with salt 00 00 00: takes both messages of the client's, and signs. */
static void serve_scram(wire_peer *peer, bool honest, int64_t lifetime_ms) {
    char first[400], transcript[1200], last[64] = "v=";
    uint8_t salted[32], key[32], signature[32];
    ps_bytes heard = peer_hear(peer);
    assert_memory_equal(heard.data, "n,,n=alice,r=", 13);
    const int nonce_bytes = (int)heard.length - 13;
    (void)snprintf(first, sizeof first, "r=%.*sserver,s=AAAA,i=4096", nonce_bytes,
                   (const char *)heard.data + 13);
    int used = snprintf(transcript, sizeof transcript, "%.*s,%s,", (int)heard.length - 3,
                        (const char *)heard.data + 3, first);
    peer_say(peer, 0, NULL, peer_text(first), 0);
    heard = peer_hear(peer);
    const uint8_t *proof = memmem(heard.data, heard.length, ",p=", 3);
    used += snprintf(transcript + used, sizeof transcript - (size_t)used, "%.*s",
                     (int)(proof - heard.data), (const char *)heard.data);
    (void)PKCS5_PBKDF2_HMAC(secret, -1, (const uint8_t *)"\0\0\0", 3, 4096, EVP_sha256(), 32,
                            salted);
    hmac((char *)salted, 32, "Server Key", 10, key);
    hmac((char *)key, 32, transcript, (size_t)used, signature);
    if (!honest) signature[31] ^= 1;
    (void)EVP_EncodeBlock((uint8_t *)last + 2, signature, 32);
    peer_say(peer, 0, NULL, peer_text(last), lifetime_ms);
}

static const ps_wire_security scram_alice = {
    .mechanism = PS_WIRE_SASL_SCRAM_256, .user = "alice", .password = secret};

static void scram_both_ways(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, scram_alice);
    peer_handshake(&peer, "SCRAM-SHA-256");
    assert_false(ps_wire_connection_room(peer.connection));
    serve_scram(&peer, true, 0);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    assert_int_equal(ps_wire_connection_deadline(peer.connection), INT64_MAX);
    expect_wiped(&peer, secret);
    peer_close(&peer);
}

static void impostor_is_refused(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, scram_alice);
    peer_handshake(&peer, "SCRAM-SHA-256");
    serve_scram(&peer, false, 0);
    expect_failure(&peer, PS_BAD_CONFIG, "does not know the password");
    peer_close(&peer);
}

static const ps_wire_security plain_alice = {
    .mechanism = PS_WIRE_SASL_PLAIN, .user = "alice", .password = secret};

static void plain_and_wiped(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, plain_alice);
    peer_handshake(&peer, "PLAIN");
    const ps_bytes heard = peer_hear(&peer);
    assert_int_equal(heard.length, 7 + strlen(secret));
    assert_memory_equal(heard.data, "\0alice\0a-password-to-keep", heard.length);
    peer_say(&peer, 0, NULL, peer_text(""), 0);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    expect_wiped(&peer, secret);
    peer_close(&peer);
}

static void refusals_are_told(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, plain_alice);
    peer_handshake(&peer, "PLAIN");
    (void)peer_hear(&peer);
    peer_say(&peer, 58, "Invalid username\nor password", peer_text(""), 0);
    expect_failure(&peer, PS_BAD_CONFIG,
                   "user alice by PLAIN was refused: Invalid username or password");
    expect_wiped(&peer, secret);
    peer_close(&peer);

    open_asking(&peer, plain_alice);
    const ps_bytes known[] = {peer_text("GSSAPI"), peer_text("SCRAM-SHA-512")};
    ps_wire_sasl_handshake_request asked;
    ps_wire_sasl_handshake_response answer = {33, 2, known};
    (void)peer_take(&peer, PS_WIRE_SASL_HANDSHAKE, &asked);
    peer_answer(&peer, PS_WIRE_SASL_HANDSHAKE, 1, &answer);
    expect_failure(&peer, PS_BAD_CONFIG, "not authenticate by PLAIN, but by: GSSAPI SCRAM-SHA-512");
    peer_close(&peer);

    open_asking(&peer, plain_alice);
    answer = (ps_wire_sasl_handshake_response){34, 0, NULL};
    (void)peer_take(&peer, PS_WIRE_SASL_HANDSHAKE, &asked);
    peer_answer(&peer, PS_WIRE_SASL_HANDSHAKE, 1, &answer);
    expect_failure(&peer, PS_BAD_CONFIG, "SASL is not for it");
    peer_close(&peer);

    /* An old broker, from before SaslAuthenticate. */
    security = plain_alice;
    const ps_wire_connection_recipe recipe = {
        .security = &security, .receive_bytes = 5000, .in_flight_max = 2, .timeout_ns = TIMEOUT};
    const ps_wire_api_versions_response_api_version keys[] = {{PS_WIRE_SASL_HANDSHAKE, 0, 1}};
    const ps_wire_api_versions_response versions = {.api_keys_count = 1, .api_keys = keys};
    ps_wire_api_versions_request greeting;
    peer_open(&peer, &recipe);
    peer_dial(&peer, NULL);
    (void)peer_take(&peer, PS_WIRE_API_VERSIONS, &greeting);
    peer_answer(&peer, PS_WIRE_API_VERSIONS, 3, &versions);
    expect_failure(&peer, PS_BAD_CONFIG, "too old: it does not know sasl_authenticate");
    peer_close(&peer);
}

static void silence_and_resets_while_authenticating(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, plain_alice);
    assert_int_equal(peer_until(&peer, PS_WIRE_AUTHENTICATING), PS_OK);
    assert_int_equal(ps_wire_connection_deadline(peer.connection), peer.now_ns + TIMEOUT);
    peer.now_ns += TIMEOUT;
    expect_failure(&peer, PS_IO, "timed out after 1000 ms: authenticating");
    peer_close(&peer);
    open_asking(&peer, plain_alice);
    peer_handshake(&peer, "PLAIN");
    assert_int_equal(peer_step(&peer), PS_OK);
    peer_hang_up(&peer, true);
    expect_failure(&peer, PS_IO, "reset");
    expect_wiped(&peer, secret);
    peer_close(&peer);
}

/* KIP-368: at 85 % of the session, once nothing is under way, and then goes on as before. */
static void authenticates_again(void **state) {
    (void)state;
    wire_peer peer;
    char text[8] = "";
    struct iovec piece = {text, sizeof text};
    const ps_wire_out out = {.piece = &piece, .pieces_max = 1, .piece_count = 1};
    ps_bytes frame;
    open_asking(&peer, scram_alice);
    peer_handshake(&peer, "SCRAM-SHA-256");
    serve_scram(&peer, true, 1000);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    ps_wire_connection *c = peer.connection;
    const int64_t again = peer.now_ns + 850000000;
    assert_int_equal(ps_wire_connection_deadline(c), again);
    ps_wire_connection_send(c, &out);
    peer.now_ns = again - 1;
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_true(ps_wire_connection_room(c));
    peer.now_ns = again;
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_false(ps_wire_connection_room(c));
    assert_int_equal(ps_wire_connection_phase(c), PS_WIRE_READY);
    assert_int_equal(ps_wire_connection_deadline(c), INT64_MAX);
    peer_write_frame(&peer, 100, 9);
    while (!ps_wire_connection_frame(c, &frame)) assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(peer_read(&peer), sizeof text);
    peer.held = 0;
    ps_wire_connection_drop(c);
    assert_true(ps_wire_connection_deadline(c) < peer.now_ns);
    peer_handshake(&peer, "SCRAM-SHA-256");
    assert_int_equal(ps_wire_connection_phase(c), PS_WIRE_AUTHENTICATING);
    assert_false(ps_wire_connection_room(c));
    serve_scram(&peer, true, 2000);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    assert_int_equal(ps_wire_connection_deadline(c), peer.now_ns + 1700000000);
    assert_true(ps_wire_connection_room(c));
    ps_wire_connection_send(c, &out);
    peer_write_frame(&peer, 100, 9);
    while (!ps_wire_connection_frame(c, &frame)) assert_int_equal(peer_step(&peer), PS_OK);
    peer_close(&peer);
}

static void expect_token(wire_peer *peer, const char *token) {
    char wanted[100];
    const int length = snprintf(wanted, sizeof wanted, "n,,\1auth=Bearer %s\1\1", token);
    peer_handshake(peer, "OAUTHBEARER");
    const ps_bytes heard = peer_hear(peer);
    assert_int_equal(heard.length, length);
    assert_memory_equal(heard.data, wanted, (size_t)length);
}

static void token_is_given_or_fetched(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, (ps_wire_security){.mechanism = PS_WIRE_SASL_OAUTHBEARER,
                                          .token = "a-password-to-keep"});
    expect_token(&peer, secret);
    peer_say(&peer, 0, NULL, peer_text(""), 0);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    expect_wiped(&peer, secret);
    peer_close(&peer);

    open_asking(&peer, (ps_wire_security){
                           .mechanism = PS_WIRE_SASL_OAUTHBEARER,
                           .token_command = "printf a-password; sleep 0.1; echo -to-keep; exit 0"});
    assert_int_equal(peer_until(&peer, PS_WIRE_AUTHENTICATING), PS_OK);
    struct pollfd ready = {.fd = ps_wire_connection_fd(peer.connection),
                           .events = ps_wire_connection_events(peer.connection)};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    expect_token(&peer, secret);
    peer_say(&peer, 0, NULL, peer_text(""), 1000);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    expect_wiped(&peer, secret);
    /* The next session has a token of its own. */
    peer.now_ns += 900000000;
    expect_token(&peer, secret);
    peer_say(&peer, 0, NULL, peer_text(""), 0);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    peer_close(&peer);
}

static void tokens_that_are_none(void **state) {
    (void)state;
    static const struct {
        const char *command, *words;
        ps_status status;
    } cases[] = {
        {"echo a-password-to-keep; exit 3", "exit code 3", PS_IO},
        {"kill -9 $$", "signal 9", PS_IO},
        {"no-such-command-anywhere 2>/dev/null", "exit code 127", PS_BAD_CONFIG},
        {"true", "is not a token", PS_BAD_CONFIG},
        {"echo a-password-to-keep and more", "is not a token", PS_BAD_CONFIG},
        {"head -c 20000 /dev/zero", "over 16384 bytes", PS_BAD_CONFIG},
    };
    wire_peer peer;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_asking(&peer, (ps_wire_security){.mechanism = PS_WIRE_SASL_OAUTHBEARER,
                                              .token_command = cases[i].command});
        expect_failure(&peer, cases[i].status, cases[i].words);
        expect_wiped(&peer, secret);
        peer_close(&peer);
    }
    open_asking(&peer, (ps_wire_security){.mechanism = PS_WIRE_SASL_OAUTHBEARER,
                                          .token = "a-password-to-keep\1"});
    expect_failure(&peer, PS_BAD_CONFIG, "is not a token");
    peer_close(&peer);
}

/* A command that hangs is not waited for, and does not outlive the attempt. */
static void command_that_hangs(void **state) {
    (void)state;
    wire_peer peer;
    char path[] = "/tmp/wire_sasl_XXXXXX", command[200];
    (void)close(mkstemp(path));
    (void)snprintf(command, sizeof command, "(sleep 1; echo still here >%s); true", path);
    open_asking(
        &peer, (ps_wire_security){.mechanism = PS_WIRE_SASL_OAUTHBEARER, .token_command = command});
    assert_int_equal(peer_until(&peer, PS_WIRE_AUTHENTICATING), PS_OK);
    assert_int_equal(ps_wire_connection_deadline(peer.connection), peer.now_ns + TIMEOUT);
    (void)usleep(300000); /* the shell gets to its child */
    peer.now_ns += TIMEOUT;
    expect_failure(&peer, PS_IO, "timed out");
    (void)usleep(1500000);
    assert_int_equal(access(path, F_OK), 0);
    FILE *file = fopen(path, "r");
    assert_int_equal(fgetc(file), EOF);
    (void)fclose(file);
    (void)unlink(path);
    peer_close(&peer);
}

/* RFC 7628 section 3.2.3: the reason comes first, and has to be acknowledged. */
static void refused_token_says_why(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, (ps_wire_security){.mechanism = PS_WIRE_SASL_OAUTHBEARER,
                                          .token = "a-password-to-keep"});
    expect_token(&peer, secret);
    peer_say(&peer, 0, NULL, peer_text("{\"status\":\"invalid_token\"}"), 0);
    const ps_bytes heard = peer_hear(&peer);
    assert_int_equal(heard.length, 1);
    assert_int_equal(heard.data[0], 1);
    peer_say(&peer, 58, "no", peer_text(""), 0);
    expect_failure(&peer, PS_BAD_CONFIG, "{\"status\":\"invalid_token\"}");
    peer_close(&peer);
}

static void incomplete_security_is_refused(void **state) {
    (void)state;
    ps_wire_security with = {.mechanism = PS_WIRE_SASL_PLAIN, .user = "alice"};
    const ps_wire_connection_recipe recipe = {
        .security = &with, .receive_bytes = 5000, .in_flight_max = 2, .timeout_ns = TIMEOUT};
    ps_wire_connection *c;
    assert_int_equal(ps_wire_connection_open(&recipe, &c, NULL), PS_BAD_CONFIG);
    with = (ps_wire_security){.mechanism = PS_WIRE_SASL_OAUTHBEARER};
    assert_int_equal(ps_wire_connection_open(&recipe, &c, NULL), PS_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scram_vectors),
        cmocka_unit_test(scram_names_are_escaped),
        cmocka_unit_test(scram_challenges_that_are_none),
        cmocka_unit_test(scram_both_ways),
        cmocka_unit_test(impostor_is_refused),
        cmocka_unit_test(plain_and_wiped),
        cmocka_unit_test(refusals_are_told),
        cmocka_unit_test(silence_and_resets_while_authenticating),
        cmocka_unit_test(authenticates_again),
        cmocka_unit_test(token_is_given_or_fetched),
        cmocka_unit_test(tokens_that_are_none),
        cmocka_unit_test(command_that_hangs),
        cmocka_unit_test(refused_token_says_why),
        cmocka_unit_test(incomplete_security_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
