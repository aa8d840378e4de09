/* SPDX-License-Identifier: Apache-2.0
 * Connections to a broker, without TLS and SASL. If this fails, answers are lost, mixed up or
 * overwritten, a dead broker is waited for without end, or a worker spins or dies with a signal.
 */
#include <malloc.h>
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

enum { TIMEOUT = 1000000000, RECEIVE = 1000 };

static const ps_wire_connection_recipe plain = {
    .client_id = {(const uint8_t *)"us", 2},
    .receive_bytes = RECEIVE,
    .in_flight_max = 3,
    .timeout_ns = TIMEOUT,
};

/* Sends `length` bytes of a request, whose content the connection does not look at. */
static void send_bytes(wire_peer *peer, void *bytes, size_t length) {
    struct iovec piece = {bytes, length};
    const ps_wire_out out = {.piece = &piece, .pieces_max = 1, .piece_count = 1};
    assert_true(ps_wire_connection_room(peer->connection));
    ps_wire_connection_send(peer->connection, &out);
}

static void open_ready(wire_peer *peer, const ps_wire_connection_recipe *recipe) {
    peer_open(peer, recipe);
    peer_dial(peer, NULL);
    peer_greet(peer);
    assert_int_equal(peer_until(peer, PS_WIRE_READY), PS_OK);
}

static void expect_failure(wire_peer *peer, ps_status status, const char *words) {
    const ps_status was = peer_until(peer, PS_WIRE_CLOSED);
    if (was != status || strstr(peer->error.message, words) == NULL)
        fail_msg("%d, %s: not %d, %s", was, peer->error.message, status, words);
    assert_int_equal(ps_wire_connection_phase(peer->connection), PS_WIRE_CLOSED);
    assert_int_equal(ps_wire_connection_fd(peer->connection), -1);
    assert_int_equal(ps_wire_connection_deadline(peer->connection), INT64_MAX);
}

/* The next answer: so long, all of these bytes. */
static void expect_frame(wire_peer *peer, size_t length, uint8_t fill) {
    ps_bytes frame;
    for (int i = 0; !ps_wire_connection_frame(peer->connection, &frame); i++) {
        assert_int_equal(peer_step(peer), PS_OK);
        if (i > 50) (void)usleep(200);
        assert_true(i < 10000);
    }
    assert_int_equal(frame.length, length);
    assert_int_equal(ps_wire_get32(frame.data), fill);
    for (size_t i = 4; i < length; i++) assert_int_equal(frame.data[i], fill);
    ps_wire_connection_drop(peer->connection);
}

static void learns_versions_and_features(void **state) {
    (void)state;
    wire_peer peer;
    open_ready(&peer, &plain);
    ps_wire_connection *c = peer.connection;
    assert_int_equal(ps_wire_connection_version(c, PS_WIRE_PRODUCE), 13);
    assert_int_equal(ps_wire_connection_version(c, PS_WIRE_END_TXN), -1);
    assert_int_equal(ps_wire_connection_version(c, PS_WIRE_LIST_OFFSETS), -1);
    assert_int_equal(ps_wire_connection_feature(c, "transaction.version"), 2);
    assert_int_equal(ps_wire_connection_feature(c, "group.version"), 0);
    assert_int_equal(ps_wire_connection_require(c, PS_WIRE_PRODUCE, 12, NULL), PS_OK);
    ps_error error;
    assert_int_equal(ps_wire_connection_require(c, PS_WIRE_METADATA, 0, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "too old: it knows metadata in versions 0 to 5"));
    assert_int_equal(ps_wire_connection_require(c, PS_WIRE_LIST_OFFSETS, 0, &error), PS_BAD_CONFIG);
    assert_non_null(strstr(error.message, "does not know list_offsets"));
    peer_close(&peer);
}

/* An idle connection must not wake its lane: it once could. */
static void idle_wants_nothing(void **state) {
    (void)state;
    wire_peer peer;
    open_ready(&peer, &plain);
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(ps_wire_connection_events(peer.connection), POLLIN);
    assert_int_equal(ps_wire_connection_deadline(peer.connection), INT64_MAX);
    assert_false(ps_wire_connection_pending(peer.connection));
    peer_close(&peer);
}

static void refused(void **state) {
    (void)state;
    wire_peer peer;
    peer_open(&peer, &plain);
    (void)close(peer.listener);
    ps_wire_connection_dial(peer.connection, (struct sockaddr *)&peer.address, sizeof peer.address,
                            "broker.example", peer.now_ns);
    expect_failure(&peer, PS_IO, "refused");
    assert_non_null(strstr(peer.error.message, "broker.example:"));
    peer_close(&peer);
}

/* A listener whose queue is full does not answer at all. */
static void black_hole_times_out(void **state) {
    (void)state;
    wire_peer peer;
    int fillers[4];
    peer_open(&peer, &plain);
    assert_int_equal(listen(peer.listener, 0), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&peer.address, sizeof peer.address);
    }
    ps_wire_connection_dial(peer.connection, (struct sockaddr *)&peer.address, sizeof peer.address,
                            NULL, peer.now_ns);
    for (int i = 0; i < 100; i++) assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(ps_wire_connection_phase(peer.connection), PS_WIRE_CONNECTING);
    assert_int_equal(ps_wire_connection_events(peer.connection), POLLOUT);
    assert_int_equal(ps_wire_connection_deadline(peer.connection), peer.now_ns + TIMEOUT);
    peer.now_ns += TIMEOUT;
    expect_failure(&peer, PS_IO, "timed out after 1000 ms: connecting");
    for (int i = 0; i < 4; i++) (void)close(fillers[i]);
    peer_close(&peer);
}

static void silence_after_connect_times_out(void **state) {
    (void)state;
    wire_peer peer;
    peer_open(&peer, &plain);
    peer_dial(&peer, NULL);
    assert_int_equal(peer_until(&peer, PS_WIRE_ASKING), PS_OK);
    peer.now_ns += TIMEOUT - 1;
    assert_int_equal(peer_step(&peer), PS_OK);
    peer.now_ns += 1;
    expect_failure(&peer, PS_IO, "asking for its versions");
    /* The same connection serves again. */
    peer_hang_up(&peer, false);
    peer_dial(&peer, NULL);
    peer_greet(&peer);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    peer_close(&peer);
}

static void reset_while_asking_and_ready(void **state) {
    (void)state;
    wire_peer peer;
    for (int reset = 0; reset < 2; reset++) {
        peer_open(&peer, &plain);
        peer_dial(&peer, NULL);
        assert_int_equal(peer_until(&peer, PS_WIRE_ASKING), PS_OK);
        peer_hang_up(&peer, reset == 1);
        expect_failure(&peer, PS_IO, reset == 1 ? "reset" : "");
        peer_dial(&peer, NULL);
        peer_greet(&peer);
        assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
        peer_hang_up(&peer, reset == 1);
        expect_failure(&peer, PS_IO, reset == 1 ? "reset" : "closed");
        peer_close(&peer);
    }
}

/* Writing to a socket that the other end closed raises SIGPIPE, which would end this program. */
static void survives_writing_to_the_dead(void **state) {
    (void)state;
    wire_peer peer;
    char text[100] = "";
    open_ready(&peer, &plain);
    peer_hang_up(&peer, true);
    send_bytes(&peer, text, sizeof text);
    expect_failure(&peer, PS_IO, "");
    peer_dial(&peer, NULL);
    peer_greet(&peer);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    (void)shutdown(ps_wire_connection_fd(peer.connection), SHUT_WR);
    send_bytes(&peer, text, sizeof text);
    expect_failure(&peer, PS_IO, "Broken pipe");
    peer_close(&peer);
}

static void frames_of_wrong_size(void **state) {
    (void)state;
    static const struct {
        uint8_t size[4];
        const char *words;
    } cases[] = {{{0, 0, 3, 233}, "1001 bytes: there is room for 1000"},
                 {{255, 255, 255, 255}, "-1 bytes"},
                 {{0, 0, 0, 3}, "3 bytes"}};
    for (size_t i = 0; i < 3; i++) {
        wire_peer peer;
        char text[8] = "";
        open_ready(&peer, &plain);
        send_bytes(&peer, text, sizeof text);
        peer_write(&peer, cases[i].size, 4);
        expect_failure(&peer, i == 0 ? PS_UNSUPPORTED : PS_IO, cases[i].words);
        peer_close(&peer);
    }
}

static void tls_alert_is_told(void **state) {
    (void)state;
    wire_peer peer;
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 80};
    peer_open(&peer, &plain);
    peer_dial(&peer, NULL);
    assert_int_equal(peer_until(&peer, PS_WIRE_ASKING), PS_OK);
    peer_write(&peer, alert, sizeof alert);
    expect_failure(&peer, PS_BAD_CONFIG, "speaks TLS");
    peer_close(&peer);
}

static void unasked_answer_is_refused(void **state) {
    (void)state;
    wire_peer peer;
    open_ready(&peer, &plain);
    peer_write_frame(&peer, 20, 1);
    expect_failure(&peer, PS_IO, "nothing was asked for");
    peer_close(&peer);
}

static void frames_split_at_each_byte(void **state) {
    (void)state;
    wire_peer peer;
    char text[4] = "";
    uint8_t stream[2 * 24];
    for (int i = 0; i < 2; i++) {
        memset(stream + i * 24, 7 + i, 24);
        ps_wire_put32(stream + i * 24, 20);
        ps_wire_put32(stream + i * 24 + 4, 7 + i);
    }
    open_ready(&peer, &plain);
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        send_bytes(&peer, text, sizeof text);
        send_bytes(&peer, text, sizeof text);
        peer_write(&peer, stream, cut);
        assert_int_equal(peer_step(&peer), PS_OK);
        peer_write(&peer, stream + cut, sizeof stream - cut);
        expect_frame(&peer, 20, 7);
        expect_frame(&peer, 20, 8);
    }
    send_bytes(&peer, text, sizeof text);
    for (size_t i = 0; i < 24; i++) {
        ps_bytes frame;
        assert_int_equal(peer_step(&peer), PS_OK);
        assert_false(ps_wire_connection_frame(peer.connection, &frame));
        peer_write(&peer, stream + i, 1);
    }
    expect_frame(&peer, 20, 7);
    peer_close(&peer);
}

/* More frames than there is room for, of sizes that make the last one start anywhere. */
static void frames_of_all_sizes(void **state) {
    (void)state;
    wire_peer peer;
    char text[4] = "";
    ps_wire_connection_recipe recipe = plain;
    recipe.in_flight_max = 1000;
    recipe.pieces_max = 1;
    open_ready(&peer, &recipe);
    uint32_t random = 12345;
    for (int round = 0; round < 200; round++) {
        size_t lengths[8];
        for (int i = 0; i < 8; i++) {
            random = random * 1664525 + 1013904223;
            lengths[i] = i == 3 ? RECEIVE : 4 + (random >> 16) % (RECEIVE - 3);
            send_bytes(&peer, text, sizeof text);
            peer_write_frame(&peer, lengths[i], (uint8_t)(i + round));
            if (random % 3 == 0) assert_int_equal(peer_step(&peer), PS_OK);
        }
        for (int i = 0; i < 8; i++) expect_frame(&peer, lengths[i], (uint8_t)(i + round));
    }
    peer_close(&peer);
}

static void held_frame_stays(void **state) {
    (void)state;
    wire_peer peer;
    char text[4] = "";
    ps_bytes frame, again;
    ps_wire_connection_recipe recipe = plain;
    recipe.in_flight_max = 50;
    open_ready(&peer, &recipe);
    for (int i = 0; i < 40; i++) send_bytes(&peer, text, sizeof text);
    peer_write_frame(&peer, 400, 1);
    while (!ps_wire_connection_frame(peer.connection, &frame))
        assert_int_equal(peer_step(&peer), PS_OK);
    for (int i = 0; i < 39; i++) {
        peer_write_frame(&peer, 400, (uint8_t)(2 + i));
        assert_int_equal(peer_step(&peer), PS_OK);
        assert_true(ps_wire_connection_frame(peer.connection, &again));
        assert_ptr_equal(again.data, frame.data);
        for (int k = 4; k < 400; k++) assert_int_equal(frame.data[k], 1);
    }
    /* Full: what comes waits in the kernel, and poll must not report it. */
    assert_int_equal(ps_wire_connection_events(peer.connection) & POLLIN, 0);
    for (int i = 0; i < 40; i++) expect_frame(&peer, 400, (uint8_t)(1 + i));
    assert_int_equal(ps_wire_connection_events(peer.connection), POLLIN);
    peer_close(&peer);
}

static void answers_before_the_end_are_delivered(void **state) {
    (void)state;
    wire_peer peer;
    char text[4] = "";
    open_ready(&peer, &plain);
    send_bytes(&peer, text, sizeof text);
    send_bytes(&peer, text, sizeof text);
    send_bytes(&peer, text, sizeof text);
    assert_false(ps_wire_connection_room(peer.connection));
    for (int i = 0; i < 20 && peer_read(&peer) < 12; i++) assert_int_equal(peer_step(&peer), PS_OK);
    peer_write_frame(&peer, 30, 1);
    peer_write_frame(&peer, 40, 2);
    peer_hang_up(&peer, false);
    (void)usleep(1000);
    for (int i = 0; i < 5; i++) assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(ps_wire_connection_fd(peer.connection), -1);
    assert_int_equal(ps_wire_connection_deadline(peer.connection), INT64_MAX);
    expect_frame(&peer, 30, 1);
    assert_false(ps_wire_connection_room(peer.connection));
    expect_frame(&peer, 40, 2);
    assert_true(ps_wire_connection_deadline(peer.connection) < peer.now_ns);
    expect_failure(&peer, PS_IO, "closed");
    peer_close(&peer);
}

/* Requests much larger than the socket's buffer, of many pieces, read slowly. */
static void partial_writes_go_on(void **state) {
    (void)state;
    enum { PIECES = 300, EACH = 3001, REQUESTS = 3 };
    wire_peer peer;
    ps_wire_connection_recipe recipe = plain;
    recipe.pieces_max = PIECES;
    peer_open(&peer, &recipe);
    const int small = 4096;
    (void)setsockopt(peer.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    peer_dial(&peer, NULL);
    peer_greet(&peer);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    const int fd = ps_wire_connection_fd(peer.connection);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    uint8_t *bytes = malloc(PIECES * EACH);
    for (size_t i = 0; i < PIECES * EACH; i++) bytes[i] = (uint8_t)(i * 31 >> 3);
    struct iovec pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) pieces[i] = (struct iovec){bytes + i * EACH, EACH};
    pieces[7].iov_len = 0;
    const ps_wire_out out = {.piece = pieces, .pieces_max = PIECES, .piece_count = PIECES};
    for (int i = 0; i < REQUESTS; i++) ps_wire_connection_send(peer.connection, &out);
    memset(pieces, 0, sizeof pieces);
    const size_t one = (PIECES - 1) * EACH;
    int waits = 0;
    while (peer_read(&peer) < REQUESTS * one) {
        assert_int_equal(peer_step(&peer), PS_OK);
        waits += (ps_wire_connection_events(peer.connection) & POLLOUT) != 0;
    }
    assert_true(waits > 10);
    assert_int_equal(ps_wire_connection_events(peer.connection), POLLIN);
    for (size_t i = 0; i < REQUESTS; i++) {
        assert_memory_equal(peer.in + i * one, bytes, 7 * EACH);
        assert_memory_equal(peer.in + i * one + 7 * EACH, bytes + 8 * EACH, one - 7 * EACH);
    }
    free(bytes);
    peer_close(&peer);
}

/* Error 35 comes in the oldest form; what is asked then is too. */
static void older_broker_is_asked_again(void **state) {
    (void)state;
    static const uint8_t unsupported[] = {0, 0, 0, 10, 0, 0, 0x70, 0x73, 0, 35, 0, 0, 0, 0};
    static const uint8_t known[] = {0, 0, 0, 16, 0, 0, 0x70, 0x73, 0, 0,
                                    0, 0, 0, 1,  0, 1, 0,    0,    0, 5};
    wire_peer peer;
    ps_wire_api_versions_request asked;
    for (int knows = 0; knows < 2; knows++) {
        peer_open(&peer, &plain);
        peer_dial(&peer, NULL);
        assert_int_equal(peer_take(&peer, PS_WIRE_API_VERSIONS, &asked), 3);
        peer_write(&peer, unsupported, sizeof unsupported);
        assert_int_equal(peer_take(&peer, PS_WIRE_API_VERSIONS, &asked), 0);
        if (knows == 0) {
            peer_write(&peer, unsupported, sizeof unsupported);
            expect_failure(&peer, PS_BAD_CONFIG, "too old");
        } else {
            ps_error error;
            peer_write(&peer, known, sizeof known);
            assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
            assert_int_equal(ps_wire_connection_require(peer.connection, PS_WIRE_FETCH, 0, &error),
                             PS_BAD_CONFIG);
            assert_non_null(strstr(error.message, "too old: it knows fetch in versions 0 to 5"));
        }
        peer_close(&peer);
    }
}

/* Hung up in the middle of everything, and dialled again: nothing of before is left. */
static void hang_up_forgets(void **state) {
    (void)state;
    wire_peer peer;
    char text[4] = "";
    ps_bytes frame;
    open_ready(&peer, &plain);
    send_bytes(&peer, text, sizeof text);
    peer_write_frame(&peer, 500, 1);
    for (int i = 0; i < 3; i++) assert_int_equal(peer_step(&peer), PS_OK);
    send_bytes(&peer, text, sizeof text);
    ps_wire_connection_hang_up(peer.connection);
    assert_int_equal(ps_wire_connection_phase(peer.connection), PS_WIRE_CLOSED);
    assert_int_equal(ps_wire_connection_events(peer.connection), 0);
    peer_hang_up(&peer, false);
    peer_dial(&peer, NULL);
    peer_greet(&peer);
    assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
    assert_false(ps_wire_connection_frame(peer.connection, &frame));
    assert_int_equal(peer_read(&peer), 0);
    for (int i = 0; i < 3; i++) send_bytes(&peer, text, sizeof text);
    assert_false(ps_wire_connection_room(peer.connection));
    peer_close(&peer);
}

/* Memory is taken by open alone. Under a sanitizer, which keeps its own, this sees nothing. */
static void takes_no_memory_later(void **state) {
    (void)state;
    wire_peer peer;
    char text[4] = "";
    open_ready(&peer, &plain);
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++) {
        ps_wire_connection_hang_up(peer.connection);
        peer_hang_up(&peer, false);
        peer_dial(&peer, "localhost");
        peer_greet(&peer);
        assert_int_equal(peer_until(&peer, PS_WIRE_READY), PS_OK);
        send_bytes(&peer, text, sizeof text);
        peer_write_frame(&peer, 500, 1);
        expect_frame(&peer, 500, 1);
    }
    assert_int_equal(mallinfo2().uordblks, before);
    peer_close(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_versions_and_features),
        cmocka_unit_test(idle_wants_nothing),
        cmocka_unit_test(refused),
        cmocka_unit_test(black_hole_times_out),
        cmocka_unit_test(silence_after_connect_times_out),
        cmocka_unit_test(reset_while_asking_and_ready),
        cmocka_unit_test(survives_writing_to_the_dead),
        cmocka_unit_test(frames_of_wrong_size),
        cmocka_unit_test(tls_alert_is_told),
        cmocka_unit_test(unasked_answer_is_refused),
        cmocka_unit_test(frames_split_at_each_byte),
        cmocka_unit_test(frames_of_all_sizes),
        cmocka_unit_test(held_frame_stays),
        cmocka_unit_test(answers_before_the_end_are_delivered),
        cmocka_unit_test(partial_writes_go_on),
        cmocka_unit_test(older_broker_is_asked_again),
        cmocka_unit_test(hang_up_forgets),
        cmocka_unit_test(takes_no_memory_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
