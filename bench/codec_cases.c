/* SPDX-License-Identifier: Apache-2.0
 * The compressors: what penstock writes, frames that any tool reads, beside what the libraries take
 * for the bare blocks in them. One core, and two that compress chunks side by side, as lanes do.
 */
#include <lz4.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bench/kernels.h"
#include "host/base/check.h"
#include "ingest/frames.h"

enum { CHUNK_BYTES = 64 << 10, CHUNKS = 128, THREADS = 2 };

/* What a contest is about. buf: text, frames one slot per chunk, lengths of the frames. */
typedef struct codec_params {
    ps_frame_codec codec;
    size_t slot_bytes;
    ps_framer *framer[THREADS];
    ZSTD_CCtx *zstd;
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

static void write_frames(void *const *buf, const codec_params *p, uint32_t begin, uint32_t end,
                         uint32_t thread) {
    const uint8_t *const text = buf[0];
    uint8_t *const slots = buf[1];
    uint32_t *const length = buf[2];
    for (uint32_t i = begin; i < end; i++)
        length[i] = (uint32_t)ps_frame_write(p->framer[thread], text + (size_t)CHUNK_BYTES * i,
                                             CHUNK_BYTES, slots + p->slot_bytes * i);
}

static void run_frames(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    write_frames(buf, params, begin, end, 0);
}

typedef struct half {
    void *const *buf;
    const codec_params *params;
    uint32_t begin, end;
} half;

static void *run_half(void *argument) {
    const half *const h = argument;
    write_frames(h->buf, h->params, h->begin, h->end, 1);
    return NULL;
}

static void run_two_threads(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    half other = {buf, params, begin + (end - begin) / THREADS, end};
    pthread_t thread;
    PS_CHECK(pthread_create(&thread, NULL, run_half, &other) == 0);
    write_frames(buf, params, begin, other.begin, 0);
    PS_CHECK(pthread_join(thread, NULL) == 0);
}

static void run_lz4(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const codec_params *const p = params;
    for (uint32_t i = begin; i < end; i++)
        PS_CHECK(LZ4_compress_default((const char *)buf[0] + (size_t)CHUNK_BYTES * i,
                                      (char *)buf[1] + p->slot_bytes * i, CHUNK_BYTES,
                                      (int)p->slot_bytes) > 0);
}

static void run_zstd(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const codec_params *const p = params;
    for (uint32_t i = begin; i < end; i++)
        PS_CHECK(!ZSTD_isError(
            ZSTD_compressCCtx(p->zstd, (char *)buf[1] + p->slot_bytes * i, p->slot_bytes,
                              (const char *)buf[0] + (size_t)CHUNK_BYTES * i, CHUNK_BYTES, 1)));
}

static void run_snappy(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const codec_params *const p = params;
    for (uint32_t i = begin; i < end; i++) {
        size_t length = p->slot_bytes;
        PS_CHECK(snappy_compress((const char *)buf[0] + (size_t)CHUNK_BYTES * i, CHUNK_BYTES,
                                 (char *)buf[1] + p->slot_bytes * i, &length) == SNAPPY_OK);
    }
}

/* The framers and contexts of a codec, made once: both of its cases use them. */
static const codec_params *open_params(ps_frame_codec codec) {
    static codec_params all[PS_FRAME_CODECS];
    codec_params *const p = &all[codec];
    ps_error error = {{0}};
    if (p->framer[0] != NULL) return p;
    p->codec = codec;
    /* Also what a bare block of any of the libraries may take. */
    p->slot_bytes = (ps_frame_bound(codec, CHUNK_BYTES) + CHUNK_BYTES / 2) / 64 * 64;
    for (uint32_t i = 0; i < THREADS; i++)
        PS_CHECK(ps_framer_open(codec, CHUNK_BYTES, &p->framer[i], &error) == PS_OK);
    p->zstd = ZSTD_createCCtx();
    PS_CHECK(p->zstd != NULL);
    return p;
}

static const struct codec {
    const char *kernel, *library;
    ps_frame_codec codec;
    ps_kernel_fn *fn;
} codecs[] = {{"lz4_frames", "liblz4", PS_FRAME_LZ4, run_lz4},
              {"zstd_frames", "libzstd", PS_FRAME_ZSTD, run_zstd},
              {"snappy_frames", "libsnappy", PS_FRAME_SNAPPY, run_snappy}};

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
            .name = "frames, two threads", .fn = run_two_threads, .own = true, .chosen = true};
    out->contestant[out->count++] =
        (ps_contestant){.name = codec->library, .fn = codec->fn, .free = true};
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
