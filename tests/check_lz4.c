/* SPDX-License-Identifier: Apache-2.0
 * LZ4 blocks of chunks of every length and kind. If this fails, a device writes blocks that
 * decoders refuse, or that come back as something else.
 */
#include "kernels/lz4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/limits.h"
#include "tests/check_kernels.h"

#ifdef PS_CHECK_LZ4
#include <lz4.h>
#endif

enum { CHUNK = 65536, CHUNKS_MAX = 70, KINDS = 4 };

void ps_check_lz4(ps_check *c);

static uint32_t more(const uint8_t *block, uint32_t bytes, uint32_t *at, uint32_t half) {
    uint32_t length = half, step = 255;
    while (half == 15 && step == 255 && *at < bytes) length += step = block[(*at)++];
    return length;
}

/* Decodes a block by the words of its format, end of block rules included; UINT32_MAX: it breaks
 * them. */
static uint32_t decode(const uint8_t *block, uint32_t bytes, uint8_t *to, uint32_t room) {
    uint32_t at = 0, out = 0, last_match = 0;
    while (at < bytes) {
        const uint32_t token = block[at++];
        const uint32_t literals = more(block, bytes, &at, token >> 4);
        if (literals > bytes - at || literals > room - out) return UINT32_MAX;
        memcpy(to + out, block + at, literals);
        out += literals, at += literals;
        if (at == bytes) {
            const bool ends_well = last_match == 0 || (literals >= 5 && out - last_match >= 12);
            return (token & 15) == 0 && ends_well ? out : UINT32_MAX;
        }
        if (bytes - at < 2) return UINT32_MAX;
        const uint32_t offset = (uint32_t)(block[at] | block[at + 1] << 8);
        at += 2;
        const uint32_t match = more(block, bytes, &at, token & 15) + 4;
        if (offset == 0 || offset > out || match > room - out) return UINT32_MAX;
        last_match = out;
        for (uint32_t i = 0; i < match; i++, out++) to[out] = to[out - offset];
    }
    return UINT32_MAX;
}

/* Noise, one byte, lines that repeat each other in part, and noise in the middle of them. */
static void fill(ps_check *c, uint8_t *to, uint32_t bytes, uint32_t kind) {
    uint32_t at = 0;
    while (at < bytes) {
        char line[96];
        const uint32_t random = (uint32_t)check_random(c);
        int length = 1;
        line[0] = kind == 1 ? 'a' : (char)random;
        if (kind == 2 || (kind == 3 && random % 3 > 0))
            length = snprintf(line, sizeof line, "{\"host\":\"h-%u\",\"cpu\":%u.5,\"ok\":true}\n",
                              random % 50, random / 50 % 100);
        for (int i = 0; i < length && at < bytes; i++) to[at++] = (uint8_t)line[i];
    }
}

typedef struct chunks {
    uint32_t n, stride;
    uint8_t *bytes, *out;
    uint32_t *begin, *length, *table, *written;
} chunks;

static chunks take(ps_check *c, const uint32_t *length, uint32_t n, uint32_t kind) {
    chunks k = {.n = n, .begin = check_take(c, n * 4), .length = check_take(c, n * 4)};
    uint32_t bytes = 0, longest = 0;
    for (uint32_t i = 0; i < n; i++) {
        k.begin[i] = bytes;
        k.length[i] = length[i];
        if (length[i] == PS_NULL) continue;
        bytes += length[i];
        longest = length[i] > longest ? length[i] : longest;
    }
    k.stride = PS_LZ4_BOUND(longest);
    k.bytes = check_take(c, bytes + PS_ARENA_PADDING);
    fill(c, k.bytes, bytes, kind);
    k.table = check_take(c, (size_t)n * PS_LZ4_TABLE * 4);
    k.out = check_take(c, (size_t)n * k.stride);
    k.written = check_take(c, n * 4);
    memset(k.table, 0xee, (size_t)n * PS_LZ4_TABLE * 4);
    memset(k.out, 0x33, (size_t)n * k.stride);
    return k;
}

static void compress(ps_kernel_fn *fn, const chunks *k, uint32_t begin, uint32_t end) {
    const ps_lz4_params params = {k->stride};
    fn((void *const[]){k->bytes, k->begin, k->length, k->table, k->out, k->written}, &params, begin,
       end);
}

static bool comes_back(const chunks *k, uint32_t i, uint8_t *to) {
    const uint8_t *block = k->out + (size_t)i * k->stride, *from = k->bytes + k->begin[i];
    const uint32_t bytes = k->written[i], length = k->length[i];
    if (length == PS_NULL) return bytes == 0;
    if (bytes > PS_LZ4_BOUND(length) || decode(block, bytes, to, length) != length) return false;
    if (memcmp(to, from, length) != 0) return false;
#ifdef PS_CHECK_LZ4
    memset(to, 0, length);
    return LZ4_decompress_safe((const char *)block, (char *)to, (int)bytes, (int)length) ==
               (int)length &&
           memcmp(to, from, length) == 0;
#else
    return true;
#endif
}

/* The library's blocks through the decoder above, and how small both make them. */
static void beside_library(ps_check *c, const chunks *k, uint32_t kind, uint8_t *to) {
#ifdef PS_CHECK_LZ4
    uint64_t ours = 0, theirs = 0;
    uint8_t *block = malloc(k->stride);
    for (uint32_t i = 0; i < k->n; i++) {
        if (k->length[i] == PS_NULL) continue;
        const int bytes = LZ4_compress_default((const char *)k->bytes + k->begin[i], (char *)block,
                                               (int)k->length[i], (int)k->stride);
        check_that(c,
                   decode(block, (uint32_t)bytes, to, k->length[i]) == k->length[i] &&
                       memcmp(to, k->bytes + k->begin[i], k->length[i]) == 0,
                   "the library's block of %u bytes does not come back", k->length[i]);
        ours += k->written[i];
        theirs += (uint64_t)bytes;
    }
    check_that(c, ours <= theirs + theirs / 10, "kind %u: %llu bytes, the library makes %llu", kind,
               (unsigned long long)ours, (unsigned long long)theirs);
    free(block);
#else
    (void)c, (void)k, (void)kind, (void)to;
#endif
}

static void check_chunks(ps_check *c, const uint32_t *length, uint32_t n, uint32_t kind) {
    chunks k = take(c, length, n, kind);
    uint8_t *const expected = k.out, *to = malloc(CHUNK + 16);
    uint32_t wrong = 0;
    compress(c->kernel->reference, &k, 0, n);
    for (uint32_t i = 0; i < n; i++) wrong += !comes_back(&k, i, to);
    check_that(c, wrong == 0, "kind %u: %u of %u blocks do not come back", kind, wrong, n);
    beside_library(c, &k, kind, to);
    /* In two ranges, over what the table was left with. */
    uint32_t *const lengths = k.written;
    const uint32_t cut = (uint32_t)(check_random(c) % (n + 1));
    k.out = check_take(c, (size_t)n * k.stride);
    k.written = check_take(c, n * 4);
    memset(k.out, 0x33, (size_t)n * k.stride);
    compress(c->fn, &k, cut, n);
    compress(c->fn, &k, 0, cut);
    check_that(c, memcmp(lengths, k.written, n * 4) == 0, "kind %u: lengths differ", kind);
    check_that(c, memcmp(expected, k.out, (size_t)n * k.stride) == 0, "kind %u: blocks differ",
               kind);
    free(to);
    check_release(c);
}

static void bench(ps_check *c) {
    enum { N = 16 };
    uint32_t length[N];
    for (uint32_t i = 0; i < N; i++) length[i] = CHUNK;
    const chunks k = take(c, length, N, 2);
    const ps_lz4_params params = {k.stride};
    check_bench(c, "16 x 64 KiB of JSON",
                (void *const[]){k.bytes, k.begin, k.length, k.table, k.out, k.written}, &params, N,
                (uint64_t)N * CHUNK);
    check_release(c);
}

void ps_check_lz4(ps_check *c) {
    static const uint32_t edges[] = {4095, 4096, 4097, 65535, 65536, PS_NULL, 0, 300, 65536};
    uint32_t length[CHUNKS_MAX];
    for (uint32_t i = 0; i < CHUNKS_MAX; i++) length[i] = i;
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        check_chunks(c, length, CHUNKS_MAX, kind);
        check_chunks(c, edges, sizeof edges / sizeof edges[0], kind);
        check_chunks(c, length, 1, kind);
    }
    const uint32_t beyond = 65537;
    for (uint32_t kind = 0; kind < KINDS; kind++) check_chunks(c, &beyond, 1, kind);
    /* A distance of 65535 is the furthest that a block can say. One letter between keeps the table
     * as it was. */
    for (uint32_t gap = 65534; gap <= 65537; gap++) {
        const uint32_t bytes = gap + 40;
        chunks k = take(c, &bytes, 1, 1);
        uint8_t *to = malloc(bytes);
        for (uint32_t i = 0; i < 20; i++) k.bytes[i] = k.bytes[gap + i] = (uint8_t)(i * 7);
        compress(c->fn, &k, 0, 1);
        check_that(c, comes_back(&k, 0, to), "a repetition after %u bytes does not come back", gap);
        free(to);
        check_release(c);
    }
    if (c->bench && c->device && !c->failed) bench(c);
}
