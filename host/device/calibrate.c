/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/limits.h"
#include "host/device/cache.h"
#include "kernels/ewma.h"
#include "kernels/sha256.h"
#include "kernels/vote.h"
#include "kernels/zscore.h"
#include "simd/dispatch.h"

enum {
    ROWS = 2048,
    SHORT = 64, /* bytes of a record, twice */
    LONG = 512,
    SERIES = 64,
    PLACE = 512,
    REPEATS = 3,
    BLOCK_BYTES = ROWS * LONG + 64 * PLACE + ROWS * 128
};

typedef enum shape { SHAPE_NONE, SHAPE_BYTES, SHAPE_SERIES, SHAPE_SEGMENT, SHAPE_VOTE } shape;

/* Kernels whose operands are alike share a sample; one that has none is never the reason for a
 * choice. `down` is what comes back per row. */
static const struct {
    shape shape;
    uint32_t down;
} samples[PS_KERNEL_COUNT] = {
    [PS_KERNEL_SHA256] = {SHAPE_BYTES, 32},   [PS_KERNEL_XXH3] = {SHAPE_BYTES, 8},
    [PS_KERNEL_CRC32C] = {SHAPE_BYTES, 4},    [PS_KERNEL_BLAKE3] = {SHAPE_BYTES, 32},
    [PS_KERNEL_MURMUR2] = {SHAPE_BYTES, 4},   [PS_KERNEL_FNV1A] = {SHAPE_BYTES, 8},
    [PS_KERNEL_SEGMENT] = {SHAPE_SEGMENT, 4}, [PS_KERNEL_EWMA] = {SHAPE_SERIES, 4},
    [PS_KERNEL_ZSCORE] = {SHAPE_SERIES, 4},   [PS_KERNEL_VOTE] = {SHAPE_VOTE, 6},
};

typedef struct bench {
    const ps_backend *backend;
    ps_device *device;
    ps_queue *queue;
    ps_wake wake;
    ps_block block;
    ps_error *error;
    size_t used;
    uint64_t ticket;
    ps_span span[PS_OPERANDS_MAX];
    uint32_t operands;
    uint8_t params[PS_PARAMS_MAX];
} bench;

static void *operand(bench *b, size_t bytes) {
    PS_CHECK_OP(b->used + bytes, <=, (size_t)BLOCK_BYTES);
    uint8_t *at = b->block.host + b->used;
    memset(at, 0, bytes);
    b->span[b->operands++] = (ps_span){&b->block, b->used};
    b->used += (bytes + PLACE - 1) / PLACE * PLACE;
    return at;
}

static void make_bytes(bench *b, ps_kernel_id kernel, uint32_t length) {
    (void)operand(b, (size_t)ROWS * length + PS_ARENA_PADDING);
    uint32_t *begin = operand(b, ROWS * sizeof *begin);
    uint32_t *lengths = operand(b, ROWS * sizeof *lengths);
    (void)operand(b, (size_t)ROWS * samples[kernel].down);
    for (uint32_t i = 0; i < ROWS; i++) begin[i] = i * length, lengths[i] = length;
    const ps_sha256_params plain = {PS_SHA256_PLAIN};
    if (kernel == PS_KERNEL_SHA256) memcpy(b->params, &plain, sizeof plain);
}

static void make_segment(bench *b) {
    uint32_t *index = operand(b, ROWS * sizeof *index), *rank = operand(b, ROWS * sizeof *rank);
    uint32_t *first = operand(b, (SERIES + 1) * sizeof *first);
    (void)operand(b, ROWS * sizeof(uint32_t));
    for (uint32_t i = 0; i < ROWS; i++) index[i] = i % SERIES, rank[i] = i / SERIES;
    for (uint32_t i = 0; i <= SERIES; i++) first[i] = i * (ROWS / SERIES);
}

static void make_series(bench *b, ps_kernel_id kernel) {
    double *value = operand(b, ROWS * sizeof *value);
    memset(operand(b, ROWS / 8), 0xff, ROWS / 8);
    uint32_t *order = operand(b, ROWS * sizeof *order);
    uint32_t *first = operand(b, (SERIES + 1) * sizeof *first);
    uint32_t *series = operand(b, SERIES * sizeof *series);
    memset(operand(b, SERIES), 1, SERIES);
    (void)operand(b, 3 * SERIES * sizeof(double));
    (void)operand(b, 3 * SERIES * sizeof(double));
    (void)operand(b, ROWS * sizeof(float));
    for (uint32_t i = 0; i < ROWS; i++)
        value[i] = i * 37 % 101, order[i] = i % (ROWS / SERIES) * SERIES + i / (ROWS / SERIES);
    for (uint32_t i = 0; i <= SERIES; i++) first[i] = i * (ROWS / SERIES);
    for (uint32_t i = 0; i < SERIES; i++) series[i] = i;
    const ps_ewma_params ewma = {.alpha = 0.1, .warmup = 5, .capacity = SERIES};
    const ps_zscore_params zscore = {.warmup = 5, .capacity = SERIES};
    if (kernel == PS_KERNEL_EWMA)
        memcpy(b->params, &ewma, sizeof ewma);
    else
        memcpy(b->params, &zscore, sizeof zscore);
}

static void make_vote(bench *b) {
    const ps_vote_params vote = {.detectors = 2, .stride = ROWS, .vote = 1, .threshold = 4.0f};
    (void)operand(b, 2 * ROWS * sizeof(float));
    (void)operand(b, ROWS * sizeof(float));
    (void)operand(b, ROWS);
    (void)operand(b, ROWS);
    memcpy(b->params, &vote, sizeof vote);
}

static ps_status finish(bench *b) {
    PS_TRY(b->backend->mark(b->queue, ++b->ticket));
    /* Asks all the time: a nap would be longer than what is measured. */
    uint64_t newest = 0;
    while (newest < b->ticket) PS_TRY(b->backend->done(b->queue, &newest));
    return PS_OK;
}

/* The best of a few: what disturbs a measurement only ever makes it longer. */
static ps_status time_launch(bench *b, ps_call *call, uint32_t n, double *best_ns) {
    *best_ns = 1e18;
    for (int i = 0; i < REPEATS; i++) {
        const int64_t from = ps_clock_ns();
        PS_TRY(b->backend->launch(b->queue, call, b->params, 0, n));
        PS_TRY(finish(b));
        const double ns = (double)(ps_clock_ns() - from);
        if (ns < *best_ns) *best_ns = ns;
        /* All kernels share 200 ms; what takes so long is no candidate, and known well enough. */
        if (ns > 5e6) break;
    }
    return PS_OK;
}

static ps_status time_copies(bench *b, ps_costs *out) {
    const ps_span all = {&b->block, 0};
    const size_t sizes[2] = {PLACE, BLOCK_BYTES};
    double up[2] = {1e18, 1e18}, down[2] = {1e18, 1e18};
    for (int i = 0; i < 2 * REPEATS; i++) {
        const int64_t from = ps_clock_ns();
        PS_TRY(b->backend->upload(b->queue, all, sizes[i % 2]));
        PS_TRY(finish(b));
        const int64_t half = ps_clock_ns();
        PS_TRY(b->backend->download(b->queue, all, sizes[i % 2]));
        PS_TRY(finish(b));
        const double up_ns = (double)(half - from), down_ns = (double)(ps_clock_ns() - half);
        if (up_ns < up[i % 2]) up[i % 2] = up_ns;
        if (down_ns < down[i % 2]) down[i % 2] = down_ns;
    }
    out->copy_ns = up[0];
    out->up_byte_ns = up[1] > up[0] ? (up[1] - up[0]) / (double)BLOCK_BYTES : 0.0;
    out->down_byte_ns = down[1] > down[0] ? (down[1] - down[0]) / (double)BLOCK_BYTES : 0.0;
    return PS_OK;
}

/* One size of sample: a single item and all of them. */
static ps_status measure_size(bench *b, ps_kernel_id kernel, uint32_t length, double *one_ns,
                              double *all_ns) {
    ps_call *call = NULL;
    b->used = 0;
    b->operands = 0;
    memset(b->params, 0, sizeof b->params);
    switch (samples[kernel].shape) {
    case SHAPE_BYTES:
        make_bytes(b, kernel, length);
        break;
    case SHAPE_SERIES:
        make_series(b, kernel);
        break;
    case SHAPE_SEGMENT:
        make_segment(b);
        break;
    case SHAPE_VOTE:
        make_vote(b);
        break;
    case SHAPE_NONE:
        return PS_UNSUPPORTED;
    }
    PS_TRY(b->backend->bind(b->queue, kernel, b->span, &call, b->error));
    PS_TRY(b->backend->upload(b->queue, (ps_span){&b->block, 0}, b->used));
    const uint32_t n = samples[kernel].shape == SHAPE_SERIES ? SERIES : ROWS;
    PS_TRY(time_launch(b, call, 1, one_ns));
    return time_launch(b, call, n, all_ns);
}

static ps_status measure_kernel(bench *b, ps_kernel_id kernel, ps_cost *out) {
    double one, all, all_long = 0.0;
    memset(out, 0, sizeof *out);
    const ps_status status = measure_size(b, kernel, SHORT, &one, &all);
    if (status == PS_UNSUPPORTED) return PS_OK;
    PS_TRY(status);
    if (samples[kernel].shape == SHAPE_BYTES) {
        double one_long;
        PS_TRY(measure_size(b, kernel, LONG, &one_long, &all_long));
        if (all_long > all) out->byte_ns = (all_long - all) / ((double)ROWS * (LONG - SHORT));
    }
    out->fixed_ns = one < all ? one : all;
    const double rest = (all - out->fixed_ns) / ROWS - SHORT * out->byte_ns;
    out->row_ns = rest > 0.0 ? rest : 0.0;
    out->known = 1;
    return PS_OK;
}

static ps_status measure_all(bench *b, ps_costs *out) {
    PS_TRY(ps_wake_init(&b->wake, b->error));
    PS_TRY(b->backend->block_open(b->device, b->block.host, BLOCK_BYTES, &b->block, b->error));
    PS_TRY(b->backend->queue_open(b->device, &b->wake, &b->queue, b->error));
    if (!b->backend->shares_memory) PS_TRY(time_copies(b, out));
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++)
        PS_TRY(measure_kernel(b, (ps_kernel_id)id, &out->kernel[id]));
    return PS_OK;
}

static bool cache_name(const ps_backend *backend, uint32_t index, char name[PS_CACHE_NAME_MAX]) {
    ps_device *device = NULL;
    ps_device_about about;
    if (backend->open(index, &device, NULL) != PS_OK) return false;
    backend->about(device, &about);
    backend->close(device);
    const char *texts[PS_KERNEL_COUNT + 5] = {PS_VERSION, backend->name, about.name, about.driver,
                                              ps_dispatch_isa()};
    for (uint32_t i = 0; i < PS_KERNEL_COUNT; i++)
        texts[5 + i] =
            backend->shares_memory ? ps_dispatch_chosen((ps_kernel_id)i) : ps_kernels[i].name;
    ps_cache_name("costs", texts, PS_KERNEL_COUNT + 5, name);
    return true;
}

bool ps_costs_load(const ps_backend *backend, uint32_t index, ps_costs *out) {
    char name[PS_CACHE_NAME_MAX];
    size_t bytes = 0;
    if (!cache_name(backend, index, name)) return false;
    uint8_t *kept = ps_cache_read(name, &bytes);
    const bool fits = kept != NULL && bytes == sizeof *out;
    if (fits) memcpy(out, kept, sizeof *out);
    free(kept);
    return fits;
}

ps_status ps_costs_measure(const ps_backend *backend, uint32_t index, ps_costs *out,
                           ps_error *error) {
    char name[PS_CACHE_NAME_MAX];
    bench b = {.backend = backend, .error = error, .wake = {-1}};
    memset(out, 0, sizeof *out);
    PS_TRY(backend->open(index, &b.device, error));
    uint8_t *host = aligned_alloc(4096, (BLOCK_BYTES + 4095) / 4096 * 4096);
    if (host == NULL) {
        backend->close(b.device);
        return ps_fail(error, PS_NO_MEMORY, "no memory to measure %s", backend->name);
    }
    memset(host, 0, BLOCK_BYTES);
    b.block.host = host;
    const ps_status status = measure_all(&b, out);
    if (status == PS_DEVICE)
        (void)ps_fail(error, PS_DEVICE, "%s device: measuring it failed: %s", backend->name,
                      b.queue != NULL ? backend->fault(b.queue) : "it does not open");
    if (b.queue != NULL) backend->queue_close(b.queue);
    if (b.block.bytes != 0) backend->block_close(b.device, &b.block);
    backend->close(b.device);
    ps_wake_deinit(&b.wake);
    free(host);
    if (status == PS_OK && cache_name(backend, index, name)) ps_cache_write(name, out, sizeof *out);
    return status;
}

uint64_t ps_break_even(const ps_costs *processor, const ps_costs *device, ps_kernel_id kernel,
                       uint32_t row_bytes) {
    const ps_cost *here = &processor->kernel[kernel], *there = &device->kernel[kernel];
    if (here->known == 0 || there->known == 0) return 0;
    const double bytes = samples[kernel].shape == SHAPE_BYTES ? row_bytes : 0;
    const double up = samples[kernel].shape == SHAPE_BYTES ? row_bytes + 8.0 : 16.0;
    const double copies = up * device->up_byte_ns + samples[kernel].down * device->down_byte_ns;
    const double gain = ps_cost_of(here, 1, bytes) - here->fixed_ns -
                        (ps_cost_of(there, 1, bytes) - there->fixed_ns) - copies;
    const double extra = there->fixed_ns + 2 * device->copy_ns - here->fixed_ns;
    if (gain <= 0.0) return 0;
    return extra <= 0.0 ? 1 : (uint64_t)(extra / gain) + 1;
}
