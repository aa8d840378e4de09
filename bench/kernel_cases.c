/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernels.h"
#include "host/base/check.h"
#include "host/base/limits.h"
#include "host/device/merkle.h"
#include "kernels/lz4.h"
#include "kernels/moments.h"
#include "kernels/score.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

/* In the second-level cache, and so many that a branch predictor does not know their lengths by
 * heart. */
enum { RECORDS_BYTES = 512 * 1024, RECORDS_MAX = 16384 };

/* The same records on every machine: Knuth's generator (MMIX), the upper bits of it. */
static uint32_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static void *take(size_t bytes) {
    void *memory = calloc(1, (bytes + 63) / 64 * 64);
    PS_CHECK(memory != NULL);
    return memory;
}

/* Kernels of the form (bytes, begin, length, out): records one behind the other. */
static void open_records(const ps_kernel_case *row, ps_contest *out) {
    static const ps_sha256_params plain = {PS_SHA256_PLAIN};
    static const uint32_t none = 0;
    uint64_t random = 20261121;
    uint8_t *const bytes = take(RECORDS_BYTES + row->max + PS_ARENA_PADDING);
    uint32_t *const begin = take(RECORDS_MAX * sizeof *begin);
    uint32_t *const length = take(RECORDS_MAX * sizeof *length);
    for (size_t i = 0; i < RECORDS_BYTES + row->max; i++) bytes[i] = (uint8_t)next_random(&random);
    while (out->n < RECORDS_MAX && out->bytes < RECORDS_BYTES) {
        begin[out->n] = (uint32_t)out->bytes;
        length[out->n] = row->min + next_random(&random) % (row->max - row->min + 1);
        out->bytes += length[out->n++];
    }
    out->records = out->n;
    out->out = 3;
    out->out_bytes = (size_t)out->n * row->out_bytes;
    out->params = row->id == PS_KERNEL_SHA256 ? (const void *)&plain : &none;
    out->buf[0] = bytes;
    out->buf[1] = begin;
    out->buf[2] = length;
    out->buf[3] = take(out->out_bytes);
    out->item_bytes[1] = out->item_bytes[2] = sizeof *begin;
    out->item_bytes[3] = row->out_bytes;
}

/* Lines of JSON in chunks: what is compressed and not hashed. */
static void open_chunks(const ps_kernel_case *row, ps_contest *out) {
    static ps_lz4_params params;
    uint64_t random = 20261121;
    params.stride = PS_LZ4_BOUND(row->max);
    out->n = RECORDS_BYTES / row->max;
    out->records = out->n;
    out->bytes = (uint64_t)out->n * row->max;
    out->params = &params;
    out->out = 5;
    out->out_bytes = out->n * sizeof(uint32_t);
    out->item_bytes[1] = out->item_bytes[2] = out->item_bytes[5] = sizeof(uint32_t);
    out->item_bytes[3] = PS_LZ4_TABLE * sizeof(uint32_t);
    out->item_bytes[4] = params.stride;
    char *const bytes = take((size_t)out->bytes + 128);
    for (size_t at = 0; at < out->bytes;)
        at += (size_t)snprintf(bytes + at, 128,
                               "{\"host\":\"host-%u\",\"cpu\":%u.%u,\"seq\":%u,\"ok\":true}\n",
                               next_random(&random) % 500, next_random(&random) % 100,
                               next_random(&random) % 10, next_random(&random) % 1000000);
    out->buf[0] = bytes;
    for (uint32_t i = 1; i < 6; i++) out->buf[i] = take(out->n * out->item_bytes[i]);
    uint32_t *const begin = out->buf[1], *const length = out->buf[2];
    for (uint32_t i = 0; i < out->n; i++) begin[i] = i * row->max, length[i] = row->max;
}

/* RFC 6962's root over records: leaf hashes and all levels, as chosen for this machine. */
static void run_tree(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    static ps_frontier frontier;
    (void)params;
    frontier.size = begin;
    ps_merkle_records(buf[0], buf[1], buf[2], end, buf[4], &frontier);
    ps_frontier_root(&frontier, buf[3]);
}

static void open_tree(const ps_kernel_case *row, ps_contest *out) {
    enum { LEAVES = 1 << 20 };
    uint64_t random = 20261121;
    uint8_t *const bytes = take((size_t)LEAVES * row->max + PS_ARENA_PADDING);
    uint32_t *const begin = take(LEAVES * sizeof *begin);
    uint32_t *const length = take(LEAVES * sizeof *length);
    for (size_t i = 0; i < (size_t)LEAVES * row->max; i++) bytes[i] = (uint8_t)next_random(&random);
    for (uint32_t i = 0; i < LEAVES; i++) begin[i] = i * row->max, length[i] = row->max;
    out->n = LEAVES;
    out->records = LEAVES;
    out->bytes = (uint64_t)LEAVES * row->max;
    out->out = 3;
    out->out_bytes = row->out_bytes;
    out->buf[0] = bytes;
    out->buf[1] = begin;
    out->buf[2] = length;
    out->buf[3] = take(PS_NODE_BYTES);
    out->buf[4] = take(PS_MERKLE_SCRATCH_BYTES);
    out->item_bytes[1] = out->item_bytes[2] = sizeof *begin;
    out->item_bytes[3] = PS_NODE_BYTES;
    out->item_bytes[4] = PS_NODE_BYTES + 1; /* all nodes, and the frontier of an empty log */
    out->buf[5] = take((size_t)LEAVES * PS_NODE_BYTES); /* for those who keep all hashes */
    out->contestant[out->count++] = (ps_contestant){
        .name = ps_dispatch_chosen(PS_KERNEL_MERKLE), .fn = run_tree, .own = true, .chosen = true};
}

/* A column of doubles without nulls. */
static void open_column(const ps_kernel_case *row, ps_contest *out) {
    static ps_moments_params params;
    const uint32_t rows = row->max;
    uint64_t random = 20261121;
    double *const value = take(rows * sizeof *value);
    uint8_t *const validity = take(rows / 8);
    for (uint32_t i = 0; i < rows; i++) value[i] = 1e6 + next_random(&random) % 1000;
    memset(validity, 0xff, rows / 8);
    params = (ps_moments_params){rows, PS_VALUE_F64};
    out->params = &params;
    out->n = rows / PS_MOMENTS_ROWS;
    out->records = rows;
    out->bytes = (uint64_t)rows * sizeof *value;
    out->out = 2;
    out->out_bytes = out->n * PS_MOMENTS_WIDTH * sizeof(double);
    out->buf[0] = value;
    out->buf[1] = validity;
    out->buf[2] = take(out->out_bytes);
}

#define RECORDS(kernel, KERNEL, out)                                         \
    {kernel, "64", PS_KERNEL_##KERNEL, open_records, 64, 64, out},           \
        {kernel, "256", PS_KERNEL_##KERNEL, open_records, 256, 256, out},    \
        {kernel, "1024", PS_KERNEL_##KERNEL, open_records, 1024, 1024, out}, \
        {kernel, "4096", PS_KERNEL_##KERNEL, open_records, 4096, 4096, out}, \
        {kernel, "mix", PS_KERNEL_##KERNEL, open_records, 64, 4096, out}, {  \
        kernel, "keys", PS_KERNEL_##KERNEL, open_records, 8, 36, out         \
    }

static const ps_kernel_case cases[] = {
    RECORDS("sha256", SHA256, 32),
    RECORDS("blake3", BLAKE3, 32),
    RECORDS("xxh3", XXH3, 8),
    RECORDS("crc32c", CRC32C, 4),
    RECORDS("murmur2", MURMUR2, 4),
    RECORDS("fnv1a", FNV1A, 8),
    {"lz4", "65536", PS_KERNEL_LZ4, open_chunks, 65536, 65536, 0},
    {"merkle", "1048576", PS_KERNEL_MERKLE, open_tree, 32, 32, PS_NODE_BYTES},
    {"moments", "65536", PS_KERNEL_MOMENTS, open_column, 65536, 65536, 0},
    {"moments", "16777216", PS_KERNEL_MOMENTS, open_column, 16777216, 16777216, 0},
};

const ps_kernel_case *ps_kernel_case_at(uint32_t index) {
    const uint32_t count = sizeof cases / sizeof cases[0];
    if (index < count) return &cases[index];
#ifdef PS_BENCH_INGEST
    const ps_kernel_case *const row = ps_json_case_at(index - count);
    return row != NULL ? row : ps_codec_case_at(index - count - 1);
#else
    return NULL;
#endif
}
