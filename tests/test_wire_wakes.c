/* SPDX-License-Identifier: Apache-2.0
 * When a connection wants to be woken. If this fails, a large answer wakes its lane for each of its
 * parts; or its end, or a small one that comes behind it, does not wake it at all.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "tests/wire_peer.h"

enum { LARGE = 200000, SMALL = 300 };

static const ps_wire_connection_recipe recipe = {.client_id = {(const uint8_t *)"us", 2},
                                                 .receive_bytes = LARGE + 100000,
                                                 .in_flight_max = 3,
                                                 .timeout_ns = PS_NS_PER_S};

/* Ready, and so many requests under way. */
static void open_asking(wire_peer *peer, uint32_t requests) {
    static char text[4];
    peer_open(peer, &recipe);
    peer_dial(peer, NULL);
    peer_greet(peer);
    assert_int_equal(peer_until(peer, PS_WIRE_READY), PS_OK);
    for (uint32_t i = 0; i < requests; i++) {
        struct iovec piece = {text, sizeof text};
        const ps_wire_out out = {.piece = &piece, .pieces_max = 1, .piece_count = 1};
        ps_wire_connection_send(peer->connection, &out);
    }
    assert_int_equal(peer_step(peer), PS_OK);
}

static bool wakes(const wire_peer *peer) {
    struct pollfd one = {.fd = ps_wire_connection_fd(peer->connection), .events = POLLIN};
    return poll(&one, 1, 20) == 1 && (one.revents & POLLIN) != 0;
}

static uint32_t front(const wire_peer *peer) {
    ps_bytes frame;
    return ps_wire_connection_frame(peer->connection, &frame) ? frame.length : 0;
}

/* Bytes [begin, end) of a large answer. */
static void write_large(wire_peer *peer, size_t begin, size_t end) {
    static uint8_t bytes[4 + LARGE] = {0, LARGE >> 16, LARGE >> 8 & 255, LARGE & 255};
    peer_write(peer, bytes + begin, end - begin);
    (void)usleep(1000);
}

static void for_whole_answers(void **state) {
    (void)state;
    for (int held = 0; held < 2; held++) {
        wire_peer peer;
        open_asking(&peer, 3);
        if (held) peer_write_frame(&peer, SMALL, 1);
        write_large(&peer, 0, 1000);
        assert_true(wakes(&peer)); /* nobody knows yet how long it is */
        assert_int_equal(peer_step(&peer), PS_OK);
        assert_int_equal(front(&peer), held ? SMALL : 0);
        write_large(&peer, 1000, LARGE / 2);
        assert_false(wakes(&peer));
        write_large(&peer, LARGE / 2, 4 + LARGE);
        assert_true(wakes(&peer));
        assert_int_equal(peer_step(&peer), PS_OK);
        if (held) ps_wire_connection_drop(peer.connection);
        assert_int_equal(front(&peer), LARGE);
        peer_write_frame(&peer, SMALL, 2);
        (void)usleep(1000);
        assert_true(wakes(&peer));
        assert_int_equal(peer_step(&peer), PS_OK);
        ps_wire_connection_drop(peer.connection);
        assert_int_equal(front(&peer), SMALL);
        peer_close(&peer);
    }
}

/* Two that are large do not fit at a time: it goes on once the first is dropped. */
static void for_more_than_there_is_room_for(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, 2);
    write_large(&peer, 0, 4 + LARGE);
    assert_int_equal(peer_step(&peer), PS_OK);
    write_large(&peer, 0, 1000);
    assert_int_equal(peer_step(&peer), PS_OK);
    write_large(&peer, 1000, 4 + LARGE);
    assert_true(wakes(&peer));
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(front(&peer), LARGE);
    assert_int_equal(ps_wire_connection_events(peer.connection) & POLLIN, 0);
    ps_wire_connection_drop(peer.connection);
    assert_int_equal(front(&peer), 0);
    assert_true(wakes(&peer));
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_int_equal(front(&peer), LARGE);
    peer_close(&peer);
}

/* A broker sends what is before the records of each partition by itself, however few they are. */
static void for_small_answers_in_parts(void **state) {
    (void)state;
    static const uint8_t bytes[4 + SMALL] = {0, 0, SMALL >> 8, SMALL & 255};
    wire_peer peer;
    open_asking(&peer, 2);
    for (int i = 0; i < 2; i++) {
        peer_write(&peer, bytes, 74);
        assert_true(wakes(&peer));
        assert_int_equal(peer_step(&peer), PS_OK);
        peer_write(&peer, bytes + 74, SMALL + 1 - 74);
        assert_false(wakes(&peer));
        peer_write(&peer, bytes + SMALL + 1, 3);
        assert_true(wakes(&peer));
        assert_int_equal(peer_step(&peer), PS_OK);
        assert_int_equal(front(&peer), SMALL);
        ps_wire_connection_drop(peer.connection);
    }
    peer_close(&peer);
}

static void for_an_end_amid_an_answer(void **state) {
    (void)state;
    wire_peer peer;
    open_asking(&peer, 1);
    write_large(&peer, 0, 1000);
    assert_int_equal(peer_step(&peer), PS_OK);
    assert_false(wakes(&peer));
    peer_hang_up(&peer, false);
    (void)usleep(1000);
    assert_true(wakes(&peer));
    assert_int_equal(peer_until(&peer, PS_WIRE_CLOSED), PS_IO);
    peer_close(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_whole_answers),
        cmocka_unit_test(for_more_than_there_is_room_for),
        cmocka_unit_test(for_small_answers_in_parts),
        cmocka_unit_test(for_an_end_amid_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
