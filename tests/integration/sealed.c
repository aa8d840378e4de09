/* SPDX-License-Identifier: Apache-2.0
 * Judges a sealed topic: reads the source, makes the entry of every record from the specification
 * (docs/tamper-evidence.md) and nothing of the worker's, and says whether the log's bundles hold
 * exactly these; then whether every event of the output names the entry that its record has.
 *
 *   sealed BROKERS SOURCE DIR OUTPUT      DIR holds a folder for each partition of SOURCE
 */
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/client.h"

enum { ENTRY = 118, PARTITIONS = 64, BUNDLE = 256 * (ENTRY + 2), LINE = 600 };

typedef struct log_of {
    uint8_t *entries;
    uint64_t count, room;
    char origin[LINE];
} log_of;

typedef struct judge {
    const char *source;
    log_of log[PARTITIONS];
    uint64_t records, events, wrong;
} judge;

static uint8_t *put(uint8_t *to, uint64_t value, int bytes) {
    for (int i = bytes; i-- > 0; value >>= 8) to[i] = (uint8_t)value;
    return to + bytes;
}

static uint8_t *put_digest(uint8_t *to, text of) {
    if (of.data == NULL)
        memset(to, 0, 32);
    else
        (void)SHA256(of.data, of.size, to);
    return to + 32;
}

static void hash_headers(const record *r, uint8_t *to) {
    static uint8_t bytes[1 << 22];
    uint8_t *at = put(bytes, r->header_count, 4);
    for (uint32_t i = 0; i < r->header_count; i++) {
        const record_header *h = &r->headers[i];
        const size_t length = strlen(h->name);
        if ((size_t)(at - bytes) + length + h->value.size + 8 > sizeof bytes)
            client_die("too many headers");
        at = put(at, length, 4);
        memcpy(at, h->name, length);
        at = put(at + length, h->value.data == NULL ? UINT32_MAX : h->value.size, 4);
        if (h->value.size > 0) memcpy(at, h->value.data, h->value.size);
        at += h->value.size;
    }
    (void)SHA256(bytes, (size_t)(at - bytes), to);
}

static void take_source(void *context, const record *r) {
    judge *j = context;
    if (r->partition >= PARTITIONS) client_die("too many partitions");
    log_of *log = &j->log[r->partition];
    if (log->count == log->room) {
        log->room = log->room == 0 ? 1024 : 2 * log->room;
        log->entries = realloc(log->entries, log->room * ENTRY);
        if (log->entries == NULL) client_die("no memory");
    }
    uint8_t *to = log->entries + log->count++ * ENTRY;
    *to++ = 1;
    *to++ = (uint8_t)((r->key.data == NULL ? 1 : 0) | (r->value.data == NULL ? 2 : 0));
    to = put(to, (uint64_t)r->partition, 4);
    to = put(to, (uint64_t)r->offset, 8);
    to = put(to, (uint64_t)r->timestamp_ms, 8);
    to = put_digest(to, r->key);
    hash_headers(r, to);
    (void)put_digest(to + 32, r->value);
    j->records++;
}

static FILE *open_bundle(const char *dir, int partition, uint64_t index, uint64_t width) {
    char path[4096], partial[32] = "";
    if (width < 256) (void)snprintf(partial, sizeof partial, ".p/%" PRIu64, width);
    if (index < 1000)
        (void)snprintf(path, sizeof path, "%s/%d/tile/entries/%03" PRIu64 "%s", dir, partition,
                       index, partial);
    else
        (void)snprintf(path, sizeof path, "%s/%d/tile/entries/x%03" PRIu64 "/%03" PRIu64 "%s", dir,
                       partition, index / 1000, index % 1000, partial);
    return fopen(path, "rb");
}

static void say(judge *j, const char *what, int partition, uint64_t index) {
    if (j->wrong++ < 5)
        (void)fprintf(stderr, "partition %d, entry %" PRIu64 ": %s\n", partition, index, what);
}

static void read_checkpoint(judge *j, const char *dir, int partition) {
    char path[4096], size[LINE] = "";
    log_of *log = &j->log[partition];
    (void)snprintf(path, sizeof path, "%s/%d/checkpoint", dir, partition);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(log->origin, LINE, file) == NULL || fgets(size, LINE, file) == NULL)
        client_die("%s cannot be read", path);
    (void)fclose(file);
    log->origin[strcspn(log->origin, "\n")] = 0;
    if (strtoull(size, NULL, 10) != log->count)
        say(j, "the checkpoint has another size than the topic", partition, log->count);
}

static void check_log(judge *j, const char *dir, int partition) {
    static uint8_t bundle[BUNDLE + 1];
    const log_of *log = &j->log[partition];
    read_checkpoint(j, dir, partition);
    for (uint64_t first = 0; first < log->count; first += 256) {
        const uint64_t width = log->count - first < 256 ? log->count - first : 256;
        FILE *file = open_bundle(dir, partition, first / 256, width);
        const size_t got = file == NULL ? 0 : fread(bundle, 1, sizeof bundle, file);
        if (file != NULL) (void)fclose(file);
        if (got != width * (ENTRY + 2)) {
            say(j, "the bundle is not there, or has another length", partition, first);
            continue;
        }
        for (uint64_t i = 0; i < width; i++) {
            const uint8_t *at = bundle + i * (ENTRY + 2);
            if (at[0] != 0 || at[1] != ENTRY ||
                memcmp(at + 2, log->entries + (first + i) * ENTRY, ENTRY) != 0)
                say(j, "is not what the record says", partition, first + i);
        }
    }
}

static const char *header(const record *r, const char *name, char to[LINE]) {
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (strcmp(r->headers[i].name, name) != 0) continue;
        (void)snprintf(to, LINE, "%.*s", (int)r->headers[i].value.size,
                       (const char *)r->headers[i].value.data);
        return to;
    }
    return "";
}

static void take_event(void *context, const record *r) {
    judge *j = context;
    char source[LINE], index_text[LINE], leaf[LINE], origin[LINE], wanted[LINE];
    uint8_t prefixed[1 + ENTRY] = {0}, digest[32];
    int partition = 0;
    int64_t offset = 0;
    const char *within = strrchr(header(r, "ps-source", source), '/');
    j->events++;
    if (within == NULL ||
        sscanf(source + strlen(j->source), "/%d/%" SCNd64, &partition, &offset) != 2)
        client_die("an event has no ps-source");
    const log_of *log = &j->log[partition];
    const uint64_t index = strtoull(header(r, "tlog-index", index_text), NULL, 10);
    if (index >= log->count || index_text[0] == 0) {
        say(j, "an event names an entry that is not there", partition, index);
        return;
    }
    memcpy(prefixed + 1, log->entries + index * ENTRY, ENTRY);
    (void)SHA256(prefixed, sizeof prefixed, digest);
    for (int i = 0; i < 32; i++) (void)snprintf(wanted + 2 * i, 3, "%02x", digest[i]);
    uint8_t at[8];
    (void)put(at, (uint64_t)offset, 8);
    if (memcmp(at, prefixed + 1 + 6, 8) != 0)
        say(j, "an event names another record's entry", partition, index);
    if (strcmp(header(r, "tlog-leaf", leaf), wanted) != 0)
        say(j, "an event has another leaf", partition, index);
    if (strcmp(header(r, "tlog-origin", origin), log->origin) != 0)
        say(j, "an event has another origin", partition, index);
}

int main(int argc, char **argv) {
    static judge j;
    if (argc != 5) client_die("sealed BROKERS SOURCE DIR OUTPUT");
    j.source = argv[2];
    (void)client_read(argv[1], argv[2], true, take_source, &j);
    for (int p = 0; p < PARTITIONS; p++)
        if (j.log[p].count > 0) check_log(&j, argv[3], p);
    (void)client_read(argv[1], argv[4], true, take_event, &j);
    (void)printf("{\"records\":%" PRIu64 ",\"events\":%" PRIu64 ",\"wrong\":%" PRIu64 "}\n",
                 j.records, j.events, j.wrong);
    return j.wrong == 0 ? 0 : 1;
}
