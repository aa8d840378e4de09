/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/limits.h"
#include "host/device/backend.h"
#include "host/device/merkle.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"

enum { PLACE = 512, TIMES = 64 };

struct ps_bench_device {
    const ps_backend *backend;
    ps_device *device;
    ps_queue *queue;
    ps_wake wake;
    ps_block block;
    uint8_t *host;
    size_t used, up_bytes; /* operands that go up lie in front of all others */
    ps_span span[PS_CASE_BUFFERS_MAX];
    ps_span down;
    size_t down_bytes;
    uint64_t ticket;
    ps_call *call, *low, *high; /* the last two: levels of a tree */
    ps_append append;
    const void *params;
    uint32_t n, times;
    char name[2][64];
};

static const ps_sha256_params leaf = {PS_MERKLE_LEAF};

static size_t rounded(size_t bytes) {
    return (bytes + PLACE - 1) / PLACE * PLACE;
}

static uint8_t *place(ps_bench_device *on, uint32_t operand, size_t bytes) {
    on->span[operand] = (ps_span){&on->block, on->used};
    on->used += rounded(bytes);
    return on->host + on->span[operand].offset;
}

/* The records of the case as many times over, each copy in a place of its own. */
static void place_records(ps_bench_device *on, const ps_contest *c) {
    const uint32_t times = on->times;
    const size_t bytes = rounded((size_t)c->bytes + PS_ARENA_PADDING);
    const uint32_t *const begin = c->buf[1], *const length = c->buf[2];
    uint8_t *const to = place(on, 0, bytes * times);
    uint32_t *const begins = (uint32_t *)(void *)place(on, 1, (size_t)c->n * times * 4);
    uint32_t *const lengths = (uint32_t *)(void *)place(on, 2, (size_t)c->n * times * 4);
    for (uint32_t i = 0; i < times; i++) {
        memcpy(to + bytes * i, c->buf[0], (size_t)c->bytes);
        for (uint32_t k = 0; k < c->n; k++) {
            begins[(size_t)i * c->n + k] = begin[k] + (uint32_t)(bytes * i);
            lengths[(size_t)i * c->n + k] = length[k];
        }
    }
    on->up_bytes = on->used;
    on->n = c->n * times;
}

static ps_status open_block(ps_bench_device *on, ps_error *error) {
    const ps_span all = {&on->block, 0};
    PS_TRY(on->backend->block_open(on->device, on->host, on->used, &on->block, error));
    return on->backend->upload(on->queue, all, on->used);
}

/* How many bytes of operands a case takes on a device. */
static size_t bytes_of(const ps_contest *c, uint32_t times) {
    size_t bytes = times * rounded((size_t)c->bytes + PS_ARENA_PADDING);
    for (uint32_t i = 1; i < PS_CASE_BUFFERS_MAX; i++)
        bytes += rounded(c->item_bytes[i] * c->n * times) + PLACE;
    return bytes;
}

static ps_status open_records(ps_bench_device *on, const ps_contest *c, ps_error *error) {
    place_records(on, c);
    for (uint32_t i = 3; i < ps_kernels[c->id].buffers; i++)
        (void)place(on, i, c->item_bytes[i] * c->n * on->times);
    on->params = c->params;
    on->down = on->span[c->out];
    on->down_bytes = c->out_bytes * on->times;
    PS_TRY(open_block(on, error));
    return on->backend->bind(on->queue, c->id, on->span, &on->call, error);
}

static ps_status open_tree(ps_bench_device *on, const ps_contest *c, ps_error *error) {
    enum { LEAVES = 3, FRONTIER, NODES };
    place_records(on, c);
    (void)place(on, LEAVES, (size_t)c->n * PS_NODE_BYTES);
    (void)place(on, FRONTIER, PS_MERKLE_LEVELS * PS_NODE_BYTES);
    (void)place(on, NODES, ((size_t)c->n + PS_MERKLE_NODES_EXTRA) * PS_NODE_BYTES);
    ps_merkle_plan(0, c->n, &on->append);
    on->params = &leaf;
    on->down = on->span[NODES];
    on->down.offset += (size_t)on->append.first[on->append.levels - 1] * PS_NODE_BYTES;
    on->down_bytes = PS_NODE_BYTES;
    PS_TRY(open_block(on, error));
    const ps_span low[3] = {on->span[LEAVES], on->span[FRONTIER], on->span[NODES]};
    const ps_span high[3] = {on->span[NODES], on->span[FRONTIER], on->span[NODES]};
    PS_TRY(on->backend->bind(on->queue, PS_KERNEL_SHA256, on->span, &on->call, error));
    PS_TRY(on->backend->bind(on->queue, PS_KERNEL_MERKLE, low, &on->low, error));
    return on->backend->bind(on->queue, PS_KERNEL_MERKLE, high, &on->high, error);
}

ps_status ps_bench_device_call(ps_bench_device *on, bool copies) {
    const ps_backend *const backend = on->backend;
    if (copies) PS_TRY(backend->upload(on->queue, (ps_span){&on->block, 0}, on->up_bytes));
    PS_TRY(backend->launch(on->queue, on->call, on->params, 0, on->n));
    const ps_merkle_calls calls = {backend, on->queue, on->low, on->high};
    if (on->low != NULL) PS_TRY(ps_merkle_launch(&calls, &on->append, 0));
    if (copies) PS_TRY(backend->download(on->queue, on->down, on->down_bytes));
    PS_TRY(backend->mark(on->queue, ++on->ticket));
    /* Asks all the time: a nap would be longer than what is measured. */
    for (uint64_t newest = 0; newest < on->ticket;) PS_TRY(backend->done(on->queue, &newest));
    return PS_OK;
}

static void close_one(ps_bench_device *on) {
    if (on->queue != NULL) on->backend->queue_close(on->queue);
    if (on->block.bytes != 0) on->backend->block_close(on->device, &on->block);
    if (on->device != NULL) on->backend->close(on->device);
    ps_wake_deinit(&on->wake);
    free(on->host);
    free(on);
}

static ps_status open_one(ps_bench_device *on, const ps_contest *c, ps_error *error) {
    const bool tree = c->id == PS_KERNEL_MERKLE;
    ps_device_about about;
    PS_TRY(on->backend->open(0, &on->device, error));
    on->backend->about(on->device, &about);
    on->times = tree || about.processor ? 1 : TIMES;
    for (uint32_t copies = 0; copies < 2; copies++)
        (void)snprintf(on->name[copies], sizeof on->name[copies], "%s %s", on->backend->name,
                       copies ? "from host" : "resident");
    PS_TRY(ps_device_self_test(on->backend, on->device, c->id, error));
    PS_TRY(ps_wake_init(&on->wake, error));
    PS_TRY(on->backend->queue_open(on->device, &on->wake, &on->queue, error));
    on->host = aligned_alloc(4096, (bytes_of(c, on->times) + 4095) / 4096 * 4096);
    if (on->host == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a device's operands");
    memset(on->host, 0, bytes_of(c, on->times));
    PS_TRY(tree ? open_tree(on, c, error) : open_records(on, c, error));
    c->contestant[0].fn(c->buf, c->params, 0, c->n);
    if (ps_bench_device_call(on, true) != PS_OK)
        return ps_fail(error, PS_DEVICE, "%s device %s: %s", on->backend->name, about.name,
                       on->backend->fault(on->queue));
    if (memcmp(on->host + on->down.offset, c->buf[c->out], c->out_bytes) != 0)
        return ps_fail(error, PS_DEVICE, "%s %s: %s device %s does not agree with the reference",
                       c->kernel, c->name, on->backend->name, about.name);
    return PS_OK;
}

ps_status ps_devices_add(ps_contest *c, ps_error *error) {
    for (uint32_t i = 0; ps_backend_at(i) != NULL; i++) {
        const ps_backend *const backend = ps_backend_at(i);
        if (backend->shares_memory || c->item_bytes[1] == 0 || !ps_backend_likely(backend) ||
            backend->devices(NULL) == 0)
            continue;
        ps_bench_device *const on = calloc(1, sizeof *on);
        if (on == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a device");
        on->backend = backend;
        on->wake = (ps_wake){.fd = -1, .watched = -1};
        const ps_status status = open_one(on, c, error);
        if (status != PS_OK) {
            close_one(on);
            return status;
        }
        for (uint32_t copies = 0; copies < 2; copies++)
            c->contestant[c->count++] = (ps_contestant){.name = on->name[copies],
                                                        .on = on,
                                                        .copies = copies != 0,
                                                        .own = true,
                                                        .times = on->times};
    }
    return PS_OK;
}

void ps_devices_remove(ps_contest *c) {
    for (uint32_t i = 0; i < c->count; i++)
        if (c->contestant[i].on != NULL && c->contestant[i].copies) close_one(c->contestant[i].on);
}
