/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "bench/kernels.h"
#include "host/base/check.h"
#include "host/base/limits.h"
#include "kernels/sha256.h"

enum { RECORDS_BYTES = 512 * 1024, RECORDS_MAX = 4096 }; /* in the second-level cache */

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
    RECORDS("sha256", SHA256, 32), RECORDS("blake3", BLAKE3, 32),  RECORDS("xxh3", XXH3, 8),
    RECORDS("crc32c", CRC32C, 4),  RECORDS("murmur2", MURMUR2, 4), RECORDS("fnv1a", FNV1A, 8),
};

const ps_kernel_case *ps_kernel_case_at(uint32_t index) {
    return index < sizeof cases / sizeof cases[0] ? &cases[index] : NULL;
}
