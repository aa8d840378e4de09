/* SPDX-License-Identifier: Apache-2.0
 * The processor as a back-end: a launch runs the kernel at once, on the lane's own thread, in the
 * implementation that simd/dispatch chose. Upload and download are nothing, because host and device
 * are the same memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/device/backend.h"
#include "simd/dispatch.h"

struct ps_device {
    int unused;
};

struct ps_call {
    ps_call *next;
    ps_kernel_id kernel;
    void *buffer[PS_OPERANDS_MAX];
};

struct ps_queue {
    ps_call *calls; /* all that were bound, to be freed with the queue */
    uint64_t done;
};

static bool likely(void) {
    return true;
}

static uint32_t devices(const char **why) {
    (void)why;
    return 1;
}

static ps_status open_device(uint32_t index, ps_device **out, ps_error *error) {
    if (index > 0) return ps_fail(error, PS_UNSUPPORTED, "there is one CPU device, number 0");
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PS_OK : ps_fail(error, PS_NO_MEMORY, "no memory for a device");
}

static void close_device(ps_device *device) {
    free(device);
}

static void about(const ps_device *device, ps_device_about *out) {
    (void)device;
    memset(out, 0, sizeof *out);
    (void)snprintf(out->name, sizeof out->name, "processor, %s", ps_dispatch_isa());
    out->processor = true;
}

static ps_status block_open(ps_device *device, void *host, size_t bytes, ps_block *out,
                            ps_error *error) {
    (void)device;
    (void)error;
    *out = (ps_block){host, (uint64_t)(uintptr_t)host, bytes};
    return PS_OK;
}

static void block_close(ps_device *device, ps_block *block) {
    (void)device;
    *block = (ps_block){NULL, 0, 0};
}

static ps_status queue_open(ps_device *device, const ps_wake *wake, ps_queue **out,
                            ps_error *error) {
    (void)device;
    (void)wake;
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PS_OK : ps_fail(error, PS_NO_MEMORY, "no memory for a queue");
}

static void queue_close(ps_queue *queue) {
    if (queue == NULL) return;
    while (queue->calls != NULL) {
        ps_call *call = queue->calls;
        queue->calls = call->next;
        free(call);
    }
    free(queue);
}

static ps_status bind(ps_queue *queue, ps_kernel_id kernel, const ps_span *operands, ps_call **out,
                      ps_error *error) {
    ps_call *call = calloc(1, sizeof *call);
    if (call == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a kernel call");
    call->kernel = kernel;
    for (uint16_t i = 0; i < ps_kernels[kernel].buffers; i++)
        call->buffer[i] = operands[i].block->host + operands[i].offset;
    call->next = queue->calls;
    queue->calls = call;
    *out = call;
    return PS_OK;
}

static ps_status launch(ps_queue *queue, ps_call *call, const void *params, uint32_t begin,
                        uint32_t end) {
    (void)queue;
    /* Asked each time: the choice may change while a job runs. */
    ps_dispatch(call->kernel)(call->buffer, params, begin, end);
    return PS_OK;
}

static ps_status copy(ps_queue *queue, ps_span span, size_t bytes) {
    (void)queue;
    (void)span;
    (void)bytes;
    return PS_OK;
}

static ps_status mark(ps_queue *queue, uint64_t ticket) {
    queue->done = ticket;
    return PS_OK;
}

static ps_status done(ps_queue *queue, uint64_t *ticket) {
    *ticket = queue->done;
    return PS_OK;
}

static const char *fault(const ps_queue *queue) {
    (void)queue;
    return "a processor does not fail";
}

const ps_backend ps_backend_cpu = {
    .name = "cpu",
    .shares_memory = true,
    .likely = likely,
    .devices = devices,
    .open = open_device,
    .close = close_device,
    .about = about,
    .block_open = block_open,
    .block_close = block_close,
    .queue_open = queue_open,
    .queue_close = queue_close,
    .bind = bind,
    .launch = launch,
    .upload = copy,
    .download = copy,
    .mark = mark,
    .done = done,
    .fault = fault,
};
