/* SPDX-License-Identifier: Apache-2.0
 * Known answers on a device, through the same calls that carry data later: a device that gets one
 * wrong is refused before it sees a row.
 */
#include <stdlib.h>
#include <string.h>

#include "host/device/backend.h"
#include "simd/dispatch.h"

enum { PLACE = 512, BYTES = 64 * 1024 };

typedef struct bench {
    const ps_backend *backend;
    ps_device *device;
    ps_block block;
    ps_error *error;
    ps_status status; /* of the last kernel: UNSUPPORTED where the device refuses it */
} bench;

static ps_status compute(bench *b, ps_queue *queue, ps_kernel_id id, const ps_known *operands,
                         const void *params, uint32_t n) {
    const ps_kernel *kernel = &ps_kernels[id];
    ps_span span[PS_OPERANDS_MAX];
    ps_call *call = NULL;
    size_t used = 0;
    for (uint32_t i = 0; i < kernel->buffers; i++) {
        PS_CHECK_OP(used + operands[i].bytes, <=, (size_t)BYTES);
        memcpy(b->block.host + used, operands[i].data, operands[i].bytes);
        span[i] = (ps_span){&b->block, used};
        used += (operands[i].bytes + PLACE - 1) / PLACE * PLACE;
    }
    PS_TRY(b->backend->bind(queue, id, span, &call, b->error));
    PS_TRY(b->backend->upload(queue, span[0], used));
    PS_TRY(b->backend->launch(queue, call, params, 0, n));
    PS_TRY(b->backend->download(queue, span[0], used));
    PS_TRY(b->backend->mark(queue, 1));
    PS_TRY(ps_backend_wait(b->backend, queue, 1));
    for (uint32_t i = 0; i < kernel->buffers; i++)
        if ((*kernel->writes >> i) & 1)
            memcpy(operands[i].data, b->block.host + span[i].offset, operands[i].bytes);
    return PS_OK;
}

static bool run(void *context, ps_kernel_id id, const ps_known *operands, const void *params,
                uint32_t n) {
    bench *b = context;
    ps_queue *queue = NULL;
    ps_wake wake;
    b->status = ps_wake_init(&wake, b->error);
    if (b->status != PS_OK) return false;
    b->status = b->backend->queue_open(b->device, &wake, &queue, b->error);
    if (b->status == PS_OK) b->status = compute(b, queue, id, operands, params, n);
    if (b->status == PS_DEVICE)
        (void)ps_fail(b->error, PS_DEVICE, "%s device: kernel %s failed: %s", b->backend->name,
                      ps_kernels[id].name, b->backend->fault(queue));
    if (queue != NULL) b->backend->queue_close(queue);
    ps_wake_deinit(&wake);
    return b->status == PS_OK;
}

static ps_status test_one(bench *b, ps_kernel_id id) {
    if (ps_known_answer(id, run, b)) return PS_OK;
    if (b->status == PS_UNSUPPORTED) return PS_OK;
    if (b->status != PS_OK) return b->status;
    ps_device_about about;
    b->backend->about(b->device, &about);
    return ps_fail(b->error, PS_DEVICE,
                   "%s device %s: kernel %s gives a wrong answer, so it gets no data; update its "
                   "driver, or set runtime.backend to cpu",
                   b->backend->name, about.name, ps_kernels[id].name);
}

ps_status ps_device_self_test(const ps_backend *backend, ps_device *device, ps_kernel_id kernel,
                              ps_error *error) {
    bench b = {.backend = backend, .device = device, .error = error};
    uint8_t *host = aligned_alloc(4096, BYTES);
    if (host == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a self-test");
    memset(host, 0, BYTES);
    ps_status status = backend->block_open(device, host, BYTES, &b.block, error);
    for (uint32_t id = 0; id < PS_KERNEL_COUNT && status == PS_OK; id++)
        if (kernel == PS_KERNEL_COUNT || kernel == (ps_kernel_id)id)
            status = test_one(&b, (ps_kernel_id)id);
    if (b.block.host != NULL) backend->block_close(device, &b.block);
    free(host);
    return status;
}
