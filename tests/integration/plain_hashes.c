/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/plain_hashes.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#ifdef PS_CHECK_XXHASH
#include <xxhash.h>
#endif

const char *const plain_hash_names[PLAIN_HASHES + 1] = {"sha256",  "blake3", "xxh3", "crc32c",
                                                        "murmur2", "fnv1a",  NULL};

static uint32_t turn(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static void mix(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d, const uint32_t *message) {
    *a += *b + message[0];
    *d = turn(*d ^ *a, 16);
    *c += *d;
    *b = turn(*b ^ *c, 12);
    *a += *b + message[1];
    *d = turn(*d ^ *a, 8);
    *c += *d;
    *b = turn(*b ^ *c, 7);
}

static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* BLAKE3's compression (paper, 2.2): the message is permuted between rounds. */
static void compress(uint32_t *cv, const uint8_t block[64], uint64_t counter, uint32_t size,
                     uint32_t flags) {
    static const int order[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
    uint32_t m[16], next[16], s[16];
    for (int i = 0; i < 16; i++)
        m[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
               (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    memcpy(s, cv, 32);
    memcpy(s + 8, initial, 16);
    s[12] = (uint32_t)counter, s[13] = (uint32_t)(counter >> 32), s[14] = size, s[15] = flags;
    for (int round = 0; round < 7; round++) {
        for (int i = 0; i < 4; i++) mix(s + i, s + 4 + i, s + 8 + i, s + 12 + i, m + 2 * i);
        for (int i = 0; i < 4; i++)
            mix(s + i, s + 4 + (i + 1) % 4, s + 8 + (i + 2) % 4, s + 12 + (i + 3) % 4,
                m + 8 + 2 * i);
        for (int i = 0; i < 16; i++) next[i] = m[order[i]];
        memcpy(m, next, sizeof m);
    }
    for (int i = 0; i < 8; i++) cv[i] = s[i] ^ s[i + 8];
}

/* The chaining value of a subtree, by the paper's recursion (2.1): the left side is the largest
 * power of two of whole chunks that leaves something to the right. */
static void subtree(uint32_t *cv, const uint8_t *bytes, size_t size, uint64_t chunk,
                    uint32_t root) {
    uint8_t block[64];
    if (size > 1024) {
        size_t left = 1024;
        uint32_t below[16];
        while (left * 2 < size) left *= 2;
        subtree(below, bytes, left, chunk, 0);
        subtree(below + 8, bytes + left, size - left, chunk + left / 1024, 0);
        for (int i = 0; i < 64; i++) block[i] = (uint8_t)(below[i / 4] >> (8 * (i % 4)));
        memcpy(cv, initial, 32);
        compress(cv, block, 0, 64, 4 | root);
        return;
    }
    memcpy(cv, initial, 32);
    for (size_t at = 0; at == 0 || at < size; at += 64) {
        const size_t rest = size - at, now = rest < 64 ? rest : 64;
        memset(block, 0, sizeof block);
        memcpy(block, bytes + at, now);
        compress(cv, block, chunk, (uint32_t)now, (at == 0 ? 1u : 0) | (rest <= 64 ? 2 | root : 0));
    }
}

static void put_bytes(char *text, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static void blake3(const uint8_t *bytes, size_t size, char *text) {
    uint32_t cv[8];
    uint8_t digest[32];
    subtree(cv, bytes, size, 0, 8);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(cv[i / 4] >> (8 * (i % 4)));
    put_bytes(text, digest, sizeof digest);
}

/* Bit by bit. */
static uint32_t crc32c(const uint8_t *bytes, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint32_t murmur2(const uint8_t *bytes, size_t size) {
    uint32_t hash = 0x9747b28cu ^ (uint32_t)size;
    size_t at = 0;
    for (; at + 4 <= size; at += 4) {
        uint32_t word = 0;
        for (size_t i = 4; i-- > 0;) word = word << 8 | bytes[at + i];
        word *= 0x5bd1e995u;
        word = (word ^ word >> 24) * 0x5bd1e995u;
        hash = (hash * 0x5bd1e995u) ^ word;
    }
    for (size_t i = at; i < size; i++) hash ^= (uint32_t)bytes[i] << (8 * (i - at));
    if (at < size) hash *= 0x5bd1e995u;
    hash = (hash ^ hash >> 13) * 0x5bd1e995u;
    return hash ^ hash >> 15;
}

static uint64_t fnv1a(const uint8_t *bytes, size_t size) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

static int xxh3(const uint8_t *bytes, size_t size, char *text) {
#ifdef PS_CHECK_XXHASH
    (void)snprintf(text, PLAIN_HEX_MAX, "%016" PRIx64, (uint64_t)XXH3_64bits(bytes, size));
    return 1;
#else
    (void)bytes, (void)size, (void)text;
    return 0;
#endif
}

int plain_hash(int which, const uint8_t *bytes, size_t size, char text[PLAIN_HEX_MAX]) {
    uint8_t digest[32];
    switch (which) {
    case 0:
        if (EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) != 1) return 0;
        put_bytes(text, digest, sizeof digest);
        return 1;
    case 1:
        blake3(bytes, size, text);
        return 1;
    case 2:
        return xxh3(bytes, size, text);
    case 3:
        (void)snprintf(text, PLAIN_HEX_MAX, "%08" PRIx32, crc32c(bytes, size));
        return 1;
    case 4:
        (void)snprintf(text, PLAIN_HEX_MAX, "%08" PRIx32, murmur2(bytes, size));
        return 1;
    default:
        (void)snprintf(text, PLAIN_HEX_MAX, "%016" PRIx64, fnv1a(bytes, size));
        return 1;
    }
}
