/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/check_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"

enum { FRONT = 64, PLACE = 512, BYTES = 128 << 20, RUNS_PER_QUEUE = 200, ROUNDS = 5 };

static struct {
    const ps_backend *backend;
    ps_device *device;
    ps_queue *queue;
    ps_wake wake;
    ps_block block;
    uint8_t *host;
    uint64_t ticket;
    uint32_t runs; /* on this queue: it keeps every call that was bound until it is closed */
    char name[PS_DEVICE_NAME_MAX + 16];
    ps_check *check;
} at;

static void must(ps_status status, const ps_error *error) {
    if (status == PS_OK) return;
    printf("  FAILED %s: %s: %s\n", at.name, ps_status_text(status),
           error && error->message[0] ? error->message : at.backend->fault(at.queue));
    exit(EXIT_FAILURE);
}

bool check_device_open(const ps_backend *backend, uint32_t index, ps_error *error) {
    ps_device_about about;
    memset(&at, 0, sizeof at);
    at.backend = backend;
    if (backend->open(index, &at.device, error) != PS_OK) return false;
    backend->about(at.device, &about);
    snprintf(at.name, sizeof at.name, "%s: %s", backend->name, about.name);
    at.host = aligned_alloc(4096, BYTES);
    if (!at.host) abort();
    must(ps_wake_init(&at.wake, error), error);
    must(backend->block_open(at.device, at.host, BYTES, &at.block, error), error);
    must(backend->queue_open(at.device, &at.wake, &at.queue, error), error);
    return true;
}

void check_device_close(void) {
    at.backend->queue_close(at.queue);
    at.backend->block_close(at.device, &at.block);
    at.backend->close(at.device);
    ps_wake_deinit(&at.wake);
    free(at.host);
}

const char *check_device_name(void) {
    return at.name;
}

bool check_device_takes(ps_kernel_id kernel, ps_error *error) {
    ps_span span[PS_OPERANDS_MAX];
    ps_call *call;
    for (uint32_t i = 0; i < PS_OPERANDS_MAX; i++) span[i] = (ps_span){&at.block, 0};
    const ps_status status = at.backend->bind(at.queue, kernel, span, &call, error);
    if (status != PS_UNSUPPORTED) must(status, error);
    return status == PS_OK;
}

void check_device_use(ps_check *c) {
    at.check = c;
    c->fn = check_device_run;
}

/* Where everything that the check took lies on the device; an operand is somewhere inside it. */
typedef struct layout {
    size_t begin[CHECK_MEMORY_MAX], used;
} layout;

static size_t length_of(const check_memory *m) {
    return FRONT + (m->bytes + 7) / 8 * 8;
}

static bool inside(const check_memory *m, const void *pointer) {
    const uint8_t *p = pointer;
    return p >= m->data && p <= m->data + m->bytes;
}

static layout place(void *const *buf, ps_span *span) {
    layout l = {.used = 0};
    const ps_check *c = at.check;
    uint32_t found = 0;
    for (uint32_t i = 0; i < c->memory_count; i++) {
        const check_memory *m = &c->memory[i];
        l.begin[i] = SIZE_MAX;
        for (uint32_t o = 0; o < c->kernel->buffers; o++) {
            if (!inside(m, buf[o])) continue;
            if (l.begin[i] == SIZE_MAX) {
                l.begin[i] = l.used;
                l.used += (length_of(m) + PLACE - 1) / PLACE * PLACE;
            }
            const size_t into = (size_t)((const uint8_t *)buf[o] - m->data);
            span[o] = (ps_span){&at.block, l.begin[i] + FRONT + into};
            found |= 1u << o;
        }
    }
    if (found != (1u << c->kernel->buffers) - 1 || l.used > BYTES) {
        printf("  FAILED %s: kernel %s: an operand is not from check_take()\n", at.name,
               c->kernel->name);
        exit(EXIT_FAILURE);
    }
    return l;
}

static void copy(const layout *l, bool back) {
    const ps_check *c = at.check;
    for (uint32_t i = 0; i < c->memory_count; i++) {
        const check_memory *m = &c->memory[i];
        if (l->begin[i] == SIZE_MAX) continue;
        if (back)
            memcpy(m->data - FRONT, at.host + l->begin[i], length_of(m));
        else
            memcpy(at.host + l->begin[i], m->data - FRONT, length_of(m));
    }
}

static ps_call *bind(const ps_span *span) {
    ps_error error = {""};
    ps_call *call = NULL;
    if (++at.runs % RUNS_PER_QUEUE == 0) {
        at.backend->queue_close(at.queue);
        must(at.backend->queue_open(at.device, &at.wake, &at.queue, &error), &error);
        at.ticket = 0;
    }
    const ps_kernel_id id = (ps_kernel_id)(at.check->kernel - ps_kernels);
    must(at.backend->bind(at.queue, id, span, &call, &error), &error);
    return call;
}

static void finish(void) {
    must(at.backend->mark(at.queue, ++at.ticket), NULL);
    must(ps_backend_wait(at.backend, at.queue, at.ticket), NULL);
}

void check_device_run(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    ps_span span[PS_OPERANDS_MAX];
    const layout l = place(buf, span);
    const ps_span all = {&at.block, 0};
    copy(&l, false);
    ps_call *call = bind(span);
    must(at.backend->upload(at.queue, all, l.used), NULL);
    must(at.backend->launch(at.queue, call, params, begin, end), NULL);
    must(at.backend->download(at.queue, all, l.used), NULL);
    finish();
    copy(&l, true);
}

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median nanoseconds of `repeats` launches in a row, with or without the copies. */
static double measure(ps_call *call, const void *params, uint32_t n, const layout *l, bool copies) {
    const ps_span all = {&at.block, 0};
    double ns[ROUNDS];
    const uint32_t repeats = 20;
    for (int round = -1; round < ROUNDS; round++) {
        const int64_t from = ps_clock_ns();
        for (uint32_t i = 0; i < repeats; i++) {
            if (copies) must(at.backend->upload(at.queue, all, l->used), NULL);
            must(at.backend->launch(at.queue, call, params, 0, n), NULL);
            if (copies) must(at.backend->download(at.queue, all, l->used), NULL);
        }
        finish();
        if (round >= 0) ns[round] = (double)(ps_clock_ns() - from) / repeats;
    }
    qsort(ns, ROUNDS, sizeof ns[0], compare_numbers);
    return ns[ROUNDS / 2];
}

void check_device_bench(ps_check *c, const char *what, void *const *buf, const void *params,
                        uint32_t n, uint64_t bytes) {
    ps_span span[PS_OPERANDS_MAX];
    const layout l = place(buf, span);
    copy(&l, false);
    ps_call *call = bind(span);
    must(at.backend->upload(at.queue, (ps_span){&at.block, 0}, l.used), NULL);
    for (int copies = 0; copies < 2; copies++) {
        const double ns = measure(call, params, n, &l, copies != 0);
        printf("  %-8s %-24s %-18s %9.2f ns/item", c->kernel->name,
               copies ? "device, with copies" : "device, resident", what, ns / n);
        if (bytes > 0) printf(" %8.2f GB/s", (double)bytes / ns);
        printf("\n");
    }
}
