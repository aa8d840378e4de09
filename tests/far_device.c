/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/far_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"

enum { COMMANDS = 8192 };

far_world far;

struct ps_device {
    bool gone;
};

struct ps_call {
    ps_call *next;
    ps_kernel_id kernel;
    void *buf[PS_OPERANDS_MAX];
};

typedef struct command {
    enum { UPLOAD, DOWNLOAD, LAUNCH, MARK } kind;
    ps_span span;
    size_t bytes;
    const ps_call *call;
    uint8_t params[PS_PARAMS_MAX];
    uint32_t begin, end;
    uint64_t ticket;
} command;

struct ps_queue {
    ps_device *device;
    ps_call *calls;
    uint64_t noted, through, done;
    command ring[COMMANDS];
};

void far_quiet(void) {
    ps_log_init(PS_LOG_ERROR, false);
}

static bool likely(void) {
    return true;
}
static uint32_t devices(const char **why) {
    (void)why;
    return 1;
}

static ps_status open_device(uint32_t index, ps_device **out, ps_error *error) {
    (void)index;
    (void)error;
    *out = calloc(1, sizeof **out);
    return PS_OK;
}
static void close_device(ps_device *device) {
    free(device);
}
static void about(const ps_device *device, ps_device_about *out) {
    (void)device;
    memset(out, 0, sizeof *out);
    (void)snprintf(out->name, sizeof out->name, "far away");
}

static ps_status block_open(ps_device *device, void *host, size_t bytes, ps_block *out,
                            ps_error *error) {
    (void)device;
    (void)error;
    uint8_t *mirror = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(mirror, 0xdb, bytes);
    *out = (ps_block){host, (uint64_t)(uintptr_t)mirror, bytes};
    return PS_OK;
}
static void block_close(ps_device *device, ps_block *block) {
    (void)device;
    free((void *)(uintptr_t)block->device);
    block->host = NULL;
}

static ps_status queue_open(ps_device *device, const ps_wake *wake, ps_queue **out,
                            ps_error *error) {
    (void)wake;
    (void)error;
    *out = calloc(1, sizeof **out);
    (*out)->device = device;
    return PS_OK;
}

static uint8_t *mirror_of(ps_span span) {
    return (uint8_t *)(uintptr_t)span.block->device + span.offset;
}

static void carry_out(ps_queue *queue, const command *c) {
    switch (c->kind) {
    case UPLOAD:
        memcpy(mirror_of(c->span), c->span.block->host + c->span.offset, c->bytes);
        break;
    case DOWNLOAD:
        memcpy(c->span.block->host + c->span.offset, mirror_of(c->span), c->bytes);
        break;
    case LAUNCH:
        ps_kernels[c->call->kernel].reference(c->call->buf, c->params, c->begin, c->end);
        break;
    case MARK:
        queue->done = c->ticket;
        break;
    }
}

static void queue_close(ps_queue *queue) {
    if (queue == NULL) return;
    while (!queue->device->gone && queue->through < queue->noted)
        carry_out(queue, &queue->ring[queue->through++ % COMMANDS]);
    while (queue->calls != NULL) {
        ps_call *call = queue->calls;
        queue->calls = call->next;
        free(call);
    }
    free(queue);
}

static ps_status bind(ps_queue *queue, ps_kernel_id kernel, const ps_span *operands, ps_call **out,
                      ps_error *error) {
    (void)error;
    ps_call *call = calloc(1, sizeof *call);
    call->kernel = kernel;
    for (uint32_t i = 0; i < ps_kernels[kernel].buffers; i++) call->buf[i] = mirror_of(operands[i]);
    call->next = queue->calls;
    queue->calls = call;
    *out = call;
    return PS_OK;
}

static ps_status note(ps_queue *queue, const command *c) {
    if (far.spared > 0)
        far.spared--;
    else if (!queue->device->gone && far.below(1000) < far.lost_permille) {
        queue->device->gone = true;
        far.lost++;
    }
    if (queue->device->gone) return PS_DEVICE;
    PS_CHECK_OP(queue->noted - queue->through, <, (uint64_t)COMMANDS);
    queue->ring[queue->noted++ % COMMANDS] = *c;
    return PS_OK;
}

static ps_status launch(ps_queue *queue, ps_call *call, const void *params, uint32_t begin,
                        uint32_t end) {
    command c = {.kind = LAUNCH, .call = call, .begin = begin, .end = end};
    memcpy(c.params, params, ps_kernels[call->kernel].params_bytes);
    return note(queue, &c);
}
static ps_status upload(ps_queue *queue, ps_span span, size_t bytes) {
    PS_CHECK_OP(span.offset + bytes, <=, span.block->bytes);
    return note(queue, &(command){.kind = UPLOAD, .span = span, .bytes = bytes});
}
static ps_status download(ps_queue *queue, ps_span span, size_t bytes) {
    PS_CHECK_OP(span.offset + bytes, <=, span.block->bytes);
    return note(queue, &(command){.kind = DOWNLOAD, .span = span, .bytes = bytes});
}
static ps_status mark(ps_queue *queue, uint64_t ticket) {
    return note(queue, &(command){.kind = MARK, .ticket = ticket});
}

static ps_status done(ps_queue *queue, uint64_t *ticket) {
    if (queue->device->gone) return PS_DEVICE;
    uint64_t todo = far.below(100) < far.idle_percent ? 0 : queue->noted - queue->through;
    /* Not always all of it: it stops in the middle of a batch too. */
    if (todo > 1 && far.below(2) == 0) todo = 1 + far.below((uint32_t)todo);
    for (; todo > 0; todo--) carry_out(queue, &queue->ring[queue->through++ % COMMANDS]);
    if (queue->done > *ticket) *ticket = queue->done;
    return PS_OK;
}

static const char *fault(const ps_queue *queue) {
    (void)queue;
    return "it is gone";
}

const ps_backend far_device = {
    .name = "far",
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
    .upload = upload,
    .download = download,
    .mark = mark,
    .done = done,
    .fault = fault,
};
