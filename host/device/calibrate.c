/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/device/samples.h"
#include "simd/dispatch.h"

enum { REPEATS = 3, SMALL_COPY = 512 };

/* What takes so long is known well enough after one look: all kernels share 150 ms. */
#define LONG_NS 2e6

typedef struct bench {
    const ps_backend *backend;
    ps_device *device;
    ps_queue *queue;
    ps_wake wake;
    ps_block block;
    ps_costs *out;
    const atomic_bool *stop;
    ps_error *error;
    uint64_t ticket;
    int64_t begun_ns;
} bench;

/* The processor's own work as its thread's time, so that a busy machine measures the same. */
static int64_t now_ns(const bench *b) {
    return ps_clock_read(b->backend->shares_memory ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC);
}

static int64_t took(const bench *b) {
    return now_ns(b) - b->begun_ns - b->out->build_ns;
}

static ps_status finish(bench *b) {
    PS_TRY(b->backend->mark(b->queue, ++b->ticket));
    /* Asks all the time: a nap would be longer than what is measured. */
    uint64_t newest = 0;
    while (newest < b->ticket) PS_TRY(b->backend->done(b->queue, &newest));
    return PS_OK;
}

static ps_status launch(bench *b, ps_call *call, const ps_sample *sample, double *ns) {
    const int64_t from = now_ns(b);
    b->out->launches++;
    PS_TRY(b->backend->launch(b->queue, call, sample->params, 0, sample->items));
    PS_TRY(finish(b));
    *ns = (double)(now_ns(b) - from);
    return PS_OK;
}

/* The best of a few: what disturbs a measurement only ever makes it longer. The first one on a
 * device is its driver's, which may compile only now, and for each size anew. */
static ps_status time_sample(bench *b, ps_kernel_id kernel, uint32_t rows, uint32_t length,
                             double *best_ns) {
    ps_sample sample;
    ps_call *call = NULL;
    double ns;
    ps_sample_make(kernel, rows, length, &b->block, &sample);
    const int64_t from = now_ns(b);
    PS_TRY(b->backend->bind(b->queue, kernel, sample.span, &call, b->error));
    PS_TRY(b->backend->upload(b->queue, (ps_span){&b->block, 0}, sample.used));
    if (!b->backend->shares_memory) {
        PS_TRY(launch(b, call, &sample, &ns));
        b->out->build_ns += now_ns(b) - from;
    }
    *best_ns = 1e18;
    for (int i = 0; i < REPEATS && (i == 0 || *best_ns < LONG_NS); i++) {
        PS_TRY(launch(b, call, &sample, &ns));
        if (ns < *best_ns) *best_ns = ns;
    }
    return PS_OK;
}

static ps_status time_copies(bench *b, ps_costs *out) {
    const ps_span all = {&b->block, 0};
    const size_t sizes[2] = {SMALL_COPY, PS_SAMPLE_BYTES};
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
    out->up_byte_ns = up[1] > up[0] ? (up[1] - up[0]) / PS_SAMPLE_BYTES : 0.0;
    out->down_byte_ns = down[1] > down[0] ? (down[1] - down[0]) / PS_SAMPLE_BYTES : 0.0;
    return PS_OK;
}

static ps_status measure_kernel(bench *b, ps_kernel_id kernel, ps_cost *out) {
    double one, all, all_long = 0.0;
    const ps_status status = time_sample(b, kernel, 1, PS_SAMPLE_SHORT, &one);
    if (status == PS_UNSUPPORTED) return PS_OK; /* this device cannot: it stays unknown */
    PS_TRY(status);
    PS_TRY(time_sample(b, kernel, PS_SAMPLE_ROWS, PS_SAMPLE_SHORT, &all));
    if (ps_sample_reads_bytes(kernel) && all >= LONG_NS) {
        /* Eight times that would tell no more. */
        out->byte_ns = all / ((double)PS_SAMPLE_ROWS * PS_SAMPLE_SHORT);
    } else if (ps_sample_reads_bytes(kernel)) {
        PS_TRY(time_sample(b, kernel, PS_SAMPLE_ROWS, PS_SAMPLE_LONG, &all_long));
        if (all_long > all)
            out->byte_ns =
                (all_long - all) / ((double)PS_SAMPLE_ROWS * (PS_SAMPLE_LONG - PS_SAMPLE_SHORT));
    }
    out->fixed_ns = one < all ? one : all;
    const double rest = (all - out->fixed_ns) / PS_SAMPLE_ROWS - PS_SAMPLE_SHORT * out->byte_ns;
    out->row_ns = rest > 0.0 ? rest : 0.0;
    out->known = 1;
    return PS_OK;
}

static ps_status measure_all(bench *b, ps_costs *out) {
    PS_TRY(ps_wake_init(&b->wake, b->error));
    PS_TRY(b->backend->block_open(b->device, b->block.host, PS_SAMPLE_BYTES, &b->block, b->error));
    PS_TRY(b->backend->queue_open(b->device, &b->wake, &b->queue, b->error));
    b->begun_ns = now_ns(b);
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++) out->kernel[id].factor = 1.0;
    if (!b->backend->shares_memory) PS_TRY(time_copies(b, out));
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++) {
        if (b->stop != NULL && atomic_load(b->stop)) return PS_AGAIN;
        if (took(b) > PS_CALIBRATION_NS_MAX) break;
        PS_TRY(measure_kernel(b, (ps_kernel_id)id, &out->kernel[id]));
    }
    PS_CHECK_OP(out->launches, <=, (uint32_t)PS_CALIBRATION_LAUNCHES_MAX);
    out->took_ns = took(b);
    return PS_OK;
}

static bool cache_name(const ps_backend *backend, uint32_t index, char name[PS_CACHE_NAME_MAX]) {
    ps_device *device = NULL;
    ps_device_about about;
    if (backend->open(index, &device, NULL) != PS_OK) return false;
    backend->about(device, &about);
    backend->close(device);
    const char *texts[PS_KERNEL_COUNT + 6] = {PS_VERSION, PS_BUILD_FLAGS, backend->name,
                                              about.name, about.driver,   ps_dispatch_isa()};
    for (uint32_t i = 0; i < PS_KERNEL_COUNT; i++)
        texts[6 + i] =
            backend->shares_memory ? ps_dispatch_chosen((ps_kernel_id)i) : ps_kernels[i].name;
    ps_cache_name("costs", texts, PS_KERNEL_COUNT + 6, name);
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
    return fits && strcmp(out->name, name) == 0;
}

void ps_costs_keep(const ps_costs *costs) {
    if (costs->name[0] != '\0') ps_cache_write(costs->name, costs, sizeof *costs);
}

ps_status ps_costs_measure(const ps_backend *backend, uint32_t index, const atomic_bool *stop,
                           ps_costs *out, ps_error *error) {
    bench b = {.backend = backend,
               .out = out,
               .stop = stop,
               .error = error,
               .wake = {.fd = -1, .watched = -1}};
    memset(out, 0, sizeof *out);
    PS_TRY(backend->open(index, &b.device, error));
    uint8_t *host = aligned_alloc(4096, (PS_SAMPLE_BYTES + 4095) / 4096 * 4096);
    if (host == NULL) {
        backend->close(b.device);
        return ps_fail(error, PS_NO_MEMORY, "no memory to measure %s", backend->name);
    }
    memset(host, 0, PS_SAMPLE_BYTES);
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
    if (status == PS_OK && cache_name(backend, index, out->name)) ps_costs_keep(out);
    return status;
}

void ps_cost_correct(ps_cost *cost, double ratio) {
    const double bounded = ratio < 0.5 ? 0.5 : ratio > 2.0 ? 2.0 : ratio;
    const double factor = cost->factor * (1.0 + (bounded - 1.0) / 16.0);
    cost->factor = factor < 1.0 / 64 ? 1.0 / 64 : factor > 64.0 ? 64.0 : factor;
}

uint64_t ps_break_even(const ps_costs *processor, const ps_costs *device, ps_kernel_id kernel,
                       uint32_t row_bytes) {
    const ps_cost *here = &processor->kernel[kernel], *there = &device->kernel[kernel];
    if (here->known == 0 || there->known == 0) return 0;
    const double bytes = ps_sample_reads_bytes(kernel) ? row_bytes : 0;
    const double up = ps_sample_reads_bytes(kernel) ? row_bytes + 8.0 : 16.0;
    const double copies = up * device->up_byte_ns + ps_sample_down(kernel) * device->down_byte_ns;
    const double here_none = ps_cost_of(here, 0, 0), there_none = ps_cost_of(there, 0, 0);
    const double gain = ps_cost_of(here, 1, bytes) - here_none -
                        (ps_cost_of(there, 1, bytes) - there_none) - copies;
    const double extra = there_none + 2 * device->copy_ns - here_none;
    if (gain <= 0.0) return 0;
    return extra <= 0.0 ? 1 : (uint64_t)(extra / gain) + 1;
}
