/* SPDX-License-Identifier: Apache-2.0
 * The compressors: what penstock writes, frames that any tool reads, beside what the libraries take
 * for the bare blocks in them. One core, and two that compress chunks side by side, as lanes do:
 * beside them what two cores of this machine get out of the bare library, which is their limit.
 */
#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bench/kernels.h"
#include "bench/pair.h"
#include "host/base/check.h"
#include "ingest/frames.h"

enum { CHUNK_BYTES = 64 << 10, CHUNKS = 128, THREADS = 2 };

/* What a contest is about. buf: text, frames one slot per chunk, lengths of the frames. */
typedef struct codec_params {
    ps_frame_codec codec;
    size_t slot_bytes;
    ps_framer *framer[THREADS];
    ZSTD_CCtx *zstd[THREADS];
} codec_params;

static uint32_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Lines as services log them: names that repeat, numbers that do not. */
static void write_lines(char *out, size_t bytes) {
    static const char *const services[] = {"checkout", "search", "cart", "payment", "profile"};
    static const char *const levels[] = {"info", "info", "info", "debug", "warning", "error"};
    static const char *const says[] = {"request served", "cache miss, asked the store",
                                       "retrying after a timeout", "connection closed by peer",
                                       "slow query, see the plan in the trace"};
    uint64_t random = 20261121, time = UINT64_C(1763736000000);
    char line[400];
    for (size_t at = 0; at < bytes;) {
        time += next_random(&random) % 7;
        const int length =
            snprintf(line, sizeof line,
                     "{\"time\":%llu,\"level\":\"%s\",\"service\":\"%s\",\"host\":\"web-%02u.eu\","
                     "\"status\":"
                     "%u,\"latency_ms\":%u.%03u,\"trace\":\"%08x%08x\",\"message\":\"%s\"}\n",
                     (unsigned long long)time, levels[next_random(&random) % 6],
                     services[next_random(&random) % 5], next_random(&random) % 40,
                     next_random(&random) % 20 ? 200 : 503, next_random(&random) % 90,
                     next_random(&random) % 1000, next_random(&random), next_random(&random),
                     says[next_random(&random) % 5]);
        const size_t taken = bytes - at < (size_t)length ? bytes - at : (size_t)length;
        memcpy(out + at, line, taken);
        at += taken;
    }
}

static char *chunk_at(void *const *buf, uint32_t item) {
    return (char *)buf[0] + (size_t)CHUNK_BYTES * item;
}
static char *slot_at(void *const *buf, const codec_params *p, uint32_t item) {
    return (char *)buf[1] + p->slot_bytes * item;
}

static void write_frame(void *const *buf, const void *params, uint32_t item, uint32_t thread) {
    const codec_params *const p = params;
    uint32_t *const length = buf[2];
    length[item] = (uint32_t)ps_frame_write(p->framer[thread], (const uint8_t *)chunk_at(buf, item),
                                            CHUNK_BYTES, (uint8_t *)slot_at(buf, p, item));
}

static void write_lz4(void *const *buf, const void *params, uint32_t item, uint32_t thread) {
    const codec_params *const p = params;
    (void)thread;
    PS_CHECK(LZ4_compress_default(chunk_at(buf, item), slot_at(buf, p, item), CHUNK_BYTES,
                                  (int)p->slot_bytes) > 0);
}

static void write_zstd(void *const *buf, const void *params, uint32_t item, uint32_t thread) {
    const codec_params *const p = params;
    PS_CHECK(!ZSTD_isError(ZSTD_compressCCtx(p->zstd[thread], slot_at(buf, p, item), p->slot_bytes,
                                             chunk_at(buf, item), CHUNK_BYTES, 1)));
}

static void write_snappy(void *const *buf, const void *params, uint32_t item, uint32_t thread) {
    const codec_params *const p = params;
    size_t length = p->slot_bytes;
    (void)thread;
    PS_CHECK(snappy_compress(chunk_at(buf, item), CHUNK_BYTES, slot_at(buf, p, item), &length) ==
             SNAPPY_OK);
}

#define ALONE_AND_TWO(name, item)                                                                \
    static void run_##name(void *const *buf, const void *params, uint32_t begin, uint32_t end) { \
        for (uint32_t i = begin; i < end; i++) item(buf, params, i, 0);                          \
    }                                                                                            \
    static void two_##name(void *const *buf, const void *params, uint32_t begin, uint32_t end) { \
        ps_pair_run(item, buf, params, begin, end);                                              \
    }
ALONE_AND_TWO(frames, write_frame)
ALONE_AND_TWO(lz4, write_lz4)
ALONE_AND_TWO(zstd, write_zstd)
ALONE_AND_TWO(snappy, write_snappy)

/* The framers and contexts of a codec, made once: both of its cases use them. */
static const codec_params *open_params(ps_frame_codec codec) {
    static codec_params all[PS_FRAME_CODECS];
    codec_params *const p = &all[codec];
    ps_error error = {{0}};
    if (p->framer[0] != NULL) return p;
    p->codec = codec;
    /* Also what a bare block of any of the libraries may take. */
    p->slot_bytes = (ps_frame_bound(codec, CHUNK_BYTES) + CHUNK_BYTES / 2) / 64 * 64;
    for (uint32_t i = 0; i < THREADS; i++) {
        PS_CHECK(ps_framer_open(codec, CHUNK_BYTES, &p->framer[i], &error) == PS_OK);
        p->zstd[i] = ZSTD_createCCtx();
        PS_CHECK(p->zstd[i] != NULL);
    }
    return p;
}

static const struct codec {
    const char *kernel, *library, *two;
    ps_frame_codec codec;
    ps_kernel_fn *fn, *two_fn;
} codecs[] = {
    {"lz4_frames", "liblz4", "two threads of liblz4", PS_FRAME_LZ4, run_lz4, two_lz4},
    {"zstd_frames", "libzstd", "two threads of libzstd", PS_FRAME_ZSTD, run_zstd, two_zstd},
    {"snappy_frames", "libsnappy", "two threads of libsnappy", PS_FRAME_SNAPPY, run_snappy,
     two_snappy}};

static void open_codec(const ps_kernel_case *row, ps_contest *out) {
    const struct codec *codec = codecs;
    while (strcmp(codec->kernel, row->kernel) != 0) codec++;
    const codec_params *const p = open_params(codec->codec);
    char *const text = malloc((size_t)CHUNK_BYTES * CHUNKS);
    PS_CHECK(text != NULL);
    write_lines(text, (size_t)CHUNK_BYTES * CHUNKS);
    out->params = p;
    out->n = CHUNKS;
    out->records = CHUNKS;
    out->bytes = (uint64_t)CHUNK_BYTES * CHUNKS;
    out->out = 2;
    out->out_bytes = CHUNKS * sizeof(uint32_t);
    out->buf[0] = text;
    out->buf[1] = calloc(CHUNKS, p->slot_bytes);
    out->buf[2] = calloc(CHUNKS, sizeof(uint32_t));
    PS_CHECK(out->buf[1] != NULL && out->buf[2] != NULL);
    out->wall = row->max == THREADS;
    out->contestant[out->count++] =
        (ps_contestant){.name = "frames", .fn = run_frames, .own = true, .chosen = true};
    if (row->max == THREADS)
        out->contestant[out->count++] = (ps_contestant){
            .name = "frames, two threads", .fn = two_frames, .own = true, .chosen = true};
    out->contestant[out->count++] =
        (ps_contestant){.name = codec->library, .fn = codec->fn, .free = true};
    if (row->max == THREADS)
        out->contestant[out->count++] =
            (ps_contestant){.name = codec->two, .fn = codec->two_fn, .free = true, .limit = true};
}

#define CASES(kernel)                                                           \
    {kernel, "65536", PS_KERNEL_COUNT, open_codec, CHUNK_BYTES, 1, 0}, {        \
        kernel, "2x65536", PS_KERNEL_COUNT, open_codec, CHUNK_BYTES, THREADS, 0 \
    }

const ps_kernel_case *ps_codec_case_at(uint32_t index) {
    static const ps_kernel_case cases[] = {CASES("lz4_frames"), CASES("zstd_frames"),
                                           CASES("snappy_frames")};
    return index < sizeof cases / sizeof cases[0] ? &cases[index] : NULL;
}
