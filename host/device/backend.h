/* SPDX-License-Identifier: Apache-2.0
 * The only floor that knows where kernels run. A back-end is a table of functions; the lane holds
 * one of each object: device, queue, blocks, and calls bound to the buffers of one slot.
 */
#ifndef PS_HOST_DEVICE_BACKEND_H
#define PS_HOST_DEVICE_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"
#include "host/base/wake.h"
#include "host/batch/batch.h"
#include "kernels/table.h"

typedef struct ps_device ps_device;
typedef struct ps_queue ps_queue;
typedef struct ps_call ps_call;

typedef struct ps_span {
    const ps_block *block;
    size_t offset;
} ps_span;

typedef struct ps_backend {
    const char *name;          /* "cpu" */
    uint32_t (*devices)(void); /* 0 when its driver is missing: never an error */
    ps_status (*open)(uint32_t index, ps_device **out, ps_error *);
    void (*close)(ps_device *);
    /* Pins `host` where that helps and makes its mirror. The host memory stays the caller's. */
    ps_status (*block_open)(ps_device *, void *host, size_t bytes, ps_block *out, ps_error *);
    void (*block_close)(ps_device *, ps_block *);
    /* In order; one per lane. Signals the wake when a ticket finishes. */
    ps_status (*queue_open)(ps_device *, const ps_wake *, ps_queue **out, ps_error *);
    void (*queue_close)(ps_queue *); /* frees its calls too */
    ps_status (*bind)(ps_queue *, ps_kernel_id, const ps_span *operands, ps_call **out, ps_error *);
    /* The data path: none of these allocates, blocks or waits. */
    ps_status (*launch)(ps_queue *, ps_call *, const void *params, uint32_t n);
    ps_status (*upload)(ps_queue *, ps_span, size_t bytes);
    ps_status (*download)(ps_queue *, ps_span, size_t bytes);
    ps_status (*mark)(ps_queue *, uint64_t ticket);  /* all queued so far belongs to ticket */
    ps_status (*done)(ps_queue *, uint64_t *ticket); /* newest ticket finished */
} ps_backend;

extern const ps_backend ps_backend_cpu;

/* The back-end called `name`, "auto" taking the first that has a device; NULL: unknown. */
const ps_backend *ps_backend_find(const char *name);

/* The i-th of this build, NULL behind the last. */
const ps_backend *ps_backend_at(uint32_t index);

#endif
