/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/chains.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum { DIGEST_BYTES = 32 };

/* One key of one partition; `count` 0: the place is free. */
typedef struct chain {
    uint8_t name[DIGEST_BYTES], digest[DIGEST_BYTES];
    uint64_t count;
} chain;

struct chains {
    chain *at; /* open addressing, never more than half full */
    size_t places, used;
};

static void digest_of(const void *a, size_t a_bytes, text b, uint8_t out[DIGEST_BYTES]) {
    const int64_t size = b.data ? (int64_t)b.size : -1; /* null and empty differ */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, a, a_bytes) != 1 ||
        EVP_DigestUpdate(context, &size, sizeof size) != 1 ||
        (b.size > 0 && EVP_DigestUpdate(context, b.data, b.size) != 1) ||
        EVP_DigestFinal_ex(context, out, NULL) != 1)
        client_die("no SHA-256 in libcrypto");
    EVP_MD_CTX_free(context);
}

/* Where a name is, or would be. */
static chain *place_of(const chains *of, const uint8_t name[DIGEST_BYTES]) {
    size_t at;
    memcpy(&at, name, sizeof at);
    for (at &= of->places - 1; of->at[at].count > 0; at = (at + 1) & (of->places - 1))
        if (memcmp(of->at[at].name, name, DIGEST_BYTES) == 0) break;
    return &of->at[at];
}

static void make_places(chains *of, size_t places) {
    chain *const before = of->at;
    const size_t count = of->places;
    of->places = places;
    of->at = calloc(places, sizeof *of->at);
    if (!of->at) client_die("out of memory");
    for (size_t i = 0; i < count; i++)
        if (before[i].count > 0) *place_of(of, before[i].name) = before[i];
    free(before);
}

chains *chains_open(void) {
    chains *of = calloc(1, sizeof *of);
    if (!of) client_die("out of memory");
    make_places(of, 1024);
    return of;
}

void chains_close(chains *of) {
    if (!of) return;
    free(of->at);
    free(of);
}

void chains_add(chains *of, const record *r) {
    uint8_t name[DIGEST_BYTES];
    digest_of(&r->partition, sizeof r->partition, r->key, name);
    if (of->used * 2 >= of->places) make_places(of, of->places * 2);
    chain *at = place_of(of, name);
    if (at->count++ == 0) {
        memcpy(at->name, name, sizeof name);
        of->used++;
    }
    uint8_t next[DIGEST_BYTES];
    digest_of(at->digest, sizeof at->digest, r->value, next);
    memcpy(at->digest, next, sizeof next);
}

uint64_t chains_keys(const chains *of) {
    return of->used;
}

uint64_t chains_differ(const chains *a, const chains *b) {
    uint64_t differ = 0;
    for (size_t i = 0; i < a->places; i++) {
        const chain *const one = &a->at[i], *const other = place_of(b, one->name);
        if (one->count == 0) continue;
        differ +=
            other->count != one->count || memcmp(other->digest, one->digest, DIGEST_BYTES) != 0;
    }
    for (size_t i = 0; i < b->places; i++)
        differ += b->at[i].count > 0 && place_of(a, b->at[i].name)->count == 0;
    return differ;
}
