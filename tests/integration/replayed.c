/* SPDX-License-Identifier: Apache-2.0
 * Whether a topic holds exactly the bad records of another, each so many times and as it came:
 * what `penstock dead replay` must leave behind. Which are bad the producer said in a header.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "tests/integration/client.h"

static const char usage[] = "replayed BROKERS SOURCE TOPIC TIMES [CODE]";
enum { SLOTS = 1 << 20, DIGEST = 32 };

typedef struct entry {
    uint8_t digest[DIGEST];
    bool used;
    uint64_t wanted, found;
} entry;

typedef struct book {
    entry *entries;
    const char *code; /* NULL: any */
    uint64_t times, wanted, found;
} book;

static void digest_text(EVP_MD_CTX *sum, text t) {
    const uint64_t size = t.data == NULL ? UINT64_MAX : t.size;
    (void)EVP_DigestUpdate(sum, &size, sizeof size);
    if (t.data != NULL) (void)EVP_DigestUpdate(sum, t.data, t.size);
}

static void digest(const record *r, uint8_t out[DIGEST]) {
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    if (sum == NULL || EVP_DigestInit_ex(sum, EVP_sha256(), NULL) != 1) client_die("no SHA-256");
    (void)EVP_DigestUpdate(sum, &r->partition, sizeof r->partition);
    (void)EVP_DigestUpdate(sum, &r->timestamp_ms, sizeof r->timestamp_ms);
    digest_text(sum, r->key);
    digest_text(sum, r->value);
    for (uint32_t i = 0; i < r->header_count; i++) {
        digest_text(sum, (text){(const uint8_t *)r->headers[i].name, strlen(r->headers[i].name)});
        digest_text(sum, r->headers[i].value);
    }
    (void)EVP_DigestFinal_ex(sum, out, NULL);
    EVP_MD_CTX_free(sum);
}

static entry *find(book *b, const record *r) {
    uint8_t key[DIGEST];
    digest(r, key);
    uint32_t at;
    memcpy(&at, key, sizeof at);
    for (uint32_t tries = 0; tries < SLOTS; tries++, at++) {
        entry *e = &b->entries[at % SLOTS];
        if (e->used && memcmp(e->digest, key, DIGEST) != 0) continue;
        memcpy(e->digest, key, DIGEST);
        e->used = true;
        return e;
    }
    client_die("too many records");
}

static bool is_bad(const book *b, const record *r) {
    for (uint32_t i = 0; i < r->header_count; i++) {
        const record_header *h = &r->headers[i];
        if (strcmp(h->name, "x-expect") != 0) continue;
        return b->code == NULL || (h->value.size == strlen(b->code) &&
                                   memcmp(h->value.data, b->code, h->value.size) == 0);
    }
    return false;
}

static void on_source(void *context, const record *r) {
    book *b = context;
    if (!is_bad(b, r)) return;
    find(b, r)->wanted += b->times;
    b->wanted += b->times;
}

static void on_found(void *context, const record *r) {
    book *b = context;
    find(b, r)->found++;
    b->found++;
}

int main(int argc, char **argv) {
    if (argc != 5 && argc != 6) client_die("%s", usage);
    book b = {.entries = calloc(SLOTS, sizeof(entry)),
              .times = strtoull(argv[4], NULL, 10),
              .code = argc == 6 ? argv[5] : NULL};
    if (b.entries == NULL) client_die("no memory");
    (void)client_read(argv[1], argv[2], true, on_source, &b);
    (void)client_read(argv[1], argv[3], true, on_found, &b);
    uint64_t lost = 0, extra = 0;
    for (uint32_t i = 0; i < SLOTS; i++) {
        const entry *e = &b.entries[i];
        if (e->found < e->wanted) lost += e->wanted - e->found;
        if (e->found > e->wanted) extra += e->found - e->wanted;
    }
    free(b.entries);
    (void)printf("{\"wanted\": %" PRIu64 ", \"found\": %" PRIu64 ", \"lost\": %" PRIu64
                 ", \"extra\": %" PRIu64 "}\n",
                 b.wanted, b.found, lost, extra);
    return lost == 0 && extra == 0 ? 0 : 1;
}
