/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/limits.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"

enum {
    BYTES = 16384, /* of records: the first-level cache is not what is measured */
    RECORDS_MAX = 2048,
    OUT_BYTES = 32,
    CANDIDATES_MAX = 8,
    ROUNDS = 9,
    SAMPLE_NS = 80000,
    BUDGET_NS = 150000000,
    WORTH_PERCENT = 3 /* by how much another one must be faster than the last of the table */
};

/* Records of these sizes; merkle's operands are of another form, and `max` is its pairs. */
static const struct workload {
    ps_kernel_id kernel;
    uint32_t min, max;
} workloads[] = {
    {PS_KERNEL_SHA256, 64, 512}, {PS_KERNEL_MERKLE, 0, 256},   {PS_KERNEL_XXH3, 16, 512},
    {PS_KERNEL_CRC32C, 16, 512}, {PS_KERNEL_BLAKE3, 64, 1024}, {PS_KERNEL_MURMUR2, 8, 36},
    {PS_KERNEL_FNV1A, 8, 256},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0] };

typedef struct bench {
    uint8_t bytes[BYTES + 1024 + PS_ARENA_PADDING];
    uint32_t begin[RECORDS_MAX], length[RECORDS_MAX];
    uint8_t out[RECORDS_MAX * OUT_BYTES];
    void *buf[4];
    const void *params;
    uint32_t n;
} bench;

static void prepare(bench *b, const struct workload *w) {
    static const ps_sha256_params plain = {PS_SHA256_PLAIN};
    static const ps_merkle_params level = {.carry = PS_NONE};
    static const uint32_t none = 0;
    uint32_t random = 1, at = 0;
    b->n = 0;
    if (w->kernel == PS_KERNEL_MERKLE) {
        b->n = w->max;
        b->params = &level;
        b->buf[0] = b->buf[1] = b->bytes;
        b->buf[2] = b->out;
        return;
    }
    while (b->n < RECORDS_MAX && at < BYTES) {
        random = random * 1664525 + 1013904223;
        b->begin[b->n] = at;
        b->length[b->n] = w->min + (random >> 16) % (w->max - w->min + 1);
        at += b->length[b->n++];
    }
    b->params = w->kernel == PS_KERNEL_SHA256 ? (const void *)&plain : &none;
    b->buf[0] = b->bytes;
    b->buf[1] = b->begin;
    b->buf[2] = b->length;
    b->buf[3] = b->out;
}

static int64_t time_calls(const bench *b, ps_kernel_fn *fn, int64_t calls) {
    const int64_t from = ps_clock_read(CLOCK_THREAD_CPUTIME_ID);
    for (int64_t i = 0; i < calls; i++) fn(b->buf, b->params, 0, b->n);
    return ps_clock_read(CLOCK_THREAD_CPUTIME_ID) - from;
}

/* The place of the fastest; the last of the table where none is worth leaving it. Everybody has a
 * turn in each round, and counts with the best: a disturbance only ever takes longer. */
static uint32_t fastest(const bench *b, ps_kernel_id kernel) {
    const uint32_t all = ps_dispatch_count(kernel);
    const uint32_t count = all < CANDIDATES_MAX ? all : CANDIDATES_MAX, skipped = all - count;
    int64_t calls[CANDIDATES_MAX] = {0};
    double best[CANDIDATES_MAX] = {0};
    const char *name;
    for (uint32_t i = 0; i < count; i++) {
        ps_kernel_fn *const fn = ps_dispatch_at(kernel, skipped + i, &name);
        (void)time_calls(b, fn, 1);
        calls[i] = 1 + SAMPLE_NS / (time_calls(b, fn, 1) + 1);
        best[i] = 1e30;
    }
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < count; i++) {
            const int64_t ns = time_calls(b, ps_dispatch_at(kernel, skipped + i, &name), calls[i]);
            const double one = (double)ns / (double)calls[i];
            if (one < best[i]) best[i] = one;
        }
    uint32_t winner = count - 1;
    for (uint32_t i = 0; i < count - 1; i++)
        if (best[i] < best[winner] && best[i] * (100 + WORTH_PERCENT) < best[count - 1] * 100)
            winner = i;
    return skipped + winner;
}

bool ps_calibrate(const atomic_bool *stop) {
    const int64_t begun = ps_clock_read(CLOCK_THREAD_CPUTIME_ID);
    uint32_t winner[WORKLOADS], done = 0;
    bench *const b = calloc(1, sizeof *b);
    if (!b) return false;
    for (; done < WORKLOADS; done++) {
        if (atomic_load(stop)) break;
        /* Too slow a machine: what is not measured keeps its place in the table. */
        const bool late = ps_clock_read(CLOCK_THREAD_CPUTIME_ID) - begun > BUDGET_NS;
        prepare(b, &workloads[done]);
        winner[done] = late ? ps_dispatch_count(workloads[done].kernel) - 1
                            : fastest(b, workloads[done].kernel);
    }
    free(b);
    if (done < WORKLOADS) return false;
    for (uint32_t i = 0; i < WORKLOADS; i++) {
        const char *name;
        (void)ps_dispatch_at(workloads[i].kernel, winner[i], &name);
        (void)ps_dispatch_choose(workloads[i].kernel, name);
    }
    return true;
}

size_t ps_calibration_text(char text[PS_CALIBRATION_TEXT_MAX]) {
    size_t used = 0;
    for (uint32_t i = 0; i < WORKLOADS; i++)
        used += (size_t)snprintf(text + used, PS_CALIBRATION_TEXT_MAX - used, "%s\t%s\n",
                                 ps_kernels[workloads[i].kernel].name,
                                 ps_dispatch_chosen(workloads[i].kernel));
    return used;
}

/* One line, without its end. */
static bool apply_line(const char *line) {
    const char *const tab = strchr(line, '\t');
    if (!tab) return false;
    for (uint32_t i = 0; i < WORKLOADS; i++) {
        const char *const name = ps_kernels[workloads[i].kernel].name;
        if (strlen(name) == (size_t)(tab - line) && strncmp(line, name, strlen(name)) == 0)
            return ps_dispatch_choose(workloads[i].kernel, tab + 1);
    }
    return false;
}

bool ps_calibration_apply(const char *text, size_t bytes) {
    char line[128];
    uint32_t lines = 0;
    while (bytes > 0) {
        const char *const end = memchr(text, '\n', bytes);
        if (!end || (size_t)(end - text) >= sizeof line) return false;
        const size_t length = (size_t)(end - text);
        memcpy(line, text, length);
        line[length] = 0;
        if (!apply_line(line)) return false;
        text += length + 1;
        bytes -= length + 1;
        lines++;
    }
    return lines == WORKLOADS;
}
