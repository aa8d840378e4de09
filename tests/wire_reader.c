/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire_reader.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/base/clock.h"

static reader *open_reader(wire_world *world, size_t receive_bytes, size_t usual_bytes,
                           int32_t gather_bytes) {
    static const char *const topics[] = {"topic"};
    const ps_wire_client_recipe recipe = {.brokers = world->addresses,
                                          .client_id = "test",
                                          .topics = topics,
                                          .topic_count = 1,
                                          .nodes_max = 4,
                                          .partitions_max = 8,
                                          .receive_bytes = {receive_bytes, 0, 1 << 16},
                                          .usual_bytes = usual_bytes};
    reader *r = calloc(1, sizeof *r);
    r->world = world;
    ps_error why;
    if (ps_wire_client_open(&recipe, &r->client, &why) != PS_OK) fail_msg("%s", why.message);
    const ps_wire_fetcher_recipe reads = {.client = r->client,
                                          .partitions = WIRE_PARTITIONS,
                                          .read_committed = true,
                                          .partition_bytes = 4096,
                                          .answer_bytes = 1 << 16,
                                          .least_bytes = 1,
                                          .wait_ms = 20,
                                          .gather_bytes = gather_bytes,
                                          .gather_ms = gather_bytes > 0 ? 7 : 0,
                                          .unpacked_max = 1 << 20};
    if (ps_wire_fetcher_open(&reads, &r->fetcher, &why) != PS_OK) fail_msg("%s", why.message);
    return r;
}

reader *read_world(wire_world *world) {
    return open_reader(world, 1 << 20, 0, 0);
}

reader *read_world_into(wire_world *world, size_t receive_bytes) {
    return open_reader(world, receive_bytes, 0, 0);
}

reader *read_world_keeping(wire_world *world, size_t receive_bytes, size_t usual_bytes) {
    return open_reader(world, receive_bytes, usual_bytes, 0);
}

reader *read_world_gathering(wire_world *world, int32_t bytes) {
    return open_reader(world, 1 << 20, 0, bytes);
}

void close_reader(reader *r) {
    ps_wire_fetcher_close(r->fetcher);
    ps_wire_client_close(r->client);
    wire_world_close(r->world);
    free(r);
}

static void check_record(const ps_wire_record *record) {
    char key[32];
    (void)snprintf(key, sizeof key, "k%lld", (long long)record->offset);
    assert_int_equal(record->key.length, strlen(key));
    assert_memory_equal(record->key.data, key, strlen(key));
    assert_int_equal(record->value.data[0], 'v');
}

static void take(reader *r, const ps_wire_fetched *f) {
    r->told[f->news]++;
    if (f->news != PS_WIRE_RECORD) {
        r->last = *f;
        return;
    }
    check_record(&f->record);
    const ps_bytes value = f->record.value;
    if (r->lowest == NULL || value.data < r->lowest) r->lowest = value.data;
    if (value.data + value.length > r->highest) r->highest = value.data + value.length;
    r->seen[f->partition][r->count[f->partition]++] = f->record.offset;
}

void step(reader *r) {
    if (ps_wire_fetcher_step(r->fetcher, ps_clock_ns(), &r->why) != PS_OK)
        fail_msg("%s", r->why.message);
}

void pause_for(const reader *r) {
    const int64_t left = ps_wire_fetcher_deadline(r->fetcher) - ps_clock_ns();
    struct pollfd one = {.fd = ps_wire_client_fd(r->client), .events = POLLIN};
    if (left > 0) (void)poll(&one, 1, left > 5 * PS_NS_PER_MS ? 5 : 1);
}

/* Until so much news of a kind was told. */
void run_until(reader *r, ps_wire_news news, uint32_t told) {
    const int64_t until = ps_clock_ns() + 5 * PS_NS_PER_S;
    ps_wire_fetched f;
    for (;;) {
        step(r);
        while (r->told[news] < told && ps_wire_fetcher_next(r->fetcher, &f, &r->why) == PS_OK) {
            ps_wire_fetcher_taken(r->fetcher);
            take(r, &f);
        }
        if (r->told[news] >= told) return;
        if (ps_clock_ns() > until)
            fail_msg("%u of %u: %s", r->told[news], told, ps_wire_client_trouble(r->client));
        pause_for(r);
    }
}

void saw(const reader *r, uint32_t partition, int64_t begin, int64_t end) {
    assert_int_equal(r->count[partition], end - begin);
    for (uint32_t i = 0; i < r->count[partition]; i++)
        assert_int_equal(r->seen[partition][i], begin + i);
}

void append(wire_world *world, int32_t partition, uint32_t batches) {
    const wire_make make = {.producer_id = -1, .count = 10, .value_bytes = 50};
    for (uint32_t i = 0; i < batches; i++) wire_append(world, partition, &make);
}
