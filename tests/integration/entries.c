/* SPDX-License-Identifier: Apache-2.0
 * The 118-byte entries of a topic's records as docs/tamper-evidence.md lays them out, by plain
 * librdkafka and OpenSSL: what a log must have, said by somebody who does not know host/seal. And
 * copies of a topic that differ from it in one bit, or end earlier.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "tests/integration/client.h"

static const char usage[] = "entries BROKERS dump TOPIC PARTITION\n"
                            "entries BROKERS copy FROM TO [FLIP [LESS]]: partition 0, a bit of the "
                            "value at offset FLIP turned (-1: none), records below LESS";

enum { ENTRY = 118, HEADERS_BYTES_MAX = 1 << 20 };

typedef struct job {
    int32_t partition;
    int64_t flip, less;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
} job;

static uint8_t *put(uint8_t *to, uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--) *to++ = (uint8_t)(value >> (8 * i));
    return to;
}

static void hash_headers(const record *r, uint8_t out[32]) {
    static uint8_t bytes[HEADERS_BYTES_MAX];
    uint8_t *at = put(bytes, r->header_count, 4);
    for (uint32_t i = 0; i < r->header_count; i++) {
        const record_header *h = &r->headers[i];
        const size_t length = strlen(h->name);
        if ((size_t)(at - bytes) + length + h->value.size + 8 > sizeof bytes)
            client_die("too many headers");
        at = put(at, length, 4);
        memcpy(at, h->name, length);
        at = put(at + length, h->value.data ? h->value.size : UINT32_MAX, 4);
        if (h->value.size > 0) memcpy(at, h->value.data, h->value.size);
        at += h->value.size;
    }
    (void)SHA256(bytes, (size_t)(at - bytes), out);
}

static void hash_text(text t, uint8_t out[32]) {
    memset(out, 0, 32);
    if (t.data) (void)SHA256(t.data, t.size, out);
}

static void dump(void *context, const record *r) {
    const job *j = context;
    uint8_t entry[ENTRY];
    if (r->partition != j->partition) return;
    entry[0] = 1;
    entry[1] =
        (uint8_t)((r->key.data ? 0 : 1) | (r->value.data ? 0 : 2) | (r->append_time ? 4 : 0));
    uint8_t *at = put(entry + 2, (uint64_t)r->partition, 4);
    at = put(at, (uint64_t)r->offset, 8);
    at = put(at, (uint64_t)r->timestamp_ms, 8);
    hash_text(r->key, at);
    hash_headers(r, at + 32);
    hash_text(r->value, at + 64);
    if (fwrite(entry, 1, sizeof entry, stdout) != sizeof entry) client_die("stdout is closed");
}

static void copy(void *context, const record *r) {
    const job *j = context;
    record turned = *r;
    if (r->partition != 0 || r->offset >= j->less) return;
    uint8_t *value = r->value.data ? malloc(r->value.size + 1) : NULL;
    if (value != NULL) memcpy(value, r->value.data, r->value.size);
    if (value != NULL && r->offset == j->flip) value[r->value.size / 2] ^= 16;
    turned.value.data = value;
    client_send(j->producer, j->topic, &turned);
    free(value);
}

static void copy_all(job *j, char **argv, int argc) {
    const char *const properties[] = {
        "linger.ms", "20", "enable.idempotence", "true", "queue.buffering.max.messages",
        "2000000",   NULL};
    j->flip = argc > 5 ? atoll(argv[5]) : -1;
    j->less = argc > 6 ? atoll(argv[6]) : INT64_MAX;
    j->producer = client_open(RD_KAFKA_PRODUCER, argv[1], properties);
    j->topic = rd_kafka_topic_new(j->producer, argv[4], NULL);
    (void)client_read(argv[1], argv[3], true, copy, j);
    if (rd_kafka_flush(j->producer, 60000)) client_die("flush: not everything was delivered");
    rd_kafka_topic_destroy(j->topic);
    rd_kafka_destroy(j->producer);
}

int main(int argc, char **argv) {
    job j = {0};
    if (argc == 5 && strcmp(argv[2], "dump") == 0) {
        j.partition = (int32_t)strtol(argv[4], NULL, 10);
        (void)client_read(argv[1], argv[3], true, dump, &j);
        return 0;
    }
    if (argc < 5 || argc > 7 || strcmp(argv[2], "copy") != 0) client_die("%s", usage);
    copy_all(&j, argv, argc);
    return 0;
}
