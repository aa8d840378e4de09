/* SPDX-License-Identifier: Apache-2.0
 * Reads a topic from its first offset to its end, read_committed, and prints a line of JSON: how
 * many records, bytes of keys and values, and a hash of partition, offset, timestamp, key, value
 * and headers of all of them in any order. With --by ours it is ingest/wire that reads, with --by
 * librdkafka its judge: both lines must be the same.
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "ingest/wire/fetcher.h"
#include "simd/dispatch.h"
#include "tests/integration/client.h"

enum { PARTITIONS_MAX = 256, NODES_MAX = 16, PATIENCE_S = 60 };

typedef struct sum {
    uint64_t count, bytes, hash;
    bool hashing;
    int slow_us; /* after every thousandth record */
} sum;

static uint64_t mix(uint64_t hash, const void *from, size_t bytes) {
    const uint8_t *at = from;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    for (; bytes > 0; bytes--, at++) hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 32);
}

static uint64_t mix_text(uint64_t hash, const uint8_t *data, uint32_t length) {
    hash = mix(hash, &length, sizeof length);
    return length == PS_NULL_LENGTH ? hash : mix(hash, data, length);
}

static uint32_t length_of(text field) {
    return field.data == NULL ? PS_NULL_LENGTH : (uint32_t)field.size;
}

static uint64_t begin(int32_t partition, int64_t offset, int64_t timestamp_ms) {
    const int64_t head[3] = {partition, offset, timestamp_ms};
    return mix(UINT64_C(0xcbf29ce484222325), head, sizeof head);
}

static void of_librdkafka(void *context, const record *r) {
    sum *all = context;
    all->count++;
    all->bytes += r->key.size + r->value.size;
    if (!all->hashing) return;
    uint64_t hash = begin(r->partition, r->offset, r->timestamp_ms);
    hash = mix_text(hash, r->key.data, length_of(r->key));
    hash = mix_text(hash, r->value.data, length_of(r->value));
    for (uint32_t i = 0; i < r->header_count; i++) {
        const char *name = r->headers[i].name;
        hash = mix_text(hash, (const uint8_t *)name, (uint32_t)strlen(name));
        hash = mix_text(hash, r->headers[i].value.data, length_of(r->headers[i].value));
    }
    all->hash += hash;
}

static void of_ours(sum *all, const ps_wire_fetched *f) {
    const ps_wire_record *r = &f->record;
    all->count++;
    all->bytes += r->key.length == PS_NULL_LENGTH ? 0 : r->key.length;
    all->bytes += r->value.length == PS_NULL_LENGTH ? 0 : r->value.length;
    if (all->slow_us > 0 && all->count % 1000 == 0) (void)poll(NULL, 0, all->slow_us / 1000);
    if (!all->hashing) return;
    uint64_t hash = begin((int32_t)f->partition, r->offset, r->timestamp_ms);
    hash = mix_text(hash, r->key.data, r->key.length);
    hash = mix_text(hash, r->value.data, r->value.length);
    uint32_t at = 0;
    ps_header header;
    while (ps_wire_header_next(r->headers, &at, &header)) {
        hash = mix_text(hash, header.name.data, header.name.length);
        hash = mix_text(hash, header.value.data, header.value.length);
    }
    all->hash += hash;
}

static const char *const words[] = {"record",   "passed",   "end",     "gone",
                                    "cut back", "no topic", "refused", "bad"};

/* Whether a partition has come to its end. */
static bool take(sum *all, ps_wire_fetcher *fetcher, const ps_wire_fetched *f,
                 const ps_error *why) {
    switch (f->news) {
    case PS_WIRE_RECORD:
        of_ours(all, f);
        return false;
    case PS_WIRE_PASSED:
        return false;
    case PS_WIRE_END:
        ps_wire_fetcher_stop(fetcher, f->partition);
        return true;
    default:
        client_die("partition %u at %lld: %s, code %d, first %lld: %s", f->partition,
                   (long long)f->next, words[f->news], f->code, (long long)f->first,
                   f->news == PS_WIRE_BAD ? why->message : "");
    }
}

static void sleep_until(const ps_wire_fetcher *fetcher, const ps_wire_client *client) {
    const int64_t now = ps_clock_ns(), next = ps_wire_fetcher_deadline(fetcher);
    if (next <= now) return;
    const int64_t ms = (next - now) / PS_NS_PER_MS + 1;
    struct pollfd one = {.fd = ps_wire_client_fd(client), .events = POLLIN};
    (void)poll(&one, 1, ms > 1000 ? 1000 : (int)ms);
}

static bool knows_topic(void *opaque) {
    const ps_wire_topic *topic = ps_wire_client_topic(opaque, 0);
    return topic->known && topic->error_code == 0 && topic->partitions > 0;
}

static void read_all(ps_wire_client *client, ps_wire_fetcher *fetcher, sum *all) {
    const uint32_t partitions = ps_wire_client_topic(client, 0)->partitions;
    uint32_t ended = 0;
    ps_error why = {""};
    ps_wire_fetched fetched;
    for (uint32_t p = 0; p < partitions; p++)
        ps_wire_fetcher_start(fetcher, p, 0, p, PS_WIRE_EARLIEST);
    int64_t last = ps_clock_ns();
    while (ended < partitions) {
        if (ps_wire_fetcher_step(fetcher, ps_clock_ns(), &why) != PS_OK)
            client_die("%s", why.message);
        const uint64_t before = all->count;
        while (ps_wire_fetcher_next(fetcher, &fetched, &why) == PS_OK) {
            ps_wire_fetcher_taken(fetcher);
            ended += take(all, fetcher, &fetched, &why);
        }
        if (all->count > before) last = ps_clock_ns();
        if (ps_clock_ns() - last > PATIENCE_S * PS_NS_PER_S)
            client_die("nothing came: %s", ps_wire_client_trouble(client));
        sleep_until(fetcher, client);
    }
}

static void by_ours(const char *brokers, const char *topic, int32_t partition_bytes, sum *all) {
    ps_error why;
    if (ps_dispatch_init(&why) != PS_OK) client_die("%s", why.message);
    const ps_wire_client_recipe recipe = {.brokers = brokers,
                                          .client_id = "wire-read",
                                          .topics = &topic,
                                          .topic_count = 1,
                                          .nodes_max = NODES_MAX,
                                          .partitions_max = PARTITIONS_MAX,
                                          .receive_bytes = {16 << 20, 0, 1 << 20}};
    ps_wire_client *client = NULL;
    ps_wire_fetcher *fetcher = NULL;
    if (ps_wire_client_open(&recipe, &client, &why) != PS_OK) client_die("%s", why.message);
    const int64_t until = ps_clock_ns() + PATIENCE_S * PS_NS_PER_S;
    if (ps_wire_client_wait(client, knows_topic, client, until, &why) != PS_OK)
        client_die("%s: %s", topic, ps_wire_client_trouble(client));
    const ps_wire_fetcher_recipe reads = {.client = client,
                                          .partitions = PARTITIONS_MAX,
                                          .read_committed = true,
                                          .partition_bytes = partition_bytes,
                                          .answer_bytes = 4 * partition_bytes,
                                          .least_bytes = 1,
                                          .wait_ms = 100,
                                          .unpacked_max = 16 << 20};
    if (ps_wire_fetcher_open(&reads, &fetcher, &why) != PS_OK) client_die("%s", why.message);
    read_all(client, fetcher, all);
    ps_wire_fetcher_close(fetcher);
    ps_wire_client_close(client);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"brokers", required_argument, NULL, 'b'},
                                            {"topic", required_argument, NULL, 't'},
                                            {"by", required_argument, NULL, 'y'},
                                            {"no-hash", no_argument, NULL, 'n'},
                                            {"bytes", required_argument, NULL, 'p'},
                                            {"slow-us", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    const char *brokers = NULL, *topic = NULL, *by = "ours";
    int32_t partition_bytes = 256 << 10;
    sum all = {.hashing = true};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (o == 'b') brokers = optarg;
        if (o == 't') topic = optarg;
        if (o == 'y') by = optarg;
        if (o == 'n') all.hashing = false;
        if (o == 'p') partition_bytes = (int32_t)strtol(optarg, NULL, 10);
        if (o == 's') all.slow_us = (int)strtol(optarg, NULL, 10);
    }
    if (brokers == NULL || topic == NULL)
        client_die("wire_read --brokers B --topic T [--by ours|librdkafka] [--bytes B] [--no-hash] "
                   "[--slow-us U]");
    const double from = client_seconds();
    if (strcmp(by, "librdkafka") == 0)
        (void)client_read(brokers, topic, true, of_librdkafka, &all);
    else
        by_ours(brokers, topic, partition_bytes, &all);
    printf("{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"hash\": \"%016" PRIx64 "\"}\n",
           all.count, all.bytes, all.hash);
    (void)fprintf(stderr, "%s: %.3f s\n", by, client_seconds() - from);
    return 0;
}
